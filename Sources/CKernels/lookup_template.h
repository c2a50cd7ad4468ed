// Tables for look-ups, and tiles of layouts that are multiplied by looking up or by multiplying and adding: both give the
// same integers. Included by matmul_template.h. See planes.h.

static const uint8_t quad_codes[64] = {
    0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 1, 0,
    0, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1,
};

// For each four activations the sums of all subsets of them.
static void quad_tables(const int8_t *q, size_t columns, uint8_t *tables) {
    for (size_t b = 0; b < columns / 32; b++, tables += TABLE_STEP_BYTES)
        for (size_t g = 0; g < 8; g++) {
            uint8_t *low = tables + g % 2 * 128 + g / 2 * 16;
            store_split(sums_of_four(quad_codes, q + b * 32 + g * 4), low, low + 64);
        }
}

// For each three activations their sums with the digits of 0 … 13.
static void triple_tables(const int8_t *q, size_t columns, uint8_t *tables) {
    static const uint8_t digits[3][16] = {{L3_CODES_FIRST}, {L3_CODES_SECOND}, {L3_CODES_THIRD}};
    uint8_t codes[64];
    for (int i = 0; i < 64; i++) codes[i] = i % 4 < 3 ? digits[i % 4][i / 4] : 1;
    for (size_t first = 0; first < columns; first += L3_COLUMNS, tables += TABLE_STEP_BYTES) {
        int8_t x[L3_COLUMNS] = {0};
        memcpy(x, q + first, columns - first < L3_COLUMNS ? columns - first : L3_COLUMNS);
        for (int i = 0; i < 8; i++) {
            const int8_t *a = x + i / 4 * 12 + i % 4;
            // A digit is its code less one.
            const int8_t three[4] = {a[0], a[4], a[8], 0};
            uint8_t *low = tables + i / 4 * 128 + i % 4 * 16;
            store_split(vi_subtract(sums_of_four(codes, three), a[0] + a[4] + a[8]), low, low + 64);
        }
    }
}

const ryz_table_function NAMED(ryz_table_functions)[RYZ_TABLE_KINDS] = {
    [RYZ_QUADS] = quad_tables,
    [RYZ_TRIPLES] = triple_tables,
};

// Where a walk over the blocks of a tile has come to.
typedef struct {
    const uint8_t *w;
    size_t group_left;  // blocks
    vf scale, minimum;
} plane_walk;

// Adds blocks `b` to `end` to sum[t], as block_q4_1 does, but scales and minimums stand once for each group of blocks.
INLINE void add_plane_blocks(plane_walk *walk, const int bits, const bool look_up, const ryz_tile_shape *shape,
                             const ryz_activations *x, size_t row, const int T, size_t b, size_t end, vf *sum) {
    const size_t blocks = x->columns / 32, columns = x->columns, group_blocks = shape->group_blocks;
    const float *scales = x->scales + row * blocks, *sums = x->sums + row * blocks;
    const int8_t *q = x->quantised + row * columns;
    const uint8_t *tables = shape->tables;
    plane_walk at = *walk;
    for (; b < end; b++, at.group_left--, at.w += bits * PLANE_BYTES) {
        if (!at.group_left) {
            at.scale = vf_from_half((const uint16_t *)at.w), at.minimum = vf_from_half((const uint16_t *)(at.w + 32));
            at.w += GROUP_HEADER_BYTES;
            at.group_left = group_blocks;
        }
        prefetch_lines(at.w, bits * PLANE_BYTES, shape->prefetch);
        vi dots[T];
        if (look_up)
            dots[0] = look_up_planes(at.w, bits, tables + b * TABLE_STEP_BYTES);
        else
            dot_planes(at.w, bits, q + b * 32, columns, T, dots);
        EACH_TOKEN {
            size_t i = (size_t)t * blocks + b;
            sum[t] = vf_fma(vi_float(dots[t]), vf_mul(at.scale, vf_set1(scales[i])), sum[t]);
            sum[t] = vf_fma(at.minimum, vf_set1(sums[i]), sum[t]);
        }
    }
    *walk = at;
}

INLINE void planes_times_rows(const uint8_t *w, const int bits, const bool look_up, const ryz_tile_shape *shape,
                              const ryz_activations *x, size_t row, const int T, ryz_tile_row *out) {
    const size_t blocks = x->columns / 32, segment = shape->segment;
    plane_walk walk = {w, 0, vf_set1(0), vf_set1(0)};
    vf sum[T];
    EACH_TOKEN sum[t] = vf_set1(0);
    if (!segment) {
        add_plane_blocks(&walk, bits, look_up, shape, x, row, T, 0, blocks, sum);
        EACH_TOKEN vf_store(out[t].values, sum[t]);
        return;
    }
    int64_t fixed[T][16];
    memset(fixed, 0, sizeof fixed);
    for (size_t b = 0; b < blocks; b += segment) {
        add_plane_blocks(&walk, bits, look_up, shape, x, row, T, b, b + segment < blocks ? b + segment : blocks, sum);
        EACH_TOKEN {
            add_segment(fixed[t], sum[t]);
            sum[t] = vf_set1(0);
        }
    }
    store_fixed(fixed, shape, T, out);
}

#define PLANE_TILE_FUNCTION(LAYOUT, BITS)                                      \
    INLINE void group_##LAYOUT(GROUP_ARGUMENTS) {                              \
        if (T == 1 && shape->tables)                                           \
            planes_times_rows(w, BITS, true, shape, x, row, 1, out);           \
        else                                                                   \
            planes_times_rows(w, BITS, false, shape, x, row, T, out);          \
    }                                                                          \
    TILE_FUNCTION(LAYOUT, TOKENS_MAX)

static void tiles_l3(const void *tile, const ryz_tile_shape *shape, const ryz_activations *x, size_t row, size_t rows,
                     ryz_tile_row *out) {
    if (rows == 1 && shape->tables)
        store_exact(WITH_PREFETCH(shape->prefetch, look_up_l3, tile, x->columns, shape->tables), shape, x, row, out);
    else
        ternary_tile(tile, L3_COLUMNS, unpack_l3, l3_once, shape, x, row, rows, out);
}

PLANE_TILE_FUNCTION(b1, 1)
PLANE_TILE_FUNCTION(b2, 2)
PLANE_TILE_FUNCTION(b3, 3)
PLANE_TILE_FUNCTION(b4, 4)
