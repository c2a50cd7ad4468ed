// Integer dot products of ternary codes with int8 activations. See ternary_template.h.
#include "ternary.h"

// One row of activations: codes stay where they are in their bytes, and count 1, 4, 16 and 64 times.
INLINE vi t2_once(const uint8_t *w, size_t columns, const int8_t *q, ryz_prefetch prefetch) {
    const size_t steps = ternary_steps(columns, T2_COLUMNS);
    const __m512i mask = _mm512_set1_epi8(3);
    __m512i sum0 = _mm512_setzero_si512(), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    for (size_t s = 0; s < steps; s++, w += TERNARY_STEP_BYTES, q += T2_COLUMNS) {
        __m512i all = _mm512_loadu_si512(w);
        prefetch_weights(w, prefetch);
        sum0 = _mm512_dpbusd_epi32(sum0, _mm512_and_si512(all, mask), four_bytes(q));
        sum1 = _mm512_dpbusd_epi32(sum1, _mm512_and_si512(all, _mm512_slli_epi32(mask, 2)), four_bytes(q + 4));
        sum2 = _mm512_dpbusd_epi32(sum2, _mm512_and_si512(all, _mm512_slli_epi32(mask, 4)), four_bytes(q + 8));
        sum3 = _mm512_dpbusd_epi32(sum3, _mm512_and_si512(all, _mm512_slli_epi32(mask, 6)), four_bytes(q + 12));
    }
    sum0 = _mm512_add_epi32(sum0, _mm512_srai_epi32(sum1, 2));
    sum2 = _mm512_add_epi32(_mm512_srai_epi32(sum2, 4), _mm512_srai_epi32(sum3, 6));
    return _mm512_add_epi32(sum0, sum2);
}

// So many sums that their additions overlap: two are begun in a cycle and take five.
INLINE void add_run(const uint8_t *codes, size_t quads, const int8_t *q, size_t columns, const int T, vi *dots) {
    const size_t sums = T >= 16 ? 1 : T >= 8 ? 2 : 4;
    vi sum[sums][T];
    EACH_TOKEN {
        sum[0][t] = dots[t];
        for (size_t i = 1; i < sums; i++) sum[i][t] = _mm512_setzero_si512();
    }
    size_t i = 0;
    for (; i + sums <= quads; i += sums) {
#pragma clang loop unroll(full)
        for (size_t k = 0; k < sums; k++, codes += 64, q += 4) {
            __m512i four = _mm512_load_si512(codes);
            EACH_TOKEN sum[k][t] = _mm512_dpbusd_epi32(sum[k][t], four, four_bytes(q + (size_t)t * columns));
        }
    }
    for (; i < quads; i++, codes += 64, q += 4) {
        __m512i four = _mm512_load_si512(codes);
        EACH_TOKEN sum[0][t] = _mm512_dpbusd_epi32(sum[0][t], four, four_bytes(q + (size_t)t * columns));
    }
    EACH_TOKEN {
        dots[t] = sum[0][t];
#pragma clang loop unroll(full)
        for (size_t k = 1; k < sums; k++) dots[t] = _mm512_add_epi32(dots[t], sum[k][t]);
    }
}

INLINE void unpack_t2(const uint8_t *tile, size_t first, size_t last, uint8_t *codes) {
    const __m512i mask = _mm512_set1_epi8(3);
    for (size_t s = first; s < last; s++) {
        __m512i all = _mm512_loadu_si512(tile + s * TERNARY_STEP_BYTES);
#pragma clang loop unroll(full)
        for (unsigned k = 0; k < 4; k++, codes += 64)
            _mm512_store_si512(codes, _mm512_and_si512(_mm512_srli_epi16(all, k * 2), mask));
    }
}

// The digits after the first one of every byte, two bits each.
static const _Alignas(64) uint8_t t5_digits[256] = {
#define T5_DIGIT(b, power) (((b) * (power) & 255) * 3 >> 8)
#define T5_FOUR(b) (uint8_t)(T5_DIGIT(b, 3) | T5_DIGIT(b, 9) << 2 | T5_DIGIT(b, 27) << 4 | T5_DIGIT(b, 81) << 6)
#define T5_4(b) T5_FOUR(b), T5_FOUR((b) + 1), T5_FOUR((b) + 2), T5_FOUR((b) + 3)
#define T5_16(b) T5_4(b), T5_4((b) + 4), T5_4((b) + 8), T5_4((b) + 12)
#define T5_64(b) T5_16(b), T5_16((b) + 16), T5_16((b) + 32), T5_16((b) + 48)
    T5_64(0), T5_64(64), T5_64(128), T5_64(192),
};

