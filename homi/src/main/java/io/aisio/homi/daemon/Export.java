package io.aisio.homi.daemon;

import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;

/** A namespace that the daemon serves to somebody else, such as the kernel, by queue pairs of its own. */
public interface Export extends Metered, AutoCloseable {
    /**
     * What is wanted.
     *
     * @param name by which it is removed; unique among exports
     * @param device the device's name in the configuration
     * @param nsid namespace
     * @param kind how: {@code ublk}
     * @param queues queue pairs, 1 at least
     * @param depth commands in flight in each, 1 at least
     * @param readOnly whether writes are refused
     * @param id a wish, such as the N of {@code /dev/ublkbN}; −1 for any
     */
    record Request(
            String name, String device, int nsid, String kind, int queues, int depth, boolean readOnly, int id) {}

    /** Makes exports of one kind. */
    interface Maker {
        /** What {@link Request#kind()} names. */
        String kind();

        /**
         * Makes one, or takes one over that a daemon left which was killed, and serves it.
         *
         * @param device stays the daemon's, which closes it after the export
         * @throws UnsupportedOperationException if this system cannot; one sentence with the next step
         * @throws IllegalArgumentException if the request makes no sense; one sentence with the next step
         * @throws IOException if the system or the device refuses
         */
        Export start(Request request, NvmeDevice device, Events events) throws IOException;

        /**
         * Does away with what daemons left that were killed, and that no request names. Called once, after those of the
         * configuration were started.
         *
         * @throws IOException if something stays; the message says what
         */
        default void clean() throws IOException {}
    }

    /** What was asked for. */
    Request request();

    /**
     * The device is gone for good: requests fail from now on, until it is stopped.
     *
     * @param why for people
     * @return whether its queue pairs have ended with it, so that the device can be closed; false if they end when this is
     *     stopped or closed
     */
    boolean deviceFailed(String why);

    /**
     * Stops it in order: nobody can open it any more, what is under way is finished, its queue pairs are deleted.
     *
     * @throws IOException if somebody uses it, such as a mounted file system; it then goes on. The message says the next step
     */
    void stop() throws IOException;

    /**
     * Ends serving, in a bounded time, whoever uses it: what cannot be stopped is left for the next daemon to recover. Its
     * queue pairs are deleted. Closing again does nothing.
     */
    @Override
    void close();
}
