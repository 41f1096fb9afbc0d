package io.aisio.upcie;

import java.util.Comparator;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a PCI function is: {@code 0000:82:00.0}, as the kernel names it ({@code pci_setup_device}, {@code %04x:%02x:%02x.%d}).
 *
 * @param domain of 32 bits, as the kernel makes up domains of more than 16 (VMD, Hyper-V)
 * @param bus 0 to 255
 * @param device 0 to 31
 * @param function 0 to 7
 */
public record PciAddress(int domain, int bus, int device, int function) implements Comparable<PciAddress> {
    private static final Pattern TEXT =
            Pattern.compile("(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([01][0-9a-fA-F])\\.([0-7])");
    private static final Comparator<PciAddress> ORDER = Comparator.<PciAddress>comparingLong(
                    a -> a.domain & 0xFFFF_FFFFL)
            .thenComparingInt(PciAddress::bus)
            .thenComparingInt(PciAddress::device)
            .thenComparingInt(PciAddress::function);

    /** @throws IllegalArgumentException if a number is out of its range */
    public PciAddress {
        if ((bus & ~0xFF) != 0 || (device & ~0x1F) != 0 || (function & ~7) != 0) {
            throw new IllegalArgumentException(
                    "bus " + bus + ", device " + device + ", function " + function + ": at most 255, 31 and 7");
        }
    }

    /**
     * Reads an address; a short one is of domain 0.
     *
     * @param text such as {@code 0000:82:00.0} or {@code 82:00.0}
     * @throws IllegalArgumentException if it is none
     */
    public static PciAddress parse(String text) {
        Matcher parts = TEXT.matcher(text);
        if (!parts.matches()) {
            throw new IllegalArgumentException("'" + text + "' is no PCI address; it looks like 0000:82:00.0");
        }
        return new PciAddress(
                parts.group(1) == null ? 0 : Integer.parseUnsignedInt(parts.group(1), 16),
                Integer.parseInt(parts.group(2), 16),
                Integer.parseInt(parts.group(3), 16),
                Integer.parseInt(parts.group(4), 8));
    }

    /** Whether a text is an address as {@link #parse} takes it. */
    public static boolean isAddress(String text) {
        return TEXT.matcher(text).matches();
    }

    /** By number, the domain first. */
    @Override
    public int compareTo(PciAddress other) {
        return ORDER.compare(this, other);
    }

    /** As the kernel names it. */
    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%04x:%02x:%02x.%d", domain, bus, device, function);
    }
}
