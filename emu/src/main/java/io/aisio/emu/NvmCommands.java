package io.aisio.emu;

import io.aisio.nvme.spec.DataPlacementLog;
import io.aisio.nvme.spec.DatasetRange;
import io.aisio.nvme.spec.Directive;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import io.aisio.nvme.spec.ZoneReport;
import io.aisio.upcie.PeerMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** The NVM command set (section 6): each method checks a command in the specification's order, then does it. */
final class NvmCommands {
    /** Do not retry: the same command would fail again. */
    private static final int DNR = Status.DNR_BIT;
    /** CDW12: the directive's type, which only reclaim units have one of. */
    private static final long DIRECTIVE_TYPE = 0xFL << Directive.WRITE_TYPE_SHIFT;

    /** How long one command of a domain deallocates or erases: chosen so that the controller still answers in time. */
    private static final long MOST_ERASING_NANOS = 50_000_000;
    /** Bytes of which the clock is looked at in between. */
    private static final long DEALLOCATED_AT_ONCE = 64 << 20;

    /** VSL: the most that Verify reads, as a power of two of pages: 1 MiB. All users of the controller wait for it. */
    static final int VERIFY_SIZE_LIMIT = 8;

    private final Namespace[] namespaces;
    private final PrpWalk prps;
    private final long maxTransfer;
    private final Features features;
    private final Counters counters;
    /** Ranges of Dataset Management, brought together from the pages that they lie in. */
    private final MemorySegment ranges = Arena.ofAuto().allocate(DatasetRange.MAX * DatasetRange.BYTES, Long.BYTES);

    /** What is put together before it is delivered: as large as has been asked for, and no larger than a transfer. */
    private MemorySegment reply = MemorySegment.NULL;

    private final Sanitizer sanitizer;
    private final @Nullable PlacementTable placement;
    private final StagedBlocks staged;
    private final CopyEngine copies = new CopyEngine();

    NvmCommands(
            Namespace[] namespaces,
            PrpWalk prps,
            long maxTransfer,
            Features features,
            Counters counters,
            Sanitizer sanitizer,
            @Nullable PlacementTable placement) {
        this.namespaces = namespaces;
        this.sanitizer = sanitizer;
        this.placement = placement;
        staged = new StagedBlocks(prps, maxTransfer, counters, placement);
        this.prps = prps;
        this.maxTransfer = maxTransfer;
        this.features = features;
        this.counters = counters;
    }

    /** Executes a command; the status that it completes with. */
    int execute(Command command) {
        prps.movedBy(command.opcode());
        if (sanitizer.holdsIo()) {
            return sanitizer.isRunning() ? Status.SANITIZE_IN_PROGRESS : Status.SANITIZE_FAILED | DNR;
        }
        ProtectionDomain domain = prps.domain();
        if (domain != null) {
            int status = checkDomain(domain, command);
            if (status != Status.SUCCESS) {
                return status;
            }
        }
        return switch (command.opcode()) {
            case Opcode.READ -> read(command);
            case Opcode.WRITE -> write(command);
            case Opcode.FLUSH -> flush(command);
            case Opcode.WRITE_ZEROES -> writeZeroes(command);
            case Opcode.COMPARE -> compare(command);
            case Opcode.DATASET_MANAGEMENT -> manage(command);
            case Opcode.VERIFY -> verify(command);
            case Opcode.WRITE_UNCORRECTABLE -> writeUncorrectable(command);
            case Opcode.COPY -> copy(command);
            case Opcode.IO_MANAGEMENT_RECEIVE -> receiveManagement(command);
            case Opcode.IO_MANAGEMENT_SEND -> sendManagement(command);
            case Opcode.ZONE_MANAGEMENT_SEND -> sendZones(command);
            case Opcode.ZONE_MANAGEMENT_RECEIVE -> receiveZones(command);
            case Opcode.ZONE_APPEND -> append(command);
            default -> Status.INVALID_OPCODE | DNR;
        };
    }

