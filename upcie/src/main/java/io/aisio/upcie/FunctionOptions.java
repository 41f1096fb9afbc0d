package io.aisio.upcie;

import io.aisio.linux.Mapping;
import org.jspecify.annotations.Nullable;

/**
 * How a function of this machine is opened.
 *
 * @param access by which way; null for the one that follows from the driver that it is bound to
 * @param unsafe whether {@link Access#NOIOMMU} will do
 * @param hugePageBytes of the huge pages that its memory comes from: 2 MiB or 1 GiB. Behind an IOMMU ordinary pages serve
 *     where there are none, and {@link Access#UIO} takes those alone; without one they are needed
 */
public record FunctionOptions(@Nullable Access access, boolean unsafe, long hugePageBytes) {
    /** 1 GiB. */
    public static final long GIGANTIC_PAGE_SIZE = 1L << 30;

    /** As the function is bound, safely, with huge pages of 2 MiB. */
    public static final FunctionOptions DEFAULT = new FunctionOptions(null, false, Mapping.HUGE_PAGE_SIZE);

    /** @throws IllegalArgumentException if huge pages are of another size */
    public FunctionOptions {
        if (hugePageBytes != Mapping.HUGE_PAGE_SIZE && hugePageBytes != GIGANTIC_PAGE_SIZE) {
            throw new IllegalArgumentException(
                    "huge pages of " + hugePageBytes + " bytes; 2 MiB and 1 GiB are possible");
        }
    }
}
