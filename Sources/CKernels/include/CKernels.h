// Compute kernels: one source for each operation, compiled for each instruction set, chosen at run time.
//
// Every operation gives the same bits on every instruction set and for every number of threads: float sums have one
// defined order (16 virtual lanes, then one fixed tree, or one lane walked in order), multiply-adds are fused where
// they are written so, and transcendental functions are our own polynomials.
//
// Callers check shapes; nothing here does.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Rows are packed in tiles of this many, and the inner dimension in blocks of this many weights.
enum { RYZ_TILE_ROWS = 16, RYZ_BLOCK = 32 };
// Keys per attention block, and logits per normalisation chunk: both fixed for ever, as results depend on them.
enum { RYZ_KEY_BLOCK = 256, RYZ_VOCABULARY_CHUNK = 512 };

typedef enum { RYZ_ISA_PORTABLE = 0, RYZ_ISA_AVX2 = 1, RYZ_ISA_AVX512 = 2 } ryz_isa;

// The best instruction set of this CPU.
ryz_isa ryz_isa_detect(void);

// Layouts of weights in tiles, in the order of the kernel tables. The first ones are also types of checkpoints.
typedef enum {
    RYZ_F32 = 0,
    RYZ_F16 = 1,
    RYZ_BF16 = 2,
    RYZ_Q8_0 = 3,
    RYZ_Q4_0 = 4,
    RYZ_Q4_1 = 5,
    RYZ_BLOCK_TYPE_COUNT = 6,
    // Eight bits, one float32 scale for each row.
    RYZ_R8 = 6,
    // Ternary weights: two bits each, and five to a byte, which is a fraction or an index. They take activations of one
    // scale for each row.
    RYZ_T2 = 7,
    RYZ_T5 = 8,
    RYZ_I5 = 9,
    // Ternary weights, three to an index of five bits, for look-ups.
    RYZ_L3 = 10,
    // One to four bits, scale · code + minimum for each group of columns, in bit planes for look-ups.
    RYZ_B1 = 11,
    RYZ_B2 = 12,
    RYZ_B3 = 13,
    RYZ_B4 = 14,
    RYZ_LAYOUT_COUNT = 15
} ryz_layout;

// Bytes of one tile: 16 rows of `columns` weights, with their scales. `group_blocks` is the number of blocks of 32
// columns that share scale and minimum, for layouts that have such groups.
size_t ryz_tile_bytes(ryz_layout layout, size_t columns, size_t group_blocks);
// Bytes of one block of 32 weights of one row as checkpoints store it; block types only.
size_t ryz_source_block_bytes(ryz_layout type);

// Packs rows [first_row, first_row + row_count) of a row-major checkpoint tensor of `columns` columns (a multiple of
// 32) into tiles; rows past the end of the last tile are zero. `block_begin` and `block_end` cut the columns.
void ryz_pack(ryz_layout type, const void *source, size_t columns, size_t first_row, size_t row_count,
              size_t block_begin, size_t block_end, void *tiles);
// Decodes one row of a checkpoint tensor to float32.
void ryz_decode_row(ryz_layout type, const void *source, size_t columns, size_t row, float *out);
// Packs up to 16 rows of float32 weights into one tile of RYZ_R8: w ≈ scale · q, scale = max|w| / 127 over the row.
void ryz_pack_rows_8bit(const float *rows, size_t row_count, size_t columns, void *tile);

// What quantising lost: sums over all weights.
typedef struct {
    double squared_error;
    double squared_weights;
} ryz_loss;

// Packs up to 16 rows of float32 weights into one tile of RYZ_B1 … RYZ_B4, choosing scales and minimums by least squares.
ryz_loss ryz_pack_groups(ryz_layout layout, size_t group_blocks, const float *rows, size_t row_count, size_t columns,
                         void *tile);
// Decodes one of the 16 rows of such a tile.
void ryz_decode_groups(ryz_layout layout, size_t group_blocks, const void *tile, size_t columns, size_t row, float *out);

