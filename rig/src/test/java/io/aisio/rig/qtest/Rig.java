package io.aisio.rig.qtest;

import io.aisio.nvme.Command;
import io.aisio.nvme.Completion;
import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Timeouts;
import io.aisio.nvme.spec.Status;
import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.time.Duration;

/** A QEMU, and the driver on its first controller. */
final class Rig implements AutoCloseable {
    /** For tests that wait for a timeout: so long that a busy machine does not reach it by accident. */
    static final Timeouts SHORT =
            new Timeouts(Duration.ofSeconds(2), Duration.ofSeconds(2), Duration.ofSeconds(10), Duration.ofSeconds(10));

    final QemuNvme qemu;
    final QtestFunction function;
    final NvmeController driver;

    private Rig(QemuNvme qemu, Timeouts timeouts) throws IOException {
        this.qemu = qemu;
        try {
            function = qemu.function(0);
            driver = NvmeController.open(function, timeouts);
        } catch (IOException | RuntimeException e) {
            try {
                qemu.close();
            } catch (IOException | AssertionError onClose) {
                e.addSuppressed(onClose);
            }
            throw e;
        }
    }

    static Rig start(QemuNvme.Builder machine) throws IOException {
        return start(machine, Timeouts.DEFAULT);
    }

    static Rig start(QemuNvme.Builder machine, Timeouts timeouts) throws IOException {
        return new Rig(machine.start(), timeouts);
    }

    /** Status of an admin command without data. */
    Status admin(Command command) throws IOException {
        return statusOf(() -> driver.execute(command));
    }

    /** Status of an admin command with data, or with a queue's memory. */
    Status admin(Command command, DmaMemory data, int bytes) throws IOException {
        return statusOf(() -> driver.execute(command, data, bytes));
    }

    /** A call that comes back with a command's completion. */
    interface Call {
        Completion run() throws IOException;
    }

    /** The status that a command was completed with. */
    static Status statusOf(Call call) throws IOException {
        try {
            return call.run().status();
        } catch (NvmeException e) {
            if (e.status() == null) {
                throw e;
            }
            return e.status();
        }
    }

    @Override
    public void close() throws IOException {
        try (qemu;
                function) {
            driver.close();
        }
    }
}
