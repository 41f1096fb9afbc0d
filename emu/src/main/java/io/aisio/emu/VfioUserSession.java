package io.aisio.emu;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import io.aisio.linux.UnixConnection;
import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.Bar;
import io.aisio.upcie.vfiouser.MessageException;
import io.aisio.upcie.vfiouser.MessageStream;
import io.aisio.upcie.vfiouser.VersionCapabilities;
import io.aisio.upcie.vfiouser.VfioUser;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One client of a vfio-user server, and the controller that is the client's own. One thread does both, turn by turn: what
 * messages do to registers and memory is between two steps of the controller, so nothing needs a lock, and whatever a
 * client does, it holds up itself alone.
 */
final class VfioUserSession implements Runnable {
    /** What the first message may take; until then a client has no controller. */
    private static final Duration SILENCE = Duration.ofSeconds(10);
    /** What a message that has begun may take, and a reply to be taken. */
    private static final Duration MESSAGE = Duration.ofSeconds(5);

    /** How often a sleep gets twice as long: to 5 ms, as a doorbell wakes nobody. */
    private static final int LENGTHS = 8;
    /** Steps after which messages are looked for: a look is a system call. */
    private static final int LOOK_EVERY = 64;

    private final EmuConfiguration configuration;
    private final MessageStream stream;
    private final String client;
    private final Consumer<String> notes;
    private final Runnable atEnd;
    private volatile boolean stopping;

    /** A command is refused. */
    private static final class Refusal extends Exception {
        private static final long serialVersionUID = 1L;
        final int errno;

        Refusal(int errno) {
            super(Errno.name(errno), null, false, false);
            this.errno = errno;
        }
    }

    /** What a client has once it has agreed on a version. */
    private final class Device implements AutoCloseable {
        final OpenFile registerFile;
        final EmuController controller;
        final Bar bar;
        final ConfigurationSpace config;
        final ClientMemory memory;
        final InterruptVectors interrupts;

        Device() throws IOException {
            long bytes = EmuController.registerBytes(configuration);
            registerFile = OpenFile.inMemory("aisio-doorbells", bytes);
            try {
                Mapping mapping = Mapping.of(registerFile, bytes);
                try {
                    controller = EmuController.open(client, configuration, mapping);
                } catch (IOException | RuntimeException e) {
                    mapping.close();
                    throw e;
                }
            } catch (IOException | RuntimeException e) {
                registerFile.close();
                throw e;
            }
            bar = controller.function().bar(0);
            interrupts = new InterruptVectors(InterruptVectors.of(configuration.queuePairs()));
            controller.interrupts(interrupts);
            config = new ConfigurationSpace(bytes, interrupts.count());
            memory = new ClientMemory(controller.space());
        }

        /** Interrupt vectors of a kind. */
        int vectors(int kind) {
            return kind == VfioUser.MSIX_IRQ ? interrupts.count() : 0;
        }

        /** Bytes of a region; 0 if it is none. */
        long regionBytes(int region) {
            return switch (region) {
                case 0 -> bar.size();
                case InterruptVectors.BAR -> interrupts.table().byteSize();
                case VfioUser.CONFIG_REGION -> ConfigurationSpace.BYTES;
                default -> 0;
            };
        }

        @Override
        public void close() {
            try {
                controller.close();
            } finally {
                interrupts.close();
                registerFile.close();
            }
        }
    }

    /**
     * @param connection becomes the session's
     * @param client how notes name the client
     * @param atEnd called at the end, whatever it is
     */
    VfioUserSession(
            EmuConfiguration configuration,
            UnixConnection connection,
            String client,
            Consumer<String> notes,
            Runnable atEnd) {
        this.configuration = configuration;
        this.client = client;
        this.notes = notes;
        this.atEnd = atEnd;
        stream = new MessageStream(connection, MESSAGE);
    }

    /** Ends the session soon; its thread does. */
    void stop() {
        stopping = true;
        stream.shutDown();
    }

    @Override
    public void run() {
        notes.accept(client + " came");
        try {
            notes.accept(client + " " + served());
        } finally {
            try {
                stream.close();
            } finally {
                atEnd.run();
            }
        }
    }

