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
            "%nOf a mounted XFS whose files may share blocks (reflink=1): each file is cloned into one without a name,"
                    + " so that its blocks keep their bytes and are given to nobody else, whatever happens to the file."
                    + " Prints what bmap prints, then waits; the blocks are given back when it ends, also by a kill."
                    + " After Ctrl-C it tells how many bytes nothing but the pins held any more."
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
            if (!volume.isMounted()) {
                throw new IOException(volume.device()
                        + " is no directory of a mounted file system, whose files alone can" + " be pinned");
            }
            if (files.options().json()) {
                json(volume);
            } else {
                human(volume);
            }
            if (pins.isEmpty()) {
                return Exit.FAILED;
            }
            System.err.println("note: " + pins.size() + " pinned"
                    + (immutable ? "" : ", but not made immutable, which takes root")
                    + "; Ctrl-C gives them back");
            awaitInterruption();
            System.err.println("note: gives back " + heldBytes() + " bytes that nothing but the pins held");
            throw new InterruptedIOException("interrupted");
        } finally {
            pins.forEach(Pin::close);
        }
    }

    private static void awaitInterruption() {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private long heldBytes() throws IOException {
        long held = 0;
        for (Pin pin : pins) {
            held += pin.heldBytes();
        }
        return held;
    }

    private void human(XalVolume volume) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            volume.each(files.paths(), file -> {
                Pin pin = pin(volume, file);
                return () -> {
                    for (String line : XalBmap.yaml(volume.device() + file.path(), pin.extents())) {
                        out.line(line);
                    }
                };
            });
        }
    }

    private void json(XalVolume volume) throws IOException {
        try (JsonGenerator json = StandardOutput.json()) {
            volume.writeHead(json, SCHEMA);
            json.writeArrayPropertyStart("files");
            Map<String, String> failures = volume.each(files.paths(), file -> {
                Pin pin = pin(volume, file);
                return () -> XalBmap.write(json, file, pin.extents());
            });
            XalBmap.writeEnd(json, failures);
        }
    }

    private Pin pin(XalVolume volume, Entry file) throws IOException {
        Pin pin = Pin.of(volume.xal(), file);
        pins.add(pin);
        immutable &= pin.immutable();
        return pin;
    }
}
