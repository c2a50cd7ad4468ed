// Float weights into codes of one to four bits in bit planes. One source in scalar code with one order of operations, so
// that every machine packs the same bits.
#include "planes.h"

#include <string.h>

#include "kernels.h"
#include "vector_portable.h"

// Where a group of a tile begins.
static size_t group_offset(size_t bits, size_t group_blocks, size_t group) {
    return group * (GROUP_HEADER_BYTES + group_blocks * bits * PLANE_BYTES);
}

typedef struct {
    float scale, minimum;
} fit;

// Columns whose codes are chosen together; longer groups are walked in parts.
enum { PART = 128 };

// Nearest codes of up to PART weights.
static void choose_codes(const float *w, size_t count, fit f, int top, int32_t *codes) {
    // Scales so small that the quotient would overflow count as none.
    const float inverse = f.scale > 1e-30f ? 1.0f / f.scale : 0, most = (float)top;
    for (size_t i = 0; i < count; i++) {
        float code = (w[i] - f.minimum) * inverse;
        code = code > 0 ? code : 0;
        code = code < most ? code : most;
        codes[i] = (int32_t)(code + 0.5f);
    }
}

// Squared error in four sums, which the processor can overlap.
static double squared_error(const float *w, size_t count, fit f, int top) {
    int32_t codes[PART];
    double sums[4] = {0};
    for (size_t first = 0; first < count; first += PART) {
        size_t part = count - first < PART ? count - first : PART;
        choose_codes(w + first, part, f, top, codes);
        for (size_t i = 0; i < part; i++) {
            double difference = (double)w[first + i] - (double)(f.scale * (float)codes[i] + f.minimum);
            sums[i % 4] += difference * difference;
        }
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static float as_half(double x) {
    x = x > 65504 ? 65504 : x < -65504 ? -65504 : x;
    return half_to_float(float_to_half((float)x));
}

// The scale and minimum that suit the codes of `f` best, as float16 has them: the minimum makes up for the rounding of
// the scale.
static fit refit(const float *w, size_t count, fit f, int top) {
    int32_t codes[PART];
    int64_t code_sum = 0, code_squares = 0;
    double sums[4] = {0}, products[4] = {0};
    for (size_t first = 0; first < count; first += PART) {
        size_t part = count - first < PART ? count - first : PART;
        choose_codes(w + first, part, f, top, codes);
        for (size_t i = 0; i < part; i++) code_sum += codes[i], code_squares += codes[i] * codes[i];
        for (size_t i = 0; i < part; i++) {
            sums[i % 4] += (double)w[first + i];
            products[i % 4] += (double)w[first + i] * (double)codes[i];
        }
    }
    double sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    double product = (products[0] + products[1]) + (products[2] + products[3]);
    double determinant = (double)((int64_t)count * code_squares - code_sum * code_sum);
    double scale = determinant > 0 ? ((double)count * product - (double)code_sum * sum) / determinant : 0;
    fit result = {as_half(scale > 0 ? scale : 0), 0};
    result.minimum = as_half((sum - (double)result.scale * (double)code_sum) / (double)count);
    return result;
}

// Least squares by alternation: codes from scale and minimum, these from codes. It begins with ranges between the whole
// one and a quarter of it about the same centre, and goes on from the best.
static fit best_fit(const float *w, size_t count, int top) {
    enum { RANGES = 8, ROUNDS = 4 };
    float lowest = w[0], highest = w[0];
    for (size_t i = 1; i < count; i++) {
        lowest = w[i] < lowest ? w[i] : lowest;
        highest = w[i] > highest ? w[i] : highest;
    }
    const double centre = ((double)lowest + (double)highest) / 2, width = (double)highest - (double)lowest;
    fit best = {0, 0};
    double least = 0;
    for (int i = 0; i < RANGES; i++) {
        double range = width * (double)(32 - 3 * i) / 32;
        fit f = refit(w, count, (fit){(float)(range / top), (float)(centre - range / 2)}, top);
        double error = squared_error(w, count, f, top);
        if (i == 0 || error < least) best = f, least = error;
    }
    for (int i = 0; i < ROUNDS; i++) {
        fit f = refit(w, count, best, top);
        double error = squared_error(w, count, f, top);
        if (!(error < least)) break;
        best = f, least = error;
    }
    return best;
}

ryz_loss ryz_pack_groups(ryz_layout layout, size_t group_blocks, const float *rows, size_t row_count, size_t columns,
                         void *tile) {
    const size_t bits = (size_t)(layout - RYZ_B1) + 1, group_columns = group_blocks * RYZ_BLOCK;
    const int top = (1 << bits) - 1;
    ryz_loss loss = {0, 0};
    memset(tile, 0, ryz_tile_bytes(layout, columns, group_blocks));
    for (size_t row = 0; row < row_count; row++)
        for (size_t first = 0; first < columns; first += group_columns) {
            const float *w = rows + row * columns + first;
            size_t count = columns - first < group_columns ? columns - first : group_columns;
            uint8_t *group = (uint8_t *)tile + group_offset(bits, group_blocks, first / group_columns);
            fit f = best_fit(w, count, top);
            uint16_t header[2] = {float_to_half(f.scale), float_to_half(f.minimum)};
            memcpy(group + row * 2, &header[0], 2);
            memcpy(group + 32 + row * 2, &header[1], 2);
            uint8_t *planes = group + GROUP_HEADER_BYTES;
            for (size_t i = 0; i < count; i++) {
                int32_t code;
                choose_codes(w + i, 1, f, top, &code);
                for (size_t p = 0; p < bits; p++)
                    planes[(i / 32 * bits + p) * PLANE_BYTES + i % 32 / 8 * 16 + row] |=
                        (uint8_t)((code >> p & 1) << (i % 8));
                loss.squared_weights += (double)w[i] * (double)w[i];
            }
            loss.squared_error += squared_error(w, count, f, top);
        }
    return loss;
}

void ryz_decode_groups(ryz_layout layout, size_t group_blocks, const void *tile, size_t columns, size_t row, float *out) {
    const size_t bits = (size_t)(layout - RYZ_B1) + 1, group_columns = group_blocks * RYZ_BLOCK;
    for (size_t column = 0; column < columns; column++) {
        const uint8_t *group = (const uint8_t *)tile + group_offset(bits, group_blocks, column / group_columns);
        const uint8_t *planes = group + GROUP_HEADER_BYTES;
        const size_t i = column % group_columns;
        uint16_t scale, minimum;
        memcpy(&scale, group + row * 2, 2);
        memcpy(&minimum, group + 32 + row * 2, 2);
        int code = 0;
        for (size_t p = 0; p < bits; p++)
            code |= (planes[(i / 32 * bits + p) * PLANE_BYTES + i % 32 / 8 * 16 + row] >> (i % 8) & 1) << p;
        out[column] = half_to_float(scale) * (float)code + half_to_float(minimum);
    }
}
