// Whether tiles that come from a file are such as the packing functions write.
#include "kernels.h"
#include "planes.h"
#include "ternary.h"

// Bytes of T2 with a code of 3, eight at a time.
static size_t wrong_t2(const uint8_t *tiles, size_t bytes) {
    uint64_t seen = 0;
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word;
        __builtin_memcpy(&word, tiles + i, 8);
        seen |= word & word >> 1;
    }
    return (seen & 0x5555555555555555) != 0;
}

// A byte of T5 is value · 256 ⁄ 243 rounded up, so 243 · byte = 256 · value + rest with a rest below 243.
static size_t wrong_t5(const uint8_t *tiles, size_t bytes) {
    uint8_t seen = 0;
    for (size_t i = 0; i < bytes; i++) seen |= (uint8_t)(tiles[i] * 243) >= 243;
    return seen != 0;
}

// A byte of I5 is one of the first 243.
static size_t wrong_i5(const uint8_t *tiles, size_t bytes) {
    uint8_t largest = 0;
    for (size_t i = 0; i < bytes; i++) largest = tiles[i] > largest ? tiles[i] : largest;
    return largest >= 243;
}

// Codes other than 0 behind the last column, in the last step of a tile of five weights to a byte.
static size_t wrong_padding_of_fives(int (*code)(uint8_t, size_t), const uint8_t *step, size_t columns) {
    size_t first = (columns - 1) / T5_COLUMNS * T5_COLUMNS, wrong = 0;
    for (size_t i = 0; i < TERNARY_STEP_BYTES; i++)
        for (size_t k = 0; k < 5; k++) wrong += first + k * 4 + i % 4 >= columns && code(step[i], k) != 0;
    return wrong;
}

// Magnitudes of L3 that stand for no three digits, and digits other than −1 behind the last column, which would be
// multiplied with whatever stands there.
static size_t wrong_l3(const uint8_t *tile, size_t columns) {
    static const uint8_t codes[3][16] = {{L3_CODES_FIRST}, {L3_CODES_SECOND}, {L3_CODES_THIRD}};
    size_t steps = l3_steps(columns), wrong = 0;
    for (size_t s = 0; s < steps; s++) {
        const uint8_t *bytes = tile + l3_magnitudes_at(s), *signs = tile + l3_signs_at(s);
        for (int i = 0; i < L3_STEP_BYTES; i++) wrong += (bytes[i] & 15) > 13 || bytes[i] >> 4 > 13;
        for (size_t i = columns - s * L3_COLUMNS; i < L3_COLUMNS; i++)
            for (size_t row = 0; row < RYZ_TILE_ROWS; row++) {
                size_t half = i / 12, j = i % 4;
                int code = codes[i % 12 / 4][bytes[j * 16 + row] >> (half * 4) & 15];
                bool negative = signs[half * 8 + row / 2] >> (row % 2 * 4 + j) & 1;
                wrong += code != (negative ? 2 : 0);
            }
    }
    return wrong;
}

// Scales and minimums of bit planes that are infinite or no numbers: what comes of them is not the same everywhere. Any
// bits are codes.
static size_t wrong_planes(const uint8_t *tile, size_t bits, size_t columns, size_t group_blocks) {
    size_t wrong = 0;
    for (size_t left = columns / RYZ_BLOCK; left > 0;) {
        size_t blocks = left < group_blocks ? left : group_blocks;
        for (size_t i = 0; i < GROUP_HEADER_BYTES; i += 2) {
            uint16_t half;
            __builtin_memcpy(&half, tile + i, 2);
            wrong += (half & 0x7c00) == 0x7c00;
        }
        tile += GROUP_HEADER_BYTES + blocks * bits * PLANE_BYTES;
        left -= blocks;
    }
    return wrong;
}

size_t ryz_check_tiles(ryz_layout layout, const void *tiles, size_t rows, size_t columns, size_t group_blocks) {
    const uint8_t *tile = tiles;
    size_t tile_bytes = ryz_tile_bytes(layout, columns, group_blocks);
    size_t count = (rows + RYZ_TILE_ROWS - 1) / RYZ_TILE_ROWS, wrong = 0;
    if (layout == RYZ_T2) return wrong_t2(tile, count * tile_bytes);
    if (layout == RYZ_L3)
        for (size_t i = 0; i < count; i++) wrong += wrong_l3(tile + i * tile_bytes, columns);
    if (layout >= RYZ_B1 && layout <= RYZ_B4)
        for (size_t i = 0; i < count; i++)
            wrong += wrong_planes(tile + i * tile_bytes, (size_t)(layout - RYZ_B1) + 1, columns, group_blocks);
    if (layout != RYZ_T5 && layout != RYZ_I5) return wrong;
    wrong = layout == RYZ_T5 ? wrong_t5(tile, count * tile_bytes) : wrong_i5(tile, count * tile_bytes);
    if (columns % T5_COLUMNS)
        for (size_t i = 0; i < count; i++, tile += tile_bytes)
            wrong += wrong_padding_of_fives(
                layout == RYZ_T5 ? t5_code : i5_code, tile + tile_bytes - TERNARY_STEP_BYTES, columns);
    return wrong;
}
