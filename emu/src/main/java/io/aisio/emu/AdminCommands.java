package io.aisio.emu;

import io.aisio.linux.LinuxException;
import io.aisio.nvme.Guard;
import io.aisio.nvme.spec.AsyncEvent;
import io.aisio.nvme.spec.Cqe;
import io.aisio.nvme.spec.CreateQueue;
import io.aisio.nvme.spec.Directive;
import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.LogPage;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Registers;
import io.aisio.nvme.spec.SelfTestLog;
import io.aisio.nvme.spec.Sqe;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** The admin command set (section 5): each method checks a command in the specification's order, then does it. */
final class AdminCommands {
    /** What {@link #execute} returns for a command that completes later, or never. */
    static final int NO_COMPLETION = -1;

    private static final int DNR = Status.DNR_BIT;
    /** Abort's result where nothing was aborted. */
    private static final int NOT_ABORTED = 1;
    /** SES of Format NVM: a cryptographic erase; anything beyond is reserved. */
    private static final int SES_CRYPTOGRAPHIC = 2;

    private final EmuConfiguration configuration;
    private final RegisterFile registers;
    private final QueueTable queues;
    private final PrpWalk prps;
    private final Namespace[] namespaces;
    private final Features features;
    private final Logs logs;
    private final AsyncEvents events;
    private final Sanitizer sanitizer;
    private final IdentifyPages pages;
    private final long maxTransfer;
    private final MemorySegment page = Arena.ofAuto().allocate(Identify.BYTES, Long.BYTES);

    AdminCommands(
            EmuConfiguration configuration,
            RegisterFile registers,
            QueueTable queues,
            PrpWalk prps,
            Namespace[] namespaces,
            Features features,
            Logs logs,
            AsyncEvents events,
            Sanitizer sanitizer,
            long maxTransfer) {
        this.configuration = configuration;
        this.registers = registers;
        this.queues = queues;
        this.prps = prps;
        this.namespaces = namespaces;
        this.features = features;
        this.logs = logs;
        this.events = events;
        this.sanitizer = sanitizer;
        this.maxTransfer = maxTransfer;
        this.pages = new IdentifyPages(configuration);
    }

    /** Executes a command; the status that it completes with, or {@link #NO_COMPLETION}. */
    int execute(Command command) {
        int opcode = command.opcode();
        prps.movedBy(opcode);
        if (command.fusedOrSgl() && isImplemented(opcode)) {
            return Status.INVALID_FIELD | DNR;
        }
        if (isHeldBySanitize(opcode)) {
            if (sanitizer.isRunning()) {
                return Status.SANITIZE_IN_PROGRESS;
            }
            if (sanitizer.hasFailed()) {
                return Status.SANITIZE_FAILED | DNR;
            }
        }
        return switch (opcode) {
            case Opcode.CREATE_IO_CQ -> createCompletionQueue(command);
            case Opcode.CREATE_IO_SQ -> createSubmissionQueue(command);
            case Opcode.DELETE_IO_SQ -> deleteSubmissionQueue(command);
            case Opcode.DELETE_IO_CQ -> deleteCompletionQueue(command);
            case Opcode.IDENTIFY -> identify(command);
            case Opcode.SET_FEATURES -> setFeatures(command);
            case Opcode.GET_FEATURES -> getFeatures(command);
            case Opcode.GET_LOG_PAGE -> getLogPage(command);
            case Opcode.ABORT -> abort(command);
            case Opcode.ASYNC_EVENT_REQUEST -> events.request(command.cid());
            case Opcode.DOORBELL_BUFFER_CONFIG -> shadow(command);
            case Opcode.FORMAT_NVM -> format(command);
            case Opcode.SANITIZE -> sanitizer.start(command);
            case Opcode.DEVICE_SELF_TEST -> selfTest(command);
            case Opcode.DIRECTIVE_RECEIVE -> receiveDirective(command);
            case Opcode.DIRECTIVE_SEND -> sendDirective(command);
            default -> Status.INVALID_OPCODE | DNR;
        };
    }

