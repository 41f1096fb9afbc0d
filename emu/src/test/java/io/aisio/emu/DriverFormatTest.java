package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.Command;
import io.aisio.nvme.Format;
import io.aisio.nvme.LbaFormat;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.command.AdminCommandSet;
import io.aisio.nvme.command.Identities;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** The driver's format and its admin commands on memory of the caller's, on the software controller. */
class DriverFormatTest {
    @Test
    void readsTheNamespaceAnewAfterAFormat() throws Exception {
        try (Driven driven = new Driven(EmuConfiguration.memory(1 << 20).withNamespaces(2))) {
            for (LbaFormat format : new Identities(driven.driver).namespace(2).formats()) {
                new AdminCommandSet(driven.driver).format(2, Format.of(format.index()));
                assertThat(driven.driver.namespace(2).lbaBytes()).isEqualTo(format.lbaBytes());
                assertThat(driven.driver.namespace(2).lbaCount()).isEqualTo((1 << 20) / format.lbaBytes());
                assertThat(driven.driver.namespace(1).lbaBytes()).isEqualTo(512);
            }
        }
    }

    @Test
    void refusesToFormatUnderAnOpenQueue() throws Exception {
        try (Driven driven = new Driven(EmuConfiguration.memory(1 << 20))) {
            try (QueuePair pair = driven.driver.createQueuePair(1)) {
                assertThatThrownBy(() -> new AdminCommandSet(driven.driver).format(1, Format.of(0)))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("queue pairs {%d} are open", pair.qid());
            }
            new AdminCommandSet(driven.driver).format(1, Format.of(0));
        }
    }

    @Test
    void carriesAdminCommandsOnMemoryThatTheDeviceCannotReach() throws Exception {
        try (Driven driven = new Driven(EmuConfiguration.memory(1 << 20))) {
            MemorySegment data = MemorySegment.ofArray(new byte[Identify.BYTES]);
            driven.driver.execute(Command.of(Opcode.IDENTIFY, 0, Identify.CNS_CONTROLLER), data);
            assertThat(Wire.ascii(data, IdentifyController.MN, IdentifyController.MN_BYTES))
                    .isEqualTo(IdentifyPages.MODEL);
            int most = driven.driver.maxTransferBytes();
            MemorySegment tooMuch = MemorySegment.ofArray(new byte[most + 4]);
            assertThatThrownBy(() -> driven.driver.execute(Command.of(Opcode.IDENTIFY, 0, 1), tooMuch))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("Identify with %d bytes of data; at most %d", most + 4, most);
        }
    }
}
