// Integer dot products of one tile block (16 rows × 32 weights) with T rows of int8 activations. See dot_portable.h.

static inline __attribute__((always_inline)) __m512i four_bytes(const int8_t *p) {
    int32_t x;
    memcpy(&x, p, 4);
    return _mm512_set1_epi32(x);
}

static inline __attribute__((always_inline)) void dot_nibbles(const uint8_t *w, const int8_t *a, size_t stride,
                                                              const int T, vi *out) {
    const __m512i mask = _mm512_set1_epi8(15);
#pragma clang loop unroll(full)
    for (int t = 0; t < T; t++) out[t] = _mm512_setzero_si512();
#pragma clang loop unroll(full)
    for (int chunk = 0; chunk < 4; chunk++) {
        __m512i both = _mm512_loadu_si512(w + chunk * 64);
        __m512i low = _mm512_and_si512(both, mask), high = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
#pragma clang loop unroll(full)
        for (int t = 0; t < T; t++) {
            const int8_t *x = a + (size_t)t * stride + chunk * 4;
            out[t] = _mm512_dpbusd_epi32(out[t], low, four_bytes(x));
            out[t] = _mm512_dpbusd_epi32(out[t], high, four_bytes(x + 16));
        }
    }
}

// The instruction takes unsigned weights: 128 is added to each and taken off again with the sum of the activations.
static inline __attribute__((always_inline)) void dot_bytes(const int8_t *w, const int8_t *a, size_t stride,
                                                            const int32_t *counts, size_t count_stride, const int T,
                                                            vi *out) {
    const __m512i flip = _mm512_set1_epi8((char)0x80);
#pragma clang loop unroll(full)
    for (int t = 0; t < T; t++) out[t] = _mm512_set1_epi32(-128 * counts[(size_t)t * count_stride]);
#pragma clang loop unroll(full)
    for (int chunk = 0; chunk < 8; chunk++) {
        __m512i shifted = _mm512_xor_si512(_mm512_loadu_si512(w + chunk * 64), flip);
#pragma clang loop unroll(full)
        for (int t = 0; t < T; t++)
            out[t] = _mm512_dpbusd_epi32(out[t], shifted, four_bytes(a + (size_t)t * stride + chunk * 4));
    }
}

static inline vi vi_subtract(vi a, int32_t b) { return _mm512_sub_epi32(a, _mm512_set1_epi32(b)); }

enum { TOKENS_MAX = 8 };

static uint64_t dot_peak(uint64_t iterations) {
    __m512i weights = _mm512_set1_epi8(3), x = _mm512_set1_epi8(5), sums[16];
    for (int i = 0; i < 16; i++) sums[i] = _mm512_setzero_si512();
    for (uint64_t n = 0; n < iterations; n++) {
        __asm__ volatile("" : "+v"(x));  // or one round would do for all
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) sums[i] = _mm512_dpbusd_epi32(sums[i], weights, x);
    }
    for (int i = 1; i < 16; i++) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
    __asm__ volatile("" : : "v"(sums[0]));
    return iterations * 16 * 64;
}

static uint64_t read_lines(const uint8_t *memory, size_t lines) {
    __m512i sum0 = _mm512_setzero_si512(), sum1 = sum0;
    for (size_t line = 0; line + 2 <= lines; line += 2, memory += 128) {
        _mm_prefetch((const char *)memory + 4096, _MM_HINT_T0);
        _mm_prefetch((const char *)memory + 4160, _MM_HINT_T0);
        sum0 = _mm512_add_epi64(sum0, _mm512_loadu_si512(memory));
        sum1 = _mm512_add_epi64(sum1, _mm512_loadu_si512(memory + 64));
    }
    return (uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(sum0, sum1));
}
