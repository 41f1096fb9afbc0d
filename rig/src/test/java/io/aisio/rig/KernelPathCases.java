package io.aisio.rig;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.aisio.emu.DeviceConformance;
import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.IdentifyNamespace;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Capabilities.Queues;
import io.aisio.xnvme.Capabilities.Trait;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The kernel's own ways to a controller that it holds: block device and generic device, by rings and by calls. */
final class KernelPathCases {
    private static final Path DISABLED = Path.of("/proc/sys/kernel/io_uring_disabled");

    private KernelPathCases() {}

    static void theGenericDeviceTakesNvmeCommandsByRings() throws IOException {
        try (Device device = Device.open(Driven.generic(1))) {
            assertThat(device.path()).isEqualTo("kernel, NVMe commands by io_uring");
            assertThat(device.capabilities().queues()).isEqualTo(Queues.IO_URING);
            assertThat(device.capabilities().traits())
                    .contains(Trait.NVME_COMMANDS, Trait.REGISTERED_BUFFERS, Trait.REGISTERED_FILE, Trait.SLEEPS);
            assertThat(device.geometry().lbaBytes()).isEqualTo(512);
            assertThat(device.geometry().bytes()).isEqualTo(64L << 20);
            Driven.mix(device, 41, 1);
        }
    }

    static void blocksOfFourKibibytesTakeThemToo() throws IOException {
        try (Device device = Device.open(Driven.generic(2) + "?path=uring")) {
            assertThat(device.geometry().lbaBytes()).isEqualTo(4096);
            Driven.mix(device, 42, 1);
        }
        try (Device device = Device.open(Driven.block(2))) {
            assertThat(device.geometry().lbaBytes()).as(device.path()).isEqualTo(4096);
        }
    }

    /** Each path writes, each other reads. */
    static void everyPathSeesWhatAnotherWrote() throws IOException {
        String block = Driven.block(1);
        List<String> paths = List.of(block, block + "?path=pread", Driven.generic(1), block + "?sqpoll");
        for (int i = 0; i < paths.size(); i++) {
            byte[] content = new byte[65536];
            new Random(i).nextBytes(content);
            transfer(paths.get(i), 1000, content, true);
            for (String reader : paths) {
                byte[] seen = new byte[content.length];
                transfer(reader, 1000, seen, false);
                assertThat(MemorySegment.ofArray(seen).mismatch(MemorySegment.ofArray(content)))
                        .as("first byte that differs, written by %s, read by %s", paths.get(i), reader)
                        .isEqualTo(-1);
            }
        }
    }

    /** By commands of a queue, 4 KiB each, all at once. */
    private static void transfer(String name, long lba, byte[] content, boolean write) throws IOException {
        int commands = content.length / 4096;
        try (Device device = Device.open(name);
                Buffer buffer = device.allocate(content.length);
                Queue queue = device.openQueue(commands)) {
            int[] slots = new int[commands];
            long[] lbas = new long[commands];
            for (int slot = 0; slot < commands; slot++) {
                slots[slot] = slot;
                lbas[slot] = lba + slot * (4096L / device.geometry().lbaBytes());
                if (write) {
                    queue.bindWrite(slot, buffer, slot * 4096L, 4096);
                } else {
                    queue.bindRead(slot, buffer, slot * 4096L, 4096);
                }
            }
            if (write) {
                buffer.segment().copyFrom(MemorySegment.ofArray(content));
            }
            queue.submit(slots, lbas, commands);
            int[] completed = new int[commands];
            while (queue.outstanding() > 0) {
                int n = queue.await(completed);
                for (int i = 0; i < n; i++) {
                    if (completed[i] < 0) {
                        throw queue.failure(~completed[i]);
                    }
                }
            }
            if (write) {
                device.flush();
            } else {
                MemorySegment.ofArray(content).copyFrom(buffer.segment());
            }
        }
    }

    static void theControllersStatusComesBack() throws IOException {
        try (Device device = Device.open(Driven.generic(1));
                Buffer buffer = device.allocate(4096);
                Queue queue = device.openQueue(2)) {
            queue.bindRead(0, buffer, 0, 4096);
            queue.bindRead(1, buffer, 0, 4096);
            long end = device.geometry().lbaCount();
            queue.submit(new int[] {0, 1}, new long[] {end - 1, 0}, 2);
            int[] completed = new int[2];
            int failed = 0;
            while (queue.outstanding() > 0) {
                int n = queue.await(completed);
                for (int i = 0; i < n; i++) {
                    failed += completed[i] < 0 ? 1 : 0;
                }
            }
            assertThat(failed).isEqualTo(1);
            requireOutOfRange(queue.failure(0), end - 1);
            requireOutOfRange(catchThrowable(() -> device.read(end, buffer)), end);
        }
    }

