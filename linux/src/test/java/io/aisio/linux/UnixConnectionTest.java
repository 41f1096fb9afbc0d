package io.aisio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UnixConnectionTest {
    private static final Duration SOON = Duration.ofSeconds(10);

    @TempDir
    Path folder;

    private final Arena arena = Arena.ofShared();
    private UnixListener listener;
    private UnixConnection client;
    private UnixConnection server;

    @BeforeEach
    void connect() throws Exception {
        listener = UnixListener.bind(folder.resolve("socket"), 4);
        client = UnixConnection.connect(folder.resolve("socket"), SOON);
        server = listener.accept();
    }

    @AfterEach
    void close() {
        client.close();
        server.close();
        listener.close();
        arena.close();
    }

    private MemorySegment bytes(String text) {
        return arena.allocateFrom(text).asSlice(0, text.length());
    }

    private static int openDescriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return (int) open.count();
        }
    }

    @Test
    void carriesBytesAndTellsWhoIsThere() throws Exception {
        client.send(bytes("hello"), List.of(), SOON);
        MemorySegment target = arena.allocate(16);
        UnixConnection.Received got = server.receive(target, 0, SOON);
        assertThat(got.bytes()).isEqualTo(5);
        assertThat(target.asSlice(0, 6).getString(0)).isEqualTo("hello");
        assertThat(server.peer().pid()).isEqualTo((int) ProcessHandle.current().pid());
        client.close();
        assertThat(server.receive(target, 0, SOON).bytes())
                .as("after the client left")
                .isZero();
    }

    @Test
    void passesAFileThatBothMap() throws Exception {
        try (OpenFile file = OpenFile.inMemory("shared", 8192);
                Mapping here = Mapping.of(file, 8192)) {
            client.send(bytes("x"), List.of(file), SOON);
            UnixConnection.Received got = server.receive(arena.allocate(16), 4, SOON);
            assertThat(got.files()).hasSize(1);
            assertThat(got.files().getFirst().size()).isEqualTo(8192);
            assertThat(got.files().getFirst().fileSystem().isLocal()).isTrue();
            try (Mapping there = Mapping.of(got.files().getFirst(), 4096, 4096, true)) {
                there.segment().set(ValueLayout.JAVA_INT, 8, 42);
                assertThat(here.segment().get(ValueLayout.JAVA_INT, 4104)).isEqualTo(42);
            }
            assertThatThrownBy(() -> got.files().getFirst().resize(4096))
                    .as("whoever has it cannot take its pages away")
                    .hasMessageContaining("EPERM");
            got.closeFiles();
        }
    }

    @Test
    void holdsNoFileAfterItDidNotSendIt() throws Exception {
        OpenFile open = OpenFile.inMemory("open", 4096);
        OpenFile closed = OpenFile.inMemory("closed", 4096);
        closed.close();
        assertThatThrownBy(() -> client.send(bytes("x"), List.of(open, closed), SOON))
                .isInstanceOf(IllegalStateException.class);
        Thread closes = Thread.ofPlatform().daemon().start(open::close);
        assertThat(closes.join(SOON)).as("it could be closed").isTrue();
    }

    @Test
    void closesWhatItHasNoRoomForAndSaysSo() throws Exception {
        try (OpenFile file = OpenFile.inMemory("many", 4096)) {
            int before = openDescriptors();
            client.send(bytes("x"), java.util.Collections.nCopies(20, file), SOON);
            UnixConnection.Received got = server.receive(arena.allocate(16), 4, SOON);
            assertThat(got.incomplete()).isTrue();
            assertThat(got.files()).hasSizeLessThanOrEqualTo(4);
            got.closeFiles();
            assertThat(openDescriptors()).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 6, 7, 8, 253})
    void hasRoomForAsManyAsItIsToldAndNotOneMore(int most) throws Exception {
        try (OpenFile file = OpenFile.inMemory("many", 4096)) {
            int before = openDescriptors();
            client.send(bytes("x"), java.util.Collections.nCopies(Math.min(253, most + 1), file), SOON);
            UnixConnection.Received got = server.receive(arena.allocate(16), most, SOON);
            assertThat(got.files()).hasSize(most);
            assertThat(got.incomplete()).isEqualTo(most < 253);
            got.closeFiles();
            assertThat(openDescriptors()).isEqualTo(before);
        }
        assertThatThrownBy(() -> server.receive(arena.allocate(16), 254, SOON)).hasMessageContaining("0 to 253");
    }

    @Test
    void doesNotWaitLongerThanItIsTold() {
        assertThatThrownBy(() -> server.receive(arena.allocate(16), 0, Duration.ofMillis(20)))
                .hasMessageContaining("ETIMEDOUT");
        MemorySegment much = arena.allocate(16 << 20);
        assertThatThrownBy(() -> client.send(much, List.of(), Duration.ofMillis(20)))
                .as("nobody reads it")
                .hasMessageContaining("ETIMEDOUT");
    }

    @Test
    void closingEndsAWait() throws Exception {
        CompletableFuture<UnixConnection.Received> waiting = CompletableFuture.supplyAsync(() -> {
            try {
                return server.receive(arena.allocate(16), 0, Duration.ofMinutes(1));
            } catch (LinuxException e) {
                throw new AssertionError(e);
            }
        });
        server.shutDown();
        assertThat(waiting.get(30, TimeUnit.SECONDS).bytes()).isZero();
        CompletableFuture<UnixConnection> accepting = CompletableFuture.supplyAsync(() -> {
            try {
                return listener.accept();
            } catch (LinuxException e) {
                throw new AssertionError(e);
            }
        });
        listener.close();
        assertThat(accepting.get(30, TimeUnit.SECONDS)).isNull();
        assertThat(folder.resolve("socket")).doesNotExist();
    }

    @Test
    void aSocketIsItsOwnersAlone() throws Exception {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve("socket"))))
                .isEqualTo("rw-------");
    }

    @Test
    void replacesASocketThatNobodyListensOnAndNothingElse() throws Exception {
        assertThatThrownBy(() -> UnixListener.bind(folder.resolve("socket"), 4))
                .hasMessageContaining("a server listens there already");
        Path stale = folder.resolve("stale");
        try (java.nio.channels.ServerSocketChannel left =
                java.nio.channels.ServerSocketChannel.open(java.net.StandardProtocolFamily.UNIX)) {
            left.bind(java.net.UnixDomainSocketAddress.of(stale));
        }
        assertThat(stale).exists();
        try (UnixListener second = UnixListener.bind(stale, 4)) {
            assertThat(second.path()).isEqualTo(stale);
        }
        Path file = Files.writeString(folder.resolve("file"), "mine");
        assertThatThrownBy(() -> UnixListener.bind(file, 4)).hasMessageContaining("is no socket");
        assertThat(file).hasContent("mine");
        Path link = Files.createSymbolicLink(folder.resolve("link"), stale);
        assertThatThrownBy(() -> UnixListener.bind(link, 4)).hasMessageContaining("a symbolic link");
        assertThat(link).isSymbolicLink();
    }

    @Test
    void leavesASocketAloneThatAnotherServerHasPutInItsPlace() throws Exception {
        Files.delete(folder.resolve("socket"));
        try (UnixListener other = UnixListener.bind(folder.resolve("socket"), 4)) {
            listener.close();
            assertThat(other.path()).exists();
        }
    }

    @Test
    void saysWhyItCannotConnect() {
        assertThatThrownBy(() -> UnixConnection.connect(folder.resolve("none"), SOON))
                .hasMessageContaining("ENOENT");
        assertThatThrownBy(() -> UnixConnection.connect(folder.resolve("x".repeat(120)), SOON))
                .hasMessageContaining("at most 107 bytes long");
    }

    @Test
    void aConnectionThatEndsWithItsPeerGoesOnWhileThatLives() throws Exception {
        int before = openDescriptors();
        assertThat(server.endWithPeer()).isTrue();
        assertThat(server.endWithPeer()).as("again").isTrue();
        assertThat(openDescriptors()).isEqualTo(before + 1);
        client.send(bytes("there"), List.of(), SOON);
        assertThat(server.await(SOON)).isTrue();
        MemorySegment target = arena.allocate(16);
        assertThat(server.receive(target, 0, SOON).bytes()).isEqualTo(5);
        assertThatThrownBy(() -> server.receive(target, 0, Duration.ofMillis(20)))
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ETIMEDOUT));
        server.close();
        assertThat(openDescriptors()).isEqualTo(before - 1);
    }

    @Test
    void aProcessIsFoundByItsNumberOnlyWhileItIsThere() throws Exception {
        Process process = new ProcessBuilder("sleep", "60").start();
        try (OpenFile found =
                OpenFile.ofDescriptor(UnixConnection.openProcess((int) process.pid(), "a test"), Path.of("pidfd"))) {
            assertThat(Files.readSymbolicLink(Path.of("/proc/self/fd/" + found.descriptor()))
                            .toString())
                    .contains("pidfd");
        } finally {
            process.destroyForcibly().waitFor();
        }
        assertThatThrownBy(() -> UnixConnection.openProcess((int) process.pid(), "a test"))
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ESRCH));
    }

    @Test
    void whatSomebodyPutsInTheSocketsPlaceIsNotOpenedToOthers() throws Exception {
        Path file = Files.createFile(
                folder.resolve("secret"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Path link = Files.createSymbolicLink(folder.resolve("swapped"), file);
        for (Path put : List.of(link, file)) {
            assertThatThrownBy(() -> UnixListener.open(put, 0660, null))
                    .hasMessageContaining("somebody has put something else there");
        }
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
        try (UnixListener shared = UnixListener.bind(folder.resolve("shared"), 4, 0660, null)) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(shared.path())))
                    .isEqualTo("rw-rw----");
        }
    }
}