    /** Section 5.24, figure 286: what does not run while a sanitize operation does, or after one that failed. */
    private static boolean isHeldBySanitize(int opcode) {
        return switch (opcode) {
            case Opcode.FORMAT_NVM, Opcode.DEVICE_SELF_TEST, Opcode.DIRECTIVE_RECEIVE, Opcode.DIRECTIVE_SEND -> true;
            default -> false;
        };
    }

    private static boolean isImplemented(int opcode) {
        return switch (opcode) {
            case Opcode.CREATE_IO_CQ,
                    Opcode.CREATE_IO_SQ,
                    Opcode.DELETE_IO_SQ,
                    Opcode.DELETE_IO_CQ,
                    Opcode.IDENTIFY,
                    Opcode.SET_FEATURES,
                    Opcode.GET_FEATURES,
                    Opcode.GET_LOG_PAGE,
                    Opcode.ABORT,
                    Opcode.ASYNC_EVENT_REQUEST,
                    Opcode.DOORBELL_BUFFER_CONFIG,
                    Opcode.FORMAT_NVM,
                    Opcode.SANITIZE,
                    Opcode.DEVICE_SELF_TEST,
                    Opcode.DIRECTIVE_RECEIVE,
                    Opcode.DIRECTIVE_SEND -> true;
            default -> false;
        };
    }

    /** Section 5.3. */
    private int createCompletionQueue(Command command) {
        int id = command.dword10() & 0xFFFF;
        if (id == 0 || id > features.grantedCompletionQueues() || queues.completion(id) != null) {
            return Status.INVALID_QID | DNR;
        }
        int entries = (command.dword10() >>> 16) + 1;
        if (!isQueueSize(entries) || Registers.completionEntryShift(registers.configuration()) != Cqe.SHIFT) {
            return Status.INVALID_QUEUE_SIZE | DNR;
        }
        int status = checkQueueMemory(command);
        if (status != Status.SUCCESS) {
            return status;
        }
        boolean interrupts = (command.dword11() & CreateQueue.INTERRUPTS_ENABLED) != 0;
        int vector = interrupts ? command.dword11() >>> CreateQueue.VECTOR_SHIFT : CompletionQueue.POLLED;
        if (vector >= InterruptVectors.of(configuration.queuePairs())) {
            return Status.INVALID_INTERRUPT_VECTOR | DNR;
        }
        return queues.createCompletion(id, command.prp1, entries, vector) == null
                ? Status.INVALID_FIELD | DNR
                : Status.SUCCESS;
    }

    /** Section 5.4. QPRIO means nothing with round robin arbitration. */
    private int createSubmissionQueue(Command command) {
        int id = command.dword10() & 0xFFFF;
        if (id == 0 || id > features.grantedQueues() || queues.submission(id) != null) {
            return Status.INVALID_QID | DNR;
        }
        int completionId = command.dword11() >>> 16;
        if (completionId == 0 || completionId > features.grantedCompletionQueues()) {
            return Status.INVALID_QID | DNR;
        }
        CompletionQueue completions = queues.completion(completionId);
        if (completions == null) {
            return Status.CQ_INVALID | DNR;
        }
        int entries = (command.dword10() >>> 16) + 1;
        if (!isQueueSize(entries) || Registers.submissionEntryShift(registers.configuration()) != Sqe.SHIFT) {
            return Status.INVALID_QUEUE_SIZE | DNR;
        }
        int status = checkQueueMemory(command);
        if (status != Status.SUCCESS) {
            return status;
        }
        return queues.createSubmission(id, command.prp1, entries, completions) == null
                ? Status.INVALID_FIELD | DNR
                : Status.SUCCESS;
    }

    private boolean isQueueSize(int entries) {
        return entries >= 2 && entries <= configuration.entries();
    }

    /** CAP.CQR: queues are contiguous; and they begin on a page. */
    private static int checkQueueMemory(Command command) {
        if ((command.dword11() & CreateQueue.CONTIGUOUS) == 0) {
            return Status.INVALID_FIELD | DNR;
        }
        return (command.prp1 & (PrpWalk.PAGE - 1)) != 0 ? Status.INVALID_PRP_OFFSET | DNR : Status.SUCCESS;
    }

