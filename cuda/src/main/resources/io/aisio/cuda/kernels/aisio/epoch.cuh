// What host and GPU share of an epoch of files, and how a file of a batch becomes commands. It is plain C++: any compiler shows
// where its fields lie and what its functions give, without a GPU.
#pragma once

#ifdef __CUDACC__
#define AISIO_BOTH __host__ __device__ __forceinline__
#else
#define AISIO_BOTH inline
#endif

namespace aisio {

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

namespace epoch {

const u64 ZEROS = ~0ull;         // a run's LBA if it is read as zeros
const u32 PAGE_SHIFT = 12;
const u32 PAGE = 1u << PAGE_SHIFT;
const u32 LIST = PAGE / 8;       // PRP entries of a page
const u32 SHIFTED = LIST / 2;    // by so many entries the second copy of them is shifted
const u32 MOST_PAGES = LIST / 2 + 1;  // of a command

// A file, made once.
struct File {
    u64 size;
    u32 firstRun;
    u32 runs;
};

// A part of a file that lies in one piece; made once, in the order of offsets, without a gap.
struct Run {
    u64 lba;
    u64 offset;    // in the file
    u64 bytes;     // exact at the end of the file
    u32 firstItem; // of the file's items, the first that is of this run
    u32 reserved;
};

// A file of a batch: where it goes in the memory of all slots, and which item of the batch its first is.
struct Wanted {
    u64 at;
    u32 row;
    u32 firstItem;
};

// A batch.
struct Batch {
    u32 slot;
    u32 files;
    u32 items;     // commands, and parts that are zeros
    u32 sequence;  // batches are counted from 0
};

// The first command of a file that failed.
struct Failure {
    u64 lba;
    u32 bytes;
    u32 status;    // as the driver tells it, and not 0
};

// Words that both look at while the kernel runs, in the host's memory.
struct Control {
    u32 posted;    // batches that the host has posted
    u32 stop;      // the host wants it to end
    u32 stopped;   // why a queue gave up, with its number
    u32 queue;
    u64 evidence;
};

// The kernel's own words, in the GPU's memory.
struct State {
    u64 next;      // the batch in the upper half, its next item in the lower
    u32 posted;    // batches whose files are in the GPU's memory
    u32 stop;
};

struct Parameters {
    u64 queues;    // u64[queues], where each one's aisio::Queue is
    u64 files;     // File[]
    u64 runs;      // Run[]
    u64 pages;     // u64[], where the controller finds each page of the slots' memory
    u64 lists;     // u64[], where it finds each page of the PRP entries, which are those, twice
    u64 memory;    // of all slots
    u64 control;   // Control
    u64 posts;     // Batch[slots], by the batch's number: in the host's memory
    u64 wants;     // Wanted[slots][batchFiles], by slot: in the host's memory
    u64 done;      // u64[slots], by slot: batch + 1 in the upper half, files that failed in the lower; the host's memory
    u64 failures;  // Failure[slots][batchFiles]: in the host's memory
    u64 state;     // State
    u64 batches;   // Batch[slots], by the batch's number
    u64 wanted;    // Wanted[slots][batchFiles], by slot
    u64 left;      // u32[slots]: items that are not over
    u64 failed;    // u32[slots]: files that failed
    u64 marks;     // u32[slots][batchFiles]: whether a file has failed
    u32 queueCount;
    u32 slots;
    u32 batchFiles;
    u32 ioBytes;   // of a command at most: whole logical blocks
    u32 lbaShift;
    u32 unit;      // bytes of which a file takes whole multiples
    u32 second;    // the entry with which the second copy begins
    u32 retries;   // of a command that may succeed then
};

// What an item is.
struct Item {
    u64 lba;       // ZEROS, or where it is read
    u64 at;        // where it goes
    u32 bytes;     // whole logical blocks; of zeros, up to the end of the file's room
    u32 tail;      // bytes of zeros behind the file's end, once it is read
    u64 tailAt;
};

AISIO_BOTH u64 roundUp(u64 value, u64 multiple) { return (value + multiple - 1) & ~(multiple - 1); }

// The last of `n` that begins at or before `item`.
AISIO_BOTH u32 wantedOf(const Wanted* wanted, u32 n, u32 item) {
    u32 low = 0;
    u32 high = n;
    while (high - low > 1) {
        u32 middle = low + (high - low) / 2;
        if (wanted[middle].firstItem <= item) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

AISIO_BOTH u32 runOf(const Run* runs, u32 n, u32 item) {
    u32 low = 0;
    u32 high = n;
    while (high - low > 1) {
        u32 middle = low + (high - low) / 2;
        if (runs[middle].firstItem <= item) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

// The item of a file that goes to `at`.
AISIO_BOTH Item itemOf(const Parameters* p, const File* file, const Run* runs, u64 at, u32 item) {
    const Run* run = runs + file->firstRun;
    run += runOf(run, file->runs, item);
    u64 done = (u64)(item - run->firstItem) * p->ioBytes;
    u64 rest = run->bytes - done;
    u64 bytes = rest < p->ioBytes ? rest : p->ioBytes;
    u64 end = run->offset + done + bytes;
    u64 tail = end == file->size ? roundUp(file->size, p->unit) - file->size : 0;
    Item one;
    one.at = at + run->offset + done;
    if (run->lba == ZEROS) {
        one.lba = ZEROS;
        one.bytes = (u32)(bytes + tail);
        one.tail = 0;
        one.tailAt = 0;
    } else {
        one.lba = run->lba + (done >> p->lbaShift);
        one.bytes = (u32)roundUp(bytes, 1ull << p->lbaShift);
        one.tail = (u32)tail;
        one.tailAt = at + file->size;
    }
    return one;
}

// The PRP entries of memory that begins at `at` of the slots'. Entries of a list lie in one page: if not in the first copy of
// them, then in the second.
AISIO_BOTH void prpsOf(const Parameters* p, u64 at, u32 bytes, u64* prp1, u64* prp2) {
    const u64* pages = (const u64*)p->pages;
    u64 page = at >> PAGE_SHIFT;
    u32 begin = (u32)(at & (PAGE - 1));
    u32 more = (begin + bytes - 1) >> PAGE_SHIFT;
    *prp1 = pages[page] + begin;
    if (more == 0) {
        *prp2 = 0;
    } else if (more == 1) {
        *prp2 = pages[page + 1];
    } else {
        u64 entry = page + 1;
        if ((entry & (LIST - 1)) + more > LIST) {
            entry += p->second + SHIFTED;
        }
        *prp2 = ((const u64*)p->lists)[entry / LIST] + (entry & (LIST - 1)) * 8;
    }
}

}  // namespace epoch
}  // namespace aisio
