package io.aisio.upcie.vfiouser;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The numbers of the vfio-user protocol: commands, and the offsets of each structure's fields from the start of its
 * payload. Integers have the host's byte order and nothing is padded.
 */
public final class VfioUser {
    // The header of each message.

    /** Bytes of the header. */
    public static final int HEADER = 16;
    /** u16: chosen by who sends a command, echoed in the reply. */
    public static final int ID = 0;
    /** u16: the command. */
    public static final int COMMAND = 2;
    /** u32: bytes of the message, the header among them. */
    public static final int SIZE = 4;
    /** u32: see below. */
    public static final int FLAGS = 8;
    /** u32: errno, in a reply with {@link #FLAG_ERROR}. */
    public static final int ERROR = 12;

    /** Bits of the flags that tell a command from a reply. */
    public static final int TYPE_MASK = 0xF;
    /** Type: a command. */
    public static final int TYPE_COMMAND = 0;
    /** Type: a reply. */
    public static final int TYPE_REPLY = 1;
    /** Flag of a command: no reply is wanted. */
    public static final int FLAG_NO_REPLY = 0x10;
    /** Flag of a reply: the command failed; the message is the header alone. */
    public static final int FLAG_ERROR = 0x20;

    // Commands.

    /** Agrees on a version and on what each side can. */
    public static final int VERSION = 1;
    /** Gives the server memory. */
    public static final int DMA_MAP = 2;
    /** Takes memory away from the server. */
    public static final int DMA_UNMAP = 3;
    /** Asks what the device has. */
    public static final int DEVICE_GET_INFO = 4;
    /** Asks what a region is like. */
    public static final int GET_REGION_INFO = 5;
    /** Asks for descriptors that stand for accesses. */
    public static final int GET_REGION_IO_FDS = 6;
    /** Asks for the interrupts of a kind. */
    public static final int GET_IRQ_INFO = 7;
    /** Says how interrupts are told. */
    public static final int SET_IRQS = 8;
    /** Reads from a region. */
    public static final int REGION_READ = 9;
    /** Writes to a region. */
    public static final int REGION_WRITE = 10;
    /** From the server: reads the client's memory. */
    public static final int DMA_READ = 11;
    /** From the server: writes the client's memory. */
    public static final int DMA_WRITE = 12;
    /** Resets the device. */
    public static final int DEVICE_RESET = 13;

    // VERSION.

    /** The major version that there is. */
    public static final int MAJOR = 0;
    /** The minor version that is spoken here. */
    public static final int MINOR = 1;
    /** Bytes before the JSON: u16 major, u16 minor. */
    public static final int VERSION_BYTES = 4;
    /** u16: the minor version. */
    public static final int VERSION_MINOR = 2;

    /** The most data in one REGION_ or DMA_ READ or WRITE, where none else is agreed on. */
    public static final int DEFAULT_TRANSFER = 1 << 20;
    /** The longest message that is accepted here: 1 MiB of data behind an access's 16 bytes. */
    public static final int LONGEST_MESSAGE = HEADER + 16 + DEFAULT_TRANSFER;
    /** The descriptors that are accepted with one message here. */
    public static final int MOST_FILES = 8;

    // What begins most structures.

    /** u32: bytes of the structure, or of the reply that there is room for. */
    public static final int ARGSZ = 0;
    /** u32: flags of the structure. */
    public static final int ARG_FLAGS = 4;

    // DEVICE_GET_INFO.

