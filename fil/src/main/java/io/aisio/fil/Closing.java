package io.aisio.fil;

import java.io.IOException;
import java.util.List;

/** Closes many things, each whatever becomes of the others. */
final class Closing {
    private Closing() {}

    /**
     * Closes all, in order.
     *
     * @throws IOException what the first one threw that could not be closed, with the others' suppressed in it
     */
    static void all(List<? extends AutoCloseable> resources) throws IOException {
        IOException failure = null;
        for (AutoCloseable each : resources) {
            try {
                each.close();
            } catch (Exception e) {
                IOException what =
                        e instanceof IOException io ? io : new IOException("could not be closed: " + e.getMessage(), e);
                if (failure == null) {
                    failure = what;
                } else {
                    failure.addSuppressed(what);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    /** The same after something went wrong, in which what cannot be closed is suppressed. */
    static void allAfter(Throwable why, List<? extends AutoCloseable> resources) {
        try {
            all(resources);
        } catch (IOException e) {
            why.addSuppressed(e);
        }
    }
}
