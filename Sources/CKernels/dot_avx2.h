// Integer dot products of one tile block (16 rows × 32 weights) with T rows of int8 activations. See dot_portable.h.

static inline __attribute__((always_inline)) __m256i four_bytes(const int8_t *p) {
    int32_t x;
    memcpy(&x, p, 4);
    return _mm256_set1_epi32(x);
}

// A pair of products is at most 15 · 127 · 2 = 3810, so a block's eight sums fit 16 bits (30480).
static inline __attribute__((always_inline)) void dot_nibbles(const uint8_t *w, const int8_t *a, size_t stride,
                                                              const int T, vi *out) {
    const __m256i mask = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    __m256i low[T], high[T];
#pragma clang loop unroll(full)
    for (int t = 0; t < T; t++) low[t] = high[t] = _mm256_setzero_si256();
#pragma clang loop unroll(disable)
    for (int chunk = 0; chunk < 4; chunk++) {
        __m256i first = _mm256_loadu_si256((const __m256i *)(w + chunk * 64));
        __m256i second = _mm256_loadu_si256((const __m256i *)(w + chunk * 64 + 32));
        __m256i first_high = _mm256_and_si256(_mm256_srli_epi16(first, 4), mask);
        __m256i second_high = _mm256_and_si256(_mm256_srli_epi16(second, 4), mask);
        first = _mm256_and_si256(first, mask);
        second = _mm256_and_si256(second, mask);
#pragma clang loop unroll(full)
        for (int t = 0; t < T; t++) {
            const int8_t *x = a + (size_t)t * stride + chunk * 4;
            __m256i x_low = four_bytes(x), x_high = four_bytes(x + 16);
            low[t] = _mm256_add_epi16(low[t], _mm256_maddubs_epi16(first, x_low));
            high[t] = _mm256_add_epi16(high[t], _mm256_maddubs_epi16(second, x_low));
            low[t] = _mm256_add_epi16(low[t], _mm256_maddubs_epi16(first_high, x_high));
            high[t] = _mm256_add_epi16(high[t], _mm256_maddubs_epi16(second_high, x_high));
        }
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < T; t++) out[t] = (vi){_mm256_madd_epi16(low[t], ones), _mm256_madd_epi16(high[t], ones)};
}

// |w| · (a with the sign of w): at most 128 · 127 · 2 = 32512 a pair.
static inline __attribute__((always_inline)) void dot_bytes(const int8_t *w, const int8_t *a, size_t stride,
                                                            const int32_t *counts, size_t count_stride, const int T,
                                                            vi *out) {
    (void)counts, (void)count_stride;
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i low[T], high[T];
#pragma clang loop unroll(full)
    for (int t = 0; t < T; t++) low[t] = high[t] = _mm256_setzero_si256();
#pragma clang loop unroll(disable)
    for (int chunk = 0; chunk < 8; chunk++) {
        __m256i first = _mm256_loadu_si256((const __m256i *)(w + chunk * 64));
        __m256i second = _mm256_loadu_si256((const __m256i *)(w + chunk * 64 + 32));
        __m256i first_size = _mm256_abs_epi8(first), second_size = _mm256_abs_epi8(second);
#pragma clang loop unroll(full)
        for (int t = 0; t < T; t++) {
            __m256i x = four_bytes(a + (size_t)t * stride + chunk * 4);
            __m256i p = _mm256_maddubs_epi16(first_size, _mm256_sign_epi8(x, first));
            __m256i q = _mm256_maddubs_epi16(second_size, _mm256_sign_epi8(x, second));
            low[t] = _mm256_add_epi32(low[t], _mm256_madd_epi16(p, ones));
            high[t] = _mm256_add_epi32(high[t], _mm256_madd_epi16(q, ones));
        }
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < T; t++) out[t] = (vi){low[t], high[t]};
}

static inline vi vi_subtract(vi a, int32_t b) {
    __m256i all = _mm256_set1_epi32(b);
    return (vi){_mm256_sub_epi32(a.low, all), _mm256_sub_epi32(a.high, all)};
}

enum { TOKENS_MAX = 4 };

static uint64_t dot_peak(uint64_t iterations) {
    __m256i weights = _mm256_set1_epi8(3), x = _mm256_set1_epi8(5), sums[8];
    for (int i = 0; i < 8; i++) sums[i] = _mm256_setzero_si256();
    for (uint64_t n = 0; n < iterations; n++)
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) {
            __asm__ volatile("" : "+x"(x));  // or one product would do for all
            sums[i] = _mm256_add_epi16(sums[i], _mm256_maddubs_epi16(weights, x));
        }
    for (int i = 1; i < 8; i++) sums[0] = _mm256_add_epi16(sums[0], sums[i]);
    __asm__ volatile("" : : "x"(sums[0]));
    return iterations * 8 * 32;
}

static uint64_t read_lines(const uint8_t *memory, size_t lines) {
    __m256i sum0 = _mm256_setzero_si256(), sum1 = sum0;
    for (size_t line = 0; line < lines; line++, memory += 64) {
        _mm_prefetch((const char *)memory + 4096, _MM_HINT_T0);
        sum0 = _mm256_add_epi64(sum0, _mm256_loadu_si256((const __m256i *)memory));
        sum1 = _mm256_add_epi64(sum1, _mm256_loadu_si256((const __m256i *)(memory + 32)));
    }
    uint64_t lanes[4];
    _mm256_storeu_si256((__m256i *)lanes, _mm256_add_epi64(sum0, sum1));
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}
