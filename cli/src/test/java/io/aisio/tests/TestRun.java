package io.aisio.tests;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.ClassNameFilter;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs the tests of one room where there is no Maven, and sums up those of several: what {@code run-tests} starts.
 *
 * <pre>
 *   TestRun run CLASSES RESULTS [--tag TAG]… [--without TAG]… [--only REGEX]
 *   TestRun sum RESULTS…       prints what ./check prints, with skipped tests by name; exits with 1 if a test failed, or none ran
 * </pre>
 *
 * RESULTS is a file named for its room. A line is written to it as each test begins and ends, so that it also tells of a
 * JVM that died at which test.
 */
public final class TestRun {
    /** How much of a failure's message is printed, in characters; the room's log has all. */
    private static final int MOST_SAID = 400;
    /** Tests' classes, as surefire and failsafe know them. */
    private static final String TESTS = ".*(Test|IT)";

    /** After which a test is interrupted. */
    private static final String PATIENCE = "180 s";

    private TestRun() {}

    /** See the class. */
    public static void main(String[] args) throws IOException {
        if (args[0].equals("run")) {
            run(Path.of(args[1]), Path.of(args[2]), List.of(args).subList(3, args.length));
            // Threads that a test left do not keep the JVM.
            System.exit(0);
        }
        Sum sum = new Sum();
        for (String results : List.of(args).subList(1, args.length)) {
            sum.add(Path.of(results));
        }
        System.exit(sum.print() ? 0 : 1);
    }

