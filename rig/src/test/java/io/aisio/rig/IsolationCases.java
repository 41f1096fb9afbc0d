package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.Mapping;
import io.aisio.linux.PageMap;
import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.Virtualization;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.rig.Machine.BoundFunction;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.LentFunction;
import io.aisio.upcie.PciAddress;
import io.aisio.upcie.PciFunction;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A client that has a virtual function and tries on purpose to reach what is others': another virtual function's client, who
 * reads and writes all the time, and the kernel, which has the physical function and a file system on it that is written to.
 */
final class IsolationCases {
    /** The namespace that both clients use; the kernel has its file system on the other. */
    private static final int NSID = 2;

    private static final int PAGE = 4096;
    /** Beyond what the victim moves. */
    private static final long ATTACKERS_BYTES = 32L << 20;

    private static final byte ATTACKERS = (byte) 0xEE;
    private static final byte VICTIMS = 0x3C;
    private static final long GIVE_UP_NANOS = 60_000_000_000L;

    private IsolationCases() {}

    /** Somebody who tries: a controller of his own, its registers, and a queue pair whose commands name any address. */
    private record Attacker(PciFunction function, NvmeDevice device, QueuePair pair, Buffer own) {
        /** One command about a page at an address, as the controller finds it; whether it succeeded. */
        boolean moves(int opcode, long block, long address) throws NvmeException {
            int blocks = PAGE / device.geometry().lbaBytes();
            pair.bind(0, Command.overBlocks(opcode, NSID, 0, blocks), new At(address), 0, PAGE);
            pair.submit(
                    new int[] {0},
                    new long[] {
                        (ATTACKERS_BYTES + block * PAGE) / device.geometry().lbaBytes()
                    },
                    1);
            int[] completed = new int[1];
            long end = System.nanoTime() + GIVE_UP_NANOS;
            while (pair.poll(completed) == 0) {
                assertThat(System.nanoTime()).as("the deadline").isLessThan(end);
                Thread.yield();
            }
            return completed[0] >= 0;
        }

        MemorySegment page() {
            return own.segment().asSlice(0, PAGE);
        }

        /** What a block of his has. */
        byte[] read(long block) throws NvmeException {
            page().fill((byte) 0);
            assertThat(moves(Opcode.READ, block, own.memory().iova(0))).isTrue();
            return page().toArray(ValueLayout.JAVA_BYTE);
        }

        void write(long block, byte value) throws NvmeException {
            page().fill(value);
            assertThat(moves(Opcode.WRITE, block, own.memory().iova(0))).isTrue();
        }
    }

    /** Memory that is named by its address alone. */
    private record At(long address) implements DmaMemory {
        @Override
        public MemorySegment segment() {
            return MemorySegment.NULL;
        }

        @Override
        public long size() {
            return PAGE;
        }

        @Override
        public long iova(long offset) {
            return address + offset;
        }

        @Override
        public void close() {}
    }

    private static boolean consistsOf(byte[] content, byte value) {
        for (byte one : content) {
            if (one != value) {
                return false;
            }
        }
        return true;
    }

    /** The victim moves data and the kernel writes files meanwhile, and both find all of it right. */
    static void whoHasAVirtualFunctionReachesNothingOfOthers() throws Exception {
        Machine.load("xfs", "vfio-pci", "vfio_iommu_type1", "iommufd");
        Path mount = Files.createTempDirectory("victim");
        String block = "/dev/"
                + Machine.awaitNamespacesAt(SriovCases.PHYSICAL, 2)
                        .getFirst()
                        .block()
                        .getFileName();
        Machine.run("mkfs.xfs", "-q", "-f", "--unsupported", block);
        Machine.run("mount", block, mount.toString());
        try (SriovCases.Functions functions = new SriovCases.Functions();
                FilesWriter writer = new FilesWriter(mount)) {
            PciAddress first = functions.bringOnline(1);
            PciAddress second = functions.bringOnline(2);
            try (BoundFunction one = Machine.bind(first.toString(), "vfio-pci");
                    BoundFunction two = Machine.bind(second.toString(), "vfio-pci");
                    LentFunction attackers = LentFunction.open(first);
                    LentFunction victims = LentFunction.open(second);
                    NvmeDevice victim = NvmeDevice.open(SriovCases.passed(victims), NSID, "victim", "lent")) {
                assertThat(one.iommuGroup()).isNotEqualTo(two.iommuGroup());
                PciFunction function = SriovCases.passed(attackers);
                try (NvmeDevice device = NvmeDevice.open(function, NSID, "attacker", "lent");
                        QueuePair pair = device.controller().createQueuePair(4);
                        Buffer own = device.allocate(PAGE)) {
                    Mixing mixing = new Mixing(victim);
                    Attacker attacker = new Attacker(function, device, pair, own);
                    attackMemory(attacker, victim);
                    attackQueues(attacker);
                    mixing.end();
                }
                SriovCases.roundTrip(victim, 52);
            }
            Map<String, String> written = new TreeMap<>();
            writer.stop().forEach((path, content) -> written.put(path, ExtentsReader.checksum(content)));
            assertThat(ExtentsReader.checksumsOf(mount)).isEqualTo(written);
        } finally {
            Machine.run("umount", mount.toString());
        }
        Machine.run("wipefs", "-q", "-a", block);
    }

