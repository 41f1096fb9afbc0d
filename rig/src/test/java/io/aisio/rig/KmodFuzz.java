package io.aisio.rig;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.aisio.linux.OpenFile;
import io.aisio.linux.UdmabufImport;
import io.aisio.rig.BarExport.Kind;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * A client of {@code udmabuf-import} that does not know what it does: threads that share open files, dma-bufs and handles, and
 * close them under each other's hands. What it does follows from a seed, but for who comes first.
 */
final class KmodFuzz implements AutoCloseable {
    private static final int NODES = 4;
    private static final int BUFFERS = 8;
    /** Of each node. */
    private static final int HANDLES = 8;

    private static final int NUMBERS = 3;
    /** The most that an ioctl's number says of its structure's size, and what the kernel may store at once. */
    private static final int ROOM = 64 << 10;
    /** Nobody's memory: the first page, the kernel's, none that could be. */
    private static final long[] WILD = {
        0, 8, -1, 0x0000_7FFF_FFFF_F000L, 0x0000_8000_0000_0000L, 0xFFFF_8880_0000_0000L, 0xFFFF_FFFF_8100_0000L
    };

    private final AtomicReferenceArray<@Nullable OpenFile> nodes = new AtomicReferenceArray<>(NODES);
    private final AtomicReferenceArray<@Nullable OpenFile> buffers = new AtomicReferenceArray<>(BUFFERS);
    private final AtomicIntegerArray handles = new AtomicIntegerArray(NODES * HANDLES);
    private final OpenFile exporter;
    private final OpenFile noDmaBuf;
    private final AtomicBoolean ended = new AtomicBoolean();
    private final AtomicInteger calls = new AtomicInteger();
    private final AtomicInteger attached = new AtomicInteger();
    private final AtomicInteger mapped = new AtomicInteger();
    private final AtomicInteger detached = new AtomicInteger();
    private final List<Thread> threads = new ArrayList<>();
    private volatile @Nullable Throwable failure;

    private KmodFuzz() throws IOException {
        exporter = OpenFile.open(Path.of("/dev/bar-export"), OpenFile.Access.READ_WRITE);
        noDmaBuf = OpenFile.inMemory("no-dma-buf", 4096);
    }

    static KmodFuzz start(long seed, int threads) throws IOException {
        KmodFuzz fuzz = new KmodFuzz();
        for (int i = 0; i < threads; i++) {
            SplittableRandom random = new SplittableRandom(seed + i);
            fuzz.threads.add(Thread.ofPlatform().name("fuzz-" + i).daemon().start(() -> fuzz.run(random)));
        }
        return fuzz;
    }

    /** System calls so far. */
    int calls() {
        return calls.get();
    }

    /** How often each call succeeded, so that a test knows that something was done. */
    String done() {
        return "%d calls; attached %d, told %d, detached %d"
                .formatted(calls.get(), attached.get(), mapped.get(), detached.get());
    }

    /** The least of the successes of ATTACH, GET_MAP and DETACH. */
    int leastDone() {
        return Math.min(attached.get(), Math.min(mapped.get(), detached.get()));
    }

    /** Whether its threads go on. */
    boolean goesOn() {
        return failure == null;
    }

    /** Ends the threads, and closes everything. */
    @Override
    public void close() throws IOException, InterruptedException {
        ended.set(true);
        for (Thread thread : threads) {
            thread.join();
        }
        for (int i = 0; i < NODES; i++) {
            replace(nodes, i, null);
        }
        for (int i = 0; i < BUFFERS; i++) {
            replace(buffers, i, null);
        }
        exporter.close();
        noDmaBuf.close();
        if (failure != null) {
            throw new AssertionError(failure);
        }
    }

