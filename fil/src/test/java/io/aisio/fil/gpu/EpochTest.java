package io.aisio.fil.gpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.fil.spi.FileTable;
import io.aisio.upcie.DmaMemory;
import io.aisio.xal.Piece;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What host and GPU share of an epoch, against the kernel's own source: compiled for the host, as far as that can be. */
class EpochTest {
    private static final int PAGE = 4096;
    private static final int PAGES = 1_300;
    private static final Path KERNELS = Path.of("../cuda/src/main/resources/io/aisio/cuda/kernels");

    @TempDir
    private static Path folder;

    /** What the compiler's program says, by the first word of its lines. */
    private static List<String> probe(String input, String... arguments) throws Exception {
        Path program = folder.resolve("probe");
        if (!Files.exists(program)) {
            assumeTrue(Files.exists(KERNELS), "needs the kernels' source");
            Path source = folder.resolve("probe.cpp");
            try (InputStream in = Objects.requireNonNull(EpochTest.class.getResourceAsStream("epoch-probe.cpp"))) {
                Files.copy(in, source);
            }
            assumeTrue(Files.isExecutable(Path.of("/usr/bin/c++")), "needs a C++ compiler (apt-get install g++)");
            run(
                    "",
                    "/usr/bin/c++",
                    "-std=c++17",
                    "-O1",
                    "-I",
                    KERNELS.toString(),
                    source.toString(),
                    "-o",
                    program.toString());
        }
        List<String> command = new ArrayList<>(List.of(program.toString()));
        command.addAll(List.of(arguments));
        return run(input, command.toArray(String[]::new));
    }

    private static List<String> run(String input, String... command) throws Exception {
        Path file = Files.writeString(folder.resolve("input"), input);
        Path output = folder.resolve("output");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectInput(file.toFile())
                .redirectOutput(output.toFile())
                .start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        String said = Files.readString(output, StandardCharsets.UTF_8);
        assertThat(process.exitValue()).as(said).isZero();
        return said.lines().toList();
    }

    /** Each field of a structure is where {@link EpochLayout} says, and there is none that it does not know. */
    @Test
    void fieldsLieWhereTheCompilerPutsThem() throws Exception {
        Map<String, Long> expected = new HashMap<>();
        for (Field field : EpochLayout.class.getDeclaredFields()) {
            if (field.getType() == long.class && !field.getName().equals("ZEROS")) {
                expected.put(field.getName(), field.getLong(null));
            }
        }
        Map<String, String> odd = Map.of(
                "Run.bytes", "RUN_LENGTH",
                "Failure.bytes", "FAILURE_LENGTH",
                "Parameters.slots", "SLOTS",
                "Parameters.batchFiles", "BATCH_FILE_COUNT");
        Map<String, Long> got = new HashMap<>();
        for (String line : probe("")) {
            String[] words = line.split(" ");
            String[] name = words[0].split("\\.");
            String field = name.length == 1 ? "_BYTES" : "_" + name[1].replaceAll("([A-Z])", "_$1");
            String itsName = (name[0].equals("Parameters") && name.length == 2 ? field.substring(1) : name[0] + field)
                    .toUpperCase(Locale.ROOT);
            got.put(odd.getOrDefault(words[0], itsName), Long.parseLong(words[1]));
        }
        assertThat(got).isEqualTo(expected);
    }

    /** Pages that are scattered, as a device sees them. */
    private record Scattered(long size) implements DmaMemory {
        @Override
        public MemorySegment segment() {
            return MemorySegment.NULL;
        }

        @Override
        public long iova(long offset) {
            return (offset / PAGE * 7 + 3) * PAGE + offset % PAGE;
        }

        @Override
        public void close() {}
    }

