package io.aisio.cli;

import io.aisio.emu.EmuUri;
import io.aisio.emu.VfioUserServer;
import io.aisio.xnvme.DeviceUri;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code emu serve}: software controllers by vfio-user. */
@Command(
        name = "serve",
        header = "Serves NVMe controllers in software to other processes, by vfio-user.",
        description = {
            "%nAny vfio-user client can connect: ./aisio as vfu:PATH, SPDK, QEMU. Each has a controller of its own until it"
                    + " leaves. Memory is empty for each client, and gone with it; an image that is written has one client"
                    + " at a time; one that is read (?readonly) is shared. What a client does wrong ends its own connection"
                    + " alone. The socket is for this user only. Who came and went is told on standard error. It ends by"
                    + " Ctrl-C (exit code 130), and removes the socket."
        },
        parameterListHeading = "%nWhat:%n",
        footer = {
            "  ./aisio emu serve --socket /tmp/nvme.sock 1GiB",
            "  ./aisio emu serve --socket /tmp/nvme.sock '/data/set.img?readonly&lba=4096'",
            "  ./aisio xnvmeperf verify --iosize 4096 --count 1024 --destroy-data vfu:/tmp/nvme.sock"
        })
final class EmuServe implements Callable<Integer> {
    private static final String SCHEME = "emu";

    @Option(names = "--socket", required = true, paramLabel = "PATH", description = "Where clients connect.")
    @SuppressWarnings("NullAway.Init")
    private Path socket;

    @Parameters(
            index = "0",
            paramLabel = "MEDIUM",
            description = "1GiB, null,1TiB or /path/to/image, and the options of an emu: device: 1GiB?lba=4096.")
    @SuppressWarnings("NullAway.Init")
    private String medium;

    @Override
    public Integer call() throws IOException {
        DeviceUri uri = DeviceUri.parse(medium.startsWith(SCHEME + ":") ? medium : SCHEME + ":" + medium);
        EmuUri emu = EmuUri.parse(uri);
        try (VfioUserServer server =
                        VfioUserServer.open(socket, emu.configuration(), note -> System.err.println("note: " + note));
                Interruption _ = Interruption.stops(server::close)) {
            System.err.println(
                    Printable.of("note: " + uri.text() + " is served; its name is vfu:" + server.path() + " now"));
            server.serve();
        }
        return Exit.DONE;
    }
}
