package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Capabilities.Trait;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import io.aisio.xnvme.RetryingQueue;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.management.ManagementFactory;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** That devices are alike whatever the path to them: one suite, run on each path that a test machine may have. */
class DeviceConformanceTest {
    private static final long BYTES = 4 << 20;

    @TempDir
    static Path folder;

    private static Path image() throws IOException {
        Path image = folder.resolve("image");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(BYTES);
        }
        return image;
    }

    /** Opens a device whose path can only be had on some machines: what is asked for is there, or the test is skipped. */
    private static Device required(String name) throws IOException {
        try {
            return Device.open(name);
        } catch (IOException e) {
            String why = String.valueOf(e.getMessage());
            if (!why.contains("no io_uring") && !why.contains("past the page cache")) {
                throw e;
            }
            return abort("needs what " + name + " asks for: " + e.getMessage());
        }
    }

    @Nested
    class Emulated extends DeviceConformance {
        @Override
        protected Device open() throws IOException {
            return Device.open("emu:4MiB");
        }
    }

    @Nested
    class EmulatedImage extends DeviceConformance {
        @Override
        protected Device open() throws IOException {
            return Device.open("emu:" + image() + "?lba=4096&mdts=5");
        }
    }

    /** Queues that try again what fails are queues. */
    @Nested
    class Retrying extends DeviceConformance {
        @Override
        protected Device open() throws IOException {
            Device device = Device.open("emu:4MiB?mdts=5");
            return (Device) Proxy.newProxyInstance(
                    Device.class.getClassLoader(), new Class<?>[] {Device.class}, (proxy, method, arguments) -> {
                        try {
                            Object result = method.invoke(device, arguments);
                            return result instanceof Queue queue ? new RetryingQueue(queue) : result;
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    });
        }
    }

    /** A socket on which a server of vfio-user offers software controllers, each device one of its own. */
    abstract static class Served extends DeviceConformance {
        private VfioUserPairTest.@Nullable Running running;

        Device open(EmuConfiguration configuration, String options) throws IOException {
            VfioUserPairTest.Running server = running;
            if (server == null) {
                server = new VfioUserPairTest.Running(
                        VfioUserServer.open(folder.resolve("socket"), configuration, note -> {}));
                running = server;
            }
            return Device.open(server.device() + options);
        }

        @AfterEach
        void end() throws Exception {
            VfioUserPairTest.Running server = running;
            if (server != null) {
                running = null;
                server.close();
            }
        }
    }

    @Nested
    class VfioUser extends Served {
        @Override
        protected Device open() throws IOException {
            return open(EmuConfiguration.memory(BYTES), "");
        }
    }

    @Nested
    class VfioUserOfLargeBlocksByInterrupts extends Served {
        @Override
        protected Device open() throws IOException {
            return open(EmuConfiguration.memory(BYTES).withLbaBytes(4096).withMdts(5), "?interrupts");
        }
    }

    @Nested
    class WhatAFileIsOpenedAs extends DeviceConformance {
        @Override
        protected Device open() throws IOException {
            return Device.open(image().toString());
        }
    }

    @Nested
    class PreadBuffered extends DeviceConformance {
        @Override
        protected Device open() throws IOException {
            return Device.open(image() + "?path=pread&buffered");
        }
    }

    @Nested
    class PreadDirect extends DeviceConformance {
        @Override
        protected Device open() throws IOException {
            return required(image() + "?path=pread&direct&lba=4096");
        }
    }

    @Nested
    class UringBuffered extends DeviceConformance {
        @Override
        protected Device open() throws IOException {
            return required(image() + "?path=uring&buffered");
        }
    }

    @Nested
    class UringDirect extends DeviceConformance {
        @Override
        protected Device open() throws IOException {
            return required(image() + "?path=uring&direct&lba=4096");
        }
    }

    @Nested
    class UringWithAThreadOfTheKernels extends DeviceConformance {
        @Override
        protected Device open() throws IOException {
            return required(image() + "?sqpoll&lba=4096");
        }
    }

    /** A block device, whose blocks are of 4096 bytes. */
    abstract static class OnLoop extends DeviceConformance {
        private @Nullable Path loop;

        Path loop() throws IOException {
            Path device = loop;
            if (device == null) {
                assumeTrue(
                        "root".equals(System.getProperty("user.name")) && Files.exists(Path.of("/dev/loop-control")),
                        "needs root and loop devices");
                device = Path.of(run("losetup", "-f", "--show", "--sector-size", "4096", image().toString()));
                loop = device;
            }
            return device;
        }

        @AfterEach
        void detach() throws IOException {
            if (loop != null) {
                run("losetup", "-d", loop.toString());
            }
        }

        private static String run(String... command) throws IOException {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            String said = process.inputReader().readAllAsString().strip();
            try {
                assertThat(process.waitFor()).as(said).isZero();
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
            return said;
        }
    }

    @Nested
    class UringOnABlockDevice extends OnLoop {
        @Test
        void allocatesNothingPerCommand() throws IOException {
            ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
            int depth = 32;
            try (Device device = open();
                    Buffer buffer = device.allocate(depth * 4096L);
                    Queue queue = device.openQueue(depth)) {
                int[] slots = new int[depth];
                long[] lbas = new long[depth];
                for (int slot = 0; slot < depth; slot++) {
                    slots[slot] = slot;
                    queue.bindRead(slot, buffer, slot * 4096L, 4096);
                }
                queue.submit(slots, lbas, depth);
                long allocated = Long.MAX_VALUE;
                // The first rounds are not compiled yet.
                for (int round = 0; round < 20 && allocated >= 10_000; round++) {
                    long before = threads.getCurrentThreadAllocatedBytes();
                    for (int commands = 0; commands < 20_000; ) {
                        int n = queue.await(slots, 4);
                        for (int i = 0; i < n; i++) {
                            requireDone(slots[i]);
                        }
                        queue.submit(slots, lbas, n);
                        commands += n;
                    }
                    allocated = Math.min(allocated, threads.getCurrentThreadAllocatedBytes() - before);
                }
                assertThat(allocated)
                        .as("bytes in the best of 20 rounds of 20,000 reads")
                        .isLessThan(10_000);
            }
        }

        /** Without an object of AssertJ's. */
        private static void requireDone(int slot) {
            if (slot < 0) {
                throw new AssertionError("the read of slot " + ~slot + " failed");
            }
        }

        @Test
        void whatTheDeviceCannotReadIsAnInputOutputError() throws IOException {
            try (Device device = open();
                    Buffer buffer = device.allocate(8192);
                    Queue queue = device.openQueue(2)) {
                try (RandomAccessFile file =
                        new RandomAccessFile(folder.resolve("image").toFile(), "rw")) {
                    file.setLength(BYTES / 2);
                }
                queue.bindRead(0, buffer, 0, 4096);
                queue.bindRead(1, buffer, 4096, 4096);
                long gone = BYTES * 3 / 4 / 4096;
                queue.submit(new int[] {0, 1}, new long[] {gone, 0}, 2);
                int[] completed = new int[2];
                int n = queue.await(completed, 2);
                assertThat(n).isEqualTo(2);
                assertThat(completed).containsExactlyInAnyOrder(~0, 1);
                assertThat(queue.failure(0)).hasMessageContaining("LBA " + gone).hasMessageContaining("EIO");
                assertThatThrownBy(() -> device.read(gone, buffer, 0, 4096)).hasMessageContaining("EIO");
            }
        }

        @Override
        protected Device open() throws IOException {
            Device device = required(loop() + "?path=uring");
            assertThat(device.geometry().lbaBytes()).isEqualTo(4096);
            assertThat(device.capabilities().has(Trait.DIRECT))
                    .as(device.path())
                    .isTrue();
            return device;
        }
    }

    @Nested
    class PreadOnABlockDevice extends OnLoop {
        @Override
        protected Device open() throws IOException {
            Device device = Device.open(loop() + "?path=pread");
            assertThat(device.capabilities().has(Trait.DIRECT))
                    .as(device.path())
                    .isTrue();
            return device;
        }
    }
}
