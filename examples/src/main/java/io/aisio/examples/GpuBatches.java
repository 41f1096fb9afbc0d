package io.aisio.examples;

import io.aisio.cuda.Cuda;
import io.aisio.cuda.Gpu;
import io.aisio.cuda.GpuMemory;
import io.aisio.cuda.GpuModule;
import io.aisio.cuda.GpuStream;
import io.aisio.cuda.Kernel;
import io.aisio.fil.Batch;
import io.aisio.fil.BatchReader;
import io.aisio.fil.Dataset;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** A loader whose batches come to lie in the memory of a GPU, where a kernel of its own adds up each one's bytes. */
final class GpuBatches {
    private static final String SUM = """
            extern "C" __global__ void sum(const unsigned char* file, unsigned long long bytes, unsigned long long* into) {
                unsigned long long mine = 0;
                for (unsigned long long i = threadIdx.x; i < bytes; i += blockDim.x) mine += file[i];
                atomicAdd(into, mine);
            }
            """;

    private GpuBatches() {}

    public static void main(String[] arguments) throws IOException {
        String missing = Cuda.missing();
        if (missing != null) {
            System.out.println("no GPU: " + missing);
            return;
        }
        // What kernels need is had first: aisio-gpu has a kernel of its own run all the time.
        try (Gpu gpu = Gpu.open(0);
                GpuModule module = gpu.compile("sum.cu", SUM);
                GpuStream stream = gpu.openStream();
                GpuMemory sum = gpu.allocate(Long.BYTES);
                Dataset data =
                        Dataset.at(arguments[0]).backend(arguments[1]).into(gpu).open();
                BatchReader batches = data.batches(64).shuffle(42).epochs(2).open()) {
            Kernel kernel = module.kernel("sum");
            System.out.println(data.files() + " files by " + data.path());
            for (Batch batch : batches) {
                stream.fill(sum, 0, Long.BYTES, (byte) 0);
                for (int i = 0; i < batch.size(); i++) {
                    stream.launch(kernel, 1, 256, 0, batch.address(i), batch.length(i), sum);
                }
                // The batch's memory is used until then.
                stream.synchronize();
                long[] told = new long[1];
                sum.read(0, MemorySegment.ofArray(told));
                System.out.println("epoch %d, batch %d: %d files, %d bytes, sum %d"
                        .formatted(batch.epoch(), batch.number(), batch.size(), batch.bytes(), told[0]));
            }
        }
    }
}
