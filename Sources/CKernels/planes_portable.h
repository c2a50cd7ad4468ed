// Integer dot products of bit planes and ternary triples with int8 activations, in portable C. See planes.h.
#include "planes.h"

// 16 dot products of four codes with the same four activations.
INLINE vi sums_of_four(const uint8_t codes[64], const int8_t a[4]) {
    vi v;
    for (int i = 0; i < 16; i++) {
        v.lane[i] = 0;
        for (int k = 0; k < 4; k++) v.lane[i] += codes[i * 4 + k] * a[k];
    }
    return v;
}

INLINE void store_split(vi v, uint8_t *low, uint8_t *high) {
    for (int i = 0; i < 16; i++) {
        low[i] = (uint8_t)(v.lane[i] & 255);
        high[i] = (uint8_t)(v.lane[i] >> 8 & 255);
    }
}

static inline int32_t table_sum(const uint8_t *table, int index) {
    return table[index] + (int32_t)(int8_t)table[64 + index] * 256;
}

INLINE vi look_up_planes(const uint8_t *w, const int bits, const uint8_t *tables) {
    vi dots = {{0}};
    for (int p = 0; p < bits; p++)
        for (int j = 0; j < 4; j++)
            for (int row = 0; row < 16; row++) {
                uint8_t byte = w[p * PLANE_BYTES + j * 16 + row];
                int32_t sum = table_sum(tables + j * 16, byte & 15) + table_sum(tables + 128 + j * 16, byte >> 4);
                dots.lane[row] += sum * (1 << p);
            }
    return dots;
}

INLINE void dot_planes(const uint8_t *w, const int bits, const int8_t *a, size_t stride, const int T, vi *dots) {
    for (int t = 0; t < T; t++) dots[t] = (vi){{0}};
    for (int row = 0; row < 16; row++)
        for (int column = 0; column < 32; column++) {
            int code = 0;
            for (int p = 0; p < bits; p++)
                code |= (w[p * PLANE_BYTES + column / 8 * 16 + row] >> (column % 8) & 1) << p;
            for (int t = 0; t < T; t++) dots[t].lane[row] += code * a[(size_t)t * stride + (size_t)column];
        }
}

INLINE vi look_up_l3(const uint8_t *w, size_t columns, const uint8_t *tables, ryz_prefetch prefetch) {
    (void)prefetch;
    vi dots = {{0}};
    for (size_t s = 0; s < l3_steps(columns); s++, tables += TABLE_STEP_BYTES) {
        const uint8_t *signs = w + l3_signs_at(s), *magnitudes = w + l3_magnitudes_at(s);
        for (int half = 0; half < 2; half++)
            for (int j = 0; j < 4; j++)
                for (int row = 0; row < 16; row++) {
                    int32_t sum = table_sum(tables + half * 128 + j * 16, magnitudes[j * 16 + row] >> (half * 4) & 15);
                    bool negative = signs[half * 8 + row / 2] >> (row % 2 * 4 + j) & 1;
                    dots.lane[row] += negative ? -sum : sum;
                }
    }
    return dots;
}

INLINE void unpack_l3(const uint8_t *tile, size_t first, size_t last, uint8_t *codes) {
    static const uint8_t digits[3][16] = {{L3_CODES_FIRST}, {L3_CODES_SECOND}, {L3_CODES_THIRD}};
    for (size_t s = first; s < last; s++) {
        const uint8_t *signs = tile + l3_signs_at(s), *magnitudes = tile + l3_magnitudes_at(s);
        for (int quad = 0; quad < L3_COLUMNS / 4; quad++)
            for (int row = 0; row < 16; row++)
                for (int j = 0; j < 4; j++) {
                    int half = quad / 3, code = digits[quad % 3][magnitudes[j * 16 + row] >> (half * 4) & 15];
                    bool negative = signs[half * 8 + row / 2] >> (row % 2 * 4 + j) & 1;
                    *codes++ = (uint8_t)(negative ? 2 - code : code);
                }
    }
}