// How checkpoints store ternary weights.
typedef enum {
    RYZ_TERNARY_QUARTERS = 0,  // [rows / 4 × columns] bytes; bits 2 k and 2 k + 1 belong to row k · rows / 4 + byte row
    RYZ_TERNARY_TQ1_0 = 1,     // GGUF, blocks of 256
    RYZ_TERNARY_TQ2_0 = 2,     // GGUF, blocks of 256
    RYZ_TERNARY_I2_S = 3       // bitnet.cpp, blocks of 128 over the whole tensor
} ryz_ternary_source;

// Bytes of `rows` × `columns` weights, without what may follow them; 0 if the shape is not one the form can have.
size_t ryz_ternary_source_bytes(ryz_ternary_source form, size_t rows, size_t columns);
// Decodes one row to −1, 0 and 1. Returns how many of its codes stand for none of these, and how many of its blocks, in
// forms that have a scale for each, have another than `scale`.
size_t ryz_decode_ternary_row(ryz_ternary_source form, const void *source, size_t rows, size_t columns, size_t row,
                              float scale, int8_t *out);
// Packs up to 16 rows [row_count × columns] of −1, 0 and 1 into one tile of a ternary layout.
void ryz_pack_ternary(ryz_layout layout, const int8_t *rows, size_t row_count, size_t columns, void *tile);
// The other way about: some columns of all 16 rows of a tile, [16 × column_count].
void ryz_unpack_ternary(ryz_layout layout, const void *tile, size_t first_column, size_t column_count, int8_t *rows);

// Copies tiles of RYZ_T2, RYZ_T5 or RYZ_I5 as those of another of these. `tiles` have passed ryz_check_tiles.
void ryz_recode_ternary(ryz_layout from, ryz_layout to, const void *tiles, size_t tile_count, size_t columns, void *out);

// Whether tiles that come from a file are such as the functions above write, as far as kernels rely on it: 0 if so.
size_t ryz_check_tiles(ryz_layout layout, const void *tiles, size_t rows, size_t columns, size_t group_blocks);

// MARK: threads

typedef struct ryz_pool ryz_pool;
// One part of a task, on the thread of this number.
typedef void (*ryz_task)(void *context, size_t part, int thread);

// A pool of `count` threads, the caller being the first. `cpus` (count entries, or NULL for none) pins them; the caller
// is pinned too, so it must be the thread that runs tasks. Returns NULL and sets errno on failure.
ryz_pool *ryz_pool_create(int count, const int *cpus);
void ryz_pool_destroy(ryz_pool *pool);
int ryz_pool_thread_count(const ryz_pool *pool);
// The processors that the calling thread may run on, ascending; fills at most `capacity` and returns how many.
int ryz_allowed_cpus(int32_t *cpus, int capacity);
// Lets the calling thread, and what it starts from now on, run on these processors only. Returns 0, or -1 with errno.
int ryz_set_allowed_cpus(const int32_t *cpus, int count);
// Runs parts 0 to `parts` − 1 of a task, each once, on whichever threads have time, and returns when all are done.
void ryz_pool_run(ryz_pool *pool, size_t parts, ryz_task task, void *context);

// MARK: a compute context: pool and instruction set

typedef struct ryz_kernels ryz_kernels;

typedef struct {
    ryz_pool *pool;
    const ryz_kernels *kernels;
    uint8_t *tables;     // room for the tables of one row of activations, or NULL
    size_t table_bytes;  // products that need more are multiplied and added
} ryz_compute;

// Bytes that the tables of a row of activations take for a matrix that is looked up; 0 for other layouts.
size_t ryz_table_bytes(ryz_layout layout, size_t columns);

const ryz_kernels *ryz_kernels_for(ryz_isa isa);

// MARK: activations

// Rows of activations as the matrix kernels read them: float32, and int8 with a scale for each group of columns. A
// group is a block of 32, or as ternary layouts want it the whole row, or a segment of it.
typedef struct {
    const float *values;     // [rows × columns]
    int8_t *quantised;       // [rows × stride], readable for 64 bytes more
    float *scales;           // [rows × groups]
    float *sums;             // [rows × groups]: scale × counts
    int32_t *counts;         // [rows × groups]: sum of the group's int8 values
    float *factors;          // [rows], segments only: what the sums over all segments are multiplied by
    size_t columns;
    size_t groups;           // columns / 32, or 1, or the number of segments
    size_t stride;           // columns, or ryz_segment_stride for each segment
    size_t segment_columns;  // of each segment, but perhaps the last; a multiple of 32. 0: there are none
    bool by_rows;            // a group is a whole row
} ryz_activations;

