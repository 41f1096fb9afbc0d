package io.aisio.cli;

import io.aisio.xal.Entry;
import io.aisio.xal.Pin;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import tools.jackson.core.JsonGenerator;

/** {@code xal pin}: files' blocks held still while it runs. */
@Command(
        name = "pin",
        header = "Holds files' blocks still until Ctrl-C, and tells where they lie.",
        description = {
            "%nOf a mounted XFS or btrfs, which share blocks between files: each file is cloned into one without a name,"
                    + " so that its blocks keep their bytes and are given to nobody else, whatever happens to the file."
                    + " Prints what bmap prints, then waits; the blocks are given back when it ends, also by a kill."
        },
        footer = {
            "  ./aisio xal pin /mnt/data /train/0001.jpg",
            "  ./aisio xal pin --output json /mnt/data /train/0001.jpg /train/0002.jpg"
        })
final class XalPin implements Callable<Integer> {
    /** The shape of the JSON: a key may be added to a version, none is removed or changed. */
    static final String SCHEMA = "aisio.xal.pin/1";

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XalPaths files;

    private final Deque<Pin> pins = new ArrayDeque<>();
    private boolean immutable = true;

    @Override
    public Integer call() throws IOException {
        try (XalVolume volume = files.options().open()) {
            Map<String, String> failures = files.options().json() ? json(volume) : human(volume);
            if (pins.isEmpty()) {
                return Exit.FAILED;
            }
            System.err.println("note: " + pins.size() + " pinned"
                    + (immutable ? "" : ", but not made immutable, which takes root")
                    + "; Ctrl-C gives them back");
            new CountDownLatch(1).await();
            return failures.isEmpty() ? Exit.DONE : Exit.FAILED;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted");
        } finally {
            pins.forEach(Pin::close);
        }
    }

    private Map<String, String> human(XalVolume volume) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            return volume.each(files.paths(), file -> {
                Pin pin = pin(volume, file);
                return () -> {
                    for (String line : XalBmap.yaml(volume.device() + file.path(), pin.extents())) {
                        out.line(line);
                    }
                };
            });
        }
    }

    private Map<String, String> json(XalVolume volume) throws IOException {
        try (JsonGenerator json = StandardOutput.json()) {
            volume.writeHead(json, SCHEMA);
            json.writeArrayPropertyStart("files");
            Map<String, String> failures = volume.each(files.paths(), file -> {
                Pin pin = pin(volume, file);
                return () -> XalBmap.write(json, file, pin.extents());
            });
            XalBmap.writeEnd(json, failures);
            return failures;
        }
    }

    private Pin pin(XalVolume volume, Entry file) throws IOException {
        Pin pin = Pin.of(volume.xal(), file);
        pins.add(pin);
        immutable &= pin.immutable();
        return pin;
    }
}
