// Integer dot products of bit planes and ternary triples with int8 activations. See planes.h.
#include "planes.h"

// 16 dot products of four codes with the same four activations.
INLINE vi sums_of_four(const uint8_t codes[64], const int8_t a[4]) {
    return _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_loadu_si512(codes), four_bytes(a));
}

INLINE void store_split(vi v, uint8_t *low, uint8_t *high) {
    _mm_storeu_si128((__m128i *)low, _mm512_cvtepi32_epi8(v));
    _mm_storeu_si128((__m128i *)high, _mm512_cvtepi32_epi8(_mm512_srai_epi32(v, 8)));
}

// The four bytes of each row side by side.
INLINE __m512i rows_together(const uint8_t *w) {
    const __m512i columns = _mm512_set1_epi32(0x30201000);
    const __m512i rows = _mm512_setr_epi32(0, 0x01010101, 0x02020202, 0x03030303, 0x04040404, 0x05050505, 0x06060606,
                                           0x07070707, 0x08080808, 0x09090909, 0x0a0a0a0a, 0x0b0b0b0b, 0x0c0c0c0c,
                                           0x0d0d0d0d, 0x0e0e0e0e, 0x0f0f0f0f);
    return _mm512_permutexvar_epi8(_mm512_add_epi8(columns, rows), _mm512_loadu_si512(w));
}

// Indices into the four tables that stand side by side in a register: nibble + 16 · byte in row.
INLINE __m512i table_indices(__m512i together, const int high) {
    __m512i shifted = high ? _mm512_srli_epi16(together, 4) : together;
    return _mm512_ternarylogic_epi32(shifted, _mm512_set1_epi8(15), _mm512_set1_epi32(0x30201000), 0xea);
}

INLINE vi low_and_high(__m512i low, __m512i high) { return _mm512_add_epi32(low, _mm512_slli_epi32(high, 8)); }

INLINE vi look_up_planes(const uint8_t *w, const int bits, const uint8_t *tables) {
    __m512i low = _mm512_setzero_si512(), high = low;
#pragma clang loop unroll(full)
    for (int p = 0; p < bits; p++) {
        const __m512i weight = _mm512_set1_epi8((char)(1 << p));
        __m512i together = rows_together(w + p * PLANE_BYTES);
#pragma clang loop unroll(full)
        for (int i = 0; i < 2; i++) {
            __m512i indices = table_indices(together, i);
            __m512i low_bytes = _mm512_permutexvar_epi8(indices, _mm512_loadu_si512(tables + i * 128));
            __m512i high_bytes = _mm512_permutexvar_epi8(indices, _mm512_loadu_si512(tables + i * 128 + 64));
            low = _mm512_dpbusd_epi32(low, low_bytes, weight);
            high = _mm512_dpbusd_epi32(high, weight, high_bytes);
        }
    }
    return low_and_high(low, high);
}

// Bits of a row's 32 columns go to the bytes of the columns, those of plane p to bit p.
INLINE void dot_planes(const uint8_t *w, const int bits, const int8_t *a, size_t stride, const int T, vi *dots) {
    __m512i planes[4];
#pragma clang loop unroll(full)
    for (int p = 0; p < bits; p++) {
        planes[p] = rows_together(w + p * PLANE_BYTES);
        if (p) planes[p] = _mm512_rolv_epi64(planes[p], _mm512_set1_epi64(p));
    }
    EACH_TOKEN dots[t] = _mm512_setzero_si512();
#pragma clang loop unroll(full)
    for (int group = 0; group < 8; group++) {
        const __m512i position =
            _mm512_set1_epi64(0x2322212003020100 + (int64_t)group * 0x0404040404040404);
        __m512i codes = _mm512_setzero_si512();
#pragma clang loop unroll(full)
        for (int p = 0; p < bits; p++) {
            __m512i bytes = _mm512_multishift_epi64_epi8(position, planes[p]);
            codes = _mm512_ternarylogic_epi32(bytes, _mm512_set1_epi8((char)(1 << p)), codes, 0xea);
        }
        EACH_TOKEN dots[t] = _mm512_dpbusd_epi32(dots[t], codes, four_bytes(a + (size_t)t * stride + group * 4));
    }
}

