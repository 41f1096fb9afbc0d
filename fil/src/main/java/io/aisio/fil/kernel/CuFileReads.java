package io.aisio.fil.kernel;

import io.aisio.cuda.CuFile;
import io.aisio.cuda.CuFileBatch;
import io.aisio.cuda.CuFileHandle;
import io.aisio.cuda.GpuMemory;
import io.aisio.cuda.GpuStream;
import io.aisio.fil.kernel.FileRead.Opening;
import io.aisio.fil.spi.Backend.CuFileCalls;
import io.aisio.fil.spi.Backend.Target;
import io.aisio.fil.spi.BatchReads;
import io.aisio.linux.OpenFile;
import io.aisio.linux.ReadableFiles;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Reads files by cuFile, in rounds: so many reads are made as one round has, of one file or many, and waited for; then the files
 * that are read wholly are looked at again. Each file is registered with cuFile while it is read.
 */
final class CuFileReads implements BatchReads {
    /** How long a round may take. */
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final BatchSlots batches;
    private final GpuMemory memory;
    private final CuFile cuFile;
    private final ReadableFiles files;
    private final int block;
    private final int most;
    private final Calls calls;
    private final CuFile.@Nullable Registration registration;

    /** Files that are not in use. */
    private final Deque<Open> idle = new ArrayDeque<>();
    /** Files under way, the one of which commands are made first. */
    private final Deque<Open> open = new ArrayDeque<>();

    private final List<Request> round = new ArrayList<>();
    /** Whether the batches' next file waits for a descriptor. */
    private boolean held;

    private int heldSlot;
    private int heldIndex;
    /** Why nothing is read any more; null as long as something is. */
    private @Nullable IOException lost;

    private long commands;
    private long prepareNanos;

    /** A file under way. */
    private static final class Open {
        final FileRead file;

        @Nullable
        CuFileHandle handle;

        @Nullable
        IOException failure;

        Open(FileRead file) {
            this.file = file;
        }
    }

    /** One read. */
    private record Request(Open open, CuFileHandle handle, long position, int bytes) {}

    /** Told of a read that has ended. */
    @FunctionalInterface
    private interface Ended {
        /** @param why it failed; null if it did not */
        void ended(int tag, long bytes, @Nullable IOException why);
    }

    /** How a round's reads are made. */
    private interface Calls extends AutoCloseable {
        /** How many a round may have. */
        int most();

        /** Makes a read, or keeps it for {@link #finish}; if it throws, this one alone is not made. */
        void read(Request request, long offset, int tag) throws IOException;

        /**
         * Waits for all that were made, and tells of each.
         *
         * @throws IOException if they are not known to have ended
         */
        void finish(Ended each) throws IOException;

        @Override
        void close();
    }

    private CuFileReads(
            Folder folder,
            BatchSlots batches,
            GpuMemory memory,
            CuFile cuFile,
            Calls calls,
            CuFile.@Nullable Registration registration) {
        this.batches = batches;
        this.memory = memory;
        this.cuFile = cuFile;
        this.calls = calls;
        this.registration = registration;
        block = folder.block();
        most = folder.commandBytes();
        files = new ReadableFiles(calls.most());
        for (int i = 0; i < calls.most(); i++) {
            idle.add(new Open(new FileRead(folder, batches, files, i)));
        }
    }

    static CuFileReads open(Folder folder, BatchSlots batches, CuFile cuFile, Target target, int depth)
            throws IOException {
        GpuMemory memory = Objects.requireNonNull(batches.gpuMemory(), "memory of a GPU");
        CuFile.Registration registration = target.registered() ? cuFile.register(memory) : null;
        try {
            Calls calls = switch (target.calls()) {
                case ONE_BY_ONE -> new OneByOne(memory);
                case BATCHES -> new Batches(cuFile, memory, Math.min(depth, cuFile.mostInBatch()));
                case STREAM -> new Streamed(target.gpu().openStream(), memory, depth);
            };
            return new CuFileReads(folder, batches, memory, cuFile, calls, registration);
        } catch (IOException | RuntimeException | Error e) {
            if (registration != null) {
                registration.close();
            }
            throw e;
        }
    }

