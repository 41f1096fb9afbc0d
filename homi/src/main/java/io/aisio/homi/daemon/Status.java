package io.aisio.homi.daemon;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a daemon is at a moment: what {@code homi status} prints, and the page shows.
 *
 * @param version of this description, {@value #VERSION}
 * @param ready whether every device works and nothing is being drained or ended
 * @param state a word: {@code ready}, {@code degraded} (a device does not work), {@code draining}, {@code stopping}
 * @param pid the daemon's process
 * @param started when it was
 * @param socket where it listens
 * @param devices what it owns
 * @param clients who is connected
 * @param rows what data goes through: leased queue pairs, then virtual functions, then exports
 * @param more how many devices, clients and rows are left out here, as a line of the protocol has no room; 0 if none
 * @param lastEvent the number of the last event
 */
public record Status(
        int version,
        boolean ready,
        String state,
        long pid,
        Instant started,
        String socket,
        List<DeviceStatus> devices,
        List<ClientStatus> clients,
        List<Metered.Row> rows,
        int more,
        long lastEvent) {
    /** The version of this description. */
    public static final int VERSION = 1;

    /** Copies the lists. */
    public Status {
        devices = List.copyOf(devices);
        clients = List.copyOf(clients);
        rows = List.copyOf(rows);
    }

    /**
     * A device.
     *
     * @param name in the configuration
     * @param uri what it is
     * @param path which way it is reached, for people
     * @param state a word: {@code working}, {@code draining}, {@code failed}, {@code absent}
     * @param why it does not work; null if it does
     * @param serial serial number
     * @param model model number
     * @param firmware firmware revision
     * @param namespaces usable ones, the first 64 of them
     * @param moreNamespaces how many more there are
     * @param queuesUsed queue pairs that are leased or serve an export
     * @param queuesTotal that the controller has granted
     * @param maxDepth commands in flight in one of them at most
     * @param leases of clients
     * @param resets since the daemon has it
     * @param leasable whether its queue pairs can be leased
     * @param isolation how far clients are kept apart, for people
     * @param protects whether the device itself keeps clients apart
     */
    public record DeviceStatus(
            String name,
            String uri,
            String path,
            String state,
            @Nullable String why,
            String serial,
            String model,
            String firmware,
            List<NamespaceStatus> namespaces,
            int moreNamespaces,
            int queuesUsed,
            int queuesTotal,
            int maxDepth,
            int leases,
            int resets,
            boolean leasable,
            String isolation,
            boolean protects) {
        /** Copies the list. */
        public DeviceStatus {
            namespaces = List.copyOf(namespaces);
        }
    }

    /**
     * A namespace.
     *
     * @param nsid its identifier
     * @param lbaBytes of a logical block
     * @param bytes of all
     * @param writeProtected whether the controller refuses to change it
     */
    public record NamespaceStatus(int nsid, int lbaBytes, long bytes, boolean writeProtected) {}

    /**
     * A client.
     *
     * @param id its number
     * @param owner who it is
     * @param since when it came
     * @param leases how many it has
     * @param queues how many queue pairs
     * @param memoryBytes how much memory that devices reach
     */
    public record ClientStatus(long id, Metered.Owner owner, Instant since, int leases, int queues, long memoryBytes) {}
}
