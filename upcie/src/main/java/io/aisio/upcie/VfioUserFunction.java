package io.aisio.upcie;

import io.aisio.linux.EventFd;
import io.aisio.linux.FileStatus;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.upcie.vfiouser.VfioUser;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A PCI function that another process is, reached by vfio-user: SPDK's NVMe target, or {@code ./aisio emu serve}.
 *
 * <p>Registers go by message, doorbells through a page that both processes map where the server has one; memory is in files
 * that both map. A server that is gone, whatever the reason, is a device that was removed: registers read as all ones.
 */
public final class VfioUserFunction implements PciFunction {
    /** The name of SPDK's socket in the folder that its address is. */
    private static final String SPDK_SOCKET = "cntrl";
    /** The reply to GET_REGION_INFO that there is room for: more than the areas that are mapped take. */
    private static final int REGION_REPLY = 4096;
    /** Areas of a region that are mapped, each by a mapping of its own: chosen far above the few that there are. */
    private static final int MOST_AREAS = 64;
    /** Capabilities of a region that are looked at: chosen far above the few that there are. */
    private static final int MOST_CAPABILITIES = 32;
    /** The largest BAR that is believed. */
    private static final long LARGEST_BAR = 1L << 32;
    /** The smallest BAR: registers of an NVMe controller, and the doorbells of the admin queue. */
    private static final long SMALLEST_BAR = 0x1008;
    /** Interrupt vectors that are believed: what MSI-X has at most. */
    private static final int MOST_VECTORS = 2048;
    /** The least of a configuration space, its header. */
    private static final int CONFIG_HEADER = 64;

    private final String name;
    private final VfioUserLink link;
    private final SharedSpace space;
    private final DmaHeap heap;
    private final VfioUserBar bar;
    private final ConfigSpace config;
    private final boolean hasConfig;
    private final int vectors;
    private final List<EventFd> events = new ArrayList<>();
    private boolean closed;

    /** What a server says of a region. */
    private record RegionInfo(int flags, long size, List<VfioUserBar.Area> areas) {}

    private VfioUserFunction(String name, VfioUserLink link) throws IOException {
        this.name = name;
        this.link = link;
        space = new SharedSpace(name, link);
        heap = new DmaHeap(name, space);
        link.memory(space);
        DeviceInfo device = deviceInfo();
        RegionInfo registers = regionInfo(0);
        bar = new VfioUserBar(link, 0, registers.size, registers.areas);
        try {
            if (registers.size < SMALLEST_BAR || registers.size > LARGEST_BAR) {
                throw nonsense("BAR 0 of " + Long.toUnsignedString(registers.size) + " bytes");
            }
            RegionInfo configuration = regionInfo(VfioUser.CONFIG_REGION);
            configuration.areas.forEach(area -> area.mapping().close());
            hasConfig = configuration.size >= CONFIG_HEADER;
            config = new ConfigSpace(this::readConfig, this::writeConfig);
            vectors = device.irqs > VfioUser.MSIX_IRQ ? irqCount() : 0;
            if (device.canReset) {
                reset();
            }
        } catch (IOException | RuntimeException e) {
            bar.close();
            throw e;
        }
    }

    /**
     * Connects to a vfio-user server, and learns what its device has. It is reset, if it can be.
     *
     * @param path the server's socket, or a folder with SPDK's, {@code cntrl}
     * @throws IOException if there is none, or it does not answer as the protocol asks; the message says the next step
     */
    public static VfioUserFunction open(Path path) throws IOException {
        Path socket = Files.isDirectory(path) ? path.resolve(SPDK_SOCKET) : path;
        VfioUserLink link = VfioUserLink.connect(socket);
        try {
            return new VfioUserFunction(path.toString(), link);
        } catch (IOException | RuntimeException e) {
            link.close();
            throw e;
        }
    }

    private record DeviceInfo(boolean canReset, int irqs) {}

