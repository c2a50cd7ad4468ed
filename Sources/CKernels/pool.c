// A pool of threads for compute: one task at a time, cut into parts. Each thread has its own parts and then helps the
// others out, so that a thread that the system has put aside holds nobody up who can do its work. Threads spin briefly
// for the next task, as a token has many, and then sleep on a futex, so that an idle process uses no processor time.
// While they spin they fetch what they will read next, as far as they have been told, so that memory does not idle.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernels.h"

// About 60 µs: longer than the serial work between two tasks of a token, shorter than a pause between tokens matters.
enum { SPIN_COUNT = 2000 };

// The parts of a task that belong to one thread, and that others take over when it is late.
typedef struct {
    _Alignas(64) _Atomic size_t next;
    size_t end;
} share;

enum { FETCH_BYTES = 256 };

// What a thread will read next, and has not fetched of it; and what it will read after that, of which only the caller
// knows.
typedef struct {
    _Alignas(64) struct {
        _Atomic uintptr_t next, end;
        uintptr_t later, later_end;
    } regions[RYZ_FORESEEN_REGIONS];
} outlook;

typedef struct {
    ryz_pool *pool;
    int index;
    pthread_t thread;
} worker;

// The gate says which task runs, in its upper half, and below that whether it is closed and how many workers are in it.
// A worker that comes late finds it closed and does not hold the others up.
enum { CLOSED = 1u << 31 };

struct ryz_pool {
    _Alignas(64) _Atomic uint64_t gate;
    // The number of the current task, and how many sleep waiting for the next.
    _Atomic uint32_t generation;
    _Atomic uint32_t sleeper_count;
    ryz_task task;
    void *context;
    _Atomic bool stopping;
    // How many workers have left the current task, and whether the caller sleeps until they have.
    _Alignas(64) _Atomic uint32_t left;
    _Atomic uint32_t caller_sleeps;
    _Alignas(64) int count;
    share *shares;
    outlook *outlooks;
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

// Waits for a moment: fetches a little of what is foreseen into the second-level cache, or pauses if all is there. What is
// told anew meanwhile may get lost or be fetched twice, which costs time and nothing else.
static inline void spend_moment(outlook *ahead) {
    for (int i = 0; i < RYZ_FORESEEN_REGIONS; i++) {
        uintptr_t next = atomic_load_explicit(&ahead->regions[i].next, memory_order_relaxed);
        uintptr_t end = atomic_load_explicit(&ahead->regions[i].end, memory_order_relaxed);
        if (next >= end || end - next > RYZ_FORESEEN_MAX) continue;
        for (uintptr_t line = next; line < next + FETCH_BYTES; line += 64) __builtin_prefetch((const void *)line, 0, 2);
        atomic_compare_exchange_strong_explicit(&ahead->regions[i].next, &next, next + FETCH_BYTES,
                                                memory_order_relaxed, memory_order_relaxed);
        return;
    }
    pause_briefly();
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

int ryz_set_allowed_cpus(const int32_t *cpus, int count) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < count; i++) CPU_SET(cpus[i], &set);
    return sched_setaffinity(0, sizeof set, &set);
}

// A thread's own parts first, in order, so that it keeps reading the same memory; then what others have not begun.
static void take_parts(ryz_pool *pool, int self) {
    for (int i = 0; i < pool->count; i++) {
        share *parts = &pool->shares[(self + i) % pool->count];
        while (atomic_load_explicit(&parts->next, memory_order_relaxed) < parts->end) {
            size_t part = atomic_fetch_add_explicit(&parts->next, 1, memory_order_relaxed);
            if (part < parts->end) pool->task(pool->context, part, self);
        }
    }
}

static bool enter(ryz_pool *pool, uint32_t generation) {
    uint64_t gate = atomic_load(&pool->gate);
    do {
        if (gate >> 32 != generation || gate & CLOSED) return false;
    } while (!atomic_compare_exchange_weak(&pool->gate, &gate, gate + 1));
    return true;
}