    @Test
    void theEntriesOfEveryCommandLieInOnePage() {
        PageLists lists = new PageLists((long) PAGES * PAGE);
        Scattered memory = new Scattered((long) PAGES * PAGE);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment entries = arena.allocate(lists.bytes(), Long.BYTES);
            lists.write(memory, entries);
            for (int page = 0; page < PAGES; page++) {
                for (int n = 3; n <= EpochLayout.MOST_PAGES && page + n <= PAGES; n++) {
                    long first = page + 1L;
                    if (first % EpochLayout.LIST + n - 1 > EpochLayout.LIST) {
                        first += lists.second() + EpochLayout.SHIFTED;
                    }
                    assertThat(first % EpochLayout.LIST + n - 1).isLessThanOrEqualTo(EpochLayout.LIST);
                    assertThat(entries.getAtIndex(JAVA_LONG, first)).isEqualTo(memory.iova((page + 1L) * PAGE));
                    assertThat(entries.getAtIndex(JAVA_LONG, first + n - 2))
                            .isEqualTo(memory.iova((page + n - 1L) * PAGE));
                }
            }
        }
    }

    @Test
    void theKernelFindsTheEntriesOfEveryCommand() throws Exception {
        PageLists lists = new PageLists((long) PAGES * PAGE);
        String last = probe("", Integer.toString(PAGES), Long.toString(lists.second())).stream()
                .filter(line -> line.startsWith("lists"))
                .findFirst()
                .orElseThrow();
        // All starts, all lengths from 3 to 257 pages, from two places in the first page.
        long expected = 0;
        for (int n = 3; n <= EpochLayout.MOST_PAGES; n++) {
            expected += 2L * (PAGES - n + 1);
        }
        assertThat(last).isEqualTo("lists " + expected + " wrong 0");
    }

    private static FileTable files() throws IOException {
        FileTable files = new FileTable();
        files.add("/empty", 0, 0, List.of());
        files.add("/one", 1, 0, List.of(new Piece(Piece.Kind.DATA, 0, 8192, 1)));
        files.add("/whole", 8192, 0, List.of(new Piece(Piece.Kind.DATA, 0, 1 << 20, 8192)));
        files.add("/zeros", 70_000, 0, List.of(new Piece(Piece.Kind.HOLE, 0, Piece.NOWHERE, 70_000)));
        files.add("/odd", 5_000, 0, List.of(new Piece(Piece.Kind.DATA, 0, 512 * 11, 5_000)));
        files.add(
                "/parts",
                100_001,
                0,
                List.of(
                        new Piece(Piece.Kind.DATA, 0, 1 << 21, 40_960),
                        new Piece(Piece.Kind.UNWRITTEN, 40_960, 1 << 23, 8_192),
                        new Piece(Piece.Kind.DATA, 49_152, 1 << 22, 4_096),
                        new Piece(Piece.Kind.HOLE, 53_248, Piece.NOWHERE, 20_480),
                        new Piece(Piece.Kind.DATA, 73_728, 3 << 21, 26_273)));
        files.add("/crooked", 8_192, 0, List.of(new Piece(Piece.Kind.DATA, 0, 1_000, 8_192)));
        return files;
    }

    @Test
    void filesAreCutIntoItemsOfWhichZerosAreNoCommands() throws Exception {
        EpochTable table = new EpochTable(files(), 512, 16_384);
        assertThat(List.of(table.items(0), table.items(1), table.items(2), table.items(3), table.items(4)))
                .containsExactly(0, 1, 1, 5, 1);
        assertThat(table.items(5)).isEqualTo(3 + 1 + 1 + 2 + 2);
        assertThat(table.commands(3)).isZero();
        assertThat(table.commands(5)).isEqualTo(3 + 1 + 2);
        assertThat(table.isWhole(6)).as("at byte 1000 of the device").isFalse();
        assertThat(table.items(6)).isZero();
        assertThat(table.runsBytes()).isEqualTo((1 + 1 + 1 + 1 + 5 + 1) * EpochLayout.RUN_BYTES);
    }

    /** The kernel's items of all files are, together, each byte of each file's room once, from where it lies. */
    @Test
    void theKernelCutsFilesAsTheTableCounts() throws Exception {
        for (int ioBytes : new int[] {512, 4_096, 16_384, 1 << 20}) {
            FileTable files = files();
            EpochTable table = new EpochTable(files, 512, ioBytes);
            StringBuilder input = new StringBuilder();
            long[] at = new long[files.files()];
            int[] first = new int[at.length];
            int all = 0;
            long next = 0;
            for (int row = 0; row < at.length; row++) {
                at[row] = next;
                first[row] = all;
                all += table.items(row);
                next += (files.size(row) + PAGE - 1) / PAGE * PAGE;
            }
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment itsFiles = arena.allocate(table.filesBytes(), 8);
                MemorySegment itsRuns = arena.allocate(table.runsBytes(), 8);
                table.writeFiles(itsFiles);
                table.writeRuns(itsRuns);
                long runs = table.runsBytes() / EpochLayout.RUN_BYTES;
                input.append("%d %d %d 9 4096\n".formatted(at.length, runs, ioBytes));
                for (int row = 0; row < at.length; row++) {
                    long from = row * EpochLayout.FILE_BYTES;
                    input.append("%d %d %d\n"
                            .formatted(
                                    itsFiles.get(JAVA_LONG, from + EpochLayout.FILE_SIZE),
                                    itsFiles.get(JAVA_INT, from + EpochLayout.FILE_FIRST_RUN),
                                    itsFiles.get(JAVA_INT, from + EpochLayout.FILE_RUNS)));
                }
                for (long run = 0; run < runs; run++) {
                    long from = run * EpochLayout.RUN_BYTES;
                    input.append("%s %d %d %d\n"
                            .formatted(
                                    Long.toUnsignedString(itsRuns.get(JAVA_LONG, from + EpochLayout.RUN_LBA)),
                                    itsRuns.get(JAVA_LONG, from + EpochLayout.RUN_OFFSET),
                                    itsRuns.get(JAVA_LONG, from + EpochLayout.RUN_LENGTH),
                                    itsRuns.get(JAVA_INT, from + EpochLayout.RUN_FIRST_ITEM)));
                }
            }
            for (int row = 0; row < at.length; row++) {
                input.append("%d %d %d %d\n".formatted(at[row], row, first[row], all));
            }
            List<String> items = probe(input.toString()).stream()
                    .filter(line -> line.startsWith("item"))
                    .toList();
            assertThat(items).hasSize(all);
            assertThat(memory(items, next)).isEqualTo(expected(files, table, at, next));
        }
    }

    /** What each byte of memory holds then: the device's byte, by its position and one; 0 for a zero, -1 for nothing. */
    private static long[] memory(List<String> items, long bytes) {
        long[] memory = new long[(int) bytes];
        Arrays.fill(memory, -1);
        List<long[]> tails = new ArrayList<>();
        List<String> shuffled = new ArrayList<>(items);
        Collections.shuffle(shuffled, new Random(items.size()));
        for (String line : shuffled) {
            String[] words = line.split(" ");
            long lba = Long.parseLong(words[2]);
            int at = Integer.parseInt(words[3]);
            int length = Integer.parseInt(words[4]);
            for (int i = 0; i < length; i++) {
                assertThat(memory[at + i]).as("byte %d, of %s", at + i, line).isEqualTo(-1);
                memory[at + i] = lba < 0 ? 0 : lba * 512 + i + 1;
            }
            int tail = Integer.parseInt(words[5]);
            if (tail > 0) {
                tails.add(new long[] {Long.parseLong(words[6]), tail});
            }
        }
        for (long[] tail : tails) {
            Arrays.fill(memory, (int) tail[0], (int) (tail[0] + tail[1]), 0);
        }
        return memory;
    }

    private static long[] expected(FileTable files, EpochTable table, long[] at, long bytes) {
        long[] memory = new long[(int) bytes];
        for (int row = 0; row < at.length; row++) {
            if (!table.isWhole(row)) {
                Arrays.fill(memory, (int) at[row], (int) (at[row] + files.size(row)), -1);
                continue;
            }
            for (int run = 0; run < files.runs(row); run++) {
                long position = files.runPosition(row, run);
                for (int i = 0; i < files.runLength(row, run); i++) {
                    memory[(int) (at[row] + files.runOffset(row, run) + i)] =
                            position == FileTable.ZEROS ? 0 : position + i + 1;
                }
            }
        }
        return memory;
    }

    @Test
    void aBlockHasWholeWarps() throws Exception {
        assertThat(EpochKernel.threads(1, 1023, 1024)).isEqualTo(32);
        assertThat(EpochKernel.threads(128, 1023, 1024)).isEqualTo(128);
        assertThat(EpochKernel.threads(129, 1023, 1024)).isEqualTo(160);
        assertThat(EpochKernel.threads(4_096, 1023, 1024)).isEqualTo(992);
        assertThat(EpochKernel.threads(4_096, 65_535, 768)).isEqualTo(768);
    }
}
