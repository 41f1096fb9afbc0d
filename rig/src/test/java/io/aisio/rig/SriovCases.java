package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.aisio.homi.daemon.Configuration;
import io.aisio.homi.daemon.Daemon;
import io.aisio.homi.daemon.FunctionLeases;
import io.aisio.homi.daemon.Quota;
import io.aisio.linux.Mapping;
import io.aisio.nvme.KernelPassthrough;
import io.aisio.nvme.Virtualization;
import io.aisio.rig.Machine.BoundFunction;
import io.aisio.upcie.LentFunction;
import io.aisio.upcie.PciAddress;
import io.aisio.upcie.PciBus;
import io.aisio.upcie.PciFunction;
import io.aisio.upcie.VirtualFunctions;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Virtual functions (VFs) of a controller, and the secondary controllers in them (NVMe Base 2.0, section 8.26). */
final class SriovCases {
    static final String PHYSICAL = "0000:01:00.0";
    private static final int VIRTUAL = 4;

    private SriovCases() {}

    static void virtualFunctionsAppearInGroupsOfTheirOwn() throws IOException {
        try (Functions functions = new Functions()) {
            Machine.load("vfio-pci");
            Set<Integer> groups = new HashSet<>();
            for (int number = 1; number <= VIRTUAL; number++) {
                try (BoundFunction function =
                        Machine.bind(functions.address(number).toString(), "vfio-pci")) {
                    groups.add(function.iommuGroup());
                }
            }
            assertThat(groups).hasSize(VIRTUAL).doesNotContain(-1);
        }
    }

    static void aVirtualFunctionWithResourcesIsASecondPathForTheKernel() throws IOException {
        Machine.awaitNamespacesAt(PHYSICAL, 2);
        try (Functions functions = new Functions()) {
            PciAddress virtual = functions.bringOnline(1);
            try (BoundFunction function = Machine.bind(virtual.toString(), "nvme")) {
                Machine.await(
                        "the second controller is live",
                        () -> Machine.list(Machine.function(function.address()).resolve("nvme")).stream()
                                .anyMatch(controller -> Machine.read(controller.resolve("state"))
                                        .equals("live")));
            }
        }
        assertThat(Machine.namespacesAt(PHYSICAL)).hasSize(2);
    }

    /**
     * From Java: virtual functions are made, resources assigned through the kernel's driver, one taken online and driven by
     * us, while the kernel keeps the physical function and a file system on it that is being written to.
     */
    static void aVirtualFunctionIsDrivenBesideTheKernelsFileSystem() throws Exception {
        Path mount = Path.of("/mnt");
        String block = "/dev/"
                + Machine.awaitNamespacesAt(PHYSICAL, 2).getFirst().block().getFileName();
        Machine.load("xfs", "vfio-pci", "vfio_iommu_type1", "iommufd");
        Machine.run("mkfs.xfs", "-q", "-f", "--unsupported", block);
        Machine.run("mount", block, mount.toString());
        try (Functions functions = new Functions();
                FilesWriter writer = new FilesWriter(mount)) {
            PciAddress virtual = functions.bringOnline(1);
            try (BoundFunction function = Machine.bind(virtual.toString(), "vfio-pci");
                    Device device = Device.open(function.address() + "?nsid=2&interrupts")) {
                Driven.mix(device, 31, 2);
            }
            Map<String, byte[]> written = writer.stop();
            assertThat(written).hasSizeGreaterThan(2);
            Machine.run("fsfreeze", "--freeze", mount.toString());
            try (BoundFunction function = Machine.bind(virtual.toString(), "vfio-pci");
                    Device device = Device.open(function.address() + "?nsid=1")) {
                VfioCases.requireSame(VfioCases.contents(device, List.copyOf(written.keySet()), true), written);
            } finally {
                Machine.run("fsfreeze", "--unfreeze", mount.toString());
            }
            Files.writeString(mount.resolve("after"), "the kernel goes on");
        } finally {
            Machine.run("umount", mount.toString());
        }
        Machine.run("wipefs", "-q", "-a", block);
    }