    /** A domain's commands are about its namespace alone, not about all either, and change nothing if it is read-only. */
    private static int checkDomain(ProtectionDomain domain, Command command) {
        if (command.nsid() != domain.nsid()) {
            return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
        }
        return domain.isReadOnly() && changesMedia(command) ? Status.NAMESPACE_WRITE_PROTECTED | DNR : Status.SUCCESS;
    }

    /** Whether the command changes what is on the media, or how it is kept there. */
    private static boolean changesMedia(Command command) {
        return switch (command.opcode()) {
            case Opcode.READ,
                    Opcode.COMPARE,
                    Opcode.VERIFY,
                    Opcode.FLUSH,
                    Opcode.IO_MANAGEMENT_RECEIVE,
                    Opcode.ZONE_MANAGEMENT_RECEIVE -> false;
            // Hints change nothing.
            case Opcode.DATASET_MANAGEMENT -> (command.dword11() & DatasetRange.DEALLOCATE) != 0;
            default -> true;
        };
    }

    /**
     * Bytes that the command would move, for the rate limit; 0 for one that moves none, or will be refused: users share the
     * rate, and what one of them never moves is not to be waited for by the others.
     *
     * @param domain whose command it is; null for the function's own
     */
    long bytesMoved(Command command, @Nullable ProtectionDomain domain) {
        int opcode = command.opcode();
        if (opcode != Opcode.READ
                && opcode != Opcode.WRITE
                && opcode != Opcode.COMPARE
                && opcode != Opcode.ZONE_APPEND) {
            return 0;
        }
        Namespace namespace = namespace(command);
        if (namespace == null
                || !namespace.holds(command.cdw10, blocks(command))
                || (domain != null && checkDomain(domain, command) != Status.SUCCESS)) {
            return 0;
        }
        long bytes = blocks(command) << namespace.shift;
        return bytes > maxTransfer ? 0 : bytes;
    }

    /** The namespace that the command names, or null if there is none of that number. */
    @Nullable
    Namespace namespace(Command command) {
        int index = command.nsid() - 1;
        return index >= 0 && index < namespaces.length && namespaces[index].active ? namespaces[index] : null;
    }

    private int read(Command command) {
        Namespace namespace = namespace(command);
        int status = checkBlocks(command, namespace);
        if (status != Status.SUCCESS || namespace == null) {
            return status;
        }
        if (!namespace.plain) {
            return staged.read(command, namespace, (int) blocks(command));
        }
        long bytes = blocks(command) << namespace.shift;
        status = checkTransfer(command, bytes);
        if (status != Status.SUCCESS) {
            return status;
        }
        counters.reads++;
        counters.sectorsRead += bytes >>> 9;
        Media media = namespace.media;
        if (!media.movesData()) {
            return Status.SUCCESS;
        }
        long position = command.cdw10 << namespace.shift;
        for (int i = 0; i < prps.runs() && status == Status.SUCCESS; i++) {
            PeerMemory peer = prps.peer(i);
            status = peer == null
                    ? media.read(position, prps.memory(i), prps.offset(i), prps.length(i))
                    : copies.read(media, position, peer, prps.offset(i), prps.length(i));
            position += prps.length(i);
        }
        return mediaStatus(status);
    }

    private int write(Command command) {
        Namespace namespace = namespace(command);
        int status = checkBlocks(command, namespace);
        if (status != Status.SUCCESS || namespace == null) {
            return status;
        }
        if (!namespace.plain) {
            return forced(staged.write(command, namespace, (int) blocks(command)), command, namespace);
        }
        if ((command.cdw12 & DIRECTIVE_TYPE) != 0) {
            return Status.INVALID_FIELD | DNR;
        }
        if (namespace.readOnly) {
            return Status.NAMESPACE_WRITE_PROTECTED | DNR;
        }
        long bytes = blocks(command) << namespace.shift;
        status = checkTransfer(command, bytes);
        if (status != Status.SUCCESS) {
            return status;
        }
        counters.writes++;
        counters.sectorsWritten += bytes >>> 9;
        Media media = namespace.media;
        if (!media.movesData()) {
            return Status.SUCCESS;
        }
        long position = command.cdw10 << namespace.shift;
        for (int i = 0; i < prps.runs() && status == Status.SUCCESS; i++) {
            PeerMemory peer = prps.peer(i);
            status = peer == null
                    ? media.write(position, prps.memory(i), prps.offset(i), prps.length(i))
                    : copies.write(media, position, peer, prps.offset(i), prps.length(i));
            position += prps.length(i);
        }
        return written(status, media, StagedBlocks.isForced(command));
    }

