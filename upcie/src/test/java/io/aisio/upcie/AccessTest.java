package io.aisio.upcie;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AccessTest {
    private static final PciAddress ADDRESS = PciAddress.parse("0000:01:00.0");

    @TempDir
    Path root;

    private SysfsTree tree;
    private Path function;

    @BeforeEach
    void makeTree() throws IOException {
        tree = new SysfsTree(root);
        function = tree.nvme(ADDRESS.toString());
    }

    private Access access(@Nullable Access wanted, boolean unsafe) throws IOException {
        return access(new FunctionOptions(wanted, unsafe, 2L << 20));
    }

    private Access access(FunctionOptions options) throws IOException {
        return Access.of(tree.bus(), tree.bus().device(ADDRESS), options, root.resolve("dev"));
    }

    @Test
    void aFunctionOfTheKernelsIsRefusedWithTheNextStep() throws Exception {
        assertThatThrownBy(() -> access(null, false))
                .hasMessageContaining("no driver")
                .hasMessageContaining("devbind");
        tree.driver(function, "nvme");
        assertThatThrownBy(() -> access(null, false))
                .hasMessageContaining("0000:01:00.0: bound to the kernel's driver nvme")
                .hasMessageContaining("./aisio devbind bind --driver vfio-pci 0000:01:00.0");
    }

    @Test
    void uioIsTheWayOfWhatIsBoundToIt() throws Exception {
        tree.driver(function, "uio_pci_generic");
        assertThat(access(null, false)).isEqualTo(Access.UIO);
        assertThatThrownBy(() -> access(Access.TYPE1, false))
                .hasMessageContaining("no access by type1; there is [uio]");
    }

    @Test
    void uioBehindAnIommuThatTranslatesNeedsTwoModules() throws Exception {
        tree.driver(function, "uio_pci_generic");
        Path group = Files.createDirectories(root.resolve("kernel/iommu_groups/5"));
        Files.createSymbolicLink(function.resolve("iommu_group"), group);
        Files.writeString(group.resolve("type"), "DMA-FQ\n");
        assertThatThrownBy(() -> access(null, false))
                .hasMessageContaining("the IOMMU translates for it (DMA-FQ)")
                .hasMessageContaining("--driver vfio-pci 0000:01:00.0");
        Path nodes = Files.createDirectories(root.resolve("dev"));
        Files.createFile(nodes.resolve("udmabuf-import"));
        assertThatThrownBy(() -> access(null, false)).hasMessageContaining("without /dev/udmabuf;");
        Files.createFile(nodes.resolve("udmabuf"));
        assertThat(access(null, false)).isEqualTo(Access.UIO);
        FunctionOptions gigantic = new FunctionOptions(null, false, FunctionOptions.GIGANTIC_PAGE_SIZE);
        assertThatThrownBy(() -> access(gigantic)).hasMessageContaining("leave out hugepages");
        Files.delete(nodes.resolve("udmabuf-import"));
        assertThatThrownBy(() -> access(null, false)).hasMessageContaining("without /dev/udmabuf-import;");
        Files.writeString(group.resolve("type"), "identity\n");
        assertThat(access(null, false)).isEqualTo(Access.UIO);
        assertThat(access(gigantic)).isEqualTo(Access.UIO);
    }

    @Test
    void vfioWithoutDeviceFilesIsType1() throws Exception {
        tree.driver(function, "vfio-pci");
        Path group = Files.createDirectories(root.resolve("kernel/iommu_groups/5"));
        Files.createSymbolicLink(function.resolve("iommu_group"), group);
        assertThat(access(null, false)).isEqualTo(Access.TYPE1);
        assertThatThrownBy(() -> access(Access.IOMMUFD, false)).hasMessageContaining("there is [type1]");
    }

    @Test
    void noIommuMustBeAllowed() throws Exception {
        tree.driver(function, "vfio-pci");
        Path group = Files.createDirectories(root.resolve("kernel/iommu_groups/0"));
        Files.writeString(group.resolve("name"), "vfio-noiommu\n");
        Files.createSymbolicLink(function.resolve("iommu_group"), group);
        assertThatThrownBy(() -> access(null, false)).hasMessageContaining("0000:01:00.0?unsafe");
        assertThat(access(null, true)).isEqualTo(Access.NOIOMMU);
    }
}
