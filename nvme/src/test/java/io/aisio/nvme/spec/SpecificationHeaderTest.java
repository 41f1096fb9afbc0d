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

        field(ours, "nvme_zns_id_ns", "zoc", IdentifyZoned.ZOC);
        field(ours, "nvme_zns_id_ns", "ozcs", IdentifyZoned.OZCS);
        field(ours, "nvme_zns_id_ns", "mar", IdentifyZoned.MAR);
        field(ours, "nvme_zns_id_ns", "mor", IdentifyZoned.MOR);
        field(ours, "nvme_zns_id_ns", "lbafe", IdentifyZoned.LBAFE);
        field(ours, "nvme_zns_lbafe", "zsze", IdentifyZoned.LBAFE_ZSZE);
        field(ours, "nvme_zns_lbafe", "zdes", IdentifyZoned.LBAFE_ZDES);
        ours.put("sizeof(struct nvme_zns_lbafe)", (long) IdentifyZoned.LBAFE_BYTES);
        field(ours, "nvme_zns_id_ctrl", "zasl", IdentifyZoned.ZASL);
        field(ours, "nvme_zone_report", "nr_zones", ZoneReport.NUMBER_OF_ZONES);
        field(ours, "nvme_zone_report", "entries", ZoneReport.HEADER_BYTES);
        field(ours, "nvme_zns_desc", "zt", ZoneReport.ZT);
        field(ours, "nvme_zns_desc", "zs", ZoneReport.ZS);
        field(ours, "nvme_zns_desc", "za", ZoneReport.ZA);
        field(ours, "nvme_zns_desc", "zcap", ZoneReport.ZCAP);
        field(ours, "nvme_zns_desc", "zslba", ZoneReport.ZSLBA);
        field(ours, "nvme_zns_desc", "wp", ZoneReport.WP);
        ours.put("sizeof(struct nvme_zns_desc)", (long) ZoneReport.DESCRIPTOR_BYTES);
        field(ours, "nvme_primary_ctrl_cap", "cntlid", VirtualizationManagement.CNTLID);
        field(ours, "nvme_primary_ctrl_cap", "portid", VirtualizationManagement.PORTID);
        field(ours, "nvme_primary_ctrl_cap", "crt", VirtualizationManagement.CRT);
        for (String resource : new String[] {"vq", "vi"}) {
            long at = resource.equals("vq") ? VirtualizationManagement.VQ : VirtualizationManagement.VI;
            String of = "nvme_primary_ctrl_cap";
            field(ours, of, resource + "frt", at + VirtualizationManagement.FRT);
            field(ours, of, resource + "rfa", at + VirtualizationManagement.RFA);
            field(ours, of, resource + "rfap", at + VirtualizationManagement.RFAP);
            field(ours, of, resource + "prt", at + VirtualizationManagement.PRT);
            field(ours, of, resource + "frsm", at + VirtualizationManagement.FRSM);
            field(ours, of, resource + "gran", at + VirtualizationManagement.GRAN);
        }
        field(ours, "nvme_secondary_ctrl_list", "num", VirtualizationManagement.SECONDARIES);
        field(ours, "nvme_secondary_ctrl_list", "sc_entry", VirtualizationManagement.SECONDARY);
        field(ours, "nvme_secondary_ctrl", "scid", VirtualizationManagement.SCID);
        field(ours, "nvme_secondary_ctrl", "pcid", VirtualizationManagement.PCID);
        field(ours, "nvme_secondary_ctrl", "scs", VirtualizationManagement.SCS);
        field(ours, "nvme_secondary_ctrl", "vfn", VirtualizationManagement.VFN);
        field(ours, "nvme_secondary_ctrl", "nvq", VirtualizationManagement.NVQ);
        field(ours, "nvme_secondary_ctrl", "nvi", VirtualizationManagement.NVI);
        ours.put("sizeof(struct nvme_secondary_ctrl)", (long) VirtualizationManagement.SECONDARY_BYTES);
        code(ours, "NVME_ID_SECONDARY_CTRL_MAX", VirtualizationManagement.SECONDARIES_MAX);
        field(ours, "nvme_copy_range", "slba", CopyRange.SLBA);
        field(ours, "nvme_copy_range", "nlb", CopyRange.NLB);
        ours.put("sizeof(struct nvme_copy_range)", (long) CopyRange.BYTES);
        field(ours, "nvme_ns_id_desc", "nidt", Identify.NIDT);
        field(ours, "nvme_ns_id_desc", "nidl", Identify.NIDL);
        field(ours, "nvme_ns_id_desc", "nid", Identify.NID);

        code(ours, "NVME_IDENTIFY_CNS_CSI_NS", Identify.CNS_COMMAND_SET_NAMESPACE);
        code(ours, "NVME_IDENTIFY_CNS_CSI_CTRL", Identify.CNS_COMMAND_SET_CONTROLLER);
        code(ours, "NVME_IDENTIFY_CNS_PRIMARY_CTRL_CAP", Identify.CNS_PRIMARY_CONTROLLER);
        code(ours, "NVME_IDENTIFY_CNS_SECONDARY_CTRL_LIST", Identify.CNS_SECONDARY_CONTROLLERS);
        code(ours, "NVME_NIDT_CSI", Identify.NIDT_CSI);
        code(ours, "NVME_CSI_NVM", Identify.CSI_NVM);
        code(ours, "NVME_CSI_ZNS", Identify.CSI_ZONED);
        code(ours, "NVME_CC_CSS_CSI << NVME_CC_CSS_SHIFT", Registers.CC_CSS_ALL);
        code(
                ours,
                "(((unsigned long)NVME_CAP_CSS_CSI << NVME_CAP_CSS_SHIFT) == 1UL << 43)",
                Registers.supportsCommandSets(1L << 43) && !Registers.supportsCommandSets(~(1L << 43)) ? 1 : 0);
        code(ours, "NVME_ZNS_ZS_EMPTY", ZoneReport.STATE_EMPTY);
        code(ours, "NVME_ZNS_ZS_IMPL_OPEN", ZoneReport.STATE_IMPLICITLY_OPENED);
        code(ours, "NVME_ZNS_ZS_EXPL_OPEN", ZoneReport.STATE_EXPLICITLY_OPENED);
        code(ours, "NVME_ZNS_ZS_CLOSED", ZoneReport.STATE_CLOSED);
        code(ours, "NVME_ZNS_ZS_READ_ONLY", ZoneReport.STATE_READ_ONLY);
        code(ours, "NVME_ZNS_ZS_FULL", ZoneReport.STATE_FULL);
        code(ours, "NVME_ZNS_ZS_OFFLINE", ZoneReport.STATE_OFFLINE);
        code(ours, "NVME_ZNS_ZSA_CLOSE", ZoneReport.ACTION_CLOSE);
        code(ours, "NVME_ZNS_ZSA_FINISH", ZoneReport.ACTION_FINISH);
        code(ours, "NVME_ZNS_ZSA_OPEN", ZoneReport.ACTION_OPEN);
        code(ours, "NVME_ZNS_ZSA_RESET", ZoneReport.ACTION_RESET);
        code(ours, "NVME_ZNS_ZSA_OFFLINE", ZoneReport.ACTION_OFFLINE);
        code(ours, "NVME_ZNS_ZRA_REPORT_ZONES", ZoneReport.RECEIVE_REPORT);
        code(ours, "NVME_ZNS_ZRAS_REPORT_ALL", ZoneReport.OPTION_ALL);
        code(ours, "NVME_ZNS_ZRAS_REPORT_EMPTY", ZoneReport.OPTION_EMPTY);
        code(ours, "NVME_ZNS_ZRAS_REPORT_IMPL_OPENED", ZoneReport.OPTION_IMPLICITLY_OPENED);
        code(ours, "NVME_ZNS_ZRAS_REPORT_EXPL_OPENED", ZoneReport.OPTION_EXPLICITLY_OPENED);
        code(ours, "NVME_ZNS_ZRAS_REPORT_CLOSED", ZoneReport.OPTION_CLOSED);
        code(ours, "NVME_ZNS_ZRAS_REPORT_FULL", ZoneReport.OPTION_FULL);
        code(ours, "NVME_IO_PRINFO_PRCHK_REF << 16", Protection.CHECK_REFERENCE_TAG);
        code(ours, "NVME_IO_PRINFO_PRCHK_APP << 16", Protection.CHECK_APPLICATION_TAG);
        code(ours, "NVME_IO_PRINFO_PRCHK_GUARD << 16", Protection.CHECK_GUARD);
        code(ours, "NVME_IO_PRINFO_PRACT << 16", Protection.ACTION);
        code(ours, "NVME_NS_DPS_PI_MASK", Protection.DPS_TYPE_MASK);
        code(ours, "NVME_NS_DPS_PI_FIRST", Protection.DPS_FIRST);
        code(ours, "NVME_VIRT_MGMT_ACT_PRIM_CTRL_FLEX_ALLOC", VirtualizationManagement.ACTION_PRIMARY_FLEXIBLE);
        code(ours, "NVME_VIRT_MGMT_ACT_OFFLINE_SEC_CTRL", VirtualizationManagement.ACTION_OFFLINE);
        code(ours, "NVME_VIRT_MGMT_ACT_ASSIGN_SEC_CTRL", VirtualizationManagement.ACTION_ASSIGN);
        code(ours, "NVME_VIRT_MGMT_ACT_ONLINE_SEC_CTRL", VirtualizationManagement.ACTION_ONLINE);
        code(ours, "NVME_VIRT_MGMT_RT_VQ_RESOURCE", VirtualizationManagement.RESOURCE_VQ);
        code(ours, "NVME_VIRT_MGMT_RT_VI_RESOURCE", VirtualizationManagement.RESOURCE_VI);
        code(ours, "NVME_CTRL_OACS_VIRT_MGMT", IdentifyController.OACS_VIRTUALIZATION);
        code(ours, "NVME_CTRL_OACS_DBBUF_CFG", IdentifyController.OACS_DOORBELL_BUFFER);
        code(ours, "NVME_CTRL_SGLS_SUPPORTED", IdentifyController.SGLS_MASK);
        code(ours, "NVME_CTRL_ONCS_COPY", IdentifyController.ONCS_COPY);
        code(ours, "nvme_admin_dbbuf", Opcode.DOORBELL_BUFFER_CONFIG);
        code(ours, "NVME_SC_SGL_INVALID_LAST", Status.INVALID_SGL_SEGMENT);
        code(ours, "NVME_SC_SGL_INVALID_COUNT", Status.INVALID_SGL_COUNT);
        code(ours, "NVME_SC_SGL_INVALID_DATA", Status.INVALID_SGL_LENGTH);
        code(ours, "NVME_SC_SGL_INVALID_TYPE", Status.INVALID_SGL_TYPE);

        code(ours, "NVME_SC_INVALID_IOCS", Status.INVALID_COMMAND_SET);
        specific(ours, "NVME_SC_INVALID_CTRL_ID", Status.INVALID_CONTROLLER_IDENTIFIER);
        specific(ours, "NVME_SC_INVALID_SEC_CTRL_STATE", Status.INVALID_SECONDARY_STATE);
        specific(ours, "NVME_SC_INVALID_CTRL_RESOURCES", Status.INVALID_NUMBER_OF_RESOURCES);
        specific(ours, "NVME_SC_INVALID_RESOURCE_ID", Status.INVALID_RESOURCE_IDENTIFIER);
        specific(ours, "NVME_SC_INVALID_PI", Status.INVALID_PROTECTION);
        specific(ours, "NVME_SC_CMD_SIZE_LIMIT_EXCEEDED", Status.COMMAND_SIZE_LIMIT_EXCEEDED);
        specific(ours, "NVME_SC_ZNS_BOUNDARY_ERROR", Status.ZONE_BOUNDARY_ERROR);
        specific(ours, "NVME_SC_ZNS_FULL", Status.ZONE_IS_FULL);
        specific(ours, "NVME_SC_ZNS_READ_ONLY", Status.ZONE_IS_READ_ONLY);
        specific(ours, "NVME_SC_ZNS_OFFLINE", Status.ZONE_IS_OFFLINE);
        specific(ours, "NVME_SC_ZNS_INVALID_WRITE", Status.ZONE_INVALID_WRITE);
        specific(ours, "NVME_SC_ZNS_TOO_MANY_ACTIVE", Status.TOO_MANY_ACTIVE_ZONES);
        specific(ours, "NVME_SC_ZNS_TOO_MANY_OPENS", Status.TOO_MANY_OPEN_ZONES);
        specific(ours, "NVME_SC_ZNS_INVAL_TRANSITION", Status.INVALID_ZONE_STATE_TRANSITION);
        code(ours, "(NVME_SCT_MEDIA << 8 | NVME_SC_GUARD_CHECK)", Status.GUARD_CHECK_ERROR);
        code(ours, "(NVME_SCT_MEDIA << 8 | NVME_SC_APPTAG_CHECK)", Status.APPLICATION_TAG_CHECK_ERROR);
        code(ours, "(NVME_SCT_MEDIA << 8 | NVME_SC_REFTAG_CHECK)", Status.REFERENCE_TAG_CHECK_ERROR);
        code(ours, "(NVME_SCT_MEDIA << 8 | NVME_SC_UNWRITTEN_BLOCK)", Status.DEALLOCATED_BLOCK);
        code(ours, "nvme_admin_virtual_mgmt", Opcode.VIRTUALIZATION_MANAGEMENT);
        code(ours, "nvme_cmd_copy", Opcode.COPY);
        code(ours, "nvme_zns_cmd_mgmt_send", Opcode.ZONE_MANAGEMENT_SEND);
        code(ours, "nvme_zns_cmd_mgmt_recv", Opcode.ZONE_MANAGEMENT_RECEIVE);
        code(ours, "nvme_zns_cmd_append", Opcode.ZONE_APPEND);

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

    private static void specific(Map<String, Long> ours, String name, int value) {
        ours.put("(NVME_SCT_CMD_SPECIFIC << 8 | " + name + ")", (long) value);
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