    /** Section 5.6. What still waits is completed first, as aborted. */
    private int deleteSubmissionQueue(Command command) {
        int id = command.dword10() & 0xFFFF;
        SubmissionQueue queue = queues.submission(id);
        if (id == 0 || queue == null) {
            return Status.INVALID_QID | DNR;
        }
        DelayLine delayed = queue.delayed;
        Command waiting = new Command();
        while (delayed != null && !delayed.isEmpty() && queue.completions.hasRoom()) {
            if (delayed.take(id, waiting)) {
                queue.completions.post(0, queue.head, id, waiting.cid(), Status.ABORTED_SQ_DELETION);
            }
        }
        queues.deleteSubmission(queue);
        return Status.SUCCESS;
    }

    /** Section 5.5. */
    private int deleteCompletionQueue(Command command) {
        int id = command.dword10() & 0xFFFF;
        CompletionQueue queue = queues.completion(id);
        if (id == 0 || queue == null) {
            return Status.INVALID_QID | DNR;
        }
        if (queue.submissionQueues > 0) {
            return Status.INVALID_QUEUE_DELETION | DNR;
        }
        queues.deleteCompletion(queue);
        return Status.SUCCESS;
    }

    /** Section 5.15. */
    private int identify(Command command) {
        page.fill((byte) 0);
        switch (command.dword10() & 0xFF) {
            case Identify.CNS_CONTROLLER -> pages.controller(page);
            case Identify.CNS_ACTIVE_NAMESPACES -> {
                if (Integer.compareUnsigned(command.nsid(), Identify.ALL_NAMESPACES - 1) >= 0) {
                    return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
                }
                pages.activeNamespaces(namespaces, command.nsid(), page);
            }
            case Identify.CNS_NAMESPACE -> {
                if (command.nsid() < 1 || command.nsid() > namespaces.length) {
                    return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
                }
                Namespace namespace = namespace(command.nsid());
                // Of one that is not active, zeroes are told.
                if (namespace != null) {
                    pages.namespace(namespace, page);
                }
            }
            case Identify.CNS_DESCRIPTORS -> {
                Namespace namespace = namespace(command.nsid());
                if (namespace == null) {
                    return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
                }
                pages.descriptors(namespace, page);
            }
            case Identify.CNS_COMMAND_SET_NAMESPACE -> {
                Namespace namespace = namespace(command.nsid());
                if (namespace == null) {
                    return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
                }
                if (!pages.commandSetNamespace(namespace, commandSet(command), page)) {
                    return Status.INVALID_COMMAND_SET | DNR;
                }
            }
            case Identify.CNS_COMMAND_SET_CONTROLLER -> {
                if (!pages.commandSetController(commandSet(command), page)) {
                    return Status.INVALID_COMMAND_SET | DNR;
                }
            }
            // 04h and from 10h on: NVM sets, namespace management and virtualization, which the controller has not.
            default -> {
                return Status.INVALID_FIELD | DNR;
            }
        }
        return deliver(command, 0, Identify.BYTES);
    }

    private static int commandSet(Command command) {
        return command.dword11() >>> Identify.CSI_SHIFT & 0xFF;
    }

    /** Section 5.9. */
    private int getFeatures(Command command) {
        int bytes = Features.dataBytes(command);
        page.fill((byte) 0);
        int status = features.get(command, page);
        boolean values = (command.dword10() >>> Feature.SELECT_SHIFT & 7) != Feature.SELECT_SUPPORTED;
        return status == Status.SUCCESS && values && bytes > 0 ? deliver(command, 0, bytes) : status;
    }

    /** Section 5.21. */
    private int setFeatures(Command command) {
        int bytes = Features.dataBytes(command);
        page.fill((byte) 0);
        int status = bytes == 0 ? Status.SUCCESS : receive(command, bytes);
        if (status == Status.SUCCESS) {
            status = features.set(command, queues.ioQueuesExist(), page);
        }
        if (status == Status.SUCCESS && features.tellsTemperature() && features.beyondThreshold(Logs.KELVIN)) {
            events.raise(AsyncEvent.TYPE_SMART, AsyncEvent.SMART_TEMPERATURE_THRESHOLD, LogPage.SMART);
        }
        return status;
    }

