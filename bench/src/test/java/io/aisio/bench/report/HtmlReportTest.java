package io.aisio.bench.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.aisio.bench.workflow.Figure;
import io.aisio.bench.workflow.Outcome;
import io.aisio.bench.workflow.ResultFormat;
import io.aisio.bench.workflow.RunRecord;
import io.aisio.bench.workflow.TaskRecord;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HtmlReportTest {
    private static final Pattern TAG = Pattern.compile("<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*?)(/?)>");
    private static final Set<String> VOID = Set.of("meta");

    @TempDir
    Path folder;

    private static TaskRecord task(
            int number, String step, Map<String, Object> parameters, Outcome outcome, String why) {
        return new TaskRecord(
                number,
                step,
                "Step <" + step + ">",
                parameters,
                1,
                List.of("tool", "--a=<b>&\"c\""),
                List.of(),
                false,
                false,
                "",
                900,
                new ResultFormat(ResultFormat.Kind.XNVMEPERF, Map.of()),
                why.isEmpty() ? TaskRecord.State.DONE : TaskRecord.State.SKIPPED,
                why,
                "2026-11-29T00:00:01Z",
                1.5,
                outcome);
    }

    private static Figure figure(
            String title, Figure.Chart chart, List<String> steps, String x, String y, String series) {
        return new Figure(
                "Experiment " + chart,
                title,
                chart,
                steps,
                x,
                y,
                series,
                Map.of(),
                List.of(
                        new Figure.Published("theirs", 150_000, null, "a talk"),
                        new Figure.Published("far", 61.7e6, null, "")),
                chart == Figure.Chart.STACKED ? List.of(new Figure.Ceiling("the link", "model", "most")) : List.of(),
                "What it means.");
    }

    private static RunRecord run(String id, double factor) {
        List<TaskRecord> tasks = new ArrayList<>();
        for (int cores : new int[] {1, 2, 4}) {
            for (int devices : new int[] {1, 2}) {
                double iops = factor * 50_000 * Math.min(cores, devices);
                tasks.add(task(
                        tasks.size() + 1,
                        "iops",
                        Map.of("cores", cores, "count", devices),
                        new Outcome(
                                Map.of("iops", iops, "latency_p99_ns", 81_234.0),
                                List.of(
                                        new Outcome.Part("a", Map.of("iops", iops / 2)),
                                        new Outcome.Part("b", Map.of("iops", iops / 2))),
                                List.of("cycles: this machine has no counter")),
                        ""));
            }
        }
        tasks.add(task(
                tasks.size() + 1,
                "gpu",
                Map.of(),
                new Outcome(Map.of(), List.of(), List.of()),
                "needs a GPU; next: buy one"));
        tasks.add(task(
                tasks.size() + 1, "model", Map.of(), new Outcome(Map.of("most", 90_000.0), List.of(), List.of()), ""));
        return new RunRecord(
                RunRecord.SCHEMA,
                id,
                "test",
                "A test & its <title>",
                "About it.",
                "this machine",
                true,
                true,
                "2026-11-29T00:00:00Z",
                "2026-11-29T00:01:00Z",
                Map.of("devices", List.of("emu:1GiB")),
                Map.of("kernel", id + " kernel", "cpu.model", "<CPU>"),
                tasks,
                List.of(
                        figure("Lines", Figure.Chart.LINES, List.of("iops"), "cores", "iops", "count"),
                        figure("Bars", Figure.Chart.BARS, List.of("iops", "gpu"), "count", "iops", ""),
                        figure("Stacked", Figure.Chart.STACKED, List.of("iops"), "count", "iops", ""),
                        figure("None", Figure.Chart.LINES, List.of("gpu"), "cores", "iops", "")));
    }

    /** As an XML parser would: each element closed, in order. */
    private static void assertWellFormed(String html) {
        String body = html.replaceFirst("<!DOCTYPE html>", "").replaceAll("(?s)<style>.*?</style>", "");
        Deque<String> open = new ArrayDeque<>();
        Matcher tag = TAG.matcher(body);
        int from = 0;
        while (tag.find()) {
            assertThat(body.substring(from, tag.start())).doesNotContain("<", ">");
            from = tag.end();
            if (tag.group(1).equals("/")) {
                assertThat(open.pop()).isEqualTo(tag.group(2));
            } else if (tag.group(4).isEmpty()) {
                assertThat(VOID).as("closed themselves").doesNotContain(tag.group(2));
                open.push(tag.group(2));
            }
        }
        assertThat(open).isEmpty();
        assertThat(body.replaceAll("&(amp|lt|gt|quot|#39);", "")).doesNotContain("&");
        assertThat(body).doesNotContain("NaN", "Infinity", ">null");
    }

    private static List<String> drawings(String html) {
        return Pattern.compile("(?s)<svg viewBox=\"0 0 480.*?</svg>")
                .matcher(html)
                .results()
                .map(java.util.regex.MatchResult::group)
                .toList();
    }

    @Test
    void isOneWellFormedFileThatNeedsNothingElse() {
        for (String html : List.of(HtmlReport.of(run("one", 1)), HtmlReport.compare(run("one", 1), run("two", 2)))) {
            assertWellFormed(html);
            assertThat(html).doesNotContain("http:", "https:", "src=", "href=", "@import", "url(", "<script");
            assertThat(html).contains("A test &amp; its &lt;title&gt;", "prefers-color-scheme: dark", "@media print");
        }
    }

    /** A model that was asked for each number of devices bounds each bar by its own value. */
    @Test
    void boundsEachBarByItsOwnCeiling() {
        RunRecord run = run("one", 1);
        List<TaskRecord> tasks = new ArrayList<>(run.tasks());
        tasks.removeIf(task -> task.step().equals("model"));
        for (int devices : new int[] {1, 2}) {
            tasks.add(task(
                    tasks.size() + 1,
                    "model",
                    Map.of("count", devices),
                    new Outcome(Map.of("most", 210_000.0 * devices), List.of(), List.of()),
                    ""));
        }
        RunRecord bounded = new RunRecord(
                run.schema(),
                run.id(),
                run.workflow(),
                run.title(),
                run.description(),
                run.target(),
                run.software(),
                run.quick(),
                run.started(),
                run.finished(),
                run.parameters(),
                run.machine(),
                tasks,
                run.figures());
        String drawing = drawings(HtmlReport.of(bounded)).get(2);
        Matcher line = Pattern.compile("class=\"ceiling\" x1=\"([\\d.]+)\" y1=\"([\\d.]+)\" x2=\"([\\d.]+)\"")
                .matcher(drawing);
        List<double[]> lines = line.results()
                .map(one -> new double[] {
                    Double.parseDouble(one.group(1)), Double.parseDouble(one.group(2)), Double.parseDouble(one.group(3))
                })
                .toList();
        assertThat(lines).hasSize(2);
        assertThat(lines.get(0)[2]).as("the first ends before the second").isLessThan(lines.get(1)[0]);
        assertThat(lines.get(0)[1]).as("and is lower").isGreaterThan(lines.get(1)[1]);
        assertThat(drawing).contains(">the link, 210<", ">the link, 420<");
    }

    @Test
    void labelsItsAxesAndShowsEveryPoint() {
        List<String> drawings = drawings(HtmlReport.of(run("one", 1)));
        assertThat(drawings).hasSize(3);
        assertThat(drawings.get(0))
                .contains(
                        ">CPU cores<",
                        ">I/O operations a second (kIOPS)<",
                        "aria-label=\"Lines\"",
                        ">theirs, 150 kIOPS<");
        assertThat(Pattern.compile("<circle").matcher(drawings.get(0)).results())
                .hasSize(6);
        assertThat(drawings.get(1)).contains(">I/O operations a second (kIOPS)<", "– needs a GPU<");
        assertThat(drawings.get(2)).contains(">devices<", "class=\"ceiling\"", ">the link, 90 kIOPS<");
        for (String drawing : drawings) {
            assertThat(Pattern.compile("class=\"tick\"").matcher(drawing).results())
                    .hasSizeGreaterThan(3);
            Matcher number =
                    Pattern.compile("(?:x|y|cx|cy|x1|x2|y1|y2)=\"(-?[\\d.]+)\"").matcher(drawing);
            while (number.find()) {
                assertThat(Double.parseDouble(number.group(1))).isBetween(0.0, 480.0);
            }
        }
    }

    @Test
    void hasNumbersNotesFactsAndWhatOthersPublished() {
        String html = HtmlReport.of(run("one", 1));
        assertThat(html)
                .contains(
                        "81.2 µs", "100 kIOPS", "cycles: this machine has no counter", "one kernel", "far: 61.7 MIOPS")
                .contains("Not measured: needs a GPU; next: buy one")
                .contains("Measured on controllers in software");
    }

    @Test
    void comparesTwoRunsOnOneAxis() {
        String html = HtmlReport.compare(run("one", 1), run("two", 2));
        List<String> drawings = drawings(html);
        assertThat(drawings).hasSize(6);
        assertThat(ticks(drawings.get(0))).isEqualTo(ticks(drawings.get(1)));
        assertThat(html).contains(">0.50<", "class=\"differs\">two kernel");
    }

    private static List<String> ticks(String drawing) {
        return Pattern.compile("text-anchor=\"end\">([\\d.]+)<")
                .matcher(drawing)
                .results()
                .map(found -> found.group(1))
                .toList();
    }

    @ParameterizedTest
    @CsvSource({
        "iops, 61713000, 61.7 MIOPS",
        "iops, 999, 999 IOPS",
        "iops, 1000, 1 kIOPS",
        "iops, 0, 0 IOPS",
        "bytes_per_second, 45170000000, 45.2 GB/s",
        "latency_p99_ns, 81234, 81.2 µs",
        "cpu_ns_per_io, 26.6, 26.6 ns",
        "cpu_percent, 163.2, 163 %",
        "cycles_per_io, 88.4, 88.4"
    })
    void writesValuesAsAPersonDoes(String name, double value, String text) {
        assertThat(Quantity.of(name).format(value)).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({"7, 2, 8", "100, 20, 100", "101, 50, 150", "0, 0.2, 1", "0.0031, 0.001, 0.004", "6.2e7, 2e7, 8e7"})
    void anAxisEndsAtARoundNumber(double most, double step, double end) {
        Axis axis = Axis.upTo(most);
        assertThat(axis.step()).isCloseTo(step, org.assertj.core.data.Percentage.withPercentage(0.001));
        assertThat(axis.end()).isCloseTo(end, org.assertj.core.data.Percentage.withPercentage(0.001));
    }

    @Test
    @Tag("slow")
    void aBrowserShowsItInLightAndDarkOnAPhoneAndPrinted() throws Exception {
        Path browser = browser();
        Path page = Files.writeString(folder.resolve("report.html"), HtmlReport.of(run("one", 1)));
        Set<Integer> backgrounds = new HashSet<>();
        for (boolean dark : new boolean[] {false, true}) {
            for (int width : new int[] {1280, 500}) {
                Path shot = folder.resolve("shot-" + dark + width + ".png");
                start(
                        browser,
                        page,
                        dark
                                ? List.of("--force-dark-mode", "--blink-settings=preferredColorScheme=0")
                                : List.of("--blink-settings=preferredColorScheme=1"),
                        "--screenshot=" + shot,
                        "--window-size=" + width + ",1600");
                int[] pixels = pixels(shot, width, 1600);
                Set<Integer> colours = new HashSet<>();
                for (int pixel : pixels) {
                    colours.add(pixel);
                }
                assertThat(colours).as("colours of " + shot.getFileName()).hasSizeGreaterThan(50);
                backgrounds.add(pixels[0]);
            }
        }
        assertThat(backgrounds).as("paper, light and dark").hasSize(2);
        Path printed = folder.resolve("report.pdf");
        start(browser, page, List.of("--no-pdf-header-footer"), "--print-to-pdf=" + printed);
        assertThat(printed).exists();
        assertThat(new String(Files.readAllBytes(printed), java.nio.charset.StandardCharsets.ISO_8859_1))
                .startsWith("%PDF-")
                .contains("/Type /Page");
    }

    private static Path browser() {
        for (String name : List.of("chromium", "chromium-browser", "google-chrome")) {
            Path path = Path.of("/usr/bin", name);
            if (Files.isExecutable(path)) {
                return path;
            }
        }
        assumeTrue(false, "needs a browser (apt-get install chromium)");
        throw new AssertionError("unreachable");
    }

    private void start(Path browser, Path page, List<String> more, String... action) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                browser.toString(),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--user-data-dir=" + folder.resolve("profile")));
        command.addAll(more);
        command.addAll(List.of(action));
        command.add(page.toUri().toString());
        Path log = folder.resolve("browser.log");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            assertThat(process.waitFor(180, TimeUnit.SECONDS)).as("it ends").isTrue();
            assertThat(process.exitValue()).as(Files.readString(log)).isZero();
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }

    /** The pixels of a PNG of 8 bits a channel without interlacing, as browsers write them. */
    private static int[] pixels(Path png, int width, int height) throws IOException, DataFormatException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(png)).position(8);
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        int channels = 0;
        while (bytes.hasRemaining()) {
            int length = bytes.getInt();
            byte[] name = new byte[4];
            bytes.get(name);
            byte[] data = new byte[length];
            bytes.get(data);
            bytes.getInt();
            switch (new String(name, java.nio.charset.StandardCharsets.US_ASCII)) {
                case "IHDR" -> {
                    ByteBuffer header = ByteBuffer.wrap(data);
                    assertThat(header.getInt()).isEqualTo(width);
                    assertThat(header.getInt()).isEqualTo(height);
                    assertThat(header.get()).isEqualTo((byte) 8);
                    channels = header.get() == 6 ? 4 : 3;
                }
                case "IDAT" -> packed.writeBytes(data);
                default -> {
                    // Nothing of the picture.
                }
            }
        }
        byte[] rows = new byte[height * (1 + width * channels)];
        Inflater inflater = new Inflater();
        inflater.setInput(packed.toByteArray());
        assertThat(inflater.inflate(rows)).isEqualTo(rows.length);
        inflater.end();
        return unfiltered(rows, width, height, channels);
    }

    /** PNG, 9.2: each byte is told by its difference from its neighbours. */
    private static int[] unfiltered(byte[] rows, int width, int height, int channels) {
        int stride = width * channels;
        byte[] above = new byte[stride];
        int[] pixels = new int[width * height];
        for (int y = 0; y < height; y++) {
            int filter = rows[y * (stride + 1)];
            byte[] row = new byte[stride];
            for (int i = 0; i < stride; i++) {
                int left = i >= channels ? row[i - channels] & 0xFF : 0;
                int up = above[i] & 0xFF;
                int corner = i >= channels ? above[i - channels] & 0xFF : 0;
                int guess = switch (filter) {
                    case 1 -> left;
                    case 2 -> up;
                    case 3 -> (left + up) / 2;
                    case 4 -> paeth(left, up, corner);
                    default -> 0;
                };
                row[i] = (byte) (rows[y * (stride + 1) + 1 + i] + guess);
            }
            for (int x = 0; x < width; x++) {
                int at = x * channels;
                pixels[y * width + x] = (row[at] & 0xFF) << 16 | (row[at + 1] & 0xFF) << 8 | (row[at + 2] & 0xFF);
            }
            above = row;
        }
        return pixels;
    }

    private static int paeth(int left, int up, int corner) {
        int guess = left + up - corner;
        int a = Math.abs(guess - left);
        int b = Math.abs(guess - up);
        int c = Math.abs(guess - corner);
        return a <= b && a <= c ? left : b <= c ? up : corner;
    }
}
