package io.aisio.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServiceNoticeTest {
    @TempDir
    Path folder;

    private final Arena arena = Arena.ofConfined();
    private int manager;

    @BeforeEach
    void makeASocket() {
        manager = Libc.socket(Libc.AF_UNIX, Libc.SOCK_DGRAM | Libc.SOCK_CLOEXEC);
        assertThat(manager).isNotNegative();
    }

    @AfterEach
    void close() {
        assertThat(Libc.close(manager)).isZero();
        arena.close();
    }

    private void listenOn(MemorySegment address) {
        assertThat(Libc.bind(manager, address, (int) address.byteSize()))
                .as("errno " + Libc.errno())
                .isZero();
    }

    private String received() {
        MemorySegment target = arena.allocate(4096);
        long bytes = Libc.read(manager, target);
        return new String(target.asSlice(0, bytes).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
    }

    @Test
    void tellsASocketThatHasAPath() throws Exception {
        Path socket = folder.resolve("notify");
        listenOn(UnixAddress.of(arena, socket));
        assertThat(ServiceNotice.sendTo(socket.toString(), "READY=1", "STATUS=two\ndevices"))
                .isTrue();
        assertThat(received()).isEqualTo("READY=1\nSTATUS=two devices\n");
    }

    @Test
    void tellsASocketThatHasAnAbstractName() throws Exception {
        String name = "aisio-notify-" + ProcessHandle.current().pid();
        MemorySegment address = arena.allocate(3 + name.length(), 2);
        address.set(JAVA_SHORT, 0, (short) Libc.AF_UNIX);
        MemorySegment.copy(name.getBytes(StandardCharsets.US_ASCII), 0, address, JAVA_BYTE, 3, name.length());
        listenOn(address);
        assertThat(ServiceNotice.sendTo("@" + name, "STOPPING=1")).isTrue();
        assertThat(received()).isEqualTo("STOPPING=1\n");
    }

    @Test
    void tellsNobodyWhoDoesNotAsk() throws Exception {
        assertThat(ServiceNotice.sendTo(null, "READY=1")).isFalse();
        assertThat(ServiceNotice.sendTo("", "READY=1")).isFalse();
    }

    @Test
    void saysWhichSocketIsNotThere() {
        assertThatThrownBy(() -> ServiceNotice.sendTo(folder.resolve("none").toString(), "READY=1"))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("NOTIFY_SOCKET")
                .hasMessageContaining("none");
    }
}
