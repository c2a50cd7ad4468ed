// What the files of this target share.
#ifndef RYZ_KERNELS_H
#define RYZ_KERNELS_H

#include <math.h>

#include "CKernels.h"

// What a tile is multiplied with besides activations. Ternary products are exact and need no segments.
typedef struct {
    size_t segment;         // in blocks; 0: none
    size_t group_blocks;    // layouts B1 … B4
    const uint8_t *tables;  // of the only row of activations; NULL: multiply and add
    bool as_sums;           // the integers are wanted as they are, before they become floats
    ryz_prefetch prefetch;
} ryz_tile_shape;

// What a tile gives for one row of activations: floats, or sums of one of two kinds; see RYZ_SUMS.
typedef union {
    float values[RYZ_TILE_ROWS];
    int32_t exact[RYZ_TILE_ROWS];
    int64_t fixed[RYZ_TILE_ROWS];
} ryz_tile_row;

// Rows of activations that stay in the cache while all of a thread's tiles go past them.
enum { ROW_CHUNK = 64 };

// One tile times `rows` rows of activations from `row` on, ROW_CHUNK at most.
typedef void (*ryz_tile_function)(const void *tile, const ryz_tile_shape *shape, const ryz_activations *x, size_t row,
                                  size_t rows, ryz_tile_row *out);

// What a nibble of weights chooses from: subsets of four activations, or signed sums of three.
typedef enum { RYZ_QUADS = 0, RYZ_TRIPLES = 1, RYZ_TABLE_KINDS = 2 } ryz_table_kind;
// Makes the tables of one row of quantised activations; see planes.h.
typedef void (*ryz_table_function)(const int8_t *q, size_t columns, uint8_t *tables);

#define RYZ_ATTEND_ARGUMENTS                                                                        \
    const ryz_kv_layer *kv, size_t head, const uint32_t *blocks, const float *const *q, const size_t *visible, \
        size_t rows, float scale, float *const *out, float *scratch
// Query vectors `q` of one KV head, the i-th of which sees the first `visible[i]` keys, never fewer than the one before.
typedef void (*ryz_attend_function)(RYZ_ATTEND_ARGUMENTS);
typedef uint64_t (*ryz_dot_peak_function)(uint64_t iterations);
typedef uint64_t (*ryz_read_function)(const uint8_t *memory, size_t lines);

typedef struct {
    void (*rms_norm)(const float *x, const float *weight, float *out, size_t columns, float epsilon);
    void (*quantise_blocks)(const float *x, size_t columns, int8_t *quantised, float *scales, float *sums,
                            int32_t *counts);
    float (*weigh)(float *x, const float *weight, size_t columns, size_t segment, float *squares);
    float (*largest_magnitude)(const float *x, size_t columns);
    void (*quantise_row)(const float *x, size_t columns, float maximum, int8_t *quantised, float *scale, float *sum,
                         int32_t *count);
    void (*gated[RYZ_GATE_COUNT])(const float *gate, const float *up, float *y);
    void (*chunk_summary)(const float *x, size_t count, float *maximum, float *sum);
    void (*exp_scaled)(const float *x, float shift, float scale, float *out, size_t count);
    void (*rotate)(float *head, const float *cosines, const float *sines, size_t rotated, bool halves);
    void (*store_half)(const float *x, uint16_t *out, size_t count);
    void (*store_key)(const float *x, uint16_t *group, size_t lane, size_t count);
} ryz_elementwise_functions;

struct ryz_kernels {
    const ryz_tile_function *tiles;    // by ryz_layout
    const ryz_table_function *tables;  // by ryz_table_kind
    const ryz_elementwise_functions *elementwise;
    ryz_attend_function attend;
    ryz_dot_peak_function dot_peak;
    ryz_read_function read_lines;
};

static inline float ryz_norm_factor(float squares, size_t columns, float epsilon) {
    return 1.0f / sqrtf(squares / (float)columns + epsilon);
}

// What a fixed-point sum of segments stands for.
static inline float ryz_fixed_value(int64_t fixed) { return (float)((double)fixed * 0x1p-32); }

// Natural logarithm, the same bits everywhere; x > 0 and normal.
double ryz_log(double x);

// What a thread fetches of memory that it will read: so much of each of two regions, which a second-level cache of 512 KiB
// holds beside what a task works with.
enum { RYZ_FORESEEN_REGIONS = 2, RYZ_FORESEEN_MAX = 1 << 17 };
// Tells what a thread will read after the next ryz_pool_look_ahead. From then on it fetches that whenever it waits for a
// task, or for other threads.
void ryz_pool_foresee(ryz_pool *pool, int thread, int region, const void *memory, size_t bytes);
void ryz_pool_look_ahead(ryz_pool *pool);

// Part `part` of [0, count) cut into `parts`.
static inline void ryz_share(size_t count, size_t part, size_t parts, size_t *begin, size_t *end) {
    *begin = count * part / parts;
    *end = count * (part + 1) / parts;
}

#endif