    /** {@link CuFileCalls#ONE_BY_ONE}. */
    private static final class OneByOne implements Calls {
        private final GpuMemory memory;
        private boolean made;
        private long moved;

        OneByOne(GpuMemory memory) {
            this.memory = memory;
        }

        @Override
        public int most() {
            return 1;
        }

        @Override
        public void read(Request request, long offset, int tag) throws IOException {
            made = false;
            moved = request.handle.read(memory, offset, request.position, request.bytes);
            made = true;
        }

        @Override
        public void finish(Ended each) {
            if (made) {
                each.ended(0, moved, null);
            }
        }

        @Override
        public void close() {}
    }

    /** {@link CuFileCalls#BATCHES}. */
    private static final class Batches implements Calls {
        private final CuFileBatch batch;
        private final GpuMemory memory;
        private final int most;
        private int made;

        Batches(CuFile cuFile, GpuMemory memory, int most) throws IOException {
            batch = cuFile.openBatch(most);
            this.memory = memory;
            this.most = most;
        }

        @Override
        public int most() {
            return most;
        }

        @Override
        public void read(Request request, long offset, int tag) {
            batch.read(request.handle, memory, offset, request.position, request.bytes, tag);
            made++;
        }

        @Override
        public void finish(Ended each) throws IOException {
            int wanted = made;
            made = 0;
            if (wanted > 0) {
                batch.submit();
            }
            long until = System.nanoTime() + PATIENCE.toNanos();
            while (wanted > 0) {
                wanted -= batch.await(
                        1,
                        PATIENCE,
                        (tag, bytes) ->
                                each.ended((int) tag, bytes, bytes < 0 ? new IOException("error " + -bytes) : null));
                if (wanted > 0 && System.nanoTime() - until > 0) {
                    throw new IOException(
                            "%d reads of a batch did not end within %d s".formatted(wanted, PATIENCE.toSeconds()));
                }
            }
        }

        @Override
        public void close() {
            batch.close();
        }
    }

    /** {@link CuFileCalls#STREAM}. */
    private static final class Streamed implements Calls {
        private final GpuStream stream;
        private final GpuMemory memory;
        private final int most;
        private final List<CuFileHandle.Transfer> transfers = new ArrayList<>();
        private final int[] tags;

        Streamed(GpuStream stream, GpuMemory memory, int most) {
            this.stream = stream;
            this.memory = memory;
            this.most = most;
            tags = new int[most];
        }

        @Override
        public int most() {
            return most;
        }

        @Override
        public void read(Request request, long offset, int tag) throws IOException {
            CuFileHandle.Transfer transfer =
                    request.handle.readAsync(stream, memory, offset, request.position, request.bytes);
            tags[transfers.size()] = tag;
            transfers.add(transfer);
        }

        @Override
        public void finish(Ended each) throws IOException {
            List<CuFileHandle.Transfer> all = List.copyOf(transfers);
            transfers.clear();
            stream.synchronize();
            for (int i = 0; i < all.size(); i++) {
                long bytes = 0;
                IOException why = null;
                try {
                    bytes = all.get(i).bytes();
                } catch (IOException e) {
                    why = e;
                }
                each.ended(tags[i], bytes, why);
            }
        }

        @Override
        public void close() {
            stream.close();
        }
    }

    @Override
    public MemorySegment memory() {
        return batches.memory();
    }

    @Override
    public GpuMemory gpuMemory() {
        return memory;
    }

    @Override
    public void begin(int slot, int[] rows, long[] at, int n) {
        batches.begin(slot, rows, at, n);
    }

    /** {@inheritDoc} A turn is a round of reads, which it waits for. */
    @Override
    public int drive(int[] done, boolean wait) {
        boolean moved = false;
        long begun = System.nanoTime();
        for (Open one : open) {
            fill(one);
        }
        while (round.size() < calls.most() && opens()) {
            moved = true;
        }
        prepareNanos += System.nanoTime() - begun;
        if (!round.isEmpty()) {
            moved = true;
            reads();
        }
        settles();
        int n = batches.takeEnded(done);
        return n > 0 || moved ? n : -1;
    }

