package io.aisio.xal.index;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Hashes of names and numbers, seeded, so that nobody can choose names that fall into one place. */
final class NameHash {
    /** Names are hashed and compared eight bytes at a time: zeros follow them. */
    static final int ROOM = 255 + 9;

    static final VarHandle WORDS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());

    /** Odd numbers with as many ones as zeros, from wyhash. */
    private static final long A = 0xA0761D6478BD642FL;

    private static final long B = 0xE7037ED1A0B428DBL;

    private NameHash() {}

    /** The hash of a name in a directory. The eight bytes behind the name are zeros. */
    static long of(byte[] name, int length, int directory, long seed) {
        long hash = seed ^ length + directory * B;
        for (int i = 0; i < length; i += Long.BYTES) {
            hash = mix(hash ^ (long) WORDS.get(name, i), A);
        }
        return mix(hash, B);
    }

    static long of(long number, long seed) {
        return mix(mix(number ^ seed, A) ^ seed, B);
    }

    private static long mix(long value, long factor) {
        return Math.unsignedMultiplyHigh(value, factor) ^ value * factor;
    }

    /** The place of a hash among so many slots. */
    static int place(long hash, int slots) {
        return (int) Math.unsignedMultiplyHigh(hash, slots);
    }
}
