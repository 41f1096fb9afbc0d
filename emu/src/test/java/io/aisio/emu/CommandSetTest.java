package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.aisio.nvme.Command;
import io.aisio.nvme.DriverPassthrough;
import io.aisio.nvme.Format;
import io.aisio.nvme.Guard;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.Prinfo;
import io.aisio.nvme.command.AdminCommandSet;
import io.aisio.nvme.command.ControllerData;
import io.aisio.nvme.command.DataPlacement;
import io.aisio.nvme.command.Features;
import io.aisio.nvme.command.Identities;
import io.aisio.nvme.command.LbaRange;
import io.aisio.nvme.command.LogPages;
import io.aisio.nvme.command.NamespaceData;
import io.aisio.nvme.command.NvmCommandSet;
import io.aisio.nvme.command.Sanitize;
import io.aisio.nvme.spec.DataPlacementLog;
import io.aisio.nvme.spec.Directive;
import io.aisio.nvme.spec.EffectsLog;
import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.IdentifyNvm;
import io.aisio.nvme.spec.LogPage;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.SanitizeLog;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The command sets on the software controller, by the driver's own queues. */
class CommandSetTest {
    private static final int SIZE = 4 << 20;

    /** A controller, the driver on it, and single commands. */
    private static final class Commands implements AutoCloseable {
        final Driven driven;
        final DriverPassthrough passthrough;

        Commands(EmuConfiguration configuration) throws IOException {
            driven = new Driven(configuration);
            passthrough = new DriverPassthrough(driven.driver, 1);
        }

        @Override
        public void close() throws IOException {
            passthrough.close();
            driven.close();
        }
    }

    private static MemorySegment random(long seed, int bytes) {
        byte[] content = new byte[bytes];
        new Random(seed).nextBytes(content);
        return MemorySegment.ofArray(content);
    }

    private static MemorySegment empty(int bytes) {
        return MemorySegment.ofArray(new byte[bytes]);
    }

