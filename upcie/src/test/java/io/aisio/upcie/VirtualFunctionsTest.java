package io.aisio.upcie;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VirtualFunctionsTest {
    private static final PciAddress ADDRESS = PciAddress.parse("0000:01:00.0");

    @TempDir
    Path folder;

    private SysfsTree tree;
    private Path function;

    @BeforeEach
    void aControllerWithVirtualFunctions() throws IOException {
        tree = new SysfsTree(folder.resolve("sys"));
        function = tree.nvme("0000:01:00.0");
        SysfsTree.write(function.resolve("sriov_totalvfs"), "8");
        SysfsTree.write(function.resolve("sriov_numvfs"), "0");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "1"})
    void leavesAutoprobeAsItWas(String before) throws IOException {
        SysfsTree.write(function.resolve("sriov_drivers_autoprobe"), before);
        assertThat(new VirtualFunctions(tree.bus(), ADDRESS).enable(4)).isEmpty();
        assertThat(function.resolve("sriov_drivers_autoprobe")).content().isEqualToIgnoringNewLines(before);
        assertThat(function.resolve("sriov_numvfs")).content().isEqualToIgnoringNewLines("4");
    }

    @Test
    void putsAutoprobeBackWhenTheKernelRefuses() throws IOException {
        SysfsTree.write(function.resolve("sriov_drivers_autoprobe"), "1");
        Files.delete(function.resolve("sriov_numvfs"));
        assertThatThrownBy(() -> new VirtualFunctions(tree.bus(), ADDRESS).enable(4))
                .hasMessageContaining("its driver knows no virtual functions");
        assertThat(function.resolve("sriov_drivers_autoprobe")).content().isEqualToIgnoringNewLines("1");
    }
}
