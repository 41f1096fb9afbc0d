// Keeps queue pairs full for a while, and counts: what `xnvmeperf cuda-run` launches.
#include <aisio/nvme.cuh>

namespace aisio {

#define AISIO_BUCKETS 1024u  // of latencies: 16 to each power of two of clock cycles

// Where the data of a slot goes (PRP entry 1 and 2), made on the host.
struct Data {
    u64 prp1;
    u64 prp2;
};

struct RunParameters {
    u64 queues;       // addresses of Queues, u64[count]
    u64 data;         // Data[count][slots]
    u64 results;      // RunResult[count]
    u64 stop;         // a word that the host sets to end early
    u64 histogram;    // u64[AISIO_BUCKETS]; 0 if none is wanted
    u64 ios;          // I/Os that fit the device
    u64 seed;
    u64 most;         // I/Os of a queue after which it ends; 0: no limit
    u64 nanos;        // after which all end
    u32 count;        // queues
    u32 slots;        // of each
    u32 blocks;       // logical blocks of an I/O
    u32 readPercent;
    u32 random;       // 1: random I/Os; 0: one after another, each queue its part of the device
    u32 lockstep;     // 1: rounds
};

struct RunResult {
    u64 completed;    // with success
    u64 failed;
    u64 begin;        // globaltimer, in nanoseconds
    u64 end;
    u64 cycles;       // clock cycles between the two
    u64 turns;
    u64 failedLba;    // of one that failed
    u32 failedStatus; // and its status; 0 if none failed
    u32 stopped;      // why the driver gave up, AISIO_RUNNING if it did not
};

__device__ __forceinline__ u64 now() {
    u64 nanos;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(nanos)::"memory");
    return nanos;
}

__device__ __forceinline__ u32 bucket(u64 cycles) {
    if (cycles < 16) {
        return (u32)cycles;
    }
    u32 power = 63 - __clzll(cycles);
    u32 index = (power - 3) * 16 + (u32)((cycles >> (power - 4)) & 15);
    return index < AISIO_BUCKETS ? index : AISIO_BUCKETS - 1;
}

// One group's part.
template <class Group>
__device__ void run(const RunParameters* p, u32 index, typename Group::Room& room, u32* halt) {
    Queue* queue = (Queue*)((const u64*)p->queues)[index];
    RunResult* result = (RunResult*)p->results + index;
    Driver<Group> driver(queue, room);
    u32 rank = driver.group.rank;
    Data data = ((const Data*)p->data)[(u64)index * p->slots + rank];
    u64* histogram = (u64*)p->histogram;
    Random random = {p->seed + ((u64)index * p->slots + rank + 1) * 0xA0761D6478BD642Full};
    u64 first = p->ios / p->count * index;
    u64 range = p->random ? p->ios : p->ios / p->count;
    u64 next = range == 0 ? 0 : rank % range;
    u64 share = p->most == 0 ? ~0ull : p->most / p->slots + (rank < p->most % p->slots ? 1 : 0);
    u64 submitted = 0;
    u64 completed = 0;
    u64 failed = 0;
    u64 turns = 0;
    Command command = {2, p->blocks, 0, data.prp1, data.prp2};
    if (rank == 0) {
        *halt = 0;
    }
    driver.group.sync();
    u64 begin = now();
    long long beginCycles = clock64();
    bool ending = false;
    while (!driver.stopped()) {
        bool want = !ending && driver.idle() && submitted < share;
        if (want) {
            u64 io = p->random ? random.below(range) : first + next;
            next += p->slots;
            next = next >= range ? next % range : next;
            command.lba = io * p->blocks;
            command.opcode = p->readPercent == 100 || (p->readPercent != 0 && random.below(100) < p->readPercent) ? 2 : 1;
            submitted++;
        }
        int status = p->lockstep ? driver.round(want, command) : driver.turn(want, command);
        if (status >= 0 && (status & 0x7FF) == 0) {
            completed++;
            if (histogram != 0) {
                atomicAdd(histogram + bucket((u64)(clock64() - driver.since)), 1ull);
            }
        } else if (status >= 0) {
            failed++;
            if (atomicCAS(&result->failedStatus, 0, (u32)status) == 0) {
                result->failedLba = command.lba;
            }
        }
        // Time and the host's word are looked at now and then: both take long.
        if ((++turns & 31) == 0) {
            if (rank == 0 && (now() - begin >= p->nanos || ((turns & 1023) == 0 && loadRelaxed((const u32*)p->stop) != 0))) {
                *halt = 1;
            }
            driver.group.sync();
            ending = *(volatile u32*)halt != 0;
        }
        if ((ending || p->most != 0) && !driver.group.any(!driver.idle() || (!ending && submitted < share))) {
            break;
        }
    }
    driver.end();
    if (rank == 0) {
        result->begin = begin;
        result->end = now();
        result->cycles = (u64)(clock64() - beginCycles);
        result->turns = turns;
        result->stopped = queue->stopped;
    }
    atomicAdd(&result->completed, completed);
    atomicAdd(&result->failed, failed);
}

}  // namespace aisio

// One block a queue pair.
extern "C" __global__ void __launch_bounds__(1024, 1) aisio_run_block(const aisio::RunParameters* p) {
    __shared__ aisio::Block::Room room;
    __shared__ aisio::u32 halt;
    aisio::run<aisio::Block>(p, blockIdx.x, room, &halt);
}

// One warp a queue pair, 8 of them a block.
extern "C" __global__ void __launch_bounds__(256) aisio_run_warp(const aisio::RunParameters* p) {
    __shared__ aisio::Warp::Room rooms[8];
    __shared__ aisio::u32 halts[8];
    aisio::u32 warp = threadIdx.x >> 5;
    aisio::u32 index = blockIdx.x * (blockDim.x >> 5) + warp;
    if (index < p->count) {
        aisio::run<aisio::Warp>(p, index, rooms[warp], &halts[warp]);
    }
}
