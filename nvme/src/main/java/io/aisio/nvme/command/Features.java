package io.aisio.nvme.command;

import io.aisio.nvme.AdminCommands;
import io.aisio.nvme.Command;
import io.aisio.nvme.Completion;
import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Wire;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Instant;

/** Get Features and Set Features (sections 5.9 and 5.21). */
public final class Features {
    private final AdminCommands admin;

    /** Over a path. */
    public Features(AdminCommands admin) {
        this.admin = admin;
    }

    /** Which of a feature's values. */
    public enum Select {
        /** The one in force. */
        CURRENT(Feature.SELECT_CURRENT),
        /** What it is without being set. */
        DEFAULT(Feature.SELECT_DEFAULT),
        /** What was saved. */
        SAVED(Feature.SELECT_SAVED);

        private final int sel;

        Select(int sel) {
            this.sel = sel;
        }
    }

    /**
     * What a feature can.
     *
     * @param saveable whether it can outlive a reset
     * @param namespaceSpecific whether each namespace has its own
     * @param changeable whether it can be changed
     */
    public record Capabilities(boolean saveable, boolean namespaceSpecific, boolean changeable) {}

    /**
     * A feature's value: dword 0 of the completion.
     *
     * @param id one of {@link Feature}'s, or any other of 8 bits
     * @param nsid the namespace, 0 for a feature that is the controller's
     * @param select which value; others than the current one need a controller that knows Save and Select (ONCS)
     */
    public int get(int id, Select select, int nsid) throws IOException {
        return get(id, select, nsid, 0, MemorySegment.NULL);
    }

    /** A feature's current value, one of the controller's. */
    public int get(int id) throws IOException {
        return get(id, Select.CURRENT, 0);
    }

    /**
     * The same of a feature that takes more.
     *
     * @param dword11 what the feature asks for, such as which temperature sensor
     * @param data receives its data structure; empty for none
     */
    public int get(int id, Select select, int nsid, int dword11, MemorySegment data) throws IOException {
        requireId(id);
        int dword10 = id | select.sel << Feature.SELECT_SHIFT;
        return admin.execute(Command.of(Opcode.GET_FEATURES, nsid, dword10, dword11), data)
                .result();
    }

    /** What a feature can; the controller must know Save and Select (ONCS). */
    public Capabilities capabilities(int id) throws IOException {
        requireId(id);
        int dword10 = id | Feature.SELECT_SUPPORTED << Feature.SELECT_SHIFT;
        int bits = admin.execute(Command.of(Opcode.GET_FEATURES, 0, dword10), MemorySegment.NULL)
                .result();
        return new Capabilities(
                (bits & Feature.CAPABLE_SAVEABLE) != 0,
                (bits & Feature.CAPABLE_NAMESPACE_SPECIFIC) != 0,
                (bits & Feature.CAPABLE_CHANGEABLE) != 0);
    }

    /**
     * Sets a feature; dword 0 of the completion.
     *
     * @param value command dword 11
     * @param nsid the namespace, 0 for a feature that is the controller's
     * @param save whether it outlives a reset
     */
    public int set(int id, int value, int nsid, boolean save) throws IOException {
        return set(id, value, 0, nsid, save, MemorySegment.NULL);
    }

    /** Sets a feature of the controller's until its next reset. */
    public int set(int id, int value) throws IOException {
        return set(id, value, 0, false);
    }

    /**
     * The same of a feature that takes more.
     *
     * @param dword12 command dword 12
     * @param data its data structure; empty for none
     */
    public int set(int id, int value, int dword12, int nsid, boolean save, MemorySegment data) throws IOException {
        requireId(id);
        long cdw10 = ((id | (save ? Feature.SAVE : 0)) & 0xFFFF_FFFFL) | (long) value << 32;
        Completion done = admin.execute(new Command(Opcode.SET_FEATURES, nsid, cdw10, dword12 & 0xFFFF_FFFFL, 0), data);
        return done.result();
    }

    private static void requireId(int id) {
        if (id < 0 || id > 0xFF) {
            throw new IllegalArgumentException("feature 0x%x; its identifier has 8 bits".formatted(id));
        }
    }

    // Those with a meaning of their own.

    /** Whether the volatile write cache is used. */
    public boolean writeCache() throws IOException {
        return (get(Feature.VOLATILE_WRITE_CACHE) & 1) != 0;
    }

    /** Uses the volatile write cache, or not. */
    public void writeCache(boolean used) throws IOException {
        set(Feature.VOLATILE_WRITE_CACHE, used ? 1 : 0);
    }

