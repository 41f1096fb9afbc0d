package io.aisio.xnvme;

import io.aisio.linux.Errno;
import io.aisio.linux.IoUring;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.xnvme.spi.Slots;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A queue whose commands the kernel takes from a ring: one io_uring, whose slots are the queue's.
 *
 * <p>Buffers are registered with the ring when they are first bound. Memory that the kernel cannot move data to where it
 * is, for its alignment, has a copy beside it; who aligns to 512 bytes never has one.
 */
final class UringQueue implements Queue {
    /** Buffers registered at most; those beyond are looked up for each command. Chosen: one is usual, some are many. */
    private static final int BUFFERS = 64;

    /** How long a command is tried again that the kernel did not carry out for want of something. */
    private static final long PATIENCE_NANOS = 10_000_000_000L;
    /** How long the kernel is left alone before that: chosen short. */
    private static final long PAUSE_NANOS = 50_000;

    private final UringTarget target;
    private final String name;
    private final Geometry geometry;
    private final int shift;
    private final boolean countsBytes;

    private final @Nullable Buffer[] bound;
    private final Slots slots;
    /** What is moved in place of a slot's data, where that lies badly; a part of the slot's copy. */
    private final @Nullable MemorySegment[] aside;

    private final @Nullable Mapping[] copies;

    private final int[] buffers;
    private final boolean[] writes;
    private final long[] lbas;
    private final int[] moved;
    /** Whether a slot's command was not carried out when the kernel had it last, and since when, by nanoTime. */
    private final boolean[] delayed;

    private final long[] delayedSince;
    private final @Nullable IOException[] failures;

    /** Commands that failed before the kernel saw them, and were not polled yet: a ring of {@code depth} entries. */
    private final int[] refused;

    private int refusedFirst;
    private int refusedCount;

    private final @Nullable Buffer[] registered = new Buffer[BUFFERS];
    private int room;

    private IoUring ring;
    private @Nullable Thread owner;
    private @Nullable IOException broken;
    /** Why results could not be taken, until a poll that has none to return has said so. */
    private @Nullable IOException untold;

    private volatile boolean closed;

    private UringQueue(UringTarget target, IoUring ring, int depth) {
        this.target = target;
        this.ring = ring;
        name = target.name();
        geometry = target.geometry();
        shift = target.positionShift();
        countsBytes = target.countsBytes();
        bound = new Buffer[depth];
        slots = new Slots(name, geometry, depth);
        aside = new MemorySegment[depth];
        copies = new Mapping[depth];
        buffers = new int[depth];
        writes = new boolean[depth];
        lbas = new long[depth];
        moved = new int[depth];
        delayed = new boolean[depth];
        delayedSince = new long[depth];
        failures = new IOException[depth];
        refused = new int[depth];
        room = reserve();
    }

    static UringQueue open(UringTarget target, int depth) throws IOException {
        try {
            return new UringQueue(target, target.openRing(depth, true), depth);
        } catch (LinuxException e) {
            throw new IOException(
                    "%s: no queue of depth %d: %s".formatted(target.name(), depth, IoUring.refusal(e.errno())), e);
        }
    }

    private int reserve() {
        try {
            ring.reserveBuffers(BUFFERS);
            return BUFFERS;
        } catch (LinuxException e) {
            target.notRegistered(e);
            return 0;
        }
    }

    @Override
    public int depth() {
        return slots.depth();
    }

    @Override
    public int outstanding() {
        return closed ? 0 : ring.outstanding() + refusedCount;
    }

    @Override
    public void bindRead(int slot, Buffer buffer, long offset, int bytes) {
        bind(slot, buffer, offset, bytes, false);
    }

    @Override
    public void bindWrite(int slot, Buffer buffer, long offset, int bytes) {
        bind(slot, buffer, offset, bytes, true);
    }

    private void bind(int slot, Buffer buffer, long offset, int bytes, boolean write) {
        requireOpen();
        if (owner != null) {
            requireOwner();
        }
        MemorySegment memory = slots.bindable(slot, buffer, offset, bytes);
        boolean straight = memory.address() % target.memoryAlignment() == 0;
        aside[slot] = straight ? null : copy(slot, bytes).segment().asSlice(0, bytes);
        boolean registers = memory.address() % target.registeredAlignment() == 0;
        buffers[slot] = straight && registers ? register(buffer) : IoUring.NO_BUFFER;
        bound[slot] = buffer;
        slots.bind(slot, memory);
        writes[slot] = write;
        bindWhole(slot);
    }