    private static void refused(int code, ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        NvmeException.class, e -> assertThat(e.status().code()).isEqualTo(code));
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096})
    void readsWritesComparesAndZeroes(int lba) throws Exception {
        try (Commands on = new Commands(EmuConfiguration.memory(SIZE).withLbaBytes(lba))) {
            NvmCommandSet nvm = NvmCommandSet.of(on.passthrough);
            MemorySegment written = random(1, 16 * lba);
            nvm.write(5, written, Passthrough.NOTHING, Prinfo.NONE, true);
            MemorySegment read = empty(16 * lba);
            nvm.read(5, read);
            assertThat(read.mismatch(written)).isEqualTo(-1);
            assertThat(nvm.compare(5, written)).isTrue();
            assertThat(nvm.compare(6, written)).isFalse();
            nvm.writeZeroes(7, 3, true, Prinfo.NONE);
            nvm.deallocate(List.of(new LbaRange(12, 2), new LbaRange(20, 1)));
            nvm.flush();
            nvm.verify(0, 64, Prinfo.NONE);
            written.asSlice(2L * lba, 3L * lba).fill((byte) 0);
            written.asSlice(7L * lba, 2L * lba).fill((byte) 0);
            written.asSlice(15L * lba, lba).fill((byte) 0);
            nvm.read(5, read);
            assertThat(read.mismatch(written)).isEqualTo(-1);
        }
    }

    @Test
    void verifiesNoMoreAtOnceThanItSays() throws Exception {
        try (Commands on = new Commands(EmuConfiguration.memory(SIZE))) {
            MemorySegment limits =
                    new Identities(on.passthrough).raw(0, Identify.CNS_COMMAND_SET_CONTROLLER, Identify.CSI_NVM);
            int blocks = 4096 / 512 << Wire.u8(limits, IdentifyNvm.VSL);
            assertThat(blocks).isEqualTo((1 << 20) / 512);
            NvmCommandSet nvm = NvmCommandSet.of(on.passthrough);
            nvm.verify(0, blocks, Prinfo.NONE);
            refused(Status.INVALID_FIELD, () -> nvm.verify(0, blocks + 1, Prinfo.NONE));
        }
    }

    @Test
    void makesBlocksUnreadableUntilTheyAreWrittenAgain() throws Exception {
        try (Commands on = new Commands(EmuConfiguration.memory(SIZE))) {
            NvmCommandSet nvm = NvmCommandSet.of(on.passthrough);
            nvm.writeUncorrectable(10, 10);
            refused(Status.UNRECOVERED_READ_ERROR, () -> nvm.read(0, empty(11 * 512)));
            refused(Status.UNRECOVERED_READ_ERROR, () -> nvm.compare(19, empty(512)));
            refused(Status.UNRECOVERED_READ_ERROR, () -> nvm.verify(0, 64, Prinfo.NONE));
            nvm.read(0, empty(10 * 512));
            nvm.write(14, random(2, 512));
            nvm.read(14, empty(512));
            refused(Status.UNRECOVERED_READ_ERROR, () -> nvm.read(13, empty(512)));
            nvm.deallocate(List.of(new LbaRange(0, 14)));
            nvm.writeZeroes(15, 100, false, Prinfo.NONE);
            nvm.verify(0, 200, Prinfo.NONE);
            assertThat(new LogPages(on.passthrough).smart().mediaErrors()).isEqualTo(BigInteger.valueOf(4));
        }
    }

    @Test
    void copiesRangesUpToItsLimitsAndNotOneBlockMore() throws Exception {
        try (Commands on = new Commands(EmuConfiguration.memory(SIZE))) {
            NvmCommandSet nvm = NvmCommandSet.of(on.passthrough);
            MemorySegment all = random(3, 1024 * 512);
            nvm.write(0, all);
            nvm.copy(List.of(new LbaRange(128, 128), new LbaRange(7, 1), new LbaRange(0, 127)), 2000);
            MemorySegment read = empty(256 * 512);
            nvm.read(2000, read);
            assertThat(read.asSlice(0, 128 * 512).mismatch(all.asSlice(128 * 512, 128 * 512)))
                    .isEqualTo(-1);
            assertThat(read.asSlice(128 * 512, 512).mismatch(all.asSlice(7 * 512, 512)))
                    .isEqualTo(-1);
            assertThat(read.asSlice(129 * 512).mismatch(all.asSlice(0, 127 * 512)))
                    .isEqualTo(-1);
            // Onto itself: what is read is what was there before.
            nvm.copy(List.of(new LbaRange(0, 100)), 50);
            nvm.read(50, read.asSlice(0, 100 * 512));
            assertThat(read.asSlice(0, 100 * 512).mismatch(all.asSlice(0, 100 * 512)))
                    .isEqualTo(-1);

            assertThatThrownBy(() -> nvm.copy(List.of(new LbaRange(0, 129)), 2000))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("129 blocks in a source range; at most 128");
            MemorySegment tooLong = empty(32);
            Wire.u16(tooLong, 16, 128);
            refused(
                    Status.COMMAND_SIZE_LIMIT_EXCEEDED,
                    () -> on.passthrough.executeIo(new Command(Opcode.COPY, 1, 2000, 0, 0), tooLong));
            MemorySegment beyond = empty(32);
            Wire.i64(beyond, 8, SIZE / 512);
            refused(
                    Status.LBA_OUT_OF_RANGE,
                    () -> on.passthrough.executeIo(new Command(Opcode.COPY, 1, 2000, 0, 0), beyond));
            refused(
                    Status.INVALID_FIELD,
                    () -> on.passthrough.executeIo(new Command(Opcode.COPY, 1, 2000, 1 << 8, 0), empty(40)));
        }
    }

    @Test
    void checksArgumentsBeforeAnythingIsSent() throws Exception {
        try (Commands on = new Commands(EmuConfiguration.memory(SIZE))) {
            NvmCommandSet nvm = NvmCommandSet.of(on.passthrough);
            long errors = new LogPages(on.passthrough).smart().errorEntries().longValueExact();
            assertThatThrownBy(() -> nvm.read(8192, empty(512))).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> nvm.read(0, empty(513))).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> nvm.read(0, empty(512), empty(8), Prinfo.NONE))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("512 bytes of data and 8 of metadata");
            assertThatThrownBy(() -> nvm.verify(8190, 3, Prinfo.NONE)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> nvm.deallocate(List.of())).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> nvm.write(0, empty(4 << 20)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("Write with 4194304 bytes of data");
            assertThat(new LogPages(on.passthrough).smart().errorEntries().longValueExact())
                    .isEqualTo(errors);
        }
    }

    @Test
    void tellsOfItself() throws Exception {
        try (Commands on = new Commands(EmuConfiguration.memory(SIZE).withNamespaces(3))) {
            Identities identities = new Identities(on.passthrough);
            ControllerData controller = identities.controller();
            assertThat(controller.model()).isEqualTo(IdentifyPages.MODEL);
            assertThat(controller.hasNvm(IdentifyController.ONCS_COPY)).isTrue();
            assertThat(controller.hasDataPlacement()).isFalse();
            assertThat(identities.namespaces()).containsExactly(1, 2, 3);
            assertThat(identities.namespace(2).formats()).hasSize(8);
            assertThat(identities.namespace(2).size()).isEqualTo(SIZE / 512);
            assertThat(identities.descriptors(2))
                    .extracting(Identities.Descriptor::type)
                    .containsExactly(Identify.NIDT_NGUID, Identify.NIDT_UUID);
            refused(Status.INVALID_NAMESPACE_OR_FORMAT, () -> identities.namespace(9));
        }
    }

    @Test
    void logsWhatHappened() throws Exception {
        try (Commands on = new Commands(EmuConfiguration.memory(SIZE))) {
            LogPages logs = new LogPages(on.passthrough);
            assertThat(logs.supported()).contains(LogPage.SMART, LogPage.COMMAND_EFFECTS, LogPage.SANITIZE_STATUS);
            refused(
                    Status.LBA_OUT_OF_RANGE,
                    () -> on.passthrough.executeIo(Command.overBlocks(2, 0, 99999, 1), empty(512)));
            LogPages.ErrorInformation error = logs.errors(64).getFirst();
            assertThat(error.status().code()).isEqualTo(Status.LBA_OUT_OF_RANGE);
            assertThat(error.lba()).isEqualTo(99999);
            assertThat(error.nsid()).isEqualTo(1);
            assertThat(logs.smart().errorEntries()).isEqualTo(BigInteger.valueOf(error.count()));
            assertThat(logs.firmwareSlots().revisions()).containsEntry(1, Logs.FIRMWARE);
            assertThat(logs.effects(Identify.CSI_NVM).io())
                    .containsEntry(Opcode.COPY, EffectsLog.SUPPORTED | EffectsLog.BLOCK_CONTENT)
                    .doesNotContainKey(Opcode.ZONE_APPEND);
            AdminCommandSet admin = new AdminCommandSet(on.passthrough);
            admin.startSelfTest(0, false);
            admin.startSelfTest(Identify.ALL_NAMESPACES, true);
            admin.abortSelfTest();
            assertThat(logs.selfTests().results())
                    .extracting(LogPages.SelfTestResult::test, LogPages.SelfTestResult::ending)
                    .containsExactly(tuple(2, 0), tuple(1, 0));
            refused(Status.INVALID_LOG_PAGE, () -> logs.changedZones(1));
            refused(Status.INVALID_LOG_PAGE, () -> logs.dataPlacementStatistics(1));
            admin.format(1, Format.of(1));
            assertThat(logs.changedNamespaces().nsids()).containsExactly(1);
            assertThat(logs.clearingEvents().changedNamespaces().nsids()).containsExactly(1);
            assertThat(logs.changedNamespaces().nsids()).isEmpty();
        }
    }

    private static Commands with(EmuConfiguration configuration, String faults) throws IOException {
        return new Commands(configuration.withFaults(FaultPlan.parse(faults)));
    }

    private static Commands with(String faults) throws IOException {
        return with(EmuConfiguration.memory(SIZE), faults);
    }

    @Test
    void readsALogInOneCommandWhereItsControllerKnowsNoOffsets() throws Exception {
        // LPA without extended data; the second part would fail.
        try (Commands on = with("put=261/03@identify.sub0x1,error=0/06/dnr@getlog:2")) {
            LogPages logs = new LogPages(on.passthrough);
            assertThat(logs.errors(256)).isEmpty();
            refused(Status.INTERNAL_ERROR, logs::smart);
            assertThatThrownBy(() -> logs.raw(LogPage.FDP_EVENTS, 0, 0, 1, 0, 4096, 4))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining(
                            "4 bytes of FDP Events from 4096 on: this controller sends the first 16384 (LPA 0x3)");
            assertThatThrownBy(() -> logs.raw(LogPage.ERROR_INFORMATION, -1, 20_000))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("20000 bytes");
        }
        try (Commands on = with("error=0/06/dnr@getlog:2")) {
            refused(Status.INTERNAL_ERROR, () -> new LogPages(on.passthrough).errors(256));
        }
    }

    @Test
    void leavesErrorsOutThatAreNoOlderThanTheOneBefore() throws Exception {
        // The count of the second entry.
        try (Commands on = with("put=64/ffffffffffffff7f@getlog:1,put=64/0300000000000000@getlog:2")) {
            for (int i = 0; i < 3; i++) {
                refused(
                        Status.LBA_OUT_OF_RANGE,
                        () -> on.passthrough.executeIo(Command.overBlocks(Opcode.READ, 0, 99999, 1), empty(512)));
            }
            LogPages logs = new LogPages(on.passthrough);
            for (int i = 0; i < 2; i++) {
                assertThat(logs.errors(64))
                        .extracting(LogPages.ErrorInformation::count)
                        .containsExactly(3L, 1L);
            }
            assertThat(logs.errors(64))
                    .extracting(LogPages.ErrorInformation::count)
                    .containsExactly(3L, 2L, 1L);
        }
    }

    @Test
    void believesNoDescriptionThatMakesNoSense() throws Exception {
        // A descriptor of a command set that has 16 bytes.
        try (Commands on = with("put=40/04100000@identify.sub0x3")) {
            assertThatThrownBy(() -> new Identities(on.passthrough).namespace(1))
                    .isInstanceOf(NvmeException.class)
                    .hasMessage("namespace 1 has the command set 00000000000000000000000000000000; it has one byte");
        }
        EmuConfiguration placed =
                EmuConfiguration.memory(SIZE).withPlacement(new EmuConfiguration.Placement(4, 64 << 10));
        try (Commands on = with(placed, "put=14/ffff@io0x12")) {
            assertThatThrownBy(() -> new DataPlacement(on.passthrough, 1).status())
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("namespace 1 has 65535 reclaim unit handles");
        }
    }

    private static EmuConfiguration large(int type) {
        return EmuConfiguration.memory(SIZE)
                .withMetadata(new EmuConfiguration.Metadata(16, false, type, false, Guard.CRC64));
    }

    @Test
    void knowsTheFormatsOfProtectionInformationThatItModels() throws Exception {
        // Format 3, which is none, and a storage tag of 8 bits.
        String none = "put=12/" + "80010000".repeat(8) + "@identify.sub0x5";
        String tagged = "put=12/" + "08010000".repeat(8) + "@identify.sub0x5";
        try (Commands on = with(large(0), none)) {
            assertThat(new Identities(on.passthrough).namespace(1).protection()).isEmpty();
        }
        try (Commands on = with(large(1), none)) {
            assertThatThrownBy(() -> new Identities(on.passthrough).namespace(1))
                    .isInstanceOf(NvmeException.class)
                    .hasMessageContaining("protection information of type 1 and format 3");
        }
        try (Commands on = with(large(1), tagged)) {
            NamespaceData namespace = new Identities(on.passthrough).namespace(1);
            assertThat(namespace.storageTagBits()).isEqualTo(8);
            assertThatThrownBy(namespace::protection)
                    .isInstanceOf(UnsupportedOperationException.class)
                    .hasMessage("namespace 1 has a storage tag of 8 bits beside a guard of 64; 0 bits are known here");
        }
    }

    @Test
    void asksOnlyForStructuresThatTheControllerCanHave() throws Exception {
        String failing = "error=0/82@identify.sub0x3,error=0/82@identify.sub0x5";
        // Version 1.2.
        try (Commands on = with("put=80/00020100@identify.sub0x1," + failing)) {
            assertThat(new Identities(on.passthrough).namespace(1).commandSet()).isEqualTo(Identify.CSI_NVM);
            assertThat(new Identities(on.passthrough).descriptors(1)).isEmpty();
        }
        try (Commands on = with(failing)) {
            refused(Status.NAMESPACE_NOT_READY, () -> new Identities(on.passthrough).namespace(1));
        }
        try (Commands on = with("error=0/02/dnr@identify.sub0x3")) {
            assertThat(new Identities(on.passthrough).namespace(1).commandSet()).isEqualTo(Identify.CSI_NVM);
        }
    }

    @Test
    void keepsFeatures() throws Exception {
        try (Commands on = new Commands(EmuConfiguration.memory(SIZE))) {
            Features features = new Features(on.passthrough);
            assertThat(features.writeCache()).isTrue();
            features.writeCache(false);
            assertThat(features.writeCache()).isFalse();
            assertThat(features.get(Feature.VOLATILE_WRITE_CACHE, Features.Select.DEFAULT, 0))
                    .isEqualTo(1);
            features.temperatureThreshold(false, 350);
            features.temperatureThreshold(true, 250);
            assertThat(features.temperatureThreshold(false)).isEqualTo(350);
            assertThat(features.temperatureThreshold(true)).isEqualTo(250);
            assertThat(features.capabilities(Feature.ERROR_RECOVERY))
                    .isEqualTo(new Features.Capabilities(false, true, true));
            Instant then = Instant.parse("2031-02-03T04:05:06Z");
            features.timestamp(then);
            assertThat(Duration.between(then, features.timestamp())).isBetween(Duration.ZERO, Duration.ofMinutes(1));
            features.extendedLbaFormats(true);
            refused(Status.INVALID_FIELD, () -> features.get(0x7F));
            refused(Status.INVALID_FIELD, () -> features.dataPlacement(1));
        }
    }

    @Test
    void sanitizesWhileOtherCommandsWait() throws Exception {
        EmuConfiguration configuration = EmuConfiguration.memory(SIZE).withNamespaces(2);
        try (Commands on = new Commands(configuration)) {
            NvmCommandSet nvm = NvmCommandSet.of(on.passthrough);
            AdminCommandSet admin = new AdminCommandSet(on.passthrough);
            LogPages logs = new LogPages(on.passthrough);
            assertThat(logs.sanitizeStatus().state()).isEqualTo(SanitizeLog.NEVER);
            for (Sanitize.Action action : List.of(Sanitize.Action.BLOCK_ERASE, Sanitize.Action.CRYPTO_ERASE)) {
                nvm.write(0, random(4, 512 * 512));
                nvm.writeUncorrectable(600, 10);
                admin.sanitize(Sanitize.of(action));
                awaitSanitize(logs);
                assertThat(logs.sanitizeStatus().state()).isEqualTo(SanitizeLog.SUCCEEDED);
                assertThat(logs.sanitizeStatus().globalDataErased()).isTrue();
                assertThat(logs.sanitizeStatus().dword10()).isEqualTo(action.code());
                MemorySegment read = empty(1024 * 512);
                nvm.read(0, read);
                assertThat(read.mismatch(empty(1024 * 512))).isEqualTo(-1);
            }
            admin.sanitize(new Sanitize(Sanitize.Action.OVERWRITE, true, 3, true, true, 0x1234_5678));
            awaitSanitize(logs);
            assertThat(logs.sanitizeStatus().passes()).isEqualTo(3);
            MemorySegment read = empty(512);
            nvm.read(77, read);
            for (int i = 0; i < 128; i++) {
                assertThat(Wire.i32(read, 4L * i)).isEqualTo(0x1234_5678);
            }
            nvm.write(0, random(4, 512));
            assertThat(logs.sanitizeStatus().globalDataErased()).isFalse();
            refused(
                    Status.INVALID_FIELD,
                    () -> on.passthrough.execute(Command.of(Opcode.SANITIZE, 0, 7), Passthrough.NOTHING));
        }
    }

    private static void awaitSanitize(LogPages logs) throws IOException {
        long deadline = System.nanoTime() + Host.GIVE_UP_NANOS;
        while (logs.sanitizeStatus().inProgress()) {
            assertThat(System.nanoTime()).as("the deadline").isLessThan(deadline);
            Thread.onSpinWait();
        }
    }

    /** Stepped by hand, so that it is seen under way. */
    @Test
    void refusesWhatASanitizeOperationForbidsAndTellsHowFarItIs() throws Exception {
        try (Host host = Host.ready(EmuConfiguration.memory(SIZE))) {
            Host.Ring io = host.createQueue(1, 16);
            Host.Ring admin = host.admin;
            assertThat(admin.status(Host.Entry.of(Opcode.SANITIZE, 0).dwords(2, 0)))
                    .isZero();
            int last = -1;
            for (int i = 0; i < 10; i++) {
                assertThat(io.status(host.io(Opcode.READ, 0, 1))).isEqualTo(Status.SANITIZE_IN_PROGRESS);
                assertThat(io.status(Host.Entry.of(Opcode.FLUSH, 1))).isEqualTo(Status.SANITIZE_IN_PROGRESS);
                assertThat(admin.status(Host.Entry.of(Opcode.FORMAT_NVM, 1))).isEqualTo(Status.SANITIZE_IN_PROGRESS);
                assertThat(admin.status(Host.Entry.of(Opcode.SANITIZE, 0).dwords(2, 0)))
                        .isEqualTo(Status.SANITIZE_IN_PROGRESS);
                assertThat(admin.status(Host.Entry.of(Opcode.GET_LOG_PAGE, -1)
                                .prps(host.data.iova(0), 0)
                                .dwords(LogPage.SANITIZE_STATUS | 127 << 16, 0)))
                        .isZero();
                int progress = Wire.u16(host.data.segment(), SanitizeLog.SPROG);
                assertThat(progress).isGreaterThan(last);
                last = progress;
            }
            host.settle();
            assertThat(io.status(host.io(Opcode.READ, 0, 1))).isZero();
        }
    }

    @Test
    void placesDataInReclaimUnits() throws Exception {
        EmuConfiguration.Placement placement = new EmuConfiguration.Placement(4, 64 << 10);
        try (Commands on = new Commands(EmuConfiguration.memory(SIZE).withPlacement(placement))) {
            NvmCommandSet nvm = NvmCommandSet.of(on.passthrough);
            DataPlacement units = new DataPlacement(on.passthrough, 1);
            LogPages logs = new LogPages(on.passthrough);
            Features features = new Features(on.passthrough);
            assertThat(new Identities(on.passthrough).controller().hasDataPlacement())
                    .isTrue();
            assertThat(new AdminCommandSet(on.passthrough).directives(1).enabled())
                    .containsExactly(Directive.TYPE_IDENTIFY, Directive.TYPE_DATA_PLACEMENT);
            assertThat(features.dataPlacement(1)).isTrue();
            refused(Status.COMMAND_SEQUENCE_ERROR, () -> features.dataPlacement(1, false, 0));
            assertThat(logs.dataPlacementConfigurations(1))
                    .containsExactly(new LogPages.DataPlacementConfiguration(
                            true, false, 0, 1, 4, EmuConfiguration.MAX_NAMESPACES, 64 << 10, List.of(1, 1, 1, 1)));
            assertThat(logs.reclaimUnitHandleUsage(1)).containsExactly(1, 1, 1, 1);

            MemorySegment written = random(6, 32 * 512);
            nvm.writePlaced(100, written, 2);
            nvm.write(200, written);
            assertThat(units.status())
                    .extracting(DataPlacement.Handle::availableBlocks)
                    .containsExactly(96L, 128L, 96L, 128L);
            MemorySegment read = empty(32 * 512);
            nvm.read(100, read);
            assertThat(read.mismatch(written)).isEqualTo(-1);

            features.dataPlacementEvent(1, 2, DataPlacementLog.EVENT_NOT_FULLY_WRITTEN, true);
            features.dataPlacementEvent(1, 0, DataPlacementLog.EVENT_INVALID_PID, true);
            assertThat(features.dataPlacementEvent(1, 2, DataPlacementLog.EVENT_NOT_FULLY_WRITTEN))
                    .isTrue();
            assertThat(features.dataPlacementEvent(1, 1, DataPlacementLog.EVENT_NOT_FULLY_WRITTEN))
                    .isFalse();
            units.update(List.of(2, 3));
            nvm.writePlaced(0, written, 9);
            assertThat(units.status())
                    .extracting(DataPlacement.Handle::availableBlocks)
                    .containsExactly(64L, 128L, 128L, 128L);
            assertThat(logs.dataPlacementEvents(1, true))
                    .extracting(LogPages.DataPlacementEvent::type, LogPages.DataPlacementEvent::placementIdentifier)
                    .containsExactly(
                            tuple(DataPlacementLog.EVENT_INVALID_PID, 9),
                            tuple(DataPlacementLog.EVENT_NOT_FULLY_WRITTEN, 2));
            assertThat(logs.dataPlacementEvents(1, false)).isEmpty();
            assertThat(logs.dataPlacementStatistics(1).hostBytesWritten()).isEqualTo(BigInteger.valueOf(3 * 32 * 512));
            refused(Status.INVALID_FIELD, () -> units.update(List.of(0, 4)));
        }
    }

    @Test
    void refusesPlacementWhereThereIsNone() throws Exception {
        try (Commands on = new Commands(EmuConfiguration.memory(SIZE))) {
            refused(Status.INVALID_OPCODE, () -> new DataPlacement(on.passthrough, 1).status());
            refused(Status.INVALID_FIELD, () -> NvmCommandSet.of(on.passthrough).writePlaced(0, empty(512), 0));
        }
    }

    @Test
    void formatsToEachOfItsFormatsAndDataIsGone() throws Exception {
        try (Commands on = new Commands(EmuConfiguration.memory(SIZE))) {
            Identities identities = new Identities(on.passthrough);
            AdminCommandSet admin = new AdminCommandSet(on.passthrough);
            for (int round = 0; round < 2; round++) {
                for (var format : identities.namespace(1).formats()) {
                    for (int type = 0; type <= (format.metadataBytes() == 0 ? 0 : 3); type++) {
                        boolean extended = (round + type & 1) == 0;
                        admin.format(1, new Format(format.index(), extended, type, round == 0, Format.Erase.USER_DATA));
                        NvmCommandSet nvm = NvmCommandSet.of(on.passthrough);
                        assertThat(nvm.namespace().format()).isEqualTo(format);
                        assertThat(nvm.namespace().protectionType()).isEqualTo(type);
                        int beside = format.metadataBytes();
                        boolean interleaved = extended && beside != 0;
                        int stride = format.lbaBytes() + (interleaved ? beside : 0);
                        MemorySegment metadata = empty(interleaved ? 0 : 4 * beside);
                        MemorySegment data = empty(4 * stride);
                        nvm.read(0, data, metadata, Prinfo.NONE);
                        byte fresh = (byte) (type == 0 ? 0 : 0xFF);
                        for (int i = 0; i < 4; i++) {
                            assertThat(data.asSlice((long) i * stride, format.lbaBytes())
                                            .mismatch(empty(format.lbaBytes())))
                                    .isEqualTo(-1);
                        }
                        byte[] all = new byte[4 * beside];
                        Arrays.fill(all, fresh);
                        if (!interleaved && beside != 0) {
                            assertThat(metadata.mismatch(MemorySegment.ofArray(all)))
                                    .isEqualTo(-1);
                        }
                        nvm.write(0, random(7, 4 * stride), random(8, (int) metadata.byteSize()), Prinfo.NONE, false);
                    }
                }
            }
            refused(Status.INVALID_FORMAT, () -> admin.format(1, new Format(0, false, 1, false, Format.Erase.NONE)));
            refused(Status.INVALID_FORMAT, () -> admin.format(1, Format.of(8)));
        }
    }
}
