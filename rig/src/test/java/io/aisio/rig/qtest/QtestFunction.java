package io.aisio.rig.qtest;

import io.aisio.rig.qtest.QtestSocket.Width;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.Interrupt;
import io.aisio.upcie.PciFunction;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * A PCI function of QEMU's machine, set up as firmware would: BARs placed, memory decoding and bus mastering on.
 * Interrupts are MSI-X messages to a page of DMA memory, found by looking there.
 */
final class QtestFunction implements PciFunction {
    private static final int COMMAND = 0x04;
    private static final int BAR0 = 0x10;
    private static final int CAPABILITIES = 0x34;
    private static final int EXTENDED_CAPABILITIES = 0x100;

    private static final int COMMAND_MEMORY = 1 << 1;
    private static final int COMMAND_BUS_MASTER = 1 << 2;

    private static final int PCI_EXPRESS = 0x10;
    private static final int PCI_EXPRESS_CONTROL = 8;
    private static final int FUNCTION_LEVEL_RESET = 1 << 15;

    private static final int MSIX = 0x11;
    private static final int MSIX_ENABLE = 1 << 15;

    private static final int SRIOV = 0x10;
    private static final int SRIOV_CONTROL = 0x08;
    private static final int SRIOV_NUM_VFS = 0x10;
    private static final int SRIOV_OFFSET_STRIDE = 0x14;
    private static final int SRIOV_VF_BAR0 = 0x24;
    private static final int SRIOV_VF_ENABLE = 1;
    private static final int SRIOV_VF_MEMORY = 1 << 3;

    private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle().withInvokeExactBehavior();
    /** How long a wait for an interrupt sleeps between two looks. */
    private static final long LOOK_NANOS = 50_000;

    private final QemuNvme qemu;
    private final int devfn;
    private final Bar[] bars = new Bar[6];
    private final long[] barAddresses = new long[6];
    private DmaMemory messages;
    private boolean closed;

    QtestFunction(QemuNvme qemu, int device, int function) throws IOException {
        this(qemu, device << 3 | function);
        if (qemu.read(Width.BITS_16, config(0)) == 0xFFFF) {
            throw new IOException(name() + ": no such function");
        }
        placeBars();
    }

    private QtestFunction(QemuNvme qemu, int devfn) {
        this.qemu = qemu;
        this.devfn = devfn;
    }

    private void placeBars() throws IOException {
        for (int i = 0; i < bars.length; i++) {
            long at = config(BAR0 + 4 * i);
            qemu.write(Width.BITS_32, at, 0xFFFF_FFFFL);
            int mask = (int) qemu.read(Width.BITS_32, at);
            if (mask != 0 && (mask & 1) == 0) {
                long size = -(mask & ~0xF) & 0xFFFF_FFFFL;
                long address = qemu.placeBar(size);
                qemu.write(Width.BITS_32, at, address);
                barAddresses[i] = address;
                bars[i] = new QtestBar(qemu, address, size);
                if ((mask >>> 1 & 3) == 2) {
                    i++;
                    qemu.write(Width.BITS_32, config(BAR0 + 4 * i), 0);
                }
            }
        }
        master(true);
    }

    private void master(boolean on) throws IOException {
        qemu.write(Width.BITS_16, config(COMMAND), COMMAND_MEMORY | (on ? COMMAND_BUS_MASTER : 0));
    }

