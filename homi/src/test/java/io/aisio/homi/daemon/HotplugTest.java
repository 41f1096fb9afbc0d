package io.aisio.homi.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What needs no bus; a card that is pulled is in the rig. */
class HotplugTest {
    @Test
    void onlyWhatIsOnTheBusComesAndGoes() {
        assertThat(Hotplug.addressOf("0000:01:00.0")).isEqualTo("0000:01:00.0");
        assertThat(Hotplug.addressOf("0000:01:00.0?nsid=2&access=uio")).isEqualTo("0000:01:00.0");
        assertThat(Hotplug.addressOf("pci:0000:82:00.1")).isEqualTo("0000:82:00.1");
        assertThat(Hotplug.addressOf("emu:64MiB?shared")).isNull();
        assertThat(Hotplug.addressOf("/dev/nvme0n1")).isNull();
    }
}