INLINE __mmask64 l3_signs(const uint8_t *p) {
    uint64_t signs;
    memcpy(&signs, p, 8);
    return _cvtu64_mask64(signs);
}

INLINE vi look_up_l3(const uint8_t *w, size_t columns, const uint8_t *tables, ryz_prefetch prefetch) {
    const __m512i one = _mm512_set1_epi8(1), zero = _mm512_setzero_si512();
    const size_t steps = l3_steps(columns);
    __m512i low[2] = {zero, zero}, high[2] = {zero, zero};
    for (size_t s = 0; s < steps; s++) {
        const uint8_t *signs = w + l3_signs_at(s), *magnitudes = w + l3_magnitudes_at(s);
        __m512i together = rows_together(magnitudes);
        prefetch_weights(magnitudes, prefetch);
#pragma clang loop unroll(full)
        for (int i = 0; i < 2; i++) {
            __m512i indices = table_indices(together, i);
            __mmask64 negative = l3_signs(signs + i * 8);
            __m512i low_bytes = _mm512_permutexvar_epi8(indices, _mm512_loadu_si512(tables + i * 128));
            __m512i high_bytes = _mm512_permutexvar_epi8(indices, _mm512_loadu_si512(tables + i * 128 + 64));
            high_bytes = _mm512_mask_sub_epi8(high_bytes, negative, zero, high_bytes);
            low[i] = _mm512_dpbusd_epi32(low[i], low_bytes, _mm512_mask_sub_epi8(one, negative, zero, one));
            high[i] = _mm512_dpbusd_epi32(high[i], one, high_bytes);
        }
        tables += TABLE_STEP_BYTES;
    }
    return low_and_high(_mm512_add_epi32(low[0], low[1]), _mm512_add_epi32(high[0], high[1]));
}

INLINE void l3_codes(const uint8_t *tile, size_t step, __m512i codes[6]) {
    const __m512i mask = _mm512_set1_epi8(15), two = _mm512_set1_epi8(2);
    const __m512i digits[3] = {_mm512_broadcast_i32x4(_mm_setr_epi8(L3_CODES_FIRST)),
                               _mm512_broadcast_i32x4(_mm_setr_epi8(L3_CODES_SECOND)),
                               _mm512_broadcast_i32x4(_mm_setr_epi8(L3_CODES_THIRD))};
    __m512i together = rows_together(tile + l3_magnitudes_at(step));
#pragma clang loop unroll(full)
    for (int i = 0; i < 2; i++) {
        __m512i magnitudes = _mm512_and_si512(i ? _mm512_srli_epi16(together, 4) : together, mask);
        __mmask64 negative = l3_signs(tile + l3_signs_at(step) + i * 8);
#pragma clang loop unroll(full)
        for (int k = 0; k < 3; k++) {
            __m512i digit = _mm512_shuffle_epi8(digits[k], magnitudes);
            codes[i * 3 + k] = _mm512_mask_sub_epi8(digit, negative, two, digit);
        }
    }
}

// Six sums, for their additions to overlap.
INLINE vi l3_once(const uint8_t *tile, size_t columns, const int8_t *q, ryz_prefetch prefetch) {
    __m512i sums[6], codes[6];
    for (int i = 0; i < 6; i++) sums[i] = _mm512_setzero_si512();
    for (size_t s = 0, steps = l3_steps(columns); s < steps; s++, q += L3_COLUMNS) {
        l3_codes(tile, s, codes);
        prefetch_weights(tile + l3_magnitudes_at(s), prefetch);
#pragma clang loop unroll(full)
        for (int i = 0; i < 6; i++) sums[i] = _mm512_dpbusd_epi32(sums[i], codes[i], four_bytes(q + i * 4));
    }
    for (int i = 1; i < 6; i++) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
    return sums[0];
}

INLINE void unpack_l3(const uint8_t *tile, size_t first, size_t last, uint8_t *bytes) {
    __m512i codes[6];
    for (size_t s = first; s < last; s++) {
        l3_codes(tile, s, codes);
#pragma clang loop unroll(full)
        for (int i = 0; i < 6; i++, bytes += 64) _mm512_store_si512(bytes, codes[i]);
    }
}
