package io.aisio.upcie;

import io.aisio.linux.EventFd;
import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** One interrupt vector of a function, from {@link PciFunction#enableInterrupts}. It ends with the function. */
public interface Interrupt {
    /** Its number, as the function knows it: 0 and up. */
    int vector();

    /**
     * Waits until the function has raised it since the last call; how often it did so meanwhile is not told. One thread
     * at a time waits for a vector.
     *
     * @param limit how long; zero looks without waiting
     * @return whether it was raised; false once the limit has passed
     * @throws IOException if the function can no longer tell
     */
    boolean await(Duration limit) throws IOException;

    /**
     * The event counter that it adds to, for who waits for other things as well; it stays this one's. Null where it has
     * none.
     */
    default @Nullable EventFd event() {
        return null;
    }
}
