package io.aisio.cli;

import io.aisio.homi.HomiControl;
import io.aisio.homi.daemon.Events;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code homi events}: what happens. */
@Command(
        name = "events",
        header = "Tells what happened: clients that came and went, resets, failures, exports.",
        description = {
            "%nA line an event, with its number (with yaml, an item of one list): who asks from time to time gives the last that he has, and sees by the"
                    + " numbers whether he missed some. --follow goes on until Ctrl-C (exit code 130), or until the"
                    + " daemon ends (exit code 1)."
        },
        footer = {"  ./aisio homi events", "  ./aisio homi events --follow --since 120 --output json"})
final class HomiEvents implements Callable<Integer> {
    private static final long LOOK_MILLIS = 500;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private HomiOptions options;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private OutputFormat output;

    @Option(
            names = "--since",
            converter = XnvmeperfOptions.Large.class,
            paramLabel = "NUMBER",
            description = "Only those after this number (all that are kept, at most 1024).")
    private @Nullable Long since;

    @Option(names = "--follow", description = "Go on with those that come.")
    private boolean follow;

    @Override
    public Integer call() throws IOException {
        LinkedBlockingQueue<Events.Event> coming = new LinkedBlockingQueue<>();
        try (HomiControl control = options.open("events");
                StandardOutput out = new StandardOutput()) {
            control.events(since == null ? 0 : since, coming::add);
            for (Events.Event event = coming.poll(); event != null; event = coming.poll()) {
                print(event, out);
            }
            out.flush();
            while (follow) {
                Events.Event event = coming.poll(LOOK_MILLIS, TimeUnit.MILLISECONDS);
                if (event != null) {
                    print(event, out);
                    out.flush();
                } else if (!control.isConnected() && coming.isEmpty()) {
                    throw new IOException("the daemon has ended, or sent this client away");
                }
            }
        } catch (InterruptedException e) {
            // Ctrl-C, which the exit code tells.
        }
        return Exit.DONE;
    }

    private void print(Events.Event event, StandardOutput out) throws IOException {
        String device = event.device();
        if (output.json()) {
            out.line(StandardOutput.jsonLine(json -> {
                json.writeNumberProperty("sequence", event.sequence());
                json.writeStringProperty("time", event.time().toString());
                json.writeStringProperty("kind", event.kind());
                json.writeStringProperty("device", device);
                json.writeStringProperty("text", event.text());
            }));
        } else if (!output.human()) {
            out.line("- sequence: " + event.sequence());
            out.line("  time: " + StandardOutput.quoted(event.time().toString()));
            out.line("  kind: " + StandardOutput.quoted(event.kind()));
            out.line("  device: " + (device == null ? "null" : StandardOutput.quoted(device)));
            out.line("  text: " + StandardOutput.quoted(event.text()));
        } else {
            out.line(event.sequence() + "  " + event.time() + "  " + event.kind() + "  " + event.text());
        }
    }
}
