package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.nvme.Command;
import io.aisio.nvme.LentQueuePair;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueueEpoch;
import io.aisio.nvme.QueueHost;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Opcode;
import io.aisio.rig.Machine.BoundFunction;
import io.aisio.upcie.Access;
import io.aisio.upcie.DmaDomain;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.DoorbellPages;
import io.aisio.upcie.SharedMemory;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** A queue pair that is driven by its files alone, as a process does that has no more of the device. */
final class Leased {
    private static final int DEPTH = 8;
    private static final int BYTES = 64 << 10;
    private static final long GIVE_UP_NANOS = 60_000_000_000L;

    private Leased() {}

    /** Data of two users' memory, one's allocated for him, the other's his own file; and a reset in between. */
    static void movesDataByFilesAlone(Access access) throws IOException {
        byte[] content = new byte[BYTES];
        new Random(23).nextBytes(content);
        try (BoundFunction function = Driven.bound(access);
                NvmeDevice device = (NvmeDevice) Device.open(Driven.name(access, 1));
                DmaDomain domain = device.openDomain(false, 1);
                DmaDomain other = device.openDomain(false, 1);
                OpenFile own = userFile(access)) {
            assertThat(domain.isProtected()).as(function.address()).isFalse();
            SharedMemory allocated = domain.allocate(BYTES);
            SharedMemory given = other.map(own, own.size());
            Lease first = new Lease(device, domain.allocate(QueuePair.bytesOfRings(DEPTH)));
            Lease second = new Lease(device, other.allocate(QueuePair.bytesOfRings(DEPTH)));
            try (Mapping written = Mapping.of(allocated.file(), allocated.size());
                    Mapping read = Mapping.of(own, own.size())) {
                written.segment().asSlice(0, BYTES).copyFrom(MemorySegment.ofArray(content));
                first.move(Opcode.WRITE, allocated);
                second.move(Opcode.READ, given);
                assertThat(read.segment().asSlice(0, BYTES).mismatch(MemorySegment.ofArray(content)))
                        .isEqualTo(-1);
                device.controller().reset();
                first.epoch.moveOn();
                read.segment().fill((byte) 0);
                second.epoch.moveOn();
                second.move(Opcode.READ, given);
                first.move(Opcode.READ, allocated);
                assertThat(read.segment()
                                .asSlice(0, BYTES)
                                .mismatch(written.segment().asSlice(0, BYTES)))
                        .isEqualTo(-1);
            }
            first.pair.close();
            second.pair.close();
        }
    }

    /** What a user brings: ordinary pages where an IOMMU translates, huge ones otherwise. */
    private static OpenFile userFile(Access access) throws IOException {
        return access == Access.UIO || access == Access.NOIOMMU
                ? OpenFile.inHugePages("user", Mapping.HUGE_PAGE_SIZE, Mapping.HUGE_PAGE_SIZE)
                : OpenFile.inMemory("user", BYTES);
    }

    /** What a user maps of the rings' file. */
    private record Rings(Mapping mapping, SharedMemory shared) implements DmaMemory {
        @Override
        public MemorySegment segment() {
            return mapping.segment();
        }

        @Override
        public long iova(long offset) {
            return shared.iova(offset);
        }

        @Override
        public void close() {
            mapping.close();
            shared.close();
        }
    }

    private static final class Lease implements QueueHost {
        final QueueEpoch epoch = new QueueEpoch();
        final QueuePair pair;
        private final NvmeDevice device;
        private final LentQueuePair lent;
        private final Mapping doorbells;

        Lease(NvmeDevice device, SharedMemory rings) throws IOException {
            this.device = device;
            lent = device.lendQueuePair(rings, DEPTH);
            DoorbellPages pages = device.doorbellPages(lent);
            assertThat(pages.alone()).as("the device's own file").isFalse();
            doorbells = Mapping.of(pages.file(), pages.offset(), pages.bytes(), true);
            pair = QueuePair.attach(
                    this,
                    epoch.get(),
                    lent.qid(),
                    DEPTH,
                    new Rings(Mapping.of(rings.file(), rings.size()), rings),
                    doorbells.segment(),
                    pages.tail(),
                    pages.head(),
                    Duration.ofSeconds(30));
        }

        /** All of the memory, a page a command. */
        void move(int opcode, SharedMemory memory) throws NvmeException {
            int[] slot = new int[1];
            long[] lba = new long[1];
            int blocks = 4096 / device.geometry().lbaBytes();
            for (int page = 0; page < BYTES / 4096; page++) {
                slot[0] = page % DEPTH;
                lba[0] = (long) page * blocks;
                pair.bind(slot[0], Command.overBlocks(opcode, device.nsid(), 0, blocks), memory, page * 4096L, 4096);
                pair.submit(slot, lba, 1);
                int[] completed = new int[1];
                long end = System.nanoTime() + GIVE_UP_NANOS;
                while (pair.poll(completed) == 0) {
                    assertThat(System.nanoTime()).as("the deadline").isLessThan(end);
                    Thread.onSpinWait();
                }
                if (completed[0] < 0) {
                    throw pair.failure(slot[0]);
                }
            }
        }

        @Override
        public String name() {
            return "leased";
        }

        @Override
        public QueueEpoch epoch() {
            return epoch;
        }

        @Override
        public DmaMemory allocate(long bytes) throws IOException {
            throw new IOException("no command here needs a list");
        }

        @Override
        public boolean takesSgl(int bytes) {
            return false;
        }

        @Override
        public int recreate() throws NvmeException {
            int before = epoch.get();
            lent.recreate();
            return before;
        }

        @Override
        public void stop(int of) throws NvmeException {
            lent.stop();
        }

        @Override
        public @Nullable Abort abort(int cid) {
            return lent.abort(cid);
        }

        @Override
        public void look(int of) {
            lent.look();
        }

        @Override
        public void reset(int of, NvmeException why) {
            epoch.moveOn();
        }

        @Override
        public @Nullable NvmeException failure() {
            return device.controller().failure();
        }

        @Override
        public @Nullable NvmeException loss() {
            return lent.loss();
        }

        @Override
        public Duration retryDelay(int crd) {
            return Duration.ZERO;
        }

        @Override
        public boolean mayStillAccessMemory() {
            return lent.mayStillAccessMemory();
        }

        @Override
        public void close(int of) throws IOException {
            lent.close();
            doorbells.close();
        }
    }
}
