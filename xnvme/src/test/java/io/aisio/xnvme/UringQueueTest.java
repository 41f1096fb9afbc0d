package io.aisio.xnvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.linux.IoUring;
import io.aisio.linux.Mapping;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UringQueueTest {
    @TempDir
    Path folder;

    private FileDevice device() throws IOException {
        Path image = Files.write(folder.resolve("image"), new byte[64 * 512]);
        try {
            return (FileDevice) Device.open(image + "?path=uring&buffered");
        } catch (IOException e) {
            return abort("needs io_uring: " + e.getMessage());
        }
    }

    /** A ring that belongs to another thread, from which the kernel takes nothing here (EEXIST). */
    private static IoUring anothers(FileDevice device, int slots) throws Exception {
        IoUring ring = device.openRing(slots, true);
        assumeTrue(ring.defers(), "needs Linux 6.1, in which a ring belongs to a thread");
        Thread owner = Thread.ofPlatform().start(() -> {
            try (Mapping memory = Mapping.anonymous(512)) {
                ring.read(0, 0, memory.segment().asSlice(0, 512));
                ring.await(1);
                assertThat(ring.next()).isTrue();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        owner.join();
        assertThat(ring.outstanding()).isZero();
        return ring;
    }

    @Test
    void commandsThatTheKernelDoesNotTakeFailEachWithTheCause() throws Exception {
        try (FileDevice device = device();
                Buffer buffer = device.allocate(4 * 512)) {
            UringTarget target = (UringTarget) Proxy.newProxyInstance(
                    UringTarget.class.getClassLoader(),
                    new Class<?>[] {UringTarget.class},
                    (_, method, arguments) -> method.getName().equals("openRing")
                            ? anothers(device, (int) arguments[0])
                            : method.invoke(device, arguments));
            try (Queue queue = UringQueue.open(target, 4)) {
                for (int slot = 0; slot < 4; slot++) {
                    queue.bindRead(slot, buffer, slot * 512L, 512);
                }
                // The third is refused before the kernel is asked, as it is beyond the end.
                queue.submit(new int[] {0, 1, 2}, new long[] {0, 1, 64}, 3);
                assertThat(queue.outstanding()).isEqualTo(3);
                int[] completed = new int[2];
                assertThat(queue.poll(completed)).isEqualTo(2);
                int[] rest = new int[2];
                assertThat(queue.poll(rest)).isEqualTo(1);
                assertThat(new int[] {completed[0], completed[1], rest[0]}).containsExactlyInAnyOrder(~0, ~1, ~2);
                assertThat(queue.failure(0))
                        .hasMessageContaining("the kernel did not take the command")
                        .hasMessageContaining("EEXIST");
                assertThat(queue.failure(2)).hasMessageContaining("beyond the end");
                assertThat(queue.outstanding()).isZero();
                assertThat(queue.poll(rest)).isZero();
                assertThatThrownBy(() -> queue.submit(new int[] {3}, new long[1], 1))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("the queue failed before");
                assertThat(queue.outstanding()).as("nothing was submitted then").isZero();
            }
        }
    }
}
