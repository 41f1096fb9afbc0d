package io.aisio.rig.qtest;

import io.aisio.rig.qtest.QtestSocket.Width;
import io.aisio.upcie.Bar;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Objects;

/** Registers behind a BAR, each access a command on the socket. */
final class QtestBar implements Bar {
    private final QemuNvme qemu;
    private final long address;
    private final long size;

    QtestBar(QemuNvme qemu, long address, long size) {
        this.qemu = qemu;
        this.address = address;
        this.size = size;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public int read32(long offset) {
        return (int) read(Width.BITS_32, offset, Integer.BYTES);
    }

    @Override
    public long read64(long offset) {
        return read(Width.BITS_64, offset, Long.BYTES);
    }

    @Override
    public void write32(long offset, int value) {
        write(Width.BITS_32, offset, Integer.BYTES, value & 0xFFFF_FFFFL);
    }

    @Override
    public void write64(long offset, long value) {
        write(Width.BITS_64, offset, Long.BYTES, value);
    }

    private long read(Width width, long offset, int bytes) {
        try {
            return qemu.read(width, at(offset, bytes));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void write(Width width, long offset, int bytes, long value) {
        try {
            qemu.write(width, at(offset, bytes), value);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private long at(long offset, int bytes) {
        if (offset % bytes != 0) {
            throw new IllegalArgumentException("register at 0x%x, no multiple of %d".formatted(offset, bytes));
        }
        return address + Objects.checkFromIndexSize(offset, bytes, size);
    }
}
