// Loops over the T rows of activations that one tile is multiplied by; T is a constant after inlining.
#ifndef RYZ_TOKENS_H
#define RYZ_TOKENS_H

#define INLINE static inline __attribute__((always_inline))
#define EACH_TOKEN _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++)

// Asks for weights that are read once and in order, where `w` is one line of 64 bytes: far ahead into the second-level
// cache, and shortly before they are read into the nearest. With either distance alone a core that unpacks what it reads
// keeps too few lines in flight for the memory's speed. Far is beyond a tile's end, whose successor would come late otherwise.
INLINE void prefetch_weights(const uint8_t *w) {
    __builtin_prefetch(w + 8192, 0, 2);
    __builtin_prefetch(w + 1024, 0, 3);
}

#endif
