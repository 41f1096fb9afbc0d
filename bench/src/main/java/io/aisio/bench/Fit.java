package io.aisio.bench;

import io.aisio.xnvme.ByteSize;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.Geometry;
import java.util.List;

/** Whether what was asked for makes sense, and fits a device. Each refusal names the option, the limit and a way on. */
final class Fit {
    private Fit() {}

    static void checkDevices(List<String> devices) {
        if (devices.isEmpty()) {
            throw new IllegalArgumentException("no device given; try emu:1GiB, a controller made of software");
        }
    }

    static void checkShape(int queueDepth, long ioBytes, int queues) {
        if (queueDepth < 1) {
            throw new IllegalArgumentException(
                    "--qdepth " + queueDepth + ": a queue holds at least 1 I/O; try --qdepth 32");
        }
        if (ioBytes < 1) {
            throw new IllegalArgumentException(
                    "--iosize " + ioBytes + ": an I/O has at least one logical block; try --iosize 4KiB");
        }
        if (queues < 1) {
            throw new IllegalArgumentException("--nqueues " + queues + ": a device needs at least 1 queue");
        }
    }

    /** Checks queue depth, I/O size and number of queues against the device. */
    static void check(Device device, int queueDepth, long ioBytes, int queues) {
        Geometry shape = device.geometry();
        int lba = shape.lbaBytes();
        if (queueDepth > shape.maxQueueDepth()) {
            throw new IllegalArgumentException(device.name() + ": --qdepth " + queueDepth + " is more than the "
                    + shape.maxQueueDepth() + " commands that one of its queues holds; use --qdepth "
                    + shape.maxQueueDepth() + " or less");
        }
        if (queues > shape.maxQueues()) {
            throw new IllegalArgumentException(device.name() + ": --nqueues " + queues + " is more than the "
                    + shape.maxQueues() + " queues that it has; use --nqueues " + shape.maxQueues() + " or less");
        }
        if (ioBytes > shape.maxTransferBytes()) {
            throw new IllegalArgumentException(device.name() + ": --iosize " + ioBytes + " is more than the "
                    + shape.maxTransferBytes() + " bytes that one command transfers; use --iosize "
                    + shape.maxTransferBytes() + " or less");
        }
        if (ioBytes % lba != 0) {
            long next = Math.min(ioBytes / lba * lba + lba, shape.maxTransferBytes());
            throw new IllegalArgumentException(device.name() + ": --iosize " + ioBytes
                    + " is no multiple of its logical block of " + lba + " bytes; use --iosize " + next);
        }
        if (ioBytes / lba > shape.lbaCount()) {
            throw new IllegalArgumentException(device.name() + ": --iosize " + ioBytes + " is larger than the device, "
                    + ByteSize.format(shape.bytes()) + "; use a smaller --iosize");
        }
    }
}