    /** Serves the client to the end; why that came. */
    private String served() {
        try {
            return talk();
        } catch (MessageException e) {
            return "was sent away: it sent " + e.getMessage();
        } catch (InternalError e) {
            return "was sent away: memory that it had given was gone when the controller used it";
        } catch (IOException e) {
            if (stopping) {
                return "left: the server ends";
            }
            // What a process leaves that was killed before it had read its reply.
            boolean reset =
                    e instanceof LinuxException l && (l.errno() == Errno.ECONNRESET || l.errno() == Errno.EPIPE);
            return reset ? "left in the middle of a message" : "was lost: " + e.getMessage();
        } catch (RuntimeException | Error e) {
            StackTraceElement[] trace = e.getStackTrace();
            return "was sent away by a fault of the server's own: " + e + (trace.length == 0 ? "" : " at " + trace[0]);
        }
    }

    private String talk() throws IOException {
        VersionCapabilities theirs = negotiate();
        if (theirs == null) {
            return "left without a word";
        }
        Device device;
        try {
            device = new Device();
        } catch (IOException e) {
            stream.replyError(version(), e instanceof LinuxException l ? l.errno() : Errno.EBUSY);
            return "was refused: " + e.getMessage();
        }
        try {
            int minor = Math.min(VfioUser.u16(version().payload(), VfioUser.VERSION_MINOR), VfioUser.MINOR);
            MemorySegment mine = MemorySegment.ofArray(
                    new VersionCapabilities(VfioUser.MOST_FILES, VfioUser.DEFAULT_TRANSFER, ClientMemory.MOST_REGIONS)
                            .payload());
            VfioUser.u16(mine, VfioUser.VERSION_MINOR, minor);
            stream.reply(version(), mine, List.of());
            serve(device, theirs);
            return stopping ? "left: the server ends" : "left";
        } finally {
            closeThoroughly(device);
        }
    }

    /** An access to memory that is gone may be told late, in the middle of this. */
    private static void closeThoroughly(Device device) {
        try {
            device.close();
        } catch (InternalError e) {
            device.close();
        }
    }

    private MessageStream.@Nullable Message version;

    private MessageStream.Message version() {
        return Objects.requireNonNull(version);
    }

    /** The first message; null if there is none. */
    private @Nullable VersionCapabilities negotiate() throws IOException {
        if (!stream.await(SILENCE)) {
            throw new MessageException("nothing within " + SILENCE.toSeconds() + " s");
        }
        MessageStream.Message first = stream.receive();
        if (first == null) {
            return null;
        }
        first.closeFiles();
        try {
            if (!first.isCommand() || first.command() != VfioUser.VERSION) {
                throw new MessageException(VfioUser.commandName(first.command()) + " before VERSION");
            }
            if (!first.files().isEmpty() || first.incomplete()) {
                throw new MessageException("descriptors with VERSION");
            }
            VersionCapabilities theirs = VersionCapabilities.parse(first.payload());
            version = first;
            return theirs;
        } catch (MessageException e) {
            stream.replyError(first, Errno.EINVAL);
            throw e;
        }
    }

    private void serve(Device device, VersionCapabilities theirs) throws IOException {
        int idle = 0;
        int steps = 0;
        while (!stopping) {
            if (device.controller.step() > 0) {
                idle = 0;
            } else {
                idle++;
            }
            boolean comes = false;
            if (idle > EmuThread.SPINS + EmuThread.YIELDS) {
                comes = stream.await(sleep(device, idle));
            } else if (++steps % LOOK_EVERY == 0) {
                comes = stream.await(Duration.ZERO);
            }
            if (comes) {
                MessageStream.Message message = stream.receive();
                if (message == null) {
                    return;
                }
                try {
                    answer(device, theirs, message);
                } finally {
                    message.closeFiles();
                }
                idle = 0;
            } else if (idle > EmuThread.SPINS && idle <= EmuThread.SPINS + EmuThread.YIELDS) {
                Thread.yield();
            } else if (idle > 0) {
                Thread.onSpinWait();
            }
        }
    }

