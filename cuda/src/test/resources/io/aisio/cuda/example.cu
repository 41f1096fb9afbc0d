#include <aisio/nvme.cuh>

extern "C" __global__ void readAll(aisio::Queue* queue, const aisio::u64* prps, aisio::u64 n, aisio::u32* failed) {
    __shared__ aisio::Block::Room room;
    aisio::Driver<aisio::Block> driver(queue, room);
    aisio::Command command = {2 /* Read */, 8, 0, prps[2 * threadIdx.x], prps[2 * threadIdx.x + 1]};
    aisio::u64 next = threadIdx.x;
    do {
        bool want = driver.idle() && next < n;
        if (want) {
            command.lba = 8 * next;
            next += blockDim.x;
        }
        int status = driver.turn(want, command);  // all threads of the block together
        if (status == 0) {
            driver.acquire();
            // the data of this thread's command is there
        } else if (status > 0) {
            atomicAdd(failed, 1);
        }
    } while (driver.group.any(!driver.idle() || next < n) && !driver.stopped());
    driver.end();
}