    /**
     * The composite temperature from which on the controller warns, in kelvin.
     *
     * @param under whether the lower threshold is meant
     */
    public int temperatureThreshold(boolean under) throws IOException {
        return get(Feature.TEMPERATURE_THRESHOLD, Select.CURRENT, 0, threshold(under), MemorySegment.NULL) & 0xFFFF;
    }

    private static int threshold(boolean under) {
        return under ? Feature.TEMPERATURE_UNDER << Feature.TEMPERATURE_SELECT_SHIFT : 0;
    }

    /** Sets a threshold of the composite temperature, in kelvin. */
    public void temperatureThreshold(boolean under, int kelvin) throws IOException {
        if (kelvin < 0 || kelvin > 0xFFFF) {
            throw new IllegalArgumentException("a threshold of " + kelvin + " kelvin; it can be 0 to 65535");
        }
        set(Feature.TEMPERATURE_THRESHOLD, kelvin | threshold(under));
    }

    /** The controller's clock. */
    public Instant timestamp() throws IOException {
        MemorySegment data = MemorySegment.ofArray(new byte[Feature.TIMESTAMP_BYTES]);
        get(Feature.TIMESTAMP, Select.CURRENT, 0, 0, data);
        return Instant.ofEpochMilli(Wire.i64(data, 0) & 0xFFFF_FFFF_FFFFL);
    }

    /** Sets the controller's clock, to the millisecond. */
    public void timestamp(Instant now) throws IOException {
        MemorySegment data = MemorySegment.ofArray(new byte[Feature.TIMESTAMP_BYTES]);
        Wire.i64(data, 0, now.toEpochMilli() & 0xFFFF_FFFF_FFFFL);
        set(Feature.TIMESTAMP, 0, 0, 0, false, data);
    }

    /**
     * Says that the host knows extended LBA formats, without which a controller does not give a namespace a guard of 32 or
     * 64 bits.
     */
    public void extendedLbaFormats(boolean known) throws IOException {
        MemorySegment data = MemorySegment.ofArray(new byte[Feature.HOST_BEHAVIOR_BYTES]);
        get(Feature.HOST_BEHAVIOR, Select.CURRENT, 0, 0, data);
        Wire.u8(data, Feature.HOST_BEHAVIOR_LBAFEE, known ? 1 : 0);
        set(Feature.HOST_BEHAVIOR, 0, 0, 0, false, data);
    }

    /** Whether Flexible Data Placement is on in an endurance group. */
    public boolean dataPlacement(int enduranceGroup) throws IOException {
        return (get(Feature.DATA_PLACEMENT, Select.CURRENT, 0, enduranceGroup, MemorySegment.NULL) & 1) != 0;
    }

    /**
     * Turns Flexible Data Placement on or off in an endurance group, which most controllers allow only without namespaces.
     *
     * @param configuration index of one of its configurations
     */
    public void dataPlacement(int enduranceGroup, boolean on, int configuration) throws IOException {
        set(Feature.DATA_PLACEMENT, enduranceGroup, (on ? 1 : 0) | configuration << 8, 0, false, MemorySegment.NULL);
    }

    /**
     * Whether events of a placement handle are logged.
     *
     * @param nsid the namespace
     * @param handle its placement handle
     * @param type one of {@link io.aisio.nvme.spec.DataPlacementLog}'s {@code EVENT_…}
     */
    public boolean dataPlacementEvent(int nsid, int handle, int type) throws IOException {
        MemorySegment events = MemorySegment.ofArray(new byte[2 * 255]);
        int count = get(Feature.DATA_PLACEMENT_EVENTS, Select.CURRENT, nsid, (handle & 0xFFFF) | 255 << 16, events);
        for (int i = 0; i < Math.min(count & 0xFF, 255); i++) {
            if (Wire.u8(events, 2L * i) == type) {
                return (Wire.u8(events, 2L * i + 1) & 1) != 0;
            }
        }
        return false;
    }

    /** Logs events of a placement handle, or not. */
    public void dataPlacementEvent(int nsid, int handle, int type, boolean logged) throws IOException {
        MemorySegment events = MemorySegment.ofArray(new byte[2 * 255]);
        Wire.u8(events, 0, type);
        set(Feature.DATA_PLACEMENT_EVENTS, (handle & 0xFFFF) | 1 << 16, logged ? 1 : 0, nsid, false, events);
    }
}
