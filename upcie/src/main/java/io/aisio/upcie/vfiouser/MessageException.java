package io.aisio.upcie.vfiouser;

import java.io.IOException;

/** The other end sent what is no message: from here on nothing that it sends can be understood. */
public final class MessageException extends IOException {
    private static final long serialVersionUID = 1L;

    /** @param message what is wrong with it */
    public MessageException(String message) {
        super(message);
    }
}
