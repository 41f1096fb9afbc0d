package io.aisio.emu;

import io.aisio.nvme.spec.AsyncEvent;
import io.aisio.nvme.spec.Feature;
import io.aisio.nvme.spec.Identify;
import io.aisio.nvme.spec.Status;
import io.aisio.nvme.spec.Wire;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/** The features (section 5.21.1). None is saveable: a controller reset brings the defaults back. */
final class Features {
    private static final int DNR = Status.DNR_BIT;
    private static final int COUNT = Feature.ASYNC_EVENT_CONFIGURATION + 1;

    private final int queuePairs;
    private final int namespaces;
    private final int[] values = new int[COUNT];
    private final int[] errorRecovery;
    private final BitSet coalescingDisabled = new BitSet();
    private int underTemperature;

    private final @Nullable PlacementTable placement;
    /** The clock is ahead of the system's by so much. */
    private long aheadMillis;

    private boolean clockIsSet;
    private boolean extendedLbaFormats;
    /** Whether the driver wants to be told of retry delays. */
    private boolean retryDelays;

    Features(int queuePairs, int namespaces, @Nullable PlacementTable placement) {
        this.placement = placement;
        this.queuePairs = queuePairs;
        this.namespaces = namespaces;
        errorRecovery = new int[namespaces];
        reset();
    }

    /** Back to the defaults. */
    void reset() {
        for (int id = 0; id < COUNT; id++) {
            values[id] = defaultValue(id);
        }
        Arrays.fill(errorRecovery, 0);
        coalescingDisabled.clear();
        underTemperature = 0;
        extendedLbaFormats = false;
        retryDelays = false;
    }

    /** I/O queue pairs that the driver may create. */
    int grantedQueues() {
        return (values[Feature.NUMBER_OF_QUEUES] & 0xFFFF) + 1;
    }

    /** Completion queues that the driver may create. */
    int grantedCompletionQueues() {
        return (values[Feature.NUMBER_OF_QUEUES] >>> 16) + 1;
    }

    boolean writeCacheEnabled() {
        return values[Feature.VOLATILE_WRITE_CACHE] != 0;
    }

    /** Whether the driver wants to be told of changed namespaces. */
    boolean tellsNamespaceChanges() {
        return (values[Feature.ASYNC_EVENT_CONFIGURATION] & AsyncEvent.NAMESPACE_ATTRIBUTE_NOTICES) != 0;
    }

    /** Whether the driver wants to be told of temperatures beyond their thresholds. */
    boolean tellsTemperature() {
        return (values[Feature.ASYNC_EVENT_CONFIGURATION] & 1 << AsyncEvent.SMART_TEMPERATURE_THRESHOLD) != 0;
    }

    /** Whether a composite temperature is at or beyond a threshold. */
    boolean beyondThreshold(int kelvin) {
        return kelvin >= values[Feature.TEMPERATURE_THRESHOLD] || kelvin <= underTemperature;
    }

    /** Whether the driver knows formats of the extended kind, such as guards of 32 and 64 bits. */
    boolean knowsExtendedFormats() {
        return extendedLbaFormats;
    }

    /** Bytes of the data structure that goes with a feature, 0 for one that is its value alone. */
    static int dataBytes(Command command) {
        return switch (command.dword10() & 0xFF) {
            case Feature.TIMESTAMP -> Feature.TIMESTAMP_BYTES;
            case Feature.HOST_BEHAVIOR -> Feature.HOST_BEHAVIOR_BYTES;
            case Feature.DATA_PLACEMENT_EVENTS -> 2 * Math.max(1, command.dword11() >>> 16 & 0xFF);
            default -> 0;
        };
    }

    /** Get Features: the status, the value in the command's result, and the data structure into zeroed memory. */
    int get(Command command, MemorySegment data) {
        int id = command.dword10() & 0xFF;
        int select = command.dword10() >>> Feature.SELECT_SHIFT & 7;
        if (!exists(id) || select > Feature.SELECT_SUPPORTED) {
            return Status.INVALID_FIELD | DNR;
        }
        if (select != Feature.SELECT_SUPPORTED) {
            boolean current = select == Feature.SELECT_CURRENT;
            switch (id) {
                case Feature.TIMESTAMP -> {
                    long origin = current && clockIsSet ? 1L : 0;
                    Wire.i64(data, 0, current ? (clock() & 0xFFFF_FFFF_FFFFL) | origin << 49 : 0);
                    return Status.SUCCESS;
                }
                case Feature.HOST_BEHAVIOR -> {
                    Wire.u8(data, Feature.HOST_BEHAVIOR_ACRE, current && retryDelays ? 1 : 0);
                    Wire.u8(data, Feature.HOST_BEHAVIOR_LBAFEE, current && extendedLbaFormats ? 1 : 0);
                    return Status.SUCCESS;
                }
                case Feature.DATA_PLACEMENT_EVENTS -> {
                    PlacementTable table = placement;
                    int handle = command.dword11() & 0xFFFF;
                    if (table == null || handle >= table.handles()) {
                        return Status.INVALID_FIELD | DNR;
                    }
                    command.result = table.events(handle, data);
                    return Status.SUCCESS;
                }
                case Feature.DATA_PLACEMENT -> {
                    if ((command.dword11() & 0xFFFF) != PlacementTable.GROUP) {
                        return Status.INVALID_FIELD | DNR;
                    }
                    command.result = PlacementTable.feature();
                    return Status.SUCCESS;
                }
                default -> {
                    // A value alone.
                }
            }
        }
        return get(command);
    }

