package io.aisio.cli;

import io.aisio.nvme.Command;
import io.aisio.nvme.Completion;
import io.aisio.nvme.Passthrough;
import io.aisio.nvme.spec.Opcode;
import io.aisio.nvme.spec.Status;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A path on which commands that only ask go through, and all others are held back, to be shown: {@code --dry-run}. */
final class XnvmeTrial implements Passthrough {
    private static final Set<Integer> ASKING = Set.of(Opcode.IDENTIFY, Opcode.GET_LOG_PAGE, Opcode.GET_FEATURES);
    private static final Set<Integer> ASKING_IO = Set.of(Opcode.READ, Opcode.ZONE_MANAGEMENT_RECEIVE);

    private final Passthrough path;
    private final List<Object> held = new ArrayList<>();

    XnvmeTrial(Passthrough path) {
        this.path = path;
    }

    /** What was held back, a command each. */
    List<Object> held() {
        return held;
    }

    @Override
    public String name() {
        return path.name();
    }

    @Override
    public int nsid() {
        return path.nsid();
    }

    @Override
    public Completion execute(Command command, MemorySegment data) throws IOException {
        if (ASKING.contains(command.opcode())) {
            return path.execute(command, data);
        }
        return hold("admin", Opcode.adminName(command.opcode()), command, data);
    }

    @Override
    public Completion executeIo(Command command, MemorySegment data, MemorySegment metadata) throws IOException {
        if (ASKING_IO.contains(command.opcode())) {
            return path.executeIo(command, data, metadata);
        }
        return hold("io", Opcode.nvmName(command.opcode()), command, data);
    }

    private Completion hold(String queue, String name, Command command, MemorySegment data) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("queue", queue);
        shown.put("command", name);
        shown.put("opcode", XnvmeReport.hex(command.opcode(), 1));
        shown.put("nsid", XnvmeReport.hex(command.nsid(), 4));
        shown.put("cdw10", XnvmeReport.hex(command.cdw10(), 4));
        shown.put("cdw11", XnvmeReport.hex(command.cdw10() >>> 32, 4));
        shown.put("cdw12", XnvmeReport.hex(command.cdw12(), 4));
        shown.put("cdw13", XnvmeReport.hex(command.cdw12() >>> 32, 4));
        shown.put("data_bytes", data.byteSize());
        held.add(shown);
        // Of Zone Append, where it would begin: where the zone does.
        return new Completion(new Status(Status.SUCCESS), (int) command.cdw10(), (int) (command.cdw10() >>> 32));
    }
}
