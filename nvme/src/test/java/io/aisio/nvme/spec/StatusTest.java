package io.aisio.nvme.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quicktheories.QuickTheory.qt;
import static org.quicktheories.generators.SourceDSL.integers;

import org.junit.jupiter.api.Test;

class StatusTest {
    @Test
    void takesEveryFieldApart() {
        qt().forAll(integers().between(0, 0x7FFF)).checkAssert(bits -> {
            Status status = new Status(bits);
            int again = status.sc()
                    | status.sct() << 8
                    | status.crd() << 11
                    | (status.more() ? 1 << 13 : 0)
                    | (status.doNotRetry() ? 1 << 14 : 0);
            assertThat(again).isEqualTo(bits);
            assertThat(status.code()).isEqualTo(status.sct() << 8 | status.sc());
            assertThat(status.name()).isNotEmpty();
        });
    }

    @Test
    void aTypeOtherThanGenericIsNoSuccessEvenWithCodeZero() {
        assertThat(new Status(0x100).isSuccess()).isFalse();
        assertThat(new Status(0x100).toString()).isEqualTo("Completion Queue Invalid (sct 0x1, sc 0x00)");
    }

    @Test
    void saysAllThatItKnows() {
        assertThat(new Status(0x4080).toString()).isEqualTo("LBA Out of Range (sct 0x0, sc 0x80, DNR)");
        assertThat(new Status(0x0A81 | 1 << 13).toString())
                .isEqualTo("Unrecovered Read Error (sct 0x2, sc 0x81, CRD 1, M)");
        assertThat(new Status(0x7AB).name()).isEqualTo("Vendor Specific Status");
        assertThat(new Status(0x2FF).name()).isEqualTo("Unknown Status");
    }

    @Test
    void aCompletionsWordIsPutTogetherAndTakenApartAlike() {
        long word = Cqe.word1(0xFFFE, 0xABCD, 0x1234, 1, 0x7FFF);
        assertThat(Cqe.sqHead(word)).isEqualTo(0xFFFE);
        assertThat(Cqe.sqid(word)).isEqualTo(0xABCD);
        assertThat(Cqe.cid(word)).isEqualTo(0x1234);
        assertThat(Cqe.phase(word)).isEqualTo(1);
        assertThat(Cqe.status(word)).isEqualTo(0x7FFF);
        assertThat(Cqe.phase(Cqe.word1(0, 0, 0, 0, 0x7FFF))).isZero();
    }

    @Test
    void theFirstWordOfACommandIsTakenApartAsItWasPutTogether() {
        long word = Sqe.word0(0x85, 0xFFFF_FFFF) | 0xBEEFL << Sqe.CID_SHIFT;
        assertThat(Sqe.opcode(word)).isEqualTo(0x85);
        assertThat(Sqe.nsid(word)).isEqualTo(0xFFFF_FFFF);
        assertThat(Sqe.cid(word)).isEqualTo(0xBEEF);
        assertThat(Sqe.fuse(word)).isZero();
        assertThat(Sqe.psdt(word)).isZero();
    }
}
