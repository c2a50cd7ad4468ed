// Attention over all threads: the query vectors that share a KV head are cut into tasks, which are the parts.
#include "kernels.h"

// Query vectors of one task.
enum { TASK_ROWS = 24 };

size_t ryz_attention_scratch_floats(size_t head_dimension) {
    // Scores and partial results of three query vectors, and room that keeps two threads off one cache line.
    return 3 * (RYZ_KEY_BLOCK + head_dimension) + 32;
}

typedef struct {
    const ryz_kernels *kernels;
    ryz_kv_layer kv;
    const ryz_attention_span *spans;
    size_t span_count;
    const float *qkv;
    size_t stride, query_heads;
    float scale;
    float *out;
    size_t out_stride;
    float *scratch;
} attend_context;

// Query vectors of one KV head in a span are numbered token by token, head by head.
static void attend_part(const attend_context *c, const ryz_attention_span *span, size_t head, size_t first, size_t end,
                        float *scratch) {
    size_t group = c->query_heads / c->kv.head_count, dimension = c->kv.head_dimension;
    const float *q[TASK_ROWS];
    float *out[TASK_ROWS];
    size_t visible[TASK_ROWS];
    for (size_t i = first; i < end; i++) {
        size_t token = i / group, query_head = head * group + i % group, row = span->first_row + token;
        q[i - first] = c->qkv + row * c->stride + query_head * dimension;
        out[i - first] = c->out + row * c->out_stride + query_head * dimension;
        visible[i - first] = span->start_position + token + 1;
    }
    c->kernels->attend(&c->kv, head, span->blocks, q, visible, end - first, c->scale, out, scratch);
}

static size_t span_parts(const attend_context *c, const ryz_attention_span *span) {
    size_t rows = span->row_count * (c->query_heads / c->kv.head_count);
    return (rows + TASK_ROWS - 1) / TASK_ROWS * c->kv.head_count;
}

static void attend_task(void *argument, size_t part, int thread) {
    const attend_context *c = argument;
    float *scratch = c->scratch + (size_t)thread * ryz_attention_scratch_floats(c->kv.head_dimension);
    const ryz_attention_span *span = c->spans;
    for (; part >= span_parts(c, span); span++) part -= span_parts(c, span);
    size_t first = part / c->kv.head_count * TASK_ROWS, rows = span->row_count * (c->query_heads / c->kv.head_count);
    attend_part(c, span, part % c->kv.head_count, first, first + TASK_ROWS < rows ? first + TASK_ROWS : rows, scratch);
}

void ryz_attend(ryz_compute compute, ryz_kv_layer kv, const ryz_attention_span *spans, size_t span_count,
                const float *qkv, size_t qkv_stride, size_t query_head_count, float scale, float *out,
                size_t out_stride, float *scratch) {
    attend_context context = {compute.kernels, kv,    spans, span_count, qkv,    qkv_stride,
                              query_head_count, scale, out,   out_stride, scratch};
    size_t parts = 0;
    for (size_t s = 0; s < span_count; s++) parts += span_parts(&context, &spans[s]);
    ryz_pool_run(compute.pool, parts, attend_task, &context);
}
