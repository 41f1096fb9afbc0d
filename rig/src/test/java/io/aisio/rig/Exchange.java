package io.aisio.rig;

import io.aisio.upcie.Access;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;

/**
 * What host and guest write for each other: blocks whose content follows from who wrote them and where. The host writes
 * into a namespace's image before the guest is booted and reads it when the guest has ended; the guest does both through
 * the controller. It lies beyond what other cases write.
 *
 * <pre>
 *   namespace 2, of 4096 bytes a block     8192 … 8255  the host's     9216 …  the guest's, 64 blocks for each access
 * </pre>
 */
final class Exchange {
    static final int NSID = 2;
    static final int BLOCK_BYTES = 4096;
    static final int BLOCKS = 64;
    static final long FROM_HOST = 8192;
    private static final long FROM_GUEST = 9216;

    private Exchange() {}

    /** Where the guest writes by an access: the first of {@link #BLOCKS} blocks. */
    static long fromGuest(Access access) {
        return FROM_GUEST + (long) access.ordinal() * BLOCKS;
    }

    /** The blocks that a writer leaves from a block on. */
    static MemorySegment content(String writer, long lba) {
        byte[] bytes = new byte[BLOCKS * BLOCK_BYTES];
        new SplittableRandom(writer.hashCode() * 31L + lba).nextBytes(bytes);
        return MemorySegment.ofArray(bytes);
    }

    static MemorySegment host() {
        return content("host", FROM_HOST);
    }

    static MemorySegment guest(Access access) {
        return content("guest", fromGuest(access));
    }
}
