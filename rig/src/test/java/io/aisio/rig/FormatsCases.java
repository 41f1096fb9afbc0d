package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.groups.Tuple.tuple;

import io.aisio.rig.Machine.KernelNamespace;

/** Namespaces of each format, as {@code rig/devices/formats} lists them. */
final class FormatsCases {
    private static final String CONTROLLER = "0000:01:00.0";

    private FormatsCases() {}

    static void theKernelSeesBlockSizesAndMetadata() {
        assertThat(Machine.awaitNamespacesAt(CONTROLLER, 9))
                .extracting(
                        KernelNamespace::nsid,
                        KernelNamespace::blockSize,
                        namespace -> Integer.valueOf(namespace.attribute("metadata_bytes")))
                .containsExactly(
                        tuple(1, 512, 0),
                        tuple(2, 4096, 0),
                        tuple(3, 512, 8),
                        tuple(4, 512, 8),
                        tuple(5, 512, 64),
                        tuple(6, 512, 8),
                        tuple(7, 512, 8),
                        tuple(8, 4096, 64),
                        tuple(9, 4096, 16));
    }

    /** What the kernel's driver can do with them; where it cannot check metadata behind the data, it shows no size. */
    static void theKernelChecksProtectionInformationWhereItCan() {
        assertThat(Machine.awaitNamespacesAt(CONTROLLER, 9))
                .extracting(KernelNamespace::nsid, namespace -> namespace.attribute("integrity/format"))
                .contains(tuple(1, "none"), tuple(6, "T10-DIF-TYPE1-CRC"), tuple(9, "EXT-DIF-TYPE1-CRC64"));
    }
}