    /** Section 5.14. What is beyond the end of a page reads as zeroes. */
    private int getLogPage(Command command) {
        int id = command.dword10() & 0xFF;
        long dwords = (command.cdw10 >>> 16 & 0xFFFF_FFFFL) + 1;
        long bytes = dwords * Integer.BYTES;
        long offset = command.cdw12;
        page.fill((byte) 0);
        int size = logs.build(command, configuration.zones() != null, page);
        if (size == 0) {
            return Status.INVALID_LOG_PAGE | DNR;
        }
        boolean oneNamespace = command.nsid() != 0 && command.nsid() != Identify.ALL_NAMESPACES;
        if ((id == LogPage.SMART && oneNamespace)
                || (offset & 3) != 0
                || offset < 0
                || offset > size
                || bytes > maxTransfer) {
            return Status.INVALID_FIELD | DNR;
        }
        int status = deliver(command, offset, bytes);
        if (status == Status.SUCCESS && (command.dword10() & LogPage.RETAIN_EVENT) == 0) {
            events.logRead(id);
            if (id == LogPage.CHANGED_NAMESPACES) {
                logs.clearChanged();
            }
        }
        return status;
    }

    /** Section 5.1. What can be aborted is what waits: delayed commands, and requests for events. */
    private int abort(Command command) {
        int queueId = command.dword10() & 0xFFFF;
        int cid = command.dword10() >>> 16;
        SubmissionQueue queue = queues.submission(queueId);
        if (queue == null) {
            return Status.INVALID_FIELD | DNR;
        }
        DelayLine delayed = queue.delayed;
        // In the admin queue, the Abort command itself needs an entry too.
        boolean aborted = queueId == 0
                ? queue.completions.hasRoomForTwo() && events.abort(cid)
                : queue.completions.hasRoom() && delayed != null && delayed.abort(cid);
        if (aborted) {
            queue.completions.post(0, queue.head, queueId, cid, Status.ABORT_REQUESTED);
        }
        command.result = aborted ? 0 : NOT_ABORTED;
        return Status.SUCCESS;
    }

    /** Section 5.7. */
    private int shadow(Command command) {
        if (!configuration.shadow()) {
            return Status.INVALID_OPCODE | DNR;
        }
        if (((command.prp1 | command.prp2) & (PrpWalk.PAGE - 1)) != 0) {
            return Status.INVALID_FIELD | DNR;
        }
        return queues.shadow(command.prp1, command.prp2) ? Status.SUCCESS : Status.INVALID_FIELD | DNR;
    }

    /** Section 5.23. The new format is in force, and the data gone, when the command completes. */
    private int format(Command command) {
        int dword10 = command.dword10();
        boolean all = command.nsid() == Identify.ALL_NAMESPACES;
        if (!all && namespace(command.nsid()) == null) {
            return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
        }
        if ((dword10 >>> 9 & 7) > SES_CRYPTOGRAPHIC) {
            return Status.INVALID_FIELD | DNR;
        }
        for (Namespace namespace : namespaces) {
            if (namespace.active && (all || namespace.id == command.nsid())) {
                int status = format(namespace, dword10);
                if (status != Status.SUCCESS) {
                    return status;
                }
            }
        }
        return Status.SUCCESS;
    }

    private int format(Namespace namespace, int dword10) {
        int index = (dword10 & 0xF) | (dword10 >>> 12 & 3) << 4;
        int type = dword10 >>> 5 & 7;
        if (!namespace.hasFormat(index) || type > 3 || (type != 0 && !namespace.holdsProtection(index))) {
            return Status.INVALID_FORMAT | DNR;
        }
        boolean large = namespace.formats[index].metadata() != 0 && namespace.guard != Guard.CRC16;
        if (large && !features.knowsExtendedFormats()) {
            return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
        }
        if (namespace.readOnly) {
            return Status.NAMESPACE_WRITE_PROTECTED | DNR;
        }
        int status = namespace.media.zero(0, namespace.media.bytes());
        if (status != Status.SUCCESS) {
            return status;
        }
        try {
            namespace.format(index, (dword10 >>> 4 & 1) != 0, type, (dword10 >>> 8 & 1) != 0);
        } catch (LinuxException e) {
            // No memory for metadata: the old format stays.
            return Status.INTERNAL_ERROR;
        }
        changed(namespace);
        return Status.SUCCESS;
    }

