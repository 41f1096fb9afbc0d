// Controller and driver in one launch, for compute-sanitizer, which runs launches one after another: the first blocks are the
// controller's, the others keep its queue pairs full.
//
//   nvcc -std=c++17 -I ../../main/resources/io/aisio/cuda/kernels -o sanitize sanitize.cu
//   compute-sanitizer --tool memcheck ./sanitize [block|warp] [BYTES] [sliding|lockstep] [null|memory]
//
// Prints what was done; exits with 1 if a command failed or a driver gave up.
#include <resident.cu>
#include <run.cu>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

using namespace aisio;

#define QUEUES 2u

static __global__ void __launch_bounds__(64) both(const ResidentParameters* controller, const RunParameters* driver, bool moves, u32* left) {
    __shared__ union {
        ServeRoom serve;
        Block::Room block;
        Warp::Room warp;
    } room;
    __shared__ u32 halt;
    if (blockIdx.x < QUEUES) {
        if (moves) {
            reside<true>(controller, room.serve);
        } else {
            reside<false>(controller, room.serve);
        }
        return;
    }
    if (blockDim.x == 32) {
        run<Warp>(driver, blockIdx.x - QUEUES, room.warp, &halt);
    } else {
        run<Block>(driver, blockIdx.x - QUEUES, room.block, &halt);
    }
    __syncthreads();
    if (threadIdx.x == 0 && atomicSub(left, 1) == 1) {
        storeRelease((u32*)controller->stop, 1, false);
    }
}

static void check(cudaError_t error, const char* what) {
    if (error != cudaSuccess) {
        printf("%s: %s\n", what, cudaGetErrorString(error));
        exit(1);
    }
}
#define CHECK(call) check(call, #call)

static u64 device(u64 bytes) {
    void* at;
    CHECK(cudaMalloc(&at, bytes));
    CHECK(cudaMemset(at, 0, bytes));
    return (u64)at;
}

template <class T>
static T* copy(const T& value) {
    T* at = (T*)device(sizeof(T));
    CHECK(cudaMemcpy(at, &value, sizeof(T), cudaMemcpyHostToDevice));
    return at;
}

int main(int argc, char** argv) {
    bool warp = argc > 1 && std::string(argv[1]) == "warp";
    u32 bytes = argc > 2 ? atoi(argv[2]) : 16384;
    bool lockstep = argc > 3 && std::string(argv[3]) == "lockstep";
    bool moves = argc <= 4 || std::string(argv[4]) != "null";
    u32 slots = warp ? 32 : 64;
    u32 entries = slots + 1;
    u64 stride = (bytes + 4095) & ~4095ull;
    u64 pages = stride / 4096;
    u64 mediaBytes = 16 << 20;
    u64 media = moves ? device(mediaBytes) : 0;
    u64 buffers = device(QUEUES * slots * stride);
    u64 lists = device(QUEUES * slots * 4096ull);
    std::vector<Data> data(QUEUES * slots);
    std::vector<u64> list(512);
    for (u64 slot = 0; slot < QUEUES * slots; slot++) {
        u64 at = buffers + slot * stride;
        for (u64 page = 1; page < pages; page++) {
            list[page - 1] = at + page * 4096;
        }
        CHECK(cudaMemcpy((void*)(lists + slot * 4096), list.data(), 4096, cudaMemcpyHostToDevice));
        data[slot] = {at, pages == 1 ? 0 : pages == 2 ? at + 4096 : lists + slot * 4096};
    }
    u64 entriesAt = device(data.size() * sizeof(Data));
    CHECK(cudaMemcpy((void*)entriesAt, data.data(), data.size() * sizeof(Data), cudaMemcpyHostToDevice));
    Reach reach = {};
    reach.count = 2;
    reach.begin[0] = buffers;
    reach.end[0] = buffers + QUEUES * slots * stride;
    reach.begin[1] = lists;
    reach.end[1] = lists + QUEUES * slots * 4096ull;
    Serve* control;
    CHECK(cudaHostAlloc(&control, QUEUES * sizeof(Serve), cudaHostAllocMapped));
    memset(control, 0, QUEUES * sizeof(Serve));
    u32* words;
    CHECK(cudaHostAlloc(&words, 64, cudaHostAllocMapped));
    memset(words, 0, 64);
    std::vector<u64> addresses;
    for (u32 i = 0; i < QUEUES; i++) {
        Queue queue = {};
        queue.submission = device(entries * 64);
        queue.completion = device(entries * 16);
        queue.tailDoorbell = device(128);
        queue.headDoorbell = device(128);
        queue.entries = entries;
        queue.id = i + 1;
        queue.flags = AISIO_LOCAL;
        queue.nsid = 1;
        queue.deadline = ~0ull >> 1;
        queue.phase = 1;
        control[i].submission = queue.submission;
        control[i].completion = queue.completion;
        control[i].tailDoorbell = queue.tailDoorbell;
        control[i].headDoorbell = queue.headDoorbell;
        control[i].entries = entries;
        control[i].id = i + 1;
        control[i].command = 1;
        addresses.push_back((u64)copy(queue));
    }
    u64 queues = device(8 * QUEUES);
    CHECK(cudaMemcpy((void*)queues, addresses.data(), 8 * QUEUES, cudaMemcpyHostToDevice));
    ResidentParameters controller = {};
    controller.control = (u64)control;
    controller.stop = (u64)words;
    controller.media = media;
    controller.reach = (u64)copy(reach);
    controller.lbas = mediaBytes / 512;
    controller.seed = 1;
    controller.faultLba = ~0ull;
    controller.shift = 9;
    controller.maxBlocks = 2048;
    RunParameters driver = {};
    driver.queues = queues;
    driver.data = entriesAt;
    driver.results = device(QUEUES * sizeof(RunResult));
    driver.stop = (u64)(words + 8);
    driver.ios = mediaBytes / bytes;
    driver.seed = 7;
    driver.most = 1000;
    driver.nanos = ~0ull >> 1;
    driver.count = QUEUES;
    driver.slots = slots;
    driver.blocks = bytes / 512;
    driver.readPercent = 50;
    driver.random = 1;
    driver.lockstep = lockstep;
    both<<<2 * QUEUES, slots>>>(copy(controller), copy(driver), moves, copy(QUEUES));
    CHECK(cudaGetLastError());
    CHECK(cudaDeviceSynchronize());
    RunResult results[QUEUES];
    CHECK(cudaMemcpy(results, (void*)driver.results, sizeof(results), cudaMemcpyDeviceToHost));
    bool good = true;
    for (RunResult& r : results) {
        printf("%llu commands, %llu failed, stopped %u\n", r.completed, r.failed, r.stopped);
        good = good && r.completed == driver.most && r.failed == 0 && r.stopped == AISIO_RUNNING;
    }
    return good ? 0 : 1;
}
