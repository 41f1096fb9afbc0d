package io.aisio.cuda;

import io.aisio.upcie.PciAddress;
import io.aisio.upcie.PciBus;
import io.aisio.upcie.PciDevice;
import java.io.IOException;

/**
 * What a GPU is, told without starting anything on it.
 *
 * @param id by which {@link Gpu#open} opens it
 * @param name its product name, such as {@code NVIDIA H100 80GB HBM3}
 * @param architecture what code for it is compiled for, such as {@code sm_90}
 * @param multiprocessors how many it has
 * @param memoryBytes all of its memory
 * @param address where it is on PCI
 * @param exportsDmaBuf whether its memory can be shared with other devices as a dma-buf
 */
public record GpuDescription(
        int id,
        String name,
        String architecture,
        int multiprocessors,
        long memoryBytes,
        PciAddress address,
        boolean exportsDmaBuf) {

    static GpuDescription of(CudaDriver driver, int id) throws CudaException {
        int device = driver.device(id);
        return new GpuDescription(
                id,
                driver.deviceName(device),
                "sm_" + driver.deviceAttribute(CudaDriver.COMPUTE_CAPABILITY_MAJOR, device)
                        + driver.deviceAttribute(CudaDriver.COMPUTE_CAPABILITY_MINOR, device),
                driver.deviceAttribute(CudaDriver.MULTIPROCESSOR_COUNT, device),
                driver.deviceTotalMem(device),
                PciAddress.parse(driver.devicePciBusId(device)),
                driver.deviceAttribute(CudaDriver.DMA_BUF_SUPPORTED, device) != 0);
    }

    /** What other devices on PCIe see of its memory at once (its BAR 1), in bytes; 0 if that is not known. */
    public long barBytes() {
        try {
            return barBytes(new PciBus().device(address));
        } catch (IOException _) {
            return 0;
        }
    }

    /**
     * What NVIDIA calls BAR 1: the second memory that a GPU decodes. Its index is 1, or 2 where the registers before it
     * take two as well (Hopper).
     *
     * @return its size in bytes; 0 if it has none
     */
    public static long barBytes(PciDevice gpu) {
        PciDevice.Region registers = gpu.region(0);
        PciDevice.Region memory = gpu.region(registers != null && registers.wide() ? 2 : 1);
        return memory == null || !memory.memory() ? 0 : memory.size();
    }
}