    private int flush(Command command) {
        if (command.fusedOrSgl()) {
            return Status.INVALID_FIELD | DNR;
        }
        if (command.nsid() == Identify.ALL_NAMESPACES) {
            int status = Status.SUCCESS;
            for (Namespace namespace : namespaces) {
                int one = namespace.active ? namespace.media.flush() : Status.SUCCESS;
                status = status == Status.SUCCESS ? one : status;
            }
            return mediaStatus(status);
        }
        Namespace namespace = namespace(command);
        return namespace == null ? Status.INVALID_NAMESPACE_OR_FORMAT | DNR : mediaStatus(namespace.media.flush());
    }

    private int writeZeroes(Command command) {
        Namespace namespace = namespace(command);
        int status = checkBlocks(command, namespace);
        if (status != Status.SUCCESS || namespace == null) {
            return status;
        }
        if (namespace.readOnly) {
            return Status.NAMESPACE_WRITE_PROTECTED | DNR;
        }
        if (!namespace.plain) {
            return forced(staged.writeZeroes(command, namespace, (int) blocks(command)), command, namespace);
        }
        status = namespace.media.zero(command.cdw10 << namespace.shift, blocks(command) << namespace.shift);
        return written(status, namespace.media, StagedBlocks.isForced(command));
    }

    private int compare(Command command) {
        Namespace namespace = namespace(command);
        int status = checkBlocks(command, namespace);
        if (status != Status.SUCCESS || namespace == null) {
            return status;
        }
        if (!namespace.plain) {
            return staged.compare(command, namespace, (int) blocks(command));
        }
        long bytes = blocks(command) << namespace.shift;
        status = checkTransfer(command, bytes);
        if (status != Status.SUCCESS) {
            return status;
        }
        counters.reads++;
        counters.sectorsRead += bytes >>> 9;
        long position = command.cdw10 << namespace.shift;
        for (int i = 0; i < prps.runs() && status == Status.SUCCESS; i++) {
            PeerMemory peer = prps.peer(i);
            status = peer == null
                    ? namespace.media.compare(position, prps.memory(i), prps.offset(i), prps.length(i))
                    : copies.compare(namespace.media, position, peer, prps.offset(i), prps.length(i));
            position += prps.length(i);
        }
        return status == Status.COMPARE_FAILURE ? status | DNR : mediaStatus(status);
    }

    /** Dataset Management: every range is checked before the first is touched; hints other than deallocation are read. */
    private int manage(Command command) {
        if (command.fusedOrSgl()) {
            return Status.INVALID_FIELD | DNR;
        }
        Namespace namespace = namespace(command);
        if (namespace == null) {
            return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
        }
        boolean deallocate = (command.dword11() & DatasetRange.DEALLOCATE) != 0;
        if (deallocate && namespace.readOnly) {
            return Status.NAMESPACE_WRITE_PROTECTED | DNR;
        }
        int count = (command.dword10() & 0xFF) + 1;
        int status = prps.map(command.prp1, command.prp2, (long) count * DatasetRange.BYTES);
        if (status != Status.SUCCESS) {
            return status;
        }
        prps.gather(ranges);
        for (int i = 0; i < count; i++) {
            if (!namespace.holds(rangeStart(i), rangeBlocks(i))) {
                return Status.LBA_OUT_OF_RANGE | DNR;
            }
        }
        long end = System.nanoTime() + MOST_ERASING_NANOS;
        for (int i = 0; deallocate && i < count && status == Status.SUCCESS; i++) {
            if (rangeBlocks(i) > 0) {
                status = prps.domain() == null
                        ? deallocate(namespace, rangeStart(i), rangeBlocks(i))
                        : deallocateUntil(end, namespace, rangeStart(i), rangeBlocks(i));
            }
        }
        return mediaStatus(status);
    }

