package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.linux.LinuxException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What cuFile's errors are called, and what to do about them. */
class CuFileErrorTest {
    @Test
    void errorsHaveTheNamesOfTheHeader() {
        assertThat(CuFileLibrary.name(5001)).isEqualTo("CU_FILE_DRIVER_NOT_INITIALIZED");
        assertThat(CuFileLibrary.name(5011)).isEqualTo("CU_FILE_CUDA_DRIVER_ERROR");
        assertThat(CuFileLibrary.name(5020)).isEqualTo("CU_FILE_DIO_NOT_SET");
        assertThat(CuFileLibrary.name(5022)).isEqualTo("CU_FILE_INVALID_VALUE");
        assertThat(CuFileLibrary.name(5027)).isEqualTo("CU_FILE_HANDLE_NOT_REGISTERED");
        assertThat(CuFileLibrary.name(5031)).isEqualTo("CU_FILE_GETNEWFD_FAILED");
        assertThat(CuFileLibrary.name(5033)).isEqualTo("CU_FILE_NVFS_SETUP_ERROR");
        assertThat(CuFileLibrary.name(5038)).isEqualTo("CU_FILE_ASYNC_NOT_SUPPORTED");
        assertThat(CuFileLibrary.name(5050)).isEqualTo("CU_FILE_IO_MAX_ERROR");
        assertThat(CuFileLibrary.name(5021)).isEqualTo("cuFile error 5021");
        assertThat(CuFileLibrary.name(4711)).isEqualTo("cuFile error 4711");
    }

    @Test
    void tellsAnErrnoFromAnErrorOfItsOwn() {
        Path path = Path.of("/data/one");
        assertThatCode(() -> CuFileLibrary.requireMoved("cuFileRead", path, 0)).doesNotThrowAnyException();
        assertThatThrownBy(() -> CuFileLibrary.requireMoved("cuFileRead", path, -5))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("/data/one")
                .hasMessageContaining("EIO");
        assertThatThrownBy(() -> CuFileLibrary.requireMoved("cuFileRead", path, -5008))
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("CU_FILE_IO_NOT_SUPPORTED")
                .hasMessageContaining("/data/one");
    }

    @Test
    void saysOfAFileWithoutABlockDeviceThatItIsToBeElsewhere() {
        assertThat(UdevEntry.remedy(Path.of("/proc/self/status")))
                .contains("proc")
                .contains("ext4 or XFS");
    }
}
