package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;

/** A controller with memory of its own to put queues and data in (CMB). */
final class CmbCases {
    private static final String CONTROLLER = "0000:01:00.0";

    private CmbCases() {}

    static void theBufferIsBar2() {
        List<String> bars = Machine.read(Machine.function(CONTROLLER).resolve("resource"))
                .lines()
                .toList();
        String[] bar2 = bars.get(2).split(" ");
        assertThat(Long.decode(bar2[1]) - Long.decode(bar2[0]) + 1).isEqualTo(16L << 20);
    }

    static void theKernelSeesTheNamespaceAllTheSame() {
        assertThat(Machine.awaitNamespacesAt(CONTROLLER, 1).getFirst().bytes()).isEqualTo(64L << 20);
    }
}
