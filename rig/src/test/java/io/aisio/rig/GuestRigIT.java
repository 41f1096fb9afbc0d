package io.aisio.rig;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.upcie.Access;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Boots a guest for each {@link Hardware}, has {@link CaseRunner} run its cases there, and shows each as a test of its own.
 *
 * <p>{@code -Drig.hardware=ONE} and {@code -Drig.case=PART} choose some.
 */
@Tag("slow")
class GuestRigIT {
    /** Some times what a guest takes on a machine that does much else. */
    private static final Duration LIMIT = Duration.ofMinutes(15);

    /**
     * How many guests run at once. Each keeps a core busy: on two idle cores, two side by side took 17 s where one after
     * the other took 29 s.
     */
    private static final ExecutorService GUESTS = Executors.newFixedThreadPool(
            Integer.getInteger("rig.guests", Math.clamp(Runtime.getRuntime().availableProcessors(), 1, 4)));

    private static final String CHOSEN_HARDWARE = System.getProperty("rig.hardware", "");
    private static final String CHOSEN_CASE = System.getProperty("rig.case", "");

    /** As the description of the devices has it. */
    private static final long IMAGE_BYTES = 64L << 20;

    @TempDir
    static Path folder;

    private static String missing = "";

    @BeforeAll
    static void prepare() {
        missing = Rig.prepare();
    }

    @TestFactory
    Stream<DynamicNode> guest() {
        List<Guest> chosen = Arrays.stream(Hardware.values())
                .filter(hardware -> CHOSEN_HARDWARE.isEmpty() || hardware.name().equals(CHOSEN_HARDWARE))
                .map(Guest::new)
                .toList();
        if (missing.isEmpty()) {
            chosen.forEach(guest -> guest.result = GUESTS.submit(guest));
        }
        return chosen.stream()
                .flatMap(guest -> Stream.of(testsOf(guest), readBack(guest), inTheBar(guest))
                        .flatMap(tests -> tests));
    }

    @AfterAll
    static void endGuests() {
        GUESTS.shutdownNow();
    }

    private static Stream<DynamicNode> testsOf(Guest guest) {
        return guest.hardware.cases().stream()
                .map(Hardware.Case::name)
                .filter(name -> name.contains(CHOSEN_CASE))
                .map(name -> DynamicTest.dynamicTest(guest.hardware + ": " + name, () -> {
                    assumeTrue(missing.isEmpty(), missing);
                    guest.report(name);
                }));
    }

    /** What the guest wrote through the controller, found in the image by the host. */
    private static Stream<DynamicNode> readBack(Guest guest) {
        return guest.hardware.accesses().stream()
                .filter(access -> CHOSEN_CASE.isEmpty())
                .map(access -> DynamicTest.dynamicTest(
                        guest.hardware + ": the host finds what was written by " + access, () -> {
                            assumeTrue(missing.isEmpty(), missing);
                            guest.requireWritten(access);
                        }));
    }

    /** What the controller read into another device's memory, found there by the host. */
    private static Stream<DynamicNode> inTheBar(Guest guest) {
        return Stream.of(guest)
                .filter(chosen -> chosen.hardware == Hardware.KMOD && CHOSEN_CASE.isEmpty())
                .map(chosen -> DynamicTest.dynamicTest(
                        guest.hardware + ": the host finds in the BAR what the controller read", () -> {
                            assumeTrue(missing.isEmpty(), missing);
                            guest.requireInTheBar();
                        }));
    }

    /** One boot, and what came of the cases in it. */
    private static final class Guest implements Callable<Void> {
        private final Hardware hardware;
        private final Map<String, CaseEvent> last = new LinkedHashMap<>();
        private final List<String> said = new ArrayList<>();
        private int exit;
        private @Nullable Future<Void> result;
        private final Path images;

        Guest(Hardware hardware) {
            this.hardware = hardware;
            images = folder.resolve(hardware.devices());
        }

