package io.aisio.emu;

import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.Bar;

/**
 * A queue pair whose commands the controller carries out once more, without a driver: only doorbells are rung, over
 * entries that are in the ring already. What a round takes is what the controller costs; a driver's cost is the rest.
 *
 * <p>The queue pair is one that a driver has filled every entry of, and does not use any more: its positions are here now.
 */
public final class ReplayedQueue {
    /** Steps after which a round is held to be stuck; one is enough but for the first. */
    private static final int PATIENCE = 10_000;

    private final EmuController controller;
    private final Bar bar;
    private final long sqTail;
    private final long cqHead;
    private final int depth;
    private int position;

    /**
     * @param controller which is stepped here, so its own thread does not run
     * @param qid the queue pair
     * @param depth commands of a round: one less than the entries of both rings
     */
    public ReplayedQueue(EmuController controller, int qid, int depth) {
        this.controller = controller;
        this.depth = depth;
        bar = controller.function().bar(0);
        int stride = controller.configuration().doorbellStride();
        sqTail = Registers.sqTailDoorbell(qid, stride);
        cqHead = Registers.cqHeadDoorbell(qid, stride);
        position = bar.read32(sqTail);
        if (position != bar.read32(cqHead)) {
            throw new IllegalStateException("queue " + qid + " has commands in flight");
        }
    }

    /** Lets the controller do a round of {@code depth} commands. */
    public void round() {
        // Both rings have the same size and, at rest, the same position.
        position += depth;
        if (position > depth) {
            position -= depth + 1;
        }
        bar.write32(sqTail, position);
        int done = 0;
        for (int steps = 0; done < depth; steps++) {
            done += controller.step();
            if (steps > PATIENCE) {
                throw new IllegalStateException("the controller did " + done + " of " + depth + " commands");
            }
        }
        bar.write32(cqHead, position);
    }
}
