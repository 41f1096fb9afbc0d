// NVMe queue pairs that a kernel drives: what a user's own kernel includes.
//
// A group of threads, a block or a warp, drives one queue pair, and each of its threads has one command in flight at most:
// thread i has slot i, and the queue is as deep as the group is wide. All threads of the group call turn() together, again and
// again. In a turn, the threads that want to submit get the next places of the submission queue and write their commands there,
// and one thread rings the doorbell once for all; meanwhile the completions that are there are taken, each for the command whose
// CID it carries, and every thread learns the status of its own. So a slot is used again as soon as its own command is done: a
// sliding window. round() does the same in lock-step, for comparison: all submit, all wait for all.
//
//     __shared__ aisio::Block::Room room;
//     aisio::Driver<aisio::Block> driver(queue, room);         // whole warps, up to 1024 threads
//     while (!driver.stopped() && more) {                      // the same for all of the group
//         bool want = driver.idle() && ...;
//         int status = driver.turn(want, command);             // >= 0: my command is done, with this status (SCT << 8 | SC)
//         if (status >= 0) { driver.acquire(); ... the data is there ... }
//     }
//     driver.drain();                                          // takes what is in flight
//     driver.end();                                            // keeps the rings' state for the next kernel
//
// Fences. What threads wrote into the submission queue is ordered before the doorbell by the group's barrier and a store with
// release semantics by the thread that rings (cumulativity, PTX memory consistency model): at the scope of the system, for the
// controller is another device; at that of the GPU if it runs there itself (AISIO_LOCAL). That store waits for a fence, so it is
// the last warp's, which takes no completions meanwhile. A completion's word with the phase tag is loaded relaxed; who goes on to
// read the data calls acquire() first, which orders those reads after that load and costs as much as a fence does: so it is not
// part of turn().
//
// Nothing waits forever: a command that is in flight for longer than the queue's deadline, or a completion that no command in
// flight has, stops the driver, and the queue's `stopped` says why. Then nothing more is known of what is in flight: the
// queue pair is to be deleted on the host.
#pragma once

#define AISIO_LOCAL 1u          // the controller runs on this GPU
#define AISIO_FAR 2u            // the completion queue is in the host's memory: look at few entries at a time

#define AISIO_RUNNING 0u        // stopped: not at all
#define AISIO_DEADLINE 1u       // a command was in flight for longer than it may
#define AISIO_BAD_COMPLETION 2u // a completion of no command in flight
#define AISIO_LOST 3u           // the host says that the queue pair is gone
#define AISIO_TOO_WIDE 4u       // the group has more threads than the queue has room for

#define AISIO_NOTHING (-1)      // turn(): no command of this thread's was done

#define AISIO_SLOTS 1024u       // at most; a CID's bits 9:0 are the slot, those above count its commands
#define AISIO_PENDING 0x80000000u
#define AISIO_DONE 0x40000000u

