package io.aisio.nvme.command;

import io.aisio.nvme.Command;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.Zone;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.ZoneReport;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The Zoned Namespace command set (its section 3) on one namespace. Reads and writes are {@link NvmCommandSet}'s. */
public final class ZonedCommandSet {
    /** Bytes of one report: what every controller transfers. */
    private static final int REPORT_BYTES = 4096;
    /** Zones that are reported at most: so many that nothing is left out, so few that they fit memory. */
    private static final int MOST_ZONES = 1 << 22;

    private final Passthrough passthrough;
    private final NamespaceData namespace;
    private final Identities.Zones zones;

    private ZonedCommandSet(Passthrough passthrough, NamespaceData namespace, Identities.Zones zones) {
        this.passthrough = passthrough;
        this.namespace = namespace;
        this.zones = zones;
    }

    /**
     * On the path's own namespace, which is identified.
     *
     * @throws IllegalArgumentException if it has no zones
     */
    public static ZonedCommandSet of(Passthrough passthrough) throws IOException {
        return of(passthrough, passthrough.nsid());
    }

    /** The same on another namespace. */
    public static ZonedCommandSet of(Passthrough passthrough, int nsid) throws IOException {
        Identities identities = new Identities(passthrough);
        NamespaceData namespace = identities.namespace(nsid);
        if (namespace.commandSet() != Identify.CSI_ZONED) {
            throw new IllegalArgumentException(passthrough.name() + ": namespace " + nsid + " has no zones");
        }
        return new ZonedCommandSet(passthrough, namespace, identities.zones(nsid));
    }

    /** The namespace as it was identified. */
    public NamespaceData namespace() {
        return namespace;
    }

    /** What its zones are like. */
    public Identities.Zones zones() {
        return zones;
    }

    /** How many zones there are. */
    public long count() {
        return Math.ceilDiv(namespace.size(), zones.zoneBlocks());
    }

    /** Every zone, ascending. */
    public List<Zone> report() throws IOException {
        return report(0, ZoneReport.OPTION_ALL, MOST_ZONES);
    }

    /** The zone that holds an LBA. */
    public Zone zone(long lba) throws IOException {
        return report(lba, ZoneReport.OPTION_ALL, 1).getFirst();
    }

    /**
     * Zones, ascending.
     *
     * @param lba in the first one that may be reported
     * @param option which ones: {@link ZoneReport}'s {@code OPTION_…}
     * @param most how many at most
     * @throws NvmeException if the report makes no sense, or ends before the namespace does
     */
    public List<Zone> report(long lba, int option, int most) throws IOException {
        requireInside(lba);
        int bytes = REPORT_BYTES;
        List<Zone> found = new ArrayList<>();
        long from = lba;
        while (found.size() < most && from < namespace.size()) {
            MemorySegment data = MemorySegment.ofArray(new byte[bytes]);
            passthrough.executeIo(at(Zone.report(namespace.nsid(), option, bytes), from), data);
            List<Zone> part = Zone.parse(data);
            if (part.isEmpty() && option == ZoneReport.OPTION_ALL) {
                throw new NvmeException("%s: no zone in a report of the zones from %d on, of %d blocks"
                        .formatted(passthrough.name(), from, namespace.size()));
            }
            if (part.isEmpty()) {
                return found;
            }
            for (Zone zone : part) {
                // The first may begin before, as long as it does not end there.
                if (zone.start() < 0
                        || zone.start() <= from - zones.zoneBlocks()
                        || zone.start() >= namespace.size()
                        || zone.start() % zones.zoneBlocks() != 0
                        || (!found.isEmpty() && zone.start() <= found.getLast().start())
                        || zone.capacity() < 0
                        || zone.capacity() > zones.zoneBlocks()) {
                    throw new NvmeException(
                            "%s: %s in a report of the zones from %d on".formatted(passthrough.name(), zone, from));
                }
                if (found.size() < most) {
                    found.add(zone);
                }
            }
            from = part.getLast().start() + zones.zoneBlocks();
        }
        return found;
    }

    /** Opens a zone explicitly. */
    public void open(long zone) throws IOException {
        send(zone, ZoneReport.ACTION_OPEN);
    }

    /** Closes a zone. */
    public void close(long zone) throws IOException {
        send(zone, ZoneReport.ACTION_CLOSE);
    }

    /** Makes a zone full. */
    public void finish(long zone) throws IOException {
        send(zone, ZoneReport.ACTION_FINISH);
    }

    /** Makes a zone empty: its data is gone. */
    public void reset(long zone) throws IOException {
        send(zone, ZoneReport.ACTION_RESET);
    }

    /**
     * Changes a zone's state.
     *
     * @param zone its first LBA
     * @param action one of {@link ZoneReport}'s {@code ACTION_…}
     */
    public void send(long zone, int action) throws IOException {
        requireStart(zone);
        passthrough.executeIo(at(Zone.send(namespace.nsid(), action), zone), Passthrough.NOTHING);
    }

    /** Changes the state of every zone for which the action makes sense. */
    public void sendToAll(int action) throws IOException {
        passthrough.executeIo(Zone.sendToAll(namespace.nsid(), action), Passthrough.NOTHING);
    }

    /**
     * Appends blocks to a zone of a namespace without metadata.
     *
     * @param zone its first LBA
     * @return the LBA that they were written to
     * @throws IllegalArgumentException if the namespace has metadata, or the blocks are more than the controller appends at
     *     once or than a zone has
     * @throws NvmeException if the controller refuses, or tells an LBA outside the zone
     */
    public long append(long zone, MemorySegment data) throws IOException {
        requireStart(zone);
        if (namespace.metadataBytes() != 0) {
            throw new IllegalArgumentException(
                    "namespace %d has %d bytes of metadata a block, which nothing here appends"
                            .formatted(namespace.nsid(), namespace.metadataBytes()));
        }
        if (data.byteSize() > zones.maxAppendBytes()) {
            throw new IllegalArgumentException("%d bytes to append; at most %d are possible (ZASL)"
                    .formatted(data.byteSize(), zones.maxAppendBytes()));
        }
        long blocks = data.byteSize() / namespace.lbaBytes();
        if (data.byteSize() % namespace.lbaBytes() != 0 || blocks < 1 || blocks > zones.zoneBlocks()) {
            throw new IllegalArgumentException("%d bytes to append in blocks of %d to a zone of %d blocks"
                    .formatted(data.byteSize(), namespace.lbaBytes(), zones.zoneBlocks()));
        }
        long lba = passthrough
                .executeIo(at(Zone.append(namespace.nsid(), (int) blocks), zone), data)
                .longResult();
        if (lba < zone || lba > zone + zones.zoneBlocks() - blocks) {
            throw new NvmeException("%s: an append of %d blocks to the zone at %d was written to %s"
                    .formatted(passthrough.name(), blocks, zone, Long.toUnsignedString(lba)));
        }
        return lba;
    }

    private static Command at(Command command, long lba) {
        return new Command(command.opcode(), command.nsid(), lba, command.cdw12(), command.cdw14());
    }

    private void requireStart(long zone) {
        requireInside(zone);
        if (zone % zones.zoneBlocks() != 0) {
            throw new IllegalArgumentException(
                    "no zone begins at " + zone + ": there is one every " + zones.zoneBlocks() + " blocks");
        }
    }

    private void requireInside(long lba) {
        if (lba < 0 || lba >= namespace.size()) {
            throw new IllegalArgumentException(
                    "LBA %d of namespace %d, which has %d blocks".formatted(lba, namespace.nsid(), namespace.size()));
        }
    }
}
