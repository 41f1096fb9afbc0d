package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.rig.Machine.BoundFunction;
import io.aisio.upcie.Access;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Random;

/** What the user-space driver is put through whichever way there is to the controller. */
final class Driven {
    static final String CONTROLLER = "0000:01:00.0";
    private static final int DEPTH = 16;

    private Driven() {}

    /** The driver that an access needs, loaded. */
    static String driverFor(Access access) {
        if (access == Access.UIO) {
            Machine.load("uio_pci_generic");
            return "uio_pci_generic";
        }
        Machine.load("vfio-pci", "vfio_iommu_type1", "iommufd");
        if (access == Access.NOIOMMU) {
            Machine.write(Path.of("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"), "1");
        }
        return "vfio-pci";
    }

    /** The controller bound for an access. */
    static BoundFunction bound(Access access) {
        return Machine.bind(CONTROLLER, driverFor(access));
    }

    /**
     * The kernel's block device of a namespace. The number in its name is the order in which the kernel found them, which
     * may be another each time that its driver gets the controller.
     */
    static String block(int nsid) {
        return "/dev/"
                + Machine.awaitNamespacesAt(CONTROLLER, 2).get(nsid - 1).block().getFileName();
    }

    /** Its generic device, for NVMe commands. */
    static String generic(int nsid) {
        return block(nsid).replace("/nvme", "/ng");
    }

    /** A device's name with its options. */
    static String name(Access access, int nsid) {
        return CONTROLLER + "?nsid=" + nsid + "&access=" + access + (access == Access.NOIOMMU ? "&unsafe" : "");
    }

    /** The host's blocks are what the host wrote, and the guest leaves its own for the host to read. */
    static void exchangesDataWithTheHost(Access access) throws IOException {
        try (BoundFunction function = bound(access);
                Device device = Device.open(name(access, Exchange.NSID));
                Buffer buffer = device.allocate((long) Exchange.BLOCKS * Exchange.BLOCK_BYTES)) {
            assertThat(device.path()).startsWith(access.description());
            device.read(Exchange.FROM_HOST, buffer);
            assertThat(buffer.segment().mismatch(Exchange.host()))
                    .as(function.address())
                    .isEqualTo(-1);
            buffer.segment().copyFrom(Exchange.guest(access));
            device.write(Exchange.fromGuest(access), buffer);
            device.flush();
        }
    }

    /** Random reads and writes of several sizes at depth, each read compared with an array. */
    static void readsWhatItWrites(Access access, String more, long seed, int rounds) throws IOException {
        try (BoundFunction function = bound(access);
                Device device = Device.open(name(access, 1) + more)) {
            assertThat(function.address()).isEqualTo(CONTROLLER);
            mix(device, seed, rounds);
        }
    }

    static void mix(Device device, long seed, int rounds) throws IOException {
        int lba = device.geometry().lbaBytes();
        int most = Math.min(64 << 10, device.geometry().maxTransferBytes());
        Random random = new Random(seed);
        byte[] oracle = new byte[DEPTH * most];
        random.nextBytes(oracle);
        try (Buffer all = device.allocate(oracle.length);
                Buffer buffer = device.allocate(oracle.length + 4096L);
                Queue queue = device.openQueue(DEPTH)) {
            all.segment().copyFrom(MemorySegment.ofArray(oracle));
            device.write(0, all);
            int[] slots = new int[DEPTH];
            long[] lbas = new long[DEPTH];
            int[] completed = new int[DEPTH];
            int[] bytes = new int[DEPTH];
            boolean[] writes = new boolean[DEPTH];
            for (int round = 0; round < rounds; round++) {
                for (int slot = 0; slot < DEPTH; slot++) {
                    // Each slot has blocks of its own, so that the order of completion does not matter.
                    int at = lba * random.nextInt(most / lba);
                    bytes[slot] = lba * (1 + random.nextInt((most - at) / lba));
                    slots[slot] = slot;
                    lbas[slot] = ((long) slot * most + at) / lba;
                    writes[slot] = random.nextBoolean();
                    long offset = (long) slot * most + (random.nextBoolean() ? 4L * random.nextInt(1024) : 0);
                    MemorySegment data = buffer.segment().asSlice(offset, bytes[slot]);
                    MemorySegment expected =
                            MemorySegment.ofArray(oracle).asSlice((long) slot * most + at, bytes[slot]);
                    if (writes[slot]) {
                        byte[] content = new byte[bytes[slot]];
                        random.nextBytes(content);
                        expected.copyFrom(MemorySegment.ofArray(content));
                        data.copyFrom(expected);
                        queue.bindWrite(slot, buffer, offset, bytes[slot]);
                    } else {
                        data.fill((byte) 0xA5);
                        queue.bindRead(slot, buffer, offset, bytes[slot]);
                    }
                    // One at a time where buffers of neighbours may overlap.
                    queue.submit(new int[] {slot}, new long[] {lbas[slot]}, 1);
                    while (queue.outstanding() > 0) {
                        int n = queue.await(completed);
                        for (int i = 0; i < n; i++) {
                            if (completed[i] < 0) {
                                throw queue.failure(~completed[i]);
                            }
                        }
                    }
                    assertThat(data.mismatch(expected))
                            .as("seed %d, round %d, %d bytes at block %d", seed, round, bytes[slot], lbas[slot])
                            .isEqualTo(-1);
                }
                wholeAtDepth(device, queue, buffer, slots, most);
                assertThat(buffer.segment().asSlice(0, oracle.length).mismatch(MemorySegment.ofArray(oracle)))
                        .as("seed %d, after round %d", seed, round)
                        .isEqualTo(-1);
            }
        }
    }

