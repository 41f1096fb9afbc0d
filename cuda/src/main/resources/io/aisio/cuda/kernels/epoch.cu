// Reads batches of whole files for as long as the host wants: what the backend aisio-gpu launches once.
//
//   host ─ posts ─► the first block copies a batch into the GPU's memory ─► next item ─► others, a queue each ─► controller
//   host ◄─ done ── the thread that ends a batch's last item ◄──────────────────────────────────┘
//
// Queues whose blocks have no room on the GPU are not used until they have; the others do the work meanwhile.
//
// An item is a command, or a part of a file that is zeros. Threads that are idle take the next items of the oldest batch that
// has any, then those of the next one: so queues are full from one batch to the next. Zeros, those behind a file's end too, are
// written by the block that has the item.
//
// Fences. The host's stores before its store to `posted` are ordered by the copying block's acquire and barrier; what that block
// writes, by its release of the state's `posted`, which others acquire before they take of that batch. A thread fences before it
// counts its item down, so the thread that counts the last one down sees the data of all, and its release at the scope of the
// system orders them before `done`.
#include <aisio/epoch.cuh>
#include <aisio/nvme.cuh>

namespace aisio {
namespace epoch {

const u32 DNR = 0x4000u;           // of a status: it would fail again
const u32 WIDEST = 1024;
const u32 COPY_NANOS = 500;        // between two looks at what the host has posted
const u32 IDLE_NANOS = 200;        // between two looks for work of a block that has none

// What a block's threads take at once: items of one batch.
struct Taken {
    u32 slot;
    u32 files;
    u32 first;
    u32 count;
    u32 sequence;
    u32 posted;                    // batches that this block knows of
    u32 stop;
    u32 zeros;                     // parts that are to be zeroed
};

struct Room {
    Block::Room driver;
    Taken taken;
    u64 zeroAt[WIDEST];
    u32 zeroBytes[WIDEST];
};

__device__ __forceinline__ u32 acquireHere(const u32* at) {
    u32 value;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
    return value;
}

__device__ __forceinline__ void releaseFar(u64* at, u64 value) {
    asm volatile("st.release.sys.global.u64 [%0], %1;" ::"l"(at), "l"(value) : "memory");
}

// One thread takes up to `most` items for its block.
__device__ void take(const Parameters* p, Taken* taken, u32 most) {
    State* state = (State*)p->state;
    taken->count = 0;
    taken->stop = loadRelaxed(&state->stop);
    if (most == 0 || taken->stop != 0) {
        return;
    }
    u64 next = loadRelaxed(&state->next);
    while (true) {
        u32 sequence = (u32)(next >> 32);
        u32 item = (u32)next;
        if ((int)(taken->posted - sequence) <= 0) {
            taken->posted = acquireHere(&state->posted);
            if (sequence == taken->posted) {
                return;
            }
        }
        const Batch* batch = (const Batch*)p->batches + sequence % p->slots;
        u32 items = loadRelaxed(&batch->items);
        u32 slot = loadRelaxed(&batch->slot);
        u32 files = loadRelaxed(&batch->files);
        // If others have taken all of it meanwhile, this may be another batch by now; but then `next` has changed.
        u32 rest = items - item;
        u32 n = most < rest ? most : rest;
        u64 then = n == rest ? (u64)(sequence + 1) << 32 : next + n;
        u64 before = atomicCAS(&state->next, next, then);
        if (before == next) {
            taken->slot = slot;
            taken->files = files;
            taken->first = item;
            taken->count = n;
            taken->sequence = sequence;
            return;
        }
        next = before;
    }
}

// A warp zeroes a part of memory.
__device__ void zero(u64 at, u32 bytes, u32 lane) {
    u64 end = at + bytes;
    u64 begin = roundUp(at, 16);
    begin = begin < end ? begin : end;
    u64 last = begin + ((end - begin) & ~15ull);
    for (u64 i = at + lane; i < begin; i += 32) {
        *(unsigned char*)i = 0;
    }
    uint4 nothing = make_uint4(0, 0, 0, 0);
    for (u64 i = begin + lane * 16; i < last; i += 32 * 16) {
        *(uint4*)i = nothing;
    }
    for (u64 i = last + lane; i < end; i += 32) {
        *(unsigned char*)i = 0;
    }
}

// A file's command has failed for good.
__device__ void fail(const Parameters* p, u32 slot, u32 file, const Command& command, u32 status) {
    u64 index = (u64)slot * p->batchFiles + file;
    if (atomicCAS((u32*)p->marks + index, 0u, 1u) == 0) {
        Failure* failure = (Failure*)p->failures + index;
        failure->lba = command.lba;
        failure->bytes = command.blocks << p->lbaShift;
        failure->status = status;
        atomicAdd((u32*)p->failed + slot, 1u);
    }
}

// An item is over. Whoever ends a batch's last one tells the host.
__device__ void over(const Parameters* p, u32 slot, u32 sequence) {
    __threadfence();
    if (atomicSub((u32*)p->left + slot, 1u) == 1) {
        __threadfence_system();
        u32 failed = loadRelaxed((const u32*)p->failed + slot);
        releaseFar((u64*)p->done + slot, (u64)(sequence + 1) << 32 | failed);
    }
}

// A block that drives a queue.
__device__ void drive(const Parameters* p, Room& room) {
    Queue* queue = (Queue*)((const u64*)p->queues)[blockIdx.x - 1];
    Driver<Block> driver(queue, room.driver);
    Taken* taken = &room.taken;
    u32 rank = driver.group.rank;
    u32 lane = rank & 31;
    // The thread's item, from when it is taken until it is over.
    Command command = {};
    bool again = false;
    u32 tries = 0;
    u32 slot = 0;
    u32 sequence = 0;
    u32 file = 0;
    u64 tailAt = 0;
    u32 tail = 0;
    if (rank == 0) {
        taken->posted = 0;
    }
    while (!driver.stopped()) {
        bool idle = driver.idle() && !again;
        u32 total;
        u32 place = driver.group.place(idle, total, 1);
        if (rank == 0) {
            take(p, taken, total);
            taken->zeros = 0;
        }
        __syncthreads();
        if (taken->stop != 0) {
            break;
        }
        u32 count = taken->count;
        bool want = again;
        bool ended = false;
        again = false;
        if (idle && place < count) {
            slot = taken->slot;
            sequence = taken->sequence;
            tries = 0;
            u32 index = taken->first + place;
            const Wanted* wanted = (const Wanted*)p->wanted + (u64)slot * p->batchFiles;
            file = wantedOf(wanted, taken->files, index);
            Item item = itemOf(p, (const File*)p->files + wanted[file].row, (const Run*)p->runs, wanted[file].at,
                               index - wanted[file].firstItem);
            if (item.lba == ZEROS) {
                u32 i = atomicAdd(&taken->zeros, 1u);
                room.zeroAt[i] = p->memory + item.at;
                room.zeroBytes[i] = item.bytes;
                ended = true;
            } else {
                command.opcode = 2;
                command.blocks = item.bytes >> p->lbaShift;
                command.lba = item.lba;
                prpsOf(p, item.at, item.bytes, &command.prp1, &command.prp2);
                tail = item.tail;
                tailAt = p->memory + item.tailAt;
                want = true;
            }
        }
        if (count == 0 && driver.outstanding == 0 && !driver.group.any(want)) {
            __nanosleep(IDLE_NANOS);
            continue;
        }
        int status = driver.turn(want, command);
        if (status != AISIO_NOTHING) {
            driver.acquire();
            if ((status & 0x7FF) != 0 && (status & DNR) == 0 && tries < p->retries) {
                tries++;
                again = true;
            } else {
                ended = true;
                if ((status & 0x7FF) != 0) {
                    fail(p, slot, file, command, (u32)status);
                }
                if (tail != 0) {
                    u32 i = atomicAdd(&taken->zeros, 1u);
                    room.zeroAt[i] = tailAt;
                    room.zeroBytes[i] = tail;
                }
            }
        }
        __syncthreads();
        u32 zeros = taken->zeros;
        if (zeros != 0) {
            for (u32 i = rank >> 5; i < zeros; i += blockDim.x >> 5) {
                zero(room.zeroAt[i], room.zeroBytes[i], lane);
            }
            __syncthreads();
        }
        if (ended) {
            over(p, slot, sequence);
        }
    }
    driver.drain();
    driver.end();
    if (rank == 0 && driver.stopped()) {
        Control* control = (Control*)p->control;
        if (atomicCAS(&((State*)p->state)->stop, 0u, 2u) == 0) {
            control->queue = blockIdx.x - 1;
            control->evidence = queue->evidence;
            __threadfence_system();
            storeRelaxed(&control->stopped, queue->stopped);
        }
    }
}

// The block that takes over what the host posts.
__device__ void copy(const Parameters* p, Room& room) {
    const Control* control = (const Control*)p->control;
    State* state = (State*)p->state;
    Taken* taken = &room.taken;
    u32 rank = threadIdx.x;
    u32 known = 0;
    while (true) {
        if (rank == 0) {
            taken->posted = loadAcquire(&control->posted);
            if (loadRelaxed(&control->stop) != 0) {
                atomicCAS(&state->stop, 0u, 1u);
            }
            taken->stop = loadRelaxed(&state->stop);
        }
        __syncthreads();
        u32 posted = taken->posted;
        bool stop = taken->stop != 0;
        __syncthreads();
        if (stop) {
            return;
        }
        for (; known != posted; known++) {
            u32 at = known % p->slots;
            const Batch* post = (const Batch*)p->posts + at;
            u32 slot = loadRelaxed(&post->slot);
            u32 files = loadRelaxed(&post->files);
            u32 items = loadRelaxed(&post->items);
            u64 base = (u64)slot * p->batchFiles;
            // Each of them is two words.
            const u64* from = (const u64*)((const Wanted*)p->wants + base);
            u64* to = (u64*)((Wanted*)p->wanted + base);
            for (u32 i = rank; i < 2 * files; i += blockDim.x) {
                to[i] = loadRelaxed(from + i);
            }
            for (u32 i = rank; i < files; i += blockDim.x) {
                ((u32*)p->marks)[base + i] = 0;
            }
            if (rank == 0) {
                Batch* batch = (Batch*)p->batches + at;
                storeRelaxed(&batch->slot, slot);
                storeRelaxed(&batch->files, files);
                storeRelaxed(&batch->items, items);
                storeRelaxed((u32*)p->left + slot, items);
                storeRelaxed((u32*)p->failed + slot, 0);
            }
            __threadfence();
            __syncthreads();
            if (rank == 0) {
                storeRelease(&state->posted, known + 1, true);
            }
        }
        __nanosleep(COPY_NANOS);
    }
}

}  // namespace epoch
}  // namespace aisio

extern "C" __global__ void __launch_bounds__(1024) aisio_epoch(const aisio::epoch::Parameters* p) {
    __shared__ aisio::epoch::Room room;
    if (blockIdx.x == 0) {
        aisio::epoch::copy(p, room);
    } else {
        aisio::epoch::drive(p, room);
    }
}
