package io.aisio.bench;

import java.lang.foreign.MemorySegment;
import java.security.GeneralSecurityException;
import javax.crypto.Cipher;
import javax.crypto.ShortBufferException;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Makes the content of files: the key stream of AES-256 in counter mode, which is what {@code openssl enc -aes-256-ctr}
 * makes of zeros. One thread's; it serves one file after the other.
 */
public final class DatasetContent {
    /** Bytes that are made at a time: a few of them stay in a processor's cache. */
    public static final int CHUNK = 128 << 10;

    private static final byte[] ZEROS = new byte[CHUNK];

    private final Cipher cipher;
    private final byte[] chunk = new byte[CHUNK];

    /** Begins without a file. */
    public DatasetContent() {
        try {
            cipher = Cipher.getInstance("AES/CTR/NoPadding");
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java has no AES in counter mode", e);
        }
    }

    /** Goes to the beginning of a file. */
    public void begin(DatasetFile file) {
        try {
            cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(file.key(), "AES"), new IvParameterSpec(file.counter()));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java takes no key of 256 bits", e);
        }
    }

    /**
     * The next bytes of the file; the caller knows where it ends.
     *
     * @param count 1 to {@link #CHUNK}
     * @return an array that holds them at its beginning, until the next call
     */
    public byte[] next(int count) {
        try {
            int made = cipher.update(ZEROS, 0, count, chunk);
            if (made != count) {
                throw new IllegalStateException("the cipher made " + made + " of " + count + " bytes");
            }
            return chunk;
        } catch (ShortBufferException e) {
            throw new IllegalStateException("a chunk is as long as what it is made of", e);
        }
    }

    /**
     * Compares what was read with a file's content.
     *
     * @param content all of it
     * @return the offset of the first byte that differs, or where the shorter ends; -1 if they are the same
     */
    public long mismatch(DatasetFile file, MemorySegment content) {
        begin(file);
        long both = Math.min(file.size(), content.byteSize());
        for (long at = 0; at < both; at += CHUNK) {
            int count = (int) Math.min(CHUNK, both - at);
            long differs =
                    MemorySegment.mismatch(MemorySegment.ofArray(next(count)), 0, count, content, at, at + count);
            if (differs >= 0) {
                return at + differs;
            }
        }
        return file.size() == content.byteSize() ? -1 : both;
    }
}
