package io.aisio.emu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Capabilities;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.DeviceUri;
import io.aisio.xnvme.Geometry;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;

/**
 * What every {@link Device} does alike, whatever the path: each backend runs these tests, so that the application's code is
 * the same on all of them. What they write stays in the first megabyte, and the last block.
 */
public abstract class DeviceConformance {
    private static final int DEPTH = 16;
    /** How much of the device is written. */
    private static final int AREA = 1 << 20;
    /** How far from a page memory begins. */
    private static final int[] AWRY = {0, 4, 512, 1028};

    private static final int MOST_AWRY = 1028;

    /** One path's. */
    protected DeviceConformance() {}

    /** Opens the device, of at least 2 MiB, to be written. */
    protected abstract Device open() throws Exception;

    /** A device, a buffer of a megabyte and a queue. */
    private final class Opened implements AutoCloseable {
        final Device device;
        final Geometry shape;
        final int lba;
        final Buffer buffer;
        final Queue queue;
        final int[] completed = new int[DEPTH];

        Opened() throws Exception {
            device = open();
            shape = device.geometry();
            lba = shape.lbaBytes();
            buffer = device.allocate(AREA + 4096);
            queue = device.openQueue(DEPTH);
        }

        void submit(int[] slots, long... lbas) throws IOException {
            queue.submit(slots, lbas, slots.length);
        }

        /** Waits for all that is in flight; the slots as they were told. */
        List<Integer> drain() throws IOException {
            List<Integer> told = new ArrayList<>();
            while (queue.outstanding() > 0) {
                int n = queue.await(completed);
                assertThat(n)
                        .as("await with " + queue.outstanding() + " in flight")
                        .isPositive();
                for (int i = 0; i < n; i++) {
                    told.add(completed[i]);
                }
            }
            return told;
        }

        MemorySegment data(long offset, long bytes) {
            return buffer.segment().asSlice(offset, bytes);
        }

        @Override
        public void close() throws IOException {
            try (device;
                    buffer;
                    queue) {
                // In the other order.
                assertThat(device.name()).isNotEmpty();
            }
        }
    }

    /** What messages name the device by, at least: its name without scheme and options. */
    private static String target(Device device) {
        return DeviceUri.parse(device.name()).target();
    }

    private static byte[] random(long seed, int bytes) {
        byte[] content = new byte[bytes];
        new Random(seed).nextBytes(content);
        return content;
    }

    private static void refused(Callable<?> call) {
        assertThat(catchThrowable(call::call))
                .isInstanceOfAny(IllegalArgumentException.class, IndexOutOfBoundsException.class);
    }

    private static Callable<?> calling(Action action) {
        return () -> {
            action.run();
            return null;
        };
    }

    private interface Action {
        void run() throws Exception;
    }

    @Test
    public void itsShapeAndItsPathAreTold() throws Exception {
        try (Device device = open()) {
            Geometry shape = device.geometry();
            assertThat(Integer.bitCount(shape.lbaBytes())).isEqualTo(1);
            assertThat(shape.lbaBytes()).isBetween(512, 65536);
            assertThat(shape.bytes()).isGreaterThanOrEqualTo(2L * AREA);
            assertThat(shape.maxTransferBytes()).isPositive();
            assertThat(shape.maxTransferBytes() % shape.lbaBytes()).isZero();
            assertThat(shape.maxQueueDepth()).isGreaterThanOrEqualTo(DEPTH);
            assertThat(shape.maxQueues()).isPositive();
            assertThat(device.path()).isNotBlank();
            assertThat(device.capabilities().has(Capabilities.Trait.WRITES)).isTrue();
            try (Queue queue = device.openQueue(1)) {
                assertThat(queue.sleeps())
                        .as("%s, %s", device.path(), device.capabilities())
                        .isEqualTo(device.capabilities().has(Capabilities.Trait.SLEEPS));
                assertThat(queue.depth()).isEqualTo(1);
            }
        }
    }

