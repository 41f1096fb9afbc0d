package io.aisio.homi.view;

import io.aisio.homi.daemon.FileSystemStatus;
import io.aisio.homi.daemon.Metered;
import io.aisio.homi.daemon.Status;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/**
 * A snapshot as Prometheus reads it. What is counted by queue and export ends with it; a sum over time is made by whoever
 * keeps it, such as {@code sum by (device, path) (rate(homi_commands_total[1m]))}.
 */
final class Metrics {
    private static final double NANOS = 1e9;

    private final Snapshot snapshot;
    private final PrometheusText text = new PrometheusText();

    private Metrics(Snapshot snapshot) {
        this.snapshot = snapshot;
    }

    /** In the format of {@link PrometheusText#CONTENT_TYPE}. */
    static String of(Snapshot snapshot) {
        Metrics metrics = new Metrics(snapshot);
        metrics.daemon();
        metrics.devices();
        metrics.rows();
        metrics.fileSystems();
        return metrics.text.toString();
    }

    private void daemon() {
        Status status = snapshot.status();
        text.family(
                "homi_ready",
                PrometheusText.Type.GAUGE,
                "1 if every device works and nothing is being drained or ended.");
        text.sample(status.ready() ? 1 : 0, "state", status.state());
        text.family(
                "homi_start_time_seconds",
                PrometheusText.Type.GAUGE,
                "When the daemon was started, in seconds since 1970.");
        text.sample(status.started().getEpochSecond());
        text.family("homi_clients", PrometheusText.Type.GAUGE, "Connected clients.");
        text.sample(status.clients().size());
        text.family("homi_client_memory_bytes", PrometheusText.Type.GAUGE, "Memory of clients that devices reach.");
        text.sample(status.clients().stream()
                .mapToDouble(Status.ClientStatus::memoryBytes)
                .sum());
        text.family("homi_events_total", PrometheusText.Type.COUNTER, "Events since the daemon was started.");
        text.sample(status.lastEvent());
    }

    private void devices() {
        device(
                "homi_device_working",
                PrometheusText.Type.GAUGE,
                "1 if the device works.",
                d -> d.state().equals("working") ? 1 : 0);
        device(
                "homi_device_queue_pairs",
                PrometheusText.Type.GAUGE,
                "Queue pairs that the controller granted.",
                d -> d.queuesTotal());
        device(
                "homi_device_queue_pairs_used",
                PrometheusText.Type.GAUGE,
                "Queue pairs leased or of an export.",
                d -> d.queuesUsed());
        device("homi_device_leases", PrometheusText.Type.GAUGE, "Leases of clients.", d -> d.leases());
        device(
                "homi_device_resets_total",
                PrometheusText.Type.COUNTER,
                "Resets since the daemon has it.",
                d -> d.resets());
    }

    private void device(
            String name, PrometheusText.Type type, String help, ToDoubleFunction<Status.DeviceStatus> value) {
        text.family(name, type, help);
        for (Status.DeviceStatus device : snapshot.status().devices()) {
            text.sample(value.applyAsDouble(device), "device", device.name());
        }
    }

    private void rows() {
        text.family(
                "homi_commands_total",
                PrometheusText.Type.COUNTER,
                "Complete commands of a queue or export; told: who counted.");
        for (Metered.Row row : snapshot.status().rows()) {
            Metered.Counters counters = row.counters();
            row(row, counters.reads(), "command", "read");
            row(row, counters.writes(), "command", "write");
            row(row, counters.flushes(), "command", "flush");
        }
        text.family("homi_failed_commands_total", PrometheusText.Type.COUNTER, "Commands with an error.");
        snapshot.status().rows().forEach(row -> row(row, row.counters().failed()));
        text.family("homi_bytes_total", PrometheusText.Type.COUNTER, "Bytes moved without an error.");
        for (Metered.Row row : snapshot.status().rows()) {
            row(row, row.counters().bytesRead(), "command", "read");
            row(row, row.counters().bytesWritten(), "command", "write");
        }
        text.family(
                "homi_latency_seconds_total",
                PrometheusText.Type.COUNTER,
                "Time of all commands together, where it is known.");
        for (Metered.Row row : snapshot.status().rows()) {
            if (row.counters().latencyNanos() >= 0) {
                row(row, row.counters().latencyNanos() / NANOS);
            }
        }
        text.family("homi_queue_depth", PrometheusText.Type.GAUGE, "Commands in flight at most.");
        snapshot.status().rows().forEach(row -> row(row, row.depth()));
    }

    private void row(Metered.Row row, long value, String... more) {
        row(row, (double) value, more);
    }

    private void row(Metered.Row row, double value, String... more) {
        String[] labels = {
            "device", row.device(),
            "nsid", Integer.toString(row.nsid()),
            "path", row.path().name().toLowerCase(Locale.ROOT),
            "id", row.id(),
            "uid", Integer.toString(row.owner().uid()),
            "owner", row.owner().name(),
            "told", row.counters().told() ? "client" : "daemon"
        };
        String[] all = new String[labels.length + more.length];
        System.arraycopy(labels, 0, all, 0, labels.length);
        System.arraycopy(more, 0, all, labels.length, more.length);
        text.sample(value, all);
    }

    private void fileSystems() {
        fileSystem(
                "homi_extents_current",
                PrometheusText.Type.GAUGE,
                "1 if the index is as the file system is.",
                f -> f.state().equals("current") ? 1 : 0);
        fileSystem("homi_extents_files", PrometheusText.Type.GAUGE, "Files in the index.", f -> f.files());
        fileSystem(
                "homi_extents_readers",
                PrometheusText.Type.GAUGE,
                "Clients that have mapped the index.",
                f -> f.readers());
        fileSystem("homi_extents_pins", PrometheusText.Type.GAUGE, "Files that are held still.", f -> f.pins());
        fileSystem(
                "homi_extents_changes_total",
                PrometheusText.Type.COUNTER,
                "Changes seen since the index was opened.",
                f -> f.changes());
    }

    private void fileSystem(
            String name, PrometheusText.Type type, String help, ToDoubleFunction<FileSystemStatus> value) {
        text.family(name, type, help);
        for (FileSystemStatus one : snapshot.fileSystems()) {
            text.sample(value.applyAsDouble(one), "mount", one.mount(), "device", one.device());
        }
    }
}
