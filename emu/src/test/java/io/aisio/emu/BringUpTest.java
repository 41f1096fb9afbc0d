package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.IdentifyNamespace;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BringUpTest {
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void reachesReadsAndWritesAsADriverWould(boolean inline) throws Exception {
        try (Host host = new Host(EmuConfiguration.memory(1 << 20), inline)) {
            host.enable();
            assertThat(host.admin.status(Host.Entry.of(Opcode.IDENTIFY, 0)
                            .prps(host.data.iova(0), 0)
                            .dwords(Identify.CNS_CONTROLLER, 0)))
                    .isZero();
            assertThat(Wire.ascii(host.data.segment(), IdentifyController.MN, IdentifyController.MN_BYTES))
                    .isEqualTo(IdentifyPages.MODEL);
            assertThat(host.admin.status(Host.Entry.of(Opcode.IDENTIFY, 1).prps(host.data.iova(0), 0)))
                    .isZero();
            assertThat(Wire.i64(host.data.segment(), IdentifyNamespace.NSZE)).isEqualTo(2048);
            Host.Ring io = host.createQueue(1, 16);
            MemorySegment bytes = host.data.segment().asSlice(0, 8192);
            for (int i = 0; i < 8192; i++) {
                bytes.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 31));
            }
            byte[] written = bytes.toArray(ValueLayout.JAVA_BYTE);
            assertThat(io.status(host.io(Opcode.WRITE, 3, 16))).isZero();
            assertThat(io.status(host.io(Opcode.FLUSH, 0, 1))).isZero();
            bytes.fill((byte) 0);
            assertThat(io.status(host.io(Opcode.READ, 3, 16))).isZero();
            assertThat(bytes.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(written);
            assertThat(io.status(host.io(Opcode.READ, 2048, 1))).isEqualTo(Status.LBA_OUT_OF_RANGE);
        }
    }

    @Test
    void completesReadsOfNullMediaAndLeavesTheBuffer() throws Exception {
        try (Host host = Host.ready(EmuConfiguration.nothing(1L << 60))) {
            Host.Ring io = host.createQueue(1, 16);
            host.data.segment().fill((byte) 0x5A);
            assertThat(io.status(host.io(Opcode.READ, (1L << 51) - 1, 1))).isZero();
            assertThat(host.data.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0x5A);
        }
    }
}
