package io.aisio.emu;

import java.util.HashMap;
import java.util.Map;

/** A link that controllers of this process share, for as long as any of them is open. */
final class SharedLink {
    private static final Map<String, SharedLink> BY_NAME = new HashMap<>();

    private final EmuConfiguration.Uplink uplink;
    private final LinkTime time;
    private int controllers;

    private SharedLink(EmuConfiguration.Uplink uplink) {
        this.uplink = uplink;
        time = new LinkTime(uplink.link(), false);
    }

    /**
     * The one of that name, which whoever gets it leaves once.
     *
     * @throws IllegalArgumentException if it is another link for those that have it
     */
    static SharedLink join(EmuConfiguration.Uplink wanted) {
        synchronized (BY_NAME) {
            SharedLink shared = BY_NAME.computeIfAbsent(wanted.name(), _ -> new SharedLink(wanted));
            if (!shared.uplink.equals(wanted)) {
                throw new IllegalArgumentException(
                        "uplink '%s' is %s for other controllers of this process, not %s: give it the same link, or another name"
                                .formatted(wanted.name(), shared.uplink.link(), wanted.link()));
            }
            shared.controllers++;
            return shared;
        }
    }

    /** One controller has it no more. */
    void leave() {
        synchronized (BY_NAME) {
            if (--controllers == 0) {
                BY_NAME.remove(uplink.name());
            }
        }
    }

    /** When it is free. */
    LinkTime time() {
        return time;
    }
}
