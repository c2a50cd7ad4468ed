// Sixteen float32 lanes in portable C. The other vector_*.h files do the same operations, lane by lane.
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct { float lane[16]; } vf;
typedef struct { int32_t lane[16]; } vi;

#define EACH for (int i = 0; i < 16; i++)
static inline vf vf_load(const float *p) { vf v; memcpy(&v, p, sizeof v); return v; }
static inline void vf_store(float *p, vf v) { memcpy(p, &v, sizeof v); }
static inline vf vf_set1(float x) { vf v; EACH v.lane[i] = x; return v; }
static inline vf vf_add(vf a, vf b) { EACH a.lane[i] += b.lane[i]; return a; }
static inline vf vf_sub(vf a, vf b) { EACH a.lane[i] -= b.lane[i]; return a; }
static inline vf vf_mul(vf a, vf b) { EACH a.lane[i] *= b.lane[i]; return a; }
static inline vf vf_div(vf a, vf b) { EACH a.lane[i] /= b.lane[i]; return a; }
static inline vf vf_fma(vf a, vf b, vf c) { EACH c.lane[i] = fmaf(a.lane[i], b.lane[i], c.lane[i]); return c; }
// As the x86 instructions: the second operand when equal or when one is not a number.
static inline vf vf_max(vf a, vf b) { EACH b.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; return b; }
static inline vf vf_min(vf a, vf b) { EACH b.lane[i] = a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; return b; }
static inline vf vf_abs(vf a) { EACH a.lane[i] = fabsf(a.lane[i]); return a; }
// To the nearest integer, ties to even; |a| < 2²².
static inline vi vf_round(vf a) {
    vi v;
    EACH {
        volatile float shifted = a.lane[i] + 12582912.0f;
        v.lane[i] = (int32_t)(shifted - 12582912.0f);
    }
    return v;
}
static inline vf vi_float(vi a) { vf v; EACH v.lane[i] = (float)a.lane[i]; return v; }
// 2 to the power of n, −126 ≤ n ≤ 127.
static inline vf vi_exp2(vi n) {
    vf v;
    EACH { uint32_t bits = (uint32_t)(n.lane[i] + 127) << 23; memcpy(&v.lane[i], &bits, 4); }
    return v;
}
static inline void vi_store(int32_t *p, vi a) { EACH p[i] = a.lane[i]; }
static inline void vi_store_bytes(int8_t *p, vi a) { EACH p[i] = (int8_t)a.lane[i]; }
static inline vi vi_zero(void) { return (vi){{0}}; }
static inline vi vi_add(vi a, vi b) { EACH a.lane[i] += b.lane[i]; return a; }
static inline int32_t vi_sum(vi a) { int32_t s = 0; EACH s += a.lane[i]; return s; }

static inline float half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 1023, bits;
    if (exponent == 31) bits = sign | 0x7f800000 | (mantissa ? mantissa << 13 | 0x400000 : 0);
    else if (exponent) bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
    else {
        float f = (float)mantissa * 0x1p-24f;
        memcpy(&bits, &f, 4);
        bits |= sign;
    }
    float f;
    memcpy(&f, &bits, 4);
    return f;
}
static inline uint16_t float_to_half(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return sign | 0x7e00 | (uint16_t)(magnitude >> 13 & 0x3ff);
    if (magnitude >= 0x477ff000) return sign | 0x7c00;
    if (magnitude < 0x38800000) {  // subnormal: the addition rounds to a multiple of 2⁻²⁴
        float a;
        memcpy(&a, &magnitude, 4);
        volatile float shifted = a + 0.5f;
        float s = shifted;
        uint32_t r;
        memcpy(&r, &s, 4);
        return sign | (uint16_t)(r - 0x3f000000);
    }
    uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
    return sign | (uint16_t)((rounded - 0x38000000) >> 13);
}
static inline vf vf_from_half(const uint16_t *p) { vf v; EACH v.lane[i] = half_to_float(p[i]); return v; }
static inline void vf_to_half(uint16_t *p, vf a) { EACH p[i] = float_to_half(a.lane[i]); }
static inline vf vf_from_bfloat(const uint16_t *p) {
    vf v;
    EACH { uint32_t bits = (uint32_t)p[i] << 16; memcpy(&v.lane[i], &bits, 4); }
    return v;
}
// The fixed tree: lanes i and i + 8, then + 4, + 2, + 1.
static inline float vf_sum(vf a) {
    for (int half = 8; half; half /= 2) for (int i = 0; i < half; i++) a.lane[i] += a.lane[i + half];
    return a.lane[0];
}
static inline float vf_maximum(vf a) {
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) a.lane[i] = a.lane[i] > a.lane[i + half] ? a.lane[i] : a.lane[i + half];
    return a.lane[0];
}
// accumulator += round(a · 2³²), ties to even; |a| ≤ 2¹⁸.
static inline void vf_add_fixed(int64_t *accumulator, vf a) {
    EACH {
        volatile double shifted = (double)a.lane[i] * 0x1p32 + 0x1.8p52;
        double d = shifted;
        int64_t bits, zero = 0x4338000000000000;
        memcpy(&bits, &d, 8);
        accumulator[i] += bits - zero;
    }
}
#undef EACH
