package io.aisio.rig;

import io.aisio.homi.daemon.Events;
import io.aisio.homi.daemon.Export;
import io.aisio.homi.daemon.Metered;
import io.aisio.homi.ublk.UblkExports;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;

/**
 * Serves a namespace as a block device until it is ended: {@code UblkServer DEVICE NSID QUEUES DEPTH}. Says what happens, a
 * line each; SIGTERM stops it in order.
 */
final class UblkServer {
    private UblkServer() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        Events events = new Events();
        Events.Subscription told = events.subscribe(event -> say(event.kind() + ": " + event.text()));
        UblkExports exports = new UblkExports();
        Device device = Device.open(args[0]);
        Export.Request request = new Export.Request(
                "export",
                args[0],
                Integer.parseInt(args[1]),
                exports.kind(),
                Integer.parseInt(args[2]),
                Integer.parseInt(args[3]),
                false,
                -1);
        Export export = exports.start(request, (NvmeDevice) device, events);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> end(export, device, told)));
        say("serving: " + export);
        Thread.currentThread().join();
    }

    private static void end(Export export, Device device, Events.Subscription told) {
        export.close();
        try {
            device.close();
        } catch (IOException e) {
            say("failed: " + e);
        }
        Metered.Counters counted = export.row().counters();
        say("counted: %d reads, %d writes, %d flushes, %d failed"
                .formatted(counted.reads(), counted.writes(), counted.flushes(), counted.failed()));
        told.close();
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
