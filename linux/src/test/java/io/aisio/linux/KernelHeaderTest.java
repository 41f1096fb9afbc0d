package io.aisio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Our requests and offsets against the kernel's headers, which others wrote: the C compiler prints what it makes of them. */
class KernelHeaderTest {
    private static final Path HEADER = Path.of("/usr/include/linux/vfio.h");

    @TempDir
    Path folder;

    /** The C expression and our value, which must equal it. */
    private static Map<String, Long> ours() {
        Map<String, Long> ours = new LinkedHashMap<>();
        ours.put("VFIO_TYPE1v2_IOMMU", (long) VfioGroup.TYPE1V2_IOMMU);
        ours.put("VFIO_NOIOMMU_IOMMU", (long) VfioGroup.NOIOMMU_IOMMU);
        ours.put("VFIO_GET_API_VERSION", VfioGroup.VFIO_GET_API_VERSION);
        ours.put("VFIO_CHECK_EXTENSION", VfioGroup.VFIO_CHECK_EXTENSION);
        ours.put("VFIO_SET_IOMMU", VfioGroup.VFIO_SET_IOMMU);
        ours.put("VFIO_GROUP_GET_STATUS", VfioGroup.VFIO_GROUP_GET_STATUS);
        ours.put("VFIO_GROUP_SET_CONTAINER", VfioGroup.VFIO_GROUP_SET_CONTAINER);
        ours.put("VFIO_GROUP_GET_DEVICE_FD", VfioGroup.VFIO_GROUP_GET_DEVICE_FD);
        ours.put("VFIO_IOMMU_GET_INFO", VfioGroup.VFIO_IOMMU_GET_INFO);
        ours.put("VFIO_IOMMU_MAP_DMA", VfioGroup.VFIO_IOMMU_MAP_DMA);
        ours.put("VFIO_IOMMU_UNMAP_DMA", VfioGroup.VFIO_IOMMU_UNMAP_DMA);
        ours.put("VFIO_GROUP_FLAGS_VIABLE", (long) VfioGroup.GROUP_FLAGS_VIABLE);
        ours.put("sizeof(struct vfio_group_status)", (long) VfioGroup.GROUP_STATUS);
        ours.put("sizeof(struct vfio_iommu_type1_dma_map)", (long) VfioGroup.DMA_MAP);
        ours.put("offsetof(struct vfio_iommu_type1_dma_map, vaddr)", (long) VfioGroup.DMA_MAP_VADDR);
        ours.put("offsetof(struct vfio_iommu_type1_dma_map, iova)", (long) VfioGroup.DMA_MAP_IOVA);
        ours.put("offsetof(struct vfio_iommu_type1_dma_map, size)", (long) VfioGroup.DMA_MAP_SIZE);
        ours.put("VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE", (long) VfioGroup.DMA_MAP_READ_WRITE);
        ours.put("sizeof(struct vfio_iommu_type1_dma_unmap)", (long) VfioGroup.DMA_UNMAP);
        ours.put("offsetof(struct vfio_iommu_type1_dma_unmap, iova)", (long) VfioGroup.DMA_UNMAP_IOVA);
        ours.put("offsetof(struct vfio_iommu_type1_dma_unmap, size)", (long) VfioGroup.DMA_UNMAP_SIZE);
        ours.put("offsetof(struct vfio_iommu_type1_info, cap_offset)", (long) VfioGroup.IOMMU_INFO_CAP_OFFSET);
        ours.put("VFIO_IOMMU_INFO_CAPS", (long) VfioGroup.IOMMU_INFO_CAPS);
        ours.put("offsetof(struct vfio_info_cap_header, next)", (long) VfioGroup.CAP_NEXT);
        ours.put("sizeof(struct vfio_info_cap_header)", (long) VfioGroup.CAP_HEADER);
        ours.put("VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE", (long) VfioGroup.CAP_IOVA_RANGE);
        ours.put(
                "offsetof(struct vfio_iommu_type1_info_cap_iova_range, iova_ranges)", (long) VfioGroup.CAP_IOVA_RANGES);
        ours.put("VFIO_PCI_CONFIG_REGION_INDEX", (long) VfioDevice.CONFIG_REGION);
        ours.put("VFIO_PCI_MSIX_IRQ_INDEX", (long) VfioDevice.MSIX);
        ours.put("VFIO_PCI_REQ_IRQ_INDEX", (long) VfioDevice.REQUEST);
        ours.put("VFIO_DEVICE_GET_INFO", VfioDevice.VFIO_DEVICE_GET_INFO);
        ours.put("VFIO_DEVICE_GET_REGION_INFO", VfioDevice.VFIO_DEVICE_GET_REGION_INFO);
        ours.put("VFIO_DEVICE_GET_IRQ_INFO", VfioDevice.VFIO_DEVICE_GET_IRQ_INFO);
        ours.put("VFIO_DEVICE_SET_IRQS", VfioDevice.VFIO_DEVICE_SET_IRQS);
        ours.put("VFIO_DEVICE_RESET", VfioDevice.VFIO_DEVICE_RESET);
        ours.put("VFIO_DEVICE_FLAGS_RESET", (long) VfioDevice.DEVICE_FLAGS_RESET);
        ours.put("VFIO_DEVICE_FLAGS_PCI", (long) VfioDevice.DEVICE_FLAGS_PCI);
        ours.put("offsetof(struct vfio_device_info, flags)", 4L);
        ours.put("sizeof(struct vfio_region_info)", (long) VfioDevice.REGION_INFO);
        ours.put("offsetof(struct vfio_region_info, index)", (long) VfioDevice.REGION_INFO_INDEX);
        ours.put("offsetof(struct vfio_region_info, cap_offset)", (long) VfioDevice.REGION_INFO_CAP_OFFSET);
        ours.put("offsetof(struct vfio_region_info, size)", (long) VfioDevice.REGION_INFO_SIZE);
        ours.put("offsetof(struct vfio_region_info, offset)", (long) VfioDevice.REGION_INFO_OFFSET);
        ours.put("VFIO_REGION_INFO_FLAG_MMAP", (long) VfioDevice.REGION_FLAG_MMAP);
        ours.put("VFIO_REGION_INFO_FLAG_CAPS", (long) VfioDevice.REGION_FLAG_CAPS);
        ours.put("VFIO_REGION_INFO_CAP_SPARSE_MMAP", (long) VfioDevice.CAP_SPARSE_MMAP);
        ours.put("sizeof(struct vfio_irq_info)", (long) VfioDevice.IRQ_INFO);
        ours.put("offsetof(struct vfio_irq_info, index)", (long) VfioDevice.IRQ_INFO_INDEX);
        ours.put("offsetof(struct vfio_irq_info, count)", (long) VfioDevice.IRQ_INFO_COUNT);
        ours.put("VFIO_IRQ_INFO_EVENTFD", (long) VfioDevice.IRQ_INFO_EVENTFD);
        ours.put("sizeof(struct vfio_irq_set)", (long) VfioDevice.IRQ_SET);
        ours.put("offsetof(struct vfio_irq_set, index)", (long) VfioDevice.IRQ_SET_INDEX);
        ours.put("offsetof(struct vfio_irq_set, count)", (long) VfioDevice.IRQ_SET_COUNT);
        ours.put("VFIO_IRQ_SET_DATA_NONE", (long) VfioDevice.IRQ_SET_DATA_NONE);
        ours.put("VFIO_IRQ_SET_DATA_EVENTFD", (long) VfioDevice.IRQ_SET_DATA_EVENTFD);
        ours.put("VFIO_IRQ_SET_ACTION_TRIGGER", (long) VfioDevice.IRQ_SET_ACTION_TRIGGER);
        ours.put("NVME_IOCTL_ADMIN_CMD", NvmePassthrough.NVME_IOCTL_ADMIN_CMD);
        ours.put("sizeof(struct nvme_passthru_cmd)", (long) NvmePassthrough.BYTES);
        ours.put("offsetof(struct nvme_passthru_cmd, opcode)", (long) NvmePassthrough.OPCODE);
        ours.put("offsetof(struct nvme_passthru_cmd, nsid)", (long) NvmePassthrough.NSID);
        ours.put("offsetof(struct nvme_passthru_cmd, addr)", (long) NvmePassthrough.ADDR);
        ours.put("offsetof(struct nvme_passthru_cmd, data_len)", (long) NvmePassthrough.DATA_LEN);
        ours.put("offsetof(struct nvme_passthru_cmd, cdw10)", (long) NvmePassthrough.CDW10);
        ours.put("offsetof(struct nvme_passthru_cmd, timeout_ms)", (long) NvmePassthrough.TIMEOUT_MS);
        ours.put("offsetof(struct nvme_passthru_cmd, result)", (long) NvmePassthrough.RESULT);
        ioUring(ours);
        ublk(ours);
        ours.put("NVME_IOCTL_ID", NvmePassthrough.NVME_IOCTL_ID);
        ours.put("NVME_IOCTL_IO64_CMD", NvmePassthrough.NVME_IOCTL_IO64_CMD);
        ours.put("sizeof(struct nvme_passthru_cmd64)", (long) NvmePassthrough.BYTES_64);
        for (String name : List.of("nvme_passthru_cmd", "nvme_passthru_cmd64")) {
            ours.put("offsetof(struct " + name + ", cdw2)", (long) NvmePassthrough.CDW2);
            ours.put("offsetof(struct " + name + ", metadata)", (long) NvmePassthrough.METADATA);
            ours.put("offsetof(struct " + name + ", metadata_len)", (long) NvmePassthrough.METADATA_LEN);
        }
        ours.put("offsetof(struct nvme_passthru_cmd64, addr)", (long) NvmePassthrough.ADDR);
        ours.put("offsetof(struct nvme_passthru_cmd64, data_len)", (long) NvmePassthrough.DATA_LEN);
        ours.put("offsetof(struct nvme_passthru_cmd64, cdw10)", (long) NvmePassthrough.CDW10);
        ours.put("offsetof(struct nvme_passthru_cmd64, timeout_ms)", (long) NvmePassthrough.TIMEOUT_MS);
        ours.put("offsetof(struct nvme_passthru_cmd64, result)", (long) NvmePassthrough.RESULT_64);
        return ours;
    }

