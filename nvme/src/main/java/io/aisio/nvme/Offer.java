package io.aisio.nvme;

import io.aisio.nvme.spec.IdentifyController;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;

/**
 * What a controller offers beyond what each has, as far as only the driver needs to know it (Identify Controller).
 *
 * @param adminCommands OACS
 * @param events OAES
 * @param eventRequests Asynchronous Event Requests that may be outstanding, at least 1
 * @param errorEntries of the error log, at least 1
 * @param sgls SGLS
 * @param keepAliveUnit KAS: the unit of the keep alive timer, zero if there is none
 * @param retryDelays what CRD 1 to 3 of a status mean
 */
record Offer(
        int adminCommands,
        int events,
        int eventRequests,
        int errorEntries,
        int sgls,
        Duration keepAliveUnit,
        List<Duration> retryDelays) {
    /** Nothing is known yet. */
    static final Offer NONE = new Offer(0, 0, 0, 1, 0, Duration.ZERO, List.of());

    /** The longest delay that is believed: the field could ask for nearly two hours. */
    private static final Duration MAX_RETRY_DELAY = Duration.ofSeconds(10);

    private static final int DELAYS = 3;

    static Offer of(MemorySegment data) {
        return new Offer(
                Wire.u16(data, IdentifyController.OACS),
                Wire.i32(data, IdentifyController.OAES),
                Wire.u8(data, IdentifyController.AERL) + 1,
                Wire.u8(data, IdentifyController.ELPE) + 1,
                Wire.i32(data, IdentifyController.SGLS),
                Duration.ofMillis(100L * Wire.u16(data, IdentifyController.KAS)),
                List.of(delay(data, 0), delay(data, 1), delay(data, 2)));
    }

    private static Duration delay(MemorySegment data, int index) {
        Duration told = Duration.ofMillis(100L * Wire.u16(data, IdentifyController.CRDT1 + 2L * index));
        return told.compareTo(MAX_RETRY_DELAY) > 0 ? MAX_RETRY_DELAY : told;
    }

    /** Whether the controller has a delay for any CRD. */
    boolean tellsRetryDelays() {
        return retryDelays.stream().anyMatch(Duration::isPositive);
    }

    /** What a CRD of a status means, zero for 0 or where it was not told. */
    Duration retryDelay(int crd) {
        return crd < 1 || crd > DELAYS || retryDelays.isEmpty() ? Duration.ZERO : retryDelays.get(crd - 1);
    }
}
