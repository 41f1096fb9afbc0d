package io.aisio.upcie;

import io.aisio.linux.LinuxException;
import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Changes which driver a PCI function has ({@code Documentation/ABI/testing/sysfs-bus-pci}).
 *
 * <pre>
 *   driver_override ← vfio-pci     first, so that nothing else takes the function once it is free
 *   driver/unbind   ← 0000:82:00.0
 *   drivers_probe   ← 0000:82:00.0, and then it is seen which driver came
 * </pre>
 *
 * What it had before is remembered ({@link BoundBefore}). Nothing here asks whether the function is in use: that is
 * {@link DeviceGuard}'s.
 */
public final class DriverBinding {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_-]{0,63}");

    /** How an attribute is written. */
    @FunctionalInterface
    interface Writer {
        void write(Path attribute, String text) throws LinuxException;
    }

    /** Loads a module of the kernel, and what it needs. */
    @FunctionalInterface
    interface Modules {
        void load(String name) throws IOException;
    }

    /** Something that may fail. */
    @FunctionalInterface
    private interface Action {
        void run() throws IOException;
    }

    /**
     * One thing that a plan does.
     *
     * @param shown as a shell would do it
     * @param action does it
     * @param undo undoes it
     */
    private record Step(String shown, Action action, Action undo) {}

    private final PciBus bus;
    private final BoundBefore before;
    private final Modules modules;
    private final Writer writer;

    /**
     * @param bus where the functions are
     * @param before where it is remembered what they had
     */
    public DriverBinding(PciBus bus, BoundBefore before) {
        this(bus, before, Modprobe::load, Sysfs::write);
    }

    DriverBinding(PciBus bus, BoundBefore before, Modules modules, Writer writer) {
        this.bus = bus;
        this.before = before;
        this.modules = modules;
        this.writer = writer;
    }

    /** What will be done to a function, in order. Nothing has been done yet. */
    public static final class Plan {
        private final PciDevice device;
        private final @Nullable String driver;
        private final List<Step> steps;

        private Plan(PciDevice device, @Nullable String driver, List<Step> steps) {
            this.device = device;
            this.driver = driver;
            this.steps = steps;
        }

        /** The function as it was when this was made. */
        public PciDevice device() {
            return device;
        }

        /** The driver that it has in the end; null if none. */
        public @Nullable String driver() {
            return driver;
        }

        /** Whether it takes the function from a driver that it has. */
        public boolean unbinds() {
            return device.driver() != null && !device.driver().equals(driver);
        }

        /** What is done, a line each, as a shell would do it; none if all is so already. */
        public List<String> steps() {
            return steps.stream().map(Step::shown).toList();
        }

        /**
         * Does it. When a step fails, those before it are undone as far as they can be, and what could not be is a
         * suppressed exception each.
         *
         * @throws IOException if a step fails
         */
        public void carryOut() throws IOException {
            List<Step> done = new ArrayList<>();
            try {
                for (Step step : steps) {
                    // First: a step that fails may have done a part.
                    done.addFirst(step);
                    step.action().run();
                }
            } catch (IOException e) {
                for (Step step : done) {
                    try {
                        step.undo().run();
                    } catch (IOException undoing) {
                        e.addSuppressed(new IOException("could not be undone: " + undoing.getMessage(), undoing));
                    }
                }
                throw e;
            }
        }
    }

    /**
     * Binds a function to a driver.
     *
     * @throws IllegalArgumentException if the driver's name is none
     * @throws IOException if there is no such function, or it can be seen beforehand that it will not do
     */
    public Plan bind(PciAddress address, String driver) throws IOException {
        PciDevice device = bus.device(address);
        checkName(driver);
        BoundBefore.Binding was = before.all().get(address);
        if (was != null && was.isOf(device) && driver.equals(was.driver())) {
            return restore(address);
        }
        if (driver.equals(device.driver())) {
            return new Plan(device, driver, List.of());
        }
        if (driver.equals("vfio-pci") && device.iommuGroup() < 0 && !noIommuAllowed()) {
            throw new IOException(address
                    + ": it is in no IOMMU group, without which vfio-pci does not take it; start the kernel with"
                    + " intel_iommu=on or amd_iommu=on, or, where any program may then read all memory through the"
                    + " device, run '"
                    // A module's parameters are heeded only when it is loaded.
                    + (Files.exists(noIommu()) ? "echo 1 > " + noIommu() : "modprobe vfio enable_unsafe_noiommu_mode=1")
                    + "'");
        }
        List<Step> steps = new ArrayList<>();
        steps.add(remember(device));
        addTaking(device, driver, steps);
        return new Plan(device, driver, steps);
    }

    /**
     * Takes a function from its driver, and leaves it without.
     *
     * @throws IOException if there is no such function
     */
    public Plan unbind(PciAddress address) throws IOException {
        PciDevice device = bus.device(address);
        if (device.driver() == null) {
            return new Plan(device, null, List.of());
        }
        return new Plan(device, null, List.of(remember(device), unbind(device)));
    }

    /**
     * Gives a function what it had before the first change that is remembered. Of one of which nothing is remembered, any
     * driver may bind again.
     *
     * @throws IOException if there is no such function, or another is at its place now
     */
    public Plan restore(PciAddress address) throws IOException {
        PciDevice device = bus.device(address);
        BoundBefore.Binding was = before.all().get(address);
        List<Step> steps = new ArrayList<>();
        if (was == null) {
            if (device.driverOverride() == null) {
                throw new IOException(address + ": nothing is remembered of it, and any driver may bind to it already");
            }
            steps.add(override(device, null));
            return new Plan(device, device.driver(), steps);
        }
        if (!was.isOf(device)) {
            throw new IOException("%s: it was %04x:%04x when it was bound, and is %04x:%04x now; bind it by name"
                    .formatted(address, was.vendor(), was.device(), device.vendor(), device.device()));
        }
        String driver = was.driver();
        if (driver == null) {
            if (device.driver() != null) {
                steps.add(unbind(device));
            }
        } else if (!driver.equals(device.driver())) {
            addTaking(device, driver, steps);
        }
        String now = steps.isEmpty() || driver == null ? device.driverOverride() : driver;
        if (!Objects.equals(was.override(), now)) {
            steps.add(override(device, was.override()));
        }
        steps.add(new Step(
                "forget what " + address + " had, in " + before.file(), () -> before.forget(address), () -> {}));
        return new Plan(device, driver, steps);
    }

    /** Load, override, unbind, probe. */
    private void addTaking(PciDevice device, String driver, List<Step> steps) {
        Path folder = bus.bus().resolve("drivers").resolve(driver);
        if (!Files.isDirectory(folder)) {
            steps.add(new Step("modprobe " + driver, () -> load(device.address(), driver, folder), () -> {}));
        }
        steps.add(override(device, driver));
        if (device.driver() != null) {
            steps.add(unbind(device));
        }
        Path probe = bus.bus().resolve("drivers_probe");
        steps.add(new Step(
                echo(device.address().toString(), probe),
                () -> {
                    writer.write(probe, device.address().toString());
                    String came = bus.device(device.address()).driver();
                    if (!driver.equals(came)) {
                        throw new IOException(device.address() + ": " + driver + " did not take it"
                                + (came == null ? "" : ", but " + came + " did") + "; " + hint(device, driver));
                    }
                },
                () -> giveBack(device)));
    }

    private void load(PciAddress address, String driver, Path folder) throws IOException {
        try {
            modules.load(driver);
        } catch (IOException e) {
            throw new IOException(
                    address + ": the kernel has no driver " + driver + ", and cannot load it: " + e.getMessage(), e);
        }
        if (!Files.isDirectory(folder)) {
            throw new IOException(
                    address + ": the module " + driver + " was loaded, and is no driver of PCI functions");
        }
    }

    private Step remember(PciDevice device) throws IOException {
        BoundBefore.Binding known = before.all().get(device.address());
        boolean fresh = known == null || !known.isOf(device);
        return new Step(
                "remember that " + device.address() + " had "
                        + (device.driver() == null ? "no driver" : device.driver()) + ", in " + before.file(),
                () -> before.remember(device),
                () -> {
                    if (fresh) {
                        before.forget(device.address());
                    }
                });
    }

    private Step override(PciDevice device, @Nullable String driver) {
        Path attribute = bus.folder(device.address()).resolve("driver_override");
        // An empty line clears it.
        String text = driver == null ? "\n" : driver;
        String old = device.driverOverride() == null ? "\n" : device.driverOverride();
        return new Step(
                echo(driver == null ? "" : driver, attribute),
                () -> writer.write(attribute, text),
                () -> writer.write(attribute, old));
    }

    private Step unbind(PciDevice device) {
        Path attribute = bus.folder(device.address()).resolve("driver/unbind");
        return new Step(
                echo(device.address().toString(), attribute),
                () -> {
                    writer.write(attribute, device.address().toString());
                    String driver = bus.device(device.address()).driver();
                    if (driver != null) {
                        throw new IOException(device.address() + ": it is still bound to " + driver);
                    }
                },
                () -> giveBack(device));
    }

    /** Binds a function to the driver that it had when a plan began, if it has not got it. */
    private void giveBack(PciDevice was) throws IOException {
        PciDevice now = bus.device(was.address());
        String address = was.address().toString();
        if (Objects.equals(now.driver(), was.driver())) {
            return;
        }
        if (now.driver() != null) {
            writer.write(bus.folder(was.address()).resolve("driver/unbind"), address);
        }
        if (was.driver() != null) {
            writer.write(bus.folder(was.address()).resolve("driver_override"), was.driver());
            writer.write(bus.bus().resolve("drivers_probe"), address);
            if (!was.driver().equals(bus.device(was.address()).driver())) {
                throw new IOException(address + " is not back with " + was.driver());
            }
        }
    }

    private Path noIommu() {
        return bus.sysfs().resolve("module/vfio/parameters/enable_unsafe_noiommu_mode");
    }

    private boolean noIommuAllowed() throws IOException {
        String set = Sysfs.text(noIommu());
        return "Y".equals(set) || "1".equals(set);
    }

    private static String hint(PciDevice device, String driver) {
        return switch (driver) {
            case "uio_pci_generic" ->
                device.physicalFunction() != null
                        ? "it needs an interrupt pin, which virtual functions have not; use vfio-pci"
                        : "it needs an interrupt pin, which not every function has; dmesg(1) says more";
            default -> "dmesg(1) says why";
        };
    }

    /** Whether a text could be a driver's name. */
    public static boolean isName(String driver) {
        return NAME.matcher(driver).matches();
    }

    private static void checkName(String driver) {
        if (!isName(driver)) {
            throw new IllegalArgumentException("'" + driver + "' is no driver's name; it looks like vfio-pci");
        }
    }

    private static String echo(String text, Path attribute) {
        return "echo " + (text.isEmpty() ? "''" : text) + " > " + attribute;
    }
}