// The int8 values of each segment stand between zeroes, so that steps of ternary tiles may begin before the segment and
// end behind it.
enum { RYZ_SEGMENT_MARGIN = 24 };
static inline size_t ryz_segment_stride(size_t segment_columns) {
    return (segment_columns + 2 * RYZ_SEGMENT_MARGIN + 63) / 64 * 64;
}

// out[r] = x[r] / sqrt(mean(x[r]²) + epsilon) · weight; x may be out.
void ryz_rms_norm(ryz_compute compute, const float *x, const float *weight, float *out, size_t rows, size_t columns,
                  float epsilon);
// Fills everything else from `values`.
void ryz_quantise(ryz_compute compute, ryz_activations activations, size_t rows);

// A norm of whose columns different nodes may hold different segments, in front of a ternary product. Its factor scales
// whole rows, so the grid that they are rounded to does not depend on it, and it comes in last:
// 1. x = x · weight. `squares` [rows × stride] gets the sums of the squares of x before that over each `segment` columns
//    (a multiple of 16), `maxima` the largest magnitudes after it.
void ryz_weigh(ryz_compute compute, float *x, const float *weight, size_t rows, size_t columns, size_t segment,
               float *squares, size_t squares_stride, float *maxima);
// Or, without a norm, only the largest magnitudes, or 10⁻⁵ where that is larger.
void ryz_measure(ryz_compute compute, const float *x, size_t rows, size_t columns, float *maxima);
// 2. Rounds rows with the largest magnitudes of all nodes.
void ryz_quantise_within(ryz_compute compute, ryz_activations activations, size_t rows, const float *maxima);
//    Rows of segments are rounded by ryz_quantise instead, each segment with its own largest magnitude.
// 3. Multiplies the scales, or factors, by 1 / sqrt(mean of the squares + epsilon), of all segments in order.
void ryz_apply_norm(ryz_activations activations, size_t rows, const float *squares, size_t squares_stride,
                    size_t segment_count, size_t norm_columns, float epsilon);

// MARK: matrices

// What is asked of memory in advance when a matrix is read, besides what the processor does by itself: with ternary layouts and
// bit planes for any number of rows of activations, with others for one. Shares of what reading alone reaches, one row, two
// threads: on Sapphire Rapids 97 % near, as a core that unpacks what it reads keeps too few lines in flight; on Zen 5 96 to 98 %
// far, 82 to 89 % near; on Zen 4 eight bits a weight 98 % by hardware, 73 % far, but five ternary weights to a byte 73 and 83 %.
typedef enum {
    RYZ_PREFETCH_HARDWARE = 0,  // nothing
    RYZ_PREFETCH_FAR = 1,       // 8 KiB ahead, into the second-level cache
    RYZ_PREFETCH_NEAR = 2,      // that, and 1 KiB ahead into the first
} ryz_prefetch;

// What mostly suits this processor for a layout.
ryz_prefetch ryz_usual_prefetch(ryz_layout layout);

typedef struct {
    const void *tiles;      // [rows / 16] tiles
    ryz_layout layout;
    size_t rows;            // not padded
    size_t columns;
    size_t segment_blocks;  // > 0: sums of so many blocks are combined in fixed point; 0: one sum in order
    float scale;            // ternary layouts: what every product is multiplied by
    size_t group_blocks;    // RYZ_B1 … RYZ_B4: blocks that share a scale and a minimum
    bool look_up;           // RYZ_L3, RYZ_B1 … RYZ_B4: one row of activations is looked up, with the same result
    ryz_prefetch prefetch;
} ryz_matrix;

