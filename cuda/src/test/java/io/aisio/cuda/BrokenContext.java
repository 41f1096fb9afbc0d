package io.aisio.cuda;

/** A program whose kernel goes wrong, in a process of its own: what it prints is what {@link BrokenContextGpuTest} expects. */
final class BrokenContext {
    private BrokenContext() {}

    public static void main(String[] arguments) throws CudaException {
        Gpu gpu = Gpu.open(0);
        GpuMemory memory = gpu.allocate(1);
        GpuStream stream = gpu.openStream();
        GpuModule module = gpu.compile("wrong.cu", "extern \"C\" __global__ void wrong(int *p) { *p = 1; }");
        Resident resident = gpu.resident();
        GpuMemory putOff = gpu.allocate(1);
        putOff.close();
        stream.launch(module.kernel("wrong"), 1, 1, 0, 16L);
        try {
            stream.synchronize();
            System.out.println("no exception");
        } catch (CudaException e) {
            System.out.println("first: " + e.getMessage());
        }
        try {
            memory.fill((byte) 1);
            System.out.println("no exception");
        } catch (CudaException e) {
            System.out.println("then: " + e.getMessage());
        }
        try {
            gpu.allocate(1);
            System.out.println("no exception");
        } catch (CudaException e) {
            System.out.println("code: " + e.code() + " " + e.name());
        }
        resident.close();
        stream.close();
        memory.close();
        module.close();
        gpu.close();
        System.out.println("closed");
    }
}
