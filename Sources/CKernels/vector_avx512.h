// Sixteen float32 lanes in one AVX-512 register. The operations of vector_portable.h, lane by lane.
typedef __m512 vf;
typedef __m512i vi;

static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
static inline vf vf_set1(float x) { return _mm512_set1_ps(x); }
static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
static inline vf vf_abs(vf a) { return _mm512_abs_ps(a); }
static inline vi vf_round(vf a) { return _mm512_cvtps_epi32(a); }
static inline vf vi_float(vi a) { return _mm512_cvtepi32_ps(a); }
static inline vf vi_exp2(vi n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
}
static inline void vi_store(int32_t *p, vi a) { _mm512_storeu_si512(p, a); }
static inline void vi_store_bytes(int8_t *p, vi a) { _mm_storeu_si128((__m128i *)p, _mm512_cvtsepi32_epi8(a)); }
static inline vi vi_zero(void) { return _mm512_setzero_si512(); }
static inline vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
static inline int32_t vi_sum(vi a) { return _mm512_reduce_add_epi32(a); }
static inline vf vf_from_half(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
static inline void vf_to_half(uint16_t *p, vf a) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline vf vf_from_bfloat(const uint16_t *p) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
static inline __m256 vf_high_half(vf a) {
    return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1));
}
static inline float vf_sum(vf a) {
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), vf_high_half(a));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
static inline float vf_maximum(vf a) {
    __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a), vf_high_half(a));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
static inline void vf_add_fixed_half(int64_t *accumulator, __m256 a) {
    __m512d shifted = _mm512_add_pd(_mm512_mul_pd(_mm512_cvtps_pd(a), _mm512_set1_pd(0x1p32)), _mm512_set1_pd(0x1.8p52));
    __m512i fixed = _mm512_sub_epi64(_mm512_castpd_si512(shifted), _mm512_set1_epi64(0x4338000000000000));
    _mm512_storeu_si512(accumulator, _mm512_add_epi64(_mm512_loadu_si512(accumulator), fixed));
}
static inline void vf_add_fixed(int64_t *accumulator, vf a) {
    vf_add_fixed_half(accumulator, _mm512_castps512_ps256(a));
    vf_add_fixed_half(accumulator + 8, vf_high_half(a));
}