typedef enum {
    RYZ_STORE = 0,       // y = W x
    RYZ_ACCUMULATE = 1,  // y = y + W x
    // y is integers that add up to W x over parts of the inner dimension, in any order: int32 dot products for ternary
    // layouts and whole rows, else int64 sums of segments in fixed point. See ryz_add_sums.
    RYZ_SUMS = 2
} ryz_output_mode;

typedef struct {
    ryz_matrix matrix;
    void *y;          // [rows of x × stride], float32 or integers
    size_t y_stride;  // elements from one row of y to the next
    ryz_output_mode mode;
} ryz_product;

// Several matrices times the same activations.
void ryz_multiply(ryz_compute compute, const ryz_product *products, size_t product_count, ryz_activations x,
                  size_t rows);
// Tells what is multiplied after the next product: from the beginning of that one on, threads fetch the beginnings of
// their parts of it whenever they have nothing else to do.
void ryz_foresee(ryz_compute compute, const ryz_product *products, size_t product_count);
void ryz_foresee_gated(ryz_compute compute, ryz_matrix gate, ryz_matrix up);
// Whether a layout holds −1, 0 and 1, and so takes activations of one scale for each row.
static inline bool ryz_is_ternary(ryz_layout layout) { return layout >= RYZ_T2 && layout <= RYZ_L3; }
// y [rows × columns] = y + W x, of which `sums` [rows × stride] are the integers that RYZ_SUMS gave, added up over all
// parts. For ternary layouts, `factors` are the activations' scales of rows or their factors, and `scale` is the matrix's;
// else they are NULL and 1. Gives the bits of RYZ_ACCUMULATE.
void ryz_add_sums(ryz_compute compute, bool exact, const void *sums, size_t sums_stride, const float *factors,
                  float scale, float *y, size_t rows, size_t columns);
// How nodes' integers are combined, element by element. The bits of floats that are not negative can be taken for int32.
typedef enum { RYZ_ADD_32 = 0, RYZ_ADD_64 = 1, RYZ_MAXIMUM_32 = 2 } ryz_combination;
void ryz_combine(ryz_combination combination, void *sums, const void *others, size_t count);

// What is done to the gate of a gated feed-forward layer.
typedef enum {
    RYZ_SILU = 0,          // g / (1 + exp(−g))
    RYZ_SQUARED_RELU = 1,  // max(g, 0)²
    RYZ_GATE_COUNT = 2
} ryz_gate;

// y = activation(gate x) · (up x); both matrices have as many rows.
void ryz_multiply_gated(ryz_compute compute, ryz_gate activation, ryz_matrix gate, ryz_matrix up, ryz_activations x,
                        float *y, size_t y_stride, size_t rows);

// MARK: attention

// Where the keys and values of one layer lie. Blocks of RYZ_KEY_BLOCK positions; in a block, for each KV head, keys as
// [position / 16][head_dimension][16] and values as [position][head_dimension].
typedef struct {
    uint8_t *base;         // of the layer, in block 0
    size_t width;          // bytes of an element: 2 for float16, 4 for float32
    size_t block_stride;   // bytes from one block to the next
    size_t head_count;     // KV heads
    size_t head_dimension; // a multiple of 16
} ryz_kv_layer;

// Consecutive tokens of one sequence in a batch.
typedef struct {
    size_t first_row;        // in the batch
    size_t row_count;
    size_t start_position;
    const uint32_t *blocks;  // block numbers of the sequence, for positions 0, 256, …
} ryz_attention_span;

typedef struct {
    const float *cosines;  // [position × rotated / 2]
    const float *sines;
    size_t rotated;        // dimensions that are rotated
    bool halves;           // pairs (i, i + rotated / 2) instead of (2 i, 2 i + 1)
} ryz_rope;

// Rotates queries in place and keys on their way into the cache, and stores values.
// qkv: [rows × qkv_stride], queries, keys and values of all heads side by side.
void ryz_rope_store(ryz_compute compute, ryz_rope rope, ryz_kv_layer kv, const ryz_attention_span *spans,
                    size_t span_count, float *qkv, size_t qkv_stride, size_t query_head_count);
