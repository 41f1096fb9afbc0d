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
        code(ours, "NVME_SC_CMD_INTERRUPTED", Status.COMMAND_INTERRUPTED);
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
        controller(ours, "ctratt", IdentifyController.CTRATT);
        controller(ours, "sanicap", IdentifyController.SANICAP);
        controller(ours, "endgidmax", IdentifyController.ENDGIDMAX);
        controller(ours, "ocfs", IdentifyController.OCFS);
        namespace(ours, "mssrl", IdentifyNamespace.MSSRL);
        namespace(ours, "mcl", IdentifyNamespace.MCL);
        namespace(ours, "msrc", IdentifyNamespace.MSRC);
        namespace(ours, "endgid", IdentifyNamespace.ENDGID);
        field(ours, "nvme_nvm_id_ns", "lbstm", IdentifyNvm.LBSTM);
        field(ours, "nvme_nvm_id_ns", "pic", IdentifyNvm.PIC);
        field(ours, "nvme_nvm_id_ns", "elbaf", IdentifyNvm.ELBAF);
        field(ours, "nvme_id_ctrl_nvm", "vsl", IdentifyNvm.VSL);
        code(ours, "NVME_NVM_ELBAF_STS_MASK", IdentifyNvm.STS_MASK);
        code(ours, "NVME_NVM_ELBAF_PIF_MASK", 3 << IdentifyNvm.PIF_SHIFT);
        field(ours, "nvme_smart_log", "ctrl_busy_time", LogPage.SMART_BUSY_TIME);
        field(ours, "nvme_smart_log", "warning_temp_time", LogPage.SMART_WARNING_TIME);
        field(ours, "nvme_smart_log", "critical_comp_time", LogPage.SMART_CRITICAL_TIME);
        field(ours, "nvme_smart_log", "temp_sensor", LogPage.SMART_SENSORS);
        field(ours, "nvme_cmd_effects_log", "acs", EffectsLog.ADMIN);
        field(ours, "nvme_cmd_effects_log", "iocs", EffectsLog.IO);
        ours.put("sizeof(struct nvme_cmd_effects_log)", (long) EffectsLog.BYTES);
        code(ours, "NVME_CMD_EFFECTS_CSUPP", EffectsLog.SUPPORTED);
        code(ours, "NVME_CMD_EFFECTS_LBCC", EffectsLog.BLOCK_CONTENT);
        code(ours, "NVME_CMD_EFFECTS_NCC", EffectsLog.NAMESPACE_CAPABILITY);
        code(ours, "NVME_CMD_EFFECTS_NIC", EffectsLog.NAMESPACE_INVENTORY);
        code(ours, "NVME_CMD_EFFECTS_CCC", EffectsLog.CONTROLLER_CAPABILITY);
        code(ours, "NVME_CMD_EFFECTS_CSE_MASK", 3 << EffectsLog.EXCLUSION_SHIFT);
        field(ours, "nvme_self_test_log", "current_operation", SelfTestLog.OPERATION);
        field(ours, "nvme_self_test_log", "completion", SelfTestLog.COMPLETION);
        field(ours, "nvme_self_test_log", "result", SelfTestLog.RESULT);
        ours.put("sizeof(struct nvme_self_test_log)", (long) SelfTestLog.BYTES);
        field(ours, "nvme_st_result", "dsts", SelfTestLog.STATUS);
        field(ours, "nvme_st_result", "seg", SelfTestLog.SEGMENT);
        field(ours, "nvme_st_result", "vdi", SelfTestLog.VALID);
        field(ours, "nvme_st_result", "poh", SelfTestLog.POWER_ON_HOURS);
        field(ours, "nvme_st_result", "nsid", SelfTestLog.NSID);
        field(ours, "nvme_st_result", "flba", SelfTestLog.FAILING_LBA);
        ours.put("sizeof(struct nvme_st_result)", (long) SelfTestLog.RESULT_BYTES);
        code(ours, "NVME_LOG_ST_MAX_RESULTS", SelfTestLog.RESULTS);
        field(ours, "nvme_sanitize_log_page", "sprog", SanitizeLog.SPROG);
        field(ours, "nvme_sanitize_log_page", "sstat", SanitizeLog.SSTAT);
        field(ours, "nvme_sanitize_log_page", "scdw10", SanitizeLog.SCDW10);
        field(ours, "nvme_sanitize_log_page", "eto", SanitizeLog.ETO);
        field(ours, "nvme_sanitize_log_page", "etbe", SanitizeLog.ETBE);
        field(ours, "nvme_sanitize_log_page", "etce", SanitizeLog.ETCE);
        ours.put("sizeof(struct nvme_sanitize_log_page)", (long) SanitizeLog.BYTES);
        code(ours, "NVME_SANITIZE_SSTAT_STATUS_NEVER_SANITIZED", SanitizeLog.NEVER);
        code(ours, "NVME_SANITIZE_SSTAT_STATUS_COMPLETE_SUCCESS", SanitizeLog.SUCCEEDED);
        code(ours, "NVME_SANITIZE_SSTAT_STATUS_IN_PROGESS", SanitizeLog.IN_PROGRESS);
        code(ours, "NVME_SANITIZE_SSTAT_STATUS_COMPLETED_FAILED", SanitizeLog.FAILED);
        code(ours, "NVME_SANITIZE_SSTAT_STATUS_ND_COMPLETE_SUCCESS", SanitizeLog.SUCCEEDED_DEALLOCATED);
        code(ours, "NVME_SANITIZE_SSTAT_GLOBAL_DATA_ERASED", SanitizeLog.GLOBAL_DATA_ERASED);
        field(ours, "nvme_zns_changed_zone_log", "nrzid", LogPage.CHANGED_ZONES_COUNT);
        field(ours, "nvme_zns_changed_zone_log", "zid", LogPage.CHANGED_ZONES_FIRST);
        code(ours, "NVME_ZNS_CHANGED_ZONES_MAX", LogPage.CHANGED_ZONES_MAX);
        field(ours, "nvme_dsm_range", "cattr", DatasetRange.ATTRIBUTES);
        field(ours, "nvme_dsm_range", "nlb", DatasetRange.NLB);
        field(ours, "nvme_dsm_range", "slba", DatasetRange.SLBA);
        ours.put("sizeof(struct nvme_dsm_range)", (long) DatasetRange.BYTES);
        code(ours, "NVME_DSMGMT_IDR", DatasetRange.INTEGRAL_READ);
        code(ours, "NVME_DSMGMT_IDW", DatasetRange.INTEGRAL_WRITE);
        code(ours, "NVME_DSMGMT_AD", DatasetRange.DEALLOCATE);
        field(ours, "nvme_copy_range", "eilbrt", CopyRange.EILBRT);
        // Not elbat and elbatm, here and below, which headers have in the wrong order: the tag comes first (NVM
        // Command Set 1.0, section 3.2.2), as in command dword 15.
        field(ours, "nvme_copy_range_f1", "slba", CopyRange.SLBA);
        field(ours, "nvme_copy_range_f1", "nlb", CopyRange.NLB);
        field(ours, "nvme_copy_range_f1", "elbt", CopyRange.WIDE_ELBT);
        ours.put("sizeof(struct nvme_copy_range_f1)", (long) CopyRange.WIDE_BYTES);
        field(ours, "nvme_id_directives", "supported", Directive.SUPPORTED);
        field(ours, "nvme_id_directives", "enabled", Directive.ENABLED);
        ours.put("sizeof(struct nvme_id_directives)", (long) Directive.PARAMETERS_BYTES);
        code(ours, "NVME_DIRECTIVE_DTYPE_IDENTIFY", Directive.TYPE_IDENTIFY);
        code(ours, "NVME_DIRECTIVE_DTYPE_STREAMS", Directive.TYPE_STREAMS);
        code(ours, "NVME_DIRECTIVE_RECEIVE_IDENTIFY_DOPER_PARAM", Directive.RECEIVE_PARAMETERS);
        code(ours, "NVME_DIRECTIVE_SEND_IDENTIFY_DOPER_ENDIR", Directive.SEND_ENABLE);
        placement(ours);
        code(ours, "NVME_FEAT_FID_AUTO_PST", Feature.AUTONOMOUS_POWER_STATE_TRANSITION);
        code(ours, "NVME_FEAT_FID_TIMESTAMP", Feature.TIMESTAMP);
        code(ours, "NVME_FEAT_FID_KATO", Feature.KEEP_ALIVE_TIMER);
        code(ours, "NVME_FEAT_FID_HOST_BEHAVIOR", Feature.HOST_BEHAVIOR);
        code(ours, "NVME_FEAT_FID_SANITIZE", Feature.SANITIZE_CONFIG);
        code(ours, "NVME_FEAT_FID_FDP", Feature.DATA_PLACEMENT);
        code(ours, "NVME_FEAT_FID_FDP_EVENTS", Feature.DATA_PLACEMENT_EVENTS);
        code(ours, "NVME_FEAT_FID_SW_PROGRESS", Feature.SOFTWARE_PROGRESS_MARKER);
        code(ours, "NVME_FEAT_FID_HOST_ID", Feature.HOST_IDENTIFIER);
        code(ours, "NVME_FEAT_FID_WRITE_PROTECT", Feature.WRITE_PROTECTION);
        ours.put("sizeof(struct nvme_timestamp)", (long) Feature.TIMESTAMP_BYTES);
        ours.put("sizeof(struct nvme_feat_host_behavior)", (long) Feature.HOST_BEHAVIOR_BYTES);
        code(ours, "NVME_LOG_LID_SUPPORTED_LOG_PAGES", LogPage.SUPPORTED);
        code(ours, "NVME_LOG_LID_CMD_EFFECTS", LogPage.COMMAND_EFFECTS);
        code(ours, "NVME_LOG_LID_DEVICE_SELF_TEST", LogPage.SELF_TEST);
        code(ours, "NVME_LOG_LID_FDP_CONFIGS", LogPage.FDP_CONFIGURATIONS);
        code(ours, "NVME_LOG_LID_FDP_RUH_USAGE", LogPage.RECLAIM_UNIT_HANDLE_USAGE);
        code(ours, "NVME_LOG_LID_FDP_STATS", LogPage.FDP_STATISTICS);
        code(ours, "NVME_LOG_LID_FDP_EVENTS", LogPage.FDP_EVENTS);
        code(ours, "NVME_LOG_LID_SANITIZE", LogPage.SANITIZE_STATUS);
        code(ours, "NVME_LOG_LID_ZNS_CHANGED_ZONES", LogPage.CHANGED_ZONES);
        code(ours, "NVME_CTRL_CTRATT_ENDURANCE_GROUPS", IdentifyController.CTRATT_ENDURANCE_GROUPS);
        code(ours, "NVME_CTRL_CTRATT_ELBAS", IdentifyController.CTRATT_EXTENDED_LBA_FORMATS);
        code(ours, "NVME_CTRL_CTRATT_FDPS", IdentifyController.CTRATT_DATA_PLACEMENT);
        code(ours, "NVME_CTRL_OACS_SELF_TEST", IdentifyController.OACS_SELF_TEST);
        code(ours, "NVME_CTRL_OACS_DIRECTIVES", IdentifyController.OACS_DIRECTIVES);
        code(ours, "NVME_CTRL_LPA_CMD_EFFECTS", IdentifyController.LPA_COMMAND_EFFECTS);
        code(ours, "NVME_CTRL_LPA_EXTENDED", IdentifyController.LPA_EXTENDED);
        code(ours, "NVME_CTRL_LPA_LI0_LI5_LI12_LI13", IdentifyController.LPA_SUPPORTED_LOG_PAGES);
        code(ours, "NVME_CTRL_SANICAP_CES", IdentifyController.SANICAP_CRYPTO_ERASE);
        code(ours, "NVME_CTRL_SANICAP_BES", IdentifyController.SANICAP_BLOCK_ERASE);
        code(ours, "NVME_CTRL_SANICAP_OWS", IdentifyController.SANICAP_OVERWRITE);
        code(ours, "NVME_CTRL_SANICAP_NDI", IdentifyController.SANICAP_NO_DEALLOCATE_INHIBITED);
        code(ours, "NVME_CTRL_FNA_CRYPTO_ERASE", IdentifyController.FNA_CRYPTOGRAPHIC_ERASE);
        code(ours, "nvme_admin_dev_self_test", Opcode.DEVICE_SELF_TEST);
        code(ours, "nvme_admin_directive_send", Opcode.DIRECTIVE_SEND);
        code(ours, "nvme_admin_directive_recv", Opcode.DIRECTIVE_RECEIVE);
        code(ours, "nvme_admin_sanitize_nvm", Opcode.SANITIZE);
        code(ours, "nvme_cmd_io_mgmt_recv", Opcode.IO_MANAGEMENT_RECEIVE);
        code(ours, "nvme_cmd_io_mgmt_send", Opcode.IO_MANAGEMENT_SEND);
        code(ours, "NVME_IO_FUA << 16", BlockCommand.FORCE_UNIT_ACCESS);
        code(ours, "NVME_IO_DEAC << 16", BlockCommand.DEALLOCATE);
        code(ours, "NVME_CTRL_CNTRLTYPE_IO", IdentifyController.CNTRLTYPE_IO);
        code(ours, "NVME_CTRL_FRMW_1ST_RO", IdentifyController.FRMW_SLOT_1_READ_ONLY);
        code(ours, "NVME_CTRL_VWC_PRESENT", IdentifyController.VWC_PRESENT);
        code(ours, "NVME_NS_DLFEAT_RB_ALL_0S", IdentifyNamespace.DLFEAT_ZEROES);
        code(ours, "NVME_NS_DLFEAT_WRITE_ZEROES", IdentifyNamespace.DLFEAT_WRITE_ZEROES);
        code(ours, "NVME_SC_SANITIZE_FAILED", Status.SANITIZE_FAILED);
        code(ours, "NVME_SCT_MEDIA << 8 | NVME_SC_STORAGE_TAG_CHECK", Status.STORAGE_TAG_CHECK_ERROR);
        code(ours, "NVME_SC_SANITIZE_IN_PROGRESS", Status.SANITIZE_IN_PROGRESS);
        specific(ours, "NVME_SC_SELF_TEST_IN_PROGRESS", Status.SELF_TEST_IN_PROGRESS);
        return ours;
    }

    private static void placement(Map<String, Long> ours) {
        field(ours, "nvme_fdp_config_log", "n", DataPlacementLog.CONFIGURATIONS);
        field(ours, "nvme_fdp_config_log", "size", DataPlacementLog.CONFIGURATIONS_SIZE);
        field(ours, "nvme_fdp_config_log", "configs", DataPlacementLog.CONFIGURATION);
        field(ours, "nvme_fdp_config_desc", "size", DataPlacementLog.DESCRIPTOR_SIZE);
        field(ours, "nvme_fdp_config_desc", "fdpa", DataPlacementLog.FDPA);
        field(ours, "nvme_fdp_config_desc", "nrg", DataPlacementLog.NRG);
        field(ours, "nvme_fdp_config_desc", "nruh", DataPlacementLog.NRUH);
        field(ours, "nvme_fdp_config_desc", "maxpids", DataPlacementLog.MAXPIDS);
        field(ours, "nvme_fdp_config_desc", "nnss", DataPlacementLog.NNSS);
        field(ours, "nvme_fdp_config_desc", "runs", DataPlacementLog.RUNS);
        field(ours, "nvme_fdp_config_desc", "erutl", DataPlacementLog.ERUTL);
        field(ours, "nvme_fdp_config_desc", "ruhs", DataPlacementLog.RUH);
        ours.put("sizeof(struct nvme_fdp_ruh_desc)", (long) DataPlacementLog.RUH_BYTES);
        code(ours, "NVME_FDP_CONFIG_FDPA_VALID_MASK << NVME_FDP_CONFIG_FDPA_VALID_SHIFT", DataPlacementLog.FDPA_VALID);
        code(ours, "NVME_FDP_RUHT_INITIALLY_ISOLATED", DataPlacementLog.INITIALLY_ISOLATED);
        code(ours, "NVME_FDP_RUHT_PERSISTENTLY_ISOLATED", DataPlacementLog.PERSISTENTLY_ISOLATED);
        field(ours, "nvme_fdp_ruhu_log", "nruh", DataPlacementLog.USAGE_NRUH);
        field(ours, "nvme_fdp_ruhu_log", "ruhus", DataPlacementLog.USAGE);
        ours.put("sizeof(struct nvme_fdp_ruhu_desc)", (long) DataPlacementLog.USAGE_BYTES);
        field(ours, "nvme_fdp_stats_log", "hbmw", DataPlacementLog.HBMW);
        field(ours, "nvme_fdp_stats_log", "mbmw", DataPlacementLog.MBMW);
        field(ours, "nvme_fdp_stats_log", "mbe", DataPlacementLog.MBE);
        ours.put("sizeof(struct nvme_fdp_stats_log)", (long) DataPlacementLog.STATISTICS_BYTES);
        field(ours, "nvme_fdp_events_log", "n", DataPlacementLog.EVENTS);
        field(ours, "nvme_fdp_events_log", "events", DataPlacementLog.EVENT);
        ours.put("sizeof(struct nvme_fdp_event)", (long) DataPlacementLog.EVENT_BYTES);
        field(ours, "nvme_fdp_event", "type", DataPlacementLog.EVENT_TYPE);
        field(ours, "nvme_fdp_event", "flags", DataPlacementLog.EVENT_FLAGS);
        field(ours, "nvme_fdp_event", "pid", DataPlacementLog.EVENT_PID);
        field(ours, "nvme_fdp_event", "ts", DataPlacementLog.EVENT_TIMESTAMP);
        field(ours, "nvme_fdp_event", "nsid", DataPlacementLog.EVENT_NSID);
        field(ours, "nvme_fdp_event", "rgid", DataPlacementLog.EVENT_RGID);
        field(ours, "nvme_fdp_event", "ruhid", DataPlacementLog.EVENT_RUHID);
        code(ours, "NVME_FDP_EVENT_RUNFW", DataPlacementLog.EVENT_NOT_FULLY_WRITTEN);
        code(ours, "NVME_FDP_EVENT_RUTLE", DataPlacementLog.EVENT_TIME_LIMIT);
        code(ours, "NVME_FDP_EVENT_RESET", DataPlacementLog.EVENT_RESET);
        code(ours, "NVME_FDP_EVENT_PID", DataPlacementLog.EVENT_INVALID_PID);
        code(ours, "NVME_FDP_EVENT_REALLOC", DataPlacementLog.EVENT_MEDIA_REALLOCATED);
        code(ours, "NVME_FDP_EVENT_MODIFY", DataPlacementLog.EVENT_IMPLICITLY_MODIFIED);
        code(ours, "NVME_FDP_EVENT_F_PIV", DataPlacementLog.EVENT_FLAG_PID);
        code(ours, "NVME_FDP_EVENT_F_NSIDV", DataPlacementLog.EVENT_FLAG_NSID);
        code(ours, "NVME_FDP_EVENT_F_LV", DataPlacementLog.EVENT_FLAG_LOCATION);
        code(ours, "NVME_IO_MGMT_RECV_RUH_STATUS", DataPlacementLog.RECEIVE_STATUS);
        code(ours, "NVME_IO_MGMT_SEND_RUH_UPDATE", DataPlacementLog.SEND_UPDATE);
        field(ours, "nvme_fdp_ruh_status", "nruhsd", DataPlacementLog.STATUS_COUNT);
        field(ours, "nvme_fdp_ruh_status", "ruhss", DataPlacementLog.STATUS);
        ours.put("sizeof(struct nvme_fdp_ruh_status_desc)", (long) DataPlacementLog.STATUS_BYTES);
        field(ours, "nvme_fdp_ruh_status_desc", "pid", DataPlacementLog.STATUS_PID);
        field(ours, "nvme_fdp_ruh_status_desc", "ruhid", DataPlacementLog.STATUS_RUHID);
        field(ours, "nvme_fdp_ruh_status_desc", "earutr", DataPlacementLog.STATUS_EARUTR);
        field(ours, "nvme_fdp_ruh_status_desc", "ruamw", DataPlacementLog.STATUS_RUAMW);
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
