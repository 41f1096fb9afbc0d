package io.aisio.homi.ublk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the kernel does not end in time. */
@Timeout(30)
class BoundedTest {
    private static final Duration LONG = Duration.ofSeconds(20);

    private static boolean await(CountDownLatch latch) throws IOException {
        try {
            latch.await();
            return true;
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    @Test
    void aStepThatDoesNotEndIsLeftAloneAndTheNextOneIsTold() throws Exception {
        CountDownLatch kernel = new CountDownLatch(1);
        CountDownLatch ended = new CountDownLatch(1);
        assertThatThrownBy(
                        () -> Bounded.within(Duration.ofSeconds(1), "stopping /dev/ublkb3", "end who serves it", () -> {
                            boolean done = await(kernel);
                            ended.countDown();
                            return done;
                        }))
                .isInstanceOf(IOException.class)
                .hasMessage("stopping /dev/ublkb3 has not ended within 1 s; next: end who serves it");
        assertThat(ended.getCount()).isOne();
        kernel.countDown();
        ended.await();
    }

    @Test
    void whatAStepReturnsOrThrowsIsWhatItReturnsOrThrows() throws Exception {
        assertThat(Bounded.<Integer>within(LONG, "asking", "", () -> 7)).isEqualTo(7);
        IOException refused = new IOException("the kernel refuses");
        assertThatThrownBy(() -> Bounded.within(LONG, "asking", "", () -> {
                    throw refused;
                }))
                .isSameAs(refused);
        assertThatThrownBy(() -> Bounded.within(LONG, "asking", "", () -> {
                    throw new UncheckedIOException(refused);
                }))
                .isInstanceOf(UncheckedIOException.class);
    }

    @Test
    void whoeverIsInterruptedWaitsOnAndStaysInterrupted() throws Exception {
        CountDownLatch kernel = new CountDownLatch(1);
        Thread.currentThread().interrupt();
        Thread releasing = Thread.ofVirtual().start(kernel::countDown);
        assertThat(Bounded.<Boolean>within(LONG, "asking", "", () -> await(kernel)))
                .isTrue();
        assertThat(Thread.interrupted()).isTrue();
        releasing.join();
    }
}