    private void run(SplittableRandom random) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(ROOM, 8);
            MemorySegment room = arena.allocate(ROOM, 8);
            while (!ended.get()) {
                turn(random, argument, room);
                calls.incrementAndGet();
            }
        } catch (IOException | RuntimeException | AssertionError e) {
            failure = e;
        }
    }

    private void turn(SplittableRandom random, MemorySegment argument, MemorySegment room) throws IOException {
        int number = random.nextInt(NODES);
        int node = descriptor(nodes, number);
        int kind = random.nextInt(100);
        if (kind < 4) {
            replace(nodes, random.nextInt(NODES), OpenFile.open(UdmabufImport.PATH, OpenFile.Access.READ_WRITE));
        } else if (kind < 12) {
            replace(buffers, random.nextInt(BUFFERS), buffer(random));
        } else if (kind < 14) {
            Ioctl.call(
                    exporter.descriptor(), BarExport.BAR_EXPORT_REVOKE, descriptor(buffers, random.nextInt(BUFFERS)));
        } else if (kind < 45) {
            attach(random, number, node, argument);
        } else if (kind < 70) {
            getMap(random, number, node, argument, room);
        } else if (kind < 88) {
            argument.set(JAVA_INT, 0, handle(random, number));
            if (Ioctl.call(node, ImportNode.DETACH, argument) == 0) {
                detached.incrementAndGet();
            }
        } else if (kind < 92) {
            long[] requests = {ImportNode.ATTACH, ImportNode.GET_MAP, ImportNode.DETACH};
            Ioctl.call(node, requests[random.nextInt(3)], wild(random));
        } else {
            scramble(random, argument);
            // A number of the same type, of any size and direction.
            Ioctl.call(node, random.nextInt() & 0xFFFF_00FFL | 0x7500, argument);
        }
    }

    private void attach(SplittableRandom random, int number, int node, MemorySegment argument) {
        argument.fill((byte) 0);
        argument.set(JAVA_INT, 0, descriptor(random));
        argument.set(JAVA_BYTE, 12, (byte) ImportNode.CONTROLLER_BUS);
        argument.set(JAVA_BYTE, 15, (byte) (48 + random.nextInt(17)));
        if (random.nextInt(5) == 0) {
            argument.set(JAVA_BYTE, random.nextInt(ImportNode.ATTACH_BYTES), (byte) random.nextInt());
        }
        if (Ioctl.call(node, ImportNode.ATTACH, argument) == 0) {
            attached.incrementAndGet();
            handles.set(number * HANDLES + random.nextInt(HANDLES), argument.get(JAVA_INT, 16));
        }
    }

    private void getMap(SplittableRandom random, int number, int node, MemorySegment argument, MemorySegment room) {
        argument.set(JAVA_INT, 0, handle(random, number));
        argument.set(JAVA_INT, 4, number(random, 2));
        argument.set(JAVA_INT, 8, number(random, 20));
        argument.set(JAVA_INT, 12, random.nextInt(20) == 0 ? random.nextInt() : 0);
        argument.set(JAVA_LONG, 16, random.nextInt(8) == 0 ? wild(random) : room.address());
        if (Ioctl.call(node, ImportNode.GET_MAP, argument) == 0) {
            mapped.incrementAndGet();
        }
    }

    /** Random, but for what the kernel could take for where to store to. */
    private static void scramble(SplittableRandom random, MemorySegment argument) {
        for (int i = 0; i < 16; i += 4) {
            argument.set(JAVA_INT, i, random.nextInt());
        }
        for (int i = 16; i < 64; i += 8) {
            argument.set(JAVA_LONG, i, wild(random));
        }
    }

    private OpenFile buffer(SplittableRandom random) {
        Kind kind = Kind.values()[random.nextInt(Kind.values().length)];
        return BarExport.export(kind, 0, 4096L * (1 + random.nextInt(16)));
    }

    private int descriptor(SplittableRandom random) {
        return switch (random.nextInt(20)) {
            case 0 -> random.nextInt();
            case 1 -> noDmaBuf.descriptor();
            case 2 -> descriptor(nodes, random.nextInt(NODES));
            case 3 -> exporter.descriptor();
            default -> descriptor(buffers, random.nextInt(BUFFERS));
        };
    }

    /** Of what may be closed meanwhile. */
    private static int descriptor(AtomicReferenceArray<@Nullable OpenFile> files, int i) {
        OpenFile file = files.get(i);
        return file == null ? -1 : file.descriptor();
    }

    /** Mostly one of that node, which may have been given back or be of a node that was there before. */
    private int handle(SplittableRandom random, int number) {
        return switch (random.nextInt(10)) {
            case 0 -> number(random, 50);
            case 1 -> handles.get(random.nextInt(NODES * HANDLES));
            default -> handles.get(number * HANDLES + random.nextInt(HANDLES));
        };
    }

    private static int number(SplittableRandom random, int usual) {
        return switch (random.nextInt(10)) {
            case 0 -> random.nextInt();
            case 1 -> -1 - random.nextInt(NUMBERS);
            case 2 -> Integer.MAX_VALUE - random.nextInt(NUMBERS);
            default -> random.nextInt(usual);
        };
    }

    private static long wild(SplittableRandom random) {
        return WILD[random.nextInt(WILD.length)];
    }

    private static void replace(AtomicReferenceArray<@Nullable OpenFile> files, int i, @Nullable OpenFile file)
            throws IOException {
        OpenFile before = files.getAndSet(i, file);
        if (before != null) {
            before.close();
        }
    }
}
