// What the sampler needs of a vocabulary of logits.
#include <math.h>
#include <string.h>

#include "kernels.h"

static size_t chunk_size(size_t first, size_t count) {
    return count - first < RYZ_VOCABULARY_CHUNK ? count - first : RYZ_VOCABULARY_CHUNK;
}

// exp of one number, through the same lanes as everywhere.
static float exp_one(const ryz_kernels *kernels, float x) {
    float lanes[16] = {x};
    kernels->elementwise->exp_scaled(lanes, 0, 1, lanes, 16);
    return lanes[0];
}

// Chunks that are summarised at a time, and those of a part.
enum { SUMMARY_CHUNKS = 512, PART_CHUNKS = 8 };

typedef struct {
    const ryz_kernels *kernels;
    const float *logits;
    size_t count;
    float maximum[SUMMARY_CHUNKS], sum[SUMMARY_CHUNKS];
} summary_context;

static void summary_task(void *argument, size_t part, int thread) {
    (void)thread;
    summary_context *c = argument;
    for (size_t i = part * PART_CHUNKS; i < (part + 1) * PART_CHUNKS && i * RYZ_VOCABULARY_CHUNK < c->count; i++) {
        size_t first = i * RYZ_VOCABULARY_CHUNK;
        c->kernels->elementwise->chunk_summary(c->logits + first, chunk_size(first, c->count), &c->maximum[i], &c->sum[i]);
    }
}

size_t ryz_first_not_finite(const float *x, size_t count) {
    const uint32_t exponent = 0x7f800000;
    for (size_t first = 0; first < count; first += RYZ_VOCABULARY_CHUNK) {
        const size_t size = chunk_size(first, count);
        uint32_t found = 0;
        for (size_t i = 0; i < size; i++) {
            uint32_t bits;
            memcpy(&bits, x + first + i, sizeof bits);
            found |= (bits & exponent) == exponent;
        }
        for (size_t i = first; found && i < first + size; i++)
            if (!isfinite(x[i])) return i;
    }
    return count;
}

ryz_logit_summary ryz_summarise_logits(ryz_compute compute, const float *logits, size_t count) {
    ryz_logit_summary summary = {-INFINITY, 0, 0};
    const size_t most = (size_t)SUMMARY_CHUNKS * RYZ_VOCABULARY_CHUNK;
    size_t best_chunk = 0;
    float sum = 0;
    summary_context context = {.kernels = compute.kernels};
    for (size_t first = 0; first < count; first += most) {
        context.logits = logits + first;
        context.count = count - first < most ? count - first : most;
        size_t chunks = (context.count + RYZ_VOCABULARY_CHUNK - 1) / RYZ_VOCABULARY_CHUNK;
        ryz_pool_run(compute.pool, (chunks + PART_CHUNKS - 1) / PART_CHUNKS, summary_task, &context);
        for (size_t i = 0; i < chunks; i++) {
            float maximum = context.maximum[i], chunk_sum = context.sum[i];
            if (first + i == 0) {
                sum = chunk_sum;
                summary.maximum = maximum;
            } else if (maximum > summary.maximum) {
                sum = fmaf(sum, exp_one(compute.kernels, summary.maximum - maximum), chunk_sum);
                summary.maximum = maximum;
                best_chunk = first + i * RYZ_VOCABULARY_CHUNK;
            } else {
                sum = fmaf(chunk_sum, exp_one(compute.kernels, maximum - summary.maximum), sum);
            }
        }
    }
    size_t best = best_chunk;
    while (best + 1 < count && logits[best] != summary.maximum) best++;
    summary.best = (int32_t)best;
    summary.log_sum_exp = (double)summary.maximum + ryz_log((double)sum);
    return summary;
}

// Whether token a stands before token b: the larger logit first, the lower index on ties.
static inline bool before(const float *logits, int32_t a, int32_t b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
}

// Moves the entry at `i` down a heap whose root is the worst of those kept.
static void sift(const float *logits, int32_t *heap, size_t size, size_t i) {
    for (;;) {
        size_t worst = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < size; child++)
            if (before(logits, heap[worst], heap[child])) worst = child;
        if (worst == i) return;
        int32_t t = heap[i];
        heap[i] = heap[worst];
        heap[worst] = t;
        i = worst;
    }
}

size_t ryz_top_k(const float *logits, size_t count, size_t k, int32_t *indices) {
    size_t size = k < count ? k : count;
    if (!size) return 0;
    for (size_t i = 0; i < size; i++) indices[i] = (int32_t)i;
    for (size_t i = size / 2; i-- > 0;) sift(logits, indices, size, i);
    for (size_t i = size; i < count; i++)
        if (before(logits, (int32_t)i, indices[0])) {
            indices[0] = (int32_t)i;
            sift(logits, indices, size, 0);
        }
    for (size_t end = size; end-- > 1;) {
        int32_t t = indices[0];
        indices[0] = indices[end];
        indices[end] = t;
        sift(logits, indices, end, 0);
    }
    return size;
}

void ryz_exp_scaled(ryz_compute compute, const float *logits, float maximum, float scale, float *out, size_t count) {
    compute.kernels->elementwise->exp_scaled(logits, maximum, scale, out, count);
}

static double sum_chunk(const float *weights, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)weights[i];
    return sum;
}

double ryz_sum_weights(const float *weights, size_t count) {
    double sum = 0;
    for (size_t first = 0; first < count; first += RYZ_VOCABULARY_CHUNK)
        sum += sum_chunk(weights + first, chunk_size(first, count));
    return sum;
}

int32_t ryz_pick_weight(const float *weights, size_t count, double target) {
    double before = 0;
    size_t last = 0;
    for (size_t first = 0; first < count; first += RYZ_VOCABULARY_CHUNK) {
        size_t size = chunk_size(first, count);
        double after = before + sum_chunk(weights + first, size), sum = 0;
        for (size_t i = 0; i < size && after > target; i++) {
            sum += (double)weights[first + i];
            if (before + sum > target) return (int32_t)(first + i);
        }
        for (size_t i = 0; i < size; i++)
            if (weights[first + i] > 0) last = first + i;
        before = after;
    }
    return (int32_t)last;  // rounding left the target at the very end
}