    private static void run(Path classes, Path results, List<String> options) throws IOException {
        LauncherDiscoveryRequestBuilder request = LauncherDiscoveryRequestBuilder.request()
                .selectors(DiscoverySelectors.selectClasspathRoots(Set.of(classes)))
                .configurationParameter("junit.jupiter.execution.timeout.default", PATIENCE);
        List<String> tags = new ArrayList<>();
        String only = TESTS;
        for (int i = 0; i + 1 < options.size(); i += 2) {
            String value = options.get(i + 1);
            switch (options.get(i)) {
                case "--tag" -> tags.add(value);
                case "--without" -> request.filters(TagFilter.excludeTags(value));
                case "--only" -> only = value;
                default -> throw new IllegalArgumentException("no option " + options.get(i));
            }
        }
        request.filters(ClassNameFilter.includeClassNamePatterns(TESTS));
        request.filters(ClassNameFilter.includeClassNamePatterns(only));
        if (!tags.isEmpty()) {
            request.filters(TagFilter.includeTags(tags));
        }
        LauncherDiscoveryRequest built = request.build();
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(results, StandardCharsets.UTF_8))) {
            LauncherFactory.create().execute(built, new Lines(out));
            Lines.write(out, "end", "", "");
        }
    }

    /** Writes the lines. */
    private static final class Lines implements TestExecutionListener {
        private final PrintWriter out;
        private TestPlan plan;
        private long began;

        Lines(PrintWriter out) {
            this.out = out;
        }

        /** {@code what}, the test's class and method, and a message; flushed, as the JVM may be gone with the next. */
        static synchronized void write(PrintWriter out, String what, String test, String message) {
            out.println(what + "\t" + inOneLine(test) + "\t" + inOneLine(message));
            out.flush();
        }

        @Override
        public void testPlanExecutionStarted(TestPlan started) {
            plan = started;
        }

        @Override
        public void executionStarted(TestIdentifier test) {
            if (test.isTest()) {
                began = System.nanoTime();
                write(out, "start", name(test), "");
            }
        }

        @Override
        public void executionSkipped(TestIdentifier test, String reason) {
            skipped(test, reason);
        }

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            String message = result.getThrowable()
                    .map(thrown -> String.valueOf(thrown.getMessage()))
                    .orElse("");
            switch (result.getStatus()) {
                case SUCCESSFUL -> {
                    if (test.isTest()) {
                        write(out, "passed", name(test), (System.nanoTime() - began) / 1_000_000 + " ms");
                    }
                }
                case ABORTED -> skipped(test, message.replaceFirst("^Assumption failed: ", ""));
                case FAILED -> {
                    Throwable thrown = result.getThrowable().orElseThrow();
                    write(out, "failed", name(test), thrown.getClass().getSimpleName() + ": " + message);
                    System.err.println("FAILED " + name(test));
                    thrown.printStackTrace();
                }
            }
        }

        /** A class that is skipped stands for all tests in it. */
        private void skipped(TestIdentifier test, String reason) {
            if (test.isTest()) {
                write(out, "skipped", name(test), reason);
            } else {
                plan.getDescendants(test).stream()
                        .filter(TestIdentifier::isTest)
                        .forEach(one -> write(out, "skipped", name(one), reason));
            }
        }

        private String name(TestIdentifier test) {
            return switch (test.getSource().orElse(null)) {
                case MethodSource method ->
                    simple(method.getClassName()) + "." + method.getMethodName() + parameters(test);
                case ClassSource type -> simple(type.getClassName());
                case null, default -> test.getDisplayName();
            };
        }

        /** Of a case of several, which. */
        private String parameters(TestIdentifier test) {
            boolean one = plan.getParent(test)
                    .flatMap(TestIdentifier::getSource)
                    .filter(ClassSource.class::isInstance)
                    .isPresent();
            return one ? "" : " " + test.getDisplayName();
        }

        private static String simple(String className) {
            return className.substring(className.lastIndexOf('.') + 1);
        }
    }

    private static String inOneLine(String text) {
        return text.strip().replaceAll("\\s+", " ");
    }

    /** Counts, and prints. */
    private static final class Sum {
        private int passed;
        private int failed;
        private int skipped;
        private final List<String> rooms = new ArrayList<>();
        private final List<String> failures = new ArrayList<>();
        /** Test classes with a reason each, and how many tests of it were skipped for that. */
        private final Map<String, Integer> skips = new TreeMap<>();

        void add(Path results) throws IOException {
            String room = results.getFileName().toString();
            int[] counts = new int[3];
            String running = "";
            boolean ended = false;
            for (String line : Files.readAllLines(results)) {
                String[] parts = line.split("\t", -1);
                String test = parts.length == 3 ? parts[1] : "";
                switch (parts[0]) {
                    case "start" -> running = test;
                    case "passed" -> counts[0]++;
                    case "failed" -> {
                        counts[1]++;
                        failures.add(room + ": " + test + ": " + shortened(parts[2]));
                    }
                    case "skipped" -> {
                        counts[2]++;
                        String reason = parts[2].isEmpty() ? "without a reason" : shortened(parts[2]);
                        String type = test.replaceFirst("\\..*", "");
                        skips.merge(room + ": " + type + "\t" + reason, 1, Integer::sum);
                    }
                    case "end" -> ended = true;
                    default -> {
                        // The last line of a JVM that died while it wrote.
                    }
                }
            }
            if (!ended) {
                counts[1]++;
                failures.add(room + ": the tests did not come to their end; "
                        + (running.isEmpty() ? "none had begun" : "the last that began was " + running));
            }
            if (counts[0] + counts[1] + counts[2] > 0) {
                rooms.add(String.format(
                        "%-12s %5d passed %5d failed %5d skipped", room, counts[0], counts[1], counts[2]));
            }
            passed += counts[0];
            failed += counts[1];
            skipped += counts[2];
        }

        private static String shortened(String text) {
            return text.length() <= MOST_SAID ? text : text.substring(0, MOST_SAID) + " …";
        }

        boolean print() {
            System.out.println();
            rooms.forEach(System.out::println);
            failures.forEach(failure -> System.out.println("FAILED: " + failure));
            skips.forEach((skip, tests) -> System.out.println("SKIPPED: " + skip.replaceFirst("\t.*", "") + " (" + tests
                    + (tests == 1 ? " test): " : " tests): ") + skip.replaceFirst("^.*\t", "")));
            if (passed + failed == 0) {
                System.out.println("NO TEST RAN");
            }
            System.out.println(passed + " passed, " + failed + " failed, " + skipped + " skipped");
            return failed == 0 && passed > 0;
        }
    }
}
