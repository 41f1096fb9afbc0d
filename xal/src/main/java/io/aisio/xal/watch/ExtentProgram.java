package io.aisio.xal.watch;

import static io.aisio.linux.BpfCode.Register.R0;
import static io.aisio.linux.BpfCode.Register.R1;
import static io.aisio.linux.BpfCode.Register.R10;
import static io.aisio.linux.BpfCode.Register.R2;
import static io.aisio.linux.BpfCode.Register.R3;
import static io.aisio.linux.BpfCode.Register.R4;
import static io.aisio.linux.BpfCode.Register.R6;
import static io.aisio.linux.BpfCode.Register.R7;
import static io.aisio.linux.BpfCode.Register.R8;
import static io.aisio.linux.BpfCode.Size.DOUBLE;
import static io.aisio.linux.BpfCode.Size.HALF;
import static io.aisio.linux.BpfCode.Size.WORD;
import static io.aisio.linux.BpfCode.When.ANY_BIT;
import static io.aisio.linux.BpfCode.When.AT_LEAST;
import static io.aisio.linux.BpfCode.When.EQUAL;
import static io.aisio.linux.BpfCode.When.NOT_EQUAL;

import io.aisio.linux.BpfCode;
import io.aisio.linux.BpfCounters;
import io.aisio.linux.BpfRing;
import io.aisio.linux.FileStatus;
import io.aisio.xal.watch.ExtentRecord.Kind;
import java.util.List;

/**
 * The programs that run at XFS's tracepoints: each looks whether a regular file of one file system changes its data
 * fork, and puts an {@link ExtentRecord} into the ring, or counts that it could not.
 *
 * <p>Where members of the kernel's structures lie, the running kernel's own types tell.
 */
final class ExtentProgram {
    /** The arguments of a tracepoint that has a cursor: inode, cursor, state, and where it was called. */
    private static final List<String> CURSOR_ARGUMENTS =
            List.of("struct xfs_inode *", "struct xfs_iext_cursor *", "", "");

    private static final List<String> SWAP_ARGUMENTS = List.of("struct xfs_inode *", "");

    /** {@code linux/bpf.h}: BPF_FUNC_probe_read_kernel and BPF_FUNC_ringbuf_output. */
    private static final int PROBE_READ_KERNEL = 113;

    private static final int RINGBUF_OUTPUT = 130;

    /** {@code linux/stat.h}. */
    private static final int S_IFMT = 0xF000;

    private static final int S_IFREG = 0x8000;
    /** {@code linux/kdev_t.h}: MINORBITS of a device's number inside of the kernel. */
    private static final int MINOR_BITS = 20;
    /** {@code libxfs/xfs_bmap.h}: BMAP_ATTRFORK and BMAP_COWFORK, the change is not of the data fork. */
    private static final int OTHER_FORKS = 1 << 8 | 1 << 9;
    /** {@code struct xfs_iext_rec} of {@code libxfs/xfs_iext_tree.c}: two words. */
    private static final int REC_SHIFT = 4;

    /** The stack: the record, and below it the address of a leaf. */
    private static final int RECORD = -ExtentRecord.BYTES;

    private static final int LEAF = RECORD - Long.BYTES;

    private final Btf types;
    private final int device;
    private final BpfRing ring;
    private final BpfCounters lost;

    /**
     * @param types of the running kernel, with those of XFS
     * @param device of the file system
     * @param lost counts at index 0 what could not be told
     */
    ExtentProgram(Btf types, FileStatus.Device device, BpfRing ring, BpfCounters lost) {
        this.types = types;
        this.device = device.major() << MINOR_BITS | device.minor();
        this.ring = ring;
        this.lost = lost;
    }

    /**
     * The number of the type of a kind's tracepoint.
     *
     * @throws IllegalArgumentException if this kernel has no such tracepoint, or another one than is known here
     */
    int type(Kind kind) {
        String tracepoint = kind.tracepoint();
        String typedef = "btf_trace_" + tracepoint;
        int type = types.find(Btf.TYPEDEF, typedef);
        if (type == 0) {
            throw new IllegalArgumentException("this kernel has no tracepoint " + tracepoint);
        }
        List<String> known = kind == Kind.SWAP ? SWAP_ARGUMENTS : CURSOR_ARGUMENTS;
        List<String> arguments = types.arguments(typedef);
        if (!arguments.equals(known)) {
            throw new IllegalArgumentException(
                    "this kernel's tracepoint " + tracepoint + " has the arguments " + arguments + ", not " + known);
        }
        return type;
    }