    private DeviceInfo deviceInfo() throws IOException {
        MemorySegment ask = MemorySegment.ofArray(new byte[VfioUser.DEVICE_INFO]);
        VfioUser.u32(ask, VfioUser.ARGSZ, VfioUser.DEVICE_INFO);
        MemorySegment info = structure(VfioUser.DEVICE_GET_INFO, ask, VfioUser.DEVICE_INFO);
        int flags = VfioUser.u32(info, VfioUser.ARG_FLAGS);
        int regions = VfioUser.u32(info, VfioUser.DEVICE_REGIONS);
        if ((flags & VfioUser.DEVICE_FLAG_PCI) == 0) {
            throw new IOException(name + ": what the server has is no PCI function; next: name the socket of an NVMe"
                    + " controller");
        }
        if (Integer.compareUnsigned(regions, VfioUser.CONFIG_REGION) <= 0) {
            throw nonsense(Integer.toUnsignedString(regions) + " regions, of which one is the configuration space");
        }
        return new DeviceInfo(
                (flags & VfioUser.DEVICE_FLAG_RESET) != 0, Math.max(0, VfioUser.u32(info, VfioUser.DEVICE_IRQS)));
    }

    private RegionInfo regionInfo(int index) throws IOException {
        MemorySegment ask = MemorySegment.ofArray(new byte[VfioUser.REGION_INFO]);
        VfioUser.u32(ask, VfioUser.ARGSZ, REGION_REPLY);
        VfioUser.u32(ask, VfioUser.REGION_INDEX, index);
        VfioUserLink.Reply reply = link.requestForFiles(VfioUser.GET_REGION_INFO, ask);
        List<VfioUserBar.Area> areas = new ArrayList<>();
        try {
            MemorySegment info = reply.bytes();
            if (info.byteSize() < VfioUser.REGION_INFO
                    || info.byteSize() > REGION_REPLY
                    || VfioUser.u32(info, VfioUser.REGION_INDEX) != index) {
                throw nonsense(info.byteSize() + " bytes about region " + index);
            }
            if (reply.incomplete()) {
                throw nonsense("more than " + VfioUser.MOST_FILES + " files with region " + index);
            }
            int flags = VfioUser.u32(info, VfioUser.ARG_FLAGS);
            long size = VfioUser.u64(info, VfioUser.REGION_SIZE);
            if (index == 0 && (flags & VfioUser.REGION_FLAG_MMAP) != 0 && size > 0 && size <= LARGEST_BAR) {
                map(areas, reply.files(), info, flags, size);
            }
            return new RegionInfo(flags, size, areas);
        } catch (IOException | RuntimeException e) {
            areas.forEach(area -> area.mapping().close());
            throw e;
        } finally {
            reply.closeFiles();
        }
    }

    /**
     * Maps what the server shares of a region: with one file for all areas, or one for each. Of a file whose pages another
     * process fills nothing is mapped, as a load would wait for that, and with it all threads; registers go by message then.
     */
    private void map(List<VfioUserBar.Area> areas, List<OpenFile> files, MemorySegment info, int flags, long size)
            throws IOException {
        List<long[]> ranges = (flags & VfioUser.REGION_FLAG_CAPS) != 0 ? sparse(info, size) : new ArrayList<>();
        if (ranges.isEmpty()) {
            ranges.add(new long[] {0, size});
        }
        if (files.isEmpty()) {
            return;
        }
        if (files.size() != 1 && files.size() != ranges.size()) {
            throw nonsense(files.size() + " files for " + ranges.size() + " areas of a region");
        }
        for (OpenFile file : files) {
            if (!file.fileSystem().isLocal()) {
                return;
            }
        }
        long start = VfioUser.u64(info, VfioUser.REGION_OFFSET);
        for (int i = 0; i < ranges.size(); i++) {
            long offset = ranges.get(i)[0];
            long bytes = ranges.get(i)[1];
            OpenFile file = files.size() == 1 ? files.getFirst() : files.get(i);
            FileStatus status = file.status();
            // A page behind the end of the file is none.
            if (!status.isRegular() || start < 0 || start > status.size() - offset - bytes) {
                throw nonsense("an area of " + bytes + " bytes at " + offset + " of a region at "
                        + Long.toUnsignedString(start) + " of a file of " + status.size() + " bytes");
            }
            if (start % Mapping.PAGE_SIZE != 0 || offset % Mapping.PAGE_SIZE != 0) {
                throw nonsense("an area at " + offset + " of a region at " + start + ", which begins on no page");
            }
            long whole = bytes + Mapping.PAGE_SIZE - 1 & -Mapping.PAGE_SIZE;
            areas.add(new VfioUserBar.Area(offset, bytes, Mapping.of(file, start + offset, whole, true)));
        }
    }

