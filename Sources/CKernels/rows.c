// Operations over rows of activations: alone for the few rows of decoding, over all threads for the many of prefill.
#include <string.h>

#include "kernels.h"

// About so many values make a part: less would cost more to hand over than to compute.
enum { PART_VALUES = 8192 };

static size_t rows_per_part(size_t columns) { return columns < PART_VALUES ? PART_VALUES / columns : 1; }

static void run_rows(ryz_compute compute, ryz_task task, void *context, size_t rows, size_t columns) {
    size_t each = rows_per_part(columns);
    ryz_pool_run(compute.pool, (rows + each - 1) / each, task, context);
}

static void rows_of_part(size_t part, size_t rows, size_t columns, size_t *begin, size_t *end) {
    *begin = part * rows_per_part(columns);
    *end = *begin + rows_per_part(columns);
    if (*end > rows) *end = rows;
}

typedef struct {
    const ryz_kernels *kernels;
    const float *x, *weight;
    float *out;
    size_t rows, columns, segment;
    float epsilon;
} norm_context;

static void norm_task(void *argument, size_t part, int thread) {
    (void)thread;
    const norm_context *c = argument;
    size_t begin, end;
    rows_of_part(part, c->rows, c->columns, &begin, &end);
    for (size_t r = begin; r < end; r++)
        c->kernels->elementwise->rms_norm(c->x + r * c->columns, c->weight, c->out + r * c->columns, c->columns,
                                          c->segment, c->epsilon);
}

void ryz_rms_norm(ryz_compute compute, const float *x, const float *weight, float *out, size_t rows, size_t columns,
                  size_t segment, float epsilon) {
    norm_context context = {compute.kernels, x, weight, out, rows, columns, segment, epsilon};
    run_rows(compute, norm_task, &context, rows, columns);
}

typedef struct {
    const ryz_kernels *kernels;
    const ryz_activations *x;
    size_t rows;
} quantise_context;

static void quantise_task(void *argument, size_t part, int thread) {
    (void)thread;
    const quantise_context *c = argument;
    const ryz_activations *x = c->x;
    const ryz_elementwise_functions *f = c->kernels->elementwise;
    size_t begin, end, groups = x->groups;
    rows_of_part(part, c->rows, x->columns, &begin, &end);
    for (size_t r = begin; r < end; r++)
        (groups == 1 ? f->quantise_row : f->quantise_blocks)(
            x->values + r * x->columns, x->columns, x->quantised + r * x->columns, x->scales + r * groups,
            x->sums + r * groups, x->counts + r * groups);
}

void ryz_quantise(ryz_compute compute, ryz_activations activations, size_t rows) {
    quantise_context context = {compute.kernels, &activations, rows};
    run_rows(compute, quantise_task, &context, rows, activations.columns);
}

typedef struct {
    const ryz_kernels *kernels;
    ryz_rope rope;
    ryz_kv_layer kv;
    const ryz_attention_span *spans;
    size_t span_count, rows;
    float *qkv;
    size_t stride, query_heads;
} rope_context;

static void rope_store_row(const rope_context *c, const ryz_attention_span *span, size_t index) {
    size_t dimension = c->kv.head_dimension, position = span->start_position + index, pairs = c->rope.rotated / 2;
    const ryz_elementwise_functions *f = c->kernels->elementwise;
    float *q = c->qkv + (span->first_row + index) * c->stride, *k = q + c->query_heads * dimension;
    float *v = k + c->kv.head_count * dimension;
    const float *cosines = c->rope.cosines + position * pairs, *sines = c->rope.sines + position * pairs;
    for (size_t h = 0; h < c->query_heads + c->kv.head_count; h++)
        f->rotate(q + h * dimension, cosines, sines, c->rope.rotated, c->rope.halves);
    size_t in_block = position % RYZ_KEY_BLOCK, width = c->kv.width, head_size = RYZ_KEY_BLOCK * dimension * width;
    uint8_t *block = c->kv.base + span->blocks[position / RYZ_KEY_BLOCK] * c->kv.block_stride;
    for (size_t h = 0; h < c->kv.head_count; h++) {
        uint8_t *keys = block + h * 2 * head_size, *group = keys + in_block / 16 * 16 * dimension * width;
        void *values = keys + head_size + in_block * dimension * width;
        if (width == 2) {
            f->store_key(k + h * dimension, (uint16_t *)(void *)group, in_block % 16, dimension);
            f->store_half(v + h * dimension, values, dimension);
        } else {
            float *lane = (float *)(void *)group + in_block % 16;
            for (size_t i = 0; i < dimension; i++) lane[i * 16] = k[h * dimension + i];
            memcpy(values, v + h * dimension, dimension * sizeof(float));
        }
    }
}

static void rope_task(void *argument, size_t part, int thread) {
    (void)thread;
    const rope_context *c = argument;
    size_t begin, end;
    rows_of_part(part, c->rows, c->stride, &begin, &end);
    for (size_t s = 0; s < c->span_count; s++) {
        const ryz_attention_span *span = &c->spans[s];
        for (size_t i = 0; i < span->row_count; i++)
            if (span->first_row + i >= begin && span->first_row + i < end) rope_store_row(c, span, i);
    }
}

void ryz_rope_store(ryz_compute compute, ryz_rope rope, ryz_kv_layer kv, const ryz_attention_span *spans,
                    size_t span_count, float *qkv, size_t qkv_stride, size_t query_head_count) {
    size_t rows = 0;
    for (size_t s = 0; s < span_count; s++) rows += spans[s].row_count;
    rope_context context = {compute.kernels, rope, kv, spans, span_count, rows, qkv, qkv_stride, query_head_count};
    run_rows(compute, rope_task, &context, rows, qkv_stride);
}
