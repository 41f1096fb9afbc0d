// What a block of data looks like that says who it is: what verification writes and looks for. io.aisio.cuda.BlockPattern is the
// same for the host.
#pragma once

#include <aisio/nvme.cuh>

namespace aisio {

// Word `index` of a logical block of so many words: the first is the LBA, the others follow from seed, generation, LBA and index.
__device__ __forceinline__ u64 patternWord(u64 seed, u64 lba, u32 index) {
    if (index == 0) {
        return lba;
    }
    u64 z = seed + (lba * 4096 + index) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// The seed of a generation: what was written last must not look like what was written before.
__device__ __forceinline__ u64 generationSeed(u64 seed, u64 generation) {
    return seed ^ (generation + 1) * 0xD1342543DE82EF95ull;
}

}  // namespace aisio