    /**
     * Enables virtual functions of this physical one, through its SR-IOV capability.
     *
     * @return their functions, set up
     */
    List<QtestFunction> enableVirtualFunctions(int count) throws IOException {
        int capability = extendedCapability(SRIOV);
        qemu.write(Width.BITS_16, config(capability + SRIOV_NUM_VFS), count);
        long bar = config(capability + SRIOV_VF_BAR0);
        qemu.write(Width.BITS_32, bar, 0xFFFF_FFFFL);
        long size = -(qemu.read(Width.BITS_32, bar) & ~0xFL) & 0xFFFF_FFFFL;
        long address = qemu.placeBar(Long.highestOneBit(size * count * 2 - 1));
        qemu.write(Width.BITS_32, bar, address);
        qemu.write(Width.BITS_32, bar + 4, 0);
        qemu.write(Width.BITS_16, config(capability + SRIOV_CONTROL), SRIOV_VF_ENABLE | SRIOV_VF_MEMORY);
        int offsetStride = (int) qemu.read(Width.BITS_32, config(capability + SRIOV_OFFSET_STRIDE));
        List<QtestFunction> functions = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            var function = new QtestFunction(qemu, devfn + (offsetStride & 0xFFFF) + i * (offsetStride >>> 16));
            function.bars[0] = new QtestBar(qemu, address + i * size, size);
            function.master(true);
            functions.add(function);
        }
        return functions;
    }

    /** Takes the virtual functions away. */
    void disableVirtualFunctions() throws IOException {
        qemu.write(Width.BITS_16, config(extendedCapability(SRIOV) + SRIOV_CONTROL), 0);
    }

    /** A function level reset; what was set up of the function is set up anew. */
    void reset() throws IOException {
        long control = config(capability(PCI_EXPRESS) + PCI_EXPRESS_CONTROL);
        qemu.write(Width.BITS_16, control, qemu.read(Width.BITS_16, control) | FUNCTION_LEVEL_RESET);
        for (int i = 0; i < bars.length; i++) {
            if (barAddresses[i] != 0) {
                qemu.write(Width.BITS_32, config(BAR0 + 4 * i), barAddresses[i]);
            }
        }
        master(true);
    }

    private int capability(int id) throws IOException {
        int at = (int) qemu.read(Width.BITS_8, config(CAPABILITIES)) & 0xFC;
        for (int i = 0; at != 0 && i < 48; i++) {
            int header = (int) qemu.read(Width.BITS_16, config(at));
            if ((header & 0xFF) == id) {
                return at;
            }
            at = header >>> 8 & 0xFC;
        }
        return 0;
    }

    private int extendedCapability(int id) throws IOException {
        int at = EXTENDED_CAPABILITIES;
        for (int i = 0; at != 0 && i < 960; i++) {
            int header = (int) qemu.read(Width.BITS_32, config(at));
            if ((header & 0xFFFF) == id) {
                return at;
            }
            at = header >>> 20 & 0xFFC;
        }
        throw new IOException("%s: no extended capability 0x%x".formatted(name(), id));
    }

    private long config(int offset) {
        return qemu.config(devfn) + offset;
    }

    @Override
    public String name() {
        return "qemu:00:%02x.%d".formatted(devfn >>> 3, devfn & 7);
    }

    @Override
    public Bar bar(int index) {
        if (index < 0 || index >= bars.length || bars[index] == null) {
            throw new IllegalArgumentException(name() + " has no memory BAR " + index);
        }
        return bars[index];
    }

    @Override
    public DmaMemory allocate(long bytes) throws IOException {
        return qemu.memory().allocate(bytes);
    }

    @Override
    public int interruptVectors() {
        try {
            int capability = capability(MSIX);
            return capability == 0 ? 0 : ((int) qemu.read(Width.BITS_16, config(capability + 2)) & 0x7FF) + 1;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public List<? extends Interrupt> enableInterrupts(int count) throws IOException {
        if (messages != null) {
            throw new IllegalStateException(name() + ": interrupts have been enabled before");
        }
        if (count < 1 || count > interruptVectors()) {
            throw new IllegalArgumentException(
                    "%s: %d interrupt vectors; 1 to %d are possible".formatted(name(), count, interruptVectors()));
        }
        messages = allocate(4L * count);
        int capability = capability(MSIX);
        int table = (int) qemu.read(Width.BITS_32, config(capability + 4));
        Bar bar = bar(table & 7);
        List<Message> vectors = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            long entry = (table & ~7) + 16L * i;
            bar.write32(entry, (int) messages.iova(4L * i));
            bar.write32(entry + 4, 0);
            bar.write32(entry + 8, 1 + i);
            bar.write32(entry + 12, 0);
            vectors.add(new Message(i));
        }
        long control = config(capability + 2);
        qemu.write(Width.BITS_16, control, qemu.read(Width.BITS_16, control) | MSIX_ENABLE);
        return vectors;
    }

    @Override
    public void stopDma() throws IOException {
        master(false);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            stopDma();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            if (messages != null) {
                messages.close();
            }
        }
    }

    /** A vector: the word of DMA memory that its message is written to. */
    private final class Message implements Interrupt {
        private final int vector;

        Message(int vector) {
            this.vector = vector;
        }

        @Override
        public int vector() {
            return vector;
        }

        @Override
        public boolean await(Duration limit) {
            long deadline = System.nanoTime() + limit.toNanos();
            while (true) {
                int seen = (int) INT.getAndSet(messages.segment(), 4L * vector, 0);
                if (seen != 0) {
                    return true;
                }
                if (System.nanoTime() - deadline >= 0) {
                    return false;
                }
                LockSupport.parkNanos(LOOK_NANOS);
            }
        }
    }
}