    /**
     * Deallocates piece by piece, as far as the time goes: where the media can only be written with zeroes, a range can take
     * minutes, and others wait. It is a hint, so that what is not done stays as it is.
     */
    private static int deallocateUntil(long end, Namespace namespace, long start, long count) {
        long most = DEALLOCATED_AT_ONCE >>> namespace.shift;
        int status = Status.SUCCESS;
        long lba = start;
        while (lba < start + count && status == Status.SUCCESS && System.nanoTime() - end < 0) {
            long part = Math.min(start + count - lba, most - lba % most);
            status = deallocate(namespace, lba, part);
            lba += part;
        }
        return status;
    }

    /** Blocks in zones stay: what may be written where is the zones' alone. */
    private static int deallocate(Namespace namespace, long lba, long count) {
        if (namespace.zones != null) {
            return Status.SUCCESS;
        }
        int status = StagedBlocks.checkReadableAgain(namespace, lba, count);
        if (status != Status.SUCCESS) {
            return status;
        }
        if (!namespace.uncorrectable.isEmpty()) {
            namespace.uncorrectable.remove(lba, count);
            namespace.replain();
        }
        return namespace.zero(lba, count);
    }

    private int writeUncorrectable(Command command) {
        Namespace namespace = namespace(command);
        int status = checkBlocks(command, namespace);
        if (status != Status.SUCCESS || namespace == null) {
            return status;
        }
        return namespace.readOnly
                ? Status.NAMESPACE_WRITE_PROTECTED | DNR
                : staged.writeUncorrectable(command, namespace, (int) blocks(command));
    }

    private int copy(Command command) {
        Namespace namespace = namespace(command);
        int status = checkNamespace(command, namespace);
        if (status != Status.SUCCESS || namespace == null) {
            return status;
        }
        return namespace.readOnly
                ? Status.NAMESPACE_WRITE_PROTECTED | DNR
                : forced(staged.copy(command, namespace), command, namespace);
    }

    /** Zone Append. */
    private int append(Command command) {
        Namespace namespace = namespace(command);
        int status = checkBlocks(command, namespace);
        if (status != Status.SUCCESS || namespace == null) {
            return status;
        }
        return forced(staged.append(command, namespace, (int) blocks(command)), command, namespace);
    }

    /** Zone Management Send. The data of a zone that is reset is gone. */
    private int sendZones(Command command) {
        Namespace namespace = namespace(command);
        int status = checkNamespace(command, namespace);
        if (status != Status.SUCCESS || namespace == null) {
            return status;
        }
        ZoneTable zones = namespace.zones;
        if (zones == null) {
            return Status.INVALID_OPCODE | DNR;
        }
        int dword13 = (int) (command.cdw12 >>> 32);
        int action = dword13 & 0xFF;
        if (namespace.readOnly) {
            return Status.NAMESPACE_WRITE_PROTECTED | DNR;
        }
        if ((dword13 & ZoneReport.SELECT_ALL) == 0) {
            if (!namespace.holds(command.cdw10, 1)) {
                return Status.LBA_OUT_OF_RANGE | DNR;
            }
            return zones.isStart(command.cdw10)
                    ? sendZone(namespace, zones, zones.zone(command.cdw10), action)
                    : Status.INVALID_FIELD | DNR;
        }
        if (!ZoneTable.isAction(action)) {
            return Status.INVALID_FIELD | DNR;
        }
        return sendAllZones(namespace, zones, action);
    }

