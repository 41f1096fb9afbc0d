package io.aisio.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A headless Chromium with one page, driven by the Chrome DevTools Protocol through two pipes: no port is opened. What the
 * page asks for and complains of is kept. One thread uses it.
 */
final class Browser implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final Process process;
    private final OutputStream out;
    private final InputStream in;
    private final List<String> requests = new ArrayList<>();
    private final List<String> complaints = new ArrayList<>();
    private String session = "";
    private int calls;

    /** Where the browser is on this machine, if it is. */
    static Optional<Path> find() {
        return Stream.of("chromium", "chromium-browser", "google-chrome")
                .map(name -> Path.of("/usr/bin", name))
                .filter(Files::isExecutable)
                .findFirst();
    }

    /** @param folder for its profile and the pipes; empty */
    Browser(Path chromium, Path folder) throws Exception {
        Path commands = folder.resolve("commands");
        Path answers = folder.resolve("answers");
        new ProcessBuilder("mkfifo", commands.toString(), answers.toString())
                .inheritIO()
                .start()
                .waitFor();
        process = new ProcessBuilder(
                        "sh",
                        "-c",
                        "exec \"$@\" 3<\"$0/commands\" 4>\"$0/answers\"",
                        folder.toString(),
                        chromium.toString(),
                        "--headless=new",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--disable-background-networking",
                        "--remote-debugging-pipe",
                        "--user-data-dir=" + folder.resolve("profile"))
                .redirectError(folder.resolve("stderr.txt").toFile())
                .redirectOutput(folder.resolve("stdout.txt").toFile())
                .start();
        // Each waits for the other side to open it too.
        out = Files.newOutputStream(commands);
        in = new BufferedInputStream(Files.newInputStream(answers));
        String target = call("Target.createTarget", params -> params.put("url", "about:blank"))
                .get("targetId")
                .stringValue();
        session = call(
                        "Target.attachToTarget",
                        params -> params.put("targetId", target).put("flatten", true))
                .get("sessionId")
                .stringValue();
        for (String domain : List.of("Page", "Runtime", "Log", "Network")) {
            call(domain + ".enable", _ -> {});
        }
    }

    /** Shows a page. */
    void open(String uri) throws IOException {
        call("Page.navigate", params -> params.put("url", uri));
    }

    /** How large the window is, in CSS pixels, and which colours its user likes: {@code light} or {@code dark}. */
    void looks(int width, int height, String colours) throws IOException {
        call(
                "Emulation.setDeviceMetricsOverride",
                params -> params.put("width", width)
                        .put("height", height)
                        .put("deviceScaleFactor", 1)
                        .put("mobile", false));
        call(
                "Emulation.setEmulatedMedia",
                params -> params.putArray("features")
                        .addObject()
                        .put("name", "prefers-color-scheme")
                        .put("value", colours));
    }

    /** What an expression of JavaScript is in the page, as text. */
    String ask(String expression) throws IOException {
        JsonNode result = call(
                "Runtime.evaluate",
                params -> params.put("expression", "String(" + expression + ")").put("returnByValue", true));
        return result.path("result").path("value").stringValue(result.toString());
    }

    /** The addresses that the page asked for so far. */
    List<String> requests() {
        return requests;
    }

    /** What was written to the page's console as an error, and what nothing caught. */
    List<String> complaints() {
        return complaints;
    }

    private JsonNode call(String method, Consumer<ObjectNode> fill) throws IOException {
        ObjectNode request = JSON.createObjectNode();
        int id = ++calls;
        request.put("id", id).put("method", method);
        if (!session.isEmpty()) {
            request.put("sessionId", session);
        }
        fill.accept(request.putObject("params"));
        out.write((JSON.writeValueAsString(request) + "\0").getBytes(UTF_8));
        out.flush();
        while (true) {
            JsonNode message = JSON.readTree(receive());
            if (message.path("id").intValue(0) != id) {
                keep(message);
            } else if (message.has("error")) {
                throw new IOException(method + ": " + message.get("error"));
            } else {
                return message.get("result");
            }
        }
    }

    private String receive() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int one = in.read(); one != 0; one = in.read()) {
            if (one < 0) {
                throw new IOException("the browser has ended");
            }
            bytes.write(one);
        }
        return bytes.toString(UTF_8);
    }

    private void keep(JsonNode event) {
        JsonNode params = event.path("params");
        switch (event.path("method").stringValue("")) {
            case "Network.requestWillBeSent" ->
                requests.add(params.path("request").path("url").stringValue(""));
            case "Runtime.exceptionThrown" -> complaints.add(params.toString());
            case "Runtime.consoleAPICalled" -> {
                if (List.of("error", "warning", "assert")
                        .contains(params.path("type").stringValue(""))) {
                    complaints.add(params.toString());
                }
            }
            case "Log.entryAdded" -> {
                if (!params.path("entry").path("level").stringValue("").equals("verbose")) {
                    complaints.add(params.toString());
                }
            }
            default -> {}
        }
    }

    /** Ends it, by itself if it can, as it leaves nothing behind then. */
    @Override
    public void close() throws Exception {
        session = "";
        try {
            call("Browser.close", _ -> {});
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (IOException e) {
            // It has ended before it could answer.
        }
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        process.waitFor(10, TimeUnit.SECONDS);
        in.close();
        out.close();
    }
}
