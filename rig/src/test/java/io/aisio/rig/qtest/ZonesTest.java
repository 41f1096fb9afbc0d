package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.emu.Completions;
import io.aisio.nvme.Command;
import io.aisio.nvme.DriverPassthrough;
import io.aisio.nvme.QueuePair;
import io.aisio.nvme.Zone;
import io.aisio.nvme.command.Identities;
import io.aisio.nvme.command.ZonedCommandSet;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyZoned;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.ZoneReport;
import io.aisio.upcie.DmaMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Zoned namespaces: 16 zones of 512 blocks, 384 of which can be written; 3 may be open, 5 active. */
class ZonesTest {
    private static final int GOOD = Status.SUCCESS;
    private static final int ZONES = 16;
    private static final int ZONE = 512;
    private static final int CAPACITY = 384;

    private Rig rig;
    private Blocks blocks;

    @BeforeEach
    void start() throws Exception {
        rig = Rig.start(QemuNvme.build()
                .controller("zoned.zasl=4")
                .namespace(1 << 20, "nsid=1")
                .namespace(
                        ZONES * ZONE * 512,
                        "nsid=2,zoned=true,zoned.zone_size=256K,zoned.zone_capacity=192K,"
                                + "zoned.max_open=3,zoned.max_active=5"));
        blocks = new Blocks(rig, 2);
    }

    @AfterEach
    void end() throws Exception {
        if (blocks != null) {
            blocks.close();
        }
        if (rig != null) {
            rig.close();
        }
    }

    private int send(int zone, int action) throws IOException {
        Command command = Zone.send(2, action);
        return blocks.execute(new Command(command.opcode(), 2, (long) zone * ZONE, command.cdw12(), 0))
                .code();
    }

    private List<Zone> report(long from, int option, int room) throws IOException {
        int bytes = ZoneReport.HEADER_BYTES + room * ZoneReport.DESCRIPTOR_BYTES;
        Command command = Zone.report(2, option, bytes);
        blocks.data(bytes + 64).fill((byte) 0x55);
        assertThat(blocks.execute(new Command(command.opcode(), 2, from, command.cdw12(), 0), bytes)
                        .code())
                .isEqualTo(GOOD);
        assertThat(blocks.data(bytes + 64).get(ValueLayout.JAVA_BYTE, bytes)).isEqualTo((byte) 0x55);
        return Zone.parse(blocks.data(bytes));
    }

    private Zone zone(int index) throws IOException {
        return report((long) index * ZONE, ZoneReport.OPTION_ALL, 1).getFirst();
    }

    private int append(int zone, int count) throws IOException {
        Command command = Zone.append(2, count);
        return blocks.execute(new Command(command.opcode(), 2, (long) zone * ZONE, command.cdw12(), 0), count * 512)
                .code();
    }

    @Test
    void isDescribed() throws Exception {
        assertThat(rig.driver.namespace(1).commandSet()).isEqualTo(Identify.CSI_NVM);
        assertThat(rig.driver.namespace(2).commandSet()).isEqualTo(Identify.CSI_ZONED);
        try (DriverPassthrough passthrough = new DriverPassthrough(rig.driver, 2)) {
            Identities.Zones zones = ZonedCommandSet.of(passthrough).zones();
            assertThat(zones.zoneBlocks()).isEqualTo(ZONE);
            assertThat(zones.maxOpen()).isEqualTo(3);
            assertThat(zones.maxActive()).isEqualTo(5);
            assertThat(zones.maxAppendBytes()).isEqualTo(65536);
            assertThat(zones.optional() & IdentifyZoned.OZCS_READ_ACROSS_ZONES).isZero();
            assertThatThrownBy(() -> ZonedCommandSet.of(passthrough, 1))
                    .hasMessageContaining("namespace 1 has no zones");
        }
    }

