// The limits that the kernels are measured against.
#include <stdatomic.h>

#include "kernels.h"

// What a part reads: as much as one of a large matrix's.
enum { READ_BYTES = 1 << 20 };

typedef struct {
    ryz_read_function read_lines;
    const uint8_t *memory;
    size_t bytes;
    _Atomic uint64_t sum;
} read_context;

static void read_task(void *argument, size_t part, int thread) {
    (void)thread;
    read_context *c = argument;
    size_t begin = part * READ_BYTES, left = c->bytes - begin;
    atomic_fetch_add(&c->sum, c->read_lines(c->memory + begin, (left < READ_BYTES ? left : READ_BYTES) / 64));
}

uint64_t ryz_stream_read(ryz_compute compute, const void *memory, size_t bytes) {
    read_context context = {compute.kernels->read_lines, memory, bytes, 0};
    ryz_pool_run(compute.pool, (bytes + READ_BYTES - 1) / READ_BYTES, read_task, &context);
    return context.sum;
}

typedef struct {
    ryz_dot_peak_function function;
    uint64_t iterations;
    _Atomic uint64_t products;
} peak_context;

static void peak_task(void *argument, size_t part, int thread) {
    (void)thread;
    peak_context *c = argument;
    uint64_t products = c->function(c->iterations);
    if (part == 0) atomic_store(&c->products, products);
}

uint64_t ryz_dot_peak(ryz_compute compute, uint64_t iterations) {
    peak_context context = {compute.kernels->dot_peak, iterations, 0};
    ryz_pool_run(compute.pool, (size_t)ryz_pool_thread_count(compute.pool), peak_task, &context);
    return context.products;
}
