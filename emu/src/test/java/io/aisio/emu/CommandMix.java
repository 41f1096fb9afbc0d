package io.aisio.emu;

import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.PciFunction;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * Random commands over a few queues of one thread, each checked against a plain array.
 *
 * <pre>
 *   blocks of the namespace   | stripe | stripe | stripe | …      one stripe a slot, dealt anew each round
 *   memory of a slot          | data at a random offset, with poison before and behind |
 * </pre>
 */
public final class CommandMix implements AutoCloseable {
    /** Bytes of poison that are looked at before and behind the data of a read. */
    private static final int MARGIN = 256;

    private static final byte POISON = (byte) 0xA5;
    /** Commands of a slot before the stripes are dealt anew: few, so that data written by one slot is read by others. */
    private static final int COMMANDS_A_ROUND = 4;
    /** Bytes that every controller verifies at once: QEMU's limit (VSL), which is lower than the software controller's. */
    private static final int MOST_VERIFIED = 512 << 10;

    private final long seed;
    private final Random random;
    private final int nsid;
    private final int lbaBytes;
    private final int maxTransfer;
    private final byte[] oracle;
    private final long firstLba;
    private final int stripeBlocks;
    private final Lane[] lanes;
    /** The stripe of each slot, over all lanes. */
    private final int[] stripes;

    /** ONCS: which of the optional commands there are. */
    private final int optional;

    private final int[] done = new int[Opcode.DATASET_MANAGEMENT + 16];

    /**
     * Opens the queues. Of the optional commands those are given that the controller has; blocks that were deallocated
     * must read as zeroes.
     *
     * @param oracle the namespace's bytes; this writes only its own part of them
     * @param firstLba of the part
     * @param blocks of the part
     */
    public CommandMix(
            NvmeController controller,
            PciFunction function,
            int nsid,
            int queues,
            int depth,
            byte[] oracle,
            long firstLba,
            int blocks,
            long seed)
            throws IOException {
        this.seed = seed;
        this.random = new Random(seed);
        this.nsid = nsid;
        this.lbaBytes = controller.namespace(nsid).lbaBytes();
        this.maxTransfer = controller.maxTransferBytes();
        this.optional = controller.identity().optionalNvmCommands();
        this.oracle = oracle;
        this.firstLba = firstLba;
        this.stripeBlocks = blocks / (queues * depth);
        stripes = new int[queues * depth];
        for (int i = 0; i < stripes.length; i++) {
            stripes[i] = i;
        }
        lanes = new Lane[queues];
        for (int i = 0; i < queues; i++) {
            lanes[i] = new Lane(controller.createQueuePair(depth), function, i * depth);
        }
    }

    /** How many commands of an opcode were carried out and checked. */
    public int done(int opcode) {
        return done[opcode];
    }

    /** Carries out and checks this many commands. */
    public void run(int commands) throws IOException {
        for (int left = commands; left > 0; ) {
            int round = Math.min(left, COMMANDS_A_ROUND * stripes.length);
            shuffle(stripes, stripes.length);
            round(round);
            left -= round;
        }
    }

