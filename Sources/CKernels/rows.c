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
    size_t rows, columns;
    float epsilon;
} norm_context;

static void norm_task(void *argument, size_t part, int thread) {
    (void)thread;
    const norm_context *c = argument;
    size_t begin, end;
    rows_of_part(part, c->rows, c->columns, &begin, &end);
    for (size_t r = begin; r < end; r++)
        c->kernels->elementwise->rms_norm(c->x + r * c->columns, c->weight, c->out + r * c->columns, c->columns,
                                          c->epsilon);
}

void ryz_rms_norm(ryz_compute compute, const float *x, const float *weight, float *out, size_t rows, size_t columns,
                  float epsilon) {
    norm_context context = {compute.kernels, x, weight, out, rows, columns, epsilon};
    run_rows(compute, norm_task, &context, rows, columns);
}

// Magnitudes below this count as this: of the values of a whole row, as BitNet's reference has it, and before a norm's
// factor, where only nothing at all is so small.
static const float smallest_maximum = 1e-5f, smallest_weighed_maximum = 1e-30f;

typedef struct {
    const ryz_kernels *kernels;
    const ryz_activations *x;
    size_t rows;
    const float *maxima;  // of each row, or NULL
} quantise_context;

static void quantise_row(const ryz_elementwise_functions *f, const ryz_activations *x, size_t r, float maximum) {
    f->quantise_row(x->values + r * x->columns, x->columns, maximum, x->quantised + r * x->columns, x->scales + r,
                    x->sums + r, x->counts + r);
}

// What the scales of segments are made smaller by, and sums of segments larger again: before a norm they may be large, and
// the fixed point has room for ±2¹⁸ and 32 binary digits behind it.
static const float segment_unit = 0x1p-8f;

static void quantise_segments(const ryz_elementwise_functions *f, const ryz_activations *x, size_t r) {
    const size_t stride = ryz_segment_stride(x->segment_columns);
    for (size_t s = 0, first = 0; s < x->groups; s++, first += x->segment_columns) {
        size_t left = x->columns - first, columns = left < x->segment_columns ? left : x->segment_columns;
        size_t group = r * x->groups + s;
        const float *values = x->values + r * x->columns + first;
        f->quantise_row(values, columns, fmaxf(f->largest_magnitude(values, columns), smallest_weighed_maximum),
                        x->quantised + r * x->stride + s * stride + RYZ_SEGMENT_MARGIN, x->scales + group,
                        x->sums + group, x->counts + group);
        x->scales[group] *= segment_unit;
    }
    x->factors[r] = 1 / segment_unit;
}

static void quantise_task(void *argument, size_t part, int thread) {
    (void)thread;
    const quantise_context *c = argument;
    const ryz_activations *x = c->x;
    const ryz_elementwise_functions *f = c->kernels->elementwise;
    size_t begin, end, groups = x->groups;
    rows_of_part(part, c->rows, x->columns, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        const float *values = x->values + r * x->columns;
        if (c->maxima)
            quantise_row(f, x, r, fmaxf(c->maxima[r], smallest_weighed_maximum));
        else if (x->by_rows)
            quantise_row(f, x, r, fmaxf(f->largest_magnitude(values, x->columns), smallest_maximum));
        else if (x->segment_columns)
            quantise_segments(f, x, r);
        else
            f->quantise_blocks(values, x->columns, x->quantised + r * x->columns, x->scales + r * groups,
                               x->sums + r * groups, x->counts + r * groups);
    }
}

void ryz_quantise(ryz_compute compute, ryz_activations activations, size_t rows) {
    quantise_context context = {compute.kernels, &activations, rows, NULL};
    run_rows(compute, quantise_task, &context, rows, activations.columns);
}

void ryz_quantise_within(ryz_compute compute, ryz_activations activations, size_t rows, const float *maxima) {
    quantise_context context = {compute.kernels, &activations, rows, maxima};
    run_rows(compute, quantise_task, &context, rows, activations.columns);
}

typedef struct {
    const ryz_kernels *kernels;
    float *x;  // measuring leaves it as it is
    const float *weight;
    size_t rows, columns, segment;
    float *squares;
    size_t squares_stride;
    float *maxima;
} weigh_context;