    private long clock() {
        return System.currentTimeMillis() + aheadMillis;
    }

    /** Set Features of one that has a data structure; the status. */
    int set(Command command, boolean ioQueuesExist, MemorySegment data) {
        int id = command.dword10() & 0xFF;
        if (!exists(id) || (command.dword10() & Feature.SAVE) != 0) {
            return set(command, ioQueuesExist);
        }
        return switch (id) {
            case Feature.TIMESTAMP -> {
                aheadMillis = (Wire.i64(data, 0) & 0xFFFF_FFFF_FFFFL) - System.currentTimeMillis();
                clockIsSet = true;
                yield Status.SUCCESS;
            }
            case Feature.HOST_BEHAVIOR -> {
                if (Wire.u8(data, Feature.HOST_BEHAVIOR_LBAFEE) > 1 || Wire.u8(data, Feature.HOST_BEHAVIOR_ACRE) > 1) {
                    yield Status.INVALID_FIELD | DNR;
                }
                retryDelays = Wire.u8(data, Feature.HOST_BEHAVIOR_ACRE) == 1;
                extendedLbaFormats = Wire.u8(data, Feature.HOST_BEHAVIOR_LBAFEE) == 1;
                yield Status.SUCCESS;
            }
            case Feature.DATA_PLACEMENT_EVENTS -> setEvents(command, data);
            // There are namespaces, and while there are it does not change.
            case Feature.DATA_PLACEMENT -> Status.COMMAND_SEQUENCE_ERROR | DNR;
            default -> set(command, ioQueuesExist);
        };
    }

    private int setEvents(Command command, MemorySegment data) {
        PlacementTable table = placement;
        int handle = command.dword11() & 0xFFFF;
        int count = command.dword11() >>> 16 & 0xFF;
        if (table == null || handle >= table.handles()) {
            return Status.INVALID_FIELD | DNR;
        }
        for (int i = 0; i < count; i++) {
            if (!table.log(handle, Wire.u8(data, i), (command.dword12() & 1) != 0)) {
                return Status.INVALID_FIELD | DNR;
            }
        }
        return Status.SUCCESS;
    }

    /** Get Features: the status, and the value in the command's result. */
    private int get(Command command) {
        int id = command.dword10() & 0xFF;
        int select = command.dword10() >>> Feature.SELECT_SHIFT & 7;
        if (!exists(id) || select > Feature.SELECT_SUPPORTED) {
            return Status.INVALID_FIELD | DNR;
        }
        if (select == Feature.SELECT_SUPPORTED) {
            command.result = Feature.CAPABLE_CHANGEABLE
                    | (id == Feature.ERROR_RECOVERY ? Feature.CAPABLE_NAMESPACE_SPECIFIC : 0);
            return Status.SUCCESS;
        }
        boolean current = select == Feature.SELECT_CURRENT;
        return switch (id) {
            case Feature.ERROR_RECOVERY -> {
                int index = command.nsid() - 1;
                if (index < 0 || index >= namespaces) {
                    yield Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
                }
                command.result = current ? errorRecovery[index] : 0;
                yield Status.SUCCESS;
            }
            case Feature.TEMPERATURE_THRESHOLD -> {
                int select2 = command.dword11() >>> Feature.TEMPERATURE_SELECT_SHIFT & 3;
                if ((command.dword11() >>> Feature.TEMPERATURE_SENSOR_SHIFT & 0xF) != 0
                        || select2 > Feature.TEMPERATURE_UNDER) {
                    yield Status.INVALID_FIELD | DNR;
                }
                int over = current ? values[id] : defaultValue(id);
                command.result = select2 == Feature.TEMPERATURE_UNDER ? (current ? underTemperature : 0) : over;
                yield Status.SUCCESS;
            }
            case Feature.INTERRUPT_VECTOR_CONFIGURATION -> {
                int vector = command.dword11() & 0xFFFF;
                if (vector >= InterruptVectors.of(queuePairs)) {
                    yield Status.INVALID_FIELD | DNR;
                }
                command.result = vector | (current && coalescingDisabled.get(vector) ? 1 << 16 : 0);
                yield Status.SUCCESS;
            }
            default -> {
                command.result = current ? values[id] : defaultValue(id);
                yield Status.SUCCESS;
            }
        };
    }

