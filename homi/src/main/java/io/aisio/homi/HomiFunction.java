package io.aisio.homi;

import io.aisio.linux.Mapping;
import io.aisio.upcie.PciFunction;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.util.List;

/** A virtual function that the daemon leases whole: a controller of this process's own, until the daemon takes it back. */
final class HomiFunction {
    private HomiFunction() {}

    /**
     * Leases one, and brings its controller up.
     *
     * @param client becomes the device's: it is closed with it, also if this fails
     * @param name by which the daemon has such functions
     * @param text the device's name as the user gave it
     */
    static Device open(HomiClient client, String name, int nsid, String text) throws IOException {
        try {
            HomiClient.Reply reply =
                    client.call("function.open", HomiClient.params().put("name", name), List.of());
            String address = reply.result().path("address").stringValue("");
            if (reply.files().size() != 2) {
                reply.closeFiles();
                throw new IOException(text + ": a function of " + reply.files().size() + " descriptors, not 2");
            }
            PciFunction function = PciFunction.passed(
                    text,
                    reply.files().get(0),
                    reply.files().get(1),
                    reply.result().path("space").intValue(),
                    Mapping.HUGE_PAGE_SIZE,
                    client::close);
            return NvmeDevice.open(
                    function,
                    nsid,
                    text,
                    "virtual function " + address + " leased from homid, " + function.description());
        } catch (IOException | RuntimeException e) {
            client.close();
            throw e;
        }
    }
}
