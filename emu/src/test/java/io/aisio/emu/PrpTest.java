package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.upcie.DmaMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PrpTest {
    private static final int PAGE = 4096;
    private static final int MEDIA = 4 << 20;

    private Host host;
    private Host.Ring io;
    private byte[] media;
    private DmaMemory lists;

    @BeforeEach
    void open() throws Exception {
        // 4 MiB, so that lists of several pages are reached.
        host = Host.ready(EmuConfiguration.memory(MEDIA).withMdts(10));
        io = host.createQueue(1, 16);
        lists = host.function.allocate(16 * PAGE);
        media = new byte[MEDIA];
        new SplittableRandom(3).nextBytes(media);
        MemorySegment.copy(media, 0, host.data.segment(), ValueLayout.JAVA_BYTE, 0, MEDIA);
        List<Long> pages = new ArrayList<>();
        for (int i = 0; i < MEDIA / PAGE; i++) {
            pages.add(host.data.iova((long) i * PAGE));
        }
        assertThat(run(Opcode.WRITE, pages, 0, MEDIA, 0)).isZero();
    }

    @AfterEach
    void close() {
        host.close();
    }

    /** Transfers from LBA 0 on through these pages; the first begins at {@code offset}, the list at {@code listAt}. */
    private int run(int opcode, List<Long> pages, int offset, int bytes, int listAt) {
        int needed = Math.ceilDiv(offset + bytes, PAGE);
        long prp2 = 0;
        if (needed == 2) {
            prp2 = pages.get(1);
        } else if (needed > 2) {
            prp2 = lists.iova(listAt);
            long at = listAt;
            for (int i = 1; i < needed; i++) {
                if (at % PAGE == PAGE - 8 && i < needed - 1) {
                    // Chains to every second page, so that a controller that just reads on fails.
                    long next = (at / PAGE + 2) * PAGE;
                    Wire.i64(lists.segment(), at, lists.iova(next));
                    at = next;
                }
                Wire.i64(lists.segment(), at, pages.get(i));
                at += 8;
            }
        }
        return io.status(Host.Entry.of(opcode, 1).blocks(0, bytes / 512).prps(pages.get(0) + offset, prp2));
    }

    @Test
    void reachEveryByteAtEveryOffsetAndLength() {
        List<Integer> offsets = List.of(0, 4, 512, 2048, 3584, 4088, 4092);
        List<Integer> lengths = new ArrayList<>(List.of(512, 1024, 3584));
        for (int around : new int[] {1, 2, 3, 511, 512, 513, 514, 1022}) {
            for (int blocks = -2; blocks <= 2; blocks++) {
                int length = around * PAGE + blocks * 512;
                if (length > 0 && length <= MEDIA - PAGE) {
                    lengths.add(length);
                }
            }
        }
        Random random = new Random(5);
        for (int length : lengths) {
            for (int offset : offsets) {
                for (int listAt : new int[] {0, 8, PAGE - 16, PAGE - 8}) {
                    check(length, offset, listAt, random);
                }
            }
        }
    }

    private void check(int length, int offset, int listAt, Random random) {
        int needed = Math.ceilDiv(offset + length, PAGE);
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < MEDIA / PAGE; i++) {
            order.add(i);
        }
        // Some follow one another, some do not.
        Collections.rotate(order.subList(0, order.size() / 2), random.nextInt(100));
        Collections.shuffle(order.subList(1 + random.nextInt(4), Math.min(order.size(), 40)), random);
        List<Long> pages = order.stream()
                .limit(needed)
                .map(i -> host.data.iova((long) i * PAGE))
                .toList();
        MemorySegment memory = host.data.segment();
        for (int i = 0; i < needed; i++) {
            memory.asSlice((long) order.get(i) * PAGE, PAGE).fill((byte) 0xC3);
        }
        assertThat(run(Opcode.READ, pages, offset, length, listAt)).isZero();
        int done = 0;
        for (int i = 0; i < needed; i++) {
            long start = (long) order.get(i) * PAGE;
            int from = i == 0 ? offset : 0;
            int there = Math.min(PAGE - from, length - done);
            long differs = MemorySegment.mismatch(
                    memory, start + from, start + from + there, MemorySegment.ofArray(media), done, done + there);
            assertThat(differs)
                    .as("length %d, offset %d, list at %d, page %d", length, offset, listAt, i)
                    .isEqualTo(-1);
            assertThat(untouched(memory, start, start + from)).isTrue();
            assertThat(untouched(memory, start + from + there, start + PAGE)).isTrue();
            done += there;
        }
        assertThat(done).isEqualTo(length);
    }

    private static boolean untouched(MemorySegment memory, long from, long to) {
        for (long at = from; at < to; at++) {
            if (memory.get(ValueLayout.JAVA_BYTE, at) != (byte) 0xC3) {
                return false;
            }
        }
        return true;
    }

    private int read(long prp1, long prp2, int blocks) {
        return io.status(Host.Entry.of(Opcode.READ, 1).blocks(0, blocks).prps(prp1, prp2));
    }

    @Test
    void areRefusedWhereTheyAreNotAligned() {
        long good = host.data.iova(0);
        for (int off : new int[] {1, 2, 3}) {
            assertThat(read(good + off, 0, 1)).isEqualTo(Status.INVALID_PRP_OFFSET);
        }
        assertThat(read(good, good + PAGE + 512, 16)).isEqualTo(Status.INVALID_PRP_OFFSET);
        for (int off : new int[] {1, 4, 7}) {
            assertThat(read(good, lists.iova(off), 24)).isEqualTo(Status.INVALID_PRP_OFFSET);
        }
        Wire.i64(lists.segment(), 0, good + 4);
        Wire.i64(lists.segment(), 8, good);
        assertThat(read(good, lists.iova(0), 24)).isEqualTo(Status.INVALID_PRP_OFFSET);
        Wire.i64(lists.segment(), PAGE - 8, lists.iova(PAGE) + 8);
        assertThat(read(good, lists.iova(PAGE - 8), 24))
                .as("the pointer to the next list")
                .isEqualTo(Status.INVALID_PRP_OFFSET);
    }

    @Test
    void areRefusedWhereNoMemoryIs() {
        long good = host.data.iova(0);
        long end = host.data.iova(host.data.size() - PAGE) + PAGE;
        for (long bad : new long[] {
            0, 0x1000, end, -4096, Long.MIN_VALUE, host.data.segment().address()
        }) {
            assertThat(read(bad, 0, 1)).isEqualTo(Status.DATA_TRANSFER_ERROR);
            assertThat(read(good, bad, 16)).isEqualTo(Status.DATA_TRANSFER_ERROR);
            assertThat(read(good, bad, 24)).isEqualTo(Status.DATA_TRANSFER_ERROR);
            Wire.i64(lists.segment(), 0, good);
            Wire.i64(lists.segment(), 8, bad);
            assertThat(read(good, lists.iova(0), 24)).isEqualTo(Status.DATA_TRANSFER_ERROR);
        }
        assertThat(read(end - 256, 0, 1)).isEqualTo(Status.DATA_TRANSFER_ERROR);
    }

    @Test
    void doNotReachMemoryThatWasFreed() throws Exception {
        DmaMemory gone = host.function.allocate(PAGE);
        long address = gone.iova(0);
        assertThat(read(address, 0, 1)).isZero();
        gone.close();
        gone.close();
        assertThat(read(address, 0, 1)).isEqualTo(Status.DATA_TRANSFER_ERROR);
        DmaMemory other = host.function.allocate(PAGE);
        assertThat(other.iova(0))
                .as("addresses are not given out again at once")
                .isNotEqualTo(address);
    }
}
