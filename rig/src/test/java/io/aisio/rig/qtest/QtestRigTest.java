package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.NvmeController;
import io.aisio.nvme.spec.Registers;
import java.io.UncheckedIOException;
import org.junit.jupiter.api.Test;

/** The rig itself. */
class QtestRigTest {
    @Test
    void bringsAControllerUp() throws Exception {
        long start = System.nanoTime();
        try (QemuNvme qemu = QemuNvme.build().controller("").namespace(16 << 20, "").start();
                QtestFunction function = qemu.function(0)) {
            System.out.printf("started in %d ms%n", (System.nanoTime() - start) / 1_000_000);
            try (NvmeController controller = NvmeController.open(function)) {
                System.out.printf("up in %d ms%n", (System.nanoTime() - start) / 1_000_000);
                System.out.println(controller.identity() + " " + controller.namespaces());
                System.out.printf("CAP %016x%n", function.bar(0).read64(Registers.CAP));
            }
        }
        System.out.printf("closed in %d ms%n", (System.nanoTime() - start) / 1_000_000);
    }
}
