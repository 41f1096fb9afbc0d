package io.aisio.homi.view;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.aisio.homi.daemon.Configuration;
import java.io.IOException;
import java.io.InputStream;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;

/**
 * A page that shows what a daemon does, and its metrics, by HTTP on loopback. It only reads: there is nothing to be changed
 * by it, and no other method than GET and HEAD.
 *
 * <pre>
 *   /             the page, which asks for the next once a second
 *   /status.json  what the page shows, for the page alone
 *   /metrics      the same for Prometheus
 * </pre>
 *
 * Every user of the machine reaches loopback, so whoever may not know who uses which device is kept away by a prefix of the
 * path that is not to be guessed. A request whose {@code Host} is not loopback's is refused: a page of somebody else's, whose
 * name leads here, would else read it in a person's browser.
 */
public final class Dashboard implements AutoCloseable {
    private static final String PAGE = "dashboard.html";
    /** {@code localhost} and the literals, with any port. */
    private static final Pattern LOOPBACK = Pattern.compile("(localhost|127\\.0\\.0\\.1|\\[::1])(:\\d{1,5})?");

    static {
        // Of the JDK's server, read once: who is slow holds no more than his own connection, for no longer than this.
        for (String limit : new String[] {"sun.net.httpserver.maxReqTime", "sun.net.httpserver.maxRspTime"}) {
            System.setProperty(limit, System.getProperty(limit, "10"));
        }
        System.setProperty("jdk.httpserver.maxConnections", System.getProperty("jdk.httpserver.maxConnections", "64"));
    }

    private final HttpServer server;
    private final ExecutorService threads;
    private final Snapshot.Source source;
    private final String prefix;
    private final byte[] page;
    private final String policy;

    private Dashboard(HttpServer server, ExecutorService threads, Snapshot.Source source, String prefix)
            throws IOException {
        this.server = server;
        this.threads = threads;
        this.source = source;
        this.prefix = prefix;
        try (InputStream in = Objects.requireNonNull(Dashboard.class.getResourceAsStream(PAGE), PAGE)) {
            page = in.readAllBytes();
        }
        String text = new String(page, UTF_8);
        policy = "default-src 'none'; connect-src 'self'; img-src data:; style-src '" + hash(text, "style")
                + "'; script-src '" + hash(text, "script") + "'; base-uri 'none'; form-action 'none';"
                + " frame-ancestors 'none'";
    }

    /**
     * Serves the page.
     *
     * @param address {@code 127.0.0.1:PORT} or {@code [::1]:PORT}; any free port if it is 0
     * @param secret what all paths begin with, such as {@code kQ3…}; empty for none
     * @param source is asked at each request
     * @throws IllegalArgumentException if the address is none of loopback; one sentence
     * @throws IOException if it cannot be listened on; the message has the next step
     */
    public static Dashboard open(String address, String secret, Snapshot.Source source) throws IOException {
        InetSocketAddress where = Configuration.pageAddress(address);
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        HttpServer server = null;
        try {
            server = HttpServer.create(where, 16);
            Dashboard dashboard = new Dashboard(server, threads, source, secret.isEmpty() ? "/" : "/" + secret + "/");
            server.createContext("/", dashboard::answer);
            server.setExecutor(threads);
            server.start();
            return dashboard;
        } catch (IOException | RuntimeException e) {
            if (server != null) {
                server.stop(0);
            }
            threads.shutdownNow();
            if (e instanceof BindException) {
                throw new IOException(
                        "the page cannot be at " + address + ": " + e.getMessage() + "; next: choose another port", e);
            }
            throw e;
        }
    }

    /** Where it is, for a browser. */
    public URI uri() {
        InetSocketAddress address = server.getAddress();
        String host = address.getAddress().getAddress().length == 4 ? "127.0.0.1" : "[::1]";
        return URI.create("http://" + host + ":" + address.getPort() + prefix);
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String method = exchange.getRequestMethod();
            String host =
                    Objects.requireNonNullElse(exchange.getRequestHeaders().getFirst("Host"), "");
            String path = exchange.getRequestURI().getPath();
            if (!LOOPBACK.matcher(host).matches()) {
                send(exchange, 421, "text/plain", "this page is at " + server.getAddress() + ", under no other name\n");
            } else if (!method.equals("GET") && !method.equals("HEAD")) {
                exchange.getResponseHeaders().set("Allow", "GET, HEAD");
                send(exchange, 405, "text/plain", "this page only shows\n");
            } else if (!begins(path)) {
                send(exchange, 404, "text/plain", "there is nothing here\n");
            } else {
                show(exchange, path.substring(prefix.length()));
            }
        }
    }

    private void show(HttpExchange exchange, String what) throws IOException {
        try {
            switch (what) {
                case "" -> {
                    exchange.getResponseHeaders().set("Content-Security-Policy", policy);
                    send(exchange, 200, "text/html", page);
                }
                case "status.json" -> send(exchange, 200, "application/json", SnapshotJson.of(source.ask()));
                case "metrics" -> send(exchange, 200, PrometheusText.CONTENT_TYPE, Metrics.of(source.ask()));
                default -> send(exchange, 404, "text/plain", "there is nothing here\n");
            }
        } catch (IOException e) {
            if (exchange.getResponseCode() != -1) {
                throw e;
            }
            send(exchange, 503, "text/plain", e.getMessage() + "\n");
        }
    }

    /** In a time that does not tell how much of a guess was right. */
    private boolean begins(String path) {
        byte[] expected = prefix.getBytes(UTF_8);
        byte[] found =
                path.substring(0, Math.min(prefix.length(), path.length())).getBytes(UTF_8);
        return MessageDigest.isEqual(expected, found);
    }

    private static void send(HttpExchange exchange, int code, String type, String text) throws IOException {
        send(exchange, code, type, text.getBytes(UTF_8));
    }

    private static void send(HttpExchange exchange, int code, String type, byte[] body) throws IOException {
        Headers headers = exchange.getResponseHeaders();
        headers.set("Content-Type", type.contains("charset") ? type : type + "; charset=utf-8");
        headers.set("Cache-Control", "no-store");
        headers.set("X-Content-Type-Options", "nosniff");
        headers.set("Referrer-Policy", "no-referrer");
        headers.set("Cross-Origin-Resource-Policy", "same-origin");
        boolean head = exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(code, head ? -1 : body.length);
        if (!head) {
            exchange.getResponseBody().write(body);
        }
    }

    /** What a policy names an element of the page by, so that nothing but it runs: CSP level 2, hashes. */
    private static String hash(String page, String element) {
        int from = page.indexOf("<" + element + ">") + element.length() + 2;
        int to = page.indexOf("</" + element + ">");
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256")
                    .digest(page.substring(from, to).getBytes(UTF_8));
            return "sha256-" + Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }

    /** Ends it, and what is under way. Closing again does nothing. */
    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
