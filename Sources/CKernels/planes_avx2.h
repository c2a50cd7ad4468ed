// Integer dot products of bit planes and ternary triples with int8 activations. See planes.h.
#include "planes.h"

// 16 dot products of four codes (up to 2) with the same four activations.
INLINE vi sums_of_four(const uint8_t codes[64], const int8_t a[4]) {
    const __m256i x = four_bytes(a), ones = _mm256_set1_epi16(1);
    __m256i low = _mm256_maddubs_epi16(_mm256_loadu_si256((const __m256i *)codes), x);
    __m256i high = _mm256_maddubs_epi16(_mm256_loadu_si256((const __m256i *)(codes + 32)), x);
    return (vi){_mm256_madd_epi16(low, ones), _mm256_madd_epi16(high, ones)};
}

INLINE void store_split(vi v, uint8_t *low, uint8_t *high) {
    const __m256i mask = _mm256_set1_epi16(255);
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(v.low, v.high), 0xd8);
    __m256i bytes = _mm256_packus_epi16(_mm256_and_si256(words, mask), _mm256_srli_epi16(words, 8));
    bytes = _mm256_permute4x64_epi64(bytes, 0xd8);
    _mm_storeu_si128((__m128i *)low, _mm256_castsi256_si128(bytes));
    _mm_storeu_si128((__m128i *)high, _mm256_extracti128_si256(bytes, 1));
}

INLINE __m256i nibbles(__m256i bytes, const int high) {
    return _mm256_and_si256(high ? _mm256_srli_epi16(bytes, 4) : bytes, _mm256_set1_epi8(15));
}

// Sums of 16 rows in 16 bits; each register half is another column group. `low` has rows 0 … 7, `high` the others.
typedef struct {
    __m256i low, high;
} narrow_sums;

INLINE narrow_sums look_up(const uint8_t *tables, __m256i indices) {
    __m256i low = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)tables), indices);
    __m256i high = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(tables + 64)), indices);
    return (narrow_sums){_mm256_unpacklo_epi8(low, high), _mm256_unpackhi_epi8(low, high)};
}

INLINE __m256i widened(__m256i sums) {
    return _mm256_add_epi32(_mm256_cvtepi16_epi32(_mm256_castsi256_si128(sums)),
                            _mm256_cvtepi16_epi32(_mm256_extracti128_si256(sums, 1)));
}

// Four sums of up to 508 for each plane and register half: at most 15 · 4 · 508 = 30480.
INLINE vi look_up_planes(const uint8_t *w, const int bits, const uint8_t *tables) {
    narrow_sums sum = {_mm256_setzero_si256(), _mm256_setzero_si256()};
#pragma clang loop unroll(full)
    for (int p = bits - 1; p >= 0; p--) {
        sum.low = _mm256_add_epi16(sum.low, sum.low);
        sum.high = _mm256_add_epi16(sum.high, sum.high);
#pragma clang loop unroll(full)
        for (int half = 0; half < 2; half++) {
            __m256i bytes = _mm256_loadu_si256((const __m256i *)(w + p * PLANE_BYTES + half * 32));
#pragma clang loop unroll(full)
            for (int i = 0; i < 2; i++) {
                narrow_sums found = look_up(tables + i * 128 + half * 32, nibbles(bytes, i));
                sum.low = _mm256_add_epi16(sum.low, found.low);
                sum.high = _mm256_add_epi16(sum.high, found.high);
            }
        }
    }
    return (vi){widened(sum.low), widened(sum.high)};
}

// As in dot_nibbles, a block's sums of pairs fit 16 bits.
INLINE void dot_planes(const uint8_t *w, const int bits, const int8_t *a, size_t stride, const int T, vi *dots) {
    const __m256i ones = _mm256_set1_epi16(1);
    // Each byte of four rows, and of the next four, four times.
    const __m256i first_rows = _mm256_setr_epi32(0, 0x01010101, 0x02020202, 0x03030303, 0x04040404, 0x05050505,
                                                 0x06060606, 0x07070707);
    const __m256i last_rows = _mm256_add_epi8(first_rows, _mm256_set1_epi8(8));
    narrow_sums sum[T];
    EACH_TOKEN sum[t].low = sum[t].high = _mm256_setzero_si256();
#pragma clang loop unroll(disable)
    for (int group = 0; group < 8; group++) {
        const __m256i select = _mm256_set1_epi32(group % 2 ? (int)0x80402010 : 0x08040201);
        __m256i low = _mm256_setzero_si256(), high = low;
#pragma clang loop unroll(full)
        for (int p = bits - 1; p >= 0; p--) {
            __m256i bytes = _mm256_broadcastsi128_si256(
                _mm_loadu_si128((const __m128i *)(w + p * PLANE_BYTES + group / 2 * 16)));
            __m256i first = _mm256_and_si256(_mm256_shuffle_epi8(bytes, first_rows), select);
            __m256i last = _mm256_and_si256(_mm256_shuffle_epi8(bytes, last_rows), select);
            // Comparisons give −1.
            low = _mm256_sub_epi8(_mm256_add_epi8(low, low), _mm256_cmpeq_epi8(first, select));
            high = _mm256_sub_epi8(_mm256_add_epi8(high, high), _mm256_cmpeq_epi8(last, select));
        }
        EACH_TOKEN {
            __m256i x = four_bytes(a + (size_t)t * stride + group * 4);
            sum[t].low = _mm256_add_epi16(sum[t].low, _mm256_maddubs_epi16(low, x));
            sum[t].high = _mm256_add_epi16(sum[t].high, _mm256_maddubs_epi16(high, x));
        }
    }
    EACH_TOKEN dots[t] = (vi){_mm256_madd_epi16(sum[t].low, ones), _mm256_madd_epi16(sum[t].high, ones)};
}