    /** A domain's command goes as far as its time: what is left is done when it is sent again, and others do not wait. */
    private int sendAllZones(Namespace namespace, ZoneTable zones, int action) {
        long end = System.nanoTime() + MOST_ERASING_NANOS;
        for (int zone = 0; zone < zones.count(); zone++) {
            if (zones.takesPart(zone, action)) {
                if (prps.domain() != null && System.nanoTime() - end >= 0) {
                    return Status.COMMAND_INTERRUPTED;
                }
                int status = sendZone(namespace, zones, zone, action);
                if (status != Status.SUCCESS) {
                    return status;
                }
            }
        }
        return Status.SUCCESS;
    }

    private static int sendZone(Namespace namespace, ZoneTable zones, int zone, int action) {
        int status = zones.send(zone, action);
        if (status != Status.SUCCESS || action != ZoneReport.ACTION_RESET) {
            return status;
        }
        if (!namespace.uncorrectable.isEmpty()) {
            namespace.uncorrectable.remove(zones.start(zone), zones.zoneBlocks);
        }
        return namespace.zero(zones.start(zone), zones.zoneBlocks);
    }

    /** Zone Management Receive: a report. */
    private int receiveZones(Command command) {
        Namespace namespace = namespace(command);
        int status = checkNamespace(command, namespace);
        if (status != Status.SUCCESS || namespace == null) {
            return status;
        }
        ZoneTable zones = namespace.zones;
        if (zones == null) {
            return Status.INVALID_OPCODE | DNR;
        }
        if (!namespace.holds(command.cdw10, 1)) {
            return Status.LBA_OUT_OF_RANGE | DNR;
        }
        int dword13 = (int) (command.cdw12 >>> 32);
        long bytes = dwords(command.dword12());
        if ((dword13 & 0xFF) != ZoneReport.RECEIVE_REPORT || bytes < ZoneReport.HEADER_BYTES || bytes > maxTransfer) {
            return Status.INVALID_FIELD | DNR;
        }
        MemorySegment report = zeroedReply(bytes);
        boolean partial = (dword13 & ZoneReport.PARTIAL) != 0;
        int option = dword13 >>> ZoneReport.OPTION_SHIFT & 0xFF;
        return zones.report(zones.zone(command.cdw10), option, partial, report)
                ? deliver(command, report)
                : Status.INVALID_FIELD | DNR;
    }

    /** I/O Management Receive: the status of reclaim unit handles. */
    private int receiveManagement(Command command) {
        Namespace namespace = namespace(command);
        int status = checkManagement(command, namespace, DataPlacementLog.RECEIVE_STATUS);
        PlacementTable table = placement;
        if (status != Status.SUCCESS || namespace == null || table == null) {
            return status;
        }
        long bytes = dwords(command.dword11());
        if (bytes > maxTransfer) {
            return Status.INVALID_FIELD | DNR;
        }
        MemorySegment all = zeroedReply(Math.max(bytes, 4096));
        table.status(namespace.shift, all);
        return deliver(command, all.asSlice(0, bytes));
    }

    /** I/O Management Send: reclaim unit handles get an empty reclaim unit each. */
    private int sendManagement(Command command) {
        Namespace namespace = namespace(command);
        int status = checkManagement(command, namespace, DataPlacementLog.SEND_UPDATE);
        PlacementTable table = placement;
        if (status != Status.SUCCESS || namespace == null || table == null) {
            return status;
        }
        int count = (command.dword10() >>> 16) + 1;
        if (count > table.handles()) {
            return Status.INVALID_PLACEMENT_HANDLE_LIST | DNR;
        }
        status = prps.map(command.prp1, command.prp2, 2L * count);
        if (status != Status.SUCCESS) {
            return status;
        }
        prps.gather(ranges);
        for (int i = 0; i < count; i++) {
            if (Wire.u16(ranges, 2L * i) >= table.handles()) {
                return Status.INVALID_FIELD | DNR;
            }
        }
        for (int i = 0; i < count; i++) {
            table.update(namespace.id, Wire.u16(ranges, 2L * i));
        }
        return Status.SUCCESS;
    }