    /** The areas of the sparse capability, each within the region; none if there is no such capability. */
    private List<long[]> sparse(MemorySegment info, long size) throws IOException {
        List<long[]> ranges = new ArrayList<>();
        long at = VfioUser.u32(info, VfioUser.REGION_CAP_OFFSET) & 0xFFFF_FFFFL;
        for (int i = 0; at != 0; i++) {
            if (i == MOST_CAPABILITIES || at < VfioUser.REGION_INFO || at > info.byteSize() - VfioUser.CAP_HEADER) {
                throw nonsense("a capability at " + at + " of " + info.byteSize() + " bytes about a region");
            }
            if (VfioUser.u16(info, at + VfioUser.CAP_ID) == VfioUser.CAP_SPARSE_MMAP) {
                if (at > info.byteSize() - VfioUser.SPARSE_HEADER || !ranges.isEmpty()) {
                    throw nonsense("a capability that is cut short, or there twice");
                }
                long count = VfioUser.u32(info, at + VfioUser.SPARSE_AREAS) & 0xFFFF_FFFFL;
                if (count > MOST_AREAS
                        || count > (info.byteSize() - at - VfioUser.SPARSE_HEADER) / VfioUser.SPARSE_AREA) {
                    throw nonsense(count + " areas in " + info.byteSize() + " bytes about a region");
                }
                for (int area = 0; area < count; area++) {
                    long place = at + VfioUser.SPARSE_HEADER + (long) area * VfioUser.SPARSE_AREA;
                    long offset = VfioUser.u64(info, place);
                    long bytes = VfioUser.u64(info, place + VfioUser.SPARSE_AREA_SIZE);
                    if (offset < 0 || bytes <= 0 || offset > size || bytes > size - offset) {
                        throw nonsense("an area of " + Long.toUnsignedString(bytes) + " bytes at "
                                + Long.toUnsignedString(offset) + " of a region of " + size);
                    }
                    ranges.add(new long[] {offset, bytes});
                }
            }
            at = VfioUser.u32(info, at + VfioUser.CAP_NEXT) & 0xFFFF_FFFFL;
        }
        return ranges;
    }

    private int irqCount() throws IOException {
        MemorySegment ask = MemorySegment.ofArray(new byte[VfioUser.IRQ_INFO]);
        VfioUser.u32(ask, VfioUser.ARGSZ, VfioUser.IRQ_INFO);
        VfioUser.u32(ask, VfioUser.IRQ_INDEX, VfioUser.MSIX_IRQ);
        MemorySegment info;
        try {
            info = structure(VfioUser.GET_IRQ_INFO, ask, VfioUser.IRQ_INFO);
        } catch (LinuxException e) {
            // A server that only polls need not know the command.
            return 0;
        }
        int count = VfioUser.u32(info, VfioUser.IRQ_COUNT);
        boolean byEvent = (VfioUser.u32(info, VfioUser.ARG_FLAGS) & VfioUser.IRQ_FLAG_EVENTFD) != 0;
        return byEvent ? Math.clamp(count, 0, MOST_VECTORS) : 0;
    }

    private void reset() throws IOException {
        try {
            MemorySegment _ = link.request(VfioUser.DEVICE_RESET, MemorySegment.ofArray(new byte[0]), List.of());
        } catch (LinuxException e) {
            // The driver disables the controller in any case.
        }
    }

    /** Asks for a structure; what is longer than it is passed over. */
    private MemorySegment structure(int command, MemorySegment ask, int bytes) throws IOException {
        MemorySegment reply = link.request(command, ask, List.of());
        if (reply.byteSize() < bytes) {
            throw nonsense(VfioUser.commandName(command) + " with " + reply.byteSize() + " of " + bytes + " bytes");
        }
        return reply;
    }

    private IOException nonsense(String what) {
        return new IOException(name + ": the server answers nonsense: " + what + "; next: see whether it is a vfio-user"
                + " NVMe server");
    }