    /** Bytes of the structure. */
    public static final int DEVICE_INFO = 16;
    /** u32: how many regions. */
    public static final int DEVICE_REGIONS = 8;
    /** u32: how many kinds of interrupts. */
    public static final int DEVICE_IRQS = 12;
    /** Flag: the device can be reset. */
    public static final int DEVICE_FLAG_RESET = 1;
    /** Flag: it is a PCI function. */
    public static final int DEVICE_FLAG_PCI = 2;
    /** Regions of a PCI function: BARs 0 to 5, ROM, configuration space, VGA. */
    public static final int PCI_REGIONS = 9;
    /** Kinds of interrupts of a PCI function: INTx, MSI, MSI-X, error, request. */
    public static final int PCI_IRQS = 5;
    /** Region: configuration space. */
    public static final int CONFIG_REGION = 7;
    /** Interrupts: MSI-X. */
    public static final int MSIX_IRQ = 2;

    // GET_REGION_INFO.

    /** Bytes of the structure without capabilities. */
    public static final int REGION_INFO = 32;
    /** u32: the region. */
    public static final int REGION_INDEX = 8;
    /** u32: where in the payload the first capability is; 0 if there is none. */
    public static final int REGION_CAP_OFFSET = 12;
    /** u64: bytes of the region. */
    public static final int REGION_SIZE = 16;
    /** u64: where in its file the region begins. */
    public static final int REGION_OFFSET = 24;
    /** Flag: it can be read. */
    public static final int REGION_FLAG_READ = 1;
    /** Flag: it can be written. */
    public static final int REGION_FLAG_WRITE = 2;
    /** Flag: it, or parts of it, can be mapped. */
    public static final int REGION_FLAG_MMAP = 4;
    /** Flag: capabilities follow. */
    public static final int REGION_FLAG_CAPS = 8;

    /** u16: a capability's identifier. */
    public static final int CAP_ID = 0;
    /** u16: its version. */
    public static final int CAP_VERSION = 2;
    /** u32: where in the payload the next one is; 0 if there is none. */
    public static final int CAP_NEXT = 4;
    /** Bytes of a capability's header. */
    public static final int CAP_HEADER = 8;
    /** Capability: only some areas of the region can be mapped. */
    public static final int CAP_SPARSE_MMAP = 1;
    /** u32: how many areas. */
    public static final int SPARSE_AREAS = 8;
    /** Bytes before the first area. */
    public static final int SPARSE_HEADER = 16;
    /** Bytes of an area: u64 offset in the region, u64 size. */
    public static final int SPARSE_AREA = 16;
    /** u64: an area's size. */
    public static final int SPARSE_AREA_SIZE = 8;

    // DMA_MAP and DMA_UNMAP.

    /** Bytes of DMA_MAP's structure. */
    public static final int DMA_MAP_BYTES = 32;
    /** u64: where in the file the memory begins. */
    public static final int DMA_MAP_OFFSET = 8;
    /** u64: where the device finds it. */
    public static final int DMA_MAP_IOVA = 16;
    /** u64: bytes. */
    public static final int DMA_MAP_SIZE = 24;
    /** Flag: the device may read it. */
    public static final int DMA_FLAG_READ = 1;
    /** Flag: the device may write it. */
    public static final int DMA_FLAG_WRITE = 2;

    /** Bytes of DMA_UNMAP's structure. */
    public static final int DMA_UNMAP_BYTES = 24;
    /** u64: where the device finds it. */
    public static final int DMA_UNMAP_IOVA = 8;
    /** u64: bytes. */
    public static final int DMA_UNMAP_SIZE = 16;
    /** Flag: all that is mapped, address and size being 0. */
    public static final int DMA_UNMAP_FLAG_ALL = 2;

    // GET_IRQ_INFO and SET_IRQS.

    /** Bytes of GET_IRQ_INFO's structure. */
    public static final int IRQ_INFO = 16;
    /** u32: which kind of interrupts. */
    public static final int IRQ_INDEX = 8;
    /** u32: how many there are. */
    public static final int IRQ_COUNT = 12;
    /** Flag: they can be told by an eventfd. */
    public static final int IRQ_FLAG_EVENTFD = 1;
    /** Flag: how many there are cannot be changed piece by piece. */
    public static final int IRQ_FLAG_NORESIZE = 8;

