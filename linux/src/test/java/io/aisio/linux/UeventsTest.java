package io.aisio.linux;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.Uevents.Uevent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class UeventsTest {
    @Test
    void aMessageIsAnActionAPathAndProperties() {
        byte[] message =
                "add@/devices/pci0000:00/0000:01:00.0\0ACTION=add\0SUBSYSTEM=pci\0X=a=b\0\0=x\0".getBytes(US_ASCII);

        assertThat(Uevent.parse(message))
                .contains(new Uevent(
                        "add",
                        "/devices/pci0000:00/0000:01:00.0",
                        Map.of("ACTION", "add", "SUBSYSTEM", "pci", "X", "a=b")));
    }

    @Test
    void whatTheKernelDoesNotSayIsNone() {
        assertThat(Uevent.parse("libudev\0\1\2\3".getBytes(US_ASCII))).isEmpty();
        assertThat(Uevent.parse(new byte[0])).isEmpty();
        assertThat(Uevent.parse(new byte[] {0, 0, 0})).isEmpty();
        assertThat(Uevent.parse("@/devices".getBytes(US_ASCII))).isEmpty();
    }

    @Test
    void aWaitEndsByItselfAndByAWake() throws LinuxException {
        try (Uevents events = new Uevents()) {
            events.wake();
            assertThat(events.await(60_000)).isEmpty();
            assertThat(events.await(0)).isEmpty();
        }
    }

    @Test
    void whatHappensToADeviceIsTold() throws IOException {
        Path attribute = Path.of("/sys/class/mem/null/uevent");
        assumeTrue(Files.isWritable(attribute), "needs root, to have the kernel tell of /dev/null");
        try (Uevents events = new Uevents()) {
            Files.writeString(attribute, "change");
            long end = System.nanoTime() + 10_000_000_000L;
            Optional<Uevent> told = events.await(1000);
            while (System.nanoTime() < end
                    && told.filter(e -> e.path().endsWith("/mem/null")).isEmpty()) {
                told = events.await(1000);
            }

            assertThat(told).isPresent();
            assertThat(told.get().action()).isEqualTo("change");
            assertThat(told.get().property("DEVNAME")).isEqualTo("null");
        }
    }
}
