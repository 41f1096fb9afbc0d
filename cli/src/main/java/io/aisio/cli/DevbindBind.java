package io.aisio.cli;

import io.aisio.upcie.DriverBinding;
import io.aisio.upcie.PciAddress;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code devbind bind}: gives devices another driver. */
@Command(
        name = "bind",
        header = "Gives devices another driver.",
        description = {
            "%nA device is refused while it is mounted, swapped to, part of a volume or open, if its blocks hold something,"
                    + " and always if the running system lies on it. The driver is loaded if need be. If it does not"
                    + " take the device, all is undone. 'devbind restore' gives back what the device had."
        },
        footer = {
            "  sudo ./aisio devbind bind --driver vfio-pci 0000:82:00.0",
            "  ./aisio devbind bind --driver uio_pci_generic --dry-run 82:00.0 83:00.0"
        })
final class DevbindBind implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private DevbindChange change;

    @Option(
            names = "--driver",
            required = true,
            paramLabel = "DRIVER",
            description = "Such as vfio-pci, uio_pci_generic or nvme.")
    @SuppressWarnings("NullAway.Init")
    private String driver;

    @Parameters(arity = "1..*", paramLabel = "ADDRESS", description = "Such as 0000:82:00.0 or 82:00.0.")
    @SuppressWarnings("NullAway.Init")
    private List<String> typed;

    @Override
    public Integer call() throws IOException {
        List<PciAddress> addresses = change.addresses(typed);
        if (!DriverBinding.isName(driver)) {
            throw new ParameterException(
                    spec.commandLine(), "'" + driver + "' is no driver's name; it looks like vfio-pci");
        }
        return change.change(addresses, address -> change.binding().bind(address, driver));
    }
}
