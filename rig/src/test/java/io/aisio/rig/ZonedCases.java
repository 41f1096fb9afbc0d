package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.groups.Tuple.tuple;

import io.aisio.rig.Machine.KernelNamespace;

/** A namespace with zones (ZNS), and one without. */
final class ZonedCases {
    private ZonedCases() {}

    static void theKernelSeesZones() {
        assertThat(Machine.awaitNamespacesAt("0000:01:00.0", 2))
                .extracting(KernelNamespace::nsid, namespace -> namespace.attribute("queue/zoned"))
                .containsExactly(tuple(1, "host-managed"), tuple(2, "none"));
    }
}