    private void round(int commands) throws IOException {
        long deadline = System.nanoTime() + Host.GIVE_UP_NANOS;
        int left = commands;
        int completed = 0;
        while (completed < commands) {
            for (Lane lane : lanes) {
                left -= lane.submitSome(left);
                completed += lane.pollSome();
            }
            // The controller may need this processor.
            Thread.yield();
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("seed " + seed + ": " + (commands - completed) + " commands not completed");
            }
        }
    }

    private void shuffle(int[] values, int n) {
        for (int i = n - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int value = values[i];
            values[i] = values[j];
            values[j] = value;
        }
    }

    @Override
    public void close() throws IOException {
        for (Lane lane : lanes) {
            lane.pair.close();
            lane.memory.close();
        }
    }

    /** One queue and the memory of its slots. */
    private final class Lane {
        final QueuePair pair;
        final DmaMemory memory;
        private final int firstStripe;
        private final int slotBytes;
        private final int[] free;
        private int freeSlots;
        private final int[] slots;
        private final long[] lbas;
        private final InFlight[] inFlight;

        /** @param expected the status that the command ends with */
        private record InFlight(int opcode, long lba, int blocks, long offset, int expected) {}

        Lane(QueuePair pair, PciFunction function, int firstStripe) throws IOException {
            this.pair = pair;
            this.firstStripe = firstStripe;
            int depth = pair.depth();
            slotBytes = maxTransfer + 2 * 4096;
            memory = function.allocate((long) depth * slotBytes);
            free = new int[depth];
            while (freeSlots < depth) {
                free[freeSlots] = freeSlots++;
            }
            slots = new int[depth];
            lbas = new long[depth];
            inFlight = new InFlight[depth];
        }

        int submitSome(int most) throws NvmeException {
            int n = Math.min(most, random.nextInt(freeSlots + 1));
            shuffle(free, freeSlots);
            for (int i = 0; i < n; i++) {
                slots[i] = free[--freeSlots];
                lbas[i] = prepare(slots[i]);
            }
            pair.submit(slots, lbas, n);
            return n;
        }

        int pollSome() {
            int[] completed = new int[1 + random.nextInt(pair.depth())];
            int n = pair.poll(completed);
            for (int i = 0; i < n; i++) {
                int slot = completed[i] < 0 ? ~completed[i] : completed[i];
                check(slot, completed[i] < 0);
                free[freeSlots++] = slot;
            }
            return n;
        }

        /** Binds a random command to a slot; command dwords 10 and 11 of it. */
        private long prepare(int slot) {
            int kind = random.nextInt(16);
            if (kind == 0) {
                return bindFlushOrVerify(slot);
            }
            if (kind == 1 && has(IdentifyController.ONCS_DATASET_MANAGEMENT)) {
                return bindDeallocation(slot);
            }
            if (kind == 2 && has(IdentifyController.ONCS_WRITE_ZEROES)) {
                return bindWriteZeroes(slot);
            }
            int blocks = blocks(Math.min(stripeBlocks, maxTransfer / lbaBytes));
            long lba = lba(slot, blocks);
            long offset = offset(slot);
            int bytes = blocks * lbaBytes;
            MemorySegment data = memory.segment().asSlice(offset, bytes);
            int expected = Status.SUCCESS;
            int opcode;
            if (kind < 8) {
                opcode = Opcode.READ;
                memory.segment().asSlice(offset - MARGIN, bytes + 2L * MARGIN).fill(POISON);
            } else if (kind < 14 || !has(IdentifyController.ONCS_COMPARE)) {
                opcode = Opcode.WRITE;
                byte[] content = new byte[bytes];
                random.nextBytes(content);
                MemorySegment.copy(content, 0, data, ValueLayout.JAVA_BYTE, 0, bytes);
                System.arraycopy(content, 0, oracle, at(lba), bytes);
            } else {
                opcode = Opcode.COMPARE;
                MemorySegment.copy(oracle, at(lba), data, ValueLayout.JAVA_BYTE, 0, bytes);
                if (random.nextBoolean()) {
                    expected = Status.COMPARE_FAILURE;
                    long differing = random.nextInt(bytes);
                    data.set(ValueLayout.JAVA_BYTE, differing, (byte)
                            (data.get(ValueLayout.JAVA_BYTE, differing) ^ 0x10));
                }
            }
            pair.bind(slot, Command.overBlocks(opcode, nsid, 0, blocks), memory, offset, bytes);
            inFlight[slot] = new InFlight(opcode, lba, blocks, offset, expected);
            return lba;
        }

        private long bindFlushOrVerify(int slot) {
            if (random.nextInt(8) == 0 || !has(IdentifyController.ONCS_VERIFY)) {
                pair.bind(slot, Command.of(Opcode.FLUSH, nsid, 0));
                inFlight[slot] = new InFlight(Opcode.FLUSH, 0, 0, 0, Status.SUCCESS);
                return 0;
            }
            int blocks = blocks(Math.min(stripeBlocks, MOST_VERIFIED / lbaBytes));
            long lba = lba(slot, blocks);
            pair.bind(slot, Command.overBlocks(Opcode.VERIFY, nsid, 0, blocks));
            inFlight[slot] = new InFlight(Opcode.VERIFY, lba, blocks, 0, Status.SUCCESS);
            return lba;
        }

        private long bindWriteZeroes(int slot) {
            int blocks = blocks(stripeBlocks);
            long lba = lba(slot, blocks);
            pair.bind(slot, Command.overBlocks(Opcode.WRITE_ZEROES, nsid, 0, blocks));
            Arrays.fill(oracle, at(lba), at(lba + blocks), (byte) 0);
            inFlight[slot] = new InFlight(Opcode.WRITE_ZEROES, lba, blocks, 0, Status.SUCCESS);
            return lba;
        }

        private long bindDeallocation(int slot) {
            int ranges = random.nextInt(16) == 0 ? 256 : 1 + random.nextInt(4);
            long offset = offset(slot);
            for (int i = 0; i < ranges; i++) {
                int blocks = random.nextInt(Math.min(16, stripeBlocks) + 1);
                long lba = lba(slot, blocks);
                long range = offset + i * 16L;
                Wire.i32(memory.segment(), range, 0);
                Wire.i32(memory.segment(), range + 4, blocks);
                Wire.i64(memory.segment(), range + 8, lba);
                Arrays.fill(oracle, at(lba), at(lba + blocks), (byte) 0);
            }
            pair.bind(slot, Command.of(Opcode.DATASET_MANAGEMENT, nsid, 0), memory, offset, ranges * 16);
            inFlight[slot] = new InFlight(Opcode.DATASET_MANAGEMENT, 0, 0, offset, Status.SUCCESS);
            return ranges - 1 | 1L << 34;
        }

        private boolean has(int command) {
            return (optional & command) != 0;
        }

        private int blocks(int most) {
            return switch (random.nextInt(4)) {
                case 0 -> 1;
                case 1 -> most;
                default -> 1 + random.nextInt(most);
            };
        }

        private long lba(int slot, int blocks) {
            long stripe = firstLba + (long) stripes[firstStripe + slot] * stripeBlocks;
            return stripe + random.nextInt(stripeBlocks - blocks + 1);
        }

        /** Somewhere in the first page of the slot, or on the second, a multiple of 4. */
        private long offset(int slot) {
            return (long) slot * slotBytes
                    + MARGIN
                    + (random.nextInt(4) == 0 ? 4096 - MARGIN : 4L * random.nextInt(1024));
        }

        private int at(long lba) {
            return (int) (lba * lbaBytes);
        }

        private void check(int slot, boolean failed) {
            InFlight command = inFlight[slot];
            if (command == null) {
                throw new AssertionError("seed " + seed + ": slot " + slot + " came back twice");
            }
            inFlight[slot] = null;
            String what = "seed %d, queue %d, slot %d: %s".formatted(seed, pair.qid(), slot, command);
            Status status = failed ? pair.failure(slot).status() : new Status(Status.SUCCESS);
            if (status == null || status.code() != command.expected) {
                throw new AssertionError(what + ": " + status);
            }
            if (command.opcode == Opcode.READ) {
                checkData(command, what);
            }
            done[command.opcode]++;
        }

        private void checkData(InFlight command, String what) {
            int bytes = command.blocks * lbaBytes;
            MemorySegment expected = MemorySegment.ofArray(oracle).asSlice(at(command.lba), bytes);
            MemorySegment got = memory.segment().asSlice(command.offset, bytes);
            require(got.mismatch(expected) < 0, what, "byte " + got.mismatch(expected) + " differs");
            byte[] poison = new byte[MARGIN];
            Arrays.fill(poison, POISON);
            MemorySegment untouched = MemorySegment.ofArray(poison);
            require(margin(command.offset - MARGIN).mismatch(untouched) < 0, what, "wrote before its data");
            require(margin(command.offset + bytes).mismatch(untouched) < 0, what, "wrote behind its data");
        }

        private MemorySegment margin(long offset) {
            return memory.segment().asSlice(offset, MARGIN);
        }

        private void require(boolean good, String what, @Nullable String problem) {
            if (!good) {
                throw new AssertionError(what + ": " + problem);
            }
        }
    }
}
