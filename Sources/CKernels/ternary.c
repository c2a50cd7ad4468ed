// Ternary weights from checkpoints into tiles.
#include <string.h>

#include "kernels.h"
#include "planes.h"
#include "ternary.h"
#include "tokens.h"
#include "vector_portable.h"

size_t ryz_ternary_source_bytes(ryz_ternary_source form, size_t rows, size_t columns) {
    switch (form) {
        case RYZ_TERNARY_QUARTERS: return rows % 4 ? 0 : rows / 4 * columns;
        case RYZ_TERNARY_TQ1_0: return columns % 256 ? 0 : rows * (columns / 256) * 54;
        case RYZ_TERNARY_TQ2_0: return columns % 256 ? 0 : rows * (columns / 256) * 66;
        case RYZ_TERNARY_I2_S: return columns % 128 ? 0 : rows * (columns / 4);
    }
    return 0;
}

// Stores the weight of code 0, 1 or 2; counts another one.
static size_t put(int8_t *out, int code) {
    *out = (int8_t)(code - 1);
    return code > 2;
}

static size_t quarters_row(const uint8_t *source, size_t rows, size_t columns, size_t row, int8_t *out) {
    size_t quarter = rows / 4, wrong = 0;
    const uint8_t *bytes = source + row % quarter * columns;
    int shift = (int)(row / quarter) * 2;
    for (size_t i = 0; i < columns; i++) wrong += put(out + i, bytes[i] >> shift & 3);
    return wrong;
}

// Base-three digits of a byte that is a fraction of 256: the first `count` of them, `step` apart.
static void fraction_digits(uint8_t byte, int count, size_t step, int8_t *out) {
    for (int k = 0; k < count; k++, byte = (uint8_t)(byte * 3)) out[(size_t)k * step] = (int8_t)((byte * 3 >> 8) - 1);
}

// Whether a block has the matrix's scale. A block of zeros may have none: then its codes mean nothing.
static size_t check_scale(const uint8_t *at, float scale, int8_t *block) {
    uint16_t half;
    memcpy(&half, at, 2);
    if (half << 1 & 0xffff) return half_to_float(half) != scale;
    memset(block, 0, 256);
    return 0;
}

// 32 bytes of five weights, 32 apart; 16 bytes of five, 16 apart; 4 bytes of four, 4 apart; a float16 scale.
static size_t tq1_0_row(const uint8_t *block, size_t columns, float scale, int8_t *out) {
    size_t wrong = 0;
    for (size_t b = 0; b < columns / 256; b++, block += 54, out += 256) {
        for (size_t i = 0; i < 32; i++) fraction_digits(block[i], 5, 32, out + i);
        for (size_t i = 0; i < 16; i++) fraction_digits(block[32 + i], 5, 16, out + 160 + i);
        for (size_t i = 0; i < 4; i++) fraction_digits(block[48 + i], 4, 4, out + 240 + i);
        wrong += check_scale(block + 52, scale, out);
    }
    return wrong;
}