    private static Duration sleep(Device device, int idle) {
        int sleeps = idle - EmuThread.SPINS - EmuThread.YIELDS;
        long longest = EmuThread.SHORTEST_SLEEP_NANOS << Math.min(sleeps / EmuThread.SLEEPS_OF_ONE_LENGTH, LENGTHS);
        long now = System.nanoTime();
        return Duration.ofNanos(Math.max(0, device.controller.nextDue(now + longest) - now));
    }

    private void answer(Device device, VersionCapabilities theirs, MessageStream.Message message) throws IOException {
        if (!message.isCommand()) {
            throw new MessageException("a reply that nobody asked for, to " + VfioUser.commandName(message.command()));
        }
        boolean wanted = (message.flags() & VfioUser.FLAG_NO_REPLY) == 0;
        try {
            Reply reply = execute(device, theirs, message);
            // Before the reply: who has it may count what is open.
            message.closeFiles();
            if (wanted) {
                stream.reply(message, reply.payload, reply.files);
            }
        } catch (Refusal refusal) {
            message.closeFiles();
            if (wanted) {
                stream.replyError(message, refusal.errno);
            }
        }
    }

    private record Reply(MemorySegment payload, List<OpenFile> files) {
        static final Reply EMPTY = of(MemorySegment.ofArray(new byte[0]));

        static Reply of(MemorySegment payload) {
            return new Reply(payload, List.of());
        }
    }

    private Reply execute(Device device, VersionCapabilities theirs, MessageStream.Message message) throws Refusal {
        int command = message.command();
        MemorySegment payload = message.payload();
        boolean takesFiles =
                command == VfioUser.DMA_MAP || command == VfioUser.DMA_UNMAP || command == VfioUser.SET_IRQS;
        if (message.incomplete() || (!takesFiles && !message.files().isEmpty())) {
            throw new Refusal(Errno.EINVAL);
        }
        return switch (command) {
            case VfioUser.DMA_MAP -> map(device, payload, message.files());
            case VfioUser.DMA_UNMAP -> unmap(device, payload);
            case VfioUser.DEVICE_GET_INFO -> deviceInfo(payload);
            case VfioUser.GET_REGION_INFO -> regionInfo(device, theirs, payload);
            case VfioUser.GET_IRQ_INFO -> irqInfo(device, payload);
            case VfioUser.SET_IRQS -> setIrqs(device, payload, message.files());
            case VfioUser.REGION_READ -> read(device, payload);
            case VfioUser.REGION_WRITE -> write(device, payload);
            case VfioUser.DEVICE_RESET -> {
                device.config.reset();
                device.interrupts.reset();
                device.controller.resetFunction();
                yield Reply.EMPTY;
            }
            // VERSION too, once is enough.
            default -> throw new Refusal(Errno.EINVAL);
        };
    }

    /** Checks that a structure is there, and says that it is. */
    private static void require(MemorySegment payload, int bytes) throws Refusal {
        if (payload.byteSize() < bytes || Integer.compareUnsigned(VfioUser.u32(payload, VfioUser.ARGSZ), bytes) < 0) {
            throw new Refusal(Errno.EINVAL);
        }
    }

    private static MemorySegment structure(int bytes) {
        MemorySegment structure = MemorySegment.ofArray(new byte[bytes]);
        VfioUser.u32(structure, VfioUser.ARGSZ, bytes);
        return structure;
    }

    private static Reply map(Device device, MemorySegment payload, List<OpenFile> files) throws Refusal {
        require(payload, VfioUser.DMA_MAP_BYTES);
        int flags = VfioUser.u32(payload, VfioUser.ARG_FLAGS);
        if ((flags & ~(VfioUser.DMA_FLAG_READ | VfioUser.DMA_FLAG_WRITE)) != 0 || files.size() > 1) {
            throw new Refusal(Errno.EINVAL);
        }
        int errno = device.memory.map(
                VfioUser.u64(payload, VfioUser.DMA_MAP_IOVA),
                VfioUser.u64(payload, VfioUser.DMA_MAP_SIZE),
                VfioUser.u64(payload, VfioUser.DMA_MAP_OFFSET),
                flags,
                (flags & VfioUser.DMA_FLAG_WRITE) != 0,
                files.isEmpty() ? null : files.getFirst());
        if (errno != 0) {
            throw new Refusal(errno);
        }
        device.controller.memoryGiven();
        return Reply.EMPTY;
    }

