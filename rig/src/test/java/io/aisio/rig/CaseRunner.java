package io.aisio.rig;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.time.Duration;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Runs the cases of one hardware, in the guest: {@code CaseRunner ONE [PART OF A NAME]}. Tells of each as
 * {@link CaseEvent} has it; exits with 0 if none failed, 1 otherwise.
 */
final class CaseRunner {
    /** How long a case may take: the slowest ends in some 45 s, and machines were seen five times as slow. */
    static final Duration LIMIT = Duration.ofSeconds(240);

    private static final PrintStream OUT = System.out;

    private CaseRunner() {}

    public static void main(String[] args) throws InterruptedException {
        String part = args.length > 1 ? args[1] : "";
        boolean failed = false;
        for (Hardware.Case test : Hardware.valueOf(args[0]).cases()) {
            if (test.name().contains(part)) {
                failed |= run(test).kind() == CaseEvent.Kind.FAILED;
            }
        }
        // A case may have left threads.
        System.exit(failed ? 1 : 0);
    }

    /** In a thread of its own, so that one that hangs is told of, with where it hangs. */
    private static CaseEvent run(Hardware.Case test) throws InterruptedException {
        tell(new CaseEvent(CaseEvent.Kind.BEGINS, test.name(), 0, ""));
        long began = System.nanoTime();
        @Nullable Throwable[] thrown = new Throwable[1];
        Thread thread = Thread.ofPlatform().name(test.name()).start(() -> thrown[0] = call(test));
        boolean ended = thread.join(LIMIT);
        long millis = Duration.ofNanos(System.nanoTime() - began).toMillis();
        if (!ended) {
            tell(new CaseEvent(CaseEvent.Kind.FAILED, test.name(), millis, describeHang(thread)));
            // It may hold what the next would need, so there is no next.
            Runtime.getRuntime().halt(1);
        }
        CaseEvent event = describe(test.name(), millis, thrown[0]);
        tell(event);
        return event;
    }

    private static @Nullable Throwable call(Hardware.Case test) {
        try {
            test.method().invoke(null);
            return null;
        } catch (InvocationTargetException e) {
            return e.getCause();
        } catch (IllegalAccessException e) {
            return e;
        }
    }

    private static CaseEvent describe(String name, long millis, @Nullable Throwable thrown) {
        if (thrown == null) {
            return new CaseEvent(CaseEvent.Kind.PASSED, name, millis, "");
        }
        if (thrown instanceof NeedsException needs) {
            return new CaseEvent(CaseEvent.Kind.SKIPPED, name, millis, String.valueOf(needs.getMessage()));
        }
        StringWriter trace = new StringWriter();
        thrown.printStackTrace(new PrintWriter(trace));
        return new CaseEvent(CaseEvent.Kind.FAILED, name, millis, trace.toString());
    }

    private static String describeHang(Thread thread) {
        return "has not ended after " + LIMIT.toSeconds() + " s, in:\n"
                + Arrays.stream(thread.getStackTrace())
                        .map(frame -> "\tat " + frame)
                        .collect(Collectors.joining("\n"));
    }

    private static void tell(CaseEvent event) {
        OUT.println(event.line());
        OUT.flush();
    }
}
