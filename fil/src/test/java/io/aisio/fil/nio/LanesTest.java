package io.aisio.fil.nio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.xnvme.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.AsynchronousCloseException;
import java.nio.file.ClosedFileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Queues that are lent, on a device that does not always grant them. */
@Timeout(60)
class LanesTest {
    private static final int BYTES = 1 << 20;

    @TempDir
    private Path folder;

    private final byte[] content = new byte[BYTES];
    private Path image;

    @BeforeEach
    void make() throws IOException {
        new Random(4).nextBytes(content);
        image = Files.write(folder.resolve("image"), content);
    }

    private Device device(String options) throws IOException {
        return Device.open("emu:" + image + options);
    }

    private void readsWith(Lanes.Loan loan, int at, int length) throws IOException {
        MemorySegment target = MemorySegment.ofArray(new byte[length]);
        loan.read(at, target);
        loan.finish();
        assertThat(target.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(Arrays.copyOfRange(content, at, at + length));
    }

    private void reads(Lanes lanes, int at, int length) throws IOException {
        try (Lanes.Loan loan = lanes.lend(() -> true)) {
            readsWith(loan, at, length);
        }
    }

    @Test
    void aQueueThatIsRefusedIsNotCounted() throws IOException {
        // Lanes that counted it would wait for it in the end.
        try (Device device = device("?faults=error=0/6/dnr@createsq:1-3");
                Lanes lanes = new Lanes(device, 1)) {
            for (int i = 0; i < 3; i++) {
                assertThatThrownBy(() -> reads(lanes, 1, 10))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("Create I/O Submission Queue");
            }
            reads(lanes, 1, BYTES - 1);
        }
    }

    @Test
    void whereTheDeviceRefusesMoreThereIsOneForAll() throws Exception {
        try (Device device = device("?faults=error=0/6/dnr@createsq:2");
                Lanes lanes = new Lanes(device, 2, Duration.ofDays(1))) {
            Reading second;
            try (Lanes.Loan loan = lanes.lend(() -> true)) {
                readsWith(loan, 3, 1000);
                Reading unwanted = new Reading(lanes);
                unwanted.awaitWaiting();
                unwanted.wanted.set(false);
                lanes.wake();
                assertThatThrownBy(unwanted::end).isInstanceOf(AsynchronousCloseException.class);
                second = new Reading(lanes);
                second.awaitWaiting();
            }
            second.end();
        }
    }

    @Test
    void aRefusalIsForgottenByThoseWhoWait() throws Exception {
        try (Device device = device("?faults=error=0/6/dnr@createsq:2");
                Lanes lanes = new Lanes(device, 2, Duration.ofMillis(20));
                Lanes.Loan loan = lanes.lend(() -> true)) {
            readsWith(loan, 3, 1000);
            // Nobody gives one back or wakes it: it has a queue of its own in the end, which the device refused at
            // first.
            new Reading(lanes).end();
            readsWith(loan, 3, 1000);
        }
    }

    @Test
    void anInterruptionDoesNotEndTheWaitForAnother() throws Exception {
        try (Device device = device("?faults=error=0/6/dnr@createsq:2");
                Lanes lanes = new Lanes(device, 2, Duration.ofDays(1))) {
            Reading second;
            try (Lanes.Loan loan = lanes.lend(() -> true)) {
                readsWith(loan, 3, 1000);
                second = new Reading(lanes);
                second.awaitWaiting();
                second.thread.interrupt();
                second.awaitWaiting();
            }
            second.end();
            assertThat(second.interrupted).isTrue();
        }
    }

    /** A thread that reads as soon as it is lent a lane. */
    private final class Reading {
        final AtomicBoolean wanted = new AtomicBoolean(true);
        final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        final AtomicBoolean interrupted = new AtomicBoolean();
        final Thread thread;

        Reading(Lanes lanes) {
            thread = Thread.ofPlatform().start(() -> {
                try (Lanes.Loan loan = lanes.lend(wanted::get)) {
                    readsWith(loan, 7, 5000);
                    interrupted.set(Thread.interrupted());
                } catch (Throwable e) {
                    failure.set(e);
                }
            });
        }

        void awaitWaiting() {
            while (thread.getState() != Thread.State.WAITING && thread.getState() != Thread.State.TIMED_WAITING) {
                assertThat(thread.isAlive())
                        .as("it waits for a lane, and has not ended by %s", failure)
                        .isTrue();
                Thread.onSpinWait();
            }
        }

        /** Waits until it has read, and throws what kept it from that. */
        void end() throws Exception {
            assertThat(thread.join(Duration.ofSeconds(30))).as("it ended").isTrue();
            switch (failure.get()) {
                case null -> {}
                case Exception e -> throw e;
                case Throwable e -> throw new AssertionError(e);
            }
        }
    }

    @Test
    void nothingIsLentOnceTheyAreClosed() throws IOException {
        try (Device device = device("")) {
            Lanes lanes = new Lanes(device, 2);
            reads(lanes, 5, 5);
            lanes.close();
            lanes.close();
            assertThatThrownBy(() -> reads(lanes, 5, 5)).isInstanceOf(ClosedFileSystemException.class);
        }
    }

    @Test
    void aReadThatIsNotWantedAnyMoreLeavesTheLaneToTheNext() throws IOException {
        AtomicBoolean wanted = new AtomicBoolean(true);
        try (Device device = device("?mdts=1");
                Lanes lanes = new Lanes(device, 1)) {
            byte[] target = new byte[BYTES];
            try (Lanes.Loan loan = lanes.lend(wanted::get)) {
                loan.read(0, MemorySegment.ofArray(target).asSlice(0, 100_000));
                wanted.set(false);
                assertThatThrownBy(() -> loan.read(0, MemorySegment.ofArray(target)))
                        .isInstanceOf(AsynchronousCloseException.class);
                Arrays.fill(target, (byte) 0);
            }
            assertThat(target).as("what was in flight goes nowhere").containsOnly(0);
            reads(lanes, 511, 300_000);
        }
    }
}
