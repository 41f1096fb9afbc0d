package io.aisio.emu;

import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.upcie.DmaDomain;
import io.aisio.upcie.SharedMemory;
import io.aisio.upcie.UserFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The memory of one user of a controller. A submission queue whose ring is in here executes commands that reach nothing else,
 * that are about one namespace, and that write nothing to the media if the domain is read-only.
 */
final class ProtectionDomain implements DmaDomain {
    private final String name;
    private final IovaSpace space;
    private final boolean readOnly;
    private final int nsid;
    private final List<Memory> memories = new ArrayList<>();
    private boolean closed;

    /**
     * @param name of the controller, for messages
     * @param nsid the namespace that its commands are about
     */
    ProtectionDomain(String name, IovaSpace space, boolean readOnly, int nsid) {
        this.name = name;
        this.space = space;
        this.readOnly = readOnly;
        this.nsid = nsid;
    }

    /** The one namespace that commands of this domain name. */
    int nsid() {
        return nsid;
    }

    @Override
    public boolean isProtected() {
        return true;
    }

    @Override
    public boolean isReadOnly() {
        return readOnly;
    }

    @Override
    public SharedMemory allocate(long bytes) throws IOException {
        if (bytes < 1) {
            throw new IllegalArgumentException(bytes + " bytes of memory");
        }
        if (bytes > Long.MAX_VALUE - Mapping.PAGE_SIZE) {
            throw noMemory(bytes, null);
        }
        long whole = bytes + Mapping.PAGE_SIZE - 1 & -Mapping.PAGE_SIZE;
        OpenFile file;
        try {
            file = OpenFile.inMemory("aisio-domain", whole);
        } catch (LinuxException e) {
            throw noMemory(bytes, e);
        }
        try {
            takePages(file, whole);
            Mapping mapping = Mapping.of(file, whole);
            boolean _ = mapping.preferHugePages();
            return add(mapping, file);
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** Its pages, so that the controller does not find none free when it touches them. */
    private void takePages(OpenFile file, long bytes) throws IOException {
        try {
            file.allocate(0, bytes);
        } catch (LinuxException e) {
            throw noMemory(bytes, e);
        }
    }

    private IOException noMemory(long bytes, @Nullable LinuxException why) {
        return new IOException(
                name + ": no memory for " + bytes + " bytes of a domain"
                        + (why == null ? "" : " (" + why.getMessage() + ")")
                        + "; next: ask for less, or close what is not used",
                why);
    }

    /** Of ordinary pages: the controller touches them. */
    @Override
    public SharedMemory map(OpenFile file, long bytes) throws IOException {
        Mapping mapping = UserFile.map(name, file, bytes, false);
        OpenFile own;
        try {
            own = file.another();
        } catch (IOException | RuntimeException e) {
            mapping.close();
            throw e;
        }
        try {
            takePages(own, bytes);
        } catch (IOException | RuntimeException e) {
            mapping.close();
            own.close();
            throw e;
        }
        try {
            return add(mapping, own);
        } catch (IOException | RuntimeException e) {
            own.close();
            throw e;
        }
    }

    /** Takes in a file that has been looked at; both become the domain's. */
    synchronized Memory add(Mapping mapping, OpenFile file) throws IOException {
        try {
            if (closed) {
                throw new IllegalStateException(name + ": the domain is closed");
            }
            Memory memory = new Memory(space.map(this, mapping, file), file);
            memories.add(memory);
            return memory;
        } catch (IOException | RuntimeException e) {
            mapping.close();
            throw e;
        }
    }

    /** @throws IllegalStateException if a queue has its rings here; nothing is taken back then */
    @Override
    public synchronized void close() {
        for (Memory memory : memories) {
            memory.region.refuseRings();
        }
        for (Memory memory : memories) {
            if (memory.region.hasRings()) {
                memories.forEach(other -> other.region.takeRings());
                throw hasRings();
            }
        }
        closed = true;
        for (Memory memory : memories) {
            memory.region.close();
        }
        memories.clear();
    }

    private IllegalStateException hasRings() {
        return new IllegalStateException(
                name + ": a queue has its rings in memory that is to be taken back; it is deleted before");
    }

    /** One region, and its file. */
    final class Memory implements SharedMemory {
        final IovaSpace.Region region;
        private final OpenFile file;

        Memory(IovaSpace.Region region, OpenFile file) {
            this.region = region;
            this.file = file;
        }

        @Override
        public OpenFile file() {
            return file;
        }

        @Override
        public MemorySegment segment() {
            return region.segment();
        }

        @Override
        public long iova(long offset) {
            return region.iova(offset);
        }

        @Override
        public void close() {
            synchronized (ProtectionDomain.this) {
                if (memories.contains(this)) {
                    region.refuseRings();
                    if (region.hasRings()) {
                        region.takeRings();
                        throw hasRings();
                    }
                    memories.remove(this);
                    region.close();
                }
            }
        }
    }
}
