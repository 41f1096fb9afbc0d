package io.aisio.upcie;

import io.aisio.linux.UdmabufImport;
import java.util.List;

/** Where the bytes of memory lie that is scattered in runs, from the first on. */
final class PeerRuns {
    /** Of each run, the offset at which it begins, ascending. */
    private final long[] offsets;

    private final long[] addresses;
    private final long bytes;

    /** @param runs at least one */
    PeerRuns(List<UdmabufImport.Run> runs) {
        offsets = new long[runs.size()];
        addresses = new long[runs.size()];
        long offset = 0;
        for (int i = 0; i < offsets.length; i++) {
            offsets[i] = offset;
            addresses[i] = runs.get(i).address();
            offset += runs.get(i).bytes();
        }
        bytes = offset;
    }

    /** Bytes of all runs. */
    long bytes() {
        return bytes;
    }

    /** The address of the byte at {@code offset}, which is in one of the runs. */
    long address(long offset) {
        int low = 0;
        int high = offsets.length - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (offsets[middle] <= offset) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return addresses[low] + offset - offsets[low];
    }
}
