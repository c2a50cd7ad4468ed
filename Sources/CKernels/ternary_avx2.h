// Integer dot products of ternary codes with int8 activations. See ternary_template.h.
#include "ternary.h"

// Sums in 16 bits; `low` has rows 0 … 7, `high` the others.
typedef struct {
    __m256i low, high;
} ternary_sum;

INLINE void add_codes(ternary_sum *sum, __m256i low, __m256i high, const int8_t *q) {
    __m256i x = four_bytes(q);
    sum->low = _mm256_add_epi16(sum->low, _mm256_maddubs_epi16(low, x));
    sum->high = _mm256_add_epi16(sum->high, _mm256_maddubs_epi16(high, x));
}

INLINE void widen(ternary_sum narrow, vi *dots) {
    const __m256i ones = _mm256_set1_epi16(1);
    dots->low = _mm256_add_epi32(dots->low, _mm256_madd_epi16(narrow.low, ones));
    dots->high = _mm256_add_epi32(dots->high, _mm256_madd_epi16(narrow.high, ones));
}

INLINE void add_run(const uint8_t *codes, size_t quads, const int8_t *q, size_t columns, const int T, vi *dots) {
    ternary_sum narrow[T];
    EACH_TOKEN narrow[t].low = narrow[t].high = _mm256_setzero_si256();
    for (size_t i = 0; i < quads; i++, codes += 64, q += 4) {
        __m256i low = _mm256_load_si256((const __m256i *)codes), high = _mm256_load_si256((const __m256i *)(codes + 32));
        EACH_TOKEN add_codes(&narrow[t], low, high, q + (size_t)t * columns);
    }
    EACH_TOKEN widen(narrow[t], &dots[t]);
}

INLINE void store_codes(uint8_t *codes, __m256i low, __m256i high) {
    _mm256_store_si256((__m256i *)codes, low);
    _mm256_store_si256((__m256i *)(codes + 32), high);
}

INLINE __m256i t2_codes(__m256i bytes, const int k) {
    return _mm256_and_si256(_mm256_srli_epi16(bytes, k * 2), _mm256_set1_epi8(3));
}

INLINE vi t2_once(const uint8_t *w, size_t columns, const int8_t *q, ryz_prefetch prefetch) {
    const size_t steps = ternary_steps(columns, T2_COLUMNS), run = RUN_COLUMNS / T2_COLUMNS;
    vi dots = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t s = 0; s < steps;) {
        ternary_sum narrow = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (size_t end = s + run < steps ? s + run : steps; s < end; s++, w += TERNARY_STEP_BYTES, q += T2_COLUMNS) {
            __m256i low = _mm256_loadu_si256((const __m256i *)w), high = _mm256_loadu_si256((const __m256i *)(w + 32));
            prefetch_weights(w, prefetch);
#pragma clang loop unroll(full)
            for (int k = 0; k < 4; k++) add_codes(&narrow, t2_codes(low, k), t2_codes(high, k), q + k * 4);
        }
        widen(narrow, &dots);
    }
    return dots;
}

INLINE void unpack_t2(const uint8_t *tile, size_t first, size_t last, uint8_t *codes) {
    const uint8_t *w = tile + first * TERNARY_STEP_BYTES;
    for (size_t s = first; s < last; s++, w += TERNARY_STEP_BYTES) {
        __m256i low = _mm256_loadu_si256((const __m256i *)w), high = _mm256_loadu_si256((const __m256i *)(w + 32));
#pragma clang loop unroll(full)
        for (int k = 0; k < 4; k++, codes += 64) store_codes(codes, t2_codes(low, k), t2_codes(high, k));
    }
}

// Fractions less 128, as the comparisons are of signed bytes. Taking three times keeps them so: 3 (x + 128) = 3 x + 128.
INLINE __m256i t5_load(const uint8_t *w) {
    return _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)w), _mm256_set1_epi8((char)0x80));
}
// The first digit of 32 fractions, which changes at a third and at two thirds of 256. Comparisons give −1.
INLINE __m256i t5_digit(__m256i x) {
    __m256i third = _mm256_cmpgt_epi8(x, _mm256_set1_epi8(85 - 128));
    __m256i two_thirds = _mm256_cmpgt_epi8(x, _mm256_set1_epi8(170 - 128));
    return _mm256_sub_epi8(_mm256_abs_epi8(third), two_thirds);
}
INLINE __m256i t5_next(__m256i x) { return _mm256_add_epi8(x, _mm256_add_epi8(x, x)); }

INLINE vi t5_once(const uint8_t *w, size_t columns, const int8_t *q, ryz_prefetch prefetch) {
    const size_t steps = ternary_steps(columns, T5_COLUMNS), run = RUN_COLUMNS / T5_COLUMNS;
    vi dots = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t s = 0; s < steps;) {
        ternary_sum narrow = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (size_t end = s + run < steps ? s + run : steps; s < end; s++, w += TERNARY_STEP_BYTES, q += T5_COLUMNS) {
            __m256i low = t5_load(w), high = t5_load(w + 32);
            prefetch_weights(w, prefetch);
#pragma clang loop unroll(full)
            for (int k = 0; k < 5; k++, low = t5_next(low), high = t5_next(high))
                add_codes(&narrow, t5_digit(low), t5_digit(high), q + (k + 4) % 5 * 4);
        }
        widen(narrow, &dots);
    }
    return dots;
}

INLINE void unpack_t5(const uint8_t *tile, size_t first, size_t last, uint8_t *codes) {
    const uint8_t *w = tile + first * TERNARY_STEP_BYTES;
    for (size_t s = first; s < last; s++, w += TERNARY_STEP_BYTES, codes += T5_COLUMNS * 16) {
        __m256i low = t5_load(w), high = t5_load(w + 32);
#pragma clang loop unroll(full)
        for (int k = 0; k < 5; k++, low = t5_next(low), high = t5_next(high))
            store_codes(codes + (k + 4) % 5 * 64, t5_digit(low), t5_digit(high));
    }
}

// T5 is the one for this instruction set.
#define i5_once NULL
INLINE void unpack_i5(const uint8_t *tile, size_t first, size_t last, uint8_t *codes) {
    unpack_i5_bytes(tile, first, last, codes);
}

enum { TERNARY_TOKENS_MAX = 6 };
