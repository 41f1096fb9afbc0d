package io.aisio.bench;

import io.aisio.linux.CpuSet;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** What the JDK alone reads: a {@link FileChannel} past the page cache, at random, a block a call. */
final class ChannelReads {
    private static final int PAGE_BYTES = 4096;

    private final Path path;
    private final int ioBytes;
    private final long ios;

    /**
     * @param path a file or block device
     * @param bytes of it that are read
     * @param ioBytes of a read
     */
    ChannelReads(Path path, long bytes, int ioBytes) {
        this.path = path;
        this.ioBytes = ioBytes;
        ios = bytes / ioBytes;
    }

    /** Reads a second by one thread, on one processor. */
    double alone(int cpu, Duration time) throws IOException {
        BitSet one = new BitSet();
        one.set(cpu);
        return measure(1, Thread.ofPlatform(), new CpuSet(one), time);
    }

    /** Reads a second by so many virtual threads, on whatever processors the JDK gives them. */
    double byVirtualThreads(int count, Duration time) throws IOException {
        return measure(count, Thread.ofVirtual(), null, time);
    }

    /**
     * O_DIRECT, the one of the JDK's options that is not in {@code java.nio}: by name, as javac warns of it without an end.
     */
    private static OpenOption direct() throws IOException {
        try {
            Class<?> options = Class.forName("com.sun.nio.file.ExtendedOpenOption");
            return (OpenOption)
                    Objects.requireNonNull(options.getField("DIRECT").get(null));
        } catch (ReflectiveOperationException e) {
            throw new IOException("this JDK opens no file past the page cache", e);
        }
    }

    private double measure(int count, Thread.Builder builder, @Nullable CpuSet cpus, Duration time) throws IOException {
        LongAdder done = new LongAdder();
        AtomicReference<IOException> failed = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, direct())) {
            Reading reading = new Reading(channel, done, System.nanoTime() + time.toNanos());
            for (int i = 0; i < count; i++) {
                int seed = i;
                threads.add(builder.start(() -> {
                    try {
                        if (cpus != null) {
                            cpus.pinCurrentThread();
                        }
                        reading.read(seed);
                    } catch (IOException e) {
                        failed.set(e);
                    }
                }));
            }
            for (Thread thread : threads) {
                thread.join();
            }
        } catch (InterruptedException e) {
            throw (IOException) new InterruptedIOException("interrupted while " + path + " was read").initCause(e);
        }
        if (failed.get() != null) {
            throw new IOException(path + ": " + failed.get().getMessage(), failed.get());
        }
        return done.sum() / (time.toNanos() / 1e9);
    }

    private final class Reading {
        /** Reads between looks at the clock. */
        private static final int AT_ONCE = 64;

        private final FileChannel channel;
        private final LongAdder done;
        private final long end;

        Reading(FileChannel channel, LongAdder done, long end) {
            this.channel = channel;
            this.done = done;
            this.end = end;
        }

        void read(int seed) throws IOException {
            ByteBuffer buffer = ByteBuffer.allocateDirect(ioBytes + PAGE_BYTES)
                    .alignedSlice(PAGE_BYTES)
                    .limit(ioBytes);
            LbaGenerator blocks = LbaGenerator.random(ios, 1, seed);
            while (System.nanoTime() < end) {
                for (int i = 0; i < AT_ONCE; i++) {
                    if (channel.read(buffer.clear().limit(ioBytes), blocks.next() * ioBytes) != ioBytes) {
                        throw new IOException("a read that was not whole");
                    }
                }
                done.add(AT_ONCE);
            }
        }
    }
}