    /** Bytes of SET_IRQS's structure without data. */
    public static final int IRQ_SET = 20;
    /** u32: which kind of interrupts. */
    public static final int IRQ_SET_INDEX = 8;
    /** u32: the first of them. */
    public static final int IRQ_SET_START = 12;
    /** u32: how many. */
    public static final int IRQ_SET_COUNT = 16;
    /** Flag: no data. */
    public static final int IRQ_SET_DATA_NONE = 1;
    /** Flag: a byte for each, of which those not 0 are meant. */
    public static final int IRQ_SET_DATA_BOOL = 2;
    /** Flag: eventfds. */
    public static final int IRQ_SET_DATA_EVENTFD = 4;
    /** The bits of which one says what data there is. */
    public static final int IRQ_SET_DATA_MASK = 7;
    /** The bits of which one says what is done: mask, unmask, trigger. */
    public static final int IRQ_SET_ACTION_MASK = 56;
    /** Flag: what is done is to trigger. */
    public static final int IRQ_SET_ACTION_TRIGGER = 32;

    // REGION_READ and REGION_WRITE.

    /** Bytes of the structure before the data. */
    public static final int REGION_ACCESS = 16;
    /** u64: where in the region. */
    public static final int ACCESS_OFFSET = 0;
    /** u32: the region. */
    public static final int ACCESS_REGION = 8;
    /** u32: bytes of data. */
    public static final int ACCESS_COUNT = 12;

    // DMA_READ and DMA_WRITE.

    /** Bytes of the structure before the data. */
    public static final int DMA_ACCESS = 16;
    /** u64: where the device finds the memory. */
    public static final int DMA_ACCESS_ADDRESS = 0;
    /** u64: bytes of data. */
    public static final int DMA_ACCESS_COUNT = 8;

    private VfioUser() {}

    /** A command's name in the protocol, such as {@code DMA_MAP}. */
    public static String commandName(int command) {
        return switch (command) {
            case VERSION -> "VERSION";
            case DMA_MAP -> "DMA_MAP";
            case DMA_UNMAP -> "DMA_UNMAP";
            case DEVICE_GET_INFO -> "DEVICE_GET_INFO";
            case GET_REGION_INFO -> "GET_REGION_INFO";
            case GET_REGION_IO_FDS -> "GET_REGION_IO_FDS";
            case GET_IRQ_INFO -> "GET_IRQ_INFO";
            case SET_IRQS -> "SET_IRQS";
            case REGION_READ -> "REGION_READ";
            case REGION_WRITE -> "REGION_WRITE";
            case DMA_READ -> "DMA_READ";
            case DMA_WRITE -> "DMA_WRITE";
            case DEVICE_RESET -> "DEVICE_RESET";
            default -> "command " + command;
        };
    }

    /** The u16 at an offset. */
    public static int u16(MemorySegment bytes, long offset) {
        return bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED, offset) & 0xFFFF;
    }

    /** Stores a u16. */
    public static void u16(MemorySegment bytes, long offset, int value) {
        bytes.set(ValueLayout.JAVA_SHORT_UNALIGNED, offset, (short) value);
    }

    /** The u32 at an offset, as an int: those that are sizes are compared unsigned. */
    public static int u32(MemorySegment bytes, long offset) {
        return bytes.get(ValueLayout.JAVA_INT_UNALIGNED, offset);
    }

    /** Stores a u32. */
    public static void u32(MemorySegment bytes, long offset, int value) {
        bytes.set(ValueLayout.JAVA_INT_UNALIGNED, offset, value);
    }

    /** The u64 at an offset, as a long: one above 2^63 is negative. */
    public static long u64(MemorySegment bytes, long offset) {
        return bytes.get(ValueLayout.JAVA_LONG_UNALIGNED, offset);
    }

    /** Stores a u64. */
    public static void u64(MemorySegment bytes, long offset, long value) {
        bytes.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, value);
    }
}
