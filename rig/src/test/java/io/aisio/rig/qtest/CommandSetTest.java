package io.aisio.rig.qtest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aisio.nvme.BlockProtection;
import io.aisio.nvme.DriverPassthrough;
import io.aisio.nvme.Format;
import io.aisio.nvme.Guard;
import io.aisio.nvme.LbaFormat;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.Prinfo;
import io.aisio.nvme.Zone;
import io.aisio.nvme.command.AdminCommandSet;
import io.aisio.nvme.command.ControllerData;
import io.aisio.nvme.command.Features;
import io.aisio.nvme.command.Identities;
import io.aisio.nvme.command.LbaRange;
import io.aisio.nvme.command.LogPages;
import io.aisio.nvme.command.NamespaceData;
import io.aisio.nvme.command.NvmCommandSet;
import io.aisio.nvme.command.ZonedCommandSet;
import io.aisio.nvme.spec.EffectsLog;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Protection;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.ZoneReport;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The command sets on a controller that others wrote. */
class CommandSetTest {
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

    @Test
    void readsWritesComparesCopiesAndDeallocates() throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build().controller("").namespace(4 << 20, ""));
                DriverPassthrough passthrough = new DriverPassthrough(rig.driver, 1)) {
            NvmCommandSet nvm = NvmCommandSet.of(passthrough);
            MemorySegment written = random(1, 64 * 512);
            nvm.write(5, written, Passthrough.NOTHING, Prinfo.NONE, true);
            MemorySegment read = empty(64 * 512);
            nvm.read(5, read);
            assertThat(read.mismatch(written)).isEqualTo(-1);
            assertThat(nvm.compare(5, written)).isTrue();
            assertThat(nvm.compare(6, written)).isFalse();
            nvm.copy(List.of(new LbaRange(5, 10), new LbaRange(20, 3)), 1000);
            nvm.read(1000, read.asSlice(0, 13 * 512));
            assertThat(read.asSlice(0, 10 * 512).mismatch(written.asSlice(0, 10 * 512)))
                    .isEqualTo(-1);
            assertThat(read.asSlice(10 * 512, 3 * 512).mismatch(written.asSlice(15 * 512, 3 * 512)))
                    .isEqualTo(-1);
            nvm.writeZeroes(7, 3, true, Prinfo.NONE);
            nvm.deallocate(List.of(new LbaRange(16, 8)));
            nvm.flush();
            nvm.verify(0, 64, Prinfo.NONE);
            written.asSlice(2 * 512, 3 * 512).fill((byte) 0);
            written.asSlice(11 * 512, 8 * 512).fill((byte) 0);
            nvm.read(5, read);
            assertThat(read.mismatch(written)).isEqualTo(-1);
        }
    }

    @Test
    void tellsOfItselfAndWhatHappened() throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build()
                        .controller("")
                        .namespace(4 << 20, "nsid=1")
                        .namespace(4 << 20, "nsid=9"));
                DriverPassthrough passthrough = new DriverPassthrough(rig.driver, 1)) {
            Identities identities = new Identities(passthrough);
            ControllerData controller = identities.controller();
            assertThat(controller.serial()).isEqualTo("RIG0");
            assertThat(controller.hasNvm(IdentifyController.ONCS_COPY)).isTrue();
            assertThat(identities.namespaces()).containsExactly(1, 9);
            NamespaceData namespace = identities.namespace(9);
            assertThat(namespace.size()).isEqualTo(8192);
            assertThat(namespace.formats()).contains(new LbaFormat(0, 512, 0));
            assertThat(namespace.copyRangeBlocks()).isEqualTo(128);
            LogPages logs = new LogPages(passthrough);
            assertThat(logs.smart().kelvin()).isBetween(273, 373);
            assertThat(logs.firmwareSlots().revisions()).containsKey(1);
            assertThat(logs.effects(Identify.CSI_NVM).io())
                    .containsKey(Opcode.COMPARE)
                    .containsEntry(Opcode.WRITE, EffectsLog.SUPPORTED | EffectsLog.BLOCK_CONTENT);
            assertThat(logs.changedNamespaces().nsids()).isEmpty();
            Features features = new Features(passthrough);
            features.temperatureThreshold(false, 340);
            assertThat(features.temperatureThreshold(false)).isEqualTo(340);
            assertThat(features.writeCache()).isTrue();
            assertThat(features.timestamp()).isNotNull();
        }
    }

    @ParameterizedTest
    @CsvSource({"16, 0, 8, 1", "16, 0, 16, 2", "64, 2, 16, 1", "64, 2, 64, 2", "64, 2, 16, 3"})
    void makesAndChecksProtectionInformationAsWeDo(int bits, int pif, int bytes, int type) throws Exception {
        for (int extended = 0; extended < 2; extended++) {
            try (Rig rig = Rig.start(QemuNvme.build()
                            .controller("mdts=0")
                            .namespace(1 << 20, "pi=%d,pif=%d,ms=%d,mset=%d".formatted(type, pif, bytes, extended)));
                    DriverPassthrough passthrough = new DriverPassthrough(rig.driver, 1)) {
                NvmCommandSet nvm = NvmCommandSet.of(passthrough);
                BlockProtection protection = nvm.namespace().protection().orElseThrow();
                assertThat(protection.guard()).isEqualTo(Guard.of(pif));
                assertThat(protection.guard().bits()).isEqualTo(bits);
                int flags = Protection.CHECK_GUARD
                        | Protection.CHECK_APPLICATION_TAG
                        | (type == 3 ? 0 : Protection.CHECK_REFERENCE_TAG);
                Prinfo prinfo = new Prinfo(flags, 40, 0x1234, 0xFFFF, 0);
                MemorySegment data = random(5, 4 * 512);
                MemorySegment metadata = random(6, 4 * bytes);
                protection.generate(data, metadata, prinfo);
                MemorySegment all = interleaved(nvm, data, metadata);
                MemorySegment beside = nvm.namespace().extendedLba() ? MemorySegment.NULL : metadata;
                // The guard that we made is the one that it checks.
                nvm.write(40, all, beside, prinfo, false);
                nvm.verify(40, 4, prinfo);
                assertThat(nvm.compare(40, all, beside, prinfo)).isTrue();
                refused(
                        Status.APPLICATION_TAG_CHECK_ERROR,
                        () -> nvm.verify(40, 4, new Prinfo(flags, 40, 0x1235, 0xFFFF, 0)));
                MemorySegment wrong =
                        MemorySegment.ofArray(new byte[(int) all.byteSize()]).copyFrom(all);
                wrong.fill((byte) 1);
                refused(Status.GUARD_CHECK_ERROR, () -> nvm.write(40, wrong, beside, prinfo, false));
                // The one that it makes is the one that we would.
                if (bytes == protection.guard().bytes()) {
                    nvm.write(80, data, MemorySegment.NULL, new Prinfo(flags, 80, 7, 0xFFFF, 0).withAction(), false);
                    MemorySegment got = empty((int) all.byteSize());
                    MemorySegment gotBeside = empty((int) beside.byteSize());
                    nvm.read(80, got, gotBeside, Prinfo.NONE);
                    protection.generate(data, metadata, new Prinfo(flags, 80, 7, 0xFFFF, 0));
                    assertThat(got.mismatch(interleaved(nvm, data, metadata))).isEqualTo(-1);
                    assertThat(gotBeside.byteSize() == 0 ? -1 : gotBeside.mismatch(metadata))
                            .isEqualTo(-1);
                }
            }
        }
    }

    /** Source ranges carry their tags where it looks for them, in both formats. */
    @ParameterizedTest
    @CsvSource({"0, 8, 1", "0, 16, 2", "0, 8, 3", "2, 16, 1", "2, 64, 2", "2, 16, 3"})
    void copiesAndChecksTheTagsOfEachRange(int pif, int bytes, int type) throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build()
                        .controller("mdts=0")
                        .namespace(1 << 20, "pi=%d,pif=%d,ms=%d,mset=0".formatted(type, pif, bytes)));
                DriverPassthrough passthrough = new DriverPassthrough(rig.driver, 1)) {
            NvmCommandSet nvm = NvmCommandSet.of(passthrough);
            BlockProtection protection = nvm.namespace().protection().orElseThrow();
            int flags = Protection.CHECK_GUARD
                    | Protection.CHECK_APPLICATION_TAG
                    | (type == 3 ? 0 : Protection.CHECK_REFERENCE_TAG);
            MemorySegment data = random(7, 8 * 512);
            MemorySegment metadata = random(8, 8 * bytes);
            Prinfo made = new Prinfo(flags, 0, 0x1234, 0xFFFF, 0);
            protection.generate(data, metadata, made);
            nvm.write(0, data, metadata, made, false);
            // The mask leaves out what differs; the other way round, tag and mask would not let it pass.
            Prinfo read = new Prinfo(flags, 0, 0x12FF, 0xFF00, 0);
            List<LbaRange> ranges = List.of(new LbaRange(0, 1), new LbaRange(5, 3), new LbaRange(2, 1));
            Prinfo written = new Prinfo(flags, 100, 9, 0xFFFF, 0);
            nvm.copy(ranges, 100, read.withAction(), written.withAction());
            MemorySegment got = empty(5 * 512);
            MemorySegment gotMetadata = empty(5 * bytes);
            nvm.read(100, got, gotMetadata, written);
            assertThat(got.asSlice(0, 512).mismatch(data.asSlice(0, 512))).isEqualTo(-1);
            assertThat(got.asSlice(512, 3 * 512).mismatch(data.asSlice(5 * 512, 3 * 512)))
                    .isEqualTo(-1);
            assertThat(got.asSlice(4 * 512).mismatch(data.asSlice(2 * 512, 512)))
                    .isEqualTo(-1);
            // Which check failed, it does not tell.
            Prinfo wrong = new Prinfo(flags, 0, 0x13FF, 0xFF00, 0);
            assertThatThrownBy(() -> nvm.copy(ranges, 100, wrong.withAction(), written.withAction()))
                    .isInstanceOf(NvmeException.class);
        }
    }

    private static MemorySegment interleaved(NvmCommandSet nvm, MemorySegment data, MemorySegment metadata) {
        if (!nvm.namespace().extendedLba()) {
            return data;
        }
        int block = nvm.namespace().lbaBytes();
        int beside = nvm.namespace().metadataBytes();
        int count = (int) (data.byteSize() / block);
        MemorySegment all = empty(count * (block + beside));
        for (int i = 0; i < count; i++) {
            MemorySegment.copy(data, (long) i * block, all, (long) i * (block + beside), block);
            MemorySegment.copy(metadata, (long) i * beside, all, (long) i * (block + beside) + block, beside);
        }
        return all;
    }

    @Test
    void opensClosesAppendsAndResetsZones() throws Exception {
        try (Rig rig = Rig.start(
                        QemuNvme.build()
                                .controller("")
                                .namespace(
                                        4 << 20,
                                        "zoned=on,zoned.zone_size=131072,zoned.zone_capacity=98304,zoned.max_open=3,zoned.max_active=5"));
                DriverPassthrough passthrough = new DriverPassthrough(rig.driver, 1)) {
            ZonedCommandSet zoned = ZonedCommandSet.of(passthrough);
            NvmCommandSet nvm = NvmCommandSet.of(passthrough);
            assertThat(zoned.zones().maxOpen()).isEqualTo(3);
            assertThat(zoned.report()).hasSize(32);
            zoned.open(256);
            MemorySegment written = random(1, 8 * 512);
            nvm.write(256, written);
            assertThat(zoned.append(256, written)).isEqualTo(264);
            zoned.close(256);
            assertThat(zoned.zone(300)).isEqualTo(new Zone(256, 192, 272, ZoneReport.STATE_CLOSED));
            zoned.finish(512);
            assertThat(zoned.report(0, ZoneReport.OPTION_FULL, 10))
                    .extracting(Zone::start)
                    .containsExactly(512L);
            refused(Status.ZONE_INVALID_WRITE, () -> nvm.write(256, written));
            zoned.reset(256);
            zoned.sendToAll(ZoneReport.ACTION_RESET);
            assertThat(zoned.report(0, ZoneReport.OPTION_EMPTY, 100)).hasSize(32);
            assertThat(new LogPages(passthrough).effects(Identify.CSI_ZONED).io())
                    .containsKey(Opcode.ZONE_APPEND);
        }
    }

    @Test
    void formats() throws Exception {
        try (Rig rig = Rig.start(QemuNvme.build().controller("").namespace(1 << 20, ""));
                DriverPassthrough passthrough = new DriverPassthrough(rig.driver, 1)) {
            NvmCommandSet.of(passthrough).write(0, random(1, 4096));
            LbaFormat large = new Identities(passthrough)
                    .namespace(1).formats().stream()
                            .filter(f -> f.lbaBytes() == 4096 && f.metadataBytes() == 0)
                            .findFirst()
                            .orElseThrow();
            new AdminCommandSet(passthrough).format(1, Format.of(large.index()));
            assertThat(rig.driver.namespace(1).lbaBytes()).isEqualTo(4096);
            MemorySegment read = empty(4096);
            NvmCommandSet.of(passthrough).read(0, read);
            assertThat(read.mismatch(empty(4096))).isEqualTo(-1);
        }
    }
}
