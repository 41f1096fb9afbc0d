package io.aisio.emu;

/** Another device did not copy to or from its memory, or the memory is gone: the command is a transfer that failed. */
final class TransferFailure extends IllegalStateException {
    private static final long serialVersionUID = 1L;

    TransferFailure(Exception cause) {
        super("another device's memory could not be copied to or from: " + cause.getMessage(), cause);
    }
}