static void weigh_task(void *argument, size_t part, int thread) {
    (void)thread;
    const weigh_context *c = argument;
    size_t begin, end;
    rows_of_part(part, c->rows, c->columns, &begin, &end);
    for (size_t r = begin; r < end; r++)
        c->maxima[r] = c->kernels->elementwise->weigh(c->x + r * c->columns, c->weight, c->columns, c->segment,
                                                      c->squares + r * c->squares_stride);
}

void ryz_weigh(ryz_compute compute, float *x, const float *weight, size_t rows, size_t columns, size_t segment,
               float *squares, size_t squares_stride, float *maxima) {
    weigh_context context = {compute.kernels, x, weight, rows, columns, segment, squares, squares_stride, maxima};
    run_rows(compute, weigh_task, &context, rows, columns);
}

static void measure_task(void *argument, size_t part, int thread) {
    (void)thread;
    const weigh_context *c = argument;
    size_t begin, end;
    rows_of_part(part, c->rows, c->columns, &begin, &end);
    for (size_t r = begin; r < end; r++)
        c->maxima[r] =
            fmaxf(c->kernels->elementwise->largest_magnitude(c->x + r * c->columns, c->columns), smallest_maximum);
}

void ryz_measure(ryz_compute compute, const float *x, size_t rows, size_t columns, float *maxima) {
    weigh_context context = {.kernels = compute.kernels, .x = (float *)x, .rows = rows, .columns = columns, .maxima = maxima};
    run_rows(compute, measure_task, &context, rows, columns);
}

void ryz_apply_norm(ryz_activations x, size_t rows, const float *squares, size_t squares_stride, size_t segment_count,
                    size_t norm_columns, float epsilon) {
    for (size_t r = 0; r < rows; r++) {
        float total = 0;
        for (size_t s = 0; s < segment_count; s++) total += squares[r * squares_stride + s];
        float factor = ryz_norm_factor(total, norm_columns, epsilon);
        if (x.segment_columns) {
            x.factors[r] *= factor;
        } else {
            x.scales[r] *= factor;
            x.sums[r] *= factor;
        }
    }
}

typedef struct {
    const void *sums;
    size_t sums_stride;
    bool exact;
    const float *factors;  // or NULL
    float scale;
    float *y;
    size_t rows, columns;
} add_context;

static void add_task(void *argument, size_t part, int thread) {
    (void)thread;
    const add_context *c = argument;
    size_t begin, end;
    rows_of_part(part, c->rows, c->columns, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        float *y = c->y + r * c->columns;
        if (c->exact) {
            const int32_t *sums = (const int32_t *)c->sums + r * c->sums_stride;
            const float first = c->factors[r], second = c->scale;
            for (size_t i = 0; i < c->columns; i++) y[i] += (float)sums[i] * first * second;
        } else {
            const int64_t *sums = (const int64_t *)c->sums + r * c->sums_stride;
            const float first = c->factors ? c->factors[r] : 1, second = c->scale;
            for (size_t i = 0; i < c->columns; i++) y[i] += ryz_fixed_value(sums[i]) * first * second;
        }
    }
}

void ryz_add_sums(ryz_compute compute, bool exact, const void *sums, size_t sums_stride, const float *factors,
                  float scale, float *y, size_t rows, size_t columns) {
    add_context context = {sums, sums_stride, exact, factors, scale, y, rows, columns};
    run_rows(compute, add_task, &context, rows, columns);
}

void ryz_combine(ryz_combination combination, void *sums, const void *others, size_t count) {
    switch (combination) {
        case RYZ_ADD_32: {
            // Unsigned, as a sum that overflows is as good as any other.
            uint32_t *a = sums;
            const uint32_t *b = others;
            for (size_t i = 0; i < count; i++) a[i] += b[i];
            break;
        }
        case RYZ_ADD_64: {
            uint64_t *a = sums;
            const uint64_t *b = others;
            for (size_t i = 0; i < count; i++) a[i] += b[i];
            break;
        }
        case RYZ_MAXIMUM_32: {
            int32_t *a = sums;
            const int32_t *b = others;
            for (size_t i = 0; i < count; i++) a[i] = a[i] > b[i] ? a[i] : b[i];
            break;
        }
    }
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
