package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.xnvme.Capabilities.Trait;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
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
