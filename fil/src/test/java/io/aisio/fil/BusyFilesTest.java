package io.aisio.fil;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code java.nio.file} on a device that takes its time, while others open, close and interrupt. */
@Timeout(120)
class BusyFilesTest {
    private static final int LARGE = 3_000_001;

    @TempDir
    private static Path folder;

    private static Xfs xfs;

    @BeforeAll
    static void make() throws Exception {
        xfs = new Xfs(folder).with("large", LARGE).with("small", 1234).make();
    }

    private static URI device(String options) {
        return URI.create("aisio:emu:" + xfs.image + options);
    }

    private interface Condition {
        boolean holds() throws Exception;
    }

    private static void await(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + 30_000_000_000L;
        while (!condition.holds()) {
            assertThat(System.nanoTime() - deadline).as(what).isNegative();
            Thread.onSpinWait();
        }
    }

    @Test
    void othersAreOpenedWhileOneDeviceTakesItsTime() throws Exception {
        // Near the most that a controller may take (CAP.TO). A pause of the machine can be as long, but not each time.
        for (int left = 10; !isDoneBefore(device("?faults=slowready=2s")); left--) {
            assertThat(left).as("times left to try").isPositive();
        }
    }

    /** Whether another device is opened and read while a slow one is being opened. */
    private static boolean isDoneBefore(URI slow) throws Exception {
        boolean before;
        Path inSlow = null;
        try (ExecutorService threads = Executors.newFixedThreadPool(3)) {
            CountDownLatch begun = new CountDownLatch(1);
            Callable<Path> opening = () -> {
                begun.countDown();
                return Path.of(URI.create(slow + "!/small"));
            };
            Future<Path> first = threads.submit(opening);
            begun.await();
            List<Future<Path>> more = List.of(threads.submit(opening), threads.submit(opening));
            try (FileSystem fast = FileSystems.newFileSystem(device("?qpairs=3"), Map.of())) {
                assertThat(Files.size(fast.getPath("small"))).isEqualTo(1234);
                before = !first.isDone();
            }
            inSlow = first.get();
            for (Future<Path> path : more) {
                assertThat(path.get().getFileSystem()).isSameAs(inSlow.getFileSystem());
            }
            assertThat(Files.size(inSlow)).isEqualTo(1234);
            return before;
        } finally {
            if (inSlow != null) {
                inSlow.getFileSystem().close();
            }
        }
    }

    @Test
    void allWhoWaitForADeviceThatCannotBeOpenedAreToldAndItMayBeTriedAgain() throws Exception {
        URI none = device("?faults=slowready=300ms,garbage=1@identify.sub0x0");
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            for (int round = 0; round < 2; round++) {
                List<Future<Path>> paths = new ArrayList<>();
                for (int i = 0; i < 4; i++) {
                    paths.add(threads.submit(() -> Path.of(URI.create(none + "!/"))));
                }
                for (Future<Path> path : paths) {
                    assertThatThrownBy(path::get).rootCause().isInstanceOf(IOException.class);
                }
            }
        }
    }

    /** A read of a device that takes 200 ms for each 8192 bytes, eight at once: some 9 seconds for a large file. */
    private static final class SlowRead implements AutoCloseable {
        final FileSystem opened;
        final FileChannel channel;
        final ByteBuffer target = ByteBuffer.allocate(LARGE);
        final AtomicReference<@Nullable Throwable> thrown = new AtomicReference<>();
        final Thread reader;

        SlowRead() throws Exception {
            opened = FileSystems.newFileSystem(device("?faults=delay=200ms@read:100-&mdts=1"), Map.of("queues", 1));
            channel = FileChannel.open(opened.getPath("large"));
            reader = Thread.ofPlatform().start(() -> {
                try {
                    channel.read(target, 0);
                } catch (Throwable e) {
                    thrown.set(e);
                }
            });
            await(
                    "the first bytes are there",
                    () -> target.get(0) == xfs.sources.get("/large")[0]);
        }

        void join() throws Exception {
            reader.join();
            assertThat(channel.isOpen()).isFalse();
            assertThat(target.get(LARGE - 1))
                    .as("the last byte, which is not there")
                    .isZero();
            assertThat(xfs.sources.get("/large")[LARGE - 1]).isNotZero();
        }

        @Override
        public void close() throws Exception {
            opened.close();
            reader.join();
        }
    }

    @Test
    void anInterruptionEndsAReadThatIsUnderWay() throws Exception {
        try (SlowRead slow = new SlowRead()) {
            slow.reader.interrupt();
            slow.join();
            assertThat(slow.thrown.get()).isInstanceOf(ClosedByInterruptException.class);
            // What it had lent serves the next.
            assertThat(Files.readAllBytes(slow.opened.getPath("small"))).isEqualTo(xfs.sources.get("/small"));
        }
    }

    @Test
    void closingTheChannelEndsAReadThatIsUnderWay() throws Exception {
        try (SlowRead slow = new SlowRead()) {
            slow.channel.close();
            slow.join();
            assertThat(slow.thrown.get()).isInstanceOf(AsynchronousCloseException.class);
            assertThat(Files.readAllBytes(slow.opened.getPath("small"))).isEqualTo(xfs.sources.get("/small"));
        }
    }

    /** There is one queue, and the other has it. */
    @Test
    void closingTheChannelEndsTheWaitForAQueue() throws Exception {
        try (SlowRead slow = new SlowRead();
                FileChannel waiting = FileChannel.open(slow.opened.getPath("small"))) {
            AtomicReference<@Nullable Throwable> thrown = new AtomicReference<>();
            Thread second = Thread.ofPlatform().start(() -> {
                try {
                    waiting.read(ByteBuffer.allocate(10), 0);
                } catch (Throwable e) {
                    thrown.set(e);
                }
            });
            await("the second waits", () -> second.getState() == Thread.State.WAITING);
            waiting.close();
            second.join();
            assertThat(thrown.get()).isInstanceOf(AsynchronousCloseException.class);
            assertThat(slow.reader.isAlive()).as("the first reads on").isTrue();
        }
    }

    @Test
    void closingTheFileSystemEndsAReadThatIsUnderWay() throws Exception {
        try (SlowRead slow = new SlowRead()) {
            slow.opened.close();
            slow.join();
            assertThat(slow.thrown.get()).isInstanceOf(AsynchronousCloseException.class);
        }
    }

    @Test
    void aPathOfADeviceThatIsBeingClosedIsOneOfItOpenedAnew() throws Exception {
        try (SlowRead slow = new SlowRead()) {
            String name = slow.opened.getPath("/small").toUri().toString();
            Thread closer = Thread.ofPlatform().start(() -> {
                try {
                    slow.opened.close();
                } catch (IOException e) {
                    slow.thrown.set(e);
                }
            });
            await("it is being closed", () -> !slow.opened.isOpen());
            Path small = Path.of(URI.create(name));
            try (FileSystem again = small.getFileSystem()) {
                assertThat(again).isNotSameAs(slow.opened);
                assertThat(again.isOpen()).isTrue();
                assertThat(Files.size(small)).isEqualTo(1234);
            }
            closer.join();
            slow.join();
        }
    }
}
