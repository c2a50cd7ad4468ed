// From the checkpoint's row-major blocks to tiles of 16 rows, block by block of 32 columns: what one vector register
// holds is 16 rows, so no sum ever runs across a register.
#include <string.h>

#include "kernels.h"
#include "planes.h"
#include "ternary.h"
#include "vector_portable.h"

size_t ryz_source_block_bytes(ryz_layout type) {
    static const size_t bytes[RYZ_BLOCK_TYPE_COUNT] = {
        [RYZ_F32] = 128, [RYZ_F16] = 64, [RYZ_BF16] = 64, [RYZ_Q8_0] = 34, [RYZ_Q4_0] = 18, [RYZ_Q4_1] = 20,
    };
    return bytes[type];
}

size_t ryz_tile_bytes(ryz_layout layout, size_t columns, size_t group_blocks) {
    size_t blocks = columns / RYZ_BLOCK;
    switch (layout) {
        case RYZ_L3: return l3_magnitudes_at(l3_steps(columns) - 1) + L3_STEP_BYTES;
        case RYZ_B1:
        case RYZ_B2:
        case RYZ_B3:
        case RYZ_B4:
            return blocks * (size_t)(layout - RYZ_B1 + 1) * PLANE_BYTES +
                   (blocks + group_blocks - 1) / group_blocks * GROUP_HEADER_BYTES;
        case RYZ_R8: return (columns + 4) * RYZ_TILE_ROWS;
        case RYZ_T2: return ternary_steps(columns, T2_COLUMNS) * TERNARY_STEP_BYTES;
        case RYZ_T5:
        case RYZ_I5: return ternary_steps(columns, T5_COLUMNS) * TERNARY_STEP_BYTES;
        default: return blocks * ryz_source_block_bytes(layout) * RYZ_TILE_ROWS;
    }
}

// Checkpoint blocks are (scale[, minimum], quants). In a tile's block the quants come first, four bytes of each row in
// turn, then the scales of the 16 rows, then their minimums.
static void pack_quantised(const uint8_t *block, size_t header_bytes, size_t quant_bytes, int row, uint8_t *out) {
    for (size_t i = 0; i < quant_bytes; i += 4) memcpy(out + i * 16 + row * 4, block + header_bytes + i, 4);
    uint8_t *headers = out + quant_bytes * 16;
    for (size_t i = 0; i < header_bytes; i += 2) memcpy(headers + i * 16 + row * 2, block + i, 2);
}

// Floats: the 16 rows of a column side by side.
static void pack_floats(const uint8_t *block, size_t width, int row, uint8_t *out) {
    for (size_t k = 0; k < RYZ_BLOCK; k++) memcpy(out + (k * 16 + (size_t)row) * width, block + k * width, width);
}

void ryz_pack(ryz_layout type, const void *source, size_t columns, size_t first_row, size_t row_count,
              size_t block_begin, size_t block_end, void *tiles) {
    size_t source_block = ryz_source_block_bytes(type), tile_block = source_block * RYZ_TILE_ROWS;
    size_t row_bytes = columns / RYZ_BLOCK * source_block, blocks = block_end - block_begin;
    size_t tile_count = (row_count + RYZ_TILE_ROWS - 1) / RYZ_TILE_ROWS;
    if (row_count % RYZ_TILE_ROWS)
        memset((uint8_t *)tiles + (tile_count - 1) * blocks * tile_block, 0, blocks * tile_block);
    for (size_t row = 0; row < row_count; row++) {
        const uint8_t *in = (const uint8_t *)source + (first_row + row) * row_bytes + block_begin * source_block;
        uint8_t *out = (uint8_t *)tiles + row / RYZ_TILE_ROWS * blocks * tile_block;
        int lane = (int)(row % RYZ_TILE_ROWS);
        for (size_t b = 0; b < blocks; b++, in += source_block, out += tile_block) switch (type) {
                case RYZ_F32: pack_floats(in, 4, lane, out); break;
                case RYZ_F16:
                case RYZ_BF16: pack_floats(in, 2, lane, out); break;
                case RYZ_Q8_0: pack_quantised(in, 2, 32, lane, out); break;
                case RYZ_Q4_0: pack_quantised(in, 2, 16, lane, out); break;
                case RYZ_Q4_1: pack_quantised(in, 4, 16, lane, out); break;
                default: break;
            }
    }
}

static float half_at(const uint8_t *p) {
    uint16_t h;
    memcpy(&h, p, 2);
    return half_to_float(h);
}

void ryz_decode_row(ryz_layout type, const void *source, size_t columns, size_t row, float *out) {
    size_t block_bytes = ryz_source_block_bytes(type);
    const uint8_t *block = (const uint8_t *)source + row * (columns / RYZ_BLOCK) * block_bytes;
    for (size_t b = 0; b < columns / RYZ_BLOCK; b++, block += block_bytes, out += RYZ_BLOCK)
        for (int i = 0; i < RYZ_BLOCK; i++) {
            // The first half of a nibble block's weights are the low nibbles.
            switch (type) {
                case RYZ_F32: memcpy(out + i, block + i * 4, 4); break;
                case RYZ_F16: out[i] = half_at(block + i * 2); break;
                case RYZ_BF16: {
                    uint16_t h;
                    memcpy(&h, block + i * 2, 2);
                    uint32_t bits = (uint32_t)h << 16;
                    memcpy(out + i, &bits, 4);
                    break;
                }
                case RYZ_Q8_0: out[i] = half_at(block) * (float)(int8_t)block[2 + i]; break;
                case RYZ_Q4_0: {
                    int nibble = i < 16 ? block[2 + i] & 15 : block[2 + i - 16] >> 4;
                    out[i] = half_at(block) * (float)(nibble - 8);
                    break;
                }
                case RYZ_Q4_1: {
                    int nibble = i < 16 ? block[4 + i] & 15 : block[4 + i - 16] >> 4;
                    out[i] = half_at(block) * (float)nibble + half_at(block + 2);
                    break;
                }
                default: break;
            }
        }
}

void ryz_pack_rows_8bit(const float *rows, size_t row_count, size_t columns, void *tile) {
    uint8_t *out = tile;
    float *scales = (float *)(void *)(out + columns * RYZ_TILE_ROWS);
    memset(tile, 0, ryz_tile_bytes(RYZ_R8, columns, 0));
    for (size_t row = 0; row < row_count; row++) {
        const float *w = rows + row * columns;
        float largest = 0;
        for (size_t i = 0; i < columns; i++) largest = fabsf(w[i]) > largest ? fabsf(w[i]) : largest;
        float inverse = largest > 1e-30f ? 127.0f / largest : 0;
        scales[row] = largest / 127.0f;
        for (size_t i = 0; i < columns; i++)
            out[i / 4 * 64 + row * 4 + i % 4] = (uint8_t)(int8_t)rintf(w[i] * inverse);
    }
}
