// Integer dot products of ternary codes with int8 activations, in portable C. See ternary_template.h.
#include "ternary.h"

INLINE void unpack_t2(const uint8_t *tile, size_t first, size_t last, uint8_t *codes) {
    for (size_t s = first; s < last; s++)
        for (size_t k = 0; k < 4; k++)
            for (size_t i = 0; i < 64; i++) *codes++ = tile[s * TERNARY_STEP_BYTES + i] >> (k * 2) & 3;
}

INLINE void unpack_t5(const uint8_t *tile, size_t first, size_t last, uint8_t *codes) {
    for (size_t s = first; s < last; s++, codes += T5_COLUMNS * 16)
        for (size_t i = 0; i < 64; i++)
            for (int k = 0, rest = tile[s * TERNARY_STEP_BYTES + i]; k < 5; k++, rest = rest * 3 & 255)
                codes[(size_t)(k + 4) % 5 * 64 + i] = (uint8_t)(rest * 3 >> 8);
}

INLINE void unpack_i5(const uint8_t *tile, size_t first, size_t last, uint8_t *codes) {
    unpack_i5_bytes(tile, first, last, codes);
}

INLINE void add_run(const uint8_t *codes, size_t quads, const int8_t *q, size_t columns, const int T, vi *dots) {
    for (size_t i = 0; i < quads; i++, codes += 64, q += 4)
        for (int t = 0; t < T; t++)
            for (int row = 0; row < 16; row++)
                for (int j = 0; j < 4; j++) dots[t].lane[row] += codes[row * 4 + j] * q[(size_t)t * columns + (size_t)j];
}

// A single row is multiplied like several.
#define t2_once NULL
#define t5_once NULL
#define i5_once NULL
#define l3_once NULL
enum { TERNARY_TOKENS_MAX = 4 };
