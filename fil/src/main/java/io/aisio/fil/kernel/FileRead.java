package io.aisio.fil.kernel;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.ReadableFiles;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A file on its way into memory: opened, read as it is now by whoever has this, looked at again, and read anew if it changed
 * meanwhile. That it is not as it was listed is noted. One file after another takes its place.
 */
final class FileRead {
    /** How often a file is read anew that does not stand still. */
    private static final int AGAIN = 3;

    private final Folder folder;
    private final BatchSlots batches;
    private final ReadableFiles files;
    private final int number;

    private int slot;
    private int index;
    private long offset;
    private long room;
    private long size;
    private int stamp;
    private int reread;
    private boolean open;
    private boolean direct;
    /** Whether it ended before its size. */
    private boolean ended;

    // The state of who reads it in several commands at once.
    /** What of it no command was made for yet begins here. */
    long next;

    int commands;
    private @Nullable LinuxException failure;

    /** @param number of the file among those that are open */
    FileRead(Folder folder, BatchSlots batches, ReadableFiles files, int number) {
        this.folder = folder;
        this.batches = batches;
        this.files = files;
        this.number = number;
    }

    /** What came of opening a file. */
    enum Opening {
        /** It is to be read. */
        OPEN,
        /** It could not be opened: nothing more is to do. */
        SETTLED,
        /** There is no descriptor for it before another file is closed. */
        LATER
    }

    /** Opens a file of a batch. */
    Opening open(int itsSlot, int itsIndex) {
        slot = itsSlot;
        index = itsIndex;
        offset = batches.offset(slot, index);
        room = batches.room(slot, index);
        reread = 0;
        failure = null;
        String path = batches.path(slot, index);
        direct = folder.direct();
        int errno = folder.open(files, number, path, direct);
        if (errno == Errno.EMFILE && batches.open() > 0) {
            return Opening.LATER;
        }
        if (errno == Errno.EINVAL && direct) {
            // A directory by now; or one that the file system does not read past the cache, unlike the first.
            errno = folder.open(files, number, path, false);
            if (errno == 0 && files.isRegular()) {
                if (folder.requires()) {
                    files.close(number);
                    errno = Errno.EINVAL;
                } else {
                    direct = false;
                    folder.notDirect(path);
                }
            }
        }
        if (errno != 0) {
            batches.settle(slot, index, 0, new LinuxException("openat2", folder.shown(path), errno));
            return Opening.SETTLED;
        }
        open = true;
        batches.opened();
        if (!files.isRegular()) {
            fail(new IOException(shown() + ": it was a regular file when it was listed, and is none now"));
            return Opening.SETTLED;
        }
        return begins() ? Opening.OPEN : Opening.SETTLED;
    }

    /** Begins to read what was looked at just now; false if it has no room. */
    private boolean begins() {
        size = files.size();
        stamp = Stamp.of(files);
        next = 0;
        ended = false;
        if (size > room) {
            fail(new IOException("%s: it has grown from %d to %d bytes since it was listed, and has room for %d"
                    .formatted(shown(), batches.listedSize(slot, index), size, room)));
            return false;
        }
        return true;
    }

    /**
     * Ends with a file of which everything was read.
     *
     * @return false if it is to be read anew, from its beginning, with the size that it has now
     */
    boolean settles() {
        LinuxException why = failure;
        if (why != null) {
            if (goesThroughCache(why.errno())) {
                return false;
            }
            fail(why);
            return true;
        }
        int errno = files.look(number);
        if (errno != 0) {
            fail(new LinuxException("statx", shown(), errno));
            return true;
        }
        if (!ended && files.size() == size && Stamp.of(files) == stamp) {
            try {
                batches.zero(offset + size, room - size);
            } catch (IOException e) {
                fail(e);
                return true;
            }
            close();
            if (stamp != batches.listedStamp(slot, index)) {
                batches.readChanged();
            }
            batches.settle(slot, index, size, null);
            return true;
        }
        if (reread++ < AGAIN) {
            return !begins();
        }
        fail(new IOException("%s: it changed each of the %d times that it was read%s"
                .formatted(shown(), AGAIN + 1, ended ? ", and ended before its " + size + " bytes" : "")));
        return true;
    }

    /** Begins again through the page cache, if the file system does not read the file past it and need not. */
    private boolean goesThroughCache(int errno) {
        boolean refused = errno == Errno.EINVAL || errno == Errno.EOPNOTSUPP;
        if (!direct || !refused || folder.requires() || files.throughCache(number) != 0) {
            return false;
        }
        direct = false;
        folder.notDirect(batches.path(slot, index));
        failure = null;
        ended = false;
        next = 0;
        return true;
    }

    /** Ends with a file of which nothing is read any more, if it has one. */
    void abandon(LinuxException why) {
        if (open) {
            close();
            batches.fail(slot, index, why);
        }
    }

    /** Ends with a file that cannot be read. */
    void fail(IOException why) {
        close();
        batches.settle(slot, index, 0, why);
    }

    /** Notes why it cannot be read, for when nothing of it is under way any more; no more commands are made. */
    void failLater(String call, long position, int errno) {
        if (failure == null) {
            failure = new LinuxException(call, "%s, byte %d".formatted(shown(), position), errno);
        }
        next = size;
    }

    /** Notes that it ended before its size. */
    void endsEarly() {
        ended = true;
    }

    /** Where the open file can be opened once more, whatever its name stands for by now. */
    Path link() {
        return files.link(number);
    }

    /** How messages name the file. */
    String shown() {
        return folder.shown(batches.path(slot, index));
    }

    /** The number of the file among those that are open. */
    int number() {
        return number;
    }

    /** Bytes that it has, as it was looked at last. */
    long size() {
        return size;
    }

    /** Where a byte of it goes in the batches' memory. */
    long offset(long position) {
        return offset + position;
    }

    /**
     * Bytes of a command.
     *
     * @param most of any command, a multiple of a block
     * @return whole blocks, perhaps beyond the end of the file, but not of its room
     */
    int bytes(long position, int most) {
        int block = folder.block();
        long rest = Math.ceilDiv(size - position, block) * block;
        return (int) Math.min(rest, most);
    }

    private void close() {
        if (open) {
            open = false;
            files.close(number);
            batches.closed();
        }
    }
}
