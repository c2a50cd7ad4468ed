// Memory that processes of one machine share to hand each other parts of a vector: see CKernels.h.
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "CKernels.h"

// A counter that grows with each round, on a cache line of its own, and how many sleep until it does.
typedef struct {
    _Alignas(64) _Atomic uint32_t count;
    _Atomic uint32_t sleeper_count;
} counter;

typedef struct {
    counter posted, finished;
} member;

enum { MAGIC = 0x525a5831 };

struct ryz_shared {
    _Atomic uint32_t magic;
    uint32_t member_count, slot_count;
    _Atomic uint32_t attached_count;
    uint64_t slot_bytes;
    member members[];
};

typedef struct {
    _Alignas(64) uint64_t tag;
    ryz_shared_part parts[RYZ_SHARED_MEMBERS_MAX];
} slot_header;

// About 10 µs of spinning, and then a hundred turns for whoever else wants the processor, before this thread sleeps.
enum { SPIN_COUNT = 300, YIELD_COUNT = 100 };

static size_t head_bytes(size_t member_count) { return (sizeof(ryz_shared) + member_count * sizeof(member) + 4095) / 4096 * 4096; }

static size_t slot_stride(size_t slot_bytes) { return (sizeof(slot_header) + slot_bytes + 4095) / 4096 * 4096; }

size_t ryz_shared_bytes(size_t member_count, size_t slot_count, size_t slot_bytes) {
    return head_bytes(member_count) + member_count * slot_count * slot_stride(slot_bytes);
}

void ryz_shared_create(ryz_shared *shared, size_t member_count, size_t slot_count, size_t slot_bytes) {
    shared->member_count = (uint32_t)member_count;
    shared->slot_count = (uint32_t)slot_count;
    shared->slot_bytes = slot_bytes;
    atomic_store(&shared->magic, MAGIC);
}

bool ryz_shared_is(const ryz_shared *shared, size_t member_count, size_t slot_count, size_t slot_bytes) {
    return atomic_load(&shared->magic) == MAGIC && shared->member_count == member_count && shared->slot_count == slot_count &&
           shared->slot_bytes == slot_bytes;
}

uint32_t ryz_shared_attach(ryz_shared *shared) { return atomic_fetch_add(&shared->attached_count, 1) + 1; }

static slot_header *slot_at(const ryz_shared *shared, size_t index, uint32_t round) {
    return (slot_header *)((uintptr_t)shared + head_bytes(shared->member_count) +
                           (index * shared->slot_count + round % shared->slot_count) * slot_stride(shared->slot_bytes));
}

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static bool has_reached(counter *c, uint32_t wanted) {
    return (int32_t)(atomic_load_explicit(&c->count, memory_order_acquire) - wanted) >= 0;
}

// Spins, lets others run, sleeps. Who is to come may need this very processor.
static bool wait_for(counter *c, uint32_t wanted, int64_t timeout) {
    for (int i = 0; i < SPIN_COUNT; i++) {
        if (has_reached(c, wanted)) return true;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    for (int i = 0; i < YIELD_COUNT; i++) {
        if (has_reached(c, wanted)) return true;
        sched_yield();
    }
    int64_t deadline = nanoseconds() + timeout, left;
    while ((left = deadline - nanoseconds()) > 0) {
        struct timespec bound = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        atomic_fetch_add(&c->sleeper_count, 1);
        uint32_t count = atomic_load(&c->count);
        if ((int32_t)(count - wanted) < 0) syscall(SYS_futex, &c->count, FUTEX_WAIT, count, &bound, NULL, 0);
        atomic_fetch_sub(&c->sleeper_count, 1);
        if (has_reached(c, wanted)) return true;
    }
    return has_reached(c, wanted);
}

static void advance(counter *c) {
    atomic_fetch_add(&c->count, 1);
    if (atomic_load(&c->sleeper_count)) syscall(SYS_futex, &c->count, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

int ryz_shared_late_reader(ryz_shared *shared, size_t self, uint32_t round, int64_t timeout) {
    if (round < shared->slot_count) return -1;
    for (size_t i = 0; i < shared->member_count; i++)
        // What is to be overwritten was posted `slot_count` rounds ago.
        if (i != self && !wait_for(&shared->members[i].finished, round - shared->slot_count + 1, timeout)) return (int)i;
    return -1;
}

void ryz_shared_post(ryz_shared *shared, size_t self, uint32_t round, uint64_t tag, const ryz_shared_part *parts,
                     const void *bytes, size_t byte_count) {
    slot_header *slot = slot_at(shared, self, round);
    slot->tag = tag;
    memcpy(slot->parts, parts, shared->member_count * sizeof *parts);
    memcpy(slot + 1, bytes, byte_count);
    advance(&shared->members[self].posted);
}

bool ryz_shared_wait(ryz_shared *shared, size_t from, uint32_t round, int64_t timeout) {
    return wait_for(&shared->members[from].posted, round + 1, timeout);
}

const void *ryz_shared_part_of(const ryz_shared *shared, size_t from, size_t self, uint32_t round, uint64_t *tag,
                               size_t *byte_count) {
    const slot_header *slot = slot_at(shared, from, round);
    ryz_shared_part part = slot->parts[self];
    *tag = slot->tag;
    if (part.offset > shared->slot_bytes || part.byte_count > shared->slot_bytes - part.offset) return NULL;
    *byte_count = part.byte_count;
    return (const uint8_t *)(slot + 1) + part.offset;
}

void ryz_shared_finish(ryz_shared *shared, size_t self) { advance(&shared->members[self].finished); }
