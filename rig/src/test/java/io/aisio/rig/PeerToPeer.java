package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.rig.Machine.BoundFunction;
import io.aisio.upcie.Access;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;

/** Commands whose data goes to and from another device's memory, without the CPU, which looks at it by the other's BAR. */
final class PeerToPeer {
    private static final int BYTES = 64 << 10;
    private static final int PIECES = 10;

    private PeerToPeer() {}

    static void load() {
        Machine.load("udmabuf-import", "bar-export");
    }

    /**
     * Moves data both ways, in whole commands and in ones that begin and end within pages.
     *
     * @param translated whether the addresses are to be an IOMMU's
     */
    static void movesData(Access access, BarExport.Kind kind, boolean translated) throws IOException {
        load();
        byte[] content = new byte[BYTES];
        new Random(31).nextBytes(content);
        try (BoundFunction function = Driven.bound(access);
                Device device = Device.open(Driven.name(access, 1));
                Buffer host = device.allocate(BYTES);
                BarExport.Memory memory = new BarExport.Memory(kind, 1 << 20, BYTES);
                Buffer peer = device.map(memory)) {
            assertThat(peer.memory().iova(0) == memory.first())
                    .as(
                            "%s: address 0x%x of memory at 0x%x",
                            function.address(), peer.memory().iova(0), memory.first())
                    .isEqualTo(!translated);
            assertThat(BarExport.count("mappings")).isEqualTo(1);

            host.segment().copyFrom(MemorySegment.ofArray(content));
            device.write(0, host);
            memory.segment().fill((byte) 0x5A);
            device.read(0, peer);
            assertThat(Arrays.mismatch(memory.seen(), content))
                    .as("what the controller read into the BAR")
                    .isEqualTo(-1);

            memory.segment().copyFrom(MemorySegment.ofArray(reversed(content)));
            device.write(BYTES / 512, peer);
            host.segment().fill((byte) 0);
            device.read(BYTES / 512, host);
            assertThat(host.segment().mismatch(MemorySegment.ofArray(memory.seen())))
                    .as("what the controller wrote from the BAR")
                    .isEqualTo(-1);

            movesPieces(device, peer, memory, content);
        }
        BarExport.awaitNothingLeft();
    }

    private static void movesPieces(Device device, Buffer peer, BarExport.Memory memory, byte[] content)
            throws IOException {
        Random random = new Random(32);
        byte[] expected = new byte[BYTES];
        try (Queue queue = device.openQueue(4)) {
            for (int i = 0; i < PIECES; i++) {
                int bytes = 512 * (1 + random.nextInt(32));
                int at = 4 * random.nextInt((BYTES - bytes) / 4);
                int lba = random.nextInt((BYTES - bytes) / 512);
                memory.segment().fill((byte) i);
                queue.bindRead(0, peer, at, bytes);
                queue.submit(new int[] {0}, new long[] {lba}, 1);
                int[] completed = new int[4];
                assertThat(queue.await(completed)).isEqualTo(1);
                assertThat(completed[0]).isZero();
                Arrays.fill(expected, (byte) i);
                System.arraycopy(content, lba * 512, expected, at, bytes);
                assertThat(Arrays.mismatch(memory.seen(), expected))
                        .as("%d bytes of block %d, read to %d", bytes, lba, at)
                        .isEqualTo(-1);
            }
        }
    }

    private static byte[] reversed(byte[] bytes) {
        byte[] other = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            other[i] = bytes[bytes.length - 1 - i];
        }
        return other;
    }
}
