package io.aisio.upcie;

import io.aisio.linux.OpenFile;

/**
 * Memory that a device reaches and that another process has too: both map one file.
 *
 * <p>What is in it is hostile: whoever has the file changes it at any time. It cannot be cut short under this process's
 * mapping, for its file is sealed against that.
 */
public interface SharedMemory extends DmaMemory {
    /**
     * The file, of {@link #size()} bytes from its start on, to be passed on; it is this memory's, and closed with it. A
     * descriptor that was passed stays good after that, but leads to nothing that the device reaches.
     */
    OpenFile file();

    /**
     * {@inheritDoc}
     *
     * <p>Whoever closes it knows that no command names it any more. Where no IOMMU translates, a command that is in flight, or
     * a user's that punches a hole into his own file, has the device write to pages that may be somebody else's by then.
     */
    @Override
    void close();
}
