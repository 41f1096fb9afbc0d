package io.aisio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileLocksTest {
    @TempDir
    Path folder;

    @Test
    void tellsWhoHasClaimedAFileAlone() throws Exception {
        Path path = Files.createFile(folder.resolve("claimed"));
        try (OpenFile mine = OpenFile.open(path, OpenFile.Access.READ_ONLY);
                OpenFile other = OpenFile.open(path, OpenFile.Access.READ_ONLY)) {
            assertThat(FileLocks.holder(mine.status())).isEmpty();
            mine.claimAlone();
            assertThatThrownBy(other::claimAlone)
                    .isInstanceOfSatisfying(
                            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EAGAIN));
            assertThat(FileLocks.holder(other.status())).contains(ProcessHandle.current());
        }
        try (OpenFile later = OpenFile.open(path, OpenFile.Access.READ_ONLY)) {
            assertThat(FileLocks.holder(later.status())).isEmpty();
            later.claimAlone();
        }
    }
}
