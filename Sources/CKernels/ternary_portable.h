// Integer dot products of a tile of ternary codes with T rows of int8 activations, in portable C.
#include "ternary.h"

static inline void codes_t2(const uint8_t *w, size_t columns, const int8_t *q, const int T, vi *dots) {
    memset(dots, 0, sizeof *dots * (size_t)T);
    for (size_t first = 0; first < columns; first += T2_COLUMNS, w += TERNARY_STEP_BYTES)
        for (int row = 0; row < 16; row++) {
            uint8_t codes[T2_COLUMNS];
            for (int i = 0; i < T2_COLUMNS; i++) codes[i] = w[row * 4 + i % 4] >> (i / 4 * 2) & 3;
            for (int t = 0; t < T; t++)
                for (int i = 0; i < T2_COLUMNS; i++) dots[t].lane[row] += codes[i] * q[(size_t)t * columns + first + (size_t)i];
        }
}

static inline void codes_t5(const uint8_t *w, size_t columns, const int8_t *q, const int T, vi *dots) {
    memset(dots, 0, sizeof *dots * (size_t)T);
    for (size_t first = 0; first < columns; first += T5_COLUMNS, w += TERNARY_STEP_BYTES)
        for (int row = 0; row < 16; row++) {
            uint8_t codes[T5_COLUMNS];
            for (int j = 0; j < 4; j++)
                for (int k = 0, rest = w[row * 4 + j]; k < 5; k++, rest = rest * 3 & 255)
                    codes[(k + 4) % 5 * 4 + j] = (uint8_t)(rest * 3 >> 8);
            for (int t = 0; t < T; t++)
                for (int i = 0; i < T5_COLUMNS; i++)
                    dots[t].lane[row] += codes[i] * q[(size_t)t * columns + first + (size_t)i];
        }
}

enum { TERNARY_TOKENS_MAX = 4 };
