package io.aisio.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.nvme.spec.Status;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What may be tried again. */
class NvmeExceptionTest {
    @Test
    void aCommandMayBeTriedAgainUnlessItsStatusSaysNotTo() {
        assertThat(new NvmeException("read", new Status(Status.UNRECOVERED_READ_ERROR)).retryable())
                .isTrue();
        assertThat(new NvmeException("read", new Status(Status.LBA_OUT_OF_RANGE | Status.DNR_BIT)).retryable())
                .isFalse();
    }

    @Test
    void aControllerThatFailedIsNotTriedAgain() {
        assertThat(new NvmeException("gone").retryable()).isFalse();
        assertThat(new NvmeException("gone").retryDelay()).isEqualTo(Duration.ZERO);
    }
}