INLINE __m256i negate_where(__m256i x, __m256i mask) { return _mm256_sub_epi16(_mm256_xor_si256(x, mask), mask); }
INLINE __m256i all_of(__m256i x, __m256i bits) { return _mm256_cmpeq_epi16(_mm256_and_si256(x, bits), bits); }

// Each step adds four sums of up to 381; 16 steps fit 16 bits.
INLINE vi look_up_l3(const uint8_t *w, size_t columns, const uint8_t *tables, ryz_prefetch prefetch) {
    // The 16 bits that hold the signs of four rows, for each row; in them, the bit of a row and of the triple of a
    // register half.
    const __m256i first_rows = _mm256_broadcastsi128_si256(_mm_setr_epi32(0x01000100, 0x01000100, 0x03020302, 0x03020302));
    const __m256i last_rows = _mm256_add_epi8(first_rows, _mm256_set1_epi8(4));
    const __m128i bit = _mm_setr_epi16(1, 1 << 4, 1 << 8, 1 << 12, 1, 1 << 4, 1 << 8, 1 << 12);
    const __m256i bits = _mm256_set_m128i(_mm_slli_epi16(bit, 1), bit);
    const size_t steps = l3_steps(columns);
    vi dots = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t s = 0; s < steps;) {
        narrow_sums sum = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (size_t end = s + 16 < steps ? s + 16 : steps; s < end; s++, tables += TABLE_STEP_BYTES) {
            const uint8_t *signs = w + l3_signs_at(s), *magnitudes = w + l3_magnitudes_at(s);
            prefetch_weights(magnitudes, prefetch);
#pragma clang loop unroll(full)
            for (int i = 0; i < 2; i++) {
                int64_t step_signs;
                memcpy(&step_signs, signs + i * 8, 8);
                __m256i all = _mm256_set1_epi64x(step_signs);
                __m256i first = _mm256_shuffle_epi8(all, first_rows), last = _mm256_shuffle_epi8(all, last_rows);
#pragma clang loop unroll(full)
                for (int half = 0; half < 2; half++) {
                    __m256i bytes = _mm256_loadu_si256((const __m256i *)(magnitudes + half * 32));
                    __m256i these = _mm256_slli_epi16(bits, half * 2);
                    narrow_sums found = look_up(tables + i * 128 + half * 32, nibbles(bytes, i));
                    sum.low = _mm256_add_epi16(sum.low, negate_where(found.low, all_of(first, these)));
                    sum.high = _mm256_add_epi16(sum.high, negate_where(found.high, all_of(last, these)));
                }
            }
        }
        dots.low = _mm256_add_epi32(dots.low, widened(sum.low));
        dots.high = _mm256_add_epi32(dots.high, widened(sum.high));
    }
    return dots;
}

// The four bytes of each row of a step side by side.
INLINE narrow_sums rows_together(const uint8_t *w) {
    __m128i a = _mm_loadu_si128((const __m128i *)w), b = _mm_loadu_si128((const __m128i *)(w + 16));
    __m128i c = _mm_loadu_si128((const __m128i *)(w + 32)), d = _mm_loadu_si128((const __m128i *)(w + 48));
    __m128i ab = _mm_unpacklo_epi8(a, b), cd = _mm_unpacklo_epi8(c, d);
    __m256i low = _mm256_set_m128i(_mm_unpackhi_epi16(ab, cd), _mm_unpacklo_epi16(ab, cd));
    ab = _mm_unpackhi_epi8(a, b), cd = _mm_unpackhi_epi8(c, d);
    return (narrow_sums){low, _mm256_set_m128i(_mm_unpackhi_epi16(ab, cd), _mm_unpacklo_epi16(ab, cd))};
}

// 0xff for each of 32 bits that is set.
INLINE __m256i mask_of_bits(const uint8_t *p) {
    const __m256i bytes = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bits = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    __m256i x = _mm256_shuffle_epi8(four_bytes((const int8_t *)p), bytes);
    return _mm256_cmpeq_epi8(_mm256_and_si256(x, bits), bits);
}

// Code 0, 1 or 2 of one digit: 2 less where the number is negative.
INLINE __m256i l3_codes(__m256i digit_codes, __m256i magnitudes, __m256i negative) {
    __m256i code = _mm256_shuffle_epi8(digit_codes, magnitudes);
    __m256i other = _mm256_sub_epi8(_mm256_set1_epi8(2), code);
    return _mm256_blendv_epi8(code, other, negative);
}

INLINE void unpack_l3(const uint8_t *tile, size_t first, size_t last, uint8_t *codes) {
    const __m128i digits[3] = {_mm_setr_epi8(L3_CODES_FIRST), _mm_setr_epi8(L3_CODES_SECOND),
                               _mm_setr_epi8(L3_CODES_THIRD)};
    for (size_t s = first; s < last; s++) {
        const uint8_t *signs = tile + l3_signs_at(s), *magnitudes = tile + l3_magnitudes_at(s);
        narrow_sums bytes = rows_together(magnitudes);
#pragma clang loop unroll(full)
        for (int i = 0; i < 2; i++) {
            __m256i first_rows = nibbles(bytes.low, i), last_rows = nibbles(bytes.high, i);
            __m256i first_signs = mask_of_bits(signs + i * 8), last_signs = mask_of_bits(signs + i * 8 + 4);
#pragma clang loop unroll(full)
            for (int k = 0; k < 3; k++, codes += 64) {
                const __m256i digit = _mm256_broadcastsi128_si256(digits[k]);
                store_codes(codes, l3_codes(digit, first_rows, first_signs), l3_codes(digit, last_rows, last_signs));
            }
        }
    }
}

#define l3_once NULL