namespace aisio {

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// What host and GPU share of a queue pair; io.aisio.cuda.GpuQueuePair has the same offsets.
struct alignas(128) Queue {
    u64 submission;     // where the GPU finds the submission queue
    u64 completion;     // and the completion queue: zeroed before the controller learned of it
    u64 tailDoorbell;
    u64 headDoorbell;
    u32 entries;        // of each, more than there are slots
    u32 id;
    u32 flags;
    u32 nsid;
    u64 deadline;       // the longest time that a command may take, in clock cycles of the multiprocessor
    u64 lost;           // address of a word that the host sets once the queue pair is gone; 0 if none
    u32 tail;           // kept from one kernel to the next
    u32 head;
    u32 phase;          // the phase tag of new completions, 1 at first
    u32 stopped;        // AISIO_RUNNING, or why the driver gave up
    u64 evidence;       // the completion's second word, or the CID of the command that is late
    u32 inFlight;       // commands that never came back
    u32 reserved;
};
static_assert(sizeof(Queue) == 128, "shared with the host");

// Submission queue entry (NVMe Base Specification, section 3.3.3): opcode, NSID, data and LBA; CID is the driver's.
struct Command {
    u32 opcode;
    u32 blocks;         // logical blocks, 1 and up
    u64 lba;
    u64 prp1;
    u64 prp2;
};

__device__ __forceinline__ u64 loadRelaxed(const u64* at) {
    u64 value;
    asm volatile("ld.relaxed.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(at) : "memory");
    return value;
}

__device__ __forceinline__ u32 loadRelaxed(const u32* at) {
    u32 value;
    asm volatile("ld.relaxed.sys.global.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
    return value;
}

__device__ __forceinline__ u32 loadAcquire(const u32* at) {
    u32 value;
    asm volatile("ld.acquire.sys.global.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
    return value;
}

__device__ __forceinline__ void storeRelaxed(u32* at, u32 value) {
    asm volatile("st.relaxed.sys.global.u32 [%0], %1;" ::"l"(at), "r"(value) : "memory");
}

__device__ __forceinline__ void storeRelease(u32* at, u32 value, bool local) {
    if (local) {
        asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(at), "r"(value) : "memory");
    } else {
        asm volatile("st.release.sys.global.u32 [%0], %1;" ::"l"(at), "r"(value) : "memory");
    }
}

__device__ __forceinline__ void fence(bool local) {
    if (local) {
        asm volatile("fence.acq_rel.gpu;" ::: "memory");
    } else {
        asm volatile("fence.acq_rel.sys;" ::: "memory");
    }
}

// Four words at once: a submission queue entry is four such stores.
__device__ __forceinline__ void store4(u64 at, u32 a, u32 b, u32 c, u32 d) {
    asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(at), "r"(a), "r"(b), "r"(c), "r"(d) : "memory");
}

__device__ __forceinline__ u32 lanesBelow() {
    u32 mask;
    asm("mov.u32 %0, %%lanemask_lt;" : "=r"(mask));
    return mask;
}

// A random number below n, each with the same chance (Lemire's multiplication with rejection).
struct Random {
    u64 state;

    __device__ u64 next() {  // splitmix64
        u64 z = (state += 0x9E3779B97F4A7C15ull);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        return z ^ (z >> 31);
    }

    __device__ u64 below(u64 n) {
        u64 x = next();
        u64 low = x * n;
        if (low < n) {
            u64 least = (0 - n) % n;
            while (low < least) {
                x = next();
                low = x * n;
            }
        }
        return __umul64hi(x, n);
    }
};

// A block's threads together.
struct Block {
    // What they share.
    struct Room {
        u32 slots[AISIO_SLOTS];
        u32 counts[2][32];
        u32 first;
        u32 stop;
    };

    Room& room;
    u32 rank;
    u32 size;
    u32 lane;
    u32 warp;
    u32 warps;

    __device__ explicit Block(Room& r) : room(r) {
        rank = threadIdx.x;
        size = blockDim.x;
        lane = rank & 31;
        warp = rank >> 5;
        warps = size >> 5;
    }

    __device__ void sync() { __syncthreads(); }

    // How many threads before this one say yes, and of all. It has a barrier between what it writes and what it reads; two
    // such calls without another barrier in between take turns with `buffer`.
    __device__ u32 place(bool yes, u32& total, u32 buffer = 0) {
        u32 mask = __ballot_sync(~0u, yes);
        if (lane == 0) {
            room.counts[buffer][warp] = __popc(mask);
        }
        if (rank == 0) {
            room.first = size;
        }
        __syncthreads();
        u32 mine = lane < warps ? room.counts[buffer][lane] : 0;
        u32 sum = mine;
#pragma unroll
        for (int step = 1; step < 32; step <<= 1) {
            u32 other = __shfl_up_sync(~0u, sum, step);
            if (lane >= step) {
                sum += other;
            }
        }
        total = __shfl_sync(~0u, sum, 31);
        u32 before = __shfl_sync(~0u, sum - mine, warp);
        return before + __popc(mask & lanesBelow());
    }

    // The same places in another order, of those who said yes in the last place(): the first of each warp, then the second of
    // each, so that few of them are work for many warps.
    __device__ u32 spread(bool yes, u32 buffer) const {
        u32 mine = __popc(__ballot_sync(~0u, yes) & lanesBelow());
        u32 before = 0;
        for (u32 w = 0; w < warps; w++) {
            u32 others = room.counts[buffer][w];
            before += min(others, mine) + (w < warp && others > mine ? 1 : 0);
        }
        return before;
    }

    // Says whether this thread's completion is there; after a barrier, first() is the first that is not.
    __device__ void tellFirst(bool there) {
        u32 missing = ~__ballot_sync(~0u, there);
        if (missing != 0 && lane == 0) {
            atomicMin(&room.first, warp * 32 + __ffs(missing) - 1);
        }
    }

    __device__ u32 first() const { return *(const volatile u32*)&room.first; }

    __device__ bool any(bool yes) { return __syncthreads_or(yes); }
};

// A warp's lanes together.
struct Warp {
    // What they share, one a warp.
    struct Room {
        u32 slots[32];
        u32 stop;
    };

    Room& room;
    u32 rank;
    u32 size;
    u32 missing;

    __device__ explicit Warp(Room& r) : room(r) {
        rank = threadIdx.x & 31;
        size = 32;
        missing = 0;
    }

    __device__ void sync() { __syncwarp(); }

    __device__ u32 place(bool yes, u32& total, u32 buffer = 0) {
        u32 mask = __ballot_sync(~0u, yes);
        total = __popc(mask);
        return __popc(mask & lanesBelow());
    }

    __device__ void tellFirst(bool there) { missing = ~__ballot_sync(~0u, there); }

    __device__ u32 first() const { return missing == 0 ? 32 : __ffs(missing) - 1; }

    __device__ bool any(bool yes) { return __any_sync(~0u, yes); }
};

// Drives a queue pair with a group of threads.
template <class Group>
struct Driver {
    Group group;
    Queue* queue;
    u64 submission;
    u64 completion;
    u32* tailDoorbell;
    u32* headDoorbell;
    u32 entries;
    u32 tail;
    u32 head;
    u32 phase;
    u32 nsid;
    u32 most;         // completions that a turn takes at most
    u32 window;       // that it looks for
    u32 turns;
    u32 outstanding;  // commands of the whole group
    u32 generation;
    bool local;
    bool far;
    bool rings;       // whether this thread rings the doorbells
    bool pending;     // whether this thread has a command in flight
    long long since;  // when that was submitted
    long long deadline;

    __device__ Driver(Queue* q, typename Group::Room& room) : group(room), queue(q) {
        submission = q->submission;
        completion = q->completion;
        tailDoorbell = (u32*)q->tailDoorbell;
        headDoorbell = (u32*)q->headDoorbell;
        entries = q->entries;
        tail = q->tail;
        head = q->head;
        phase = q->phase;
        nsid = q->nsid;
        deadline = (long long)q->deadline;
        local = (q->flags & AISIO_LOCAL) != 0;
        far = (q->flags & AISIO_FAR) != 0;
        most = group.size > 32 ? group.size - 32 : 32;
        window = most;
        rings = group.rank == group.size - 32;
        turns = 0;
        outstanding = 0;
        generation = 0;
        pending = false;
        since = 0;
        group.room.slots[group.rank] = 0;
        if (group.rank == 0) {
            group.room.stop = group.size < q->entries ? q->stopped : AISIO_TOO_WIDE;
            if (group.size >= q->entries) {
                q->evidence = group.size;
            }
        }
        group.sync();
    }

    // Whether this thread has no command in flight.
    __device__ bool idle() const { return !pending; }

    // Whether the driver gave up; the same for all threads of the group between two turns.
    __device__ bool stopped() const { return *(const volatile u32*)&group.room.stop != AISIO_RUNNING; }

    // Orders this thread's later reads of data after the completion that turn() told.
    __device__ void acquire() const { fence(local); }

    __device__ u32 wrap(u32 at) const { return at >= entries ? at - entries : at; }

    __device__ void write(u32 at, const Command& command) {
        u32 cid = (generation & 63) << 10 | group.rank;
        generation++;
        group.room.slots[group.rank] = AISIO_PENDING | cid;
        pending = true;
        since = clock64();
        u64 entry = submission + (u64)at * 64;
        store4(entry, command.opcode | cid << 16, nsid, 0, 0);
        store4(entry + 16, 0, 0, (u32)command.prp1, (u32)(command.prp1 >> 32));
        store4(entry + 32, (u32)command.prp2, (u32)(command.prp2 >> 32), (u32)command.lba, (u32)(command.lba >> 32));
        store4(entry + 48, command.blocks - 1, 0, 0, 0);
    }

    __device__ void stop(u32 why, u64 evidence) {
        if (atomicCAS(&group.room.stop, AISIO_RUNNING, why) == AISIO_RUNNING) {
            queue->evidence = evidence;
        }
    }

    // The word with CID, phase tag and status of a completion that is `ahead` of the head, and the tag that a new one has.
    __device__ u64 entry(u32 ahead, u32& tag) const {
        u32 at = head + ahead;
        tag = phase;
        if (at >= entries) {
            at -= entries;
            tag ^= 1;
        }
        return loadRelaxed((const u64*)(completion + (u64)at * 16 + 8));
    }

    static __device__ bool isNew(u64 word, u32 tag) { return ((u32)(word >> 48) & 1) == tag; }

    // Gives a completion to its command's slot.
    __device__ void give(u64 word) {
        u32 cid = (u32)(word >> 32) & 0xFFFF;
        u32 slot = cid & (AISIO_SLOTS - 1);
        u32 expected = AISIO_PENDING | cid;
        // Of two completions of one command, taken in one turn, the second is none of a command in flight.
        if (slot >= group.size
            || atomicCAS(&group.room.slots[slot], expected, AISIO_DONE | ((u32)(word >> 49) & 0x7FFF)) != expected) {
            stop(AISIO_BAD_COMPLETION, word);
        }
    }

    // Moves the head behind what was taken, and tells the controller.
    __device__ void consume(u32 n) {
        head += n;
        if (head >= entries) {
            head -= entries;
            phase ^= 1;
        }
        outstanding -= n;
        if (rings) {
            storeRelaxed(headDoorbell, head);
        }
    }

    // Writes the commands of those who want into the submission queue; how many they are. A barrier follows.
    __device__ u32 submit(bool want, const Command& command) {
        u32 total;
        u32 place = group.place(want, total);
        if (want) {
            write(wrap(tail + place), command);
        }
        group.sync();
        tail = wrap(tail + total);
        outstanding += total;
        return total;
    }

    // Submits this thread's command if it wants, and takes what is complete. All threads of the group call it.
    // Returns the status of this thread's command (bits 10:8 SCT, 7:0 SC, above them CRD, M and DNR), or AISIO_NOTHING.
    __device__ int turn(bool want, const Command& command) {
        u32 total = submit(want, command);
        if (rings && total != 0) {
            storeRelease(tailDoorbell, tail, local);
        }
        u64 word = 0;
        u32 tag = 1;
        bool there = false;
        if (group.rank < window) {
            word = entry(group.rank, tag);
            there = isNew(word, tag);
        }
        group.tellFirst(there);
        group.sync();
        u32 n = group.first();
        if (n != 0) {
            if (group.rank < n) {
                give(word);
            }
            consume(n);
        }
        if (far) {
            window = n == window ? min(most, 2 * window) : min(most, (n + 63u) & ~31u);
        }
        turns++;
        if (n == 0 || (turns & 255) == 0) {
            look();
        }
        group.sync();
        return result();
    }

    // What became of this thread's command.
    __device__ int result() {
        if (!pending) {
            return AISIO_NOTHING;
        }
        u32 slot = group.room.slots[group.rank];
        if ((slot & AISIO_DONE) == 0) {
            return AISIO_NOTHING;
        }
        pending = false;
        return (int)(slot & 0x7FFF);
    }

    // Whether this thread's command is late, or the host has taken the queue pair away.
    __device__ void look() {
        if (pending && clock64() - since > deadline) {
            u32 slot = group.room.slots[group.rank];
            if ((slot & AISIO_DONE) == 0) {
                stop(AISIO_DEADLINE, slot & 0xFFFF);
            }
        }
        // The host's memory is far: asking it often would keep all from their turn.
        if (group.rank == 0 && (turns & 1023) == 0 && queue->lost != 0 && loadRelaxed((const u32*)queue->lost) != 0) {
            stop(AISIO_LOST, 0);
        }
    }

    // Submits and waits for all of the group: a batch in lock-step. Nothing may be in flight.
    __device__ int round(bool want, const Command& command) {
        u32 total = submit(want, command);
        if (rings && total != 0) {
            storeRelease(tailDoorbell, tail, local);
        }
        if (group.rank < total) {
            u32 tag;
            u64 word = entry(group.rank, tag);
            long long began = clock64();
            while (!isNew(word, tag)) {
                if (clock64() - began > deadline) {
                    stop(AISIO_DEADLINE, group.room.slots[group.rank] & 0xFFFF);
                }
                if (stopped()) {
                    break;
                }
                word = entry(group.rank, tag);
            }
            if (isNew(word, tag)) {
                give(word);
            }
        }
        group.sync();
        if (!stopped()) {
            consume(total);
        }
        group.sync();
        return result();
    }

    // Takes what is in flight, whoever wants to know.
    __device__ void drain() {
        Command none = {};
        while (!stopped() && outstanding != 0) {
            turn(false, none);
        }
    }

    // Leaves the queue pair to the next kernel. All threads of the group call it.
    __device__ void end() {
        group.sync();
        if (group.rank == 0 && queue->stopped == AISIO_RUNNING) {
            queue->tail = tail;
            queue->head = head;
            queue->phase = phase;
            queue->stopped = group.room.stop;
            queue->inFlight = outstanding;
        }
    }
};

}  // namespace aisio