        /** Boots it and reads what it says, to its end. */
        @Override
        public Void call() throws IOException, InterruptedException {
            Files.createDirectory(images);
            prepareImages();
            long began = System.nanoTime();
            long first = 0;
            Process process = Rig.command(command()).redirectErrorStream(true).start();
            try (BufferedReader lines = process.inputReader()) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    if (first == 0 && CaseEvent.parse(line).isPresent()) {
                        first = System.nanoTime();
                    }
                    take(line);
                }
                exit = process.waitFor();
            } finally {
                process.destroyForcibly();
            }
            long end = System.nanoTime();
            System.out.printf(
                    "rig: %s: first case after %.1f s, %d cases in %.1f s%n",
                    hardware,
                    seconds((first == 0 ? end : first) - began),
                    last.size(),
                    first == 0 ? 0 : seconds(end - first));
            return null;
        }

        private List<String> command() {
            return List.of(
                    "--devices",
                    hardware.devices(),
                    "--images",
                    images.toString(),
                    "--timeout",
                    Long.toString(LIMIT.toSeconds()),
                    "--",
                    "java",
                    "-Xint",
                    "-XX:+UseSerialGC",
                    "-XX:-UsePerfData",
                    "-ea",
                    "-Daisio.checked=true",
                    "--enable-native-access=ALL-UNNAMED",
                    "-cp",
                    // Surefire starts its JVM with a jar that only names the class path.
                    System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                    CaseRunner.class.getName(),
                    hardware.name(),
                    CHOSEN_CASE);
        }

        /** The host's blocks, for the guest to read. */
        private void prepareImages() throws IOException {
            if (!hardware.accesses().isEmpty()) {
                try (FileChannel image =
                        FileChannel.open(image(), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                    image.write(Exchange.host().asByteBuffer(), Exchange.FROM_HOST * Exchange.BLOCK_BYTES);
                    image.write(ByteBuffer.allocate(1), IMAGE_BYTES - 1);
                }
            }
        }

        private Path image() {
            return images.resolve("nvme0n" + Exchange.NSID + ".raw");
        }

        void requireWritten(Access access) throws IOException, ExecutionException, InterruptedException {
            requireSame(image(), Exchange.fromGuest(access) * Exchange.BLOCK_BYTES, Exchange.guest(access));
        }

        void requireInTheBar() throws IOException, ExecutionException, InterruptedException {
            requireSame(images.resolve("bar.raw"), KmodCases.FOR_HOST, Exchange.host());
        }

        private void requireSame(Path file, long position, MemorySegment expected)
                throws IOException, ExecutionException, InterruptedException {
            Objects.requireNonNull(result).get();
            ByteBuffer found = ByteBuffer.allocate(Exchange.BLOCKS * Exchange.BLOCK_BYTES);
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                channel.read(found, position);
            }
            assertThat(MemorySegment.ofArray(found.array()).mismatch(expected))
                    .as("first differing byte of what the guest left in %s", file)
                    .isEqualTo(-1);
        }

        private void take(String line) {
            CaseEvent.parse(line).ifPresentOrElse(event -> last.put(event.name(), event), () -> said.add(line));
        }

        /** Passes, fails or skips as the case did in the guest. */
        void report(String name) throws ExecutionException, InterruptedException {
            Objects.requireNonNull(result).get();
            CaseEvent event = last.get(name);
            if (event == null) {
                fail("did not run; the guest ended with " + exit + " and said:\n" + String.join("\n", said));
            } else {
                switch (event.kind()) {
                    case PASSED -> System.out.printf("rig: %s: %s passed in %d ms%n", hardware, name, event.millis());
                    case SKIPPED -> abort(event.text());
                    case FAILED -> fail(event.text() + "\nin the guest, which said:\n" + String.join("\n", said));
                    case BEGINS ->
                        fail("was cut off: the guest ended with " + exit + " and said:\n" + String.join("\n", said));
                }
            }
        }

        private static double seconds(long nanos) {
            return nanos / 1e9;
        }
    }
}
