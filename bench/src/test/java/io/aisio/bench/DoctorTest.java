package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.bench.DoctorReport.Answer;
import io.aisio.bench.DoctorReport.Finding;
import io.aisio.bench.DoctorReport.Mode;
import io.aisio.linux.FileStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoctorTest {
    @TempDir
    Path root;

    @BeforeEach
    void aMachineWithNothing() throws IOException {
        put("proc/sys/kernel/osrelease", "6.12.1");
        put("proc/cmdline", "root=/dev/sda1 quiet");
        put("proc/self/limits", "Limit   Soft   Hard   Units\nMax locked memory         65536    65536    bytes");
        put("proc/self/status", "Name:\tjava\nCapEff:\t0000000000000000");
    }

    private void put(String file, String text) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text + "\n");
    }

    private void function(String address, String vendor, String device, String subclass, String resource)
            throws IOException {
        String folder = "sys/bus/pci/devices/" + address + "/";
        put(folder + "vendor", vendor);
        put(folder + "device", device);
        put(folder + "class", subclass);
        put(folder + "resource", resource);
    }

    private DoctorReport report() {
        return Doctor.examine(root, root);
    }

    private Finding finding(String id) {
        return report().finding(id);
    }

    @Test
    void saysOfAMachineWithNothingWhatItLacksAndHowToGetIt() {
        DoctorReport report = report();
        assertThat(report.kernel()).isEqualTo("6.12.1");
        for (String id : new String[] {
            "nvme",
            "iommu",
            "vfio-group",
            "vfio-cdev",
            "vfio-noiommu",
            "uio",
            "hugepages",
            "memlock",
            "sriov",
            "ublk",
            "udmabuf",
            "udmabuf-import",
            "cuda",
            "gpu",
            "dma-buf",
            "bar1"
        }) {
            Finding finding = report.finding(id);
            assertThat(finding.answer()).as(id + ": " + finding.reason()).isEqualTo(Answer.NO);
            assertThat(finding.reason()).as(id).isNotBlank();
            assertThat(finding.remedy()).as(id).isNotBlank();
        }
        assertThat(report.modes()).noneMatch(Mode::possible);
        assertThat(report.modes()).allSatisfy(mode -> assertThat(mode.missing()).isNotEmpty());
        assertThat(report.modes().getFirst().missing().getFirst()).isEqualTo("NVMe controllers: none on PCI");
    }

    @Test
    void knowsWhatTheIommuDoes() throws IOException {
        put("sys/class/iommu/dmar0/devices/x", "");
        put("sys/kernel/iommu_groups/0/type", "DMA-FQ");
        put("sys/kernel/iommu_groups/1/type", "DMA-FQ");
        put("proc/cmdline", "quiet intel_iommu=on iommu.strict=0");
        assertThat(finding("iommu").reason())
                .isEqualTo("translating (DMA-FQ), 2 groups; kernel: intel_iommu=on iommu.strict=0");
        put("sys/kernel/iommu_groups/0/type", "identity");
        assertThat(finding("iommu").reason()).startsWith("translating, partly passthrough (DMA-FQ, identity)");
        put("sys/kernel/iommu_groups/1/type", "identity");
        assertThat(finding("iommu").reason()).startsWith("passthrough (identity), 2 groups");
    }

    @Test
    void goesByVfioWhereThereIsAnIommu() throws IOException {
        function("0000:01:00.0", "0x1b36", "0x0010", "0x010802", "0x1000 0x4fff 0x140204");
        put("sys/class/iommu/dmar0/devices/x", "");
        put("sys/kernel/iommu_groups/0/type", "DMA");
        put("dev/vfio/vfio", "");
        put("dev/vfio/14", "");
        assertThat(finding("vfio-group").reason()).isEqualTo("/dev/vfio/vfio opens; groups bound to it: 14");
        Mode mode = report().modes().getFirst();
        assertThat(mode.missing()).isEmpty();
        assertThat(mode.how()).isEqualTo("VFIO by group");
        put("dev/iommu", "");
        assertThat(report().modes().getFirst().how()).isEqualTo("VFIO by iommufd");
        put("boot/config-6.12.1", "# CONFIG_VFIO_DEVICE_CDEV is not set");
        assertThat(finding("vfio-cdev").reason()).contains("CONFIG_VFIO_DEVICE_CDEV is off");
    }

    @Test
    void takesAModuleThatCanBeLoadedForAWay() throws IOException {
        function("0000:01:00.0", "0x1b36", "0x0010", "0x010802", "0x1000 0x4fff 0x140204");
        put("sys/class/iommu/dmar0/devices/x", "");
        put("sys/kernel/iommu_groups/0/type", "DMA-FQ");
        put("sys/bus/pci/drivers/uio_pci_generic/bind", "");
        put("lib/modules/6.12.1/modules.dep", "kernel/drivers/vfio/pci/vfio-pci.ko.xz:");
        assertThat(finding("vfio-group").answer()).isEqualTo(Answer.YES);
        assertThat(finding("vfio-group").reason()).isEqualTo("vfio-pci can be loaded");
        assertThat(finding("vfio-cdev").answer()).isEqualTo(Answer.NO);
        assertThat(report().modes().getFirst().how()).isEqualTo("VFIO by group");
        put(
                "lib/modules/6.12.1/modules.dep",
                "kernel/drivers/vfio/pci/vfio-pci.ko.xz:\nkernel/drivers/iommu/iommufd/iommufd.ko.xz:");
        assertThat(finding("vfio-cdev").answer()).isEqualTo(Answer.YES);
        assertThat(finding("vfio-cdev").reason()).startsWith("iommufd can be loaded");
        assertThat(report().modes().getFirst().how()).isEqualTo("VFIO by iommufd");
        put("sys/module/vfio_pci/refcnt", "0");
        assertThat(finding("vfio-group").answer())
                .as("loaded, and has no node all the same")
                .isEqualTo(Answer.NO);
    }

    @Test
    void knowsThatUioCannotGoByAnIommuThatTranslates() throws IOException {
        put("sys/bus/pci/drivers/uio_pci_generic/bind", "");
        assertThat(finding("uio").answer()).isEqualTo(Answer.YES);
        put("sys/class/iommu/dmar0/devices/x", "");
        put("sys/kernel/iommu_groups/0/type", "DMA");
        put("sys/kernel/iommu_groups/1/type", "DMA-FQ");
        assertThat(finding("uio").answer()).isEqualTo(Answer.NO);
        assertThat(finding("uio").reason()).startsWith("the IOMMU translates (DMA, DMA-FQ)");
        assertThat(finding("uio").remedy()).contains("VFIO");
        put("sys/kernel/iommu_groups/0/type", "identity");
        put("sys/kernel/iommu_groups/1/type", "identity");
        assertThat(finding("uio").answer()).isEqualTo(Answer.YES);
    }

    private String wayToGpuMemory() {
        return report().modes().stream()
                .filter(mode -> mode.id().equals("cpu-p2p"))
                .flatMap(mode -> mode.missing().stream())
                .filter(missing -> missing.startsWith("a way to have a device"))
                .findFirst()
                .orElse("");
    }

    /** Where VFIO has an IOMMU, udmabuf-import tells no addresses. */
    @Test
    void wantsUioForGpuMemoryWhereAnIommuTranslates() throws IOException {
        function("0000:01:00.0", "0x1b36", "0x0010", "0x010802", "0x1000 0x4fff 0x140204");
        put("sys/class/iommu/dmar0/devices/x", "");
        put("sys/kernel/iommu_groups/0/type", "DMA-FQ");
        put("dev/vfio/vfio", "");
        put("sys/bus/pci/drivers/uio_pci_generic/bind", "");
        put("dev/udmabuf-import", "");
        assertThat(report().modes().getFirst().how()).isEqualTo("VFIO by group");
        assertThat(wayToGpuMemory()).contains("UIO, with huge pages, or with udmabuf and udmabuf-import");
        assertThat(finding("uio").remedy()).contains("udmabuf");
        put("dev/udmabuf", "");
        assertThat(finding("uio").answer()).isEqualTo(Answer.YES);
        assumeTrue(FileStatus.effectiveUser() == 0, "needs root");
        assertThat(wayToGpuMemory()).isEmpty();
    }

    @Test
    void takesVfioForGpuMemoryWhereThereIsNoIommu() throws IOException {
        put("dev/vfio/vfio", "");
        put("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y");
        assertThat(wayToGpuMemory()).isNotEmpty();
        put("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "8");
        put("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "8");
        assertThat(finding("hugepages").answer()).isEqualTo(Answer.YES);
        assertThat(wayToGpuMemory()).isEmpty();
    }

    @Test
    void seesAGpuAndWhatItLacks() throws IOException {
        function(
                "0000:02:00.0",
                "0x10de",
                "0x2330",
                "0x030200",
                "0x1000 0x1fff 0x40200\n0x4000000000 0x5fffffffff 0x14220c");
        put("usr/lib/x86_64-linux-gnu/libcuda.so.1", "");
        assertThat(finding("bar1").reason()).isEqualTo("0000:02:00.0: BAR1 of 131072 MiB");
        assertThat(finding("cuda").reason()).contains("but not the kernel's driver");
        put("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX Open Kernel Module  580.159.04\nGCC");
        assertThat(finding("cuda").answer()).isEqualTo(Answer.YES);
        put("etc/ld.so.conf.d/cuda.conf", "# comment\n/opt/cuda/lib");
        put("opt/cuda/lib/libnvrtc.so.13", "");
        assertThat(finding("nvrtc").reason()).endsWith("/opt/cuda/lib/libnvrtc.so.13");
        put("opt/cuda/lib/libcufile.so.0", "");
        assertThat(finding("cufile").reason()).contains("libcufile.so.0; compatibility mode");
        put("proc/driver/nvidia-fs/version", "version: 2.26");
        assertThat(finding("cufile").reason()).endsWith("libcufile.so.0; direct, nvidia-fs 2.26");
    }

    /** Its registers take two indices, so that its memory is behind the third. */
    @Test
    void seesTheMemoryOfAGpuWhoseRegistersAreWide() throws IOException {
        function(
                "0000:02:00.0",
                "0x10de",
                "0x2330",
                "0x030200",
                "0x1000 0x1fff 0x14220c\n0x0 0x0 0x0\n0x4000000000 0x5fffffffff 0x14220c");
        assertThat(finding("bar1").reason()).isEqualTo("0000:02:00.0: BAR1 of 131072 MiB");
    }

    @Test
    void tellsLimitsAndModules() throws IOException {
        put("proc/self/limits", "Max locked memory         unlimited            unlimited            bytes");
        assertThat(finding("memlock").reason()).isEqualTo("unlimited");
        put("proc/self/limits", "Max locked memory         8388608    8388608    bytes");
        assertThat(finding("memlock").answer()).isEqualTo(Answer.NO);
        put("proc/self/status", "CapEff:\t000001ffffffffff");
        assertThat(finding("memlock").answer()).isEqualTo(Answer.YES);
        put("lib/modules/6.12.1/modules.dep", "kernel/drivers/uio/uio_pci_generic.ko.xz: kernel/drivers/uio/uio.ko.xz");
        assertThat(finding("uio").reason()).isEqualTo("uio_pci_generic can be loaded");
        assertThat(finding("ublk").remedy()).contains("this kernel has no module ublk_drv");
        put("lib/modules/6.12.1/modules.builtin", "kernel/drivers/block/ublk_drv.ko");
        assertThat(finding("ublk").remedy()).isEqualTo("modprobe ublk_drv");
    }

    @Test
    void saysWhatItCouldNotLookAt() throws IOException {
        put("proc/self/limits", "nonsense");
        DoctorReport report = report();
        assertThat(report.finding("memlock").answer()).isEqualTo(Answer.UNKNOWN);
        assertThat(report.complete()).isFalse();
    }

    @Test
    void looksAtThisMachine() {
        DoctorReport report = Doctor.examine(root);
        assertThat(report.finding("io_uring").answer()).isNotEqualTo(Answer.UNKNOWN);
        assertThat(report.findings()).extracting(Finding::id).doesNotHaveDuplicates();
        for (String id : new String[] {"cuda", "gpu", "dma-buf", "nvrtc", "cufile", "bar1"}) {
            assertThat(report.finding(id).answer()).as(id).isNotEqualTo(Answer.UNKNOWN);
        }
        assertThat(root).as("nothing is left").isDirectoryNotContaining("glob:**.aisio*");
    }
}
