package io.aisio.upcie;

import io.aisio.linux.block.DeviceUse;
import io.aisio.linux.block.DeviceUse.Kind;
import java.io.IOException;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Stands before everything that takes a function away from the kernel.
 *
 * <pre>
 *   the running system lies on it, a process drives it    refused
 *   mounted, swapped to, held, open; holds something      refused, unless its serial number is typed
 *   anything of it could not be looked at                 refused
 * </pre>
 */
public final class DeviceGuard {
    private final PciBus bus;
    private final FunctionUses uses;

    /**
     * @param bus where the functions are
     * @param uses what they are used for
     */
    public DeviceGuard(PciBus bus, FunctionUses uses) {
        this.bus = bus;
        this.uses = uses;
    }

    /**
     * Checks that a function may be taken from its driver.
     *
     * @param serial what was typed for its serial number; null if nothing was
     * @return what the serial number overrode, to be told
     * @throws IOException if it may not, and why exactly
     */
    public List<DeviceUse> check(PciDevice device, @Nullable String serial) throws IOException {
        String refused = device.address() + ": refused: ";
        List<DeviceUse> driven = uses.driven(device);
        if (!driven.isEmpty()) {
            throw new IOException(refused + sentence(driven) + "; end that first");
        }
        List<DeviceUse> found = uses.of(device);
        if (!uses.unseen().isEmpty()) {
            throw new IOException(refused + "what is on it could not be looked at: "
                    + uses.unseen().getFirst());
        }
        if (found.stream().anyMatch(use -> use.kind() == Kind.ROOT)) {
            throw new IOException(refused + sentence(found) + "; this cannot be forced");
        }
        if (found.isEmpty()) {
            return found;
        }
        List<KernelController> controllers = KernelController.of(bus, device.address());
        String right = controllers.isEmpty() ? "" : controllers.getFirst().serial();
        if (right.isEmpty()) {
            throw new IOException(refused + sentence(found) + "; end that first");
        }
        if (serial == null) {
            boolean now = found.stream().anyMatch(DeviceUse::isNow);
            throw new IOException(refused + sentence(found) + "; "
                    + (now ? "end that first, or, if it may all be lost," : "if it may be lost,")
                    + " add --force and its serial number, which './aisio devbind list' shows");
        }
        if (!serial.equals(right)) {
            throw new IOException(refused + "'" + serial + "' is not its serial number; " + sentence(found));
        }
        return found;
    }

    private static String sentence(List<DeviceUse> uses) {
        return uses.stream().map(DeviceUse::toString).distinct().collect(Collectors.joining(", "));
    }
}
