package io.aisio.homi.view;

import io.aisio.homi.daemon.Events;
import io.aisio.homi.daemon.FileSystemStatus;
import io.aisio.homi.daemon.Metered;
import io.aisio.homi.daemon.Status;
import io.aisio.xnvme.ByteSize;
import java.util.Locale;
import java.util.stream.Collectors;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A snapshot for the page, which is its only reader: nothing else may depend on its shape. Times are in milliseconds. */
final class SnapshotJson {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private SnapshotJson() {}

    static String of(Snapshot snapshot) {
        Status status = snapshot.status();
        ObjectNode root = JSON.createObjectNode();
        root.put("state", status.state());
        root.put("about", "process " + status.pid() + ", " + status.socket());
        root.put("started", status.started().toEpochMilli());
        root.put("now", snapshot.time().toEpochMilli());
        root.put("nanos", snapshot.nanos());
        root.put("more", status.more());
        ArrayNode devices = root.putArray("devices");
        status.devices().forEach(device -> put(devices.addObject(), device));
        ArrayNode rows = root.putArray("rows");
        status.rows().forEach(row -> put(rows.addObject(), row));
        ArrayNode extents = root.putArray("extents");
        for (FileSystemStatus one : snapshot.fileSystems()) {
            ObjectNode node = extents.addObject();
            node.put("mount", one.mount());
            node.put("on", one.device() + "/" + one.nsid());
            node.put("state", one.state());
            node.put("why", one.why());
            node.put("files", one.files());
            node.put("readers", one.readers());
            node.put("pins", one.pins());
            node.put("changes", one.changes());
        }
        ArrayNode events = root.putArray("events");
        for (Events.Event event : snapshot.events()) {
            ObjectNode node = events.addObject();
            node.put("time", event.time().toEpochMilli());
            node.put("kind", event.kind());
            node.put("device", event.device());
            node.put("text", event.text());
        }
        return JSON.writeValueAsString(root);
    }

    private static void put(ObjectNode node, Status.DeviceStatus device) {
        node.put("name", device.name());
        node.put("state", device.state());
        node.put("why", device.why());
        String namespaces = device.namespaces().stream()
                        .map(one -> ByteSize.format(one.bytes()) + (one.writeProtected() ? " (write-protected)" : ""))
                        .collect(Collectors.joining(", "))
                + (device.moreNamespaces() == 0 ? "" : ", and " + device.moreNamespaces() + " more");
        node.put("what", device.model() + ", " + device.path() + (namespaces.isEmpty() ? "" : ", " + namespaces));
        node.put("used", device.queuesUsed());
        node.put("total", device.queuesTotal());
        node.put("leases", device.leases());
        node.put("resets", device.resets());
        node.put("isolation", device.isolation());
    }

    private static void put(ObjectNode node, Metered.Row row) {
        Metered.Counters counters = row.counters();
        node.put("id", row.id());
        node.put("device", row.device());
        node.put("nsid", row.nsid());
        node.put("path", row.path().name().toLowerCase(Locale.ROOT));
        node.put("name", row.owner().name());
        node.put("pid", row.owner().pid());
        node.put("uid", row.owner().uid());
        node.put("queues", row.queues());
        node.put("depth", row.depth());
        node.put("readOnly", row.readOnly());
        node.put("created", row.created().toEpochMilli());
        node.put("state", row.state());
        node.put("detail", row.detail());
        node.put("told", counters.told());
        node.put("ops", counters.reads() + counters.writes() + counters.flushes());
        node.put("bytesRead", counters.bytesRead());
        node.put("bytesWritten", counters.bytesWritten());
        node.put("bytes", counters.bytesRead() + counters.bytesWritten());
        node.put("failed", counters.failed());
        node.put("latencyNanos", counters.latencyNanos());
    }
}
