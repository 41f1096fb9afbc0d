package io.aisio.xal.mount;

import java.io.IOException;

/** A file is not what it was, or not long enough the same to be told of: nothing is wrong with it. */
public final class FileChangedException extends IOException {
    private static final long serialVersionUID = 1L;

    FileChangedException(String message) {
        super(message);
    }
}
