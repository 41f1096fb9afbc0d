package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.linux.Mapping;
import io.aisio.nvme.Guard;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.time.Duration;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever a driver writes, the controller goes on: no exception out of a step, and a reset brings it back. */
class HostileTest {
    private static final int ROUNDS = 4000;

    @Test
    void metadataIsNotPutIntoMemoryThatMayOnlyBeRead() throws Exception {
        var configuration = EmuConfiguration.memory(1 << 20)
                .withMetadata(new EmuConfiguration.Metadata(8, false, 0, false, Guard.CRC16));
        try (Host host = Host.ready(configuration)) {
            long address = 0x1000_0000;
            Mapping constant = Mapping.anonymous(4096);
            assertThat(host.controller.space().map(constant, constant.segment().asReadOnly(), address))
                    .isNotNull();
            Host.Ring ring = host.createQueue(1, 8);
            ring.put(Host.Entry.of(Opcode.READ, 1).blocks(0, 1).prps(host.data.iova(0), 0), 7);
            Wire.i64(ring.sq.segment(), Sqe.MPTR, address);
            ring.ring();
            host.await(ring::ready);
            assertThat(ring.take().status().code()).isEqualTo(Status.DATA_TRANSFER_ERROR);
            ring.put(Host.Entry.of(Opcode.WRITE, 1).blocks(0, 1).prps(host.data.iova(0), 0), 7);
            Wire.i64(ring.sq.segment(), Sqe.BYTES + Sqe.MPTR, address);
            ring.ring();
            host.await(ring::ready);
            assertThat(ring.take().status().isSuccess()).as("a write reads it").isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7})
    void survivesAnythingThatIsWritten(long seed) throws Exception {
        EmuConfiguration configuration =
                EmuConfiguration.memory(1 << 20).withQueuePairs(4).withMdts(4);
        if (seed == 4) {
            configuration = configuration.withLatency(Duration.ofNanos(1000));
        } else if (seed == 5) {
            configuration = configuration.withZones(new EmuConfiguration.Zones(64 << 10, 48 << 10, 3, 5));
        } else if (seed == 6) {
            configuration = configuration.withPlacement(new EmuConfiguration.Placement(4, 64 << 10));
        } else if (seed == 7) {
            configuration = configuration.withMetadata(new EmuConfiguration.Metadata(16, true, 1, false, Guard.CRC64));
        }
        SplittableRandom random = new SplittableRandom(seed);
        try (Host host = Host.ready(configuration)) {
            Host.Ring io = host.createQueue(1, 16);
            for (int round = 0; round < ROUNDS; round++) {
                Host.Ring ring = random.nextInt(3) == 0 ? host.admin : io;
                int n = 1 + random.nextInt(8);
                for (int i = 0; i < n; i++) {
                    nonsense(host, ring, random);
                }
                switch (random.nextInt(8)) {
                    case 0 ->
                        host.bar.write32(
                                Registers.DOORBELLS + 4L * random.nextInt((int) (host.bar.size() - 0x1000) / 4),
                                random.nextBoolean() ? random.nextInt() : random.nextInt(20));
                    case 1 -> host.bar.write32(4L * random.nextInt((int) host.bar.size() / 4), random.nextInt());
                    default -> {
                        ring.ring();
                        host.bar.write32(Registers.cqHeadDoorbell(ring.id, host.stride), random.nextInt(16));
                    }
                }
                for (int i = 0; i < 3; i++) {
                    host.controller.step();
                }
                if (round % 50 == 49) {
                    host.settle();
                    host.bar.write32(Registers.CC, 0);
                    host.settle();
                    assertThat(host.csts()).isZero();
                    host.enable();
                    io = host.createQueue(1, 16);
                    // It may have been formatted with metadata, for which this gives no memory, or be sanitized.
                    assertThat(io.status(host.io(Opcode.READ, 0, 1)))
                            .isIn(
                                    Status.SUCCESS,
                                    Status.DATA_TRANSFER_ERROR,
                                    Status.UNRECOVERED_READ_ERROR,
                                    Status.SANITIZE_IN_PROGRESS);
                }
            }
        }
    }

    /** Random bits, some of them made plausible, so that they get past the first checks. */
    private static void nonsense(Host host, Host.Ring ring, SplittableRandom random) {
        long at = (long) ring.tail * Sqe.BYTES;
        for (int word = 0; word < Command.WORDS; word++) {
            Wire.i64(ring.sq.segment(), at + word * 8L, random.nextLong());
        }
        if (random.nextBoolean()) {
            int[] opcodes = {0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 0x12, 0x14, 0x19, 0x1A, 0x1D, 0x79, 0x7A, 0x7D, 0x80, 0x84
            };
            Wire.u16(ring.sq.segment(), at, opcodes[random.nextInt(opcodes.length)]);
            Wire.i32(ring.sq.segment(), at + 4, random.nextInt(3));
        }
        if (random.nextBoolean()) {
            Wire.i64(ring.sq.segment(), at + Sqe.MPTR, host.data.iova(random.nextInt(1 << 20) & -4));
        }
        if (random.nextBoolean()) {
            Wire.i64(ring.sq.segment(), at + Sqe.PRP1, host.data.iova(random.nextInt(1 << 20) & -4));
            Wire.i64(ring.sq.segment(), at + Sqe.PRP2, host.data.iova(random.nextInt(1 << 20) & -8));
        }
        if (random.nextBoolean()) {
            Wire.i64(ring.sq.segment(), at + Sqe.CDW10, random.nextInt(4096));
            Wire.i64(ring.sq.segment(), at + Sqe.CDW12, random.nextInt(256));
        }
        ring.tail = (ring.tail + 1) % ring.sqEntries;
    }
}
