package io.aisio.fil.nio;

import io.aisio.xal.Volume;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.FileOwnerAttributeView;
import java.nio.file.attribute.FileStoreAttributeView;
import java.nio.file.attribute.PosixFileAttributeView;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The volume that a file system lies on, as it was when it was opened. */
final class XfsFileStore extends FileStore {
    private static final Set<Class<?>> VIEWS =
            Set.of(BasicFileAttributeView.class, FileOwnerAttributeView.class, PosixFileAttributeView.class);

    private final String device;
    private final Volume volume;

    XfsFileStore(String device, Volume volume) {
        this.device = device;
        this.volume = volume;
    }

    /** The device. */
    @Override
    public String name() {
        return device;
    }

    @Override
    public String type() {
        return volume.type();
    }

    @Override
    public boolean isReadOnly() {
        return true;
    }

    /** Size of the volume in bytes, that of its log too. */
    @Override
    public long getTotalSpace() {
        return volume.blocks() * volume.blockBytes();
    }

    /** None: nothing can be written here. */
    @Override
    public long getUsableSpace() {
        return 0;
    }

    /** The bytes of blocks that no file has. */
    @Override
    public long getUnallocatedSpace() {
        return volume.freeBlocks() * volume.blockBytes();
    }

    @Override
    public long getBlockSize() {
        return volume.blockBytes();
    }

    @Override
    public boolean supportsFileAttributeView(Class<? extends FileAttributeView> type) {
        return VIEWS.contains(type);
    }

    @Override
    public boolean supportsFileAttributeView(String name) {
        return XfsFileAttributes.VIEWS.containsKey(name);
    }

    @Override
    public <V extends FileStoreAttributeView> @Nullable V getFileStoreAttributeView(Class<V> type) {
        return null;
    }

    @Override
    public Object getAttribute(String attribute) throws IOException {
        return switch (attribute) {
            case "totalSpace" -> getTotalSpace();
            case "usableSpace" -> getUsableSpace();
            case "unallocatedSpace" -> getUnallocatedSpace();
            case "blockSize" -> getBlockSize();
            default -> throw new UnsupportedOperationException("'" + attribute + "' is not recorded of " + device);
        };
    }

    @Override
    public String toString() {
        return device + " (" + volume.type() + ")";
    }
}
