package io.aisio.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Our constants and offsets against NVIDIA's headers: the C compiler prints what it makes of them. */
class CudaHeaderTest {
    private static final Path INCLUDE = Path.of("/usr/local/cuda/include");

    @TempDir
    Path folder;

    @Test
    void constantsOfTheDriverAreThoseOfCudaH() throws IOException, InterruptedException {
        Map<String, Long> ours = new LinkedHashMap<>();
        ours.put("CUDA_ERROR_INVALID_VALUE", (long) CudaDriver.INVALID_VALUE);
        ours.put("CUDA_ERROR_OUT_OF_MEMORY", (long) CudaDriver.OUT_OF_MEMORY);
        ours.put("CUDA_ERROR_STUB_LIBRARY", (long) CudaDriver.STUB_LIBRARY);
        ours.put("CUDA_ERROR_DEVICE_UNAVAILABLE", (long) CudaDriver.DEVICE_UNAVAILABLE);
        ours.put("CUDA_ERROR_NO_DEVICE", (long) CudaDriver.NO_DEVICE);
        ours.put("CUDA_ERROR_INVALID_DEVICE", (long) CudaDriver.INVALID_DEVICE);
        ours.put("CUDA_ERROR_NO_BINARY_FOR_GPU", (long) CudaDriver.NO_BINARY_FOR_GPU);
        ours.put("CUDA_ERROR_ECC_UNCORRECTABLE", (long) CudaDriver.ECC_UNCORRECTABLE);
        ours.put("CUDA_ERROR_NVLINK_UNCORRECTABLE", (long) CudaDriver.NVLINK_UNCORRECTABLE);
        ours.put("CUDA_ERROR_JIT_COMPILER_NOT_FOUND", (long) CudaDriver.JIT_COMPILER_NOT_FOUND);
        ours.put("CUDA_ERROR_UNSUPPORTED_PTX_VERSION", (long) CudaDriver.UNSUPPORTED_PTX_VERSION);
        ours.put("CUDA_ERROR_CONTAINED", (long) CudaDriver.CONTAINED);
        ours.put("CUDA_ERROR_OPERATING_SYSTEM", (long) CudaDriver.OPERATING_SYSTEM);
        ours.put("CUDA_ERROR_NOT_FOUND", (long) CudaDriver.NOT_FOUND);
        ours.put("CUDA_ERROR_NOT_READY", (long) CudaDriver.NOT_READY);
        ours.put("CUDA_ERROR_ILLEGAL_ADDRESS", (long) CudaDriver.ILLEGAL_ADDRESS);
        ours.put("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", (long) CudaDriver.LAUNCH_OUT_OF_RESOURCES);
        ours.put("CUDA_ERROR_LAUNCH_TIMEOUT", (long) CudaDriver.LAUNCH_TIMEOUT);
        ours.put("CUDA_ERROR_ASSERT", (long) CudaDriver.ASSERT);
        ours.put("CUDA_ERROR_HARDWARE_STACK_ERROR", (long) CudaDriver.HARDWARE_STACK_ERROR);
        ours.put("CUDA_ERROR_ILLEGAL_INSTRUCTION", (long) CudaDriver.ILLEGAL_INSTRUCTION);
        ours.put("CUDA_ERROR_MISALIGNED_ADDRESS", (long) CudaDriver.MISALIGNED_ADDRESS);
        ours.put("CUDA_ERROR_INVALID_ADDRESS_SPACE", (long) CudaDriver.INVALID_ADDRESS_SPACE);
        ours.put("CUDA_ERROR_INVALID_PC", (long) CudaDriver.INVALID_PC);
        ours.put("CUDA_ERROR_LAUNCH_FAILED", (long) CudaDriver.LAUNCH_FAILED);
        ours.put("CUDA_ERROR_TENSOR_MEMORY_LEAK", (long) CudaDriver.TENSOR_MEMORY_LEAK);
        ours.put("CUDA_ERROR_NOT_PERMITTED", (long) CudaDriver.NOT_PERMITTED);
        ours.put("CUDA_ERROR_SYSTEM_NOT_READY", (long) CudaDriver.SYSTEM_NOT_READY);
        ours.put("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", (long) CudaDriver.SYSTEM_DRIVER_MISMATCH);
        ours.put("CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", (long) CudaDriver.COMPAT_NOT_SUPPORTED);
        ours.put("CUDA_ERROR_EXTERNAL_DEVICE", (long) CudaDriver.EXTERNAL_DEVICE);
        String attribute = "CU_DEVICE_ATTRIBUTE_";
        ours.put(attribute + "MAX_THREADS_PER_BLOCK", (long) CudaDriver.MAX_THREADS_PER_BLOCK);
        ours.put(attribute + "MULTIPROCESSOR_COUNT", (long) CudaDriver.MULTIPROCESSOR_COUNT);
        ours.put(attribute + "COMPUTE_CAPABILITY_MAJOR", (long) CudaDriver.COMPUTE_CAPABILITY_MAJOR);
        ours.put(attribute + "COMPUTE_CAPABILITY_MINOR", (long) CudaDriver.COMPUTE_CAPABILITY_MINOR);
        ours.put(attribute + "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN", (long) CudaDriver.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
        ours.put(attribute + "DMA_BUF_SUPPORTED", (long) CudaDriver.DMA_BUF_SUPPORTED);
        String function = "CU_FUNC_ATTRIBUTE_";
        ours.put(function + "MAX_THREADS_PER_BLOCK", (long) CudaDriver.FUNC_MAX_THREADS_PER_BLOCK);
        ours.put(function + "SHARED_SIZE_BYTES", (long) CudaDriver.FUNC_SHARED_SIZE_BYTES);
        ours.put(function + "NUM_REGS", (long) CudaDriver.FUNC_NUM_REGS);
        ours.put(function + "MAX_DYNAMIC_SHARED_SIZE_BYTES", (long) CudaDriver.FUNC_MAX_DYNAMIC_SHARED_SIZE_BYTES);
        ours.put("CU_MEMHOSTALLOC_PORTABLE", (long) CudaDriver.MEMHOSTALLOC_PORTABLE);
        ours.put("CU_MEMHOSTALLOC_DEVICEMAP", (long) CudaDriver.MEMHOSTALLOC_DEVICEMAP);
        ours.put("CU_MEMHOSTREGISTER_PORTABLE", (long) CudaDriver.MEMHOSTREGISTER_PORTABLE);
        ours.put("CU_MEMHOSTREGISTER_DEVICEMAP", (long) CudaDriver.MEMHOSTREGISTER_DEVICEMAP);
        ours.put("CU_MEMHOSTREGISTER_IOMEMORY", (long) CudaDriver.MEMHOSTREGISTER_IOMEMORY);
        ours.put("CU_STREAM_NON_BLOCKING", (long) CudaDriver.STREAM_NON_BLOCKING);
        ours.put("CU_EVENT_BLOCKING_SYNC", (long) CudaDriver.EVENT_BLOCKING_SYNC);
        ours.put("CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD", (long) CudaDriver.MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD);
        ours.put("CU_JIT_INFO_LOG_BUFFER", (long) CudaDriver.JIT_INFO_LOG_BUFFER);
        ours.put("CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES", (long) CudaDriver.JIT_INFO_LOG_BUFFER_SIZE_BYTES);
        ours.put("CU_JIT_ERROR_LOG_BUFFER", (long) CudaDriver.JIT_ERROR_LOG_BUFFER);
        ours.put("CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES", (long) CudaDriver.JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
        ours.put("sizeof(CUdeviceptr)", (long) Long.BYTES);
        ours.put("sizeof(CUjit_option)", (long) Integer.BYTES);
        ours.put("sizeof(CUdevice)", (long) Integer.BYTES);
        assertThat(compiled("cuda.h", ours)).isEqualTo(ours);
    }

    @Test
    void structuresOfCuFileAreThoseOfCufileH() throws IOException, InterruptedException {
        Map<String, Long> ours = new LinkedHashMap<>();
        ours.put("sizeof(CUfileError_t)", (long) Long.BYTES);
        ours.put("sizeof(CUfileDescr_t)", CuFileLibrary.DESCR_BYTES);
        ours.put("offsetof(CUfileDescr_t, type)", CuFileLibrary.DESCR_TYPE);
        ours.put("offsetof(CUfileDescr_t, handle)", CuFileLibrary.DESCR_FD);
        ours.put("CU_FILE_HANDLE_TYPE_OPAQUE_FD", (long) CuFileLibrary.TYPE_OPAQUE_FD);
        ours.put("sizeof(CUfileDrvProps_t)", CuFileLibrary.PROPS_BYTES);
        ours.put("offsetof(CUfileDrvProps_t, nvfs.major_version)", CuFileLibrary.PROPS_NVFS_MAJOR);
        ours.put("offsetof(CUfileDrvProps_t, nvfs.minor_version)", CuFileLibrary.PROPS_NVFS_MINOR);
        ours.put("offsetof(CUfileDrvProps_t, max_batch_io_size)", CuFileLibrary.PROPS_MAX_BATCH_IO_SIZE);
        ours.put("sizeof(CUfileIOParams_t)", CuFileLibrary.PARAMS_BYTES);
        ours.put("offsetof(CUfileIOParams_t, mode)", CuFileLibrary.PARAMS_MODE);
        ours.put("offsetof(CUfileIOParams_t, u.batch.devPtr_base)", CuFileLibrary.PARAMS_BASE);
        ours.put("offsetof(CUfileIOParams_t, u.batch.file_offset)", CuFileLibrary.PARAMS_FILE_OFFSET);
        ours.put("offsetof(CUfileIOParams_t, u.batch.devPtr_offset)", CuFileLibrary.PARAMS_DEVICE_OFFSET);
        ours.put("offsetof(CUfileIOParams_t, u.batch.size)", CuFileLibrary.PARAMS_SIZE);
        ours.put("offsetof(CUfileIOParams_t, fh)", CuFileLibrary.PARAMS_HANDLE);
        ours.put("offsetof(CUfileIOParams_t, opcode)", CuFileLibrary.PARAMS_OPCODE);
        ours.put("offsetof(CUfileIOParams_t, cookie)", CuFileLibrary.PARAMS_COOKIE);
        ours.put("CUFILE_BATCH", (long) CuFileLibrary.MODE_BATCH);
        ours.put("CUFILE_READ", (long) CuFileLibrary.OPCODE_READ);
        ours.put("CUFILE_WRITE", (long) CuFileLibrary.OPCODE_WRITE);
        ours.put("sizeof(CUfileIOEvents_t)", CuFileLibrary.EVENTS_BYTES);
        ours.put("offsetof(CUfileIOEvents_t, cookie)", CuFileLibrary.EVENTS_COOKIE);
        ours.put("offsetof(CUfileIOEvents_t, status)", CuFileLibrary.EVENTS_STATUS);
        ours.put("offsetof(CUfileIOEvents_t, ret)", CuFileLibrary.EVENTS_RET);
        ours.put("CUFILE_COMPLETE", (long) CuFileLibrary.STATUS_COMPLETE);
        ours.put("CU_FILE_HANDLE_NOT_REGISTERED", (long) CuFileLibrary.HANDLE_NOT_REGISTERED);
        assertThat(compiled("cufile.h", ours)).isEqualTo(ours);
    }

    private Map<String, Long> compiled(String header, Map<String, Long> ours) throws IOException, InterruptedException {
        assumeTrue(Files.exists(INCLUDE.resolve(header)), "needs " + header + " (the CUDA toolkit)");
        assumeTrue(Files.exists(Path.of("/usr/bin/cc")), "needs a C compiler (apt-get install gcc)");
        StringBuilder program = new StringBuilder(
                "#include <stddef.h>\n#include <stdio.h>\n#include <" + header + ">\nint main(void) {\n");
        ours.keySet()
                .forEach(expression -> program.append("printf(\"%lld\\n\", (long long) (")
                        .append(expression)
                        .append("));\n"));
        Path source = Files.writeString(folder.resolve("ours.c"), program.append("return 0;\n}\n"));
        Path binary = folder.resolve("ours");
        run("cc", "-w", "-I", INCLUDE.toString(), "-o", binary.toString(), source.toString());
        List<String> lines = new ArrayList<>(run(binary.toString()).lines().toList());
        Map<String, Long> theirs = new LinkedHashMap<>();
        ours.keySet().forEach(expression -> theirs.put(expression, Long.parseLong(lines.removeFirst())));
        return theirs;
    }

    private static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as("%s: %s", command[0], said).isZero();
        return said;
    }
}