    private static void ioUring(Map<String, Long> ours) {
        ours.put("sizeof(struct io_uring_params)", (long) IoUring.PARAMS_BYTES);
        ours.put("offsetof(struct io_uring_params, sq_entries)", (long) IoUring.SQ_ENTRIES);
        ours.put("offsetof(struct io_uring_params, cq_entries)", (long) IoUring.CQ_ENTRIES);
        ours.put("offsetof(struct io_uring_params, flags)", (long) IoUring.SETUP_FLAGS);
        ours.put("offsetof(struct io_uring_params, sq_thread_idle)", (long) IoUring.SQ_THREAD_IDLE);
        ours.put("offsetof(struct io_uring_params, features)", (long) IoUring.FEATURES);
        ours.put("offsetof(struct io_uring_params, sq_off)", (long) IoUring.SQ_OFF);
        ours.put("offsetof(struct io_uring_params, cq_off)", (long) IoUring.CQ_OFF);
        ours.put("offsetof(struct io_sqring_offsets, head)", (long) IoUring.RING_HEAD);
        ours.put("offsetof(struct io_sqring_offsets, tail)", (long) IoUring.RING_TAIL);
        ours.put("offsetof(struct io_sqring_offsets, ring_mask)", (long) IoUring.RING_MASK);
        ours.put("offsetof(struct io_sqring_offsets, flags)", (long) IoUring.SQ_FLAGS);
        ours.put("offsetof(struct io_sqring_offsets, array)", (long) IoUring.SQ_ARRAY);
        ours.put("offsetof(struct io_cqring_offsets, head)", (long) IoUring.RING_HEAD);
        ours.put("offsetof(struct io_cqring_offsets, tail)", (long) IoUring.RING_TAIL);
        ours.put("offsetof(struct io_cqring_offsets, ring_mask)", (long) IoUring.RING_MASK);
        ours.put("offsetof(struct io_cqring_offsets, overflow)", (long) IoUring.CQ_OVERFLOW);
        ours.put("offsetof(struct io_cqring_offsets, cqes)", (long) IoUring.CQ_CQES);
        ours.put("IORING_SETUP_IOPOLL", (long) IoUring.SETUP_IOPOLL);
        ours.put("IORING_SETUP_SQPOLL", (long) IoUring.SETUP_SQPOLL);
        ours.put("IORING_SETUP_R_DISABLED", (long) IoUring.SETUP_R_DISABLED);
        ours.put("IORING_SETUP_COOP_TASKRUN", (long) IoUring.SETUP_COOP_TASKRUN);
        ours.put("IORING_SETUP_TASKRUN_FLAG", (long) IoUring.SETUP_TASKRUN_FLAG);
        ours.put("IORING_SETUP_SQE128", (long) IoUring.SETUP_SQE128);
        ours.put("IORING_SETUP_CQE32", (long) IoUring.SETUP_CQE32);
        ours.put("IORING_SETUP_SINGLE_ISSUER", (long) IoUring.SETUP_SINGLE_ISSUER);
        ours.put("IORING_SETUP_DEFER_TASKRUN", (long) IoUring.SETUP_DEFER_TASKRUN);
        ours.put("IORING_FEAT_SINGLE_MMAP", (long) IoUring.FEAT_SINGLE_MMAP);
        ours.put("IORING_FEAT_NODROP", (long) IoUring.FEAT_NODROP);
        ours.put("IORING_FEAT_RW_CUR_POS", (long) IoUring.FEAT_RW_CUR_POS);
        ours.put("IORING_OFF_SQES", IoUring.OFF_SQES);
        ours.put("IORING_ENTER_GETEVENTS", (long) IoUring.ENTER_GETEVENTS);
        ours.put("IORING_ENTER_SQ_WAKEUP", (long) IoUring.ENTER_SQ_WAKEUP);
        ours.put("IORING_SQ_NEED_WAKEUP", (long) IoUring.SQ_NEED_WAKEUP);
        ours.put("IORING_SQ_CQ_OVERFLOW", (long) IoUring.SQ_CQ_OVERFLOW);
        ours.put("IORING_SQ_TASKRUN", (long) IoUring.SQ_TASKRUN);
        ours.put("IORING_UNREGISTER_BUFFERS", (long) IoUring.UNREGISTER_BUFFERS);
        ours.put("IORING_UNREGISTER_FILES", (long) IoUring.UNREGISTER_FILES);
        ours.put("IORING_REGISTER_FILES", (long) IoUring.REGISTER_FILES);
        ours.put("IORING_REGISTER_PROBE", (long) IoUring.REGISTER_PROBE);
        ours.put("IORING_REGISTER_ENABLE_RINGS", (long) IoUring.REGISTER_ENABLE_RINGS);
        ours.put("IORING_REGISTER_BUFFERS2", (long) IoUring.REGISTER_BUFFERS2);
        ours.put("IORING_REGISTER_BUFFERS_UPDATE", (long) IoUring.REGISTER_BUFFERS_UPDATE);
        ours.put("IORING_RSRC_REGISTER_SPARSE", (long) IoUring.RSRC_REGISTER_SPARSE);
        ours.put("sizeof(struct io_uring_rsrc_register)", (long) IoUring.RSRC_REGISTER_BYTES);
        ours.put("offsetof(struct io_uring_rsrc_register, flags)", (long) IoUring.RSRC_REGISTER_FLAGS);
        ours.put("sizeof(struct io_uring_rsrc_update2)", (long) IoUring.RSRC_UPDATE_BYTES);
        ours.put("offsetof(struct io_uring_rsrc_update2, data)", (long) IoUring.RSRC_UPDATE_DATA);
        ours.put("offsetof(struct io_uring_rsrc_update2, nr)", (long) IoUring.RSRC_UPDATE_NR);
        ours.put("sizeof(struct io_uring_probe)", (long) IoUring.PROBE_BYTES);
        ours.put("sizeof(struct io_uring_probe_op)", (long) IoUring.PROBE_OP_BYTES);
        ours.put("offsetof(struct io_uring_probe_op, flags)", (long) IoUring.PROBE_OP_FLAGS);
        ours.put("offsetof(struct io_uring_probe, last_op)", (long) IoUring.PROBE_LAST);
        ours.put("IO_URING_OP_SUPPORTED", (long) IoUring.OP_SUPPORTED);
        ours.put("sizeof(struct io_uring_sqe)", (long) IoUring.SQE_BYTES);
        ours.put("offsetof(struct io_uring_sqe, flags)", (long) IoUring.SQE_FLAGS);
        ours.put("offsetof(struct io_uring_sqe, fd)", (long) IoUring.SQE_FD);
        ours.put("offsetof(struct io_uring_sqe, off)", (long) IoUring.SQE_OFF);
        ours.put("offsetof(struct io_uring_sqe, cmd_op)", (long) IoUring.SQE_OFF);
        ours.put("offsetof(struct io_uring_sqe, addr)", (long) IoUring.SQE_ADDR);
        ours.put("offsetof(struct io_uring_sqe, len)", (long) IoUring.SQE_LEN);
        ours.put("offsetof(struct io_uring_sqe, uring_cmd_flags)", (long) IoUring.SQE_OP_FLAGS);
        ours.put("offsetof(struct io_uring_sqe, user_data)", (long) IoUring.SQE_USER_DATA);
        ours.put("offsetof(struct io_uring_sqe, buf_index)", (long) IoUring.SQE_BUF_INDEX);
        ours.put("offsetof(struct io_uring_sqe, cmd)", (long) IoUring.SQE_CMD);
        ours.put("IOSQE_FIXED_FILE", (long) IoUring.FIXED_FILE);
        ours.put("IORING_URING_CMD_FIXED", (long) IoUring.URING_CMD_FIXED);
        ours.put("IORING_OP_READ_FIXED", (long) IoUring.OP_READ_FIXED);
        ours.put("IORING_OP_WRITE_FIXED", (long) IoUring.OP_WRITE_FIXED);
        ours.put("IORING_OP_READ", (long) IoUring.OP_READ);
        ours.put("IORING_OP_WRITE", (long) IoUring.OP_WRITE);
        ours.put("IORING_OP_URING_CMD", (long) IoUring.OP_URING_CMD);
        ours.put("sizeof(struct io_uring_cqe)", (long) IoUring.CQE_BYTES);
        ours.put("offsetof(struct io_uring_cqe, res)", (long) IoUring.CQE_RES);
        ours.put("(int) NVME_URING_CMD_IO", (long) IoUring.NVME_URING_CMD_IO);
        ours.put("sizeof(struct nvme_uring_cmd)", (long) IoUring.NVME_CMD_BYTES);
        ours.put("offsetof(struct nvme_uring_cmd, nsid)", (long) IoUring.NVME_CMD_NSID);
        ours.put("offsetof(struct nvme_uring_cmd, addr)", (long) IoUring.NVME_CMD_ADDR);
        ours.put("offsetof(struct nvme_uring_cmd, data_len)", (long) IoUring.NVME_CMD_DATA_LEN);
        ours.put("offsetof(struct nvme_uring_cmd, cdw10)", (long) IoUring.NVME_CMD_CDW10);
        ours.put("offsetof(struct nvme_uring_cmd, cdw12)", (long) IoUring.NVME_CMD_CDW12);
    }

