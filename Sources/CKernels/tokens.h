// Loops over the T rows of activations that one tile is multiplied by; T is a constant after inlining.
#ifndef RYZ_TOKENS_H
#define RYZ_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "CKernels.h"

#define INLINE static inline __attribute__((always_inline))
#define EACH_TOKEN _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++)

// Asks for weights that are read once and in order, where `w` is one line of 64 bytes: far ahead into the second-level
// cache, beyond a tile's end, whose successor would come late otherwise; and shortly before they are read into the nearest.
INLINE void prefetch_weights(const uint8_t *w, ryz_prefetch prefetch) {
    if (prefetch == RYZ_PREFETCH_HARDWARE) return;
    __builtin_prefetch(w + 8192, 0, 2);
    if (prefetch == RYZ_PREFETCH_NEAR) __builtin_prefetch(w + 1024, 0, 3);
}

// Calls a function with a constant for `prefetch`, its last argument, so that it does not decide anew for every line.
#define WITH_PREFETCH(prefetch, function, ...)                                           \
    ((prefetch) == RYZ_PREFETCH_HARDWARE ? function(__VA_ARGS__, RYZ_PREFETCH_HARDWARE) \
     : (prefetch) == RYZ_PREFETCH_FAR    ? function(__VA_ARGS__, RYZ_PREFETCH_FAR)      \
                                         : function(__VA_ARGS__, RYZ_PREFETCH_NEAR))

INLINE void prefetch_lines(const uint8_t *w, size_t bytes, ryz_prefetch prefetch) {
    if (prefetch == RYZ_PREFETCH_HARDWARE) return;
    for (size_t i = 0; i < bytes; i += 64) prefetch_weights(w + i, prefetch);
}

#endif