static void *work(void *argument) {
    worker *self = argument;
    ryz_pool *pool = self->pool;
    uint32_t seen = 0;
    for (;;) {
        int spins = 0;
        while (atomic_load_explicit(&pool->generation, memory_order_acquire) == seen) {
            if (spins++ < SPIN_COUNT) {
                spend_moment(&pool->outlooks[self->index]);
                continue;
            }
            atomic_fetch_add(&pool->sleeper_count, 1);
            if (atomic_load(&pool->generation) == seen) wait_while(&pool->generation, seen);
            atomic_fetch_sub(&pool->sleeper_count, 1);
        }
        seen = atomic_load(&pool->generation);
        if (atomic_load_explicit(&pool->stopping, memory_order_relaxed)) return NULL;
        if (!enter(pool, seen)) continue;
        take_parts(pool, self->index);
        atomic_fetch_add(&pool->left, 1);
        if (atomic_load(&pool->caller_sleeps)) wake(&pool->left, 1);
    }
}

static void start_generation(ryz_pool *pool) {
    uint32_t generation = atomic_load_explicit(&pool->generation, memory_order_relaxed) + 1;
    atomic_store(&pool->gate, (uint64_t)generation << 32);
    atomic_store(&pool->generation, generation);
    if (atomic_load(&pool->sleeper_count)) wake(&pool->generation, pool->count);
}

ryz_pool *ryz_pool_create(int count, const int *cpus) {
    ryz_pool *pool = aligned_alloc(64, (sizeof *pool + 63) / 64 * 64);
    size_t room = (size_t)(count > 0 ? count : 1);
    share *shares = aligned_alloc(64, sizeof *shares * room);
    outlook *outlooks = aligned_alloc(64, sizeof *outlooks * room);
    worker *workers = calloc(room, sizeof *workers);
    if (!pool || !shares || !outlooks || !workers) {
        free(pool);
        free(shares);
        free(outlooks);
        free(workers);
        errno = ENOMEM;
        return NULL;
    }
    memset(outlooks, 0, sizeof *outlooks * room);
    *pool = (ryz_pool){.count = 1, .shares = shares, .outlooks = outlooks, .workers = workers};
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
    free(pool->shares);
    free(pool->outlooks);
    free(pool->workers);
    free(pool);
}

void ryz_pool_foresee(ryz_pool *pool, int thread, int region, const void *memory, size_t bytes) {
    uintptr_t begin = (uintptr_t)memory;
    pool->outlooks[thread].regions[region].later = begin;
    pool->outlooks[thread].regions[region].later_end = begin + (bytes < RYZ_FORESEEN_MAX ? bytes : RYZ_FORESEEN_MAX);
}

void ryz_pool_look_ahead(ryz_pool *pool) {
    for (int thread = 0; thread < pool->count; thread++)
        for (int i = 0; i < RYZ_FORESEEN_REGIONS; i++) {
            outlook *ahead = &pool->outlooks[thread];
            atomic_store_explicit(&ahead->regions[i].next, ahead->regions[i].later, memory_order_relaxed);
            atomic_store_explicit(&ahead->regions[i].end, ahead->regions[i].later_end, memory_order_relaxed);
            ahead->regions[i].later = ahead->regions[i].later_end = 0;
        }
}

int ryz_pool_thread_count(const ryz_pool *pool) { return pool->count; }

void ryz_pool_run(ryz_pool *pool, size_t parts, ryz_task task, void *context) {
    if (pool->count == 1 || parts < 2) {
        for (size_t part = 0; part < parts; part++) task(context, part, 0);
        return;
    }
    pool->task = task;
    pool->context = context;
    for (size_t i = 0, count = (size_t)pool->count; i < count; i++) {
        atomic_store_explicit(&pool->shares[i].next, parts * i / count, memory_order_relaxed);
        pool->shares[i].end = parts * (i + 1) / count;
    }
    atomic_store_explicit(&pool->left, 0, memory_order_relaxed);
    start_generation(pool);
    take_parts(pool, 0);
    uint32_t entered = (uint32_t)atomic_fetch_or(&pool->gate, CLOSED), left;
    for (int spins = 0; (left = atomic_load_explicit(&pool->left, memory_order_acquire)) != entered;) {
        if (spins++ < SPIN_COUNT) {
            spend_moment(&pool->outlooks[0]);
            continue;
        }
        atomic_store(&pool->caller_sleeps, 1);
        if ((left = atomic_load(&pool->left)) != entered) wait_while(&pool->left, left);
        atomic_store(&pool->caller_sleeps, 0);
    }
}
