package io.aisio.homi.daemon;

/**
 * What somebody may have at once.
 *
 * @param queues queue pairs
 * @param depth commands in flight in each of them
 * @param memoryBytes of memory that devices reach, rings too
 * @param connections connections; a client has one
 */
public record Quota(int queues, int depth, long memoryBytes, int connections) {
    /** What a client may have unless the configuration says otherwise. */
    public static final Quota CLIENT = new Quota(16, 1024, 1L << 30, 1);
    /** What all clients of a user may have unless the configuration says otherwise. */
    public static final Quota USER = new Quota(64, 1024, 4L << 30, 32);

    /** The highest of each that a configuration may say. */
    static final Quota MOST = new Quota(65535, 16384, 1L << 46, 1024);

    /** Checks that nothing is negative or more than anything could have. */
    public Quota {
        if (queues < 0 || depth < 0 || memoryBytes < 0 || connections < 0) {
            throw new IllegalArgumentException("a quota below 0");
        }
    }
}
