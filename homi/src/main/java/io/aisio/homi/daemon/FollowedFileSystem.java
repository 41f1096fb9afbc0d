package io.aisio.homi.daemon;

import io.aisio.linux.OpenFile;
import io.aisio.xal.Change;
import io.aisio.xal.Index;
import io.aisio.xal.Placement;
import io.aisio.xal.Watch;
import io.aisio.xal.Xal;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A mounted file system and its index, which is made when somebody first asks for it: the file system may be on a block
 * device that the daemon itself serves, and mounted later. One that was unmounted is made anew.
 */
final class FollowedFileSystem implements AutoCloseable {
    private final Configuration.FileSystem configured;
    private final Events events;
    private final String sharedName;
    private final Set<Long> readers = ConcurrentHashMap.newKeySet();
    private final AtomicLong changes = new AtomicLong();
    private @Nullable Index index;
    private long offset;
    private volatile @Nullable String ended;
    private volatile boolean stale;
    private boolean closed;

    FollowedFileSystem(Configuration.FileSystem configured, Path socket, Events events) {
        this.configured = configured;
        this.events = events;
        // The same after a restart, so that what a daemon left that was killed is found and removed.
        sharedName = "homi-" + Integer.toHexString((socket.toAbsolutePath() + "\n" + configured.mount()).hashCode());
    }

    Configuration.FileSystem configured() {
        return configured;
    }

    /** The memory of the index, for a client, who closes it. */
    synchronized OpenFile open(long client) throws IOException {
        OpenFile memory = following().openMemory();
        readers.add(client);
        return memory;
    }

    private Index following() throws IOException {
        if (closed) {
            throw new IOException("the daemon ends");
        }
        Index now = index;
        if (now != null && ended == null) {
            return now;
        }
        if (now != null) {
            now.close();
            index = null;
        }
        ended = null;
        stale = false;
        changes.set(0);
        offset = place();
        Index opened = Index.follow(
                Path.of(configured.mount()),
                Index.Follow.UPDATE.shared(sharedName).extents(Watch.Extents.IF_POSSIBLE),
                this::updated);
        index = opened;
        events.add(
                "extents",
                configured.device(),
                configured.mount() + " is followed by " + opened.how() + ": " + opened.files() + " files");
        return opened;
    }

    /** By the index's own thread. */
    private void updated(Index.Update update) {
        changes.incrementAndGet();
        switch (update.change()) {
            case Change.Ended(String why) -> {
                ended = why;
                tell(why);
            }
            case Change.Everything(String why) -> tell(why);
            default -> stale = false;
        }
    }

    /** Once each time that it becomes so. */
    private void tell(String why) {
        if (!stale) {
            stale = true;
            events.add("extents-stale", configured.device(), configured.mount() + ": " + why);
        }
    }

    /** Where the file system begins on the namespace, in bytes, as it was when it was opened last. */
    synchronized long offset() {
        return offset;
    }

    /**
     * The same as it is now.
     *
     * @throws IOException if it is not mounted, or does not lie in one piece
     */
    long place() throws IOException {
        try (Xal mounted = Xal.mounted(Path.of(configured.mount()), false)) {
            Placement placement = Placement.of(mounted);
            if (placement.offset() != Placement.NOWHERE) {
                return placement.offset();
            }
            // An image, which a software controller has as its namespace and the kernel as a whole loop device.
            if (placement.device().startsWith("loop")) {
                return 0;
            }
            throw new IOException(configured.mount() + " does not lie on " + configured.device() + " in one piece: "
                    + placement.reason());
        }
    }

    void left(long client) {
        readers.remove(client);
    }

    synchronized FileSystemStatus status(int pins) {
        Index now = index;
        String state = "closed";
        String why = "";
        String how = "";
        long[] counts = new long[4];
        if (now != null) {
            try {
                Index.Status status = now.status();
                String end = ended;
                state = status.state() == Index.State.CURRENT && end == null ? "current" : "stale";
                why = end == null ? status.reason() : end;
                how = now.how();
                counts = new long[] {now.files(), now.directories(), now.extentRows(), now.bytes()};
            } catch (IOException | IllegalStateException e) {
                state = "stale";
                why = String.valueOf(e.getMessage());
            }
        }
        return new FileSystemStatus(
                configured.mount(),
                configured.device(),
                configured.nsid(),
                state,
                why,
                how,
                counts[0],
                counts[1],
                counts[2],
                counts[3],
                readers.size(),
                pins,
                changes.get());
    }

    @Override
    public void close() {
        Index now;
        synchronized (this) {
            closed = true;
            now = index;
            index = null;
        }
        if (now != null) {
            try {
                now.close();
            } catch (IOException e) {
                events.add("error", configured.device(), configured.mount() + ": " + e.getMessage());
            }
        }
    }
}