    /** The victim's reads and writes, each compared. */
    private static final class Mixing {
        private final Thread thread;
        private volatile @Nullable Throwable failure;

        Mixing(NvmeDevice victim) {
            thread = Thread.ofPlatform().name("victim").start(() -> {
                try {
                    Driven.mix(victim, 51, 1);
                } catch (IOException | RuntimeException | AssertionError e) {
                    failure = e;
                }
            });
        }

        void end() throws InterruptedException {
            thread.join();
            assertThat(failure).as("what the victim saw").isNull();
        }
    }

    /** By commands that name addresses which the victim or the kernel has, as they see them and where they lie physically. */
    private static void attackMemory(Attacker attacker, NvmeDevice victim) throws IOException {
        try (Buffer held = victim.allocate(Mapping.HUGE_PAGE_SIZE)) {
            held.segment().fill(VICTIMS);
            attacker.write(0, ATTACKERS);
            assertThat(consistsOf(attacker.read(0), ATTACKERS))
                    .as("an attack would move something")
                    .isTrue();

            List<Long> addresses = new ArrayList<>();
            int pages = (int) (held.size() / PAGE);
            long[] physical = PageMap.physicalAddresses(held.segment(), PAGE);
            for (int page = pages - 1; page > pages / 2; page -= 61) {
                addresses.add(held.memory().iova((long) page * PAGE));
                addresses.add(physical[page]);
            }
            // From where the kernel gives addresses to its own devices, from the top down.
            for (int page = 1; page <= 16; page++) {
                addresses.add((1L << 32) - (long) page * PAGE);
            }
            int refused = 0;
            for (long address : addresses) {
                attacker.write(1, ATTACKERS);
                boolean wrote = attacker.moves(Opcode.READ, 0, address);
                boolean read = attacker.moves(Opcode.WRITE, 1, address);
                refused += (wrote ? 0 : 1) + (read ? 0 : 1);
                byte[] found = attacker.read(1);
                assertThat(consistsOf(found, ATTACKERS) || consistsOf(found, (byte) 0))
                        .as("nothing came out of %#x, but %s", address, Arrays.toString(found))
                        .isTrue();
            }
            System.out.printf("isolation: %d of %d commands on others' memory failed%n", refused, 2 * addresses.size());
            byte[] unchanged = new byte[(int) held.size()];
            Arrays.fill(unchanged, VICTIMS);
            assertThat(held.segment().mismatch(MemorySegment.ofArray(unchanged)))
                    .as("the first byte of the victim's memory that changed")
                    .isEqualTo(-1);
        }
    }

    /** By doorbells of queues that he does not have, and commands to his controller about others. */
    private static void attackQueues(Attacker attacker) throws IOException {
        Bar registers = attacker.function.bar(0);
        long doorbells = (registers.size() - Registers.sqTailDoorbell(0, 0)) / 8;
        for (int qid = attacker.pair.qid() + 1; qid < doorbells; qid++) {
            for (int value : new int[] {1, 3, 0xFFFF}) {
                registers.write32(Registers.sqTailDoorbell(qid, 0), value);
                registers.write32(Registers.cqHeadDoorbell(qid, 0), value);
            }
        }
        int others = attacker.pair.qid() + 1;
        assertThatThrownBy(() -> attacker.device.controller().execute(Command.of(Opcode.DELETE_IO_SQ, 0, others)))
                .isInstanceOf(NvmeException.class);
        Virtualization virtualization = new Virtualization("attacker", attacker.device.controller());
        for (int controller = 0; controller <= 4; controller++) {
            int id = controller;
            assertThatThrownBy(() -> virtualization.offline(id)).isInstanceOf(NvmeException.class);
        }
        attacker.write(0, ATTACKERS);
        assertThat(consistsOf(attacker.read(0), ATTACKERS)).isTrue();
    }
}
