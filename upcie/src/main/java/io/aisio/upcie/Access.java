package io.aisio.upcie;

import java.util.Locale;

/** The ways in which the kernel lends a PCI function to a process. */
public enum Access {
    /** VFIO by the device's own file, its memory mapped in an address space of {@code /dev/iommu}. */
    IOMMUFD("VFIO with iommufd"),
    /** VFIO by the IOMMU group's file, its memory mapped by the type 1 driver. */
    TYPE1("VFIO with a type 1 container"),
    /**
     * VFIO by the group's file, but no IOMMU: the function reaches all memory of the machine, so that a mistake of the
     * driver's may destroy anything. Needs huge pages and root.
     */
    NOIOMMU("VFIO without an IOMMU, unsafe"),
    /** {@code uio_pci_generic}: registers by sysfs, no IOMMU of its own. Needs huge pages and root. */
    UIO("UIO");

    private final String description;

    Access(String description) {
        this.description = description;
    }

    /** For people. */
    public String description() {
        return description;
    }

    /**
     * By its name, in lower case.
     *
     * @throws IllegalArgumentException if there is none of this name; the message is one sentence
     */
    public static Access parse(String text) {
        for (Access access : values()) {
            if (access.toString().equals(text)) {
                return access;
            }
        }
        throw new IllegalArgumentException("no access by '" + text + "'; there is iommufd, type1, noiommu and uio");
    }

    /** {@code iommufd}, {@code type1}, {@code noiommu} or {@code uio}. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
