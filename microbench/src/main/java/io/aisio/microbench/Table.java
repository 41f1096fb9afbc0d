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
 * Runs {@link DriverBenchmark}, {@link LentQueueBenchmark} and {@link TransferBenchmark} and prints what docs/performance.md
 * states: what the driver costs, with and without the controller, what the controller does, and how its transfers compare with
 * a copy. JMH's own options may follow, to run longer for example.
 */
public final class Table {
    private Table() {}

    /** @param args JMH options */
    public static void main(String[] args) throws RunnerException, CommandLineOptionException {
        CommandLineOptions given = new CommandLineOptions(args);
        ChainedOptionsBuilder options = new OptionsBuilder()
                .parent(given)
                .include(DriverBenchmark.class.getSimpleName())
                .include(TransferBenchmark.class.getSimpleName())
                .include(LentQueueBenchmark.class.getSimpleName())
                .jvmArgs("--enable-native-access=ALL-UNNAMED", "-Xmx256m")
                .forks(given.getForkCount().orElse(3))
                .warmupIterations(given.getWarmupIterations().orElse(3))
                .warmupTime(given.getWarmupTime().orElse(TimeValue.seconds(1)))
                .measurementIterations(given.getMeasurementIterations().orElse(10))
                .measurementTime(given.getMeasurementTime().orElse(TimeValue.milliseconds(500)))
                .addProfiler(GCProfiler.class);
        print(new Runner(options.build()).run());
    }

    private static void print(Collection<RunResult> results) {
        Map<String, RunResult> byName = new TreeMap<>();
        for (RunResult result : results) {
            String benchmark = result.getParams().getBenchmark();
            String queues = result.getParams().getParam("queues");
            String bytes = result.getParams().getParam("bytes");
            byName.put(
                    benchmark.substring(benchmark.lastIndexOf('.') + 1)
                            + (queues == null
                                    ? bytes + "of" + result.getParams().getParam("mebibytes")
                                    : queues),
                    result);
        }
        System.out.println();
        System.out.println("ns per 512 B read at depth 128, medians over all iterations");
        System.out.println("queues  driver  with controller  on two cores  driver allocates");
        for (int queues : new int[] {1, 16}) {
            RunResult driver = byName.get("driver" + queues);
            RunResult both = byName.get("driverAndController" + queues);
            RunResult apart = byName.get("controllerOnItsOwnCore" + queues);
            if (driver != null && both != null && apart != null) {
                System.out.printf(
                        "%6d  %6.1f  %15.1f  %12.1f  %11.4f B/op%n",
                        queues, median(driver), median(both), median(apart), allocated(both));
            }
        }
        System.out.println();
        System.out.println("ns per command of a queue driven in rounds of " + LentQueueBenchmark.DEPTH + ", medians");
        System.out.println("controller alone  on two cores");
        RunResult alone = byName.get("controller1");
        RunResult rounds = byName.get("fromDoorbellToLastCompletion1");
        if (alone != null && rounds != null) {
            System.out.printf("%16.1f  %12.1f%n", median(alone), median(rounds));
        }
        System.out.println();
        System.out.println("random reads from memory media, driver and controller on a core each, medians");
        System.out.println(" bytes  of MiB  million/s   GiB/s  a copy on one core, GiB/s  ratio");
        for (int bytes : new int[] {512, 131072}) {
            for (int mebibytes : new int[] {64, 1024}) {
                RunResult read = byName.get("read" + bytes + "of" + mebibytes);
                RunResult copy = byName.get("copy" + bytes + "of" + mebibytes);
                if (read != null && copy != null) {
                    double reads = bytes / median(read) * 1e9 / (1 << 30);
                    double copies = bytes / median(copy) * 1e9 / (1 << 30);
                    System.out.printf(
                            "%6d  %6d  %9.2f  %6.2f  %25.2f  %5.2f%n",
                            bytes, mebibytes, 1e3 / median(read), reads, copies, reads / copies);
                }
            }
        }
    }

    private static double median(RunResult result) {
        return result.getPrimaryResult().getStatistics().getPercentile(50);
    }

    private static double allocated(RunResult result) {
        return Objects.requireNonNull(result.getSecondaryResults().get("gc.alloc.rate.norm"))
                .getScore();
    }
}