    private static Reply unmap(Device device, MemorySegment payload) throws Refusal {
        require(payload, VfioUser.DMA_UNMAP_BYTES);
        int flags = VfioUser.u32(payload, VfioUser.ARG_FLAGS);
        long iova = VfioUser.u64(payload, VfioUser.DMA_UNMAP_IOVA);
        long size = VfioUser.u64(payload, VfioUser.DMA_UNMAP_SIZE);
        if (flags == VfioUser.DMA_UNMAP_FLAG_ALL && iova == 0 && size == 0) {
            device.memory.unmapAll();
        } else if (flags != 0) {
            throw new Refusal(Errno.EINVAL);
        } else {
            int errno = device.memory.unmap(iova, size);
            if (errno != 0) {
                throw new Refusal(errno);
            }
        }
        byte[] echo = payload.asSlice(0, VfioUser.DMA_UNMAP_BYTES).toArray(ValueLayout.JAVA_BYTE);
        return Reply.of(MemorySegment.ofArray(echo));
    }

    private static Reply deviceInfo(MemorySegment payload) throws Refusal {
        require(payload, VfioUser.DEVICE_INFO);
        MemorySegment info = structure(VfioUser.DEVICE_INFO);
        VfioUser.u32(info, VfioUser.ARG_FLAGS, VfioUser.DEVICE_FLAG_RESET | VfioUser.DEVICE_FLAG_PCI);
        VfioUser.u32(info, VfioUser.DEVICE_REGIONS, VfioUser.PCI_REGIONS);
        VfioUser.u32(info, VfioUser.DEVICE_IRQS, VfioUser.PCI_IRQS);
        return Reply.of(info);
    }

    private static Reply regionInfo(Device device, VersionCapabilities theirs, MemorySegment payload) throws Refusal {
        require(payload, VfioUser.REGION_INFO);
        int index = VfioUser.u32(payload, VfioUser.REGION_INDEX);
        if (Integer.compareUnsigned(index, VfioUser.PCI_REGIONS) >= 0) {
            throw new Refusal(Errno.EINVAL);
        }
        int room = VfioUser.u32(payload, VfioUser.ARGSZ);
        int accessible = VfioUser.REGION_FLAG_READ | VfioUser.REGION_FLAG_WRITE;
        if (index == 0 && theirs.maxFiles() > 0) {
            return registers(device, Integer.toUnsignedLong(room));
        }
        MemorySegment info = structure(VfioUser.REGION_INFO);
        VfioUser.u32(info, VfioUser.REGION_INDEX, index);
        long size = device.regionBytes(index);
        VfioUser.u32(info, VfioUser.ARG_FLAGS, size > 0 ? accessible : 0);
        VfioUser.u64(info, VfioUser.REGION_SIZE, size);
        return Reply.of(info);
    }

    /** Registers by message, doorbells in a page that both map: region, capability, one area. */
    private static Reply registers(Device device, long room) {
        int whole = VfioUser.REGION_INFO + VfioUser.SPARSE_HEADER + VfioUser.SPARSE_AREA;
        boolean fits = room >= whole;
        MemorySegment info = MemorySegment.ofArray(new byte[fits ? whole : VfioUser.REGION_INFO]);
        VfioUser.u32(info, VfioUser.ARGSZ, whole);
        int accessible = VfioUser.REGION_FLAG_READ | VfioUser.REGION_FLAG_WRITE;
        VfioUser.u64(info, VfioUser.REGION_SIZE, device.bar.size());
        if (!fits) {
            // Nothing is said of what is not there: QEMU takes capabilities without an offset for an error, and asks
            // again with the room that is told.
            VfioUser.u32(info, VfioUser.ARG_FLAGS, accessible);
            return Reply.of(info);
        }
        VfioUser.u32(info, VfioUser.ARG_FLAGS, accessible | VfioUser.REGION_FLAG_MMAP | VfioUser.REGION_FLAG_CAPS);
        int cap = VfioUser.REGION_INFO;
        VfioUser.u32(info, VfioUser.REGION_CAP_OFFSET, cap);
        VfioUser.u16(info, cap + VfioUser.CAP_ID, VfioUser.CAP_SPARSE_MMAP);
        VfioUser.u16(info, cap + VfioUser.CAP_VERSION, 1);
        VfioUser.u32(info, cap + VfioUser.SPARSE_AREAS, 1);
        int area = cap + VfioUser.SPARSE_HEADER;
        VfioUser.u64(info, area, Registers.DOORBELLS);
        VfioUser.u64(info, area + VfioUser.SPARSE_AREA_SIZE, device.bar.size() - Registers.DOORBELLS);
        return new Reply(info, List.of(device.registerFile));
    }

