package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

/** Controllers with different MDTS, as {@code rig/devices/mdts} lists them. */
final class MdtsCases {
    private MdtsCases() {}

    static void theKernelHeedsTheLimit() {
        assertThat(limitOf("0000:01:00.0")).isEqualTo(8);
        assertThat(limitOf("0000:02:00.0")).isEqualTo(64);
        assertThat(limitOf("0000:03:00.0")).isGreaterThan(64);
    }

    private static int limitOf(String address) {
        return Integer.parseInt(Machine.awaitNamespacesAt(address, 1).getFirst().attribute("queue/max_hw_sectors_kb"));
    }
}