    /** Opens the next file, and makes commands of it; false if there is none, or it has to wait for another to be closed. */
    private boolean opens() {
        Open next = idle.peek();
        if (next == null) {
            return false;
        }
        if (!held) {
            if (!batches.next()) {
                return false;
            }
            heldSlot = batches.slot();
            heldIndex = batches.index();
        }
        Opening opening = next.file.open(heldSlot, heldIndex);
        held = opening == Opening.LATER;
        if (opening == Opening.OPEN) {
            idle.remove();
            next.failure = lost;
            open.addLast(next);
            register(next);
            fill(next);
        }
        return !held;
    }

    /** Registers a file with cuFile, unless there is nothing to read. */
    private void register(Open one) {
        if (one.failure == null && one.handle == null && one.file.size() > 0) {
            try {
                one.handle = cuFile.openFile(one.file.link(), OpenFile.Access.READ_ONLY);
            } catch (IOException e) {
                fail(one, e);
            }
        }
    }

    /** Makes commands of a file, as many as the round has room for. */
    private void fill(Open one) {
        CuFileHandle handle = one.handle;
        FileRead file = one.file;
        while (handle != null && one.failure == null && file.next < file.size() && round.size() < calls.most()) {
            int bytes = file.bytes(file.next, most);
            round.add(new Request(one, handle, file.next, bytes));
            file.next += bytes;
        }
    }

    /** Makes the reads of a round, and takes what became of them. */
    private void reads() {
        for (int tag = 0; tag < round.size(); tag++) {
            Request request = round.get(tag);
            commands++;
            try {
                calls.read(request, request.open.file.offset(request.position), tag);
            } catch (IOException e) {
                fail(request.open, e);
            }
        }
        try {
            calls.finish((tag, bytes, why) -> ended(round.get(tag), bytes, why));
        } catch (IOException e) {
            // They may still be under way: nothing is read into this memory any more.
            lost = e;
            for (Open one : open) {
                fail(one, e);
            }
        }
        round.clear();
    }

    private void ended(Request request, long bytes, @Nullable IOException why) {
        FileRead file = request.open.file;
        long wanted = Math.min(request.bytes, file.size() - request.position);
        if (why != null) {
            fail(request.open, why);
        } else if (bytes < wanted) {
            // What was read in part is read on, from where a block begins.
            long step = bytes - bytes % block;
            if (step == 0) {
                file.endsEarly();
            } else {
                file.next = Math.min(file.next, request.position + step);
            }
        }
    }

    private static void fail(Open one, IOException why) {
        if (one.failure == null) {
            one.failure = new IOException(
                    "%s could not be read by cuFile: %s".formatted(one.file.shown(), why.getMessage()), why);
        }
    }

    /** Ends with the files of which everything was read. */
    private void settles() {
        for (int i = open.size(); i > 0; i--) {
            Open one = open.removeFirst();
            IOException why = one.failure;
            one.failure = null;
            if (why != null) {
                closeHandle(one);
                one.file.fail(why);
                idle.add(one);
            } else if (one.file.next >= one.file.size() && one.file.settles()) {
                closeHandle(one);
                idle.add(one);
            } else {
                // It may have been empty when it was opened, and have grown.
                register(one);
                open.addLast(one);
            }
        }
    }

    private static void closeHandle(Open one) {
        CuFileHandle handle = one.handle;
        if (handle != null) {
            handle.close();
            one.handle = null;
        }
    }

    @Override
    public @Nullable IOException failure(int slot, int i) {
        return batches.failure(slot, i);
    }

    @Override
    public long length(int slot, int i) {
        return batches.length(slot, i);
    }

    @Override
    public long commands() {
        return commands;
    }

    @Override
    public long changed() {
        return batches.changed();
    }

    /** {@inheritDoc} It is what opening files and registering them took. */
    @Override
    public long prepareNanos() {
        return prepareNanos;
    }

    @Override
    public void close() {
        for (Open one : open) {
            closeHandle(one);
        }
        calls.close();
        if (registration != null) {
            registration.close();
        }
        files.close();
        batches.close();
    }
}