    private static Reply irqInfo(Device device, MemorySegment payload) throws Refusal {
        require(payload, VfioUser.IRQ_INFO);
        int index = VfioUser.u32(payload, VfioUser.IRQ_INDEX);
        if (Integer.compareUnsigned(index, VfioUser.PCI_IRQS) >= 0) {
            throw new Refusal(Errno.EINVAL);
        }
        MemorySegment info = structure(VfioUser.IRQ_INFO);
        VfioUser.u32(info, VfioUser.ARG_FLAGS, VfioUser.IRQ_FLAG_EVENTFD);
        VfioUser.u32(info, VfioUser.IRQ_INDEX, index);
        VfioUser.u32(info, VfioUser.IRQ_COUNT, device.vectors(index));
        return Reply.of(info);
    }

    /** Of the kinds of interrupts there is one, MSI-X; nothing can be masked, which is done where they arrive. */
    private static Reply setIrqs(Device device, MemorySegment payload, List<OpenFile> files) throws Refusal {
        require(payload, VfioUser.IRQ_SET);
        int flags = VfioUser.u32(payload, VfioUser.ARG_FLAGS);
        int index = VfioUser.u32(payload, VfioUser.IRQ_SET_INDEX);
        long start = VfioUser.u32(payload, VfioUser.IRQ_SET_START) & 0xFFFF_FFFFL;
        long count = VfioUser.u32(payload, VfioUser.IRQ_SET_COUNT) & 0xFFFF_FFFFL;
        int data = flags & VfioUser.IRQ_SET_DATA_MASK;
        if (Integer.compareUnsigned(index, VfioUser.PCI_IRQS) >= 0
                || (flags & ~VfioUser.IRQ_SET_DATA_MASK) != VfioUser.IRQ_SET_ACTION_TRIGGER
                || start + count > device.vectors(index)
                || (data != VfioUser.IRQ_SET_DATA_EVENTFD && !files.isEmpty())) {
            throw new Refusal(Errno.EINVAL);
        }
        switch (data) {
            case VfioUser.IRQ_SET_DATA_NONE -> {
                if (count == 0 && index == VfioUser.MSIX_IRQ) {
                    device.interrupts.close();
                }
                for (long vector = start; vector < start + count; vector++) {
                    boolean ignored = device.interrupts.raise((int) vector);
                }
            }
            case VfioUser.IRQ_SET_DATA_BOOL -> {
                if (payload.byteSize() != VfioUser.IRQ_SET + count) {
                    throw new Refusal(Errno.EINVAL);
                }
                for (long i = 0; i < count; i++) {
                    if (payload.get(ValueLayout.JAVA_BYTE, VfioUser.IRQ_SET + i) != 0) {
                        boolean ignored = device.interrupts.raise((int) (start + i));
                    }
                }
            }
            case VfioUser.IRQ_SET_DATA_EVENTFD -> listen(device, (int) start, (int) count, files);
            default -> throw new Refusal(Errno.EINVAL);
        }
        return Reply.EMPTY;
    }