typedef struct {
    __m512i table[4];
} t5_tables;

INLINE t5_tables t5_load_tables(void) {
    t5_tables tables;
    for (int i = 0; i < 4; i++) tables.table[i] = _mm512_load_si512(t5_digits + i * 64);
    return tables;
}

INLINE __m512i t5_later_digits(const t5_tables *tables, __m512i all) {
    __m512i low = _mm512_permutex2var_epi8(tables->table[0], all, tables->table[1]);
    __m512i high = _mm512_permutex2var_epi8(tables->table[2], all, tables->table[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(all), low, high);
}

// The first digit, which changes at a third and at two thirds of 256.
INLINE __m512i t5_first_digit(__m512i all) {
    const __m512i one = _mm512_set1_epi8(1);
    __m512i above = _mm512_maskz_mov_epi8(_mm512_cmpgt_epu8_mask(all, _mm512_set1_epi8(85)), one);
    return _mm512_mask_add_epi8(above, _mm512_cmpgt_epu8_mask(all, _mm512_set1_epi8((char)170)), above, one);
}

INLINE vi t5_once(const uint8_t *w, size_t columns, const int8_t *q, ryz_prefetch prefetch) {
    const size_t steps = ternary_steps(columns, T5_COLUMNS);
    const t5_tables tables = t5_load_tables();
    const __m512i mask = _mm512_set1_epi8(3);
    __m512i sum0 = _mm512_setzero_si512(), sum1 = sum0, sum2 = sum0, sum3 = sum0, sum4 = sum0;
    for (size_t s = 0; s < steps; s++, w += TERNARY_STEP_BYTES, q += T5_COLUMNS) {
        __m512i all = _mm512_loadu_si512(w);
        prefetch_weights(w, prefetch);
        __m512i four = t5_later_digits(&tables, all);
        sum0 = _mm512_dpbusd_epi32(sum0, _mm512_and_si512(four, mask), four_bytes(q));
        sum1 = _mm512_dpbusd_epi32(sum1, _mm512_and_si512(four, _mm512_slli_epi32(mask, 2)), four_bytes(q + 4));
        sum2 = _mm512_dpbusd_epi32(sum2, _mm512_and_si512(four, _mm512_slli_epi32(mask, 4)), four_bytes(q + 8));
        sum3 = _mm512_dpbusd_epi32(sum3, _mm512_and_si512(four, _mm512_slli_epi32(mask, 6)), four_bytes(q + 12));
        sum4 = _mm512_dpbusd_epi32(sum4, t5_first_digit(all), four_bytes(q + 16));
    }
    sum0 = _mm512_add_epi32(_mm512_add_epi32(sum0, sum4), _mm512_srai_epi32(sum1, 2));
    sum2 = _mm512_add_epi32(_mm512_srai_epi32(sum2, 4), _mm512_srai_epi32(sum3, 6));
    return _mm512_add_epi32(sum0, sum2);
}

INLINE void unpack_t5(const uint8_t *tile, size_t first, size_t last, uint8_t *codes) {
    const t5_tables tables = t5_load_tables();
    const __m512i mask = _mm512_set1_epi8(3);
    for (size_t s = first; s < last; s++, codes += T5_COLUMNS * 16) {
        __m512i all = _mm512_loadu_si512(tile + s * TERNARY_STEP_BYTES), four = t5_later_digits(&tables, all);
#pragma clang loop unroll(full)
        for (unsigned k = 0; k < 4; k++)
            _mm512_store_si512(codes + k * 64, _mm512_and_si512(_mm512_srli_epi16(four, k * 2), mask));
        _mm512_store_si512(codes + 256, t5_first_digit(all));
    }
}

// The codes that a byte's lower six bits stand for: those of k = 0 … 3, two bits each, where the byte is a short one and
// where it isn't; and for these that of k = 4, where bits 6 and 7 of short ones have it.
typedef struct {
    uint8_t short_codes[64], long_codes[64], long_last[64];
} i5_lists;
static const _Alignas(64) i5_lists i5_table = {
#define I5_FOUR(n) (uint8_t)((n) / 27 | (n) / 9 % 3 << 2 | (n) / 3 % 3 << 4 | (n) % 3 << 6)
#define I5_LONG(i) I5_FOUR(I5_SHORT_NUMBERS + (i) % I5_LONG_NUMBERS)
#define I5_LAST(i) (uint8_t)((i) / I5_LONG_NUMBERS << 6)
#define I5_4(ENTRY, i) ENTRY(i), ENTRY((i) + 1), ENTRY((i) + 2), ENTRY((i) + 3)
#define I5_16(ENTRY, i) I5_4(ENTRY, i), I5_4(ENTRY, (i) + 4), I5_4(ENTRY, (i) + 8), I5_4(ENTRY, (i) + 12)
#define I5_64(ENTRY) I5_16(ENTRY, 0), I5_16(ENTRY, 16), I5_16(ENTRY, 32), I5_16(ENTRY, 48)
    {I5_64(I5_FOUR)}, {I5_64(I5_LONG)}, {I5_64(I5_LAST)},
};

typedef struct {
    __m512i short_codes, long_codes, long_last;
} i5_tables;

INLINE i5_tables i5_load_tables(void) {
    return (i5_tables){
        _mm512_load_si512(i5_table.short_codes),
        _mm512_load_si512(i5_table.long_codes),
        _mm512_load_si512(i5_table.long_last),
    };
}

typedef struct {
    __m512i four;  // two bits each
    __m512i last;  // in bits 6 and 7
} i5_codes;

INLINE i5_codes i5_split(const i5_tables *tables, __m512i all) {
    __mmask64 is_long = _mm512_cmpgt_epu8_mask(all, _mm512_set1_epi8((char)I5_LAST_SHORT));
    __m512i four = _mm512_permutexvar_epi8(all, tables->short_codes);
    __m512i last = _mm512_and_si512(all, _mm512_set1_epi8((char)0xc0));
    return (i5_codes){
        _mm512_mask_permutexvar_epi8(four, is_long, all, tables->long_codes),
        _mm512_mask_permutexvar_epi8(last, is_long, all, tables->long_last),
    };
}

INLINE vi i5_once(const uint8_t *w, size_t columns, const int8_t *q, ryz_prefetch prefetch) {
    const size_t steps = ternary_steps(columns, T5_COLUMNS);
    const i5_tables tables = i5_load_tables();
    const __m512i mask = _mm512_set1_epi8(3);
    __m512i sum0 = _mm512_setzero_si512(), sum1 = sum0, sum2 = sum0, sum3 = sum0, sum4 = sum0;
    for (size_t s = 0; s < steps; s++, w += TERNARY_STEP_BYTES, q += T5_COLUMNS) {
        i5_codes codes = i5_split(&tables, _mm512_loadu_si512(w));
        prefetch_weights(w, prefetch);
        sum0 = _mm512_dpbusd_epi32(sum0, _mm512_and_si512(codes.four, mask), four_bytes(q));
        sum1 = _mm512_dpbusd_epi32(sum1, _mm512_and_si512(codes.four, _mm512_slli_epi32(mask, 2)), four_bytes(q + 4));
        sum2 = _mm512_dpbusd_epi32(sum2, _mm512_and_si512(codes.four, _mm512_slli_epi32(mask, 4)), four_bytes(q + 8));
        sum3 = _mm512_dpbusd_epi32(sum3, _mm512_and_si512(codes.four, _mm512_slli_epi32(mask, 6)), four_bytes(q + 12));
        sum4 = _mm512_dpbusd_epi32(sum4, codes.last, four_bytes(q + 16));
    }
    sum0 = _mm512_add_epi32(sum0, _mm512_srai_epi32(sum1, 2));
    sum2 = _mm512_add_epi32(_mm512_srai_epi32(sum2, 4), _mm512_srai_epi32(_mm512_add_epi32(sum3, sum4), 6));
    return _mm512_add_epi32(sum0, sum2);
}

INLINE void unpack_i5(const uint8_t *tile, size_t first, size_t last, uint8_t *codes) {
    const i5_tables tables = i5_load_tables();
    const __m512i mask = _mm512_set1_epi8(3);
    for (size_t s = first; s < last; s++, codes += T5_COLUMNS * 16) {
        i5_codes split = i5_split(&tables, _mm512_loadu_si512(tile + s * TERNARY_STEP_BYTES));
#pragma clang loop unroll(full)
        for (unsigned k = 0; k < 4; k++)
            _mm512_store_si512(codes + k * 64, _mm512_and_si512(_mm512_srli_epi16(split.four, k * 2), mask));
        _mm512_store_si512(codes + 256, _mm512_srli_epi16(split.last, 6));
    }
}

enum { TERNARY_TOKENS_MAX = 16 };
