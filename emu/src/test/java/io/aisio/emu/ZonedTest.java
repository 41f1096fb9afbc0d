package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.Command;
import io.aisio.nvme.DriverPassthrough;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.Prinfo;
import io.aisio.nvme.Zone;
import io.aisio.nvme.command.LogPages;
import io.aisio.nvme.command.NvmCommandSet;
import io.aisio.nvme.command.ZonedCommandSet;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.ZoneReport;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Zones: 32 of 256 blocks, of which 192 can be written; 3 may be open and 5 active. */
class ZonedTest {
    private static final int ZONE = 256;
    private static final int CAPACITY = 192;
    private static final int ZONES = 32;

    private Driven driven;
    private DriverPassthrough passthrough;
    private NvmCommandSet nvm;
    private ZonedCommandSet zoned;

    @BeforeEach
    void start() throws Exception {
        driven = new Driven(EmuConfiguration.memory((long) ZONES * ZONE * 512)
                .withZones(new EmuConfiguration.Zones(ZONE * 512, CAPACITY * 512, 3, 5)));
        passthrough = new DriverPassthrough(driven.driver, 1);
        nvm = NvmCommandSet.of(passthrough);
        zoned = ZonedCommandSet.of(passthrough);
    }

    @AfterEach
    void end() throws Exception {
        passthrough.close();
        driven.close();
    }

    private static MemorySegment random(long seed, int blocks) {
        byte[] content = new byte[blocks * 512];
        new Random(seed).nextBytes(content);
        return MemorySegment.ofArray(content);
    }

    private Zone zone(int zone) throws IOException {
        return zoned.zone((long) zone * ZONE);
    }