    private static void ublk(Map<String, Long> ours) {
        // The header of Linux 6.1 numbers commands; from 6.4 on they are encoded, which 6.12's calls UBLK_U_CMD_….
        ours.put("(int) _IOR('u', UBLK_CMD_GET_DEV_INFO, struct ublksrv_ctrl_cmd)", (long) Ublk.GET_DEV_INFO);
        ours.put("(int) _IOWR('u', UBLK_CMD_ADD_DEV, struct ublksrv_ctrl_cmd)", (long) Ublk.ADD_DEV);
        ours.put("(int) _IOWR('u', UBLK_CMD_DEL_DEV, struct ublksrv_ctrl_cmd)", (long) Ublk.DEL_DEV);
        ours.put("(int) _IOWR('u', UBLK_CMD_START_DEV, struct ublksrv_ctrl_cmd)", (long) Ublk.START_DEV);
        ours.put("(int) _IOWR('u', UBLK_CMD_STOP_DEV, struct ublksrv_ctrl_cmd)", (long) Ublk.STOP_DEV);
        ours.put("(int) _IOWR('u', UBLK_CMD_SET_PARAMS, struct ublksrv_ctrl_cmd)", (long) Ublk.SET_PARAMS);
        ours.put("(int) _IOR('u', UBLK_CMD_GET_PARAMS, struct ublksrv_ctrl_cmd)", (long) Ublk.GET_PARAMS);
        ours.put("(int) _IOWR('u', UBLK_CMD_START_USER_RECOVERY, struct ublksrv_ctrl_cmd)", (long)
                Ublk.START_USER_RECOVERY);
        ours.put(
                "(int) _IOWR('u', UBLK_CMD_END_USER_RECOVERY, struct ublksrv_ctrl_cmd)", (long) Ublk.END_USER_RECOVERY);
        ours.put("(int) _IOR('u', 0x13, struct ublksrv_ctrl_cmd)", (long) Ublk.GET_FEATURES);
        ours.put("(int) _IOWR('u', UBLK_IO_FETCH_REQ, struct ublksrv_io_cmd)", (long) Ublk.FETCH_REQ);
        ours.put("(int) _IOWR('u', UBLK_IO_COMMIT_AND_FETCH_REQ, struct ublksrv_io_cmd)", (long)
                Ublk.COMMIT_AND_FETCH_REQ);
        ours.put("sizeof(struct ublksrv_ctrl_cmd)", (long) Ublk.CTRL_BYTES);
        ours.put("offsetof(struct ublksrv_ctrl_cmd, dev_id)", (long) Ublk.CTRL_DEV_ID);
        ours.put("offsetof(struct ublksrv_ctrl_cmd, queue_id)", (long) Ublk.CTRL_QUEUE_ID);
        ours.put("offsetof(struct ublksrv_ctrl_cmd, len)", (long) Ublk.CTRL_LEN);
        ours.put("offsetof(struct ublksrv_ctrl_cmd, addr)", (long) Ublk.CTRL_ADDR);
        ours.put("offsetof(struct ublksrv_ctrl_cmd, data)", (long) Ublk.CTRL_DATA);
        ours.put("sizeof(struct ublksrv_ctrl_dev_info)", (long) Ublk.INFO_BYTES);
        ours.put("offsetof(struct ublksrv_ctrl_dev_info, nr_hw_queues)", (long) Ublk.INFO_QUEUES);
        ours.put("offsetof(struct ublksrv_ctrl_dev_info, queue_depth)", (long) Ublk.INFO_DEPTH);
        ours.put("offsetof(struct ublksrv_ctrl_dev_info, state)", (long) Ublk.INFO_STATE);
        ours.put("offsetof(struct ublksrv_ctrl_dev_info, max_io_buf_bytes)", (long) Ublk.INFO_MAX_IO_BYTES);
        ours.put("offsetof(struct ublksrv_ctrl_dev_info, dev_id)", (long) Ublk.INFO_DEV_ID);
        ours.put("offsetof(struct ublksrv_ctrl_dev_info, ublksrv_pid)", (long) Ublk.INFO_PID);
        ours.put("offsetof(struct ublksrv_ctrl_dev_info, flags)", (long) Ublk.INFO_FLAGS);
        ours.put("offsetof(struct ublksrv_ctrl_dev_info, ublksrv_flags)", (long) Ublk.INFO_SERVER_FLAGS);
        ours.put("UBLK_S_DEV_DEAD", (long) UblkInfo.DEAD);
        ours.put("UBLK_S_DEV_LIVE", (long) UblkInfo.LIVE);
        ours.put("UBLK_S_DEV_QUIESCED", (long) UblkInfo.QUIESCED);
        ours.put("UBLK_F_USER_RECOVERY", UblkInfo.USER_RECOVERY);
        ours.put("UBLK_F_USER_RECOVERY_REISSUE", UblkInfo.USER_RECOVERY_REISSUE);
        ours.put("offsetof(struct ublk_params, len)", (long) Ublk.PARAMS_LEN);
        ours.put("offsetof(struct ublk_params, types)", (long) Ublk.PARAMS_TYPES);
        ours.put("offsetof(struct ublk_params, basic)", (long) Ublk.PARAMS_BASIC);
        ours.put("offsetof(struct ublk_params, discard)", (long) Ublk.PARAMS_DISCARD);
        ours.put("(offsetof(struct ublk_params, discard) + sizeof(struct ublk_param_discard) + 7) & -8", (long)
                Ublk.PARAMS_BYTES);
        ours.put("offsetof(struct ublk_param_basic, attrs)", (long) Ublk.BASIC_ATTRS);
        ours.put("offsetof(struct ublk_param_basic, logical_bs_shift)", (long) Ublk.BASIC_LOGICAL_SHIFT);
        ours.put("offsetof(struct ublk_param_basic, physical_bs_shift)", (long) Ublk.BASIC_PHYSICAL_SHIFT);
        ours.put("offsetof(struct ublk_param_basic, io_opt_shift)", (long) Ublk.BASIC_IO_OPT_SHIFT);
        ours.put("offsetof(struct ublk_param_basic, io_min_shift)", (long) Ublk.BASIC_IO_MIN_SHIFT);
        ours.put("offsetof(struct ublk_param_basic, max_sectors)", (long) Ublk.BASIC_MAX_SECTORS);
        ours.put("offsetof(struct ublk_param_basic, dev_sectors)", (long) Ublk.BASIC_DEV_SECTORS);
        ours.put("offsetof(struct ublk_param_discard, discard_alignment)", (long) Ublk.DISCARD_ALIGNMENT);
        ours.put("offsetof(struct ublk_param_discard, discard_granularity)", (long) Ublk.DISCARD_GRANULARITY);
        ours.put("offsetof(struct ublk_param_discard, max_discard_sectors)", (long) Ublk.DISCARD_MAX_SECTORS);
        ours.put("offsetof(struct ublk_param_discard, max_write_zeroes_sectors)", (long)
                Ublk.DISCARD_MAX_ZEROES_SECTORS);
        ours.put("offsetof(struct ublk_param_discard, max_discard_segments)", (long) Ublk.DISCARD_MAX_SEGMENTS);
        ours.put("UBLK_PARAM_TYPE_BASIC", (long) Ublk.TYPE_BASIC);
        ours.put("UBLK_PARAM_TYPE_DISCARD", (long) Ublk.TYPE_DISCARD);
        ours.put("UBLK_ATTR_READ_ONLY", (long) UblkParameters.READ_ONLY);
        ours.put("UBLK_ATTR_VOLATILE_CACHE", (long) UblkParameters.VOLATILE_CACHE);
        ours.put("UBLK_ATTR_FUA", (long) UblkParameters.FUA);
        ours.put("sizeof(struct ublksrv_io_desc)", (long) Ublk.DESC_BYTES);
        ours.put("offsetof(struct ublksrv_io_desc, op_flags)", (long) Ublk.DESC_OP_FLAGS);
        ours.put("offsetof(struct ublksrv_io_desc, nr_sectors)", (long) Ublk.DESC_SECTORS);
        ours.put("offsetof(struct ublksrv_io_desc, start_sector)", (long) Ublk.DESC_START);
        ours.put("sizeof(struct ublksrv_io_cmd)", (long) Ublk.IO_BYTES);
        ours.put("offsetof(struct ublksrv_io_cmd, q_id)", (long) Ublk.IO_QUEUE);
        ours.put("offsetof(struct ublksrv_io_cmd, tag)", (long) Ublk.IO_TAG);
        ours.put("offsetof(struct ublksrv_io_cmd, result)", (long) Ublk.IO_RESULT);
        ours.put("offsetof(struct ublksrv_io_cmd, addr)", (long) Ublk.IO_ADDR);
        ours.put("UBLK_MAX_QUEUE_DEPTH", (long) Ublk.MAX_DEPTH);
        ours.put("UBLK_IO_RES_OK", (long) Ublk.RES_OK);
        ours.put("UBLK_IO_OP_READ", (long) UblkQueue.READ);
        ours.put("UBLK_IO_OP_WRITE", (long) UblkQueue.WRITE);
        ours.put("UBLK_IO_OP_FLUSH", (long) UblkQueue.FLUSH);
        ours.put("UBLK_IO_OP_DISCARD", (long) UblkQueue.DISCARD);
        ours.put("UBLK_IO_OP_WRITE_ZEROES", (long) UblkQueue.WRITE_ZEROES);
        ours.put("UBLK_IO_F_FUA", (long) UblkQueue.FUA);
        ours.put("UBLK_IO_F_NOUNMAP", (long) UblkQueue.NO_UNMAP);
        ours.put("PR_SET_IO_FLUSHER", (long) Libc.PR_SET_IO_FLUSHER);
        ours.put("IORING_ENTER_EXT_ARG", (long) IoUring.ENTER_EXT_ARG);
        ours.put("IORING_FEAT_EXT_ARG", (long) IoUring.FEAT_EXT_ARG);
        ours.put("sizeof(struct io_uring_getevents_arg)", (long) IoUring.GETEVENTS_ARG_BYTES);
        ours.put("offsetof(struct io_uring_getevents_arg, ts)", (long) IoUring.GETEVENTS_ARG_TS);
        ours.put("IORING_OP_POLL_ADD", (long) IoUring.OP_POLL_ADD);
        ours.put("offsetof(struct io_uring_sqe, poll32_events)", (long) IoUring.SQE_OP_FLAGS);
    }

