// A pool of threads for compute: one task at a time, on all threads. Threads spin briefly for the next task, as a
// token has many, and then sleep on a futex, so that an idle process uses no processor time.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernels.h"

// About 60 µs: longer than the serial work between two tasks of a token, shorter than a pause between tokens matters.
enum { SPIN_COUNT = 2000 };

typedef struct {
    _Alignas(64) ryz_pool *pool;
    int index;
    pthread_t thread;
} worker;

struct ryz_pool {
    // Written by the caller: the number of the current task, and who sleeps waiting for the next.
    _Alignas(64) _Atomic uint32_t generation;
    _Atomic uint32_t sleeper_count;
    ryz_task task;
    void *context;
    _Atomic bool stopping;
    // Written by the workers: how many have not finished the current task, and whether the caller sleeps.
    _Alignas(64) _Atomic uint32_t pending;
    _Atomic uint32_t caller_sleeps;
    _Alignas(64) int count;
    worker *workers;
    // The thread that was pinned beside the workers, 0 if none, and where it ran before.
    pid_t caller;
    cpu_set_t caller_cpus;
};

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// A bounded futex wait: a lost wake-up would cost this time, not the process.
static void wait_while(_Atomic uint32_t *word, uint32_t value) {
    struct timespec bound = {.tv_sec = 1, .tv_nsec = 0};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &bound, NULL, 0);
}

static void wake(_Atomic uint32_t *word, int count) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void pin(pthread_t thread, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    // Pinning is an optimisation: a processor that went away meanwhile is no reason to fail.
    pthread_setaffinity_np(thread, sizeof set, &set);
}

int ryz_allowed_cpus(int32_t *cpus, int capacity) {
    cpu_set_t set;
    int count = 0;
    if (sched_getaffinity(0, sizeof set, &set)) return 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && count < capacity; cpu++)
        if (CPU_ISSET(cpu, &set)) cpus[count++] = cpu;
    return count;
}

static void *work(void *argument) {
    worker *self = argument;
    ryz_pool *pool = self->pool;
    uint32_t seen = 0;
    for (;;) {
        int spins = 0;
        while (atomic_load_explicit(&pool->generation, memory_order_acquire) == seen) {
            if (spins++ < SPIN_COUNT) {
                pause_briefly();
                continue;
            }
            atomic_fetch_add(&pool->sleeper_count, 1);
            if (atomic_load(&pool->generation) == seen) wait_while(&pool->generation, seen);
            atomic_fetch_sub(&pool->sleeper_count, 1);
        }
        seen++;
        if (atomic_load_explicit(&pool->stopping, memory_order_relaxed)) return NULL;
        pool->task(pool->context, self->index, pool->count);
        if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->caller_sleeps)) wake(&pool->pending, 1);
    }
}

static void start_generation(ryz_pool *pool) {
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleeper_count)) wake(&pool->generation, pool->count);
}

ryz_pool *ryz_pool_create(int count, const int *cpus) {
    ryz_pool *pool = aligned_alloc(64, (sizeof *pool + 63) / 64 * 64);
    worker *workers = aligned_alloc(64, sizeof *workers * (size_t)(count > 0 ? count : 1));
    if (!pool || !workers) {
        free(pool);
        free(workers);
        errno = ENOMEM;
        return NULL;
    }
    *pool = (ryz_pool){.count = 1, .workers = workers};
    if (cpus && !sched_getaffinity(0, sizeof pool->caller_cpus, &pool->caller_cpus)) {
        pool->caller = (pid_t)syscall(SYS_gettid);
        pin(pthread_self(), cpus[0]);
    }
    for (int i = 1; i < count; i++) {
        workers[i] = (worker){.pool = pool, .index = i};
        int error = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        if (error) {
            ryz_pool_destroy(pool);
            errno = error;
            return NULL;
        }
        if (cpus) pin(workers[i].thread, cpus[i]);
        pool->count = i + 1;
    }
    return pool;
}

void ryz_pool_destroy(ryz_pool *pool) {
    if (!pool) return;
    atomic_store(&pool->stopping, true);
    start_generation(pool);
    for (int i = 1; i < pool->count; i++) pthread_join(pool->workers[i].thread, NULL);
    // Threads that the caller starts from now on may run anywhere again; if it has ended, this does nothing.
    if (pool->caller) sched_setaffinity(pool->caller, sizeof pool->caller_cpus, &pool->caller_cpus);
    free(pool->workers);
    free(pool);
}

int ryz_pool_thread_count(const ryz_pool *pool) { return pool->count; }

void ryz_pool_run(ryz_pool *pool, ryz_task task, void *context) {
    if (pool->count == 1) {
        task(context, 0, 1);
        return;
    }
    pool->task = task;
    pool->context = context;
    atomic_store_explicit(&pool->pending, (uint32_t)pool->count - 1, memory_order_relaxed);
    start_generation(pool);
    task(context, 0, pool->count);
    int spins = 0;
    uint32_t left;
    while ((left = atomic_load_explicit(&pool->pending, memory_order_acquire))) {
        if (spins++ < SPIN_COUNT) {
            pause_briefly();
            continue;
        }
        atomic_store(&pool->caller_sleeps, 1);
        if ((left = atomic_load(&pool->pending))) wait_while(&pool->pending, left);
        atomic_store(&pool->caller_sleeps, 0);
    }
}
