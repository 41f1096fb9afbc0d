package io.aisio.emu;

import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** The NVM command set (section 6): each method checks a command in the specification's order, then does it. */
final class NvmCommands {
    /** Do not retry: the same command would fail again. */
    private static final int DNR = Status.DNR_BIT;
    /** CDW12: Force Unit Access, in the 64-bit word of CDW12 and CDW13. */
    private static final long FUA = 1L << 30;
    /** CDW11: Attribute, Deallocate. */
    private static final int DSM_DEALLOCATE = 1 << 2;

    private static final int RANGE_BYTES = 16;
    private static final int MAX_RANGES = 256;

    private final Namespace[] namespaces;
    private final PrpWalk prps;
    private final long maxTransfer;
    private final Features features;
    private final Counters counters;
    /** Ranges of Dataset Management, brought together from the pages that they lie in. */
    private final MemorySegment ranges = Arena.ofAuto().allocate(MAX_RANGES * RANGE_BYTES, Long.BYTES);

    NvmCommands(Namespace[] namespaces, PrpWalk prps, long maxTransfer, Features features, Counters counters) {
        this.namespaces = namespaces;
        this.prps = prps;
        this.maxTransfer = maxTransfer;
        this.features = features;
        this.counters = counters;
    }

    /** Executes a command; the status that it completes with. */
    int execute(Command command) {
        return switch (command.opcode()) {
            case Opcode.READ -> read(command);
            case Opcode.WRITE -> write(command);
            case Opcode.FLUSH -> flush(command);
            case Opcode.WRITE_ZEROES -> writeZeroes(command);
            case Opcode.COMPARE -> compare(command);
            case Opcode.DATASET_MANAGEMENT -> manage(command);
            case Opcode.VERIFY -> verify(command);
            default -> Status.INVALID_OPCODE | DNR;
        };
    }

    /** Bytes that the command would move, for the rate limit; 0 for one that moves none. */
    long bytesMoved(Command command) {
        int opcode = command.opcode();
        if (opcode != Opcode.READ && opcode != Opcode.WRITE && opcode != Opcode.COMPARE) {
            return 0;
        }
        Namespace namespace = namespace(command);
        return namespace == null ? 0 : blocks(command) << namespace.shift;
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
            status = media.read(position, prps.memory(i), prps.offset(i), prps.length(i));
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
            status = media.write(position, prps.memory(i), prps.offset(i), prps.length(i));
            position += prps.length(i);
        }
        return written(status, media, (command.cdw12 & FUA) != 0);
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
        status = namespace.media.zero(command.cdw10 << namespace.shift, blocks(command) << namespace.shift);
        return written(status, namespace.media, (command.cdw12 & FUA) != 0);
    }

    private int compare(Command command) {
        Namespace namespace = namespace(command);
        int status = checkBlocks(command, namespace);
        if (status != Status.SUCCESS || namespace == null) {
            return status;
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
            status = namespace.media.compare(position, prps.memory(i), prps.offset(i), prps.length(i));
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
        boolean deallocate = (command.dword11() & DSM_DEALLOCATE) != 0;
        if (deallocate && namespace.readOnly) {
            return Status.NAMESPACE_WRITE_PROTECTED | DNR;
        }
        int count = (command.dword10() & 0xFF) + 1;
        int status = prps.map(command.prp1, command.prp2, (long) count * RANGE_BYTES);
        if (status != Status.SUCCESS) {
            return status;
        }
        long at = 0;
        for (int i = 0; i < prps.runs(); i++) {
            MemorySegment.copy(prps.memory(i), prps.offset(i), ranges, at, prps.length(i));
            at += prps.length(i);
        }
        for (int i = 0; i < count; i++) {
            if (!namespace.holds(rangeStart(i), rangeBlocks(i))) {
                return Status.LBA_OUT_OF_RANGE | DNR;
            }
        }
        for (int i = 0; deallocate && i < count && status == Status.SUCCESS; i++) {
            if (rangeBlocks(i) > 0) {
                status = namespace.media.zero(rangeStart(i) << namespace.shift, rangeBlocks(i) << namespace.shift);
            }
        }
        return mediaStatus(status);
    }

    private long rangeBlocks(int i) {
        return Wire.i32(ranges, (long) i * RANGE_BYTES + 4) & 0xFFFF_FFFFL;
    }

    private long rangeStart(int i) {
        return Wire.i64(ranges, (long) i * RANGE_BYTES + 8);
    }

    private int verify(Command command) {
        Namespace namespace = namespace(command);
        int status = checkBlocks(command, namespace);
        if (status != Status.SUCCESS || namespace == null) {
            return status;
        }
        return mediaStatus(
                namespace.media.verify(command.cdw10 << namespace.shift, blocks(command) << namespace.shift));
    }

    /** NLB, which is 0's based. */
    private static long blocks(Command command) {
        return (command.cdw12 & 0xFFFF) + 1;
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

    private int mediaStatus(int status) {
        if (status != Status.SUCCESS) {
            counters.mediaErrors++;
        }
        return status;
    }
}