    /** Of the kernel's driver and of this project's module. */
    private static Map<String, Long> dmaBufs() {
        Map<String, Long> ours = new LinkedHashMap<>();
        ours.put("UDMABUF_CREATE", Udmabuf.UDMABUF_CREATE);
        ours.put("UDMABUF_FLAGS_CLOEXEC", (long) Udmabuf.UDMABUF_FLAGS_CLOEXEC);
        ours.put("sizeof(struct udmabuf_create)", (long) Udmabuf.BYTES);
        ours.put("offsetof(struct udmabuf_create, memfd)", (long) Udmabuf.MEMFD);
        ours.put("offsetof(struct udmabuf_create, flags)", (long) Udmabuf.FLAGS);
        ours.put("offsetof(struct udmabuf_create, offset)", (long) Udmabuf.OFFSET);
        ours.put("offsetof(struct udmabuf_create, size)", (long) Udmabuf.SIZE);
        ours.put("UDMABUF_IMPORT_ATTACH", UdmabufImport.UDMABUF_IMPORT_ATTACH);
        ours.put("UDMABUF_IMPORT_DETACH", UdmabufImport.UDMABUF_IMPORT_DETACH);
        ours.put("UDMABUF_IMPORT_GET_MAP", UdmabufImport.UDMABUF_IMPORT_GET_MAP);
        ours.put("UDMABUF_IMPORT_MAX_SEGMENTS", (long) UdmabufImport.MOST_RUNS);
        ours.put("sizeof(struct udmabuf_import_attach)", (long) UdmabufImport.ATTACH_BYTES);
        ours.put("offsetof(struct udmabuf_import_attach, fd)", (long) UdmabufImport.ATTACH_FD);
        ours.put("offsetof(struct udmabuf_import_attach, domain)", (long) UdmabufImport.ATTACH_DOMAIN);
        ours.put("offsetof(struct udmabuf_import_attach, bus)", (long) UdmabufImport.ATTACH_BUS);
        ours.put("offsetof(struct udmabuf_import_attach, device)", (long) UdmabufImport.ATTACH_DEVICE);
        ours.put("offsetof(struct udmabuf_import_attach, function)", (long) UdmabufImport.ATTACH_FUNCTION);
        ours.put("offsetof(struct udmabuf_import_attach, dma_bits)", (long) UdmabufImport.ATTACH_DMA_BITS);
        ours.put("offsetof(struct udmabuf_import_attach, handle)", (long) UdmabufImport.ATTACH_HANDLE);
        ours.put("offsetof(struct udmabuf_import_attach, count)", (long) UdmabufImport.ATTACH_COUNT);
        ours.put("offsetof(struct udmabuf_import_attach, size)", (long) UdmabufImport.ATTACH_SIZE);
        ours.put("sizeof(struct udmabuf_import_get_map)", (long) UdmabufImport.GET_MAP_BYTES);
        ours.put("offsetof(struct udmabuf_import_get_map, handle)", (long) UdmabufImport.GET_MAP_HANDLE);
        ours.put("offsetof(struct udmabuf_import_get_map, first)", (long) UdmabufImport.GET_MAP_FIRST);
        ours.put("offsetof(struct udmabuf_import_get_map, count)", (long) UdmabufImport.GET_MAP_COUNT);
        ours.put("offsetof(struct udmabuf_import_get_map, segments)", (long) UdmabufImport.GET_MAP_SEGMENTS);
        ours.put("sizeof(struct udmabuf_import_segment)", (long) UdmabufImport.PAIR);
        ours.put("offsetof(struct udmabuf_import_segment, length)", 8L);
        return ours;
    }