    private int checkManagement(Command command, @Nullable Namespace namespace, int operation) {
        if (placement == null) {
            return Status.INVALID_OPCODE | DNR;
        }
        int status = checkNamespace(command, namespace);
        return status == Status.SUCCESS && (command.dword10() & 0xFF) != operation
                ? Status.INVALID_FIELD | DNR
                : status;
    }

    /** A 0's based count of dwords, in bytes. */
    private static long dwords(int field) {
        return ((field & 0xFFFF_FFFFL) + 1) * Integer.BYTES;
    }

    /** Zeroed memory that is used again for the next reply: a command allocates none that a collector must find. */
    private MemorySegment zeroedReply(long bytes) {
        if (reply.byteSize() < bytes) {
            reply = Arena.ofAuto().allocate(Math.max(maxTransfer, bytes), Long.BYTES);
        }
        MemorySegment zeroed = reply.asSlice(0, bytes);
        zeroed.fill((byte) 0);
        return zeroed;
    }

    private int deliver(Command command, MemorySegment source) {
        int status = prps.map(command.prp1, command.prp2, source.byteSize());
        if (status == Status.SUCCESS) {
            prps.deliver(source);
        }
        return status;
    }

    private long rangeBlocks(int i) {
        return Wire.i32(ranges, (long) i * DatasetRange.BYTES + DatasetRange.NLB) & 0xFFFF_FFFFL;
    }

    private long rangeStart(int i) {
        return Wire.i64(ranges, (long) i * DatasetRange.BYTES + DatasetRange.SLBA);
    }

    private int verify(Command command) {
        Namespace namespace = namespace(command);
        int status = checkBlocks(command, namespace);
        if (status != Status.SUCCESS || namespace == null) {
            return status;
        }
        if (blocks(command) << namespace.shift > PrpWalk.PAGE << VERIFY_SIZE_LIMIT) {
            return Status.INVALID_FIELD | DNR;
        }
        if (!namespace.plain) {
            return staged.verify(command, namespace, (int) blocks(command));
        }
        return mediaStatus(
                namespace.media.verify(command.cdw10 << namespace.shift, blocks(command) << namespace.shift));
    }

    /** NLB, which is 0's based. */
    private static long blocks(Command command) {
        return (command.cdw12 & 0xFFFF) + 1;
    }

    private static int checkNamespace(Command command, @Nullable Namespace namespace) {
        if (command.fusedOrSgl()) {
            return Status.INVALID_FIELD | DNR;
        }
        return namespace == null ? Status.INVALID_NAMESPACE_OR_FORMAT | DNR : Status.SUCCESS;
    }

    private static int checkBlocks(Command command, @Nullable Namespace namespace) {
        if (command.fusedOrSgl()) {
            return Status.INVALID_FIELD | DNR;
        }
        if (namespace == null) {
            return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
        }
        return namespace.holds(command.cdw10, blocks(command)) ? Status.SUCCESS : Status.LBA_OUT_OF_RANGE | DNR;
    }

    private int checkTransfer(Command command, long bytes) {
        return bytes > maxTransfer ? Status.INVALID_FIELD | DNR : prps.map(command.prp1, command.prp2, bytes);
    }

    /** With the write cache off, or if the command asks for it, what was written is durable when it completes. */
    private int written(int status, Media media, boolean forced) {
        return mediaStatus(
                status == Status.SUCCESS && (forced || !features.writeCacheEnabled()) ? media.flush() : status);
    }

    /** The same of blocks that were staged, whose errors are counted already. */
    private int forced(int status, Command command, Namespace namespace) {
        boolean durable = StagedBlocks.isForced(command) || !features.writeCacheEnabled();
        return status == Status.SUCCESS && durable ? mediaStatus(namespace.media.flush()) : status;
    }

    private int mediaStatus(int status) {
        if (status != Status.SUCCESS) {
            counters.mediaErrors++;
        }
        return status;
    }
}
