package io.aisio.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The threads that write a data set. */
class DatasetThreadsTest {
    @Test
    void noneRunsAnyMoreOnceItIsNotTaken() {
        DatasetTally tally = new DatasetTally("writing", DatasetShape.tiny(1));
        AtomicInteger running = new AtomicInteger();
        IllegalStateException failure = new IllegalStateException("nobody listens");
        assertThatThrownBy(() -> DatasetThreads.run(
                        () -> "one after the other",
                        (file, content) -> {
                            running.incrementAndGet();
                            try {
                                tally.passed(1);
                            } finally {
                                running.decrementAndGet();
                            }
                        },
                        tally,
                        step -> {
                            if (!step.startsWith("writing: 0 of")) {
                                throw failure;
                            }
                        }))
                .isSameAs(failure);
        assertThat(running).hasValue(0);
        assertThat(Thread.getAllStackTraces().keySet())
                .noneMatch(thread -> thread.getName().startsWith("aisio-dataset-"));
    }
}