    @Test
    void everyRequestAndOffsetIsTheHeaders() throws Exception {
        requireCompiler();
        compare(
                ours(),
                "<linux/vfio.h>",
                "<linux/nvme_ioctl.h>",
                "<linux/io_uring.h>",
                "<linux/ublk_cmd.h>",
                "<linux/prctl.h>");
    }

    @Test
    void whatIsAskedOfDmaBufsIsTheHeaders() throws Exception {
        requireCompiler();
        Path header = Path.of("../kmod/udmabuf-import/udmabuf_import.h").toAbsolutePath();
        assumeTrue(Files.exists(header), "needs the sources of the kernel module (kmod/udmabuf-import)");
        compare(dmaBufs(), "<linux/udmabuf.h>", '"' + header.toString() + '"');
    }

    private static void requireCompiler() {
        assumeTrue(Files.exists(HEADER), "needs the kernel's headers (apt-get install linux-libc-dev)");
        assumeTrue(Files.exists(Path.of("/usr/bin/cc")), "needs a C compiler (apt-get install gcc)");
    }

    private void compare(Map<String, Long> ours, String... headers) throws Exception {
        StringBuilder source = new StringBuilder("#include <stddef.h>\n#include <stdio.h>\n");
        for (String header : headers) {
            source.append("#include ").append(header).append('\n');
        }
        source.append("int main(void) {\n");
        List<String> expressions = new ArrayList<>(ours.keySet());
        for (String expression : expressions) {
            source.append("printf(\"%ld\\n\", (long)(").append(expression).append("));\n");
        }
        Path c = Files.writeString(folder.resolve("header.c"), source.append("return 0;\n}\n"));
        Path program = folder.resolve("header");
        Process compiler = new ProcessBuilder("cc", "-o", program.toString(), c.toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(compiler.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertThat(compiler.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(compiler.exitValue()).as(said).isZero();
        List<String> values = new ProcessBuilder(program.toString())
                .start()
                .inputReader()
                .lines()
                .toList();
        Map<String, Long> header = new LinkedHashMap<>();
        for (int i = 0; i < expressions.size(); i++) {
            header.put(expressions.get(i), Long.parseLong(values.get(i)));
        }

        assertThat(ours).isEqualTo(header);
    }
}
