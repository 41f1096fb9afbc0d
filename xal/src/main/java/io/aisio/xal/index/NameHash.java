package io.aisio.xal.index;

import io.aisio.xal.backend.NameBatch;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Hashes of names and numbers, seeded, so that nobody can choose names that fall into one place. */
final class NameHash {
    /** Bytes of the longest name. */
    static final int ROOM = 255;

    static final VarHandle WORDS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());

    /** Odd numbers with as many ones as zeros, from wyhash. */
    private static final long A = 0xA0761D6478BD642FL;

    private static final long B = 0xE7037ED1A0B428DBL;

    private NameHash() {}

    /** The hash of a name, wherever it is. */
    static long of(byte[] bytes, int from, int length, long seed) {
        long hash = seed ^ length;
        int end = from + length;
        int at = from;
        for (; at + Long.BYTES <= end; at += Long.BYTES) {
            hash = mix(hash ^ (long) WORDS.get(bytes, at), A);
        }
        long rest = 0;
        for (int shift = 0; at < end; at++, shift += Byte.SIZE) {
            rest |= (bytes[at] & 0xFFL) << shift;
        }
        return mix(hash ^ rest, B);
    }

    /** The hashes of all names in a batch. */
    static long[] of(NameBatch batch, long seed) {
        long[] hashes = new long[batch.names()];
        for (int i = 0; i < hashes.length; i++) {
            hashes[i] = of(batch.bytes(), batch.begin(i), batch.begin(i + 1) - batch.begin(i), seed);
        }
        return hashes;
    }

    /** The hash of a name in a directory. */
    static long in(int directory, long name) {
        return mix(name ^ directory * B, A);
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
