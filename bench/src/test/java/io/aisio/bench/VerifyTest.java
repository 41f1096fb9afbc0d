package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.bench.VerifyReport.Kind;
import io.aisio.bench.VerifyReport.Mismatch;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class VerifyTest {
    /** Fixed, as what a tear looks like depends on the bytes beside it: one in 256 runs has a zero there. */
    private static final long RUN = 0x1d872b41L;

    private static VerifyOptions options(long ioBytes, long count, int depth, int queues, int generations) {
        return new VerifyOptions(List.of("emu:1GiB"), ioBytes, count, depth, queues, generations, 1, false);
    }

    private static VerifyReport.DeviceResult verify(TestDevice device) throws IOException {
        return verify(device, options(2048, 100, 16, 2, 2));
    }

    private static VerifyReport.DeviceResult verify(TestDevice device, VerifyOptions options) throws IOException {
        return verify(device, options, RUN);
    }

    private static VerifyReport.DeviceResult verify(TestDevice device, VerifyOptions options, long run)
            throws IOException {
        VerifyReport report = Verify.verify(options, name -> device, run);
        assertThat(device.openQueues).as("open queues").hasValue(0);
        assertThat(device.openBuffers).as("open buffers").hasValue(0);
        assertThat(device.closed).isTrue();
        VerifyReport.DeviceResult result = report.devices().getFirst();
        assertThat(report.ok()).isEqualTo(result.ok());
        return result;
    }

    private static VerifyReport.DeviceResult verify(TestDevice.Fault fault) throws IOException {
        TestDevice device = TestDevice.ofBlocks(400);
        device.fault = fault;
        return verify(device);
    }

    @Test
    void findsNothingOnADeviceThatKeepsWhatItIsGiven() throws IOException {
        TestDevice device = TestDevice.ofBlocks(400);
        VerifyReport.DeviceResult result = verify(device);
        assertThat(result.line()).isEqualTo(" emu:test  verified 100 IOs, 0 mismatches, 0 failed");
        assertThat(result.ok()).isTrue();
        assertThat(device.written()).hasSize(400);
    }

    @Test
    void worksAtEveryDepthAndCount() throws IOException {
        for (int depth : new int[] {1, 2, 31, 64}) {
            for (int count : new int[] {1, 2, 63, 64, 65}) {
                VerifyReport.DeviceResult result = verify(TestDevice.ofBlocks(65), options(512, count, depth, 3, 1));
                assertThat(result.ok()).isTrue();
                assertThat(result.verified()).isEqualTo(count);
            }
        }
    }

    @Test
    void namesAFlippedBit() throws IOException {
        VerifyReport.DeviceResult result = verify(new TestDevice.Fault() {
            @Override
            public byte[] onRead(long lba, byte[] block) {
                if (lba == 321) {
                    block[77] ^= 0x10;
                }
                return block;
            }
        });
        assertMismatch(result, 321, Kind.FLIPPED_BIT, "one bit flipped, byte 77: expected ");
    }

    @Test
    void namesABitFlippedInTheHeader() throws IOException {
        for (int at : new int[] {0, 8, 16, 24}) {
            VerifyReport.DeviceResult result = verify(new TestDevice.Fault() {
                @Override
                public byte[] onRead(long lba, byte[] block) {
                    if (lba == 5) {
                        block[at] ^= 1;
                    }
                    return block;
                }
            });
            assertMismatch(result, 5, Kind.FLIPPED_BIT, "one bit flipped, byte " + at + ": expected ");
        }
    }

    @Test
    void namesAWriteThatWasDropped() throws IOException {
        VerifyReport.DeviceResult result = verify(new TestDevice.Fault() {
            @Override
            public byte[] onWrite(long lba, int nth, byte[] block, byte[] before) {
                return lba == 17 && nth == 2 ? null : block;
            }
        });
        assertMismatch(result, 17, Kind.STALE, "stale: generation 1, so a later write was lost");
    }

    @Test
    void namesABlockThatWasNeverWritten() throws IOException {
        VerifyReport.DeviceResult result = verify(new TestDevice.Fault() {
            @Override
            public byte[] onWrite(long lba, int nth, byte[] block, byte[] before) {
                return lba == 17 ? null : block;
            }
        });
        assertMismatch(result, 17, Kind.ZEROS, "all zero, as if it was never written");
    }

    @Test
    void namesBothBlocksOfAWriteThatWentAstray() throws IOException {
        TestDevice device = TestDevice.ofBlocks(400);
        device.fault = new TestDevice.Fault() {
            @Override
            public long destination(long lba) {
                return lba == 100 ? 300 : lba;
            }

            @Override
            public byte[] onWrite(long lba, int nth, byte[] block, byte[] before) {
                // The stray one comes last, whatever the order of completion.
                return lba == 300 ? null : block;
            }
        };
        VerifyReport.DeviceResult result = verify(device);
        assertThat(result.mismatches()).isEqualTo(2);
        assertThat(result.shown())
                .containsExactlyInAnyOrder(
                        new Mismatch(300, 1, Kind.MISPLACED, "data of LBA 100, generation 1"),
                        new Mismatch(100, 1, Kind.ZEROS, "all zero, as if it was never written"));
    }

    @Test
    void namesAReadThatTransfersNothing() throws IOException {
        VerifyReport.DeviceResult result = verify(new TestDevice.Fault() {
            @Override
            public byte[] onRead(long lba, byte[] block) {
                return lba == 399 ? null : block;
            }
        });
        assertMismatch(result, 399, Kind.NOTHING_TRANSFERRED, "the read transferred nothing");
    }

    @Test
    void namesABlockTornBetweenGenerations() throws IOException {
        VerifyReport.DeviceResult result = verify(new TestDevice.Fault() {
            @Override
            public byte[] onWrite(long lba, int nth, byte[] block, byte[] before) {
                if (lba != 8 || nth != 2) {
                    return block;
                }
                byte[] torn = before.clone();
                System.arraycopy(block, 0, torn, 0, 128);
                return torn;
            }
        });
        assertMismatch(result, 8, Kind.TORN, "torn: bytes 128 to 511 of 512 are generation 1");
    }

    @Test
    void namesABlockWhoseStartIsOld() throws IOException {
        VerifyReport.DeviceResult result = verify(new TestDevice.Fault() {
            @Override
            public byte[] onWrite(long lba, int nth, byte[] block, byte[] before) {
                if (lba != 8 || nth != 2) {
                    return block;
                }
                byte[] torn = block.clone();
                System.arraycopy(before, 0, torn, 0, 64);
                return torn;
            }
        });
        assertMismatch(result, 8, Kind.TORN, "torn: bytes 0 to 63 of 512 are generation 1");
    }

    @Test
    void namesABlockThatWasTransferredInPart() throws IOException {
        VerifyReport.DeviceResult result = verify(new TestDevice.Fault() {
            @Override
            public byte[] onRead(long lba, byte[] block) {
                if (lba == 8) {
                    Arrays.fill(block, 256, 512, (byte) 0);
                }
                return block;
            }
        });
        assertMismatch(result, 8, Kind.TORN, "torn: bytes 256 to 511 of 512 are zero");
    }

    @Test
    void tellsDataOfAnEarlierRunFromItsOwn() throws IOException {
        TestDevice device = TestDevice.ofBlocks(400);
        assertThat(verify(device).ok()).isTrue();
        device.closed = false;
        device.fault = new TestDevice.Fault() {
            @Override
            public byte[] onWrite(long lba, int nth, byte[] block, byte[] before) {
                return lba == 3 ? null : block;
            }
        };
        VerifyReport.DeviceResult second = verify(device, options(2048, 100, 16, 2, 2), RUN + 1);
        assertMismatch(second, 3, Kind.OTHER_RUN, "data of an earlier run, for LBA 3");
    }

    @Test
    void saysWhatDiffersWhenItLooksLikeNothingKnown() throws IOException {
        VerifyReport.DeviceResult result = verify(new TestDevice.Fault() {
            @Override
            public byte[] onRead(long lba, byte[] block) {
                if (lba == 200) {
                    block[500] ^= 0x7f;
                    block[501] ^= 0x7f;
                }
                return block;
            }
        });
        assertMismatch(result, 200, Kind.DIFFERENT, "byte 500: expected ");
        assertThat(result.shown().getFirst().seen()).endsWith("(2 of 512 bytes differ)");
    }

    @Test
    void countsFailedIosAndDoesNotCallThemVerified() throws IOException {
        TestDevice device = TestDevice.ofBlocks(400);
        device.fails = lba -> lba == 40;
        VerifyReport.DeviceResult result = verify(device);
        assertThat(result.ok()).isFalse();
        assertThat(result.verified()).isEqualTo(99);
        assertThat(result.mismatches()).isZero();
        assertThat(result.failed()).isEqualTo(2);
        assertThat(result.failures()).contains("emu:test: Write of LBA 40: Unrecovered Error");
    }

    @Test
    void namesTheFirstMismatchesAndCountsAll() throws IOException {
        TestDevice device = TestDevice.ofNullMedia(400);
        VerifyReport.DeviceResult result = verify(device);
        assertThat(result.mismatches()).isEqualTo(100);
        assertThat(result.shown()).hasSize(10).allMatch(mismatch -> mismatch.kind() == Kind.NOTHING_TRANSFERRED);
        assertThat(result.shown().getFirst().line())
                .startsWith("  MISMATCH at lba=")
                .contains("(generation 1): ");
    }

    @Test
    void refusesMoreThanTheDeviceHolds() {
        assertThatThrownBy(() -> verify(TestDevice.ofBlocks(400), options(2048, 101, 16, 1, 1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "emu:test: --count 101 of 2048 bytes is beyond its end at 200 KiB; use --count 100 or less");
    }

    @Test
    void refusesOptionsThatMakeNoSense() {
        assertThatThrownBy(() -> options(512, 0, 1, 1, 1)).hasMessageStartingWith("--count 0: ");
        assertThatThrownBy(() -> options(512, 1, 0, 1, 1)).hasMessageStartingWith("--qdepth 0: ");
        assertThatThrownBy(() -> options(512, 1, 1, 1, 0)).hasMessageStartingWith("--generations 0: ");
    }

    @Test
    void givesUpWhenAQueueTakesNoMore() {
        TestDevice device = TestDevice.ofBlocks(400);
        device.submissionsUntilDeath = 3;
        assertThatThrownBy(() -> verify(device)).isInstanceOf(IOException.class).hasMessage("controller gone");
        assertThat(device.openQueues).hasValue(0);
        assertThat(device.openBuffers).hasValue(0);
    }

    @Test
    void endsEarlyWhenInterrupted() {
        TestDevice device = TestDevice.ofBlocks(400);
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> verify(device))
                .isInstanceOf(IOException.class)
                .hasMessage("emu:test: interrupted while it was verified");
        assertThat(device.openBuffers).hasValue(0);
    }

    private static void assertMismatch(VerifyReport.DeviceResult result, long lba, Kind kind, String seen) {
        assertThat(result.ok()).isFalse();
        assertThat(result.mismatches()).isEqualTo(1);
        assertThat(result.shown()).singleElement().satisfies(mismatch -> {
            assertThat(mismatch.lba()).isEqualTo(lba);
            assertThat(mismatch.kind()).isEqualTo(kind);
            assertThat(mismatch.seen()).startsWith(seen);
        });
    }
}
