package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.aisio.rig.Machine.BoundFunction;
import io.aisio.upcie.Access;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The driver where no IOMMU is between controller and memory: UIO, and VFIO that was told to do without. */
final class PhysicalCases {
    private static final Path HUGE_PAGES = Path.of("/proc/sys/vm/nr_hugepages");

    private PhysicalCases() {}

    static void exchangesDataWithTheHostByUio() throws IOException {
        Driven.exchangesDataWithTheHost(Access.UIO);
    }

    static void exchangesDataWithTheHostWithoutAnIommu() throws IOException {
        Driven.exchangesDataWithTheHost(Access.NOIOMMU);
    }

    static void readsWhatItWritesByUio() throws IOException {
        Driven.readsWhatItWrites(Access.UIO, "", 21, 3);
    }

    static void readsWhatItWritesWithoutAnIommu() throws IOException {
        Driven.readsWhatItWrites(Access.NOIOMMU, "", 22, 3);
    }

    static void lendsQueuePairsThatFilesAloneDriveByUio() throws IOException {
        Leased.movesDataByFilesAlone(Access.UIO);
    }

    static void opensAndClosesTwentyTimesByUio() throws IOException {
        Driven.opensAndCloses(Access.UIO, 20);
    }

    static void survivesAKilledProcessByUio() throws IOException, InterruptedException {
        Driven.survivesAKilledProcess(Access.UIO);
    }

    static void survivesAKilledProcessWithoutAnIommu() throws IOException, InterruptedException {
        Driven.survivesAKilledProcess(Access.NOIOMMU);
    }

    static void movesDataOfAnotherDevicesMemoryByUio() throws IOException {
        PeerToPeer.movesData(Access.UIO, BarExport.Kind.DYNAMIC, false);
    }

    static void movesDataOfAnotherDevicesMemoryWithoutAnIommu() throws IOException {
        PeerToPeer.movesData(Access.NOIOMMU, BarExport.Kind.SCATTERED, false);
    }

    static void tellsASecondProcessWhoHasTheController() throws IOException, InterruptedException {
        Driven.tellsASecondProcessWhoHasTheController(Access.UIO);
    }

    static void explainsThatThereAreNoHugePages() {
        String before = Machine.read(HUGE_PAGES);
        Machine.write(HUGE_PAGES, "0");
        try (BoundFunction function = Driven.bound(Access.UIO)) {
            assertThat(catchThrowable(() -> Device.open(Driven.name(Access.UIO, 1))))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(function.address() + ": no free huge pages of 2MiB")
                    .hasMessageContaining("next: as root, ./aisio hugepages setup --size 2MiB --count 64");
        } finally {
            Machine.write(HUGE_PAGES, before);
        }
    }

    static void wantsToBeToldThatNoIommuIsUnsafe() {
        try (BoundFunction function = Driven.bound(Access.NOIOMMU)) {
            assertThat(catchThrowable(() -> Device.open(function.address())))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(function.address() + "?unsafe");
        }
    }

    /** Last by its name, because it does not come back. UIO asks nobody: the registers are gone from one read to the next. */
    static void zAControllerThatIsPulledInMidIoFailsPromptlyByUio() throws Exception {
        Driven.driverFor(Access.UIO);
        Machine.bind(Driven.CONTROLLER, "uio_pci_generic");
        try (Device device = Device.open(Driven.name(Access.UIO, 1));
                Queue queue = device.openQueue(8);
                Buffer buffer = device.allocate(4096)) {
            queue.bindRead(0, buffer, 0, 512);
            queue.submit(new int[] {0}, new long[1], 1);
            assertThat(queue.await(new int[8])).isEqualTo(1);
            Machine.pull("nvme0");
            IOException failure = VfioCases.failureOf(queue);
            assertThat(failure.getMessage() + failure.getCause()).contains("gone");
        }
        Machine.await(Driven.CONTROLLER + " is gone", () -> Files.notExists(Machine.function(Driven.CONTROLLER)));
    }
}