    @Test
    void reportsZonesFromAnyLbaOnAndByState() throws Exception {
        List<Zone> all = report(0, ZoneReport.OPTION_ALL, 32);
        assertThat(all).hasSize(ZONES);
        for (int i = 0; i < ZONES; i++) {
            assertThat(all.get(i))
                    .isEqualTo(new Zone((long) i * ZONE, CAPACITY, (long) i * ZONE, ZoneReport.STATE_EMPTY));
        }
        assertThat(report(0, ZoneReport.OPTION_ALL, 5)).hasSize(5);
        assertThat(report(3 * ZONE + 77, ZoneReport.OPTION_ALL, 32))
                .hasSize(13)
                .first()
                .isEqualTo(all.get(3));
        assertThat(send(2, ZoneReport.ACTION_OPEN)).isEqualTo(GOOD);
        assertThat(send(9, ZoneReport.ACTION_FINISH)).isEqualTo(GOOD);
        assertThat(report(0, ZoneReport.OPTION_EXPLICITLY_OPENED, 32))
                .extracting(Zone::start)
                .containsExactly(2L * ZONE);
        assertThat(report(0, ZoneReport.OPTION_FULL, 32))
                .extracting(Zone::start)
                .containsExactly(9L * ZONE);
        assertThat(report(0, ZoneReport.OPTION_EMPTY, 32)).hasSize(ZONES - 2);
    }

    @Test
    void writesFromOneWritePointerToTheNext() throws Exception {
        for (int at = 0; at < CAPACITY; at += 48) {
            MemorySegment written = blocks.fill(at, 48 * 512);
            assertThat(blocks.write(ZONE + at, 48).code()).isEqualTo(GOOD);
            if (at + 48 < CAPACITY) {
                assertThat(zone(1).writePointer()).isEqualTo(ZONE + at + 48);
                assertThat(zone(1).state()).isEqualTo(ZoneReport.STATE_IMPLICITLY_OPENED);
            }
            assertThat(blocks.read(ZONE + at, 48).code()).isEqualTo(GOOD);
            assertThat(blocks.data(48 * 512).mismatch(written)).isEqualTo(-1);
        }
        assertThat(zone(1).state()).isEqualTo(ZoneReport.STATE_FULL);
        assertThat(blocks.write(ZONE + CAPACITY, 1).code()).isIn(Status.ZONE_IS_FULL, Status.ZONE_BOUNDARY_ERROR);
    }

    @Test
    void refusesWritesThatAreNotAtTheWritePointer() throws Exception {
        assertThat(blocks.write(0, 8).code()).isEqualTo(GOOD);
        assertThat(blocks.write(0, 8).code()).isEqualTo(Status.ZONE_INVALID_WRITE);
        assertThat(blocks.write(9, 1).code()).isEqualTo(Status.ZONE_INVALID_WRITE);
        assertThat(blocks.over(Opcode.WRITE_ZEROES, 3, 2).code()).isEqualTo(Status.ZONE_INVALID_WRITE);
        assertThat(blocks.pair.failure(0)).hasMessageContaining("Zone Invalid Write");
        assertThat(blocks.write(8, 1).code()).isEqualTo(GOOD);
        assertThat(blocks.over(Opcode.WRITE_ZEROES, 9, 1).code()).isEqualTo(GOOD);
        assertThat(blocks.write(10, CAPACITY - 9).code()).isEqualTo(Status.ZONE_BOUNDARY_ERROR);
        assertThat(blocks.write((long) ZONES * ZONE, 1).code()).isEqualTo(Status.LBA_OUT_OF_RANGE);
    }

    @Test
    void readsZeroesBehindTheWritePointerAndNotAcrossZones() throws Exception {
        blocks.fill(1, 512);
        assertThat(blocks.write(0, 1).code()).isEqualTo(GOOD);
        assertThat(blocks.read(1, 8).code()).isEqualTo(GOOD);
        assertThat(blocks.data(8 * 512).mismatch(MemorySegment.ofArray(new byte[8 * 512])))
                .isEqualTo(-1);
        assertThat(blocks.read(ZONE - 4, 8).code()).isEqualTo(Status.ZONE_BOUNDARY_ERROR);
    }

