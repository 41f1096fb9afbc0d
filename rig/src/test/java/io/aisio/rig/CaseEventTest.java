package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CaseEventTest {
    @ParameterizedTest
    @ValueSource(strings = {"", "two\nlines", "a \\n that is none", "a\ttab", "ends in \\"})
    void comesBackFromItsLine(String text) {
        CaseEvent event = new CaseEvent(CaseEvent.Kind.FAILED, "FormatsCases.theKernelSeesBlockSizes", 1234, text);
        assertThat(event.line()).doesNotContain("\n");
        assertThat(CaseEvent.parse(event.line())).contains(event);
    }

    /** A case that prints without a line's end is followed by ours. */
    @Test
    void isFoundBehindWhatACasePrinted() {
        CaseEvent event = new CaseEvent(CaseEvent.Kind.PASSED, "CmbCases.theBufferIsBar2", 5, "");
        assertThat(CaseEvent.parse("50 % " + event.line())).contains(event);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "rig: starting", "##rig\tPASSED", "##rig\tDONE\tname\t1\t", "##rig\tPASSED\tname\tsoon\t"})
    void isNotSeenInOtherLines(String line) {
        assertThat(CaseEvent.parse(line)).isEmpty();
    }
}
