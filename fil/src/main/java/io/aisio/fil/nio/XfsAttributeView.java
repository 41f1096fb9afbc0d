package io.aisio.fil.nio;

import java.io.IOException;
import java.nio.file.ReadOnlyFileSystemException;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.UserPrincipal;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Attributes of a file, read each time they are asked for; none can be set. */
final class XfsAttributeView implements PosixFileAttributeView {
    private final String name;
    private final Reading reading;

    /** Reads a file's attributes. */
    @FunctionalInterface
    interface Reading {
        XfsFileAttributes read() throws IOException;
    }

    /** @param name of the view that was asked for: {@code basic}, {@code owner} or {@code posix} */
    XfsAttributeView(String name, Reading reading) {
        this.name = name;
        this.reading = reading;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public XfsFileAttributes readAttributes() throws IOException {
        return reading.read();
    }

    @Override
    public UserPrincipal getOwner() throws IOException {
        return reading.read().owner();
    }

    @Override
    public void setOwner(UserPrincipal owner) {
        throw new ReadOnlyFileSystemException();
    }

    @Override
    public void setGroup(GroupPrincipal group) {
        throw new ReadOnlyFileSystemException();
    }

    @Override
    public void setPermissions(Set<PosixFilePermission> permissions) {
        throw new ReadOnlyFileSystemException();
    }

    @Override
    public void setTimes(@Nullable FileTime lastModified, @Nullable FileTime lastAccess, @Nullable FileTime created) {
        throw new ReadOnlyFileSystemException();
    }
}
