package io.aisio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class EventFdTest {
    @Test
    void remembersASignalUntilItIsAwaitedOnce() throws Exception {
        try (EventFd event = new EventFd()) {
            assertThat(event.await(Duration.ZERO)).isFalse();
            event.signal();
            event.signal();
            assertThat(event.await(Duration.ZERO)).isTrue();
            assertThat(event.await(Duration.ofMillis(1))).isFalse();
        }
    }

    @Test
    void wakesAThreadThatWaits() throws Exception {
        try (EventFd event = new EventFd()) {
            CompletableFuture<Boolean> woken = CompletableFuture.supplyAsync(() -> {
                try {
                    return event.await(Duration.ofMinutes(1));
                } catch (LinuxException e) {
                    throw new AssertionError(e);
                }
            });
            event.signal();
            assertThat(woken.get(30, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void refusesAWaitAfterItIsClosed() throws Exception {
        EventFd event = new EventFd();
        event.close();
        event.close();
        assertThatThrownBy(() -> event.await(Duration.ZERO)).isInstanceOf(IllegalStateException.class);
    }
}
