// What is done with memory on the GPU beside commands: filling it, and checksums of what was read into it.

/** A range of memory that the GPU reaches; io.aisio.cuda.Checksums writes them. */
struct aisio_range {
    unsigned long long address;
    unsigned long long bytes;
};

/**
 * Fills memory with a value of 8 bytes, over and over.
 *
 * address  a multiple of 8
 * bytes    any; the last value is cut off
 */
extern "C" __global__ void aisio_fill(unsigned long long address, unsigned long long bytes, unsigned long long value) {
    unsigned long long *words = (unsigned long long *) address;
    unsigned long long first = blockIdx.x * (unsigned long long) blockDim.x + threadIdx.x;
    unsigned long long all = gridDim.x * (unsigned long long) blockDim.x;
    for (unsigned long long i = first; i < bytes / 8; i += all) {
        words[i] = value;
    }
    if (first < bytes % 8) {
        unsigned char *rest = (unsigned char *) (words + bytes / 8);
        rest[first] = (unsigned char) (value >> (8 * first));
    }
}

// CRC-32C (RFC 3720, appendix B.4): polynomials over GF(2) modulo this one, each as 32 bits of which the highest is the
// coefficient of x^0.
#define AISIO_CRC32C 0x82f63b78u

/** The product of two polynomials. */
static __device__ unsigned aisio_crc_times(unsigned a, unsigned b) {
    unsigned product = 0;
    for (int i = 31; i >= 0; i--) {
        product ^= (0u - ((a >> i) & 1u)) & b;
        b = (b >> 1) ^ ((0u - (b & 1u)) & AISIO_CRC32C);
    }
    return product;
}

/** x to a power. */
static __device__ unsigned aisio_crc_power(unsigned long long exponent) {
    unsigned power = 0x80000000u;
    for (unsigned square = 0x40000000u; exponent != 0; exponent >>= 1) {
        if (exponent & 1) {
            power = aisio_crc_times(power, square);
        }
        square = aisio_crc_times(square, square);
    }
    return power;
}

/** The state after one byte more. */
static __device__ unsigned aisio_crc_byte(unsigned state, unsigned char byte) {
    state ^= byte;
    for (int i = 0; i < 8; i++) {
        state = (state >> 1) ^ ((0u - (state & 1u)) & AISIO_CRC32C);
    }
    return state;
}

/**
 * The CRC-32C of each range, one block a range at a time. Thread t of T takes words t, t + T, …, so that what a warp reads
 * lies together: between two of its words the sum is multiplied by x^(32 T), by tables of 4 × 256 products, and in the end by
 * what brings its last word to its place. The words are counted from the range's end, as if zeroes were before it.
 *
 * Threads of a block: a multiple of 32, at most 1024.
 */
extern "C" __global__ void aisio_crc32c(const aisio_range *ranges, unsigned count, unsigned *sums) {
    __shared__ unsigned table[4][256];
    __shared__ unsigned warps[32];
    const unsigned threads = blockDim.x;
    const unsigned t = threadIdx.x;
    const unsigned step = aisio_crc_power(32ull * threads);
    for (unsigned i = t; i < 4 * 256; i += threads) {
        table[i / 256][i % 256] = aisio_crc_times((i % 256) << (8 * (i / 256)), step);
    }
    const unsigned to_end = aisio_crc_power(32ull * (threads - t));
    __syncthreads();

    for (unsigned range = blockIdx.x; range < count; range += gridDim.x) {
        const unsigned char *bytes = (const unsigned char *) ranges[range].address;
        unsigned long long length = ranges[range].bytes;
        // Before the first whole word; every thread does it, for all need to know where words begin.
        unsigned state = 0xffffffffu;
        for (; length > 0 && ((unsigned long long) bytes & 3) != 0; length--) {
            state = aisio_crc_byte(state, *bytes++);
        }
        const unsigned *words = (const unsigned *) bytes;
        const unsigned long long whole = length / 4;
        const unsigned long long rounds = (whole + threads - 1) / threads;
        // Of the words that are thought to be before the range.
        const unsigned long long before = rounds * threads - whole;
        unsigned sum = 0;
#pragma unroll 4
        for (unsigned long long i = t; i < rounds * threads; i += threads) {
            unsigned word = i < before ? 0 : words[i - before];
            if (i == before) {
                word ^= state;
            }
            sum = table[0][sum & 255] ^ table[1][(sum >> 8) & 255] ^ table[2][(sum >> 16) & 255] ^ table[3][sum >> 24]
                ^ word;
        }
        sum = aisio_crc_times(sum, to_end);
        for (int lane = 16; lane > 0; lane /= 2) {
            sum ^= __shfl_xor_sync(0xffffffffu, sum, lane);
        }
        if (t % 32 == 0) {
            warps[t / 32] = sum;
        }
        __syncthreads();
        if (t == 0) {
            if (whole != 0) {
                state = 0;
                for (unsigned i = 0; i < threads / 32; i++) {
                    state ^= warps[i];
                }
            }
            for (unsigned i = 0; i < length % 4; i++) {
                state = aisio_crc_byte(state, bytes[4 * whole + i]);
            }
            sums[range] = ~state;
        }
        // The sums of the warps are read before they are written for the next range.
        __syncthreads();
    }
}
