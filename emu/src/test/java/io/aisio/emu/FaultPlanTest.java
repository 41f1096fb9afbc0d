package io.aisio.emu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import java.time.Duration;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class FaultPlanTest {
    @Test
    void readsWhatItSpellsOut() {
        FaultPlan plan = FaultPlan.of(
                Fault.drop().on(Selector.reads().queue(2).nth(3)),
                Fault.stall().on(Selector.admin(Opcode.ABORT).from(2)),
                Fault.delay(Duration.ofMillis(20)).on(Selector.io().every(100)),
                Fault.late(Duration.ZERO).on(Selector.writes().between(3, 7)),
                Fault.stale(Duration.ofNanos(80_000)),
                Fault.duplicate().on(Selector.io(0x7E)),
                Fault.wrongCid(),
                Fault.wrongPhase().on(Selector.admin(0xC0)),
                Fault.wrongSqHead(),
                Fault.wrongSqId(),
                Fault.error(Status.ABORT_REQUESTED | Status.DNR_BIT)
                        .on(Selector.reads().namespace(1)),
                Fault.error(Status.UNRECOVERED_READ_ERROR | 2 << 11).on(Selector.writes()),
                Fault.corrupt().on(Selector.reads().lba(77)),
                Fault.torn().on(Selector.admin(Opcode.IDENTIFY).sub(Identify.CNS_NAMESPACE)),
                Fault.garbage(42).on(Selector.admin(Opcode.GET_LOG_PAGE)),
                Fault.put(130, (byte) 9, (byte) 0xFF)
                        .on(Selector.admin(Opcode.IDENTIFY).sub(0).nth(1)),
                Fault.fatal().on(Selector.io().nth(9)),
                Fault.vanish().on(Selector.admin().nth(9)),
                Fault.neverReady().on(Selector.enabling().from(2)),
                Fault.slowReady(Duration.ofSeconds(1)),
                Fault.staysReady().on(Selector.disabling().nth(1)),
                Fault.queues(0),
                Fault.events(1000).on(Selector.io().nth(5)),
                Fault.resize(8).on(Selector.io().nth(6)),
                Fault.remove().on(Selector.io().namespace(2).nth(7)),
                Fault.abortRefused());
        assertThat(plan.toString().split(","))
                .containsExactly(
                        "drop@read.q2:3",
                        "stall@abort:2-",
                        "delay=20ms:%100",
                        "late=0s@write:3-7",
                        "stale=80us",
                        "duplicate@io0x7e",
                        "wrongcid",
                        "wrongphase@admin0xc0",
                        "wrongsqhd",
                        "wrongsqid",
                        "error=0/7/dnr@read.ns1",
                        "error=2/81/crd2@write",
                        "corrupt@read.lba77",
                        "torn@identify.sub0x0",
                        "garbage=42@getlog",
                        "put=130/09ff@identify.sub0x0:1",
                        "fatal:9",
                        "vanish@admin:9",
                        "neverready:2-",
                        "slowready=1s",
                        "staysready:1",
                        "queues=0",
                        "events=1000:5",
                        "resize=8:6",
                        "remove@io.ns2:7",
                        "abortrefused");
        assertThat(FaultPlan.parse(plan.toString())).isEqualTo(plan);
    }

    @ParameterizedTest
    @EnumSource
    void readsEveryKindAsItSpellsIt(Fault.Kind kind) {
        String value = switch (kind.form()) {
            case NOTHING -> "";
            case DURATION, OPTIONAL_DURATION -> "5us";
            case OPTIONAL_STATUS -> "2/86";
            case COUNT -> "12";
            case BYTES -> "0/00";
        };
        Fault fault = new Fault(kind, value, kind.usually().between(2, 9));
        assertThat(Fault.parse(fault.toString())).isEqualTo(fault);
    }

    @ParameterizedTest
    @ValueSource(strings = {"drop:3-9%2", "drop:1-%2", "drop:%1", "error", "late", "corrupt@lba0", "drop@admin.q0"})
    void keepsWhatAShorterSpellingMeans(String text) {
        Fault fault = Fault.parse(text);
        assertThat(Fault.parse(fault.toString())).isEqualTo(fault);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "drop=3|'drop' is written without a value, not with '3'",
                "delay|'delay' is written with 80us, not with ''",
                "error=9/1|'error' is written with [2/81[/crd1][/dnr]], not with '9/1'",
                "queues=-1|'queues' is written with N, not with '-1'",
                "put=5/abc|'put' is written with OFFSET/HEX",
                "drop@|nothing stands after its '@' or ':'",
                "drop:|nothing stands after its '@' or ':'",
                "drop@reed|no commands 'reed'; there is io, admin, compare,",
                "drop@q70000|a fault's queue of 70000",
                "drop@io0x100|no commands 'io0x100'",
                "drop:x|no time 'x'; there is N for the Nth",
                "drop:5-3|a fault's last command of 3",
                "drop:%0|a fault's first command of 0",
                "neverready@read|it happens to the controller",
                "stalladmin:3|no fault 'stalladmin:3'; there is drop, stall,",
                "\"\"|no fault ''; there is drop",
            })
    void refusesWhatMakesNoSenseInOneSentence(String text, String reason) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> FaultPlan.parse(text))
                .withMessageContaining(reason);
    }

    @Test
    void holdsAsManyFaultsAsAWordHasBits() {
        FaultPlan full = new FaultPlan(Collections.nCopies(64, Fault.drop()));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> full.and(Fault.drop()))
                .withMessage("65 faults; a plan has at most 64");
    }
}