    /** The memory beside a slot's data, kept for the next that lies badly. */
    private Mapping copy(int slot, int bytes) {
        Mapping copy = copies[slot];
        if (copy != null && copy.segment().byteSize() >= bytes) {
            return copy;
        }
        try {
            Mapping larger = Mapping.anonymous(bytes);
            copies[slot] = larger;
            if (copy != null) {
                copy.close();
            }
            return larger;
        } catch (LinuxException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The index of a buffer with the ring, or {@link IoUring#NO_BUFFER}. */
    private int register(Buffer buffer) {
        int free = -1;
        for (int i = 0; i < room; i++) {
            Buffer other = registered[i];
            if (other == buffer) {
                return i;
            }
            if (free < 0 && (other == null || !other.segment().scope().isAlive())) {
                free = i;
            }
            if (other == null) {
                break;
            }
        }
        if (free < 0) {
            return IoUring.NO_BUFFER;
        }
        try {
            ring.registerBuffer(free, buffer.segment());
            registered[free] = buffer;
            return free;
        } catch (LinuxException e) {
            target.notRegistered(e);
            return IoUring.NO_BUFFER;
        }
    }

    private void bindWhole(int slot) {
        target.bind(ring, slot, writes[slot], memory(slot), buffers[slot]);
    }

    /** What the kernel moves for a slot. */
    private MemorySegment memory(int slot) {
        MemorySegment copy = aside[slot];
        return copy == null ? slots.memory(slot) : copy;
    }

    private int bytes(int slot) {
        return (int) slots.memory(slot).byteSize();
    }

    @Override
    public void submit(int[] submitted, long[] lbas, int n) throws IOException {
        enter();
        if (broken != null) {
            throw new IOException(name + ": the queue failed before: " + broken.getMessage(), broken);
        }
        Objects.checkFromIndexSize(0, n, submitted.length);
        Objects.checkFromIndexSize(0, n, lbas.length);
        slots.begin(submitted, n, outstanding());
        for (int i = 0; i < n; i++) {
            start(submitted[i], lbas[i]);
        }
        try {
            ring.submit();
        } catch (LinuxException e) {
            // They are in flight all the same, as some may be with the kernel; a poll tells which are not.
            fail(e);
        }
    }

    private void start(int slot, long lba) {
        failures[slot] = null;
        lbas[slot] = lba;
        moved[slot] = 0;
        delayed[slot] = false;
        int bytes = bytes(slot);
        if (writes[slot] || (target.checksRange() && !exists(lba, bytes))) {
            IOException refusal = target.refusal(writes[slot], lba, bytes);
            if (refusal != null) {
                refuse(slot, refusal);
                return;
            }
        }
        MemorySegment copy = aside[slot];
        if (copy != null && writes[slot]) {
            copy.copyFrom(slots.memory(slot));
        }
        ring.start(slot, lba << shift);
    }

    private void refuse(int slot, IOException why) {
        failures[slot] = why;
        refused[(refusedFirst + refusedCount) % refused.length] = slot;
        refusedCount++;
    }

    private boolean exists(long lba, int bytes) {
        return lba >= 0 && lba <= geometry.lbaCount() - bytes / geometry.lbaBytes();
    }

    /** The kernel takes no more commands: those that it does not have fail, those that it has may still end. */
    private void fail(LinuxException why) {
        broken = why;
        for (int slot = ring.takeBack(); slot >= 0; slot = ring.takeBack()) {
            refuse(slot, new IOException(name + ": the kernel did not take the command: " + why.getMessage(), why));
        }
    }

    @Override
    public int poll(int[] completed) {
        enter();
        int n = takeRefused(completed, 0);
        try {
            boolean again = false;
            boolean pause = false;
            while (n < completed.length && ring.next()) {
                int slot = ring.slot();
                if (ring.result() != expected(slot) && goesOn(slot, ring.result())) {
                    again = true;
                    pause |= delayed[slot];
                } else {
                    completed[n++] = end(slot);
                }
            }
            if (pause) {
                LockSupport.parkNanos(PAUSE_NANOS);
            }
            if (again) {
                ring.submit();
            }
        } catch (LinuxException e) {
            fail(e);
            untold = e;
            n = takeRefused(completed, n);
        }
        IOException failure = untold;
        if (n == 0 && failure != null) {
            untold = null;
            throw new UncheckedIOException(failure);
        }
        return n;
    }

    /** Hands back what the kernel never had, behind the first {@code n}; how many there are then. */
    private int takeRefused(int[] completed, int n) {
        int count = n;
        while (count < completed.length && refusedCount > 0) {
            int slot = refused[refusedFirst];
            refusedFirst = refusedFirst + 1 == refused.length ? 0 : refusedFirst + 1;
            refusedCount--;
            completed[count++] = end(slot);
        }
        return count;
    }

    private int expected(int slot) {
        return countsBytes ? bytes(slot) - moved[slot] : 0;
    }

    /** A command that did not end as it should: starts what is left of it again, or says why it failed. */
    private boolean goesOn(int slot, int result) {
        if (isLater(result) && isPatient(slot)) {
            ring.start(slot, position(slot));
            return true;
        }
        if (countsBytes && result > 0 && (moved[slot] + result) % geometry.lbaBytes() == 0) {
            moved[slot] += result;
            delayed[slot] = false;
            target.bind(ring, slot, writes[slot], memory(slot).asSlice(moved[slot]), buffers[slot]);
            ring.start(slot, position(slot));
            return true;
        }
        int before = moved[slot] + (countsBytes ? Math.max(0, result) : 0);
        failures[slot] = target.failure(writes[slot], lbas[slot], before, bytes(slot), result);
        return false;
    }

    /** Whether a command was not carried out, so that it can be started again as it is. */
    private boolean isLater(int result) {
        return result == -Errno.EAGAIN
                || result == -Errno.ECANCELED
                // Of an NVMe command it means that the driver gave it up (NVME_REQ_CANCELLED): it may have been carried
                // out.
                || (countsBytes && result == -Errno.EINTR);
    }

    private boolean isPatient(int slot) {
        long now = System.nanoTime();
        if (!delayed[slot]) {
            delayed[slot] = true;
            delayedSince[slot] = now;
        }
        return now - delayedSince[slot] < PATIENCE_NANOS;
    }

    private long position(int slot) {
        return (lbas[slot] << shift) + moved[slot];
    }

    private int end(int slot) {
        slots.end(slot);
        if (moved[slot] > 0) {
            bindWhole(slot);
        }
        if (failures[slot] != null) {
            return ~slot;
        }
        MemorySegment copy = aside[slot];
        if (copy != null && !writes[slot]) {
            slots.memory(slot).copyFrom(copy);
        }
        return slot;
    }

    @Override
    public boolean sleeps() {
        return target.sleeps();
    }

    @Override
    public int await(int[] completed) throws IOException {
        return await(completed, 1);
    }

    @Override
    public int await(int[] completed, int wanted) throws IOException {
        int n = refusedCount > 0 ? poll(completed) : 0;
        while (n == 0 && outstanding() > 0 && completed.length > 0) {
            enter();
            try {
                ring.await(Math.clamp(wanted, 1, Math.min(ring.outstanding(), completed.length)));
            } catch (LinuxException e) {
                fail(e);
                if (refusedCount == 0) {
                    throw e;
                }
            }
            n = poll(completed);
        }
        return n;
    }

    @Override
    public IOException failure(int slot) {
        IOException failure = slot < 0 || slot >= depth() ? null : failures[slot];
        if (failure == null) {
            throw new IllegalStateException(name + ": slot " + slot + " has not failed");
        }
        return failure;
    }

    private void enter() {
        requireOpen();
        if (owner == null) {
            own();
        }
        requireOwner();
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException(name + ": the queue is closed");
        }
    }

    private void requireOwner() {
        if (owner != Thread.currentThread()) {
            throw new IllegalStateException(
                    name + ": the queue belongs to " + owner + ", not to " + Thread.currentThread());
        }
    }

    private void own() {
        owner = Thread.currentThread();
        if (owner.isVirtual()) {
            reopen();
        }
    }

    /** For a virtual thread, which is now one thread of the kernel's and now another. Nothing is in flight yet. */
    private void reopen() {
        try {
            IoUring other = target.openRing(depth(), false);
            ring.close();
            ring = other;
        } catch (LinuxException e) {
            throw new UncheckedIOException(e);
        }
        Arrays.fill(registered, null);
        room = reserve();
        for (int slot = 0; slot < depth(); slot++) {
            Buffer buffer = bound[slot];
            if (buffer != null && buffer.segment().scope().isAlive()) {
                buffers[slot] = buffers[slot] == IoUring.NO_BUFFER ? IoUring.NO_BUFFER : register(buffer);
                bindWhole(slot);
            }
        }
    }

    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        Thread user = owner;
        if (user != null && user != Thread.currentThread() && user.isAlive()) {
            throw new IllegalStateException(
                    name + ": the queue is closed by " + Thread.currentThread() + ", but belongs to " + user);
        }
        closed = true;
        try {
            ring.close();
            for (Mapping copy : copies) {
                if (copy != null) {
                    copy.close();
                }
            }
        } finally {
            target.queueClosed();
        }
    }
}
