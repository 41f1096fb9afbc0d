package io.aisio.microbench;

import java.util.Collection;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * Runs {@link DriverBenchmark} and prints what the driver costs: the median of both together less the median of the
 * controller alone. JMH's own options may follow, to run longer for example.
 */
public final class DriverCost {
    private DriverCost() {}

    /** @param args JMH options */
    public static void main(String[] args) throws RunnerException, CommandLineOptionException {
        CommandLineOptions given = new CommandLineOptions(args);
        ChainedOptionsBuilder options = new OptionsBuilder()
                .parent(given)
                .include(DriverBenchmark.class.getSimpleName())
                .jvmArgs("--enable-native-access=ALL-UNNAMED", "-Xmx256m", "-XX:+UseSerialGC")
                .forks(given.getForkCount().orElse(3))
                .warmupIterations(given.getWarmupIterations().orElse(3))
                .warmupTime(given.getWarmupTime().orElse(TimeValue.seconds(1)))
                .measurementIterations(given.getMeasurementIterations().orElse(10))
                .measurementTime(given.getMeasurementTime().orElse(TimeValue.milliseconds(500)))
                .addProfiler(GCProfiler.class);
        print(new Runner(options.build()).run());
    }

    private static void print(Collection<RunResult> results) {
        Map<Integer, Map<String, RunResult>> byQueues = new TreeMap<>();
        for (RunResult result : results) {
            String benchmark = result.getParams().getBenchmark();
            byQueues.computeIfAbsent(Integer.parseInt(result.getParams().getParam("queues")), k -> new TreeMap<>())
                    .put(benchmark.substring(benchmark.lastIndexOf('.') + 1), result);
        }
        System.out.println();
        System.out.println("ns per 512 B read at depth 128, medians over all iterations");
        System.out.println("queues  both  controller  driver  on two cores  driver allocates");
        byQueues.forEach((queues, r) -> {
            RunResult both = r.get("driverAndController");
            RunResult alone = r.get("controllerAlone");
            RunResult apart = r.get("controllerOnItsOwnCore");
            if (both != null && alone != null && apart != null) {
                System.out.printf(
                        "%6d  %4.1f  %10.1f  %6.1f  %12.1f  %12.4f B/op%n",
                        queues,
                        median(both),
                        median(alone),
                        median(both) - median(alone),
                        median(apart),
                        allocated(both));
            }
        });
    }

    private static double median(RunResult result) {
        return result.getPrimaryResult().getStatistics().getPercentile(50);
    }

    private static double allocated(RunResult result) {
        return Objects.requireNonNull(result.getSecondaryResults().get("gc.alloc.rate.norm"))
                .getScore();
    }
}
