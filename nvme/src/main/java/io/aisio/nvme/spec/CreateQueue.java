package io.aisio.nvme.spec;

/** Bits of command dword 11 of Create I/O Completion Queue and Create I/O Submission Queue (sections 5.3 and 5.4). */
public final class CreateQueue {
    /** The queue is physically contiguous (PC). */
    public static final int CONTIGUOUS = 1;
    /** Of a completion queue: interrupts are enabled (IEN). */
    public static final int INTERRUPTS_ENABLED = 1 << 1;
    /** Where a completion queue's interrupt vector stands, or a submission queue's completion queue. */
    public static final int VECTOR_SHIFT = 16;

    private CreateQueue() {}
}