    /**
     * The kernel has a file system of the physical function mounted, and somebody writes to it; a process reads the same files
     * through a virtual function that it leases, by the extents that the daemon tells.
     */
    static void aProcessReadsTheKernelsFilesThroughAVirtualFunction() throws Exception {
        Path mount = Files.createTempDirectory("shared");
        String block = "/dev/"
                + Machine.awaitNamespacesAt(PHYSICAL, 2).getFirst().block().getFileName();
        Machine.load("xfs", "vfio-pci", "vfio_iommu_type1", "iommufd");
        Machine.run("mkfs.xfs", "-q", "-f", "--unsupported", block);
        Machine.run("mount", block, mount.toString());
        try (Homid homid = Homid.start(
                List.of(),
                List.of(),
                List.of(new Configuration.FileSystem(mount.toString(), "card", 1)),
                List.of(new FunctionLeases.Offer("card", PciAddress.parse(PHYSICAL), 2, 4, 2)))) {
            SharedFiles.writeAndReadAtOnce(
                    homid,
                    mount,
                    "homi:card/1?function&socket=" + homid.socket(),
                    (reader, bytes) -> assertThat(homid.status().clients())
                            .as("one for the extents, one for the function, both the reader's")
                            .hasSize(2)
                            .allMatch(client -> client.owner().pid() == reader.pid()));
        } finally {
            Machine.run("umount", mount.toString());
        }
        Machine.run("wipefs", "-q", "-a", block);
        assertThat(new PciBus().device(PciAddress.parse(PHYSICAL)).numVfs())
                .as("virtual functions once the daemon has ended")
                .isZero();
    }

    /**
     * Two virtual functions are lent by descriptors, as a daemon does: each reaches its own user's memory at addresses that are
     * the other's too, and one that is taken offline leaves the other alone.
     */
    static void lendsVirtualFunctionsByTheirDescriptors() throws Exception {
        Machine.load("vfio-pci", "vfio_iommu_type1", "iommufd");
        try (Functions functions = new Functions()) {
            PciAddress first = functions.bringOnline(1);
            PciAddress second = functions.bringOnline(2);
            try (BoundFunction one = Machine.bind(first.toString(), "vfio-pci");
                    BoundFunction two = Machine.bind(second.toString(), "vfio-pci");
                    LentFunction lentFirst = LentFunction.open(first);
                    LentFunction lentSecond = LentFunction.open(second)) {
                assertThat(one.iommuGroup()).isNotEqualTo(two.iommuGroup());
                assertThat(catchThrowable(() -> LentFunction.open(first))).hasMessageContaining("in use by");
                try (NvmeDevice other = NvmeDevice.open(passed(lentSecond), 2, "vf:2", "lent")) {
                    try (NvmeDevice device = NvmeDevice.open(passed(lentFirst), 2, "vf:1", "lent");
                            Buffer mine = device.allocate(4096);
                            Buffer theirs = other.allocate(4096)) {
                        assertThat(mine.memory().iova(0))
                                .as("the same address, in two address spaces")
                                .isEqualTo(theirs.memory().iova(0));
                        mine.segment().fill((byte) 0x11);
                        theirs.segment().fill((byte) 0x22);
                        device.write(0, mine);
                        other.write(8, theirs);
                        other.read(0, theirs);
                        assertThat(theirs.segment().get(ValueLayout.JAVA_BYTE, 4095))
                                .isEqualTo((byte) 0x11);
                        assertThat(mine.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0x11);
                        device.read(8, mine);
                        assertThat(mine.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0x22);
                        assertThat(theirs.segment().get(ValueLayout.JAVA_BYTE, 0))
                                .isEqualTo((byte) 0x11);
                    }
                    lentFirst.close();
                    roundTrip(other, 33);
                }
                // Taken back, and lent to the next.
                try (LentFunction again = LentFunction.open(first);
                        NvmeDevice device = NvmeDevice.open(passed(again), 2, "vf:1", "lent");
                        Buffer buffer = device.allocate(4096)) {
                    device.read(8, buffer);
                    assertThat(again.name()).isEqualTo(first.toString());
                }
            }
        }
    }

