package io.aisio.rig;

/** A case cannot run here, for want of something: it is skipped. The message begins with {@code needs}. */
final class NeedsException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NeedsException(String message) {
        super(message);
    }
}