    @Test
    public void readsWhatWasWritten() throws Exception {
        byte[] content = random(1, AREA);
        try (Device device = open();
                Buffer out = device.allocate(AREA);
                Buffer in = device.allocate(AREA + 4096)) {
            out.segment().copyFrom(MemorySegment.ofArray(content));
            device.write(0, out);
            device.flush();
            int lba = device.geometry().lbaBytes();
            for (int[] part : new int[][] {{0, AREA, 0}, {lba, lba, 4}, {3 * lba, 5 * lba, 1020}, {0, AREA, 516}}) {
                in.segment().fill((byte) 0xA5);
                device.read(part[0] / lba, in, part[2], part[1]);
                assertThat(in.segment().asSlice(part[2], part[1]).toArray(JAVA_BYTE))
                        .as("%d bytes at byte %d to offset %d", part[1], part[0], part[2])
                        .isEqualTo(Arrays.copyOfRange(content, part[0], part[0] + part[1]));
                for (long before = 0; before < part[2]; before++) {
                    assertThat(in.segment().get(JAVA_BYTE, before))
                            .as("byte " + before)
                            .isEqualTo((byte) 0xA5);
                }
            }
            MemorySegment.copy(MemorySegment.ofArray(random(2, lba)), 0, out.segment(), 8, lba);
            device.write(7, out, 8, lba);
            device.read(7, in, 0, lba);
            assertThat(in.segment().asSlice(0, lba).toArray(JAVA_BYTE)).isEqualTo(random(2, lba));
        }
    }

    @Test
    public void whatDoesNotExistIsNeitherReadNorWritten() throws Exception {
        try (Device device = open();
                Buffer buffer = device.allocate(65536)) {
            long end = device.geometry().lbaCount();
            int lba = device.geometry().lbaBytes();
            for (long first : new long[] {end, end - 1, Long.MAX_VALUE, -1}) {
                assertThatThrownBy(() -> device.read(first, buffer, 0, 2L * lba))
                        .as("at LBA " + first)
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining(target(device));
                assertThatThrownBy(() -> device.write(first, buffer, 0, 2L * lba))
                        .as("at LBA " + first)
                        .isInstanceOf(IOException.class);
            }
            device.write(end - 1, buffer, 0, lba);
            device.read(end - 1, buffer, 0, lba);
        }
    }

    @Test
    public void partsOfBlocksAreRefused() throws Exception {
        try (Device device = open();
                Buffer buffer = device.allocate(65536)) {
            refused(calling(() -> device.read(0, buffer, 0, device.geometry().lbaBytes() - 4)));
            refused(calling(() -> device.write(0, buffer, 0, device.geometry().lbaBytes() + 4)));
            refused(calling(
                    () -> device.read(0, buffer, 65536, device.geometry().lbaBytes())));
            refused(calling(() -> device.read(0, buffer, -4, device.geometry().lbaBytes())));
        }
    }

    @Test
    public void queuesOfImpossibleDepthAreRefused() throws Exception {
        try (Device device = open()) {
            refused(() -> device.openQueue(0));
            refused(() -> device.openQueue(-1));
            refused(() -> device.openQueue(device.geometry().maxQueueDepth() + 1));
        }
    }

    @Test
    public void whatCannotBeBoundIsRefused() throws Exception {
        try (Opened on = new Opened()) {
            Queue queue = on.queue;
            Buffer buffer = on.buffer;
            refused(calling(() -> queue.bindRead(0, buffer, 0, 0)));
            refused(calling(() -> queue.bindRead(0, buffer, 0, on.lba - 4)));
            refused(calling(() -> queue.bindRead(0, buffer, 0, on.shape.maxTransferBytes() + on.lba)));
            refused(calling(() -> queue.bindWrite(-1, buffer, 0, on.lba)));
            refused(calling(() -> queue.bindWrite(DEPTH, buffer, 0, on.lba)));
            refused(calling(() -> queue.bindRead(0, buffer, buffer.size(), on.lba)));
            refused(calling(() -> queue.bindRead(0, buffer, buffer.size() - 4, on.lba)));
            refused(calling(() -> queue.bindRead(0, buffer, -4, on.lba)));
            assertThatThrownBy(() -> on.submit(new int[] {0}, 0)).isInstanceOf(IllegalStateException.class);
            assertThat(queue.outstanding()).isZero();
        }
    }

