package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The page of a daemon under load, in a browser. */
@Tag("slow")
class DashboardIT {
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final long LOOK_NANOS = 50_000_000;
    private static final Pattern PAGE = Pattern.compile("the page is (http://127\\.0\\.0\\.1:\\d+/)");
    /** Commands of the one row of queues: its ninth column. */
    private static final String COMMANDS = "document.querySelector('#queues tbody tr')?.children[8]?.textContent ?? ''";

    @TempDir
    Path folder;

    private Path chromium;
    private Shell.Running daemon;
    private Shell.Running client;
    /** Whether the daemon has ended as it should. */
    private boolean over;

    @BeforeEach
    void findBrowser() {
        assumeTrue(Browser.find().isPresent(), "needs chromium (apt-get install chromium)");
        chromium = Browser.find().get();
    }

    @AfterEach
    void end() {
        for (Shell.Running one : new Shell.Running[] {client, daemon}) {
            if (one != null) {
                one.process().descendants().forEach(ProcessHandle::destroyForcibly);
                one.process().destroyForcibly();
            }
        }
    }

    private String socket() {
        return folder.resolve("run/homi.sock").toString();
    }

    private String serve() throws Exception {
        Path configuration = Files.writeString(
                folder.resolve("homid.toml"),
                "socket = \"" + socket() + "\"\ndashboard = \"127.0.0.1:0\"\n"
                        + "[[device]]\nname = \"nvme0\"\nuri = \"emu:64MiB?shared\"\n");
        daemon = Shell.aisio("homid", "--config", configuration.toString())
                .within(PATIENCE)
                .start();
        Matcher page = PAGE.matcher("");
        await("the page", () -> page.reset(daemon.errSoFar()).find());
        return page.group(1);
    }

    @Test
    void showsALoadAsItIs() throws Exception {
        String page = serve();
        client = Shell.aisio(
                        "xnvmeperf",
                        "run",
                        "--iopattern",
                        "randread",
                        "--iosize",
                        "4096",
                        "--qdepth",
                        "8",
                        "--runtime",
                        "600",
                        "homi:nvme0")
                .with("AISIO_HOMI_SOCKET", socket())
                .within(PATIENCE)
                .start();
        try (Browser browser = new Browser(chromium, Files.createDirectory(folder.resolve("browser")))) {
            browser.looks(1280, 900, "light");
            browser.open(page);
            await("the queue", () -> text(browser).contains("xnvmeperf run, process "));
            await("its IOPS", () -> figures(browser).matches("[1-9][0-9.]*( [kM])? [0-9.]+ (µs|ms)"));
            String before = browser.ask(COMMANDS);
            await("more commands than " + before, () -> !browser.ask(COMMANDS).equals(before));
            assertThat(text(browser))
                    .contains("ready", "AiSIO software controller", "1 / 64", "client-came", "leased")
                    .containsPattern("client \\d+, lease 1, queue \\d+");
            String light = browser.ask("getComputedStyle(document.body).backgroundColor");
            browser.looks(390, 844, "dark");
            assertThat(browser.ask("getComputedStyle(document.body).backgroundColor"))
                    .isNotEqualTo(light);
            await(
                    "a page that fits",
                    () -> browser.ask("document.documentElement.scrollWidth <= innerWidth")
                            .equals("true"));
            client.process().descendants().forEach(ProcessHandle::destroyForcibly);
            client.process().destroyForcibly();
            await("that the client has gone", () -> text(browser).contains("Nobody has a queue pair."));

            assertThat(browser.complaints()).isEmpty();
            assertThat(browser.requests()).isNotEmpty().allMatch(uri -> uri.startsWith(page) || uri.equals("data:,"));

            Shell.aisio("homi", "shutdown")
                    .with("AISIO_HOMI_SOCKET", socket())
                    .within(PATIENCE)
                    .run()
                    .succeeds();
            daemon.await().exits(Exit.DONE);
            over = true;
            await("that nobody answers", () -> text(browser).contains("The daemon does not answer"));
            assertThat(browser.ask("document.getElementById('state').textContent"))
                    .isEqualTo("not reached");
        }
    }

    private static String text(Browser browser) throws Exception {
        return browser.ask("document.body.innerText");
    }

    /** Of the path of processes: IOPS and mean latency. */
    private static String figures(Browser browser) throws Exception {
        return browser.ask("[...document.querySelectorAll('[data-path=process] b')].map(b => b.textContent).join(' ')");
    }

    private interface Look {
        boolean isSo() throws Exception;
    }

    private void await(String what, Look look) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!look.isSo()) {
            if (!over) {
                assertThat(daemon.process().isAlive()).as(daemon.errSoFar()).isTrue();
            }
            assertThat(System.nanoTime()).as("waited for " + what).isLessThan(deadline);
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }
}
