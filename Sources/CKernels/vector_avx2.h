// Sixteen float32 lanes in two AVX2 registers. The operations of vector_portable.h, lane by lane.
typedef struct { __m256 low, high; } vf;
typedef struct { __m256i low, high; } vi;

#define BOTH(operation, a, b) (vf){operation((a).low, (b).low), operation((a).high, (b).high)}
static inline vf vf_load(const float *p) { return (vf){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
static inline void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v.low); _mm256_storeu_ps(p + 8, v.high); }
static inline vf vf_set1(float x) { return (vf){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
static inline vf vf_add(vf a, vf b) { return BOTH(_mm256_add_ps, a, b); }
static inline vf vf_sub(vf a, vf b) { return BOTH(_mm256_sub_ps, a, b); }
static inline vf vf_mul(vf a, vf b) { return BOTH(_mm256_mul_ps, a, b); }
static inline vf vf_div(vf a, vf b) { return BOTH(_mm256_div_ps, a, b); }
static inline vf vf_max(vf a, vf b) { return BOTH(_mm256_max_ps, a, b); }
static inline vf vf_min(vf a, vf b) { return BOTH(_mm256_min_ps, a, b); }
static inline vf vf_fma(vf a, vf b, vf c) {
    return (vf){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
static inline vf vf_abs(vf a) {
    __m256 sign = _mm256_set1_ps(-0.0f);
    return (vf){_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
static inline vi vf_round(vf a) { return (vi){_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)}; }
static inline vf vi_float(vi a) { return (vf){_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)}; }
static inline vf vi_exp2(vi n) {
    __m256i bias = _mm256_set1_epi32(127);
    return (vf){_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n.low, bias), 23)),
                _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n.high, bias), 23))};
}
static inline void vi_store(int32_t *p, vi a) {
    _mm256_storeu_si256((__m256i *)p, a.low);
    _mm256_storeu_si256((__m256i *)(p + 8), a.high);
}
static inline void vi_store_bytes(int8_t *p, vi a) {
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.low, a.high), 0xd8);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i *)p, bytes);
}
static inline vi vi_zero(void) { return (vi){_mm256_setzero_si256(), _mm256_setzero_si256()}; }
static inline vi vi_add(vi a, vi b) {
    return (vi){_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
static inline int32_t vi_sum(vi a) {
    __m256i s = _mm256_add_epi32(a.low, a.high);
    __m128i t = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
    t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0x4e));
    t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0xb1));
    return _mm_cvtsi128_si32(t);
}
static inline vf vf_from_half(const uint16_t *p) {
    return (vf){_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)),
                _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)))};
}
static inline void vf_to_half(uint16_t *p, vf a) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a.low, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(p + 8), _mm256_cvtps_ph(a.high, _MM_FROUND_TO_NEAREST_INT));
}
static inline vf vf_from_bfloat(const uint16_t *p) {
    __m256i low = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    __m256i high = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(p + 8)));
    return (vf){_mm256_castsi256_ps(_mm256_slli_epi32(low, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(high, 16))};
}
static inline float vf_sum(vf a) {
    __m256 eight = _mm256_add_ps(a.low, a.high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
static inline float vf_maximum(vf a) {
    __m256 eight = _mm256_max_ps(a.low, a.high);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
static inline void vf_add_fixed_quarter(int64_t *accumulator, __m128 a) {
    __m256d shifted = _mm256_add_pd(_mm256_mul_pd(_mm256_cvtps_pd(a), _mm256_set1_pd(0x1p32)), _mm256_set1_pd(0x1.8p52));
    __m256i fixed = _mm256_sub_epi64(_mm256_castpd_si256(shifted), _mm256_set1_epi64x(0x4338000000000000));
    __m256i sum = _mm256_add_epi64(_mm256_loadu_si256((const __m256i *)accumulator), fixed);
    _mm256_storeu_si256((__m256i *)accumulator, sum);
}
static inline void vf_add_fixed(int64_t *accumulator, vf a) {
    vf_add_fixed_quarter(accumulator, _mm256_castps256_ps128(a.low));
    vf_add_fixed_quarter(accumulator + 4, _mm256_extractf128_ps(a.low, 1));
    vf_add_fixed_quarter(accumulator + 8, _mm256_castps256_ps128(a.high));
    vf_add_fixed_quarter(accumulator + 12, _mm256_extractf128_ps(a.high, 1));
}
#undef BOTH
