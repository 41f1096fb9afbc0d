// A software NVMe controller that runs on the GPU: what stands behind the device name gpu:. A block serves a queue pair, each of
// its threads one command at a time; media are device memory, or null. The host creates and deletes queues through a control
// word for each. Data is moved by PRP entries and lists, as a controller on the bus does, by the warp that the command's thread
// is in.
//
// Everything that a command names is checked before it is used: opcode, namespace, range of LBAs, alignment and reach of every
// PRP entry. What is not right is answered with the status that the specification has for it.
#include <aisio/nvme.cuh>

namespace aisio {

// How the host has a queue pair served; in the host's memory, one for each block.
struct alignas(64) Serve {
    u32 command;     // odd: serve what stands below; even: leave it alone. Every change is one up
    u32 state;       // the command that was carried out last
    u64 submission;
    u64 completion;
    u64 tailDoorbell;
    u64 headDoorbell;
    u32 entries;          // of each
    u32 id;
    u32 invalidDoorbells; // 1 once a value beyond the queue was seen
    u32 reserved[3];
};
static_assert(sizeof(Serve) == 64, "shared with the host");

#define AISIO_REACHES 32u

// Memory that commands may name; in device memory.
struct Reach {
    u32 count;
    u32 reserved;
    u64 begin[AISIO_REACHES];
    u64 end[AISIO_REACHES];
};

struct ResidentParameters {
    u64 control;      // Serve[blocks]
    u64 stop;         // a word that the host sets to end all
    u64 media;        // 0: null media
    u64 reach;        // Reach
    u64 lbas;         // of the namespace
    u64 latency;      // of a command, in clock cycles; of the median one if they vary
    u64 seed;
    u64 faultLba;     // commands that begin there meet `fault`
    float sigma;      // of the logarithm of latencies; 0: all the same
    u32 shift;        // of a logical block's size
    u32 maxBlocks;    // of a command
    u32 fault;        // 0: none, 1: answered with an error, 2: never answered, 3: answered with another CID
};

// The statuses that it answers with (NVMe Base Specification, section 3.3.3.2.1): SCT << 8 | SC, and DNR.
#define AISIO_DNR 0x4000u
#define AISIO_INVALID_OPCODE (0x01u | AISIO_DNR)
#define AISIO_TRANSFER_ERROR (0x04u | AISIO_DNR)
#define AISIO_INVALID_FIELD (0x02u | AISIO_DNR)
#define AISIO_INVALID_NAMESPACE (0x0Bu | AISIO_DNR)
#define AISIO_INVALID_PRP (0x13u | AISIO_DNR)
#define AISIO_LBA_RANGE (0x80u | AISIO_DNR)
#define AISIO_UNRECOVERED_READ (0x281u | AISIO_DNR)

#define AISIO_PAGE 4096u

__device__ __forceinline__ void load4(u64 at, u32& a, u32& b, u32& c, u32& d) {
    asm volatile("ld.relaxed.sys.global.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(a), "=r"(b), "=r"(c), "=r"(d) : "l"(at) : "memory");
}

__device__ __forceinline__ void storeRelaxed64(u64 at, u64 value) {
    asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(at), "l"(value) : "memory");
}

__device__ __forceinline__ bool reaches(const Reach* reach, u64 at, u64 bytes) {
    u32 count = loadRelaxed(&reach->count);
    for (u32 i = 0; i < count; i++) {
        if (at >= loadRelaxed(&reach->begin[i]) && at + bytes <= loadRelaxed(&reach->end[i]) && at + bytes > at) {
            return true;
        }
    }
    return false;
}

// Copies with all lanes of a warp.
__device__ __forceinline__ void copy(u64 to, u64 from, u32 bytes, u32 lane) {
    if (((to | from | bytes) & 15) == 0) {
        u32 n = bytes / 16;
        const uint4* source = (const uint4*)from;
        uint4* target = (uint4*)to;
        for (u32 base = 0; base < n; base += 256) {
            uint4 part[8];
#pragma unroll
            for (u32 k = 0; k < 8; k++) {
                u32 i = base + k * 32 + lane;
                if (i < n) {
                    part[k] = source[i];
                }
            }
#pragma unroll
            for (u32 k = 0; k < 8; k++) {
                u32 i = base + k * 32 + lane;
                if (i < n) {
                    target[i] = part[k];
                }
            }
        }
    } else {
        // PRP entries are multiples of 4, and so is the data.
        for (u32 i = lane; i < bytes / 4; i += 32) {
            ((u32*)to)[i] = ((const u32*)from)[i];
        }
    }
}

// Moves a command's data with all lanes of a warp; each argument is the same for all of them.
__device__ u32 move(const ResidentParameters* p, bool read, u64 media, u64 bytes, u64 prp1, u64 prp2, u32 lane) {
    const Reach* reach = (const Reach*)p->reach;
    u64 first = AISIO_PAGE - (prp1 & (AISIO_PAGE - 1));
    first = first < bytes ? first : bytes;
    u64 rest = bytes - first;
    if ((prp1 & 3) != 0) {
        return AISIO_INVALID_PRP;
    }
    if (!reaches(reach, prp1, first)) {
        return AISIO_TRANSFER_ERROR;
    }
    bool single = rest <= AISIO_PAGE;
    if (rest != 0) {
        if ((prp2 & (single ? AISIO_PAGE - 1 : 7)) != 0) {
            return AISIO_INVALID_PRP;
        }
        if (!reaches(reach, prp2, single ? rest : 8)) {
            return AISIO_TRANSFER_ERROR;
        }
    }
    copy(read ? prp1 : media, read ? media : prp1, (u32)first, lane);
    if (rest == 0) {
        return 0;
    }
    u64 at = media + first;
    if (single) {
        copy(read ? prp2 : at, read ? at : prp2, (u32)rest, lane);
        return 0;
    }
    u64 list = prp2;
    while (true) {
        u32 room = (AISIO_PAGE - (u32)(list & (AISIO_PAGE - 1))) / 8;
        u64 needed = (rest + AISIO_PAGE - 1) / AISIO_PAGE;
        bool chained = needed > room;
        u32 entries = chained ? room - 1 : (u32)needed;
        if (!reaches(reach, list, (u64)(entries + (chained ? 1 : 0)) * 8)) {
            return AISIO_TRANSFER_ERROR;
        }
        for (u32 base = 0; base < entries; base += 32) {
            u32 i = base + lane;
            u64 mine = 0;
            u32 wrong = 0;
            if (i < entries) {
                mine = loadRelaxed((const u64*)list + i);
                u64 left = rest - (u64)lane * AISIO_PAGE;
                u64 length = left < AISIO_PAGE ? left : AISIO_PAGE;
                wrong = (mine & (AISIO_PAGE - 1)) != 0 ? AISIO_INVALID_PRP
                        : reaches(reach, mine, length) ? 0
                                                       : AISIO_TRANSFER_ERROR;
            }
            u32 bad = __ballot_sync(~0u, wrong != 0);
            if (bad != 0) {
                return __shfl_sync(~0u, wrong, __ffs(bad) - 1);
            }
            u32 count = entries - base < 32 ? entries - base : 32;
            for (u32 k = 0; k < count; k++) {
                u64 page = __shfl_sync(~0u, mine, k);
                u32 length = rest < AISIO_PAGE ? (u32)rest : AISIO_PAGE;
                copy(read ? page : at, read ? at : page, length, lane);
                at += length;
                rest -= length;
            }
        }
        if (!chained) {
            return 0;
        }
        list = loadRelaxed((const u64*)list + entries);
        if ((list & (AISIO_PAGE - 1)) != 0) {
            return AISIO_INVALID_PRP;
        }
    }
}

// Numbers with a standard normal distribution, for latencies (Box and Muller).
__device__ __forceinline__ float normal(Random& random) {
    u64 bits = random.next();
    float u = ((float)(u32)(bits >> 40) + 1.0f) * (1.0f / 16777217.0f);
    float v = (float)(u32)(bits & 0xFFFFFF) * (1.0f / 16777216.0f);
    return sqrtf(-2.0f * __logf(u)) * __cosf(6.2831853f * v);
}

struct ServeRoom {
    Block::Room places;
    u32 tail;
    u32 head;
    u32 command;
};

// Serves a queue pair until the host has it left alone. With null media no data is moved: a kernel of its own, which keeps all that
// it needs in registers.
template <bool Moves>
__device__ void serve(const ResidentParameters* p, Serve* control, ServeRoom& room, u32 command) {
    Block group(room.places);
    u32 rank = group.rank;
    u32 lane = group.lane;
    u64 submission = control->submission;
    u64 completion = control->completion;
    const u32* tailDoorbell = (const u32*)control->tailDoorbell;
    const u32* headDoorbell = (const u32*)control->headDoorbell;
    u32 entries = control->entries;
    u32 id = control->id;
    u32 tail = 0;
    u32 head = 0;
    u32 posted = 0;
    u32 freed = 0;
    u32 phase = 1;
    u32 turns = 0;
    bool has = false;
    u32 cid = 0;
    u32 status = 0;
    long long due = 0;
    Random random = {p->seed + ((u64)blockIdx.x * blockDim.x + rank + 1) * 0xA0761D6478BD642Full};
    // The doorbell that the next turn goes by is asked for in this one: by the first warp, which loads commands like the others,
    // while the last asks for the other doorbell.
    u32 nextTail = 0;
    u32 nextHead = 0;
    bool last = rank == group.size - 32;
    while (true) {
        if (rank == 0) {
            room.tail = nextTail;
            if ((turns++ & 1023) == 1023) {
                room.command = loadRelaxed((const u32*)p->stop) != 0 ? command + 1 : loadRelaxed(&control->command);
            }
        }
        if (last) {
            room.head = nextHead;
        }
        u32 wanting;
        u32 place = group.place(!has, wanting, 0);
        if (room.command != command) {
            return;
        }
        if (Moves) {
            // A warp moves its commands' data one after another.
            place = group.spread(!has, 0);
        }
        if (room.tail < entries && room.head < entries) {
            tail = room.tail;
            freed = room.head;
        } else if (rank == 0) {
            storeRelaxed(&control->invalidDoorbells, 1);
        }
        u32 waiting = tail >= head ? tail - head : tail + entries - head;
        u32 taken = waiting < wanting ? waiting : wanting;
        bool fresh = !has && place < taken;
        u64 lba = 0;
        u32 blocks = 0;
        u32 opcode = 0;
        u64 prp1 = 0;
        u64 prp2 = 0;
        u32 w[16];
        if (fresh) {
            u32 at = head + place;
            u64 entry = submission + (u64)(at >= entries ? at - entries : at) * 64;
            load4(entry, w[0], w[1], w[2], w[3]);
            load4(entry + 32, w[8], w[9], w[10], w[11]);
            load4(entry + 48, w[12], w[13], w[14], w[15]);
            if (Moves) {
                load4(entry + 16, w[4], w[5], w[6], w[7]);
                prp1 = (u64)w[7] << 32 | w[6];
                prp2 = (u64)w[9] << 32 | w[8];
            }
        }
        if (rank == 0) {
            nextTail = loadAcquire(tailDoorbell);
        }
        if (last) {
            nextHead = loadRelaxed(headDoorbell);
        }
        if (fresh) {
            opcode = w[0] & 0xFF;
            cid = w[0] >> 16;
            lba = (u64)w[11] << 32 | w[10];
            blocks = (w[12] & 0xFFFF) + 1;
            has = true;
            status = 0;
            if (opcode > 2) {
                status = AISIO_INVALID_OPCODE;
            } else if (w[1] != 1 && !(opcode == 0 && w[1] == ~0u)) {
                status = AISIO_INVALID_NAMESPACE;
            } else if (opcode == 0) {
                status = 0;
            } else if ((w[0] & 0xC300) != 0 || blocks > p->maxBlocks) {
                status = AISIO_INVALID_FIELD;
            } else if (lba >= p->lbas || blocks > p->lbas - lba) {
                status = AISIO_LBA_RANGE;
            } else if (p->fault == 1 && lba == p->faultLba) {
                status = AISIO_UNRECOVERED_READ;
            }
        }
        head += taken;
        head = head >= entries ? head - entries : head;
        if (Moves) {
            u32 movers = __ballot_sync(~0u, fresh && status == 0 && opcode != 0);
            bool moved = movers != 0;
            while (movers != 0) {
                u32 from = __ffs(movers) - 1;
                movers &= movers - 1;
                u32 result = move(
                        p,
                        __shfl_sync(~0u, opcode, from) == 2,
                        p->media + (__shfl_sync(~0u, lba, from) << p->shift),
                        (u64)__shfl_sync(~0u, blocks, from) << p->shift,
                        __shfl_sync(~0u, prp1, from),
                        __shfl_sync(~0u, prp2, from),
                        lane);
                if (lane == from) {
                    status = result;
                }
            }
            if (moved) {
                // The data is there before the completion is, whichever lane has moved it.
                __syncwarp();
                fence(true);
            }
        }
        bool ready = has;
        if (p->latency != 0) {
            long long clock = clock64();
            if (fresh) {
                float factor = p->sigma == 0.0f ? 1.0f : __expf(p->sigma * normal(random));
                due = clock + (long long)((float)p->latency * factor);
            }
            ready = has && clock - due >= 0;
        }
        if (fresh && p->fault >= 2 && lba == p->faultLba && opcode != 0) {
            has = p->fault == 3;
            ready = ready && has;
            cid ^= 0x8000;
        }
        u32 total;
        u32 order = group.place(ready, total, 1);
        u32 used = posted >= freed ? posted - freed : posted + entries - freed;
        u32 space = entries - 1 - used;
        u32 n = total < space ? total : space;
        if (ready && order < n) {
            u32 at = posted + order;
            u32 tag = phase;
            if (at >= entries) {
                at -= entries;
                tag ^= 1;
            }
            u64 word = (u64)(status << 17 | tag << 16 | cid) << 32 | id << 16 | head;
            storeRelaxed64(completion + (u64)at * 16 + 8, word);
            has = false;
        }
        posted += n;
        if (posted >= entries) {
            posted -= entries;
            phase ^= 1;
        }
    }
}

// Serves what the host says, one block a queue pair, until the host stops it.
template <bool Moves>
__device__ void reside(const ResidentParameters* p, ServeRoom& room) {
    Serve* control = (Serve*)p->control + blockIdx.x;
    u32 done = 0;
    while (true) {
        __syncthreads();
        if (threadIdx.x == 0) {
            u32 command = loadAcquire(&control->command);
            bool ends = loadRelaxed((const u32*)p->stop) != 0;
            // The longer there was nothing, the less often it asks: the host's memory is far, and many who ask it hold up those
            // who work.
            for (u32 nanos = 1000; command == done && !ends; nanos = nanos < 250000 ? 2 * nanos : nanos) {
                __nanosleep(nanos);
                command = loadAcquire(&control->command);
                ends = loadRelaxed((const u32*)p->stop) != 0;
            }
            room.command = ends ? ~0u : command;
        }
        __syncthreads();
        u32 command = room.command;
        __syncthreads();
        if (command == ~0u) {
            return;
        }
        if (threadIdx.x == 0) {
            // Of a queue pair that is left alone now: nothing of what was done to its memory comes after this.
            fence(false);
            storeRelease(&control->state, command, false);
        }
        if ((command & 1) != 0) {
            serve<Moves>(p, control, room, command);
        }
        done = command;
    }
}

}  // namespace aisio

extern "C" __global__ void __launch_bounds__(1024, 1) aisio_resident(const aisio::ResidentParameters* p) {
    __shared__ aisio::ServeRoom room;
    aisio::reside<true>(p, room);
}

extern "C" __global__ void __launch_bounds__(1024, 1) aisio_resident_null(const aisio::ResidentParameters* p) {
    __shared__ aisio::ServeRoom room;
    aisio::reside<false>(p, room);
}
