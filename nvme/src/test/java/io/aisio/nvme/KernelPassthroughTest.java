package io.aisio.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.OpenFile;
import io.aisio.nvme.spec.Opcode;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelPassthroughTest {
    @TempDir
    Path folder;

    @Test
    void tellsWhatChangesADeviceFromWhatDoesNot() {
        for (int opcode : new int[] {
            Opcode.READ,
            Opcode.COMPARE,
            Opcode.FLUSH,
            Opcode.VERIFY,
            Opcode.ZONE_MANAGEMENT_RECEIVE,
            Opcode.IO_MANAGEMENT_RECEIVE
        }) {
            assertThat(KernelPassthrough.changes(opcode))
                    .as(Opcode.nvmName(opcode))
                    .isFalse();
        }
        for (int opcode : new int[] {
            Opcode.WRITE,
            Opcode.WRITE_ZEROES,
            Opcode.WRITE_UNCORRECTABLE,
            Opcode.DATASET_MANAGEMENT,
            Opcode.COPY,
            Opcode.ZONE_MANAGEMENT_SEND,
            Opcode.ZONE_APPEND,
            Opcode.IO_MANAGEMENT_SEND,
            // A vendor's, without data and with.
            0x80,
            0x81
        }) {
            assertThat(KernelPassthrough.changes(opcode))
                    .as(Opcode.nvmName(opcode))
                    .isTrue();
        }
        for (int opcode : new int[] {Opcode.IDENTIFY, Opcode.GET_LOG_PAGE, Opcode.GET_FEATURES, Opcode.ABORT}) {
            assertThat(KernelPassthrough.changesByAdmin(opcode))
                    .as(Opcode.adminName(opcode))
                    .isFalse();
        }
        for (int opcode : new int[] {Opcode.FORMAT_NVM, Opcode.SANITIZE, Opcode.SET_FEATURES, Opcode.DIRECTIVE_SEND}) {
            assertThat(KernelPassthrough.changesByAdmin(opcode))
                    .as(Opcode.adminName(opcode))
                    .isTrue();
        }
    }

    @Test
    void whatIsOnlyReadIsNotChangedThoughTheKernelWouldLetIt() throws Exception {
        // A plain file, which is asked nothing before the refusal.
        Path path = Files.createFile(folder.resolve("file"));
        OpenFile file = OpenFile.open(path, OpenFile.Access.READ_WRITE);
        try (KernelPassthrough device = KernelPassthrough.over(file, true)) {
            assertThatThrownBy(() -> device.execute(Command.of(Opcode.FORMAT_NVM, 1, 0), Passthrough.NOTHING))
                    .hasMessageContaining("EROFS");
            assertThatThrownBy(() -> device.execute(Command.of(Opcode.IDENTIFY, 0, 1), Passthrough.NOTHING))
                    .hasMessageContaining("ENOTTY");
        }
    }
}