    /** Vectors have one listener each, or none any more. */
    private static void listen(Device device, int start, int count, List<OpenFile> files) throws Refusal {
        if (!files.isEmpty() && files.size() != count) {
            throw new Refusal(Errno.EINVAL);
        }
        try {
            for (int i = 0; i < count; i++) {
                device.interrupts.listen(start + i, files.isEmpty() ? null : files.get(i));
            }
        } catch (LinuxException e) {
            throw new Refusal(e.errno());
        }
    }

    private static long accessOffset(MemorySegment payload) throws Refusal {
        if (payload.byteSize() < VfioUser.REGION_ACCESS) {
            throw new Refusal(Errno.EINVAL);
        }
        return VfioUser.u64(payload, VfioUser.ACCESS_OFFSET);
    }

    private static Reply read(Device device, MemorySegment payload) throws Refusal {
        long offset = accessOffset(payload);
        long count = Integer.toUnsignedLong(VfioUser.u32(payload, VfioUser.ACCESS_COUNT));
        int region = VfioUser.u32(payload, VfioUser.ACCESS_REGION);
        check(device, region, offset, count);
        if (payload.byteSize() != VfioUser.REGION_ACCESS) {
            throw new Refusal(Errno.EINVAL);
        }
        MemorySegment reply = MemorySegment.ofArray(new byte[(int) (VfioUser.REGION_ACCESS + count)]);
        MemorySegment.copy(payload, 0, reply, 0, VfioUser.REGION_ACCESS);
        if (region == VfioUser.CONFIG_REGION) {
            device.config.read(offset, reply.asSlice(VfioUser.REGION_ACCESS));
        } else if (region == InterruptVectors.BAR) {
            MemorySegment.copy(device.interrupts.table(), offset, reply, VfioUser.REGION_ACCESS, count);
        } else if (offset >= Registers.DOORBELLS) {
            throw new Refusal(Errno.EPERM);
        } else if (count == Integer.BYTES) {
            VfioUser.u32(reply, VfioUser.REGION_ACCESS, device.bar.read32(offset));
        } else {
            VfioUser.u64(reply, VfioUser.REGION_ACCESS, device.bar.read64(offset));
        }
        return Reply.of(reply);
    }

    private static Reply write(Device device, MemorySegment payload) throws Refusal {
        long offset = accessOffset(payload);
        long count = Integer.toUnsignedLong(VfioUser.u32(payload, VfioUser.ACCESS_COUNT));
        int region = VfioUser.u32(payload, VfioUser.ACCESS_REGION);
        check(device, region, offset, count);
        if (payload.byteSize() != VfioUser.REGION_ACCESS + count) {
            throw new Refusal(Errno.EINVAL);
        }
        if (region == VfioUser.CONFIG_REGION) {
            device.config.write(offset, payload.asSlice(VfioUser.REGION_ACCESS));
        } else if (region == InterruptVectors.BAR) {
            MemorySegment.copy(payload, VfioUser.REGION_ACCESS, device.interrupts.table(), offset, count);
        } else {
            if (count == Integer.BYTES) {
                device.bar.write32(offset, VfioUser.u32(payload, VfioUser.REGION_ACCESS));
            } else {
                device.bar.write64(offset, VfioUser.u64(payload, VfioUser.REGION_ACCESS));
            }
            if (offset < Registers.DOORBELLS) {
                device.controller.registerWritten();
            }
        }
        MemorySegment reply = MemorySegment.ofArray(new byte[VfioUser.REGION_ACCESS]);
        MemorySegment.copy(payload, 0, reply, 0, VfioUser.REGION_ACCESS);
        return Reply.of(reply);
    }

    /** Registers are accessed as 4 or 8 bytes, doorbells as 4, configuration space as one likes. */
    private static void check(Device device, int region, long offset, long count) throws Refusal {
        long size = device.regionBytes(region);
        if (offset < 0 || count <= 0 || offset > size || count > size - offset) {
            throw new Refusal(Errno.EINVAL);
        }
        boolean whole = count == Integer.BYTES || (count == Long.BYTES && offset < Registers.DOORBELLS);
        if (region == 0 && (!whole || offset % count != 0)) {
            throw new Refusal(Errno.EINVAL);
        }
    }
}
