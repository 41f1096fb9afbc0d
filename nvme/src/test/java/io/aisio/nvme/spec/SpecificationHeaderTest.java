package io.aisio.nvme.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Our offsets and codes against libnvme's C header, which others wrote: the C compiler prints what it makes of it. */
class SpecificationHeaderTest {
    private static final Path HEADER = Path.of("/usr/include/nvme/types.h");

    @TempDir
    static Path folder;

    private static Map<String, Long> header = Map.of();

    /** Our value and the C expression that must equal it. */
    private static Map<String, Long> ours() {
        Map<String, Long> ours = new LinkedHashMap<>();
        ours.put("NVME_REG_CAP", Registers.CAP);
        ours.put("NVME_REG_VS", Registers.VS);
        ours.put("NVME_REG_INTMS", Registers.INTMS);
        ours.put("NVME_REG_INTMC", Registers.INTMC);
        ours.put("NVME_REG_CC", Registers.CC);
        ours.put("NVME_REG_CSTS", Registers.CSTS);
        ours.put("NVME_REG_NSSR", Registers.NSSR);
        ours.put("NVME_REG_AQA", Registers.AQA);
        ours.put("NVME_REG_ASQ", Registers.ASQ);
        ours.put("NVME_REG_ACQ", Registers.ACQ);
        controller(ours, "vid", IdentifyController.VID);
        controller(ours, "ssvid", IdentifyController.SSVID);
        controller(ours, "sn", IdentifyController.SN);
        controller(ours, "mn", IdentifyController.MN);
        controller(ours, "fr", IdentifyController.FR);
        controller(ours, "rab", IdentifyController.RAB);
        controller(ours, "mdts", IdentifyController.MDTS);
        controller(ours, "cntlid", IdentifyController.CNTLID);
        controller(ours, "ver", IdentifyController.VER);
        controller(ours, "rtd3e", IdentifyController.RTD3E);
        controller(ours, "oaes", IdentifyController.OAES);
        controller(ours, "cntrltype", IdentifyController.CNTRLTYPE);
        controller(ours, "crdt1", IdentifyController.CRDT1);
        controller(ours, "oacs", IdentifyController.OACS);
        controller(ours, "acl", IdentifyController.ACL);
        controller(ours, "aerl", IdentifyController.AERL);
        controller(ours, "frmw", IdentifyController.FRMW);
        controller(ours, "lpa", IdentifyController.LPA);
        controller(ours, "elpe", IdentifyController.ELPE);
        controller(ours, "npss", IdentifyController.NPSS);
        controller(ours, "wctemp", IdentifyController.WCTEMP);
        controller(ours, "cctemp", IdentifyController.CCTEMP);
        controller(ours, "sqes", IdentifyController.SQES);
        controller(ours, "cqes", IdentifyController.CQES);
        controller(ours, "maxcmd", IdentifyController.MAXCMD);
        controller(ours, "nn", IdentifyController.NN);
        controller(ours, "oncs", IdentifyController.ONCS);
        controller(ours, "fna", IdentifyController.FNA);
        controller(ours, "vwc", IdentifyController.VWC);
        controller(ours, "awun", IdentifyController.AWUN);
        controller(ours, "awupf", IdentifyController.AWUPF);
        controller(ours, "sgls", IdentifyController.SGLS);
        controller(ours, "subnqn", IdentifyController.SUBNQN);
        controller(ours, "psd", IdentifyController.PSD0);
        namespace(ours, "nsze", IdentifyNamespace.NSZE);
        namespace(ours, "ncap", IdentifyNamespace.NCAP);
        namespace(ours, "nuse", IdentifyNamespace.NUSE);
        namespace(ours, "nsfeat", IdentifyNamespace.NSFEAT);
        namespace(ours, "nlbaf", IdentifyNamespace.NLBAF);
        namespace(ours, "flbas", IdentifyNamespace.FLBAS);
        namespace(ours, "mc", IdentifyNamespace.MC);
        namespace(ours, "dpc", IdentifyNamespace.DPC);
        namespace(ours, "dps", IdentifyNamespace.DPS);
        namespace(ours, "dlfeat", IdentifyNamespace.DLFEAT);
        namespace(ours, "nsattr", IdentifyNamespace.NSATTR);
        namespace(ours, "nguid", IdentifyNamespace.NGUID);
        namespace(ours, "eui64", IdentifyNamespace.EUI64);
        namespace(ours, "lbaf", IdentifyNamespace.LBAF);
        field(ours, "nvme_smart_log", "critical_warning", LogPage.SMART_CRITICAL_WARNING);
        field(ours, "nvme_smart_log", "temperature", LogPage.SMART_TEMPERATURE);
        field(ours, "nvme_smart_log", "avail_spare", LogPage.SMART_AVAILABLE_SPARE);
        field(ours, "nvme_smart_log", "spare_thresh", LogPage.SMART_SPARE_THRESHOLD);
        field(ours, "nvme_smart_log", "percent_used", LogPage.SMART_PERCENTAGE_USED);
        field(ours, "nvme_smart_log", "data_units_read", LogPage.SMART_DATA_UNITS_READ);
        field(ours, "nvme_smart_log", "data_units_written", LogPage.SMART_DATA_UNITS_WRITTEN);
        field(ours, "nvme_smart_log", "host_reads", LogPage.SMART_HOST_READS);
        field(ours, "nvme_smart_log", "host_writes", LogPage.SMART_HOST_WRITES);
        field(ours, "nvme_smart_log", "power_cycles", LogPage.SMART_POWER_CYCLES);
        field(ours, "nvme_smart_log", "power_on_hours", LogPage.SMART_POWER_ON_HOURS);
        field(ours, "nvme_smart_log", "unsafe_shutdowns", LogPage.SMART_UNSAFE_SHUTDOWNS);
        field(ours, "nvme_smart_log", "media_errors", LogPage.SMART_MEDIA_ERRORS);
        field(ours, "nvme_smart_log", "num_err_log_entries", LogPage.SMART_ERROR_ENTRIES);
        field(ours, "nvme_error_log_page", "error_count", LogPage.ERROR_COUNT);
        field(ours, "nvme_error_log_page", "sqid", LogPage.ERROR_SQID);
        field(ours, "nvme_error_log_page", "cmdid", LogPage.ERROR_CID);
        field(ours, "nvme_error_log_page", "status_field", LogPage.ERROR_STATUS);
        field(ours, "nvme_error_log_page", "parm_error_location", LogPage.ERROR_PARAMETER);
        field(ours, "nvme_error_log_page", "lba", LogPage.ERROR_LBA);
        field(ours, "nvme_error_log_page", "nsid", LogPage.ERROR_NSID);
        ours.put("sizeof(struct nvme_error_log_page)", (long) LogPage.ERROR_ENTRY_BYTES);
        ours.put("sizeof(struct nvme_smart_log)", (long) LogPage.SMART_BYTES);
        ours.put("sizeof(struct nvme_id_ctrl)", (long) Identify.BYTES);
        field(ours, "nvme_firmware_slot", "afi", LogPage.FIRMWARE_AFI);
        field(ours, "nvme_firmware_slot", "frs", LogPage.FIRMWARE_FRS1);

        code(ours, "NVME_SC_INVALID_OPCODE", Status.INVALID_OPCODE);
        code(ours, "NVME_SC_INVALID_FIELD", Status.INVALID_FIELD);
        code(ours, "NVME_SC_CMDID_CONFLICT", Status.CID_CONFLICT);
        code(ours, "NVME_SC_DATA_XFER_ERROR", Status.DATA_TRANSFER_ERROR);
        code(ours, "NVME_SC_INTERNAL", Status.INTERNAL_ERROR);
        code(ours, "NVME_SC_ABORT_REQ", Status.ABORT_REQUESTED);
        code(ours, "NVME_SC_ABORT_QUEUE", Status.ABORTED_SQ_DELETION);
        code(ours, "NVME_SC_INVALID_NS", Status.INVALID_NAMESPACE_OR_FORMAT);
        code(ours, "NVME_SC_CMD_SEQ_ERROR", Status.COMMAND_SEQUENCE_ERROR);
        code(ours, "NVME_SC_PRP_INVALID_OFFSET", Status.INVALID_PRP_OFFSET);
        code(ours, "NVME_SC_NS_WRITE_PROTECTED", Status.NAMESPACE_WRITE_PROTECTED);
        code(ours, "NVME_SC_LBA_RANGE", Status.LBA_OUT_OF_RANGE);
        code(ours, "NVME_SC_CAP_EXCEEDED", Status.CAPACITY_EXCEEDED);
        code(ours, "NVME_SC_NS_NOT_READY", Status.NAMESPACE_NOT_READY);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_CQ_INVALID)", Status.CQ_INVALID);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_QID_INVALID)", Status.INVALID_QID);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_QUEUE_SIZE)", Status.INVALID_QUEUE_SIZE);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_ABORT_LIMIT)", Status.ABORT_LIMIT_EXCEEDED);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_ASYNC_LIMIT)", Status.AER_LIMIT_EXCEEDED);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_INVALID_VECTOR)", Status.INVALID_INTERRUPT_VECTOR);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_INVALID_LOG_PAGE)", Status.INVALID_LOG_PAGE);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_INVALID_FORMAT)", Status.INVALID_FORMAT);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_INVALID_QUEUE)", Status.INVALID_QUEUE_DELETION);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_FEATURE_NOT_SAVEABLE)", Status.FEATURE_NOT_SAVEABLE);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_FEATURE_NOT_CHANGEABLE)", Status.FEATURE_NOT_CHANGEABLE);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_BAD_ATTRIBUTES)", Status.CONFLICTING_ATTRIBUTES);
        code(ours, "(NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_READ_ONLY)", Status.WRITE_TO_READ_ONLY_RANGE);
        code(ours, "(NVME_SCT_MEDIA << 8 | NVME_SC_WRITE_FAULT)", Status.WRITE_FAULT);
        code(ours, "(NVME_SCT_MEDIA << 8 | NVME_SC_READ_ERROR)", Status.UNRECOVERED_READ_ERROR);
        code(ours, "(NVME_SCT_MEDIA << 8 | NVME_SC_COMPARE_FAILED)", Status.COMPARE_FAILURE);
        code(ours, "(NVME_SCT_PATH << 8 | NVME_SC_CMD_ABORTED_BY_HOST)", Status.ABORTED_BY_HOST);

        code(ours, "nvme_admin_delete_sq", Opcode.DELETE_IO_SQ);
        code(ours, "nvme_admin_create_sq", Opcode.CREATE_IO_SQ);
        code(ours, "nvme_admin_get_log_page", Opcode.GET_LOG_PAGE);
        code(ours, "nvme_admin_delete_cq", Opcode.DELETE_IO_CQ);
        code(ours, "nvme_admin_create_cq", Opcode.CREATE_IO_CQ);
        code(ours, "nvme_admin_identify", Opcode.IDENTIFY);
        code(ours, "nvme_admin_abort_cmd", Opcode.ABORT);
        code(ours, "nvme_admin_set_features", Opcode.SET_FEATURES);
        code(ours, "nvme_admin_get_features", Opcode.GET_FEATURES);
        code(ours, "nvme_admin_async_event", Opcode.ASYNC_EVENT_REQUEST);
        code(ours, "nvme_admin_format_nvm", Opcode.FORMAT_NVM);
        code(ours, "nvme_cmd_flush", Opcode.FLUSH);
        code(ours, "nvme_cmd_write", Opcode.WRITE);
        code(ours, "nvme_cmd_read", Opcode.READ);
        code(ours, "nvme_cmd_write_uncor", Opcode.WRITE_UNCORRECTABLE);
        code(ours, "nvme_cmd_compare", Opcode.COMPARE);
        code(ours, "nvme_cmd_write_zeroes", Opcode.WRITE_ZEROES);
        code(ours, "nvme_cmd_dsm", Opcode.DATASET_MANAGEMENT);
        code(ours, "nvme_cmd_verify", Opcode.VERIFY);
        code(ours, "NVME_FEAT_FID_NUM_QUEUES", Feature.NUMBER_OF_QUEUES);
        code(ours, "NVME_FEAT_FID_VOLATILE_WC", Feature.VOLATILE_WRITE_CACHE);
        code(ours, "NVME_FEAT_FID_ASYNC_EVENT", Feature.ASYNC_EVENT_CONFIGURATION);
        return ours;
    }

    private static void controller(Map<String, Long> ours, String field, long offset) {
        field(ours, "nvme_id_ctrl", field, offset);
    }

    private static void namespace(Map<String, Long> ours, String field, long offset) {
        field(ours, "nvme_id_ns", field, offset);
    }

    private static void field(Map<String, Long> ours, String struct, String field, long offset) {
        ours.put("offsetof(struct " + struct + ", " + field + ")", offset);
    }

    private static void code(Map<String, Long> ours, String name, int value) {
        ours.put(name, (long) value);
    }

    @BeforeAll
    static void askTheCompiler() throws Exception {
        assumeTrue(Files.exists(HEADER), "needs libnvme's header (apt-get install libnvme-dev)");
        assumeTrue(run(List.of("cc", "--version")) == 0, "needs a C compiler (apt-get install gcc)");
        StringBuilder source = new StringBuilder(
                "#include <stddef.h>\n#include <stdio.h>\n#include <nvme/types.h>\n#include <nvme/ioctl.h>\nint main(void) {\n");
        List<String> expressions = new ArrayList<>(ours().keySet());
        for (String expression : expressions) {
            source.append("printf(\"%ld\\n\", (long)(").append(expression).append("));\n");
        }
        Path c = Files.writeString(folder.resolve("header.c"), source.append("return 0;\n}\n"));
        Path program = folder.resolve("header");
        assertThat(run(List.of("cc", "-o", program.toString(), c.toString()))).isZero();
        Process process = new ProcessBuilder(program.toString()).start();
        List<String> values = process.inputReader().lines().toList();
        header = new LinkedHashMap<>();
        for (int i = 0; i < expressions.size(); i++) {
            header.put(expressions.get(i), Long.parseLong(values.get(i)));
        }
    }

    private static int run(List<String> command) throws Exception {
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("output").toFile())
                    .start();
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
            if (process.exitValue() != 0) {
                System.err.println(Files.readString(folder.resolve("output")));
            }
            return process.exitValue();
        } catch (java.io.IOException e) {
            return -1;
        }
    }

    @Test
    void everyOffsetAndCodeIsTheHeaders() {
        assertThat(ours()).isEqualTo(header);
    }
}