// Twice 32 bytes of four weights, 32 apart; a float16 scale.
static size_t tq2_0_row(const uint8_t *block, size_t columns, float scale, int8_t *out) {
    size_t wrong = 0;
    for (size_t b = 0; b < columns / 256; b++, block += 66, out += 256) {
        for (size_t i = 0; i < 256; i++)
            wrong += put(out + i, block[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3);
        wrong += check_scale(block + 64, scale, out);
    }
    return wrong;
}

// 32 bytes of four weights, 32 apart, the first in the upper bits.
static size_t i2_s_row(const uint8_t *bytes, size_t columns, int8_t *out) {
    size_t wrong = 0;
    for (size_t i = 0; i < columns; i++)
        wrong += put(out + i, bytes[i / 128 * 32 + i % 32] >> (6 - i % 128 / 32 * 2) & 3);
    return wrong;
}

size_t ryz_decode_ternary_row(ryz_ternary_source form, const void *source, size_t rows, size_t columns, size_t row,
                              float scale, int8_t *out) {
    const uint8_t *bytes = source;
    switch (form) {
        case RYZ_TERNARY_QUARTERS: return quarters_row(bytes, rows, columns, row, out);
        case RYZ_TERNARY_TQ1_0: return tq1_0_row(bytes + row * (columns / 256) * 54, columns, scale, out);
        case RYZ_TERNARY_TQ2_0: return tq2_0_row(bytes + row * (columns / 256) * 66, columns, scale, out);
        case RYZ_TERNARY_I2_S: return i2_s_row(bytes + row * (columns / 4), columns, out);
    }
    return columns;
}

// Columns past the last one have digit −1; see planes.h.
static void pack_l3(const int8_t *rows, size_t row_count, size_t columns, uint8_t *out) {
    for (size_t row = 0; row < RYZ_TILE_ROWS; row++)
        for (size_t triple = 0; triple < l3_steps(columns) * 8; triple++) {
            size_t step = triple / 8, half = triple / 4 % 2, j = triple % 4;
            int number = 0;
            for (size_t k = 3; k-- > 0;) {
                size_t column = step * L3_COLUMNS + half * 12 + k * 4 + j;
                number = number * 3 + (column >= columns ? -1 : row < row_count ? rows[row * columns + column] : 0);
            }
            out[l3_magnitudes_at(step) + j * 16 + row] |= (uint8_t)((number < 0 ? -number : number) << (half * 4));
            out[l3_signs_at(step) + half * 8 + row / 2] |= (uint8_t)((number < 0) << (row % 2 * 4 + j));
        }
}

static int8_t l3_weight(const uint8_t *tile, size_t row, size_t column) {
    static const uint8_t codes[3][16] = {{L3_CODES_FIRST}, {L3_CODES_SECOND}, {L3_CODES_THIRD}};
    size_t step = column / L3_COLUMNS, half = column % L3_COLUMNS / 12, k = column % 12 / 4, j = column % 4;
    int digit = codes[k][tile[l3_magnitudes_at(step) + j * 16 + row] >> (half * 4) & 15] - 1;
    bool negative = tile[l3_signs_at(step) + half * 8 + row / 2] >> (row % 2 * 4 + j) & 1;
    return (int8_t)(negative ? -digit : digit);
}

static int8_t t2_weight(const uint8_t *tile, size_t row, size_t column) {
    uint8_t byte = tile[column / T2_COLUMNS * TERNARY_STEP_BYTES + row * 4 + column % 4];
    return (int8_t)((byte >> (column % T2_COLUMNS / 4 * 2) & 3) - 1);
}

static uint8_t five_weights(const uint8_t *tile, size_t row, size_t column) {
    return tile[column / T5_COLUMNS * TERNARY_STEP_BYTES + row * 4 + column % 4];
}

static int8_t t5_weight(const uint8_t *tile, size_t row, size_t column) {
    return (int8_t)(t5_code(five_weights(tile, row, column), column % T5_COLUMNS / 4) - 1);
}

static int8_t i5_weight(const uint8_t *tile, size_t row, size_t column) {
    return (int8_t)(i5_code(five_weights(tile, row, column), column % T5_COLUMNS / 4) - 1);
}

void ryz_unpack_ternary(ryz_layout layout, const void *tile, size_t first_column, size_t column_count, int8_t *rows) {
    int8_t (*weight)(const uint8_t *, size_t, size_t) = layout == RYZ_T2   ? t2_weight
                                                        : layout == RYZ_T5 ? t5_weight
                                                        : layout == RYZ_I5 ? i5_weight
                                                                           : l3_weight;
    for (size_t row = 0; row < RYZ_TILE_ROWS; row++)
        for (size_t i = 0; i < column_count; i++) rows[row * column_count + i] = weight(tile, row, first_column + i);
}

void ryz_pack_ternary(ryz_layout layout, const int8_t *rows, size_t row_count, size_t columns, void *tile) {
    uint8_t *out = tile;
    const size_t width = layout == RYZ_T2 ? T2_COLUMNS : T5_COLUMNS, digits = width / 4;
    memset(tile, 0, ryz_tile_bytes(layout, columns, 0));
    if (layout == RYZ_L3) {
        pack_l3(rows, row_count, columns, out);
        return;
    }
    for (size_t row = 0; row < row_count; row++)
        for (size_t byte = 0; byte < ternary_steps(columns, width) * 4; byte++) {
            uint8_t codes[5] = {0};
            for (size_t k = 0; k < digits; k++) {
                size_t column = byte / 4 * width + k * 4 + byte % 4;
                if (column < columns) codes[k] = (uint8_t)(rows[row * columns + column] + 1);
            }
            out[byte / 4 * TERNARY_STEP_BYTES + row * 4 + byte % 4] =
                layout == RYZ_T2   ? (uint8_t)(codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6)
                : layout == RYZ_T5 ? t5_byte(codes)
                                   : i5_byte(codes);
        }
}

// The codes of a byte, two bits each, that of k = 0 lowest: as T2 has them.
static uint16_t codes_of_byte(ryz_layout layout, uint8_t byte) {
    if (layout == RYZ_T2) return byte;
    int codes = 0;
    for (size_t k = 0; k < 5; k++) codes |= (layout == RYZ_T5 ? t5_code(byte, k) : i5_code(byte, k)) << (k * 2);
    return (uint16_t)codes;
}

static uint8_t byte_of_codes(ryz_layout layout, unsigned bits) {
    if (layout == RYZ_T2) return (uint8_t)bits;
    uint8_t codes[5];
    for (size_t k = 0; k < 5; k++) codes[k] = bits >> (k * 2) & 3;
    return layout == RYZ_T5 ? t5_byte(codes) : i5_byte(codes);
}

// The codes that one place has in the lines of a run of steps are the same in every layout. Tiles begin with a run; steps past
// the last one have code 0, as columns past the last one have.
enum { RUN_BITS = 40, T2_RUN = 5, T5_RUN = 4 };

typedef struct {
    uint16_t codes[256];  // of bytes as they are
    uint8_t bytes[1024];  // of codes, as they are to be
} recoding;

// One run, of which `taken` steps are there and `given` are wanted.
INLINE void recode_run(const recoding *r, const uint8_t *in, const size_t in_run, const size_t taken, uint8_t *out,
                       const size_t out_run, const size_t given) {
    const size_t in_bits = RUN_BITS / in_run, out_bits = RUN_BITS / out_run;
    for (size_t i = 0; i < TERNARY_STEP_BYTES; i++) {
        uint64_t bits = 0;
        for (size_t s = 0; s < taken; s++) bits |= (uint64_t)r->codes[in[s * TERNARY_STEP_BYTES + i]] << (s * in_bits);
        for (size_t s = 0; s < given; s++)
            out[s * TERNARY_STEP_BYTES + i] = r->bytes[bits >> (s * out_bits) & ((1u << out_bits) - 1)];
    }
}

INLINE void recode_tile(const recoding *r, const uint8_t *in, const size_t in_run, size_t in_steps, uint8_t *out,
                        const size_t out_run, size_t out_steps) {
    for (; in_steps >= in_run && out_steps >= out_run; in_steps -= in_run, out_steps -= out_run) {
        recode_run(r, in, in_run, in_run, out, out_run, out_run);
        in += in_run * TERNARY_STEP_BYTES;
        out += out_run * TERNARY_STEP_BYTES;
    }
    if (out_steps) recode_run(r, in, in_run, in_steps, out, out_run, out_steps);
}

void ryz_recode_ternary(ryz_layout from, ryz_layout to, const void *tiles, size_t tile_count, size_t columns, void *out) {
    recoding r;
    for (unsigned i = 0; i < 256; i++) r.codes[i] = codes_of_byte(from, (uint8_t)i);
    for (unsigned i = 0; i < 1024; i++) r.bytes[i] = byte_of_codes(to, i);
    const size_t in_bytes = ryz_tile_bytes(from, columns, 0), in_steps = in_bytes / TERNARY_STEP_BYTES;
    const size_t out_bytes = ryz_tile_bytes(to, columns, 0), out_steps = out_bytes / TERNARY_STEP_BYTES;
    const uint8_t *source = tiles;
    uint8_t *target = out;
    if (from != RYZ_T2 && to != RYZ_T2) {
        // Byte for byte.
        uint8_t recoded[256];
        for (int byte = 0; byte < 256; byte++) recoded[byte] = r.bytes[r.codes[byte]];
        for (size_t i = 0; i < tile_count * in_bytes; i++) target[i] = recoded[source[i]];
        return;
    }
    for (size_t tile = 0; tile < tile_count; tile++, source += in_bytes, target += out_bytes) {
        if (to == RYZ_T2)
            recode_tile(&r, source, T5_RUN, in_steps, target, T2_RUN, out_steps);
        else
            recode_tile(&r, source, T2_RUN, in_steps, target, T5_RUN, out_steps);
    }
}
