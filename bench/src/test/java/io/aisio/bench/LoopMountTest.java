package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.FileStatus;
import io.aisio.linux.Mounts;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What stays mounted when the one who mounted it is interrupted: nothing. */
@Tag("root")
class LoopMountTest {
    @TempDir
    private Path folder;

    @BeforeEach
    void needsRoot() {
        assumeTrue(
                FileStatus.effectiveUser() == 0 && Files.exists(Path.of("/dev/loop-control")),
                "needs root and loop devices");
    }

    @Test
    void unmountsHoweverOftenItIsInterruptedMeanwhile() throws Exception {
        Path image = folder.resolve("image");
        try (var channel = Files.newByteChannel(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            channel.position((16 << 20) - 1).write(ByteBuffer.allocate(1));
        }
        Program.require("mkfs.ext4", "apt-get install e2fsprogs").run("-q", image.toString());
        LoopMount mount = LoopMount.toRead(image);
        Thread caller = Thread.currentThread();
        AtomicBoolean closed = new AtomicBoolean();
        Thread interrupter = Thread.ofPlatform().start(() -> {
            for (int i = 0; i < 100 && !closed.get(); i++) {
                caller.interrupt();
                sleep(2);
            }
        });
        try {
            mount.close();
        } finally {
            closed.set(true);
            while (interrupter.isAlive()) {
                Thread.onSpinWait();
            }
            // Neither the check nor the cleaning is to be interrupted.
            Thread.interrupted();
            // Again, should it have failed: a test leaves nothing mounted either.
            mount.close();
        }
        assertThat(isMounted(mount.folder())).isFalse();
        assertThat(mount.folder()).doesNotExist();
    }

    @Test
    void nothingIsMountedOrMadeAnyMoreOnceMakingAnImageWasInterrupted() throws Exception {
        Path image = folder.resolve("image");
        Thread caller = Thread.currentThread();
        try {
            assertThatThrownBy(() -> ExtentImage.make(image, 1_000_000, 1_000, _ -> caller.interrupt()))
                    .isInstanceOf(InterruptedIOException.class);
            assertThat(Thread.getAllStackTraces().values())
                    .as("threads that make files")
                    .noneMatch(LoopMountTest::makesFiles);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
        assertThat(isAttached(image)).isFalse();
    }

    private static boolean makesFiles(StackTraceElement... stack) {
        for (StackTraceElement frame : stack) {
            if (frame.getClassName().startsWith(ExtentImage.class.getName() + "$")) {
                return true;
            }
        }
        return false;
    }

    private static boolean isMounted(Path folder) throws IOException {
        return Mounts.read().all().stream().anyMatch(mount -> mount.point().equals(folder.toString()));
    }

    private static boolean isAttached(Path image) throws IOException {
        return Program.require("losetup", "apt-get install mount")
                .print("-j", image.toString())
                .contains(image.toString());
    }

    private static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