    /** Section 5.8: there is nothing that could fail, so that a test is over at once. */
    private int selfTest(Command command) {
        int test = command.dword10() & 0xF;
        boolean controller = command.nsid() == 0 || command.nsid() == Identify.ALL_NAMESPACES;
        if (!controller && namespace(command.nsid()) == null) {
            return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
        }
        if (test == SelfTestLog.SHORT || test == SelfTestLog.EXTENDED) {
            logs.selfTest(test);
            return Status.SUCCESS;
        }
        return test == SelfTestLog.ABORT ? Status.SUCCESS : Status.INVALID_FIELD | DNR;
    }

    /** Section 5.7: what directives there are, and are on. */
    private int receiveDirective(Command command) {
        if (configuration.placement() == null) {
            return Status.INVALID_OPCODE | DNR;
        }
        if (namespace(command.nsid()) == null) {
            return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
        }
        long bytes = (command.dword10() & 0xFFFF_FFFFL) * Integer.BYTES + Integer.BYTES;
        if ((command.dword11() & 0xFFFF) != (Directive.TYPE_IDENTIFY << 8 | Directive.RECEIVE_PARAMETERS)
                || bytes > Directive.PARAMETERS_BYTES) {
            return Status.INVALID_FIELD | DNR;
        }
        page.fill((byte) 0);
        int there = 1 << Directive.TYPE_IDENTIFY | 1 << Directive.TYPE_DATA_PLACEMENT;
        Wire.u8(page, Directive.SUPPORTED, there);
        Wire.u8(page, Directive.ENABLED, there);
        return deliver(command, 0, bytes);
    }

    /** Section 5.6: data placement is on for good. */
    private int sendDirective(Command command) {
        if (configuration.placement() == null) {
            return Status.INVALID_OPCODE | DNR;
        }
        if (namespace(command.nsid()) == null) {
            return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
        }
        int dword12 = command.dword12();
        boolean enables = (command.dword11() & 0xFFFF) == (Directive.TYPE_IDENTIFY << 8 | Directive.SEND_ENABLE)
                && (dword12 >>> Directive.TYPE_SHIFT & 0xFF) == Directive.TYPE_DATA_PLACEMENT
                && (dword12 & 1) != 0;
        return enables ? Status.SUCCESS : Status.INVALID_FIELD | DNR;
    }

    /** A namespace takes another size, of at most what its medium holds, and the driver is told. */
    void resize(Namespace namespace, long blocks) {
        namespace.resize(blocks);
        changed(namespace);
    }

    /** A namespace goes, and the driver is told. */
    void remove(Namespace namespace) {
        namespace.active = false;
        changed(namespace);
    }

    /** A namespace comes back with the data that it had, and the driver is told. */
    void attach(Namespace namespace) {
        namespace.active = true;
        changed(namespace);
    }

    private void changed(Namespace namespace) {
        logs.changed(namespace.id);
        if (features.tellsNamespaceChanges()) {
            events.raise(AsyncEvent.TYPE_NOTICE, AsyncEvent.NOTICE_NAMESPACE_ATTRIBUTE, LogPage.CHANGED_NAMESPACES);
        }
    }

    private @Nullable Namespace namespace(int nsid) {
        return nsid >= 1 && nsid <= namespaces.length && namespaces[nsid - 1].active ? namespaces[nsid - 1] : null;
    }

    /** Transfers {@code bytes} from {@code offset} of the page on to the driver, with zeroes after its end. */
    private int deliver(Command command, long offset, long bytes) {
        int status = prps.map(command.prp1, command.prp2, bytes);
        if (status != Status.SUCCESS) {
            return status;
        }
        long at = offset;
        for (int i = 0; i < prps.runs(); i++) {
            long length = prps.length(i);
            long there = Math.clamp(page.byteSize() - at, 0, length);
            prps.put(i, 0, page.asSlice(Math.min(at, page.byteSize()), there));
            prps.zero(i, there);
            at += length;
        }
        return Status.SUCCESS;
    }

    /** Takes what the driver transfers over, into the page. */
    private int receive(Command command, long bytes) {
        int status = prps.map(command.prp1, command.prp2, bytes);
        if (status == Status.SUCCESS) {
            prps.gather(page);
        }
        return status;
    }
}
