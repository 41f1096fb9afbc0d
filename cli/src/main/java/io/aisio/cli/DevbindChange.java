package io.aisio.cli;

import io.aisio.linux.OpenFile;
import io.aisio.linux.block.DeviceUse;
import io.aisio.upcie.BoundBefore;
import io.aisio.upcie.DeviceGuard;
import io.aisio.upcie.DriverBinding;
import io.aisio.upcie.FunctionUses;
import io.aisio.upcie.IommuGroup;
import io.aisio.upcie.PciAddress;
import io.aisio.upcie.PciBus;
import io.aisio.upcie.PciDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What the commands of {@code devbind} that change something have in common: first all is checked, then all is done. */
final class DevbindChange {
    @Spec(Spec.Target.MIXEE)
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Option(names = "--dry-run", description = "Check, and print each step instead of doing it.")
    private boolean dryRun;

    @Option(
            names = "--force",
            paramLabel = "SERIAL",
            description = "Take the one device of that serial number although it is in use or holds something. What is"
                    + " not written yet is lost. The running system's disk stays refused.")
    private @Nullable String force;

    private final PciBus bus = new PciBus();
    private final BoundBefore before = new BoundBefore(BoundBefore.FILE);
    private final DriverBinding binding = new DriverBinding(bus, before);

    /** Makes the plan for one function. */
    interface Planning {
        DriverBinding.Plan plan(PciAddress address) throws IOException;
    }

    DriverBinding binding() {
        return binding;
    }

    /** What is remembered of devices that were bound. */
    BoundBefore before() {
        return before;
    }

    /** Addresses as they were typed, each once. */
    List<PciAddress> addresses(List<String> typed) {
        LinkedHashSet<PciAddress> addresses = new LinkedHashSet<>();
        for (String one : typed) {
            try {
                addresses.add(PciAddress.parse(one));
            } catch (IllegalArgumentException e) {
                throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
            }
        }
        if (force != null && addresses.size() != 1) {
            throw new ParameterException(
                    spec.commandLine(), "--force takes one device at a time, which its serial number names");
        }
        return new ArrayList<>(addresses);
    }

    /**
     * Checks all functions, and changes nothing unless all may be changed; then changes one after another.
     *
     * @throws IOException if one is refused, or a step fails
     */
    int change(List<PciAddress> addresses, Planning planning) throws IOException {
        if (dryRun) {
            return checkAndDo(addresses, planning);
        }
        Root.require("changing drivers");
        try (OpenFile _ = before.lock()) {
            return checkAndDo(addresses, planning);
        }
    }

    private int checkAndDo(List<PciAddress> addresses, Planning planning) throws IOException {
        List<DriverBinding.Plan> plans = new ArrayList<>();
        for (PciAddress address : addresses) {
            DriverBinding.Plan plan = planning.plan(address);
            plans.add(plan);
            if (plan.unbinds()) {
                warn(plan.device(), new DeviceGuard(bus, FunctionUses.look()).check(plan.device(), force));
            }
        }
        for (DriverBinding.Plan plan : plans) {
            XalOptions.stopIfInterrupted();
            if (dryRun) {
                print(plan);
            } else {
                // What happened since all were checked.
                if (plan.unbinds()) {
                    new DeviceGuard(bus, FunctionUses.look()).check(plan.device(), force);
                }
                plan.carryOut();
                tell(plan);
            }
            tellGroup(plan);
        }
        return Exit.DONE;
    }

    private static void warn(PciDevice device, List<DeviceUse> overridden) {
        if (!overridden.isEmpty()) {
            System.err.println("warning: " + device.address() + " is taken although "
                    + Printable.of(overridden.stream().map(DeviceUse::toString).collect(Collectors.joining(", ")))
                    + ": what is not written yet is lost, and programs that use it fail");
        }
    }

    private static void print(DriverBinding.Plan plan) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            if (plan.steps().isEmpty()) {
                out.line("# " + plan.device().address() + ": nothing to do, it has "
                        + driver(plan.device().driver()));
            }
            for (String step : plan.steps()) {
                out.line(step);
            }
        }
    }

    private static void tell(DriverBinding.Plan plan) throws IOException {
        String had = driver(plan.device().driver());
        String has = driver(plan.driver());
        try (StandardOutput out = new StandardOutput()) {
            out.line(plan.device().address() + ": " + (had.equals(has) ? "has " + has : had + " -> " + has));
        }
    }

    private static String driver(@Nullable String name) {
        return name == null ? "no driver" : name;
    }

    /** VFIO gives a function away only when nothing else of its group is the kernel's. */
    private void tellGroup(DriverBinding.Plan plan) throws IOException {
        if (!"vfio-pci".equals(plan.driver())) {
            return;
        }
        int number = bus.device(plan.device().address()).iommuGroup();
        if (number < 0) {
            return;
        }
        List<PciDevice> others =
                IommuGroup.read(bus, number).inTheWayOf(plan.device().address());
        if (!others.isEmpty()) {
            System.err.println("note: " + plan.device().address() + " cannot be opened yet: its IOMMU group " + number
                    + " also has "
                    + others.stream()
                            .map(other -> other.address() + " (" + other.driver() + ")")
                            .collect(Collectors.joining(", "))
                    + "; unbind these too");
        }
    }
}