    private static void refused(int code, ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        NvmeException.class, e -> assertThat(e.status().code()).isEqualTo(code));
    }

    @Test
    void tellsWhatItsZonesAreLike() throws Exception {
        assertThat(nvm.namespace().commandSet()).isEqualTo(Identify.CSI_ZONED);
        assertThat(zoned.zones().zoneBlocks()).isEqualTo(ZONE);
        assertThat(zoned.zones().maxOpen()).isEqualTo(3);
        assertThat(zoned.zones().maxActive()).isEqualTo(5);
        assertThat(zoned.count()).isEqualTo(ZONES);
        assertThat(zoned.report())
                .hasSize(ZONES)
                .allSatisfy(zone -> assertThat(zone)
                        .isEqualTo(new Zone(zone.start(), CAPACITY, zone.start(), ZoneReport.STATE_EMPTY)));
        assertThat(new LogPages(passthrough).changedZones(1).zones()).isEmpty();
        assertThat(new LogPages(passthrough).effects(Identify.CSI_ZONED).io()).containsKey(Opcode.ZONE_APPEND);
    }

    @Test
    void reportsMoreZonesThanOneCommandCarries() throws Exception {
        try (Driven many = new Driven(
                        EmuConfiguration.memory(400L * 4096).withZones(new EmuConfiguration.Zones(4096, 4096, 0, 0)));
                DriverPassthrough on = new DriverPassthrough(many.driver, 1)) {
            ZonedCommandSet zones = ZonedCommandSet.of(on);
            assertThat(zones.zones().maxActive()).isZero();
            zones.finish(8 * 399);
            zones.finish(8 * 100);
            assertThat(zones.report()).hasSize(400).extracting(Zone::start).isSorted();
            assertThat(zones.report(0, ZoneReport.OPTION_FULL, 1000))
                    .extracting(Zone::start)
                    .containsExactly(800L, 3192L);
            assertThat(zones.report(16, ZoneReport.OPTION_ALL, 70)).hasSize(70);
        }
    }

    @Test
    void writesFromOneWritePointerToTheNext() throws Exception {
        for (int at = 0; at < CAPACITY; at += 48) {
            MemorySegment written = random(at, 48);
            nvm.write(ZONE + at, written);
            MemorySegment read = MemorySegment.ofArray(new byte[48 * 512]);
            nvm.read(ZONE + at, read);
            assertThat(read.mismatch(written)).isEqualTo(-1);
        }
        assertThat(zone(1).state()).isEqualTo(ZoneReport.STATE_FULL);
        refused(Status.ZONE_IS_FULL, () -> nvm.write(ZONE + CAPACITY, random(1, 1)));
        nvm.write(0, random(2, 8));
        refused(Status.ZONE_INVALID_WRITE, () -> nvm.write(0, random(1, 8)));
        refused(Status.ZONE_INVALID_WRITE, () -> nvm.writeZeroes(9, 2, false, Prinfo.NONE));
        nvm.writeZeroes(8, 2, false, Prinfo.NONE);
        refused(Status.ZONE_BOUNDARY_ERROR, () -> nvm.write(10, random(1, CAPACITY - 9)));
        refused(Status.ZONE_BOUNDARY_ERROR, () -> nvm.read(ZONE - 4, random(1, 8)));
        assertThat(zone(0).writePointer()).isEqualTo(10);
    }

    @Test
    void appendsAndTellsWhere() throws Exception {
        long expected = 4L * ZONE;
        for (int count : new int[] {1, 7, 128, 3}) {
            MemorySegment written = random(count, count);
            assertThat(zoned.append(4L * ZONE, written)).isEqualTo(expected);
            MemorySegment read = MemorySegment.ofArray(new byte[count * 512]);
            nvm.read(expected, read);
            assertThat(read.mismatch(written)).isEqualTo(-1);
            expected += count;
        }
        refused(
                Status.INVALID_FIELD,
                () -> passthrough.executeIo(Command.overBlocks(Opcode.ZONE_APPEND, 1, 4L * ZONE + 1, 1), random(1, 1)));
        zoned.finish(5L * ZONE);
        refused(Status.ZONE_IS_FULL, () -> zoned.append(5L * ZONE, random(1, 1)));
        zoned.finish((ZONES - 1L) * ZONE);
        refused(Status.ZONE_IS_FULL, () -> zoned.append((ZONES - 1L) * ZONE, random(1, 1)));
    }

    @Test
    void appendsNothingToAFullZoneThatTheNextFollowsAtOnce() throws Exception {
        try (Driven whole = new Driven(EmuConfiguration.memory(2L * ZONE * 512)
                        .withZones(new EmuConfiguration.Zones(ZONE * 512, ZONE * 512, 0, 0)));
                DriverPassthrough on = new DriverPassthrough(whole.driver, 1)) {
            ZonedCommandSet zones = ZonedCommandSet.of(on);
            for (long zone = 0; zone < 2 * ZONE; zone += ZONE) {
                long full = zone;
                assertThat(zones.append(zone, random(1, ZONE))).isEqualTo(zone);
                refused(Status.ZONE_IS_FULL, () -> zones.append(full, random(2, 1)));
            }
            zones.reset(ZONE);
            refused(Status.ZONE_IS_FULL, () -> zones.append(0, random(2, 1)));
            assertThat(zones.zone(ZONE)).isEqualTo(new Zone(ZONE, ZONE, ZONE, ZoneReport.STATE_EMPTY));
        }
    }

    private static void report(String fault, long lba, String message) throws IOException {
        try (Driven driven = new Driven(EmuConfiguration.memory((long) ZONES * ZONE * 512)
                        .withZones(new EmuConfiguration.Zones(ZONE * 512, CAPACITY * 512, 3, 5))
                        .withFaults(FaultPlan.parse(fault)));
                DriverPassthrough on = new DriverPassthrough(driven.driver, 1)) {
            ZonedCommandSet zones = ZonedCommandSet.of(on);
            assertThatThrownBy(() -> zones.zone(lba))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining(message);
        }
    }

    @Test
    void refusesReportsThatMakeNoSense() throws Exception {
        report("put=0/0000000000000000@io0x7a", 0, "no zone in a report of the zones from 0 on");
        report("put=80/0000000000000000@io0x7a", ZONE + 5, "Zone[start=0, ");
        report("put=80/00ffffffffffffff@io0x7a", 0, "Zone[start=-256, ");
        report("put=80/0100000000000000@io0x7a", 0, "Zone[start=1, ");
    }

    @Test
    void keepsToTheLongestAppend() throws Exception {
        try (Driven driven = new Driven(EmuConfiguration.memory((long) ZONES * ZONE * 512)
                        .withZones(new EmuConfiguration.Zones(ZONE * 512, CAPACITY * 512, 3, 5))
                        .withFaults(FaultPlan.parse("put=0/01@identify.sub0x6")));
                DriverPassthrough on = new DriverPassthrough(driven.driver, 1)) {
            ZonedCommandSet zones = ZonedCommandSet.of(on);
            assertThat(zones.append(0, random(1, 16))).isZero();
            assertThatThrownBy(() -> zones.append(0, random(1, 17)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("8704 bytes to append; at most 8192 are possible (ZASL)");
        }
    }

    @Test
    void opensClosesFinishesAndResets() throws Exception {
        refused(Status.INVALID_ZONE_STATE_TRANSITION, () -> zoned.close(0));
        zoned.open(0);
        assertThat(zone(0).state()).isEqualTo(ZoneReport.STATE_EXPLICITLY_OPENED);
        nvm.write(0, random(1, 8));
        assertThat(zone(0).state()).isEqualTo(ZoneReport.STATE_EXPLICITLY_OPENED);
        zoned.close(0);
        assertThat(zone(0)).isEqualTo(new Zone(0, CAPACITY, 8, ZoneReport.STATE_CLOSED));
        nvm.write(8, random(1, 8));
        assertThat(zone(0).state()).isEqualTo(ZoneReport.STATE_IMPLICITLY_OPENED);
        zoned.finish(0);
        assertThat(zone(0).state()).isEqualTo(ZoneReport.STATE_FULL);
        refused(Status.INVALID_ZONE_STATE_TRANSITION, () -> zoned.open(0));
        zoned.reset(0);
        assertThat(zone(0)).isEqualTo(new Zone(0, CAPACITY, 0, ZoneReport.STATE_EMPTY));
        MemorySegment read = random(1, 8);
        nvm.read(0, read);
        assertThat(read.mismatch(MemorySegment.ofArray(new byte[8 * 512]))).isEqualTo(-1);
        refused(Status.INVALID_ZONE_STATE_TRANSITION, () -> zoned.send(0, ZoneReport.ACTION_OFFLINE));
        refused(Status.INVALID_FIELD, () -> zoned.send(0, 0x7E));
        refused(
                Status.INVALID_FIELD,
                () -> passthrough.executeIo(
                        new Command(Opcode.ZONE_MANAGEMENT_SEND, 1, 3, (long) ZoneReport.ACTION_OPEN << 32, 0),
                        Passthrough.NOTHING));
    }

    @Test
    void keepsToTheLimitsOfOpenAndActiveZones() throws Exception {
        for (int zone = 0; zone < 3; zone++) {
            zoned.open((long) zone * ZONE);
        }
        refused(Status.TOO_MANY_OPEN_ZONES, () -> zoned.open(3L * ZONE));
        refused(Status.TOO_MANY_OPEN_ZONES, () -> nvm.write(3L * ZONE, random(1, 1)));
        for (int zone = 0; zone < 3; zone++) {
            nvm.write((long) zone * ZONE, random(1, 1));
            zoned.close((long) zone * ZONE);
        }
        zoned.open(3L * ZONE);
        zoned.open(4L * ZONE);
        refused(Status.TOO_MANY_ACTIVE_ZONES, () -> zoned.open(5L * ZONE));
        refused(Status.TOO_MANY_ACTIVE_ZONES, () -> zoned.append(6L * ZONE, random(1, 1)));
        zoned.reset(0);
        assertThat(zoned.append(6L * ZONE, random(1, 1))).isEqualTo(6L * ZONE);
        zoned.sendToAll(ZoneReport.ACTION_RESET);
        assertThat(zoned.report(0, ZoneReport.OPTION_EMPTY, ZONES)).hasSize(ZONES);
        for (int zone = 0; zone < 5; zone++) {
            nvm.write((long) zone * ZONE, random(1, 1));
        }
        assertThat(zoned.report(0, ZoneReport.OPTION_IMPLICITLY_OPENED, ZONES)).hasSize(3);
        assertThat(zoned.report(0, ZoneReport.OPTION_CLOSED, ZONES)).hasSize(2);
        zoned.sendToAll(ZoneReport.ACTION_FINISH);
        assertThat(zoned.report(0, ZoneReport.OPTION_FULL, ZONES)).hasSize(5);
    }

    /** Random writes, appends and changes of state, each checked against a model of the zones. */
    @Test
    void keepsWhatAModelWouldKeep() throws Exception {
        long seed = 3;
        Random random = new Random(seed);
        int[] written = new int[ZONES];
        boolean[] full = new boolean[ZONES];
        byte[] oracle = new byte[ZONES * ZONE * 512];
        for (int i = 0; i < 600; i++) {
            int zone = random.nextInt(4);
            long start = (long) zone * ZONE;
            int count = 1 + random.nextInt(40);
            boolean fits = !full[zone] && written[zone] + count <= CAPACITY;
            switch (random.nextInt(8)) {
                case 0 -> {
                    zoned.reset(start);
                    written[zone] = 0;
                    full[zone] = false;
                    java.util.Arrays.fill(oracle, zone * ZONE * 512, (zone + 1) * ZONE * 512, (byte) 0);
                }
                case 1 -> {
                    if (!full[zone] && written[zone] > 0 && random.nextInt(4) == 0) {
                        zoned.finish(start);
                        full[zone] = true;
                    }
                }
                default -> {
                    MemorySegment data = random(i, count);
                    long at = start + written[zone];
                    boolean appends = random.nextBoolean();
                    if (!fits) {
                        assertThatThrownBy(() -> {
                                    if (appends) {
                                        long ignored = zoned.append(start, data);
                                    } else {
                                        nvm.write(at, data);
                                    }
                                })
                                .as("seed %d, command %d", seed, i)
                                .isInstanceOf(NvmeException.class);
                    } else {
                        if (appends) {
                            assertThat(zoned.append(start, data)).isEqualTo(at);
                        } else {
                            nvm.write(at, data);
                        }
                        MemorySegment.copy(
                                data, java.lang.foreign.ValueLayout.JAVA_BYTE, 0, oracle, (int) at * 512, count * 512);
                        written[zone] += count;
                        full[zone] = written[zone] == CAPACITY;
                    }
                }
            }
            assertThat(zone(zone).state() == ZoneReport.STATE_FULL)
                    .as("seed %d, command %d", seed, i)
                    .isEqualTo(full[zone]);
        }
        for (int zone = 0; zone < 4; zone++) {
            MemorySegment read = MemorySegment.ofArray(new byte[ZONE * 512]);
            nvm.read((long) zone * ZONE, read);
            assertThat(read.mismatch(MemorySegment.ofArray(oracle).asSlice((long) zone * ZONE * 512, ZONE * 512)))
                    .as("seed %d, zone %d", seed, zone)
                    .isEqualTo(-1);
        }
    }
}
