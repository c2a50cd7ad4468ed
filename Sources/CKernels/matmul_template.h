// Matrix times activations, one tile of 16 rows at a time, for every weight type. One lane is one row: a row's sum is
// walked block by block in order, whatever the instruction set, the number of tokens or of threads.
//
// Included by matmul_{portable,avx2,avx512}.c after the vector and dot headers.

// Sums outside ±2¹⁸ are cut off before they enter the fixed-point accumulator, the same everywhere.
static inline void add_segment(int64_t *fixed, vf sum) {
    const vf limit = vf_set1(262144.0f);
    vf_add_fixed(fixed, vf_max(vf_min(sum, limit), vf_sub(vf_set1(0), limit)));
}

// Gives out what segments came to, as they are or as floats.
static inline void store_fixed(const int64_t fixed[][16], const ryz_tile_shape *shape, const int T, ryz_tile_row *out) {
    for (int t = 0; t < T; t++)
        if (shape->as_sums)
            memcpy(out[t].fixed, fixed[t], sizeof out[t].fixed);
        else
            for (int i = 0; i < 16; i++) out[t].values[i] = ryz_fixed_value(fixed[t][i]);
}

// Adds one block of a tile times T rows of activations to sum[t]. `b` is the block's index.
#define BLOCK_ARGUMENTS \
    const uint8_t *w, const ryz_activations *x, size_t row, size_t blocks, size_t b, const int T, vf *sum
typedef void (*block_function)(BLOCK_ARGUMENTS);

INLINE void block_q4_1(BLOCK_ARGUMENTS) {
    const float *scales = x->scales + row * blocks + b, *sums = x->sums + row * blocks + b;
    vi dots[T];
    dot_nibbles(w, x->quantised + row * x->columns + b * 32, x->columns, T, dots);
    vf d = vf_from_half((const uint16_t *)(w + 256)), m = vf_from_half((const uint16_t *)(w + 288));
    EACH_TOKEN {
        sum[t] = vf_fma(vi_float(dots[t]), vf_mul(d, vf_set1(scales[t * blocks])), sum[t]);
        sum[t] = vf_fma(m, vf_set1(sums[t * blocks]), sum[t]);
    }
}

INLINE void block_q4_0(BLOCK_ARGUMENTS) {
    const float *scales = x->scales + row * blocks + b;
    const int32_t *counts = x->counts + row * blocks + b;
    vi dots[T];
    dot_nibbles(w, x->quantised + row * x->columns + b * 32, x->columns, T, dots);
    vf d = vf_from_half((const uint16_t *)(w + 256));
    EACH_TOKEN {
        vi centred = vi_subtract(dots[t], 8 * counts[t * blocks]);
        sum[t] = vf_fma(vi_float(centred), vf_mul(d, vf_set1(scales[t * blocks])), sum[t]);
    }
}

INLINE void block_r8(BLOCK_ARGUMENTS) {
    const float *scales = x->scales + row * blocks + b;
    vi dots[T];
    dot_bytes((const int8_t *)w, x->quantised + row * x->columns + b * 32, x->columns, x->counts + row * blocks + b,
              blocks, T, dots);
    EACH_TOKEN sum[t] = vf_fma(vi_float(dots[t]), vf_set1(scales[t * blocks]), sum[t]);
}

INLINE void block_q8_0(BLOCK_ARGUMENTS) {
    const float *scales = x->scales + row * blocks + b;
    vi dots[T];
    dot_bytes((const int8_t *)w, x->quantised + row * x->columns + b * 32, x->columns, x->counts + row * blocks + b,
              blocks, T, dots);
    vf d = vf_from_half((const uint16_t *)(w + 512));
    EACH_TOKEN sum[t] = vf_fma(vi_float(dots[t]), vf_mul(d, vf_set1(scales[t * blocks])), sum[t]);
}

// Float weights: a block's even and odd columns have a sum each.
INLINE void block_floats(BLOCK_ARGUMENTS, const size_t width, vf (*load)(const void *)) {
    (void)blocks;
    const float *a = x->values + row * x->columns + b * 32;
    vf even[T], odd[T];
    EACH_TOKEN even[t] = odd[t] = vf_set1(0);
    for (size_t k = 0; k < 32; k += 2) {
        vf w0 = load(w + k * 16 * width), w1 = load(w + (k + 1) * 16 * width);
        EACH_TOKEN {
            even[t] = vf_fma(w0, vf_set1(a[t * x->columns + k]), even[t]);
            odd[t] = vf_fma(w1, vf_set1(a[t * x->columns + k + 1]), odd[t]);
        }
    }
    EACH_TOKEN sum[t] = vf_add(sum[t], vf_add(even[t], odd[t]));
}
INLINE vf load_f32(const void *p) { return vf_load(p); }
INLINE vf load_f16(const void *p) { return vf_from_half(p); }
INLINE vf load_bf16(const void *p) { return vf_from_bfloat(p); }
INLINE void block_f32(BLOCK_ARGUMENTS) { block_floats(w, x, row, blocks, b, T, sum, 4, load_f32); }
INLINE void block_f16(BLOCK_ARGUMENTS) { block_floats(w, x, row, blocks, b, T, sum, 2, load_f16); }
INLINE void block_bf16(BLOCK_ARGUMENTS) { block_floats(w, x, row, blocks, b, T, sum, 2, load_bf16); }

