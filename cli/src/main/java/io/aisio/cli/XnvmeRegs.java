package io.aisio.cli;

import io.aisio.nvme.NvmeController;
import io.aisio.nvme.spec.Registers;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code xnvme regs}: a controller's registers, field by field (section 3.1). */
@Command(
        name = "regs",
        header = "Tells a controller's registers, field by field.",
        description = {
            "%nOf a controller that is driven from here, as it is once this driver has enabled it. One of the kernel's"
                    + " shows none."
        },
        footer = {"  ./aisio xnvme regs emu:1GiB", "  ./aisio xnvme regs --output json 0000:82:00.0"})
final class XnvmeRegs implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private XnvmeOptions.Target options;

    @Override
    public Integer call() throws IOException {
        try (XnvmeTarget target = options.open()) {
            NvmeController controller = target.controller("regs");
            long cap = controller.register(Registers.CAP, Long.BYTES);
            int cc = (int) controller.register(Registers.CC, Integer.BYTES);
            int csts = (int) controller.register(Registers.CSTS, Integer.BYTES);
            int vs = (int) controller.register(Registers.VS, Integer.BYTES);
            int aqa = (int) controller.register(Registers.AQA, Integer.BYTES);
            if (csts == Registers.ALL_ONES) {
                throw new IOException(target.name() + ": the controller is gone: its registers read all ones");
            }
            target.report("regs")
                    .put("cap", capabilities(cap))
                    .put("vs", version(vs))
                    .put("cc", configuration(cc))
                    .put("csts", status(csts))
                    .put("aqa", queues(aqa))
                    .put("asq", XnvmeReport.hex(controller.register(Registers.ASQ, Long.BYTES), 8))
                    .put("acq", XnvmeReport.hex(controller.register(Registers.ACQ, Long.BYTES), 8))
                    .print(options.output);
            return Exit.DONE;
        }
    }

    private static Map<String, @Nullable Object> register(String value) {
        Map<String, @Nullable Object> fields = new LinkedHashMap<>();
        fields.put("value", value);
        return fields;
    }

    private static Map<String, @Nullable Object> capabilities(long cap) {
        Map<String, @Nullable Object> fields = register(XnvmeReport.hex(cap, 8));
        fields.put("max_queue_entries", Registers.maxQueueEntries(cap));
        fields.put("contiguous_queues_required", (cap >>> 16 & 1) != 0);
        fields.put("arbitration", XnvmeReport.hex(cap >>> 17 & 3, 1));
        fields.put("timeout_ms", Registers.timeoutMillis(cap));
        fields.put("doorbell_stride_bytes", 4 << Registers.doorbellStride(cap));
        fields.put("subsystem_reset", (cap >>> 36 & 1) != 0);
        fields.put("command_sets", XnvmeReport.hex(cap >>> 37 & 0xFF, 1));
        fields.put("min_page_bytes", Registers.minPageSize(cap));
        fields.put("max_page_bytes", Registers.maxPageSize(cap));
        fields.put("persistent_memory", (cap >>> 56 & 1) != 0);
        fields.put("memory_buffer", (cap >>> 57 & 1) != 0);
        return fields;
    }

    private static Map<String, @Nullable Object> version(int vs) {
        Map<String, @Nullable Object> fields = register(XnvmeReport.hex(vs, 4));
        fields.put("version", XnvmeIdfy.version(vs));
        return fields;
    }

    private static Map<String, @Nullable Object> configuration(int cc) {
        Map<String, @Nullable Object> fields = register(XnvmeReport.hex(cc, 4));
        fields.put("enabled", (cc & Registers.CC_EN) != 0);
        fields.put("command_set", Registers.commandSet(cc));
        fields.put("page_bytes", Registers.pageSize(cc));
        fields.put("arbitration", Registers.arbitration(cc));
        fields.put("shutdown", cc >>> 14 & 3);
        fields.put("submission_entry_bytes", 1 << Registers.submissionEntryShift(cc));
        fields.put("completion_entry_bytes", 1 << Registers.completionEntryShift(cc));
        return fields;
    }

    private static Map<String, @Nullable Object> status(int csts) {
        Map<String, @Nullable Object> fields = register(XnvmeReport.hex(csts, 4));
        fields.put("ready", (csts & Registers.CSTS_RDY) != 0);
        fields.put("fatal", (csts & Registers.CSTS_CFS) != 0);
        fields.put(
                "shutdown",
                switch (csts & Registers.CSTS_SHST_MASK) {
                    case 0 -> "none";
                    case Registers.CSTS_SHST_OCCURRING -> "under way";
                    case Registers.CSTS_SHST_COMPLETE -> "complete";
                    default -> "reserved";
                });
        fields.put("subsystem_was_reset", (csts >>> 4 & 1) != 0);
        fields.put("processing_paused", (csts >>> 5 & 1) != 0);
        return fields;
    }

    private static Map<String, @Nullable Object> queues(int aqa) {
        Map<String, @Nullable Object> fields = register(XnvmeReport.hex(aqa, 4));
        fields.put("submission_entries", Registers.adminSubmissionEntries(aqa));
        fields.put("completion_entries", Registers.adminCompletionEntries(aqa));
        return fields;
    }
}
