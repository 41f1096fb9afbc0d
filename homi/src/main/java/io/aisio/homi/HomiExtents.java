package io.aisio.homi;

import io.aisio.homi.rpc.RpcException;
import io.aisio.linux.OpenFile;
import io.aisio.xal.Extent;
import io.aisio.xal.Index;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Where the files of a mounted file system lie, as the daemon knows: its index, mapped here to be read, and files that it
 * holds still. An extent's position is from the file system's first byte in the index; add {@link #offset()} for the namespace.
 *
 * <p>Any thread may call it. Pins last as long as a lease of the device, to be read, that this has from the first one on: until
 * this or the connection is closed, or the daemon takes the lease back. Where the device is leased by virtual functions, they
 * last as long as the connection.
 */
public final class HomiExtents implements AutoCloseable {
    private final HomiControl control;
    private final String mount;
    private final String device;
    private final int nsid;
    private final long offset;
    private final Index index;
    /** Whether pins are held for a lease, else for the connection. */
    private final boolean leased;
    /** What the pins are held for; 0 before the first. Under this object's lock. */
    private long lease;

    /**
     * A file that is held still.
     *
     * @param number by which it is given back
     * @param bytes its length
     * @param immutable whether nobody can write to it or move its blocks
     * @param extents in the order of their offsets; their positions are on the namespace
     */
    public record Pinned(long number, long bytes, boolean immutable, List<Extent> extents) {
        /** Copies the list. */
        public Pinned {
            extents = List.copyOf(extents);
        }
    }

    private HomiExtents(HomiControl control, String mount, HomiClient.Reply first) throws IOException {
        this.control = control;
        this.mount = mount;
        device = first.result().path("device").asString("");
        nsid = first.result().path("nsid").asInt(0);
        offset = first.result().path("offset").asLong(0);
        leased = first.result().path("leased").asBoolean(true);
        OpenFile[] memory = {HomiControl.toRead(first)};
        index = Index.attach(mount, () -> {
            OpenFile given = memory[0];
            memory[0] = null;
            return given != null ? given : HomiControl.toRead(ask(control, mount));
        });
    }

    /**
     * Maps the index of a file system.
     *
     * @param control stays the caller's, who closes it after this
     * @param mount where it is mounted, as the daemon's configuration has it
     * @throws IOException if the daemon tells no extents of it, this user may not read its device, or it is not mounted; with
     *     the next step
     */
    public static HomiExtents open(HomiControl control, String mount) throws IOException {
        return new HomiExtents(control, mount, ask(control, mount));
    }

    private static HomiClient.Reply ask(HomiControl control, String mount) throws IOException {
        ObjectNode params = HomiControl.params();
        params.put("mount", mount);
        return control.askForFile("extents.open", params);
    }

    /** The index, which is closed with this. */
    public Index index() {
        return index;
    }

    /**
     * The device that the file system is on, to be opened as {@code homi:NAME}; as {@code homi:NAME?function} where the daemon
     * leases virtual functions by that name.
     */
    public String device() {
        return device;
    }

    /** The namespace. */
    public int nsid() {
        return nsid;
    }

    /** Where the file system begins on the namespace, in bytes. */
    public long offset() {
        return offset;
    }

    private synchronized long lease() throws IOException {
        if (lease == 0) {
            ObjectNode params = HomiControl.params().put("device", device).put("nsid", nsid);
            lease = control.ask("device.open", params.put("access", "read"))
                    .path("lease")
                    .longValue();
        }
        return lease;
    }

    /**
     * Holds a file still, as {@link io.aisio.xal.Pin} does, until {@link #unpin} or until the lease ends that this has for it.
     *
     * @param path from the root of the file system
     * @throws IOException if there is none, its file system cannot hold it, or its device cannot be leased
     */
    public Pinned pin(String path) throws IOException {
        ObjectNode params = HomiControl.params();
        params.put("mount", mount);
        params.put("path", path);
        if (leased) {
            params.put("lease", lease());
        }
        ObjectNode first;
        try {
            first = control.ask("extents.pin", params);
        } catch (RpcException e) {
            if (e.code() == RpcException.DEVICE) {
                // The lease may have been taken back: the next pin is to have another.
                giveLeaseBack();
            }
            throw e;
        }
        List<Extent> extents = new ArrayList<>();
        add(first, extents);
        long number = first.path("pin").asLong(0);
        for (ObjectNode part = first; part.path("more").asLong(0) > 0; add(part, extents)) {
            if (part.path("extents").isEmpty()) {
                throw new IOException("the daemon does not tell all extents of " + path);
            }
            ObjectNode more = HomiControl.params();
            more.put("pin", number);
            more.put("from", extents.size());
            part = control.ask("extents.pin", more);
        }
        return new Pinned(
                number, first.path("bytes").asLong(0), first.path("immutable").asBoolean(false), extents);
    }

    private static void add(ObjectNode part, List<Extent> extents) {
        for (JsonNode one : part.path("extents")) {
            extents.add(new Extent(
                    one.path(0).asLong(),
                    one.path(1).asLong(),
                    one.path(2).asLong(),
                    one.path(3).asInt()));
        }
    }

    /** Lets a file go. */
    public void unpin(Pinned pinned) throws IOException {
        ObjectNode params = HomiControl.params();
        params.put("pin", pinned.number());
        ObjectNode _ = control.ask("extents.unpin", params);
    }

    /** Lets all files go, and unmaps the index. Closing again does nothing. */
    @Override
    public void close() throws IOException {
        try {
            giveLeaseBack();
        } finally {
            index.close();
        }
    }

    private void giveLeaseBack() throws IOException {
        long held;
        synchronized (this) {
            held = lease;
            lease = 0;
        }
        try {
            if (held != 0 && control.isConnected()) {
                ObjectNode _ = control.ask("device.close", HomiControl.params().put("lease", held));
            }
        } catch (IOException e) {
            // With the connection the lease has ended, too.
            if (control.isConnected()) {
                throw e;
            }
        }
    }
}
