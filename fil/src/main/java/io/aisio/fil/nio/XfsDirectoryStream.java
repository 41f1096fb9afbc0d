package io.aisio.fil.nio;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/** The names of a directory, as paths beneath the one it was asked by. What cannot be read is told behind all that can. */
final class XfsDirectoryStream implements DirectoryStream<Path> {
    private final XfsPath directory;
    private final Tree.Directory content;
    private final DirectoryStream.Filter<? super Path> filter;
    private boolean taken;
    private volatile boolean closed;

    XfsDirectoryStream(XfsPath directory, Tree.Directory content, DirectoryStream.Filter<? super Path> filter) {
        this.directory = directory;
        this.content = content;
        this.filter = filter;
    }

    @Override
    public synchronized Iterator<Path> iterator() {
        if (closed) {
            throw new IllegalStateException("the stream is closed");
        }
        if (taken) {
            throw new IllegalStateException("its iterator was taken");
        }
        taken = true;
        Iterator<String> names = content.names().keySet().iterator();
        return new Iterator<>() {
            private @Nullable Path next;
            private boolean told;

            @Override
            public synchronized boolean hasNext() {
                while (next == null && !closed && directory.getFileSystem().isOpen() && names.hasNext()) {
                    Path path = directory.child(names.next());
                    try {
                        if (filter.accept(path)) {
                            next = path;
                        }
                    } catch (IOException e) {
                        throw new DirectoryIteratorException(e);
                    }
                }
                if (next == null && !closed && !told && !content.problems().isEmpty()) {
                    told = true;
                    throw new DirectoryIteratorException(content.problems().getFirst());
                }
                return next != null;
            }

            @Override
            public synchronized Path next() {
                if (!hasNext() || next == null) {
                    throw new NoSuchElementException();
                }
                Path path = next;
                next = null;
                return path;
            }
        };
    }

    @Override
    public void close() {
        closed = true;
    }
}
