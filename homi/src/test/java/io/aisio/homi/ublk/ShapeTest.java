package io.aisio.homi.ublk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.aisio.homi.daemon.Events;
import io.aisio.homi.daemon.Export;
import io.aisio.homi.daemon.Metered;
import io.aisio.linux.Errno;
import io.aisio.linux.UblkControl;
import io.aisio.linux.UblkParameters;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.spec.Status;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What of an export needs no kernel with ublk; the rest is in the rig. */
class ShapeTest {
    private static Export.Request request(int queues, int depth) {
        return new Export.Request("x", "d", 1, "ublk", queues, depth, false, -1);
    }

    @Test
    void aNamespaceBecomesABlockDeviceOfItsSize() throws IOException {
        try (Device device = Device.open("emu:64MiB?lba=4096")) {
            Shape shape = Shape.of((NvmeDevice) device, 1, false);

            UblkParameters parameters = shape.parameters();

            assertThat(parameters.blockBytes()).isEqualTo(4096);
            assertThat(parameters.sectors()).isEqualTo((64 << 20) / 512);
            assertThat(parameters.maxSectors()).isEqualTo(256);
            assertThat(parameters.attributes() & UblkParameters.READ_ONLY).isZero();
            assertThat(Shape.isOurs(shape.mark())).isTrue();
            assertThat(Shape.isOurs(0)).isFalse();
            assertThat(Shape.of((NvmeDevice) device, 1, false).mark()).isEqualTo(shape.mark());
        }
    }

    @Test
    void whatIsExportedToBeReadTakesNoWrites() throws IOException {
        try (Device device = Device.open("emu:64MiB")) {
            UblkParameters parameters = Shape.of((NvmeDevice) device, 1, true).parameters();

            assertThat(parameters.attributes() & UblkParameters.READ_ONLY).isEqualTo(UblkParameters.READ_ONLY);
            assertThat(parameters.maxDiscardSectors()).isZero();
            assertThat(parameters.maxZeroesSectors()).isZero();
        }
    }

    @Test
    void requestsThatMakeNoSenseAreRefusedWithTheNextStep() throws IOException {
        UblkExports exports = new UblkExports();
        Events events = new Events();
        try (Device device = Device.open("emu:64MiB")) {
            NvmeDevice nvme = (NvmeDevice) device;
            assertThatThrownBy(() -> exports.start(request(0, 8), nvme, events))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("0 queues; next: 1 to");
            assertThatThrownBy(() -> exports.start(request(1, 100_000), nvme, events))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("100000 commands in flight");
        }
    }

    @Test
    void aKernelWithoutUblkIsNamedWithTheNextStep() throws IOException {
        assumeFalse(UblkControl.isThere(), "needs a kernel without ublk");
        UblkExports exports = new UblkExports();
        try (Device device = Device.open("emu:64MiB")) {
            assertThatThrownBy(() -> exports.start(request(1, 8), (NvmeDevice) device, new Events()))
                    .isInstanceOf(UnsupportedOperationException.class)
                    .hasMessageContaining("modprobe ublk_drv");
        }
        assertThat(UblkExports.list()).isEmpty();
        exports.clean();
    }

    @ParameterizedTest
    @CsvSource({
        "0x81,28",
        "0x80,121",
        "0x01,95",
        "0x281,61",
        "0x280,61",
        "0x282,84",
        "0x371,67",
        "0x06,5",
        "0x20,5",
    })
    void aStatusIsTheErrnoThatTheKernelsOwnDriverMakesOfIt(String status, int errno) {
        assertThat(KernelError.of(new NvmeException("a command", new Status(Integer.decode(status)))))
                .isEqualTo(errno);
        assertThat(KernelError.of(new NvmeException("the controller is gone"))).isEqualTo(Errno.EIO);
    }

    @Test
    void whatQueuesAnswerIsCountedTogether() {
        Counts one = new Counts();
        Counts other = new Counts();
        one.read(4096, 10);
        one.wrote(512, 20);
        other.flushed(30);
        other.failed();

        Metered.Counters all = one.plus(other.plus(new Metered.Counters(false, 0, 0, 0, 0, 0, 0, 0)));

        assertThat(all).isEqualTo(new Metered.Counters(false, 1, 1, 1, 1, 4096, 512, 60));
    }
}