    /** Reads everything with one command a slot, all in flight at once. */
    private static void wholeAtDepth(Device device, Queue queue, Buffer buffer, int[] slots, int most)
            throws IOException {
        long[] lbas = new long[DEPTH];
        for (int slot = 0; slot < DEPTH; slot++) {
            slots[slot] = slot;
            lbas[slot] = (long) slot * most / device.geometry().lbaBytes();
            queue.bindRead(slot, buffer, (long) slot * most, most);
        }
        queue.submit(slots, lbas, DEPTH);
        int[] completed = new int[DEPTH];
        while (queue.outstanding() > 0) {
            int n = queue.await(completed);
            for (int i = 0; i < n; i++) {
                if (completed[i] < 0) {
                    throw queue.failure(~completed[i]);
                }
            }
        }
    }

    static void opensAndCloses(Access access, int times) throws IOException {
        try (BoundFunction function = bound(access)) {
            for (int i = 0; i < times; i++) {
                try (Device device = Device.open(name(access, 1));
                        Buffer buffer = device.allocate(4096)) {
                    device.read(i, buffer);
                }
            }
            assertThat(Machine.driverOf(function.address())).isNotEmpty();
        }
    }

    /** A process is killed with commands in flight; the next finds a controller as if nothing had happened. */
    static void survivesAKilledProcess(Access access) throws IOException, InterruptedException {
        try (BoundFunction function = bound(access)) {
            Process process = Machine.startJava(Busy.class, name(access, 1));
            try (BufferedReader said = process.inputReader()) {
                String line = said.readLine();
                assertThat(line).isEqualTo("busy");
            } finally {
                process.destroyForcibly();
            }
            assertThat(process.waitFor()).isEqualTo(128 + 9);
            assertThat(commandRegister(function.address()) & 4)
                    .as("bus mastering is off once the process has gone")
                    .isZero();
            try (Device device = Device.open(name(access, 1))) {
                mix(device, 5, 1);
            }
        }
    }

    private static int commandRegister(String address) {
        return Integer.parseInt(Machine.run("setpci", "-s", address, "COMMAND"), 16);
    }

    static void tellsASecondProcessWhoHasTheController(Access access) throws IOException, InterruptedException {
        try (BoundFunction function = bound(access)) {
            Process process = Machine.startJava(Busy.class, name(access, 1));
            try (BufferedReader said = process.inputReader()) {
                assertThat(said.readLine()).isEqualTo("busy");
                assertThat(org.assertj.core.api.Assertions.catchThrowable(
                                () -> Device.open(name(access, 1)).close()))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining(function.address() + ": in use by process " + process.pid());
            } finally {
                process.destroyForcibly();
                process.waitFor();
            }
        }
    }

    /** Keeps a queue full of reads, for ever. */
    static final class Busy {
        private Busy() {}

        public static void main(String[] args) throws IOException {
            try (Device device = Device.open(args[0]);
                    Queue queue = device.openQueue(DEPTH);
                    Buffer buffer = device.allocate(DEPTH * 4096L)) {
                int[] slots = new int[DEPTH];
                for (int slot = 0; slot < DEPTH; slot++) {
                    slots[slot] = slot;
                    queue.bindRead(slot, buffer, slot * 4096L, 4096);
                }
                queue.submit(slots, new long[DEPTH], DEPTH);
                System.out.println("busy");
                while (true) {
                    int n = queue.await(slots);
                    queue.submit(slots, new long[DEPTH], n);
                }
            }
        }
    }
}