    private static void requireOutOfRange(Throwable failure, long lba) {
        assertThat(failure).isInstanceOf(NvmeException.class).hasMessageContaining("LBA Out of Range");
        Status status = Objects.requireNonNull(((NvmeException) failure).status());
        assertThat(status.bits() & 0x7FF).as("at LBA " + lba).isEqualTo(Status.LBA_OUT_OF_RANGE);
    }

    static void theGenericDeviceAnswersAdminCommands() throws IOException {
        try (Device device = Device.open(Driven.generic(1));
                Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(Identify.BYTES);
            device.passthrough().execute(Command.of(Opcode.IDENTIFY, 0, Identify.CNS_CONTROLLER), data);
            assertThat(Wire.ascii(data, IdentifyController.SN, IdentifyController.SN_BYTES))
                    .isEqualTo("RIG0001");
            device.passthrough()
                    .execute(Command.of(Opcode.IDENTIFY, device.passthrough().nsid(), Identify.CNS_NAMESPACE), data);
            assertThat(Wire.i64(data, IdentifyNamespace.NSZE))
                    .isEqualTo(device.geometry().lbaCount());
            MemorySegment read = arena.allocate(4096);
            device.passthrough().executeIo(Command.overBlocks(Opcode.READ, 0, 1000, 8), read);
            byte[] blocks = new byte[4096];
            transfer(Driven.block(1), 1000, blocks, false);
            assertThat(read.toArray(JAVA_BYTE)).isEqualTo(blocks);
        }
    }

    static void theGenericDeviceIsLikeAnyOther() throws Exception {
        conforms(Driven.generic(1));
    }

    static void theBlockDeviceByRingsIsLikeAnyOther() throws Exception {
        conforms(Driven.block(1) + "?path=uring&direct");
    }

    static void theBlockDeviceByCallsIsLikeAnyOther() throws Exception {
        conforms(Driven.block(1) + "?path=pread");
    }

    private static void conforms(String name) throws Exception {
        DeviceConformance suite = new DeviceConformance() {
            @Override
            protected Device open() throws IOException {
                return Device.open(name);
            }
        };
        int tests = 0;
        for (Method test : DeviceConformance.class.getMethods()) {
            if (test.isAnnotationPresent(Test.class)) {
                try {
                    test.invoke(suite);
                    tests++;
                } catch (InvocationTargetException e) {
                    throw new AssertionError(name + ": " + test.getName(), e.getCause());
                }
            }
        }
        assertThat(tests).isGreaterThan(10);
    }

    static void aKernelThatForbidsRingsIsNamed() throws IOException {
        if (!DISABLED.toFile().exists()) {
            throw new NeedsException("needs kernel.io_uring_disabled (Linux 6.6)");
        }
        Machine.write(DISABLED, "2");
        try {
            for (String name : List.of(Driven.block(1), Driven.generic(1))) {
                try (Device device = Device.open(name)) {
                    assertThat(device.path()).contains("no io_uring: kernel.io_uring_disabled is 2");
                    assertThat(device.capabilities().queues()).isEqualTo(Queues.SYSTEM_CALLS);
                    Driven.mix(device, 43, 1);
                }
                assertThat(catchThrowable(
                                () -> Device.open(name + "?path=uring").close()))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("sysctl kernel.io_uring_disabled=0");
            }
        } finally {
            Machine.write(DISABLED, "0");
        }
    }

    static void aDriverWithQueuesForItIsPolled() throws IOException {
        Machine.run("modprobe", "-r", "nvme");
        try {
            Machine.run("modprobe", "nvme", "poll_queues=1");
            for (String name : List.of(Driven.block(1) + "?iopoll", Driven.generic(1) + "?iopoll")) {
                try (Device device = Device.open(name)) {
                    assertThat(device.path()).contains("device polled");
                    assertThat(device.capabilities().traits())
                            .contains(Trait.DEVICE_POLLED)
                            .doesNotContain(Trait.SLEEPS);
                    Driven.mix(device, 44, 1);
                }
            }
        } finally {
            Machine.run("modprobe", "-r", "-q", "nvme");
            Machine.run("modprobe", "nvme");
            Machine.awaitNamespacesAt(Driven.CONTROLLER, 2);
        }
    }

    static void aDriverThatIsNotPolledIsNotPolled() {
        assertThat(catchThrowable(() -> Device.open(Driven.block(1) + "?iopoll").close()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("poll_queues");
    }
}
