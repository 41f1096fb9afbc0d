package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.NvmeController;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Virtualization;
import io.aisio.nvme.Virtualization.Resource;
import io.aisio.nvme.Virtualization.Secondary;
import io.aisio.nvme.Virtualization.Supply;
import io.aisio.nvme.spec.Status;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** SR-IOV: resources shared out to virtual functions, and the driver on them. */
class VirtualizationTest {
    private Rig rig;
    private Virtualization virtualization;

    @BeforeEach
    void start() throws Exception {
        rig = Rig.start(
                QemuNvme.build()
                        .arguments("-device", "nvme-subsys,id=subsystem")
                        .controller("subsys=subsystem,max_ioqpairs=10,msix_qsize=12,sriov_max_vfs=4,"
                                + "sriov_vq_flexible=8,sriov_vi_flexible=8,sriov_max_vq_per_vf=2,sriov_max_vi_per_vf=2")
                        .namespace(1 << 20, "shared=on"),
                Rig.SHORT);
        virtualization = new Virtualization(rig.driver.name(), rig.driver);
    }

    @AfterEach
    void end() throws Exception {
        if (rig != null) {
            rig.close();
        }
    }

    private static void assertRefused(ThrowingCallable call, int status) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        NvmeException.class, e -> assertThat(e.status().code()).isEqualTo(status));
    }

    @Test
    void tellsWhatThereIsToShareOut() throws Exception {
        var primary = virtualization.primary();
        assertThat(primary.queues()).isEqualTo(new Supply(8, 0, 0, 3, 2, 1));
        assertThat(primary.interrupts().flexible()).isEqualTo(8);
        assertThat(primary.interrupts().mostOfSecondary()).isEqualTo(2);
        assertThat(virtualization.secondaries())
                .hasSize(4)
                .allSatisfy(s -> assertThat(s.online()).isFalse())
                .extracting(Secondary::virtualFunction)
                .containsExactly(1, 2, 3, 4);
    }

    @Test
    void drivesAVirtualFunctionBesideItsPhysicalOne() throws Exception {
        List<QtestFunction> functions = rig.function.enableVirtualFunctions(4);
        int id = virtualization.secondaries().getFirst().controllerId();
        assertThat(virtualization.assign(id, Resource.QUEUES, 2)).isEqualTo(2);
        assertThat(virtualization.assign(id, Resource.INTERRUPTS, 2)).isEqualTo(2);
        virtualization.online(id);
        Secondary secondary = virtualization.secondaries().getFirst();
        assertThat(secondary)
                .isEqualTo(new Secondary(id, virtualization.primary().controllerId(), true, 1, 2, 2));
        assertThat(virtualization.primary().queues().assigned()).isEqualTo(2);
        try (NvmeController virtual = NvmeController.open(functions.getFirst(), Rig.SHORT)) {
            assertThat(virtual.maxQueuePairs()).isEqualTo(1);
            try (Blocks there = new Blocks(virtual, functions.getFirst(), 1);
                    Blocks here = new Blocks(rig, 1)) {
                MemorySegment written = there.fill(1, 8192);
                assertThat(there.write(3, 16).isSuccess()).isTrue();
                assertThat(here.read(3, 16).isSuccess()).isTrue();
                assertThat(here.data(8192).mismatch(written)).isEqualTo(-1);
            }
        }
        virtualization.offline(id);
        assertThatThrownBy(() -> NvmeController.open(functions.getFirst(), Rig.SHORT))
                .isInstanceOf(NvmeException.class);
        rig.function.disableVirtualFunctions();
    }

    @Test
    void noticesThatItsControllerWasTakenOffline() throws Exception {
        List<QtestFunction> functions = rig.function.enableVirtualFunctions(2);
        int id = virtualization.secondaries().get(1).controllerId();
        virtualization.assign(id, Resource.QUEUES, 2);
        virtualization.assign(id, Resource.INTERRUPTS, 1);
        virtualization.online(id);
        try (NvmeController virtual = NvmeController.open(functions.get(1), Rig.SHORT);
                Blocks blocks = new Blocks(virtual, functions.get(1), 1)) {
            assertThat(blocks.read(0, 1).isSuccess()).isTrue();
            virtualization.offline(id);
            assertThat(blocks.read(0, 1).code()).isEqualTo(Status.ABORTED_BY_HOST);
            // The command is given back once the controller is quiet; that it cannot be brought up again shows later.
            awaitFailure(virtual);
        }
    }

    private static void awaitFailure(NvmeController controller) {
        long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (controller.failure() == null) {
            assertThat(System.nanoTime() - end)
                    .as("the controller, offline, is not given up")
                    .isNegative();
            Thread.yield();
        }
    }

    @Test
    void saysWhatCannotBeSharedOut() throws Exception {
        rig.function.enableVirtualFunctions(1);
        int id = virtualization.secondaries().getFirst().controllerId();
        assertRefused(() -> virtualization.online(id), Status.INVALID_SECONDARY_STATE);
        assertRefused(() -> virtualization.assign(id, Resource.QUEUES, 3), Status.INVALID_NUMBER_OF_RESOURCES);
        assertRefused(() -> virtualization.assign(99, Resource.QUEUES, 2), Status.INVALID_CONTROLLER_IDENTIFIER);
        virtualization.assign(id, Resource.QUEUES, 2);
        virtualization.assign(id, Resource.INTERRUPTS, 1);
        virtualization.online(id);
        assertRefused(() -> virtualization.assign(id, Resource.QUEUES, 2), Status.INVALID_SECONDARY_STATE);
        virtualization.offline(id);
    }
}
