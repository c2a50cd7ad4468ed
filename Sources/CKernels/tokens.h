// Loops over the T rows of activations that one tile is multiplied by; T is a constant after inlining.
#ifndef RYZ_TOKENS_H
#define RYZ_TOKENS_H

#define INLINE static inline __attribute__((always_inline))
#define EACH_TOKEN _Pragma("clang loop unroll(full)") for (int t = 0; t < T; t++)

#endif
