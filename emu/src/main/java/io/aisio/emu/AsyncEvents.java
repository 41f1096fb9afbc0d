package io.aisio.emu;

import io.aisio.nvme.spec.AsyncEvent;
import io.aisio.nvme.spec.LogPage;
import io.aisio.nvme.spec.Status;
import java.util.Arrays;

/**
 * Asynchronous events (section 5.2): requests that wait for one, and the events that wait for a request. An event's type
 * is masked from its completion until its log page is read.
 */
final class AsyncEvents {
    /** Requests that may wait, AERL + 1: chosen as drives have it. */
    static final int LIMIT = 4;

    private static final int TYPES = AsyncEvent.TYPE_IO_COMMAND_SET + 1;
    private static final int NONE = -1;

    private final int[] waiting = new int[LIMIT];
    private int count;
    private final int[] pending = new int[TYPES];
    private final boolean[] masked = new boolean[TYPES];
    /** Notices that are told whether or not they are masked: a fault. */
    private long flood;

    AsyncEvents() {
        reset();
    }

    /** Forgets everything, as a controller reset does. */
    void reset() {
        count = 0;
        flood = 0;
        Arrays.fill(pending, NONE);
        Arrays.fill(masked, false);
    }

    /** Takes a request in; {@link AdminCommands#NO_COMPLETION}, or the status that refuses it. */
    int request(int cid) {
        if (contains(cid)) {
            return Status.CID_CONFLICT | Status.DNR_BIT;
        }
        if (count == LIMIT) {
            return Status.AER_LIMIT_EXCEEDED | Status.DNR_BIT;
        }
        waiting[count++] = cid;
        return AdminCommands.NO_COMPLETION;
    }

    /** Whether a request with this CID waits. */
    boolean contains(int cid) {
        for (int i = 0; i < count; i++) {
            if (waiting[i] == cid) {
                return true;
            }
        }
        return false;
    }

    /** Takes out the request with this CID; false if there is none. */
    boolean abort(int cid) {
        for (int i = 0; i < count; i++) {
            if (waiting[i] == cid) {
                System.arraycopy(waiting, i + 1, waiting, i, --count - i);
                return true;
            }
        }
        return false;
    }

    /** Something happened. Of each type the first that was not delivered is kept. */
    void raise(int type, int information, int logPage) {
        if (pending[type] == NONE) {
            pending[type] = AsyncEvent.dword0(type, information, logPage);
        }
    }

    /** So many notices of changed namespaces come, and none waits for the log page to be read: a fault. */
    void flood(long notices) {
        flood += notices;
    }

    /** The log page of an event was read: the next one of its type may be told. */
    void logRead(int logPage) {
        switch (logPage) {
            case LogPage.ERROR_INFORMATION -> masked[AsyncEvent.TYPE_ERROR] = false;
            case LogPage.SMART -> masked[AsyncEvent.TYPE_SMART] = false;
            case LogPage.CHANGED_NAMESPACES -> masked[AsyncEvent.TYPE_NOTICE] = false;
            case LogPage.SANITIZE_STATUS -> masked[AsyncEvent.TYPE_IO_COMMAND_SET] = false;
            default -> {}
        }
    }

    /** Completes requests with the events that are there, as far as the admin completion queue has room. */
    int deliver(SubmissionQueue admin) {
        int delivered = 0;
        while (flood > 0 && count > 0 && admin.completions.hasRoom()) {
            flood--;
            post(
                    admin,
                    AsyncEvent.dword0(
                            AsyncEvent.TYPE_NOTICE, AsyncEvent.NOTICE_NAMESPACE_ATTRIBUTE, LogPage.CHANGED_NAMESPACES));
            delivered++;
        }
        for (int type = 0; type < TYPES; type++) {
            if (pending[type] != NONE && !masked[type] && count > 0 && admin.completions.hasRoom()) {
                post(admin, pending[type]);
                pending[type] = NONE;
                masked[type] = true;
                delivered++;
            }
        }
        return delivered;
    }

    private void post(SubmissionQueue admin, int event) {
        int cid = waiting[0];
        boolean there = abort(cid);
        assert there;
        admin.completions.post(event, admin.head, admin.id, cid, Status.SUCCESS);
    }
}
