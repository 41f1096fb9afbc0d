package io.aisio.linux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class IoUringTest {
    private static final int BLOCK = 4096;
    private static final int BLOCKS = 64;

    @TempDir
    Path folder;

    private Path path;
    private final byte[] content = new byte[BLOCKS * BLOCK];

    @BeforeEach
    void writeAFile() throws IOException {
        new Random(2).nextBytes(content);
        path = Files.write(folder.resolve("file"), content);
    }

    private static IoUring open(OpenFile file, IoUring.Options options) throws LinuxException {
        try {
            return IoUring.open(file, options);
        } catch (LinuxException e) {
            return abort("needs io_uring: " + IoUring.refusal(e.errno()));
        }
    }

    private byte[] block(int n) {
        return java.util.Arrays.copyOfRange(content, n * BLOCK, (n + 1) * BLOCK);
    }

    @ParameterizedTest
    @CsvSource({"false,false", "true,false", "false,true", "true,true"})
    void readsWhatIsThere(boolean singleIssuer, boolean submissionPolled) throws IOException {
        try (OpenFile file = OpenFile.open(path, OpenFile.Access.READ_WRITE);
                Mapping memory = Mapping.anonymous(8 * BLOCK);
                IoUring ring = open(file, new IoUring.Options(8, singleIssuer, false, submissionPolled, false))) {
            try {
                ring.reserveBuffers(2);
                ring.registerBuffer(1, memory.segment());
            } catch (LinuxException e) {
                abort("needs registered buffers: " + e.getMessage());
            }
            for (int slot = 0; slot < 8; slot++) {
                ring.bindRead(
                        slot,
                        memory.segment().asSlice((long) slot * BLOCK, BLOCK),
                        slot % 2 == 0 ? 1 : IoUring.NO_BUFFER);
            }
            for (int round = 0; round < 8; round++) {
                for (int slot = 0; slot < 8; slot++) {
                    ring.start(slot, (long) (slot + 8 * round) * BLOCK);
                }
                ring.await(8);
                int seen = 0;
                while (ring.next()) {
                    assertThat(ring.result()).isEqualTo(BLOCK);
                    seen |= 1 << ring.slot();
                }
                assertThat(seen).isEqualTo(0xFF);
                for (int slot = 0; slot < 8; slot++) {
                    assertThat(memory.segment()
                                    .asSlice((long) slot * BLOCK, BLOCK)
                                    .toArray(ValueLayout.JAVA_BYTE))
                            .isEqualTo(block(slot + 8 * round));
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"false", "true"})
    void readsManyFilesThroughOneRing(boolean registered) throws IOException {
        IoUring.Options options = new IoUring.Options(6, true, false, false, false);
        for (int i = 0; i < 3; i++) {
            Files.write(folder.resolve("part" + i), java.util.Arrays.copyOfRange(content, i * BLOCK, i * BLOCK + 5000));
        }
        try (Beneath directory = Beneath.directory(folder);
                ReadableFiles files = new ReadableFiles(3);
                Mapping memory = Mapping.anonymous(6 * BLOCK);
                IoUring ring = openForMany(options)) {
            int buffer = registered ? 0 : IoUring.NO_BUFFER;
            if (registered) {
                ring.reserveBuffers(1);
                ring.registerBuffer(0, memory.segment());
            }
            for (int round = 0; round < 3; round++) {
                memory.segment().fill((byte) 0);
                for (int slot = 0; slot < 6; slot++) {
                    int file = slot / 2;
                    if (slot % 2 == 0) {
                        assertThat(files.open(file, directory, ("part" + file).getBytes(UTF_8), false))
                                .isZero();
                    }
                    ring.bindRead(slot, files, file, memory.segment(), (long) slot * BLOCK, BLOCK, buffer);
                    ring.start(slot, slot % 2 * (long) BLOCK);
                }
                ring.await(6);
                for (int i = 0; i < 6; i++) {
                    assertThat(ring.next()).isTrue();
                    assertThat(ring.result()).isEqualTo(ring.slot() % 2 == 0 ? BLOCK : 5000 - BLOCK);
                }
                for (int file = 0; file < 3; file++) {
                    assertThat(memory.segment().asSlice(2L * file * BLOCK, 5000).toArray(ValueLayout.JAVA_BYTE))
                            .isEqualTo(java.util.Arrays.copyOfRange(content, file * BLOCK, file * BLOCK + 5000));
                    files.close(file);
                }
            }
            assertThatThrownBy(() -> ring.bindRead(0, files, 0, memory.segment(), 0, BLOCK, buffer))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("file 0 is not open");
            assertThatThrownBy(() -> ring.bindRead(0, files, 0, memory.segment(), 6 * BLOCK, 1, buffer))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> ring.bindRead(0, memory.segment(), IoUring.NO_BUFFER))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("without a file of its own");
        }
    }

    private static IoUring openForMany(IoUring.Options options) throws LinuxException {
        try {
            return IoUring.open("a test", options);
        } catch (LinuxException e) {
            return abort("needs io_uring: " + IoUring.refusal(e.errno()));
        }
    }

    @Test
    void writesAndTellsTheEndOfTheFile() throws IOException {
        try (OpenFile file = OpenFile.open(path, OpenFile.Access.READ_WRITE);
                Mapping memory = Mapping.anonymous(BLOCK);
                IoUring ring = open(file, IoUring.Options.of(2))) {
            memory.segment().fill((byte) 9);
            ring.bindWrite(0, memory.segment(), IoUring.NO_BUFFER);
            ring.start(0, 3L * BLOCK);
            ring.await(1);
            assertThat(ring.next()).isTrue();
            assertThat(ring.result()).isEqualTo(BLOCK);
            ring.read(1, (long) BLOCKS * BLOCK, memory.segment());
            ring.await(1);
            assertThat(ring.next()).isTrue();
            assertThat(ring.result()).isZero();
            assertThat(ring.slot()).isEqualTo(1);
            assertThat(ring.next()).isFalse();
        }
        assertThat(java.util.Arrays.copyOfRange(Files.readAllBytes(path), 3 * BLOCK, 4 * BLOCK))
                .containsOnly(9);
    }

    @Test
    void takesBackWhatTheKernelWasNotToldOf() throws IOException {
        try (OpenFile file = OpenFile.open(path, OpenFile.Access.READ_ONLY);
                Mapping memory = Mapping.anonymous(4 * BLOCK);
                IoUring ring = open(file, IoUring.Options.of(4))) {
            for (int slot = 0; slot < 4; slot++) {
                ring.bindRead(slot, memory.segment().asSlice((long) slot * BLOCK, BLOCK), IoUring.NO_BUFFER);
            }
            ring.start(0, 0);
            ring.submit();
            assertThat(ring.takeBack()).as("the kernel has it").isEqualTo(-1);
            for (int slot = 1; slot < 4; slot++) {
                ring.start(slot, (long) slot * BLOCK);
            }
            assertThat(ring.takeBack()).isEqualTo(3);
            assertThat(ring.takeBack()).isEqualTo(2);
            assertThat(ring.outstanding()).isEqualTo(2);
            ring.start(3, 5L * BLOCK);
            ring.await(3);
            int seen = 0;
            while (ring.next()) {
                assertThat(ring.result()).isEqualTo(BLOCK);
                seen |= 1 << ring.slot();
            }
            assertThat(seen).isEqualTo(0b1011);
            assertThat(memory.segment().asSlice(3L * BLOCK, BLOCK).toArray(ValueLayout.JAVA_BYTE))
                    .isEqualTo(block(5));
        }
    }

    @Test
    void anErrorIsAnErrnoNegated() throws IOException {
        try (OpenFile file = OpenFile.open(path, OpenFile.Access.READ_ONLY);
                Mapping memory = Mapping.anonymous(BLOCK);
                IoUring ring = open(file, IoUring.Options.of(1))) {
            ring.bindWrite(0, memory.segment(), IoUring.NO_BUFFER);
            ring.start(0, 0);
            ring.await(1);
            assertThat(ring.next()).isTrue();
            assertThat(ring.result()).isEqualTo(-Errno.EBADF);
            assertThatThrownBy(() -> ring.await(1)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void submitsNothingOnceTheFileIsClosed() throws IOException {
        try (Mapping memory = Mapping.anonymous(BLOCK)) {
            IoUring ring;
            try (OpenFile file = OpenFile.open(path, OpenFile.Access.READ_ONLY)) {
                ring = open(file, IoUring.Options.of(1));
            }
            try (ring) {
                ring.read(0, 0, memory.segment());
                assertThatThrownBy(ring::submit)
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("is closed");
            }
            assertThatThrownBy(() -> ring.start(0, 0)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void belongsToTheThreadThatStartsFirstThoughAnotherOpenedIt() throws Exception {
        try (OpenFile file = OpenFile.open(path, OpenFile.Access.READ_ONLY);
                Mapping memory = Mapping.anonymous(BLOCK);
                IoUring ring = open(file, new IoUring.Options(4, true, false, false, false))) {
            ring.bindRead(0, memory.segment(), IoUring.NO_BUFFER);
            AtomicReference<Throwable> failed = new AtomicReference<>();
            Thread owner = Thread.ofPlatform().start(() -> {
                try {
                    ring.start(0, BLOCK);
                    ring.submit();
                } catch (LinuxException e) {
                    failed.set(e);
                }
            });
            owner.join();
            assertThat(failed.get()).isNull();
            // Its thread has ended; closing waits for what it started.
        }
    }

    @Test
    void refusesWhatIsNotThere() throws IOException {
        assertThatThrownBy(() -> IoUring.Options.of(0)).hasMessageContaining("1 to 32768");
        try (OpenFile file = OpenFile.open(path, OpenFile.Access.READ_ONLY);
                Arena arena = Arena.ofConfined();
                IoUring ring = open(file, IoUring.Options.of(2))) {
            MemorySegment memory = arena.allocate(BLOCK);
            assertThatThrownBy(() -> ring.bindRead(2, memory, IoUring.NO_BUFFER))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> ring.registerBuffer(0, memory)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> ring.bindNvme(0, 2, 1, 0, memory, IoUring.NO_BUFFER))
                    .hasMessageContaining("without NVMe commands");
        }
    }

    @Test
    void saysWhyTheKernelRefuses() {
        assertThat(IoUring.refusal(Errno.EPERM, "2")).contains("kernel.io_uring_disabled is 2", "sysctl", "EPERM");
        assertThat(IoUring.refusal(Errno.EPERM, "0")).contains("filter of system calls", "seccomp");
        assertThat(IoUring.refusal(Errno.ENOSYS, "")).contains("ENOSYS", "5.6");
        assertThat(IoUring.refusal(Errno.ENOMEM, "0")).contains("ulimit -l");
    }
}