    private void readConfig(MemorySegment bytes, long offset) throws IOException {
        int count = (int) bytes.byteSize();
        MemorySegment reply = VfioUserBar.read(link, VfioUser.CONFIG_REGION, offset, count);
        bytes.copyFrom(reply.asSlice(VfioUser.REGION_ACCESS, count));
    }

    private void writeConfig(MemorySegment bytes, long offset) throws IOException {
        int count = (int) bytes.byteSize();
        byte[] message = new byte[VfioUser.REGION_ACCESS + count];
        MemorySegment.ofArray(message).asSlice(VfioUser.REGION_ACCESS, count).copyFrom(bytes);
        VfioUserBar.write(link, VfioUser.CONFIG_REGION, offset, count, message);
    }

    @Override
    public String description() {
        return bar.hasMappedDoorbells() ? "vfio-user" : "vfio-user, doorbells by message";
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Bar bar(int index) {
        if (index != 0) {
            throw new IllegalArgumentException(name + ": BAR " + index + " is not used, only BAR 0");
        }
        return bar;
    }

    @Override
    public DmaMemory allocate(long bytes) throws IOException {
        return heap.allocate(bytes);
    }

    @Override
    public DmaMemory map(PeerMemory memory) throws IOException {
        return heap.map(memory);
    }

    @Override
    public int interruptVectors() {
        return vectors;
    }

    @Override
    public synchronized List<? extends Interrupt> enableInterrupts(int count) throws IOException {
        if (count < 1 || count > vectors) {
            throw new IllegalArgumentException(
                    name + ": " + count + " interrupt vectors; 1 to " + vectors + " are possible");
        }
        if (closed || !events.isEmpty()) {
            throw new IllegalStateException(name + (closed ? " is closed" : ": its interrupts are enabled already"));
        }
        List<EventFd> made = new ArrayList<>();
        try {
            while (made.size() < count) {
                made.add(new EventFd());
            }
            // As many at once as the server takes descriptors with a message.
            int most = Math.max(1, link.server().maxFiles());
            for (int start = 0; start < count; start += most) {
                setInterrupts(start, made.subList(start, Math.min(count, start + most)));
            }
        } catch (IOException | RuntimeException e) {
            made.forEach(EventFd::close);
            throw e;
        }
        events.addAll(made);
        List<Vector> interrupts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            interrupts.add(new Vector(i, made.get(i)));
        }
        return interrupts;
    }

    private void setInterrupts(int start, List<EventFd> some) throws IOException {
        MemorySegment set = MemorySegment.ofArray(new byte[VfioUser.IRQ_SET]);
        VfioUser.u32(set, VfioUser.ARGSZ, VfioUser.IRQ_SET);
        VfioUser.u32(set, VfioUser.ARG_FLAGS, VfioUser.IRQ_SET_DATA_EVENTFD | VfioUser.IRQ_SET_ACTION_TRIGGER);
        VfioUser.u32(set, VfioUser.IRQ_SET_INDEX, VfioUser.MSIX_IRQ);
        VfioUser.u32(set, VfioUser.IRQ_SET_START, start);
        VfioUser.u32(set, VfioUser.IRQ_SET_COUNT, some.size());
        MemorySegment _ = link.requestWithEvents(VfioUser.SET_IRQS, set, some);
    }

    private record Vector(int vector, EventFd event) implements Interrupt {
        @Override
        public boolean await(Duration limit) throws IOException {
            return event.await(limit);
        }
    }

    @Override
    public void startDma() throws IOException {
        if (hasConfig) {
            config.command(ConfigSpace.BUS_MASTER | ConfigSpace.MEMORY_SPACE | ConfigSpace.INTX_DISABLE, 0);
        }
    }

    /** Takes the memory itself away: a server need not look at the bus master bit. One that is gone has none. */
    @Override
    public void stopDma() throws IOException {
        space.takeAllAway();
    }

    /** A server that is killed, ends the connection, or breaks the protocol, is a device that was removed. */
    @Override
    public void onRemoval(Runnable listener) {
        link.onGone(listener);
    }

    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        try {
            heap.close();
        } finally {
            link.close();
            bar.close();
            events.forEach(EventFd::close);
        }
    }
}
