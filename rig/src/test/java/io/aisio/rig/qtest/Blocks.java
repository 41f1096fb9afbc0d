package io.aisio.rig.qtest;

import io.aisio.emu.Completions;
import io.aisio.nvme.Command;
import io.aisio.nvme.Namespace;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Random;

/** A namespace, one command at a time, through a queue of its own and one buffer. */
final class Blocks implements AutoCloseable {
    final Namespace namespace;
    final QueuePair pair;
    final DmaMemory memory;
    private final int[] completed = new int[1];

    Blocks(Rig rig, int nsid) throws IOException {
        this(rig.driver, rig.function, nsid);
    }

    Blocks(NvmeController driver, QtestFunction function, int nsid) throws IOException {
        namespace = driver.namespace(nsid);
        pair = driver.createQueuePair(2);
        memory = function.allocate(4 << 20);
    }

    /** The buffer's first bytes. */
    MemorySegment data(long bytes) {
        return memory.segment().asSlice(0, bytes);
    }

    /** Fills the buffer's first bytes at random; returns a copy. */
    MemorySegment fill(long seed, int bytes) {
        byte[] content = new byte[bytes];
        new Random(seed).nextBytes(content);
        data(bytes).copyFrom(MemorySegment.ofArray(content));
        return MemorySegment.ofArray(content);
    }

    Status read(long lba, int blocks) throws IOException {
        return execute(Command.overBlocks(Opcode.READ, namespace.nsid(), lba, blocks), blocks * namespace.lbaBytes());
    }

    Status write(long lba, int blocks) throws IOException {
        return execute(Command.overBlocks(Opcode.WRITE, namespace.nsid(), lba, blocks), blocks * namespace.lbaBytes());
    }

    Status compare(long lba, int blocks) throws IOException {
        return execute(
                Command.overBlocks(Opcode.COMPARE, namespace.nsid(), lba, blocks), blocks * namespace.lbaBytes());
    }

    Status flush() throws IOException {
        return execute(Command.of(Opcode.FLUSH, namespace.nsid(), 0));
    }

    /** A command over blocks that transfers nothing. */
    Status over(int opcode, long lba, int blocks) throws IOException {
        return execute(Command.overBlocks(opcode, namespace.nsid(), lba, blocks));
    }

    /** A command without data. */
    Status execute(Command command) throws IOException {
        pair.bind(0, command);
        return submit(command);
    }

    /** A command on the buffer's first bytes. */
    Status execute(Command command, int bytes) throws IOException {
        return execute(command, 0, bytes, 0);
    }

    /** A command on some of the buffer, with metadata in a part of it too, or at 0. */
    Status execute(Command command, long offset, int bytes, long metadataOffset) throws IOException {
        pair.bind(0, command, memory, offset, bytes, metadataOffset == 0 ? 0 : memory.iova(metadataOffset));
        return submit(command);
    }

    private Status submit(Command command) throws IOException {
        pair.submit(new int[] {0}, new long[] {command.cdw10()}, 1);
        Completions.await(pair, completed);
        return completed[0] < 0 ? pair.failure(0).status() : new Status(Status.SUCCESS);
    }

    @Override
    public void close() throws IOException {
        pair.close();
        memory.close();
    }
}