// out: [rows × out_stride]. Causal attention of every row over its sequence so far.
// scratch: per thread `ryz_attention_scratch_floats` floats, one thread's after the other's.
void ryz_attend(ryz_compute compute, ryz_kv_layer kv, const ryz_attention_span *spans, size_t span_count,
                const float *qkv, size_t qkv_stride, size_t query_head_count, float scale, float *out,
                size_t out_stride, float *scratch);
size_t ryz_attention_scratch_floats(size_t head_dimension);

// Fills cosines and sines for positions [0, positions); factors (rotated / 2 entries, or NULL) divide the frequencies.
// Positions are multiplied by `position_scale` first.
void ryz_rope_table(double base, double position_scale, size_t rotated, const float *factors, size_t positions,
                    float *cosines, float *sines);

// MARK: vocabulary

typedef struct {
    float maximum;
    double log_sum_exp; // natural logarithm of Σ exp(logit), normalised in chunks of RYZ_VOCABULARY_CHUNK in order
    int32_t best;       // lowest index of the maximum
} ryz_logit_summary;

// The first index of a value that is infinite or not a number; `count` if there is none.
size_t ryz_first_not_finite(const float *x, size_t count);
ryz_logit_summary ryz_summarise_logits(ryz_compute compute, const float *logits, size_t count);
// The `k` largest logits, best first, lower index first on ties; returns how many (min(k, count)).
size_t ryz_top_k(const float *logits, size_t count, size_t k, int32_t *indices);
// out[i] = exp((logits[i] − maximum) · scale), element by element.
void ryz_exp_scaled(ryz_compute compute, const float *logits, float maximum, float scale, float *out, size_t count);
// Sums in order, chunk by chunk and then over the chunks.
double ryz_sum_weights(const float *weights, size_t count);
// The first index at which the running sum, in the order of ryz_sum_weights, exceeds `target`.
int32_t ryz_pick_weight(const float *weights, size_t count, double target);

// MARK: memory that the ranks of a stage share if they are on one machine

// A head with two counters for each member (rounds it has posted, rounds it has finished reading), then `slot_count` slots
// for each. A round is posted into slot round mod slot_count, once all others have finished what stood there.
typedef struct ryz_shared ryz_shared;

enum { RYZ_SHARED_MEMBERS_MAX = 64 };

// The bytes of a post that one member gets.
typedef struct {
    uint32_t offset, byte_count;
} ryz_shared_part;

size_t ryz_shared_bytes(size_t member_count, size_t slot_count, size_t slot_bytes);
// Makes zeroes into shared memory; until then ryz_shared_is says no.
void ryz_shared_create(ryz_shared *shared, size_t member_count, size_t slot_count, size_t slot_bytes);
bool ryz_shared_is(const ryz_shared *shared, size_t member_count, size_t slot_count, size_t slot_bytes);
// Counts one more member that has it; returns how many have.
uint32_t ryz_shared_attach(ryz_shared *shared);
// Waits until the slot of this round is free; -1, or a member that has not finished with it within `timeout` nanoseconds.
int ryz_shared_late_reader(ryz_shared *shared, size_t self, uint32_t round, int64_t timeout);
// Copies `byte_count` bytes, at most those of a slot, into it. `parts` has an entry for each member.
void ryz_shared_post(ryz_shared *shared, size_t self, uint32_t round, uint64_t tag, const ryz_shared_part *parts,
                     const void *bytes, size_t byte_count);
// Waits until a member has posted a round.
bool ryz_shared_wait(ryz_shared *shared, size_t from, uint32_t round, int64_t timeout);
// What it posted for `self`; NULL if that does not lie in the slot.
const void *ryz_shared_part_of(const ryz_shared *shared, size_t from, size_t self, uint32_t round, uint64_t *tag,
                               size_t *byte_count);
void ryz_shared_finish(ryz_shared *shared, size_t self);

// MARK: roofs, for benchmarks

// Reads `bytes` (a multiple of 64) and returns a checksum that keeps the reads alive.
uint64_t ryz_stream_read(ryz_compute compute, const void *memory, size_t bytes);
// Runs int8 dot products from registers and returns how many multiply-adds each thread did.
uint64_t ryz_dot_peak(ryz_compute compute, uint64_t iterations);

#endif