    /** Set Features: the status, and for Number of Queues what is granted in the command's result. */
    private int set(Command command, boolean ioQueuesExist) {
        int id = command.dword10() & 0xFF;
        if (!exists(id)) {
            return Status.INVALID_FIELD | DNR;
        }
        if ((command.dword10() & Feature.SAVE) != 0) {
            return Status.FEATURE_NOT_SAVEABLE | DNR;
        }
        boolean allNamespaces = command.nsid() == 0 || command.nsid() == Identify.ALL_NAMESPACES;
        if (id != Feature.ERROR_RECOVERY && !allNamespaces) {
            return Status.FEATURE_NOT_NAMESPACE_SPECIFIC | DNR;
        }
        int value = command.dword11();
        return switch (id) {
            case Feature.NUMBER_OF_QUEUES -> setNumberOfQueues(command, value, ioQueuesExist);
            case Feature.POWER_MANAGEMENT -> (value & 0x1F) != 0 ? Status.INVALID_FIELD | DNR : store(id, value & 0xE0);
            case Feature.ERROR_RECOVERY -> setErrorRecovery(command.nsid(), value);
            case Feature.TEMPERATURE_THRESHOLD -> setTemperature(value);
            case Feature.INTERRUPT_VECTOR_CONFIGURATION -> setVector(value);
            default -> store(id, value & mask(id));
        };
    }

    private int setNumberOfQueues(Command command, int value, boolean ioQueuesExist) {
        if (ioQueuesExist) {
            return Status.COMMAND_SEQUENCE_ERROR | DNR;
        }
        int submission = value & 0xFFFF;
        int completion = value >>> 16;
        if (submission == 0xFFFF || completion == 0xFFFF) {
            return Status.INVALID_FIELD | DNR;
        }
        int granted = Math.min(completion, queuePairs - 1) << 16 | Math.min(submission, queuePairs - 1);
        command.result = granted;
        return store(Feature.NUMBER_OF_QUEUES, granted);
    }

    /** DULBE (bit 16) is refused: no namespace can report deallocated blocks. */
    private int setErrorRecovery(int nsid, int value) {
        if ((value & 1 << 16) != 0) {
            return Status.INVALID_FIELD | DNR;
        }
        if (nsid == Identify.ALL_NAMESPACES) {
            Arrays.fill(errorRecovery, value & 0xFFFF);
            return Status.SUCCESS;
        }
        if (nsid <= 0 || nsid > namespaces) {
            return Status.INVALID_NAMESPACE_OR_FORMAT | DNR;
        }
        errorRecovery[nsid - 1] = value & 0xFFFF;
        return Status.SUCCESS;
    }

    private int setTemperature(int value) {
        int sensor = value >>> Feature.TEMPERATURE_SENSOR_SHIFT & 0xF;
        int select = value >>> Feature.TEMPERATURE_SELECT_SHIFT & 3;
        if ((sensor != 0 && sensor != Feature.TEMPERATURE_ALL_SENSORS) || select > Feature.TEMPERATURE_UNDER) {
            return Status.INVALID_FIELD | DNR;
        }
        if (select == Feature.TEMPERATURE_UNDER) {
            underTemperature = value & 0xFFFF;
            return Status.SUCCESS;
        }
        return store(Feature.TEMPERATURE_THRESHOLD, value & 0xFFFF);
    }

    private int setVector(int value) {
        int vector = value & 0xFFFF;
        if (vector >= InterruptVectors.of(queuePairs)) {
            return Status.INVALID_FIELD | DNR;
        }
        coalescingDisabled.set(vector, (value & 1 << 16) != 0);
        return Status.SUCCESS;
    }

    private int store(int id, int value) {
        values[id] = value;
        return Status.SUCCESS;
    }

    private boolean exists(int id) {
        return switch (id) {
            case Feature.TIMESTAMP, Feature.HOST_BEHAVIOR -> true;
            case Feature.DATA_PLACEMENT, Feature.DATA_PLACEMENT_EVENTS -> placement != null;
            case Feature.ARBITRATION,
                    Feature.POWER_MANAGEMENT,
                    Feature.TEMPERATURE_THRESHOLD,
                    Feature.ERROR_RECOVERY,
                    Feature.VOLATILE_WRITE_CACHE,
                    Feature.NUMBER_OF_QUEUES,
                    Feature.INTERRUPT_COALESCING,
                    Feature.INTERRUPT_VECTOR_CONFIGURATION,
                    Feature.WRITE_ATOMICITY,
                    Feature.ASYNC_EVENT_CONFIGURATION -> true;
            default -> false;
        };
    }

    private int defaultValue(int id) {
        return switch (id) {
            case Feature.TEMPERATURE_THRESHOLD -> Logs.WARNING_KELVIN;
            case Feature.VOLATILE_WRITE_CACHE -> 1;
            case Feature.NUMBER_OF_QUEUES -> (queuePairs - 1) << 16 | (queuePairs - 1);
            default -> 0;
        };
    }

    /** The bits of a feature that are not reserved. */
    private static int mask(int id) {
        return switch (id) {
            case Feature.ARBITRATION -> 0xFFFF_FF07;
            case Feature.VOLATILE_WRITE_CACHE, Feature.WRITE_ATOMICITY -> 1;
            case Feature.INTERRUPT_COALESCING -> 0xFFFF;
            case Feature.ASYNC_EVENT_CONFIGURATION -> 0x1F | AsyncEvent.NAMESPACE_ATTRIBUTE_NOTICES;
            default -> -1;
        };
    }
}
