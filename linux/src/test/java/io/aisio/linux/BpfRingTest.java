package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The reader of a ring, over memory that is filled here as the kernel fills it. */
class BpfRingTest {
    private static final int SIZE = 4096;

    private final Arena arena = Arena.ofConfined();
    private final MemorySegment consumer = arena.allocate(Mapping.PAGE_SIZE, 8);
    /** In the middle of other memory, where nothing may be read. */
    private final MemorySegment filled = arena.allocate(Mapping.PAGE_SIZE + 2 * SIZE, 8);

    private final BpfRing ring = new BpfRing(consumer, filled);
    private final List<String> read = new ArrayList<>();
    private long produced;

    @AfterEach
    void free() {
        arena.close();
    }

    private boolean read() throws IOException {
        return ring.read(record -> read.add(new String(record.toArray(JAVA_BYTE))));
    }

    /** Writes to both copies of the ring. */
    private void put(long position, byte value) {
        long at = Mapping.PAGE_SIZE + (position & (SIZE - 1));
        filled.set(JAVA_BYTE, at, value);
        filled.set(JAVA_BYTE, at + SIZE, value);
    }

    private void putHeader(long position, int header) {
        for (int i = 0; i < 4; i++) {
            put(position + i, (byte) (header >>> 8 * i));
        }
    }

    private long add(String text, int bits) {
        byte[] bytes = text.getBytes();
        long begin = produced;
        putHeader(begin, bytes.length | bits);
        for (int i = 0; i < bytes.length; i++) {
            put(begin + BpfRing.HEADER_BYTES + i, bytes[i]);
        }
        produced += (BpfRing.HEADER_BYTES + bytes.length + 7) & -8;
        filled.set(JAVA_LONG, 0, produced);
        return begin;
    }

    private long consumed() {
        return consumer.get(JAVA_LONG, 0);
    }

    @Test
    void readsRecordsInOrderAndGivesTheirRoomBack() throws IOException {
        assertThat(read()).isTrue();
        add("first", 0);
        add("", 0);
        add("third", 0);
        assertThat(read()).isTrue();
        assertThat(read).containsExactly("first", "", "third");
        assertThat(consumed()).isEqualTo(produced).isEqualTo(16 + 8 + 16);
    }

    @Test
    void stopsAtARecordThatIsStillWrittenAndSkipsOneThatWasThrownAway() throws IOException {
        add("thrown away", BpfRing.DISCARD);
        add("before", 0);
        long busy = add("busy", BpfRing.BUSY);
        add("after", 0);
        assertThat(read()).isFalse();
        assertThat(read).containsExactly("before");
        assertThat(consumed()).isEqualTo(busy);
        putHeader(busy, 4);
        assertThat(read()).isTrue();
        assertThat(read).containsExactly("before", "busy", "after");
    }

    @Test
    void goesOnInTheSecondCopyWhereTheRingEnds() throws IOException {
        Random random = new Random(3);
        Queue<String> waiting = new ArrayDeque<>();
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 20_000; i++) {
            String text = ("<" + i + ">").repeat(1 + random.nextInt(20));
            if (produced - consumed() + text.length() + 15 > SIZE) {
                assertThat(read()).isTrue();
                expected.addAll(waiting);
                waiting.clear();
            }
            add(text, 0);
            waiting.add(text);
        }
        assertThat(read()).isTrue();
        expected.addAll(waiting);
        assertThat(read).isEqualTo(expected);
        assertThat(produced).isGreaterThan(100L * SIZE);
    }

    @Test
    void goesOnWhenPositionsHaveNoSign() throws IOException {
        produced = -8;
        consumer.set(JAVA_LONG, 0, produced);
        add("across zero", 0);
        assertThat(read()).isTrue();
        assertThat(read).containsExactly("across zero");
    }

    @Test
    void givesARecordBackOfWhichItsTakerHadEnough() {
        add("bad", 0);
        add("good", 0);
        assertThatThrownBy(() -> ring.read(_ -> {
                    throw new IOException("enough");
                }))
                .hasMessage("enough");
        assertThat(consumed()).isEqualTo(16);
    }

    @Test
    void refusesLengthsAndPositionsThatMakeNoSense() {
        long begin = add("record", 0);
        for (int length : new int[] {9, 4096, 1 << 20, BpfRing.DISCARD - 1, BpfRing.DISCARD | 4000}) {
            putHeader(begin, length);
            assertThatThrownBy(this::read).isInstanceOf(IOException.class).hasMessageContaining("a record of ");
        }
        for (long position : new long[] {-1, -4096, SIZE + 8, Long.MAX_VALUE, Long.MIN_VALUE}) {
            filled.set(JAVA_LONG, 0, position);
            assertThatThrownBy(this::read).isInstanceOf(IOException.class).hasMessageContaining("is filled from 0 to");
        }
        assertThat(read).isEmpty();
    }

    @Test
    void readsNothingOutsideOfARingOfAnyContent() {
        Random random = new Random(9);
        int refused = 0;
        for (int round = 0; round < 20_000; round++) {
            byte[] bytes = new byte[SIZE];
            if (random.nextBoolean()) {
                random.nextBytes(bytes);
            } else {
                Arrays.fill(bytes, (byte) random.nextInt(64));
            }
            for (int i = 0; i < SIZE; i++) {
                filled.set(JAVA_BYTE, Mapping.PAGE_SIZE + i, bytes[i]);
                filled.set(JAVA_BYTE, Mapping.PAGE_SIZE + SIZE + i, bytes[i]);
            }
            filled.set(JAVA_INT, Mapping.PAGE_SIZE, 8 * random.nextInt(8));
            consumer.set(JAVA_LONG, 0, 0);
            filled.set(JAVA_LONG, 0, random.nextInt(SIZE + 1) & -8L);
            try {
                ring.read(record -> assertThat(record.byteSize()).isLessThanOrEqualTo(SIZE));
            } catch (IOException e) {
                refused++;
            }
            assertThat(consumed()).isBetween(0L, (long) SIZE);
        }
        assertThat(refused).isGreaterThan(1_000);
    }
}
