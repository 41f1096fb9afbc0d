package io.aisio.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.spec.Wire;
import io.aisio.nvme.spec.ZoneReport;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ZoneTest {
    @ParameterizedTest
    @ValueSource(longs = {3, 4, 1L << 40, -1})
    void readsNoMoreZonesThanTheReportHolds(long told) {
        MemorySegment report = MemorySegment.ofArray(new byte[4 * 64]);
        Wire.i64(report, ZoneReport.NUMBER_OF_ZONES, told);
        Wire.u8(report, 64 + ZoneReport.ZS, ZoneReport.STATE_CLOSED << 4 | 5);
        Wire.i64(report, 64 + ZoneReport.ZSLBA, 128);
        Wire.i64(report, 64 + ZoneReport.ZCAP, 100);
        Wire.i64(report, 64 + ZoneReport.WP, 130);
        assertThat(Zone.parse(report)).hasSize(3).first().isEqualTo(new Zone(128, 100, 130, ZoneReport.STATE_CLOSED));
    }

    @Test
    void refusesABufferWithoutRoomForAReport() {
        assertThatThrownBy(() -> Zone.report(1, ZoneReport.OPTION_ALL, 60)).hasMessageContaining("60 bytes");
        assertThatThrownBy(() -> Zone.report(1, ZoneReport.OPTION_ALL, 130)).hasMessageContaining("multiple of 4");
    }
}
