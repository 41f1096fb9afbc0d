package io.aisio.homi.view;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DashboardTest {
    private final AtomicLong seconds = new AtomicLong();

    @TempDir
    Path folder;

    private Dashboard open(String secret) throws IOException {
        return Dashboard.open("127.0.0.1:0", secret, () -> Samples.after(seconds.incrementAndGet()));
    }

    /** What was answered; the headers by names in small letters. */
    private record Answer(int code, Map<String, List<String>> headers, String body) {
        String header(String name) {
            return headers.entrySet().stream()
                    .filter(header -> name.equalsIgnoreCase(header.getKey()))
                    .map(header -> header.getValue().getFirst())
                    .findFirst()
                    .orElse("");
        }
    }

    private static Answer send(URI uri, String method) throws Exception {
        HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection();
        connection.setRequestMethod(method);
        int code = connection.getResponseCode();
        try (InputStream in = code < 400 ? connection.getInputStream() : connection.getErrorStream()) {
            String body = in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8);
            return new Answer(code, connection.getHeaderFields(), body);
        }
    }

    @Test
    void showsOnlyAndToWhoKnowsTheSecret() throws Exception {
        try (Dashboard dashboard = open("secret")) {
            URI page = dashboard.uri();
            assertThat(page.toString()).matches("http://127\\.0\\.0\\.1:\\d+/secret/");
            Answer html = send(page, "GET");
            assertThat(html.code()).isEqualTo(200);
            assertThat(html.header("Content-Security-Policy"))
                    .contains("default-src 'none'", "script-src 'sha256-")
                    .doesNotContain("unsafe");
            assertThat(send(page.resolve("status.json"), "GET").body()).contains("\"nvme0\"", "\"gpu\"");
            assertThat(send(page, "HEAD").body()).isEmpty();
            assertThat(send(page, "POST").code()).isEqualTo(405);
            assertThat(send(page.resolve("other"), "GET").code()).isEqualTo(404);
            for (String guess : new String[] {"/", "/secre/", "/secret", "/status.json", "/metrics"}) {
                assertThat(send(page.resolve(guess), "GET").code()).as(guess).isEqualTo(404);
            }
        }
    }

    @Test
    void refusesAPageThatComesByAnotherName() throws Exception {
        try (Dashboard dashboard = open("");
                Socket socket = new Socket("127.0.0.1", dashboard.uri().getPort())) {
            socket.getOutputStream()
                    .write("GET /status.json HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
                            .getBytes(StandardCharsets.US_ASCII));
            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                    .startsWith("HTTP/1.1 421")
                    .doesNotContain("nvme0");
        }
    }

    @Test
    void saysThatTheDaemonDoesNotAnswer() throws Exception {
        try (Dashboard dashboard = Dashboard.open("127.0.0.1:0", "", () -> {
            throw new IOException("no daemon listens on /run/homi/homi.sock");
        })) {
            Answer answer = send(dashboard.uri().resolve("metrics"), "GET");
            assertThat(answer.code()).isEqualTo(503);
            assertThat(answer.body()).contains("no daemon listens");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.0.0.0:80", "127.0.0.1", "127.0.0.1:70000", "example.org:80", "/run/homi/page.sock", ""})
    void isAtLoopbackAlone(String address) {
        assertThatThrownBy(() -> Dashboard.open(address, "", () -> Samples.after(1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("127.0.0.1:PORT or [::1]:PORT");
    }

    @Test
    void tellsPrometheusEachQueueWithItsOwner() throws Exception {
        try (Dashboard dashboard = open("")) {
            Answer metrics = send(dashboard.uri().resolve("metrics"), "GET");
            assertThat(metrics.header("Content-Type")).isEqualTo("text/plain; version=0.0.4; charset=utf-8");
            String[] lines = metrics.body().split("\n", -1);
            assertThat(lines)
                    .contains(
                            "# TYPE homi_commands_total counter",
                            "homi_ready{state=\"degraded\"} 0",
                            "homi_device_queue_pairs_used{device=\"nvme0\"} 5",
                            "homi_commands_total{device=\"nvme0\",nsid=\"1\",path=\"process\",id=\"client 1, lease 1, queue 1\","
                                    + "uid=\"1000\",owner=\"xnvmeperf\",told=\"client\",command=\"read\"} 460000",
                            "homi_extents_pins{mount=\"/mnt/data\",device=\"nvme0\"} 1");
            // Each line is a comment or name, labels and a number; each family is declared once, before its samples.
            Pattern sample = Pattern.compile("[a-z_]+(\\{[a-z]+=\"[^\"\\n]*\"(,[a-z]+=\"[^\"\\n]*\")*})? [0-9.E-]+");
            assertThat(Stream.of(lines).filter(line -> !line.isEmpty() && !line.startsWith("#")))
                    .allMatch(line -> sample.matcher(line).matches());
            assertThat(Stream.of(lines).filter(line -> line.startsWith("# TYPE")))
                    .doesNotHaveDuplicates();
        }
    }

    @Test
    void escapesWhatAClientCallsItself() {
        String text = new PrometheusText()
                .family("homi_x", PrometheusText.Type.GAUGE, "Help\\.")
                .sample(1.5, "owner", "a\"b\\c\nd")
                .sample(1L << 40)
                .toString();
        assertThat(text)
                .isEqualTo("# HELP homi_x Help\\\\.\n# TYPE homi_x gauge\nhomi_x{owner=\"a\\\"b\\\\c\\nd\"} 1.5\n"
                        + "homi_x 1099511627776\n");
    }

    @Test
    void aBrowserShowsDevicesQueuesAndANumberThatMoves() throws Exception {
        Path chromium = Stream.of("chromium", "chromium-browser", "google-chrome")
                .map(name -> Path.of("/usr/bin", name))
                .filter(Files::isExecutable)
                .findFirst()
                .orElse(null);
        assumeTrue(chromium != null, "needs chromium (apt-get install chromium)");
        try (Dashboard dashboard = open("secret")) {
            // Time runs as fast as the page lets it: six questions, and what they were answered.
            String shown = dom(chromium, dashboard.uri(), 6000);
            assertThat(shown)
                    .contains(
                            "degraded",
                            "<b>nvme0</b>",
                            "5 / 64",
                            "client 1, lease 1, queue 1",
                            "xnvmeperf, process 4711, user 1000",
                            "&lt;b&gt;filperf&lt;/b&gt;, process 4712",
                            "/dev/ublkb0",
                            "/mnt/data",
                            "its registers read as all ones")
                    .contains("<p id=\"lost\" class=\"bad\" hidden=\"\">");
            assertThat(Pattern.compile("data-path=\"(\\w+)\"")
                            .matcher(shown)
                            .results()
                            .map(found -> found.group(1)))
                    .containsExactly("process", "gpu", "kernel");
            // Its chart has a point for each second, at different heights: the load goes up and down.
            Matcher chart = Pattern.compile("aria-label=\"IOPS: ([0-9.]+ k)\".*?<path d=\"([^\"]+)\"", Pattern.DOTALL)
                    .matcher(shown);
            assertThat(chart.find()).isTrue();
            String[] points = chart.group(2).split("[ML]", -1);
            assertThat(points.length).as(chart.group(2)).isGreaterThan(3);
            assertThat(Stream.of(points)
                            .skip(1)
                            .map(point -> point.split(" ", -1)[1])
                            .distinct()
                            .count())
                    .as("heights of " + chart.group(2))
                    .isGreaterThan(1);
        }
    }

    private String dom(Path chromium, URI page, int millis) throws Exception {
        Path out = folder.resolve("dom.html");
        Process process = new ProcessBuilder(
                        chromium.toString(),
                        "--headless=new",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--user-data-dir=" + folder.resolve("profile"),
                        "--virtual-time-budget=" + millis,
                        "--dump-dom",
                        page.toString())
                .redirectError(folder.resolve("err.txt").toFile())
                .redirectOutput(out.toFile())
                .start();
        try {
            assertThat(process.waitFor(60, TimeUnit.SECONDS))
                    .as(Files.readString(folder.resolve("err.txt")))
                    .isTrue();
        } finally {
            process.destroyForcibly();
        }
        return Files.readString(out);
    }
}
