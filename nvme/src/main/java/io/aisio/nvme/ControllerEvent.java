package io.aisio.nvme;

import java.util.List;
import java.util.Set;

/**
 * Something that a controller told of its own accord (Asynchronous Event, section 5.2), or that happened to it. To be had
 * from {@link NvmeController#onEvent}.
 */
public sealed interface ControllerEvent {
    /** The controller was reset and works again; what was in flight has been given up, and may be tried again. */
    record WasReset(String why) implements ControllerEvent {}

    /** The controller has failed for good. */
    record Failed(String why) implements ControllerEvent {}

    /**
     * Namespaces were added, removed, resized or formatted by somebody else; {@link NvmeController#namespaces()} is of now.
     *
     * @param nsids which ones, as far as the controller tells; empty if they are too many for its list
     */
    record NamespacesChanged(Set<Integer> nsids) implements ControllerEvent {
        /** Copies the set. */
        public NamespacesChanged {
            nsids = Set.copyOf(nsids);
        }
    }

    /**
     * An error of the controller that no command's completion tells.
     *
     * @param information what kind, by {@link io.aisio.nvme.spec.AsyncEvent}
     * @param entries the error log, newest first
     */
    record ErrorReported(int information, List<ErrorEntry> entries) implements ControllerEvent {
        /** Copies the list. */
        public ErrorReported {
            entries = List.copyOf(entries);
        }
    }

    /**
     * The device's health has crossed a threshold.
     *
     * @param information what kind, by {@link io.aisio.nvme.spec.AsyncEvent}
     * @param criticalWarning the SMART log's critical warning bits
     */
    record Health(int information, int criticalWarning) implements ControllerEvent {}

    /** The controller starts to use new firmware, and may pause commands meanwhile. */
    record FirmwareActivation() implements ControllerEvent {}

    /** A Keep Alive command failed: the controller may take this host for gone. */
    record KeepAliveFailed(String why) implements ControllerEvent {}

    /**
     * Any other event.
     *
     * @param type by {@link io.aisio.nvme.spec.AsyncEvent}
     * @param information what of its type
     * @param logPage the log page that tells more
     */
    record Other(int type, int information, int logPage) implements ControllerEvent {}
}
