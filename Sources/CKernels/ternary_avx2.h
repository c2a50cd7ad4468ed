// Integer dot products of a tile of ternary codes with T rows of int8 activations. See ternary.h.
//
// Pairs of products are at most 2 · 128 · 2 = 512 in size and are summed in 16 bits, no more than 60 of them, before
// they are widened.
#include "ternary.h"

typedef struct {
    __m256i low, high;
} ternary_sum;

INLINE void add_codes(ternary_sum *sum, __m256i low, __m256i high,
                                                            const int8_t *q) {
    __m256i x = four_bytes(q);
    sum->low = _mm256_add_epi16(sum->low, _mm256_maddubs_epi16(low, x));
    sum->high = _mm256_add_epi16(sum->high, _mm256_maddubs_epi16(high, x));
}

INLINE void widen(ternary_sum *narrow, vi *dots) {
    const __m256i ones = _mm256_set1_epi16(1);
    dots->low = _mm256_add_epi32(dots->low, _mm256_madd_epi16(narrow->low, ones));
    dots->high = _mm256_add_epi32(dots->high, _mm256_madd_epi16(narrow->high, ones));
    narrow->low = narrow->high = _mm256_setzero_si256();
}

#define CLEAR                                                             \
    ternary_sum narrow[T];                                                \
    EACH_TOKEN {                                                          \
        narrow[t].low = narrow[t].high = _mm256_setzero_si256();          \
        dots[t].low = dots[t].high = _mm256_setzero_si256();              \
    }

INLINE void codes_t2(const uint8_t *w, size_t columns, const int8_t *q,
                                                           const int T, vi *dots) {
    const __m256i mask = _mm256_set1_epi8(3);
    const size_t steps = ternary_steps(columns, T2_COLUMNS);
    CLEAR
    for (size_t s = 0; s < steps;) {
        for (size_t end = s + 15 < steps ? s + 15 : steps; s < end; s++, w += TERNARY_STEP_BYTES, q += T2_COLUMNS) {
            __m256i low = _mm256_loadu_si256((const __m256i *)w), high = _mm256_loadu_si256((const __m256i *)(w + 32));
            _mm_prefetch((const char *)w + 2048, _MM_HINT_T0);
#pragma clang loop unroll(full)
            for (int k = 0; k < 4; k++) {
                __m256i first = _mm256_and_si256(_mm256_srli_epi16(low, k * 2), mask);
                __m256i second = _mm256_and_si256(_mm256_srli_epi16(high, k * 2), mask);
                EACH_TOKEN add_codes(&narrow[t], first, second, q + (size_t)t * columns + k * 4);
            }
        }
        EACH_TOKEN widen(&narrow[t], &dots[t]);
    }
}

// The first digit of 32 fractions: three quarters of each have it in their upper two bits. Averages round up, so one is
// taken off first.
INLINE __m256i t5_digit(__m256i x) {
    x = _mm256_subs_epu8(x, _mm256_set1_epi8(1));
    __m256i quarters = _mm256_avg_epu8(x, _mm256_avg_epu8(x, _mm256_setzero_si256()));
    return _mm256_and_si256(_mm256_srli_epi16(quarters, 6), _mm256_set1_epi8(3));
}
INLINE __m256i t5_next(__m256i x) {
    return _mm256_add_epi8(x, _mm256_add_epi8(x, x));
}

INLINE void codes_t5(const uint8_t *w, size_t columns, const int8_t *q,
                                                           const int T, vi *dots) {
    const size_t steps = ternary_steps(columns, T5_COLUMNS);
    CLEAR
    for (size_t s = 0; s < steps;) {
        for (size_t end = s + 12 < steps ? s + 12 : steps; s < end; s++, w += TERNARY_STEP_BYTES, q += T5_COLUMNS) {
            __m256i low = _mm256_loadu_si256((const __m256i *)w), high = _mm256_loadu_si256((const __m256i *)(w + 32));
            _mm_prefetch((const char *)w + 2048, _MM_HINT_T0);
#pragma clang loop unroll(full)
            for (int k = 0; k < 5; k++) {
                __m256i first = t5_digit(low), second = t5_digit(high);
                low = t5_next(low), high = t5_next(high);
                EACH_TOKEN add_codes(&narrow[t], first, second, q + (size_t)t * columns + (k + 4) % 5 * 4);
            }
        }
        EACH_TOKEN widen(&narrow[t], &dots[t]);
    }
}

enum { TERNARY_TOKENS_MAX = 4 };
