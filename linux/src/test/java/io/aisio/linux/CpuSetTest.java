package io.aisio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.quicktheories.QuickTheory.qt;
import static org.quicktheories.generators.SourceDSL.integers;
import static org.quicktheories.generators.SourceDSL.lists;

import java.math.BigInteger;
import java.util.BitSet;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class CpuSetTest {
    @Test
    void masksAndListsOfTheSameProcessorsAreTheSameSet() {
        qt().forAll(lists().of(integers().between(0, CpuSet.MAX_CPUS - 1)).ofSizeBetween(1, 20))
                .checkAssert(cpus -> {
                    BitSet bits = new BitSet();
                    BigInteger mask = BigInteger.ZERO;
                    for (int cpu : cpus) {
                        bits.set(cpu);
                        mask = mask.setBit(cpu);
                    }
                    String list = cpus.stream().map(String::valueOf).collect(Collectors.joining(","));
                    assertThat(CpuSet.ofMask("0x" + mask.toString(16))).isEqualTo(new CpuSet(bits));
                    assertThat(CpuSet.ofList(list)).isEqualTo(new CpuSet(bits));
                });
    }

    @Test
    void readsWhatPeopleWrite() {
        assertThat(CpuSet.ofMask("0x3").toArray()).containsExactly(0, 1);
        assertThat(CpuSet.ofMask("A0").toArray()).containsExactly(5, 7);
        assertThat(CpuSet.ofList("0-3,8").toString()).isEqualTo("0,1,2,3,8");
        assertThat(CpuSet.ofList("2").size()).isEqualTo(1);
    }

    @Test
    void refusesWhatIsNoSet() {
        for (String mask : List.of("", "0x", "0", "0x0", "0xG", "-1", "0x1" + "0".repeat(256))) {
            assertThatThrownBy(() -> CpuSet.ofMask(mask)).as(mask).isInstanceOf(IllegalArgumentException.class);
        }
        for (String list : List.of("", "a", "3-1", "1-2-3", "-1", "1,", "1024", "0-1024")) {
            assertThatThrownBy(() -> CpuSet.ofList(list)).as(list).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void bindsTheThreadAndTellsIt() throws Exception {
        int[] allowed = CpuSet.ofCurrentThread().toArray();
        CpuSet last = CpuSet.ofList(Integer.toString(allowed[allowed.length - 1]));
        CpuSet[] seen = new CpuSet[1];
        Exception[] failure = new Exception[1];
        Thread thread = new Thread(() -> {
            try {
                last.pinCurrentThread();
                seen[0] = CpuSet.ofCurrentThread();
            } catch (Exception e) {
                failure[0] = e;
            }
        });
        thread.start();
        thread.join();
        assertThat(failure[0]).isNull();
        assertThat(seen[0]).isEqualTo(last);
    }

    @Test
    void aProcessorThatTheMachineLacksIsNamed() {
        assertThatThrownBy(() -> CpuSet.ofList("1023").pinCurrentThread())
                .hasMessage("processors 1023: invalid argument (sched_setaffinity: EINVAL)");
    }
}