// One tile times T rows of activations. With segments, each one's sum enters a fixed-point accumulator, where the order of
// additions no longer matters.
INLINE void tile_times_rows(const uint8_t *w, const size_t block_bytes, block_function block, size_t blocks,
                            const ryz_tile_shape *shape, const ryz_activations *x, size_t row, const int T,
                            ryz_tile_row *out) {
    const size_t segment = shape->segment;
    vf sum[T];
    EACH_TOKEN sum[t] = vf_set1(0);
    if (!segment) {
        for (size_t b = 0; b < blocks; b++, w += block_bytes) {
            if (T == 1) prefetch_lines(w, block_bytes, shape->prefetch);
            block(w, x, row, blocks, b, T, sum);
        }
        EACH_TOKEN vf_store(out[t].values, sum[t]);
        return;
    }
    int64_t fixed[T][16];
    memset(fixed, 0, sizeof fixed);
    for (size_t b = 0; b < blocks;) {
        for (size_t end = b + segment < blocks ? b + segment : blocks; b < end; b++, w += block_bytes) {
            if (T == 1) prefetch_lines(w, block_bytes, shape->prefetch);
            block(w, x, row, blocks, b, T, sum);
        }
        EACH_TOKEN {
            add_segment(fixed[t], sum[t]);
            sum[t] = vf_set1(0);
        }
    }
    store_fixed(fixed, shape, T, out);
}

// All rows of activations of a chunk, in groups that fit the registers.
#define GROUP_ARGUMENTS \
    const uint8_t *w, const ryz_tile_shape *shape, const ryz_activations *x, size_t row, const int T, ryz_tile_row *out
typedef void (*group_function)(GROUP_ARGUMENTS);

INLINE void in_groups(group_function group, const int most, const uint8_t *w, const ryz_tile_shape *shape,
                      const ryz_activations *x, size_t row, size_t rows, ryz_tile_row *out) {
    const size_t end = row + rows;
    for (; most >= 8 && row + 8 <= end; row += 8, out += 8) group(w, shape, x, row, 8, out);
    for (; most >= 4 && row + 4 <= end; row += 4, out += 4) group(w, shape, x, row, 4, out);
    for (; row + 2 <= end; row += 2, out += 2) group(w, shape, x, row, 2, out);
    for (; row < end; row++, out++) group(w, shape, x, row, 1, out);
}

#define TILE_FUNCTION(LAYOUT, MOST)                                                                               \
    static void tiles_##LAYOUT(const void *tile, const ryz_tile_shape *shape, const ryz_activations *x, size_t row, \
                               size_t rows, ryz_tile_row *out) {                                                  \
        in_groups(group_##LAYOUT, MOST, tile, shape, x, row, rows, out);                                          \
    }
#define BLOCK_TILE_FUNCTION(LAYOUT, BLOCK_BYTES, MOST)                                                   \
    INLINE void group_##LAYOUT(GROUP_ARGUMENTS) {                                                        \
        tile_times_rows(w, BLOCK_BYTES, block_##LAYOUT, x->columns / 32, shape, x, row, T, out);          \
    }                                                                                                    \
    TILE_FUNCTION(LAYOUT, MOST)
#define TERNARY_TILE_FUNCTION(LAYOUT, COLUMNS)                                                                    \
    static void tiles_##LAYOUT(const void *tile, const ryz_tile_shape *shape, const ryz_activations *x, size_t row, \
                               size_t rows, ryz_tile_row *out) {                                                  \
        ternary_tile(tile, COLUMNS, unpack_##LAYOUT, LAYOUT##_once, shape, x, row, rows, out);                    \
    }

// The scales of the 16 rows stand behind the last block.
INLINE void group_r8(GROUP_ARGUMENTS) {
    const size_t blocks = x->columns / 32;
    tile_times_rows(w, 512, block_r8, blocks, shape, x, row, T, out);
    vf scale = vf_load((const float *)(w + blocks * 512));
    EACH_TOKEN vf_store(out[t].values, vf_mul(vf_load(out[t].values), scale));
}

BLOCK_TILE_FUNCTION(f32, 2048, 2)
BLOCK_TILE_FUNCTION(f16, 1024, 2)
BLOCK_TILE_FUNCTION(bf16, 1024, 2)
BLOCK_TILE_FUNCTION(q8_0, 544, TOKENS_MAX)
BLOCK_TILE_FUNCTION(q4_0, 288, TOKENS_MAX)
BLOCK_TILE_FUNCTION(q4_1, 320, TOKENS_MAX)
TILE_FUNCTION(r8, TOKENS_MAX)
#include "ternary_template.h"
TERNARY_TILE_FUNCTION(t2, T2_COLUMNS)
TERNARY_TILE_FUNCTION(t5, T5_COLUMNS)
TERNARY_TILE_FUNCTION(i5, T5_COLUMNS)
#include "lookup_template.h"

const ryz_tile_function NAMED(ryz_tile_functions)[RYZ_LAYOUT_COUNT] = {
    [RYZ_F32] = tiles_f32,   [RYZ_F16] = tiles_f16,   [RYZ_BF16] = tiles_bf16, [RYZ_Q8_0] = tiles_q8_0,
    [RYZ_Q4_0] = tiles_q4_0, [RYZ_Q4_1] = tiles_q4_1, [RYZ_R8] = tiles_r8,     [RYZ_T2] = tiles_t2,
    [RYZ_T5] = tiles_t5,     [RYZ_I5] = tiles_i5,     [RYZ_L3] = tiles_l3,     [RYZ_B1] = tiles_b1,
    [RYZ_B2] = tiles_b2,     [RYZ_B3] = tiles_b3,     [RYZ_B4] = tiles_b4,
};

// The most int8 multiply-adds there can be, from registers.
uint64_t NAMED(ryz_dot_peak)(uint64_t iterations) {
    return dot_peak(iterations);
}

// Reads lines of 64 bytes, as fast as registers of this width can.
uint64_t NAMED(ryz_read_lines)(const uint8_t *memory, size_t lines) {
    return read_lines(memory, lines);
}
