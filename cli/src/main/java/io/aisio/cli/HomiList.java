package io.aisio.cli;

import io.aisio.homi.HomiControl;
import io.aisio.homi.daemon.Status;
import io.aisio.xnvme.ByteSize;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code homi list}: the devices that the daemon has. */
@Command(
        name = "list",
        header = "Lists the daemon's devices, and how many of their queue pairs are in use.",
        description = {"%nEach is opened by any tool as homi:NAME, or homi:NAME/NSID for another namespace than 1."},
        footer = {"  ./aisio homi list", "  ./aisio homi list --output yaml"})
final class HomiList implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private HomiOptions options;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private OutputFormat output;

    @Override
    public Integer call() throws IOException {
        List<Status.DeviceStatus> devices;
        try (HomiControl control = options.open("list")) {
            devices = control.status().devices();
        }
        if (output.human()) {
            try (StandardOutput out = new StandardOutput()) {
                table(devices).print(out);
            }
        } else {
            XnvmeReport.of("homi", "list").put("devices", devices).print(output.format());
        }
        return Exit.DONE;
    }

    static TextTable table(List<Status.DeviceStatus> devices) {
        TextTable table =
                new TextTable("DEVICE", "STATE", "QUEUES", "LEASES", "RESETS", "NAMESPACES", "WHAT IT IS", "ISOLATION");
        for (Status.DeviceStatus device : devices) {
            String why = device.why();
            table.add(
                    device.name(),
                    device.state() + (why == null ? "" : ": " + why),
                    device.queuesUsed() + "/" + device.queuesTotal(),
                    Integer.toString(device.leases()),
                    Integer.toString(device.resets()),
                    device.namespaces().stream()
                                    .map(one -> one.nsid() + ": " + ByteSize.format(one.bytes())
                                            + (one.writeProtected() ? " (write-protected)" : ""))
                                    .collect(Collectors.joining(", "))
                            + (device.moreNamespaces() == 0 ? "" : ", and " + device.moreNamespaces() + " more"),
                    device.uri(),
                    device.isolation());
        }
        return table;
    }
}
