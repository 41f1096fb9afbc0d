package io.aisio.bench;

import java.util.ArrayList;
import java.util.List;

/** The first failures in words, so that a device that fails a million times a second does not fill memory with them. */
final class Failures {
    /** Enough to see a pattern, few enough to read. */
    static final int SHOWN = 10;

    private final List<String> first = new ArrayList<>();

    synchronized void add(String failure) {
        if (first.size() < SHOWN) {
            first.add(failure);
        }
    }

    /** Whether another one would be kept. */
    synchronized boolean open() {
        return first.size() < SHOWN;
    }

    synchronized List<String> first() {
        return List.copyOf(first);
    }

    /** What an exception says, in one line. */
    static String text(Throwable failure) {
        String message = failure.getMessage();
        return message == null || message.isBlank() ? failure.getClass().getSimpleName() : message;
    }
}