    @Test
    void appendsAndTellsWhere() throws Exception {
        long expected = 4L * ZONE;
        for (int count : new int[] {1, 7, 128, 3}) {
            MemorySegment written = blocks.fill(count, count * 512);
            assertThat(append(4, count)).isEqualTo(GOOD);
            assertThat(blocks.pair.lastResult()).isEqualTo(expected);
            assertThat(blocks.read(expected, count).code()).isEqualTo(GOOD);
            assertThat(blocks.data(count * 512L).mismatch(written)).isEqualTo(-1);
            expected += count;
        }
        assertThat(append(4, 129)).as("more than ZASL").isEqualTo(Status.INVALID_FIELD);
        Command command = Zone.append(2, 1);
        assertThat(blocks.execute(new Command(command.opcode(), 2, 4L * ZONE + 1, command.cdw12(), 0), 512)
                        .code())
                .as("not at a zone's first LBA")
                .isEqualTo(Status.INVALID_FIELD);
        assertThat(send(5, ZoneReport.ACTION_FINISH)).isEqualTo(GOOD);
        assertThat(append(5, 1)).isEqualTo(Status.ZONE_IS_FULL);
    }

    @Test
    void opensClosesFinishesAndResets() throws Exception {
        assertThat(send(0, ZoneReport.ACTION_CLOSE)).isEqualTo(Status.INVALID_ZONE_STATE_TRANSITION);
        assertThat(send(0, ZoneReport.ACTION_OPEN)).isEqualTo(GOOD);
        assertThat(zone(0).state()).isEqualTo(ZoneReport.STATE_EXPLICITLY_OPENED);
        assertThat(blocks.write(0, 8).code()).isEqualTo(GOOD);
        assertThat(zone(0).state()).isEqualTo(ZoneReport.STATE_EXPLICITLY_OPENED);
        assertThat(send(0, ZoneReport.ACTION_CLOSE)).isEqualTo(GOOD);
        assertThat(zone(0).state()).isEqualTo(ZoneReport.STATE_CLOSED);
        assertThat(zone(0).writePointer()).isEqualTo(8);
        assertThat(blocks.write(8, 8).code()).isEqualTo(GOOD);
        assertThat(zone(0).state()).isEqualTo(ZoneReport.STATE_IMPLICITLY_OPENED);
        assertThat(send(0, ZoneReport.ACTION_FINISH)).isEqualTo(GOOD);
        assertThat(zone(0).state()).isEqualTo(ZoneReport.STATE_FULL);
        assertThat(blocks.write(16, 1).code()).isEqualTo(Status.ZONE_IS_FULL);
        assertThat(send(0, ZoneReport.ACTION_OPEN)).isEqualTo(Status.INVALID_ZONE_STATE_TRANSITION);
        assertThat(send(0, ZoneReport.ACTION_RESET)).isEqualTo(GOOD);
        assertThat(zone(0)).isEqualTo(new Zone(0, CAPACITY, 0, ZoneReport.STATE_EMPTY));
        assertThat(blocks.read(0, 8).code()).isEqualTo(GOOD);
        assertThat(blocks.data(8 * 512).mismatch(MemorySegment.ofArray(new byte[8 * 512])))
                .as("what was there is gone")
                .isEqualTo(-1);
        assertThat(send(0, ZoneReport.ACTION_OFFLINE)).isEqualTo(Status.INVALID_ZONE_STATE_TRANSITION);
        assertThat(send(0, 0x7E)).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void keepsToTheLimitsOfOpenAndActiveZones() throws Exception {
        for (int zone = 0; zone < 3; zone++) {
            assertThat(send(zone, ZoneReport.ACTION_OPEN)).isEqualTo(GOOD);
        }
        assertThat(send(3, ZoneReport.ACTION_OPEN)).isEqualTo(Status.TOO_MANY_OPEN_ZONES);
        assertThat(blocks.write(3 * ZONE, 1).code()).isEqualTo(Status.TOO_MANY_OPEN_ZONES);
        for (int zone = 0; zone < 3; zone++) {
            assertThat(blocks.write((long) zone * ZONE, 1).code()).isEqualTo(GOOD);
            assertThat(send(zone, ZoneReport.ACTION_CLOSE)).isEqualTo(GOOD);
        }
        assertThat(send(3, ZoneReport.ACTION_OPEN)).isEqualTo(GOOD);
        assertThat(send(4, ZoneReport.ACTION_OPEN)).isEqualTo(GOOD);
        assertThat(send(5, ZoneReport.ACTION_OPEN)).isEqualTo(Status.TOO_MANY_ACTIVE_ZONES);
        assertThat(append(6, 1)).isEqualTo(Status.TOO_MANY_ACTIVE_ZONES);
        assertThat(send(0, ZoneReport.ACTION_RESET)).isEqualTo(GOOD);
        assertThat(append(6, 1)).isEqualTo(GOOD);
    }

    @Test
    void closesAnImplicitlyOpenedZoneToOpenAnother() throws Exception {
        for (int zone = 0; zone < 5; zone++) {
            assertThat(blocks.write((long) zone * ZONE, 1).code()).isEqualTo(GOOD);
        }
        assertThat(report(0, ZoneReport.OPTION_IMPLICITLY_OPENED, 32)).hasSize(3);
        assertThat(report(0, ZoneReport.OPTION_CLOSED, 32)).hasSize(2);
    }

    @Test
    void resetsAllZonesAtOnce() throws Exception {
        assertThat(blocks.write(0, 8).code()).isEqualTo(GOOD);
        assertThat(send(3, ZoneReport.ACTION_FINISH)).isEqualTo(GOOD);
        assertThat(blocks.execute(Zone.sendToAll(2, ZoneReport.ACTION_RESET)).code())
                .isEqualTo(GOOD);
        assertThat(report(0, ZoneReport.OPTION_EMPTY, 32)).hasSize(ZONES);
    }

    @Test
    void givesAppendsInFlightAtOnceAPlaceEach() throws Exception {
        int depth = 16;
        Random random = new Random(5);
        try (QueuePair pair = rig.driver.createQueuePair(depth);
                DmaMemory memory = rig.function.allocate(depth * 4096L)) {
            int[] counts = new int[depth];
            int[] one = new int[1];
            for (int zone = 0; zone < 3; zone++) {
                long[] at = new long[depth];
                long next = (long) zone * ZONE;
                for (int round = 0; round < 3; round++) {
                    int[] slots = new int[depth];
                    long[] lbas = new long[depth];
                    int total = 0;
                    for (int slot = 0; slot < depth; slot++) {
                        counts[slot] = 1 + random.nextInt(8);
                        total += counts[slot];
                        slots[slot] = slot;
                        lbas[slot] = (long) zone * ZONE;
                        memory.segment().asSlice(slot * 4096L, 4096).fill((byte) (slot + 1));
                        pair.bind(slot, Zone.append(2, counts[slot]), memory, slot * 4096L, counts[slot] * 512);
                    }
                    pair.submit(slots, lbas, depth);
                    boolean[] taken = new boolean[total];
                    while (pair.outstanding() > 0) {
                        Completions.await(pair, one);
                        assertThat(one[0]).isNotNegative();
                        at[one[0]] = pair.lastResult();
                        for (int i = 0; i < counts[one[0]]; i++) {
                            int place = (int) (at[one[0]] + i - next);
                            assertThat(taken[place]).isFalse();
                            taken[place] = true;
                        }
                    }
                    for (int slot = 0; slot < depth; slot++) {
                        assertThat(blocks.read(at[slot], counts[slot]).code()).isEqualTo(GOOD);
                        int bytes = counts[slot] * 512;
                        assertThat(blocks.data(bytes)
                                        .mismatch(MemorySegment.ofArray(new byte[bytes])
                                                .fill((byte) (slot + 1))))
                                .isEqualTo(-1);
                    }
                    next += total;
                }
                assertThat(zone(zone).writePointer()).isEqualTo(next);
            }
        }
    }
}
