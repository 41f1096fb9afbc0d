package io.aisio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/** The bytes of what the kernel is told and tells, and what of an io_uring they need; a kernel with ublk is in the rig. */
class UblkTest {
    private static String hex(MemorySegment segment) {
        return HexFormat.of().formatHex(segment.toArray(ValueLayout.JAVA_BYTE));
    }

    @Test
    void aControlCommandNamesItsDeviceAndItsBuffer() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment command = arena.allocate(Ublk.CTRL_BYTES, 8);
            MemorySegment buffer = MemorySegment.ofAddress(0x1122_3344_5566L).reinterpret(64);

            Ublk.putControl(command, 3, buffer, 4711);

            assertThat(hex(command))
                    .isEqualTo("03000000" + "ffff" + "4000" + "6655443322110000" + "6712000000000000" + "00".repeat(8));
            Ublk.putControl(command, UblkInfo.ANY, MemorySegment.NULL, 0);
            assertThat(hex(command)).startsWith("ffffffff" + "ffff" + "0000" + "00".repeat(16));
        }
    }

    @Test
    void anIoCommandNamesQueueTagAndMemory() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment command = arena.allocate(Ublk.IO_BYTES, 8);

            Ublk.putIo(command, 2, 63, 0x7F00_0000_1000L);

            assertThat(hex(command)).isEqualTo("0200" + "3f00" + "00000000" + "0010000000" + "7f0000");
        }
    }

    @Test
    void whatADeviceIsIsReadAsItWasWritten() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(Ublk.INFO_BYTES, 8);
            UblkInfo written =
                    new UblkInfo(5, 4, 128, UblkInfo.DEAD, 1 << 17, 0, UblkInfo.USER_RECOVERY, 0xA150_0000_0000_0001L);

            written.write(info);

            assertThat(hex(info))
                    .isEqualTo("0400" + "8000" + "0000" + "0000" + "00000200" + "05000000" + "00".repeat(8)
                            + "0800000000000000" + "01000000000050a1" + "00".repeat(24));
            assertThat(UblkInfo.read(info)).isEqualTo(written);
            assertThat(written.has(UblkInfo.USER_RECOVERY)).isTrue();
            assertThat(written.has(UblkInfo.USER_RECOVERY | UblkInfo.USER_RECOVERY_REISSUE))
                    .isFalse();
            assertThat(written.stateName()).isEqualTo("dead");
        }
    }

    @Test
    void whatADeviceLooksLikeIsReadAsItWasWritten() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment params = arena.allocate(Ublk.PARAMS_BYTES, 8);
            UblkParameters written = new UblkParameters(
                    UblkParameters.VOLATILE_CACHE | UblkParameters.FUA, 4096, 256, 1L << 33, 1 << 22, 1 << 11);

            written.write(params);

            assertThat(hex(params))
                    .isEqualTo("40000000" + "03000000" + "0c000000" + "0c0c0c0c" + "00010000" + "00000000"
                            + "0000000002000000" + "00".repeat(8) + "00100000" + "00100000" + "00004000" + "00080000"
                            + "0100" + "00".repeat(6));
            assertThat(UblkParameters.read(params)).isEqualTo(written);
            UblkParameters plain = new UblkParameters(0, 512, 8, 1024, 0, 0);
            plain.write(params);
            assertThat(params.get(ValueLayout.JAVA_INT, Ublk.PARAMS_TYPES)).isEqualTo(Ublk.TYPE_BASIC);
            assertThat(UblkParameters.read(params)).isEqualTo(plain);
        }
    }

    @Test
    void blocksThatTheKernelDoesNotHaveAreRefused() {
        for (int bytes : new int[] {0, 256, 520, 8192}) {
            assertThatThrownBy(() -> new UblkParameters(0, bytes, 8, 8, 0, 0))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("blocks of " + bytes + " bytes");
        }
    }

    @Test
    void eachQueueHasItsDescriptorsAtItsOwnPlace() {
        assertThat(Ublk.descriptorsAt(0)).isZero();
        assertThat(Ublk.descriptorsAt(3)).isEqualTo(3 * 0x18000);
        assertThat(Ublk.descriptorBytes(1)).isEqualTo(4096);
        assertThat(Ublk.descriptorBytes(171)).isEqualTo(8192);
    }

    @Test
    void aKernelWithoutItSaysSo() {
        assumeFalse(UblkControl.isThere(), "needs a kernel without ublk");
        assertThatThrownBy(UblkControl::open)
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOENT));
    }

    @Test
    void aWaitEndsWithAnEventOrWithItsLimit() throws LinuxException {
        try (OpenFile file = OpenFile.open(Path.of("/dev/zero"), OpenFile.Access.READ_WRITE);
                EventFd event = new EventFd();
                IoUring ring = IoUring.open(file, new IoUring.Options(2, true, false, false, false))) {
            ring.bindPoll(1, event);
            ring.start(1, 0);

            long began = System.nanoTime();
            assertThat(ring.awaitFor(20_000_000)).isFalse();
            assertThat(System.nanoTime() - began).isGreaterThanOrEqualTo(20_000_000);
            event.signal();
            assertThat(ring.awaitFor(30_000_000_000L)).isTrue();
            assertThat(ring.next()).isTrue();
            assertThat(ring.slot()).isEqualTo(1);
            assertThat(ring.result()).isEqualTo(Libc.POLLIN);
            assertThat(event.await(Duration.ZERO))
                    .as("the count is left as it is")
                    .isTrue();
        } catch (LinuxException e) {
            if (e.call().equals("io_uring_setup")) {
                org.junit.jupiter.api.Assumptions.abort("needs io_uring: " + IoUring.refusal(e.errno()));
            }
            throw e;
        }
    }

    @Test
    void aRingWithSomethingInFlightCanBeAbandoned() throws LinuxException {
        try (OpenFile file = OpenFile.open(Path.of("/dev/zero"), OpenFile.Access.READ_WRITE);
                EventFd event = new EventFd()) {
            IoUring ring;
            try {
                ring = IoUring.open(file, new IoUring.Options(1, true, false, false, false));
            } catch (LinuxException e) {
                ring = org.junit.jupiter.api.Assumptions.abort("needs io_uring: " + IoUring.refusal(e.errno()));
            }
            ring.bindPoll(0, event);
            ring.start(0, 0);
            ring.submit();

            ring.abandon();

            ring.close();
        }
    }
}
