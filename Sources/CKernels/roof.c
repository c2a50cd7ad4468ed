// The limits that the kernels are measured against.
#include <stdatomic.h>
#include <string.h>

#include "kernels.h"

typedef struct {
    const uint8_t *memory;
    size_t bytes;
    _Atomic uint64_t sum;
} read_context;

static void read_task(void *argument, int thread, int thread_count) {
    read_context *c = argument;
    size_t begin, end;
    ryz_share(c->bytes / 64, thread, thread_count, &begin, &end);
    uint64_t sums[8] = {0};
    for (size_t line = begin; line < end; line++) {
        uint64_t words[8];
        memcpy(words, c->memory + line * 64, 64);
        for (int i = 0; i < 8; i++) sums[i] += words[i];
    }
    for (int i = 1; i < 8; i++) sums[0] += sums[i];
    atomic_fetch_add(&c->sum, sums[0]);
}

uint64_t ryz_stream_read(ryz_compute compute, const void *memory, size_t bytes) {
    read_context context = {memory, bytes, 0};
    ryz_pool_run(compute.pool, read_task, &context);
    return context.sum;
}

typedef struct {
    ryz_dot_peak_function function;
    uint64_t iterations;
    _Atomic uint64_t products;
} peak_context;

static void peak_task(void *argument, int thread, int thread_count) {
    (void)thread_count;
    peak_context *c = argument;
    uint64_t products = c->function(c->iterations);
    if (thread == 0) atomic_store(&c->products, products);
}

uint64_t ryz_dot_peak(ryz_compute compute, uint64_t iterations) {
    peak_context context = {compute.kernels->dot_peak, iterations, 0};
    ryz_pool_run(compute.pool, peak_task, &context);
    return context.products;
}
