package io.aisio.upcie;

import io.aisio.linux.Mapping;
import io.aisio.upcie.vfiouser.VfioUser;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A vfio-user server's registers: those of areas that it shares are mapped, the others reached by messages. Of a server
 * that is gone a load gives all ones, and a store is lost.
 */
final class VfioUserBar implements Bar {
    private static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();
    private static final VarHandle LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

    /** Where an NVMe controller's doorbells begin; of another device, where what is stored to often may begin. */
    private static final long DOORBELLS = 0x1000;

    private final VfioUserLink link;
    private final int region;
    private final long size;
    private final List<Area> areas;
    /** The area of the doorbells, or an empty one. */
    private final long doorbells;

    private final long doorbellBytes;
    private final MemorySegment doorbellPage;

    /** A mapped area: where in the region it begins, and its memory. */
    record Area(long offset, long bytes, Mapping mapping) {}

    VfioUserBar(VfioUserLink link, int region, long size, List<Area> areas) {
        this.link = link;
        this.region = region;
        this.size = size;
        this.areas = List.copyOf(areas);
        Area page = areas.stream()
                .filter(area -> area.offset <= DOORBELLS && DOORBELLS - area.offset < area.bytes)
                .findAny()
                .orElse(null);
        doorbells = page == null ? 0 : page.offset;
        doorbellBytes = page == null ? 0 : page.bytes;
        doorbellPage =
                page == null ? MemorySegment.NULL : page.mapping.segment().asSlice(0, page.bytes);
    }

    /** Whether a doorbell is a store rather than a message. */
    boolean hasMappedDoorbells() {
        return doorbellBytes > 0;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public int read32(long offset) {
        check(offset, Integer.BYTES);
        try {
            for (Area area : areas) {
                if (offset >= area.offset && offset - area.offset <= area.bytes - Integer.BYTES) {
                    return (int) INT.getAcquire(area.mapping.segment(), offset - area.offset);
                }
            }
        } catch (InternalError e) {
            link.lost("the file of its registers has become shorter");
            return -1;
        }
        MemorySegment value = load(offset, Integer.BYTES);
        return value == null ? -1 : VfioUser.u32(value, VfioUser.REGION_ACCESS);
    }

    @Override
    public long read64(long offset) {
        check(offset, Long.BYTES);
        try {
            for (Area area : areas) {
                if (offset >= area.offset && offset - area.offset <= area.bytes - Long.BYTES) {
                    return (long) LONG.getAcquire(area.mapping.segment(), offset - area.offset);
                }
            }
        } catch (InternalError e) {
            link.lost("the file of its registers has become shorter");
            return -1;
        }
        MemorySegment value = load(offset, Long.BYTES);
        return value == null ? -1 : VfioUser.u64(value, VfioUser.REGION_ACCESS);
    }

    /** A doorbell that is mapped is one store, which is a release; everything before a message is there before it. */
    @Override
    public void write32(long offset, int value) {
        long at = offset - doorbells;
        if (at >= 0 && at < doorbellBytes) {
            try {
                INT.setRelease(doorbellPage, at, value);
            } catch (InternalError e) {
                link.lost("the file of its doorbells has become shorter");
            }
            return;
        }
        check(offset, Integer.BYTES);
        byte[] message = new byte[VfioUser.REGION_ACCESS + Integer.BYTES];
        VfioUser.u32(MemorySegment.ofArray(message), VfioUser.REGION_ACCESS, value);
        store(offset, Integer.BYTES, message);
    }

    @Override
    public void write64(long offset, long value) {
        check(offset, Long.BYTES);
        byte[] message = new byte[VfioUser.REGION_ACCESS + Long.BYTES];
        VfioUser.u64(MemorySegment.ofArray(message), VfioUser.REGION_ACCESS, value);
        store(offset, Long.BYTES, message);
    }

    private void check(long offset, int bytes) {
        if (offset < 0 || offset > size - bytes || offset % bytes != 0) {
            throw new IndexOutOfBoundsException(
                    "register at " + offset + " of " + bytes + " bytes, of registers of " + size + " bytes");
        }
    }

    private @Nullable MemorySegment load(long offset, int bytes) {
        try {
            return read(link, region, offset, bytes);
        } catch (IOException e) {
            link.lost(e.getMessage());
            return null;
        }
    }

    private void store(long offset, int bytes, byte[] message) {
        try {
            write(link, region, offset, bytes, message);
        } catch (IOException e) {
            link.lost(e.getMessage());
        }
    }

    /**
     * Reads from a region by message.
     *
     * @return the reply, whose data begin behind {@link VfioUser#REGION_ACCESS} bytes
     * @throws IOException if the server refuses, answers something else, or is gone
     */
    static MemorySegment read(VfioUserLink link, int region, long offset, int bytes) throws IOException {
        byte[] message = new byte[VfioUser.REGION_ACCESS];
        address(message, region, offset, bytes);
        MemorySegment reply = link.request(VfioUser.REGION_READ, MemorySegment.ofArray(message), List.of());
        if (reply.byteSize() != VfioUser.REGION_ACCESS + bytes || !answers(reply, message)) {
            throw new IOException(
                    "it answers another read than that of " + bytes + " bytes at " + offset + " of region " + region);
        }
        return reply;
    }

    /**
     * Writes to a region by message.
     *
     * @param message the data behind {@link VfioUser#REGION_ACCESS} bytes that are filled in here
     * @throws IOException if the server refuses, answers something else, or is gone
     */
    static void write(VfioUserLink link, int region, long offset, int bytes, byte[] message) throws IOException {
        address(message, region, offset, bytes);
        MemorySegment reply = link.request(VfioUser.REGION_WRITE, MemorySegment.ofArray(message), List.of());
        if (reply.byteSize() < VfioUser.REGION_ACCESS || !answers(reply, message)) {
            throw new IOException(
                    "it answers another write than that of " + bytes + " bytes at " + offset + " of region " + region);
        }
    }

    private static void address(byte[] message, int region, long offset, int bytes) {
        MemorySegment segment = MemorySegment.ofArray(message);
        VfioUser.u64(segment, VfioUser.ACCESS_OFFSET, offset);
        VfioUser.u32(segment, VfioUser.ACCESS_REGION, region);
        VfioUser.u32(segment, VfioUser.ACCESS_COUNT, bytes);
    }

    private static boolean answers(MemorySegment reply, byte[] message) {
        return MemorySegment.mismatch(
                        reply, 0, VfioUser.REGION_ACCESS, MemorySegment.ofArray(message), 0, VfioUser.REGION_ACCESS)
                < 0;
    }

    void close() {
        areas.forEach(area -> area.mapping.close());
    }
}
