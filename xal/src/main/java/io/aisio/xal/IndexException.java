package io.aisio.xal;

import java.io.IOException;

/** An index that cannot be used as it is: its owner is gone, somebody else's, being built, or damaged. */
public final class IndexException extends IOException {
    private static final long serialVersionUID = 1L;

    /**
     * @param index how it is named
     * @param problem what is wrong, with the values
     */
    public IndexException(String index, String problem) {
        super(index + ": " + problem);
    }
}
