package io.aisio.emu;

import io.aisio.nvme.spec.Status;
import io.aisio.upcie.PeerMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Moves data between media and other devices' memory, which those devices copy: by way of memory of the controller's. A copy
 * that fails, or memory that is gone, is a {@link TransferFailure}.
 */
final class CopyEngine {
    /** What is copied at once: chosen to stay in a core's cache, and so large that starting a copy costs little of it. */
    private static final long CHUNK = 256 << 10;

    /** Made when it is needed first, as few controllers ever do. */
    private MemorySegment staging = MemorySegment.NULL;

    /** From another device's memory to ours. */
    static void fromPeer(PeerMemory peer, long offset, MemorySegment into) {
        try {
            peer.read(offset, into);
        } catch (IOException | IllegalStateException e) {
            throw new TransferFailure(e);
        }
    }

    /** From our memory to another device's. */
    static void toPeer(PeerMemory peer, long offset, MemorySegment from) {
        try {
            peer.write(offset, from);
        } catch (IOException | IllegalStateException e) {
            throw new TransferFailure(e);
        }
    }

    /** {@link Media#read} to another device's memory. */
    int read(Media media, long position, PeerMemory peer, long offset, long bytes) {
        for (long done = 0; done < bytes; done += CHUNK) {
            long part = Math.min(CHUNK, bytes - done);
            MemorySegment memory = staging();
            int status = media.read(position + done, memory, 0, part);
            if (status != Status.SUCCESS) {
                return status;
            }
            toPeer(peer, offset + done, memory.asSlice(0, part));
        }
        return Status.SUCCESS;
    }

    /** {@link Media#write} from another device's memory. */
    int write(Media media, long position, PeerMemory peer, long offset, long bytes) {
        for (long done = 0; done < bytes; done += CHUNK) {
            long part = Math.min(CHUNK, bytes - done);
            MemorySegment memory = staging();
            fromPeer(peer, offset + done, memory.asSlice(0, part));
            int status = media.write(position + done, memory, 0, part);
            if (status != Status.SUCCESS) {
                return status;
            }
        }
        return Status.SUCCESS;
    }

    /** {@link Media#compare} with another device's memory. */
    int compare(Media media, long position, PeerMemory peer, long offset, long bytes) {
        for (long done = 0; done < bytes; done += CHUNK) {
            long part = Math.min(CHUNK, bytes - done);
            MemorySegment memory = staging();
            fromPeer(peer, offset + done, memory.asSlice(0, part));
            int status = media.compare(position + done, memory, 0, part);
            if (status != Status.SUCCESS) {
                return status;
            }
        }
        return Status.SUCCESS;
    }

    private MemorySegment staging() {
        if (staging.byteSize() == 0) {
            staging = Arena.ofAuto().allocate(CHUNK, PrpWalk.PAGE);
        }
        return staging;
    }
}
