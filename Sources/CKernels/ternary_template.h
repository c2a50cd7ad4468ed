// Tiles of ternary weights, of codes 0, 1 and 2 for −1, 0 and 1: one integer sum for each row of the tile, exact.
// Included by matmul_template.h. See ternary.h.
//
// For a single row of activations codes are unpacked in registers, as reading them from memory is what takes the time.
// For more, a run of columns is unpacked once, to bytes that stay in the nearest cache while all rows of activations
// go past them. So layouts that are hard to unpack cost little more than others.

// The bytes [quads × 16 rows × 4 columns] of steps `first` to `last` of a tile.
typedef void (*unpack_function)(const uint8_t *tile, size_t first, size_t last, uint8_t *codes);
// The sums of one row of activations; NULL if they are to be computed like those of several.
typedef vi (*once_function)(const uint8_t *tile, size_t columns, const int8_t *q);

// Gives out exact sums, as they are or with the activations' scale.
INLINE void store_exact(vi dots, const ryz_tile_shape *shape, const ryz_activations *x, size_t row, ryz_tile_row *out) {
    if (shape->as_sums)
        vi_store(out->exact, dots);
    else
        vf_store(out->values, vf_mul(vi_float(dots), vf_set1(x->scales[row])));
}

// Adds the products of a run, in the largest groups of rows whose sums fit the registers.
INLINE void add_run_in_groups(const uint8_t *codes, size_t quads, const int8_t *q, size_t columns, size_t rows, vi *dots) {
    size_t t = 0;
#define ADD_GROUPS(T) \
    for (; TERNARY_TOKENS_MAX >= T && t + T <= rows; t += T) add_run(codes, quads, q + t * columns, columns, T, dots + t);
    ADD_GROUPS(16)
    ADD_GROUPS(8)
    ADD_GROUPS(6)
    ADD_GROUPS(4)
    ADD_GROUPS(2)
    ADD_GROUPS(1)
#undef ADD_GROUPS
}

INLINE void ternary_tile(const uint8_t *tile, size_t step_columns, unpack_function unpack, once_function once,
                         const ryz_tile_shape *shape, const ryz_activations *x, size_t row, size_t rows,
                         ryz_tile_row *out) {
    const size_t columns = x->columns, steps = ternary_steps(columns, step_columns);
    const size_t run = RUN_COLUMNS / step_columns;
    const int8_t *q = x->quantised + row * columns;
    if (once && rows == 1) {
        store_exact(vi_subtract(once(tile, columns, q), x->counts[row]), shape, x, row, out);
        return;
    }
    _Alignas(64) uint8_t codes[RUN_COLUMNS * RYZ_TILE_ROWS];
    vi dots[ROW_CHUNK];
    memset(dots, 0, sizeof *dots * rows);
    for (size_t first = 0; first < steps; first += run) {
        size_t last = first + run < steps ? first + run : steps;
        unpack(tile, first, last, codes);
        add_run_in_groups(codes, (last - first) * step_columns / 4, q + first * step_columns, columns, rows, dots);
    }
    for (size_t t = 0; t < rows; t++)
        store_exact(vi_subtract(dots[t], x->counts[row + t]), shape, x, row + t, out + t);
}
