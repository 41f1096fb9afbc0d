package io.aisio.cuda;

import java.io.IOException;

/**
 * A call of one of NVIDIA's libraries that failed, or one that could not be made because the library, the function or the
 * GPU is not there. Its message has the call, the error by CUDA's name and what to do.
 */
public final class CudaException extends IOException {
    private static final long serialVersionUID = 1L;

    /** What {@link #name()} tells where no call was made. */
    static final String ABSENT = "ABSENT";

    private final String name;
    private final int code;

    CudaException(String message, String name, int code) {
        super(message);
        this.name = name;
        this.code = code;
    }

    /** A call that failed. */
    static CudaException failed(String call, String name, int code, String advice) {
        return new CudaException(call + ": " + name + (advice.isEmpty() ? "" : ": " + advice), name, code);
    }

    /**
     * Something is not there.
     *
     * @param sentence what, and the next step
     */
    static CudaException absent(String sentence) {
        return new CudaException(sentence, ABSENT, -1);
    }

    /** A call that was not made, because of one that failed before. */
    static CudaException after(CudaException first) {
        CudaException again = new CudaException(
                "the GPU's context is broken, start the program anew; it was broken by " + first.getMessage(),
                first.name,
                first.code);
        again.initCause(first);
        return again;
    }

    /** The error by its name in the library's header, such as {@code CUDA_ERROR_OUT_OF_MEMORY}; {@code ABSENT} if no call was made. */
    public String name() {
        return name;
    }

    /** Its number, such as 2 of {@code cuda.h}'s; -1 if no call was made. */
    public int code() {
        return code;
    }
}
