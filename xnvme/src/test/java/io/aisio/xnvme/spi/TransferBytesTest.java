package io.aisio.xnvme.spi;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TransferBytesTest {
    @Test
    void theControllersLimitHoldsForEveryBlockSize() {
        for (int lba = 512; lba <= 65536; lba *= 2) {
            assertThat(NamespaceDevice.transferBytes(2 << 20, lba))
                    .as("blocks of " + lba)
                    .isEqualTo(2 << 20);
        }
    }

    @Test
    void onlyWholeBlocksCount() {
        assertThat(NamespaceDevice.transferBytes(8192 + 512, 4096)).isEqualTo(8192);
        assertThat(NamespaceDevice.transferBytes(8192, 16384)).isZero();
    }
}