    @Test
    public void whatCannotBeSubmittedIsRefusedWhole() throws Exception {
        try (Opened on = new Opened()) {
            Queue queue = on.queue;
            for (int slot = 0; slot < DEPTH - 1; slot++) {
                queue.bindRead(slot, on.buffer, (long) slot * on.lba, on.lba);
            }
            for (int[] slots : new int[][] {{0, DEPTH - 1}, {0, 0}, {1, DEPTH}, {2, -1}, new int[DEPTH + 1]}) {
                assertThatThrownBy(() -> on.submit(slots, new long[slots.length]))
                        .as(Arrays.toString(slots))
                        .isInstanceOf(IllegalStateException.class);
                assertThat(queue.outstanding()).isZero();
            }
            assertThatThrownBy(() -> queue.submit(new int[] {0, 1}, new long[1], 2))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> queue.submit(new int[1], new long[2], 2))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThat(queue.outstanding()).isZero();
            on.submit(new int[] {0, 1}, 0, 1);
            assertThatThrownBy(() -> on.submit(new int[] {2, 1}, 0, 1)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> queue.bindRead(0, on.buffer, 0, on.lba)).isInstanceOf(IllegalStateException.class);
            assertThat(queue.outstanding()).isEqualTo(2);
            assertThat(on.drain()).containsExactlyInAnyOrder(0, 1);
        }
    }

    @Test
    public void eachCommandIsToldOnce() throws Exception {
        try (Opened on = new Opened()) {
            int[] slots = new int[DEPTH];
            for (int slot = 0; slot < DEPTH; slot++) {
                slots[slot] = slot;
                on.queue.bindRead(slot, on.buffer, (long) slot * on.lba, on.lba);
            }
            int[] few = new int[3];
            for (int round = 0; round < 50; round++) {
                on.submit(slots, new long[DEPTH]);
                assertThat(on.queue.outstanding()).isEqualTo(DEPTH);
                BitSet told = new BitSet();
                while (on.queue.outstanding() > 0) {
                    int before = on.queue.outstanding();
                    int n = round % 2 == 0 ? on.queue.await(few) : on.queue.poll(few);
                    assertThat(on.queue.outstanding()).isEqualTo(before - n);
                    for (int i = 0; i < n; i++) {
                        assertThat(few[i]).isBetween(0, DEPTH - 1);
                        assertThat(told.get(few[i]))
                                .as("slot %d, told before", few[i])
                                .isFalse();
                        told.set(few[i]);
                    }
                }
                assertThat(told.cardinality()).isEqualTo(DEPTH);
                assertThat(on.queue.poll(few)).isZero();
                assertThat(on.queue.await(few))
                        .as("await with nothing in flight")
                        .isZero();
            }
        }
    }

    @Test
    public void aCommandThatFailsSaysWhyAndDisturbsNoOther() throws Exception {
        byte[] content = random(3, 2 * 4096);
        try (Opened on = new Opened()) {
            on.data(0, content.length).copyFrom(MemorySegment.ofArray(content));
            on.device.write(0, on.buffer, 0, content.length);
            on.buffer.segment().fill((byte) 0);
            int half = content.length / 2;
            on.queue.bindRead(0, on.buffer, 0, half);
            on.queue.bindRead(1, on.buffer, 65536, half);
            on.queue.bindRead(2, on.buffer, half, half);
            on.queue.bindWrite(3, on.buffer, 65536, half);
            long end = on.shape.lbaCount();
            for (int round = 0; round < 5; round++) {
                on.submit(new int[] {1, 0, 3, 2}, end, 0, end - half / on.lba + 1, half / on.lba);
                assertThat(on.drain()).containsExactlyInAnyOrder(0, ~1, 2, ~3);
                for (int failed : new int[] {1, 3}) {
                    assertThat(on.queue.failure(failed)).isInstanceOf(IOException.class);
                    assertThat(on.queue.failure(failed)).hasMessageContaining(target(on.device));
                }
                for (int good : new int[] {0, 2, 4, -1, DEPTH}) {
                    Throwable thrown = catchThrowable(() -> on.queue.failure(good));
                    assertThat(thrown)
                            .as("what asking for the failure of slot %d throws", good)
                            .isInstanceOfAny(IllegalStateException.class, IndexOutOfBoundsException.class);
                }
                assertThat(on.data(0, content.length).toArray(JAVA_BYTE)).isEqualTo(content);
            }
            on.submit(new int[] {1}, 0);
            assertThat(on.drain()).containsExactly(1);
        }
    }

    @Test
    public void randomCommandsAgreeWithAnArray() throws Exception {
        long seed = 20;
        Random random = new Random(seed);
        byte[] oracle = random(seed, AREA);
        try (Opened on = new Opened()) {
            on.data(0, AREA).copyFrom(MemorySegment.ofArray(oracle));
            on.device.write(0, on.buffer, 0, AREA);
            int stripe = AREA / DEPTH;
            int most = Math.min(stripe, on.shape.maxTransferBytes());
            boolean[] writing = new boolean[DEPTH];
            int[] from = new int[DEPTH];
            int[] bytes = new int[DEPTH];
            long[] offset = new long[DEPTH];
            int left = 600;
            BitSet free = new BitSet();
            free.set(0, DEPTH);
            while (left > 0 || on.queue.outstanding() > 0) {
                int n = left > 0 ? Math.min(left, random.nextInt(free.cardinality() + 1)) : 0;
                int[] slots = free.stream().limit(n).toArray();
                long[] lbas = new long[n];
                for (int i = 0; i < n; i++) {
                    int slot = slots[i];
                    int at = on.lba * random.nextInt(most / on.lba);
                    bytes[slot] = on.lba * (1 + random.nextInt((most - at) / on.lba));
                    from[slot] = slot * stripe + at;
                    // Where the stripe ends, more would be the neighbour's memory.
                    boolean room = at + bytes[slot] + MOST_AWRY <= stripe;
                    offset[slot] = from[slot] + (room ? AWRY[random.nextInt(AWRY.length)] : 0);
                    writing[slot] = random.nextBoolean();
                    lbas[i] = from[slot] / on.lba;
                    prepare(on, oracle, random, slot, writing[slot], from[slot], offset[slot], bytes[slot]);
                    free.clear(slot);
                }
                on.submit(slots, lbas);
                left -= n;
                int done = random.nextBoolean() ? on.queue.await(on.completed) : on.queue.poll(on.completed);
                for (int i = 0; i < done; i++) {
                    int slot = on.completed[i];
                    if (slot < 0) {
                        throw on.queue.failure(~slot);
                    }
                    if (!writing[slot]) {
                        assertThat(on.data(offset[slot], bytes[slot]).toArray(JAVA_BYTE))
                                .as("seed %d, slot %d, %d bytes at %d", seed, slot, bytes[slot], from[slot])
                                .isEqualTo(Arrays.copyOfRange(oracle, from[slot], from[slot] + bytes[slot]));
                    }
                    free.set(slot);
                }
            }
            on.device.read(0, on.buffer, 0, AREA);
            assertThat(on.data(0, AREA).mismatch(MemorySegment.ofArray(oracle)))
                    .as("first byte that differs at the end, seed " + seed)
                    .isEqualTo(-1);
        }
    }

    /** Binds a slot to a read, or to a write of something new. */
    private static void prepare(
            DeviceConformance.Opened on,
            byte[] oracle,
            Random random,
            int slot,
            boolean write,
            int from,
            long offset,
            int bytes) {
        if (write) {
            byte[] content = new byte[bytes];
            random.nextBytes(content);
            System.arraycopy(content, 0, oracle, from, bytes);
            on.data(offset, bytes).copyFrom(MemorySegment.ofArray(content));
            on.queue.bindWrite(slot, on.buffer, offset, bytes);
        } else {
            on.queue.bindRead(slot, on.buffer, offset, bytes);
        }
    }

    @Test
    public void closingGivesUpWhatIsInFlight() throws Exception {
        try (Device device = open()) {
            Buffer buffer = device.allocate(AREA);
            Queue queue = device.openQueue(DEPTH);
            int[] slots = new int[DEPTH];
            int bytes = Math.min(AREA / DEPTH, device.geometry().maxTransferBytes());
            for (int slot = 0; slot < DEPTH; slot++) {
                slots[slot] = slot;
                queue.bindRead(slot, buffer, (long) slot * bytes, bytes);
            }
            queue.submit(slots, new long[DEPTH], DEPTH);
            queue.close();
            queue.close();
            assertThatThrownBy(() -> queue.submit(slots, new long[DEPTH], DEPTH))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> queue.poll(slots)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> queue.bindRead(0, buffer, 0, bytes)).isInstanceOf(IllegalStateException.class);
            buffer.close();
            try (Buffer other = device.allocate(4096)) {
                device.read(0, other);
            }
        }
    }

    @Test
    public void aDeviceIsNotClosedUnderItsQueues() throws Exception {
        Device device = open();
        try (Buffer buffer = device.allocate(4096)) {
            try (Queue queue = device.openQueue(2)) {
                queue.bindRead(0, buffer, 0, 4096);
                assertThatThrownBy(device::close).isInstanceOf(IllegalStateException.class);
                queue.submit(new int[] {0}, new long[1], 1);
                int[] completed = new int[1];
                assertThat(queue.await(completed)).isEqualTo(1);
                assertThat(completed[0]).isZero();
            }
        }
        device.close();
        device.close();
    }

    @Test
    public void aDeviceThatIsClosedIsNotUsed() throws Exception {
        Device device = open();
        Buffer buffer = device.allocate(4096);
        buffer.close();
        device.close();
        Device other = open();
        try (other;
                Buffer open = other.allocate(4096)) {
            assertThatThrownBy(() -> device.read(0, open)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> device.write(0, open)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(device::flush).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> device.openQueue(1)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    public void aBufferThatIsClosedIsNotUsed() throws Exception {
        try (Device device = open();
                Queue queue = device.openQueue(2)) {
            Buffer buffer = device.allocate(4096);
            buffer.close();
            buffer.close();
            for (Action use : List.<Action>of(
                    () -> device.read(0, buffer), () -> device.write(0, buffer), () -> readInto(queue, buffer))) {
                assertThat(catchThrowable(use::run)).isInstanceOfAny(IllegalStateException.class, IOException.class);
            }
        }
    }

    private static void readInto(Queue queue, Buffer buffer) throws IOException {
        queue.bindRead(0, buffer, 0, 4096);
        queue.submit(new int[1], new long[1], 1);
        int[] completed = new int[1];
        assertThat(queue.await(completed)).isEqualTo(1);
        if (completed[0] < 0) {
            throw queue.failure(~completed[0]);
        }
    }

    @Test
    public void queuesOfSeveralThreadsDoNotDisturbEachOther() throws Exception {
        try (Device device = open()) {
            onThreads(device, Thread.ofPlatform());
        }
    }

    @Test
    public void virtualThreadsOwnQueuesToo() throws Exception {
        try (Device device = open()) {
            onThreads(device, Thread.ofVirtual());
        }
    }

    /** Queues that are opened here and used there, each in a part of the device of its own. */
    private static void onThreads(Device device, Thread.Builder builder) throws Exception {
        List<Queue> queues = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        List<Throwable> thrown = Collections.synchronizedList(new ArrayList<>());
        try (Buffer buffer = device.allocate(2 * 65536)) {
            for (int i = 0; i < 2; i++) {
                Queue queue = device.openQueue(4);
                int part = i;
                queues.add(queue);
                threads.add(builder.start(() -> {
                    try {
                        writeAndRead(device, queue, buffer, part);
                    } catch (Throwable t) {
                        thrown.add(t);
                    }
                }));
            }
            for (Thread thread : threads) {
                thread.join();
            }
            // Their threads have ended: whoever opened them closes them.
            for (Queue queue : queues) {
                queue.close();
            }
        }
        assertThat(thrown).isEmpty();
    }

    private static void writeAndRead(Device device, Queue queue, Buffer buffer, int part) throws IOException {
        long base = part * 65536L;
        long first = base / device.geometry().lbaBytes();
        int[] completed = new int[4];
        for (int round = 0; round < 20; round++) {
            byte[] content = random(100L * part + round, 4096);
            buffer.segment().asSlice(base, 4096).copyFrom(MemorySegment.ofArray(content));
            queue.bindWrite(0, buffer, base, 4096);
            queue.bindRead(1, buffer, base + 8192, 4096);
            for (int slot = 0; slot < 2; slot++) {
                queue.submit(new int[] {slot}, new long[] {first}, 1);
                assertThat(queue.await(completed)).isEqualTo(1);
                assertThat(completed[0]).isEqualTo(slot);
                Thread.yield();
            }
            assertThat(buffer.segment().asSlice(base + 8192, 4096).toArray(JAVA_BYTE))
                    .isEqualTo(content);
        }
    }
}
