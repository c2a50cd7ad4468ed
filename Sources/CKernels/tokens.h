// Loops over the T rows of activations that one tile is multiplied by; T is a constant after inlining.
#ifndef RYZ_TOKENS_H
#define RYZ_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define EACH_TOKEN _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++)

// How far ahead weights go into the nearest cache: 0 where that only gets in the way.
extern size_t ryz_near_bytes;

// Asks for weights that are read once and in order, where `w` is one line of 64 bytes: far ahead into the second-level
// cache, beyond a tile's end, whose successor would come late otherwise; and on some processors shortly before they are
// read into the nearest.
INLINE void prefetch_weights(const uint8_t *w) {
    __builtin_prefetch(w + 8192, 0, 2);
    __builtin_prefetch(w + ryz_near_bytes, 0, 3);
}

#endif
