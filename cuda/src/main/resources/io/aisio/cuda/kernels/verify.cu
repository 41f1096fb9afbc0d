// Writes blocks that say who they are, and reads them back into poisoned memory, comparing every word: what
// `xnvmeperf cuda-verify` launches, once for each pass.
#include <aisio/blocks.cuh>
#include <aisio/nvme.cuh>

namespace aisio {

struct VerifyParameters {
    u64 queues;       // addresses of Queues, u64[count]
    u64 data;         // PRP entries of the slots, u64[count][slots][2]
    u64 buffers;      // where the slots' data is as the GPU sees it, one every `stride` bytes
    u64 stride;
    u64 results;      // VerifyResult[count]
    u64 stop;         // a word that the host sets to end early
    u64 ios;          // I/Os of all queues, from LBA 0 on
    u64 seed;         // of the generation
    u32 count;        // queues
    u32 slots;        // of each
    u32 blocks;       // logical blocks of an I/O
    u32 words;        // 8-byte words of a logical block
    u32 write;        // 1: the pass that writes
    u32 reserved;
};

struct VerifyResult {
    u64 completed;
    u64 failed;
    u64 mismatches;   // I/Os with a word that is not what was written
    u64 failedLba;    // of one that failed
    u64 wrongLba;     // the block of one mismatch,
    u64 wrongWord;    // the index of its first wrong word,
    u64 expected;     // what was written there,
    u64 found;        // and what was read
    u32 failedStatus; // 0 if none failed
    u32 wrong;        // 1 if the four above stand
    u32 stopped;      // why the driver gave up, AISIO_RUNNING if it did not
    u32 reserved;
};

// What no block holds, at all places where a block's words are told apart first.
#define AISIO_POISON 0xDEADBEEFDEADBEEFull

template <class Group>
__device__ void verify(const VerifyParameters* p, u32 index, typename Group::Room& room, u32* halt) {
    Queue* queue = (Queue*)((const u64*)p->queues)[index];
    VerifyResult* result = (VerifyResult*)p->results + index;
    Driver<Group> driver(queue, room);
    u32 rank = driver.group.rank;
    const u64* data = (const u64*)p->data + ((u64)index * p->slots + rank) * 2;
    volatile u64* buffer = (volatile u64*)(p->buffers + ((u64)index * p->slots + rank) * p->stride);
    Command command = {p->write ? 1u : 2u, p->blocks, 0, data[0], data[1]};
    // What one queue has written another reads.
    u32 part = p->write ? index : (index + 1) % p->count;
    u64 next = p->ios * part / p->count + rank;
    u64 end = p->ios * (part + 1) / p->count;
    u64 completed = 0;
    u64 failed = 0;
    u64 mismatches = 0;
    u32 turns = 0;
    if (rank == 0) {
        *halt = 0;
    }
    driver.group.sync();
    while (!driver.stopped()) {
        bool want = driver.idle() && next < end && *(volatile u32*)halt == 0;
        if (want) {
            command.lba = next * p->blocks;
            next += p->slots;
            for (u32 block = 0; block < p->blocks; block++) {
                volatile u64* words = buffer + (u64)block * p->words;
                if (p->write) {
                    for (u32 i = 0; i < p->words; i++) {
                        words[i] = patternWord(p->seed, command.lba + block, i);
                    }
                } else {
                    words[0] = AISIO_POISON;
                    words[p->words - 1] = AISIO_POISON;
                }
            }
        }
        int status = driver.turn(want, command);
        if (status >= 0 && (status & 0x7FF) != 0) {
            failed++;
            if (atomicCAS(&result->failedStatus, 0, (u32)status) == 0) {
                result->failedLba = command.lba;
            }
        } else if (status >= 0) {
            completed++;
            bool same = true;
            if (!p->write) {
                driver.acquire();
                for (u32 block = 0; block < p->blocks && same; block++) {
                    volatile u64* words = buffer + (u64)block * p->words;
                    for (u32 i = 0; i < p->words && same; i++) {
                        u64 expected = patternWord(p->seed, command.lba + block, i);
                        u64 found = words[i];
                        same = found == expected;
                        if (!same && atomicCAS(&result->wrong, 0, 1) == 0) {
                            result->wrongLba = command.lba + block;
                            result->wrongWord = i;
                            result->expected = expected;
                            result->found = found;
                        }
                    }
                }
            }
            mismatches += same ? 0 : 1;
        }
        if ((++turns & 1023) == 0) {
            if (rank == 0 && loadRelaxed((const u32*)p->stop) != 0) {
                *halt = 1;
            }
            driver.group.sync();
        }
        if (!driver.group.any(!driver.idle() || (next < end && *(volatile u32*)halt == 0))) {
            break;
        }
    }
    driver.end();
    if (rank == 0) {
        result->stopped = queue->stopped;
    }
    atomicAdd(&result->completed, completed);
    atomicAdd(&result->failed, failed);
    atomicAdd(&result->mismatches, mismatches);
}

}  // namespace aisio

extern "C" __global__ void __launch_bounds__(1024, 1) aisio_verify_block(const aisio::VerifyParameters* p) {
    __shared__ aisio::Block::Room room;
    __shared__ aisio::u32 halt;
    aisio::verify<aisio::Block>(p, blockIdx.x, room, &halt);
}

extern "C" __global__ void __launch_bounds__(256) aisio_verify_warp(const aisio::VerifyParameters* p) {
    __shared__ aisio::Warp::Room rooms[8];
    __shared__ aisio::u32 halts[8];
    aisio::u32 warp = threadIdx.x >> 5;
    aisio::u32 index = blockIdx.x * (blockDim.x >> 5) + warp;
    if (index < p->count) {
        aisio::verify<aisio::Warp>(p, index, rooms[warp], &halts[warp]);
    }
}