    /** By the daemon: there are as many as it makes, and that of a client that is killed is the next one's. */
    static void lendsVirtualFunctionsThroughTheDaemon() throws Exception {
        Machine.load("vfio-pci", "vfio_iommu_type1", "iommufd");
        Machine.awaitNamespacesAt(PHYSICAL, 2);
        Path socket = Files.createTempDirectory("homi").resolve("homi.sock");
        Configuration configuration = new Configuration(
                socket,
                null,
                8,
                Configuration.Timeouts.DEFAULT,
                Quota.CLIENT,
                Quota.USER,
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                null,
                List.of(new FunctionLeases.Offer("vf", PciAddress.parse(PHYSICAL), 2, 4, 2)));
        try (Daemon daemon = Daemon.open(configuration)) {
            Thread server = Thread.ofPlatform().daemon().start(daemon::serve);
            String name = "homi:vf/2?function&socket=" + socket;
            try (Device device = Device.open(name)) {
                assertThat(device.path()).startsWith("virtual function 0000:01:00.1 leased from homid");
                roundTrip(device, 41);
                Process process = Machine.startJava(Driven.Busy.class, name);
                try (BufferedReader said = process.inputReader()) {
                    assertThat(said.readLine()).isEqualTo("busy");
                    assertThat(catchThrowable(() -> Device.open(name)))
                            .hasMessageContaining("all 2 virtual functions of vf are leased");
                } finally {
                    process.destroyForcibly();
                    process.waitFor();
                }
                Machine.await("the killed client's function is free", () -> {
                    try (Device next = Device.open(name)) {
                        roundTrip(next, 42);
                        return true;
                    } catch (IOException e) {
                        assertThat(e).hasMessageContaining("are leased");
                        return false;
                    }
                });
                roundTrip(device, 43);
            }
            assertThat(server.isAlive()).isTrue();
        }
        assertThat(new PciBus().device(PciAddress.parse(PHYSICAL)).numVfs())
                .as("virtual functions once the daemon has ended")
                .isZero();
    }

    /** A page is written, and read back. */
    static void roundTrip(Device device, int seed) throws IOException {
        try (Buffer buffer = device.allocate(4096)) {
            buffer.segment().fill((byte) seed);
            device.write(16, buffer);
            buffer.segment().fill((byte) 0);
            device.read(16, buffer);
            assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, 4095)).isEqualTo((byte) seed);
        }
    }

    static PciFunction passed(LentFunction lent) throws IOException {
        return PciFunction.passed(
                lent.name(),
                lent.device().another(),
                lent.space().another(),
                lent.spaceId(),
                Mapping.HUGE_PAGE_SIZE,
                () -> {});
    }

    static void moreVirtualFunctionsThanThereAreAreRefused() {
        VirtualFunctions functions = new VirtualFunctions(new PciBus(), PciAddress.parse(PHYSICAL));
        assertThat(catchThrowable(() -> functions.enable(5)))
                .hasMessageContaining("0000:01:00.0: 5 virtual functions; 1 to 4 are possible");
    }

    /** All virtual functions, until closed, without a driver. */
    static final class Functions implements AutoCloseable {
        private final VirtualFunctions functions = new VirtualFunctions(new PciBus(), PciAddress.parse(PHYSICAL));
        private final List<PciAddress> addresses = functions.enable(VIRTUAL);

        Functions() throws IOException {}

        PciAddress bringOnline(int number) throws IOException {
            String kernels = Machine.list(Machine.function(PHYSICAL).resolve("nvme"))
                    .getFirst()
                    .getFileName()
                    .toString();
            try (KernelPassthrough admin = KernelPassthrough.open(Path.of("/dev/" + kernels))) {
                Virtualization virtualization = new Virtualization(PHYSICAL, admin);
                int controller = virtualization.secondaries().stream()
                        .filter(secondary -> secondary.virtualFunction() == number)
                        .findFirst()
                        .orElseThrow()
                        .controllerId();
                assertThat(virtualization.assign(controller, Virtualization.Resource.QUEUES, 4))
                        .isEqualTo(4);
                assertThat(virtualization.assign(controller, Virtualization.Resource.INTERRUPTS, 2))
                        .isEqualTo(2);
                virtualization.online(controller);
                assertThat(virtualization.secondaries())
                        .anyMatch(secondary -> secondary.controllerId() == controller && secondary.online());
            }
            return address(number);
        }

        PciAddress address(int number) {
            return addresses.get(number - 1);
        }

        @Override
        public void close() throws IOException {
            functions.disable();
        }
    }
}
