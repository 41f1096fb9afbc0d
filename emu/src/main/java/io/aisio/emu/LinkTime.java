package io.aisio.emu;

import io.aisio.nvme.link.NvmeTraffic;
import io.aisio.nvme.link.PcieLink;
import java.util.concurrent.atomic.AtomicLong;

/**
 * When a link is free again, each way. Commands cross it one after the other, in the time that the link model gives each, so
 * that no more come through than {@link io.aisio.nvme.link.DataPath} says. Controllers that share a link, each on a thread of
 * its own, take their turns without a lock.
 */
final class LinkTime {
    /** Times are in picoseconds since then: a small I/O takes few nanoseconds, and 2^63 are a hundred days. */
    private static final long START = System.nanoTime();

    private static final long PICOS = 1000;
    private static final double PICOS_PER_SECOND = 1e12;

    private final PcieLink link;
    private final boolean queues;
    private final double picosPerByte;
    private final AtomicLong fromSsd = new AtomicLong();
    private final AtomicLong toSsd = new AtomicLong();

    /** @param queues whether the traffic of queues crosses it, beside data */
    LinkTime(PcieLink link, boolean queues) {
        this.link = link;
        this.queues = queues;
        picosPerByte = PICOS_PER_SECOND / link.bytesPerSecond();
    }

    /**
     * Lets a command cross it that came at {@code now} ({@link System#nanoTime}).
     *
     * @param write whether it moves data to the SSD, else from it
     * @param bytes of data that it moves
     * @return when it has crossed, by {@link System#nanoTime}
     */
    long pass(long now, boolean write, long bytes) {
        long at = (now - START) * PICOS;
        long from = take(fromSsd, at, NvmeTraffic.SINGLE.fromSsd(link, write, bytes, queues));
        long to = take(toSsd, at, NvmeTraffic.SINGLE.toSsd(link, write, bytes, queues));
        return START + Math.ceilDiv(Math.max(from, to), PICOS);
    }

    /**
     * Keeps one direction for so many bytes, from {@code at} or when it is free; tells until when. What is later than can be
     * told is the latest that can be: a link that is slowed down far takes months for few large commands.
     */
    private long take(AtomicLong free, long at, double bytes) {
        long picos = (long) Math.ceil(bytes * picosPerByte);
        while (true) {
            long before = free.get();
            long start = Math.max(before, at);
            long until = start > Long.MAX_VALUE - picos ? Long.MAX_VALUE : start + picos;
            if (free.weakCompareAndSetVolatile(before, until)) {
                return until;
            }
        }
    }
}
