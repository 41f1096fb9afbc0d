package io.aisio.bench;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;

/** What was opened: closed the other way round, each whatever becomes of the others. One thread's. */
final class Opened implements AutoCloseable {
    private final Deque<AutoCloseable> kept = new ArrayDeque<>();

    /** Keeps one to be closed. */
    <T extends AutoCloseable> T keep(T one) {
        kept.push(one);
        return one;
    }

    /** Leaves all open: they go with the process. */
    void abandon() {
        kept.clear();
    }

    /** Closes what is kept; closing again does nothing. What fails later than the first is suppressed in that. */
    @Override
    public void close() throws IOException {
        IOException first = null;
        while (!kept.isEmpty()) {
            try {
                kept.pop().close();
            } catch (Exception e) {
                IOException failure =
                        e instanceof IOException io ? io : new IOException("cannot be closed: " + Failures.text(e), e);
                if (first == null) {
                    first = failure;
                } else {
                    first.addSuppressed(failure);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }
}