    /** The program for the tracepoint of a kind. */
    BpfCode code(Kind kind) {
        BpfCode code = new BpfCode();
        BpfCode.Label end = new BpfCode.Label();
        BpfCode.Label fail = new BpfCode.Label();
        // Some kernels' verifiers (6.12 with XFS as a module) want pointers to be looked at before they are followed.
        code.load(DOUBLE, R6, R1, 0).jumpIf(EQUAL, R6, 0, end);
        if (kind == Kind.SWAP) {
            // It is run once for each of the two.
            code.load(DOUBLE, R7, R1, 8).jumpIf32(NOT_EQUAL, R7, 0, end);
        } else {
            code.load(DOUBLE, R7, R1, 8)
                    .jumpIf(EQUAL, R7, 0, end)
                    .load(DOUBLE, R8, R1, 16)
                    .jumpIf(ANY_BIT, R8, OTHER_FORKS, end);
        }
        leaveUnlessOfThisFileSystem(code, end);
        describeInode(code, kind);
        if (kind != Kind.SWAP) {
            readExtent(code, fail);
        }
        code.loadRing(R1, ring)
                .move(R2, R10)
                .add(R2, RECORD)
                .move(R3, ExtentRecord.BYTES)
                .move(R4, 0)
                .call(RINGBUF_OUTPUT)
                .jumpIf(NOT_EQUAL, R0, 0, fail)
                .jump(end);
        code.bind(fail).loadCounter(R1, lost, 0).move(R2, 1).atomicAdd(R1, 0, R2);
        return code.bind(end).move(R0, 0).exit();
    }

    private void leaveUnlessOfThisFileSystem(BpfCode code, BpfCode.Label end) {
        code.load(DOUBLE, R1, R6, types.offset("xfs_inode", "i_vnode", "i_sb"))
                .load(WORD, R1, R1, types.offset("super_block", "s_dev"))
                .jumpIf32(NOT_EQUAL, R1, device, end)
                .load(HALF, R1, R6, types.offset("xfs_inode", "i_vnode", "i_mode"))
                .and(R1, S_IFMT)
                .jumpIf(NOT_EQUAL, R1, S_IFREG, end);
    }

    private void describeInode(BpfCode code, Kind kind) {
        code.load(DOUBLE, R1, R6, types.offset("xfs_inode", "i_ino"))
                .store(DOUBLE, R10, RECORD + ExtentRecord.INODE, R1)
                .load(HALF, R1, R6, types.offset("xfs_inode", "i_diflags"))
                .store(WORD, R10, RECORD + ExtentRecord.FLAGS, R1)
                .store(WORD, R10, RECORD + ExtentRecord.KIND, kind.number())
                .store(DOUBLE, R10, RECORD + ExtentRecord.LOW, 0)
                .store(DOUBLE, R10, RECORD + ExtentRecord.HIGH, 0);
    }

    /** {@code cur->leaf->recs[cur->pos]}, by reads that may fail: the verifier follows no pointer by an index. */
    private void readExtent(BpfCode code, BpfCode.Label fail) {
        int low = types.offset("xfs_iext_rec", "lo");
        if (types.offset("xfs_iext_rec", "hi") != low + Long.BYTES) {
            throw new IllegalArgumentException("this kernel's struct xfs_iext_rec is another one than is known here");
        }
        int leafRecords = types.offset("xfs_iext_leaf", "recs");
        int perLeaf = (types.offset("xfs_iext_leaf", "prev") - leafRecords) >> REC_SHIFT;
        code.move(R1, R10)
                .add(R1, LEAF)
                .move(R2, Long.BYTES)
                .move(R3, R7)
                .add(R3, types.offset("xfs_iext_cursor", "leaf"))
                .call(PROBE_READ_KERNEL)
                .jumpIf(NOT_EQUAL, R0, 0, fail)
                .load(WORD, R4, R7, types.offset("xfs_iext_cursor", "pos"))
                .jumpIf32(AT_LEAST, R4, perLeaf, fail)
                .shiftLeft(R4, REC_SHIFT)
                .load(DOUBLE, R3, R10, LEAF)
                .add(R3, R4)
                .add(R3, leafRecords + low)
                .move(R1, R10)
                .add(R1, RECORD + ExtentRecord.LOW)
                .move(R2, 2 * Long.BYTES)
                .call(PROBE_READ_KERNEL)
                .jumpIf(NOT_EQUAL, R0, 0, fail);
    }
}
