// Tiles of ternary weights, of codes 0, 1 and 2 for −1, 0 and 1: one integer sum for each row of the tile, exact.
// Included by matmul_template.h. See ternary.h.
//
// For a single row of activations codes are unpacked in registers, as reading them from memory is what takes the time.
// For more, a run of columns is unpacked once, to bytes that stay in the nearest cache while all rows of activations
// go past them. So layouts that are hard to unpack cost little more than others.

// The bytes [quads × 16 rows × 4 columns] of steps `first` to `last` of a tile.
typedef void (*unpack_function)(const uint8_t *tile, size_t first, size_t last, uint8_t *codes);
// The sums of one row of activations; NULL if they are to be computed like those of several.
typedef vi (*once_function)(const uint8_t *tile, size_t columns, const int8_t *q, ryz_prefetch prefetch);

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

// Where a step begins in a tile, or the line that it shares with others for its signs.
INLINE size_t step_offset(size_t step_columns, size_t step) {
    return step_columns == L3_COLUMNS ? l3_group_at(step) : step * TERNARY_STEP_BYTES;
}

// Steps `first` to `last` of a tile times `q`, row by row `stride` apart.
INLINE void add_steps(const uint8_t *tile, size_t step_columns, unpack_function unpack, size_t first, size_t last,
                      const int8_t *q, size_t stride, size_t rows, ryz_prefetch prefetch, vi *dots) {
    const size_t run = RUN_COLUMNS / step_columns;
    _Alignas(64) uint8_t codes[RUN_COLUMNS * RYZ_TILE_ROWS];
    for (size_t end; first < last; first = end) {
        end = first + run < last ? first + run : last;
        size_t from = step_offset(step_columns, first);
        prefetch_lines(tile + from, step_offset(step_columns, end) - from, prefetch);
        unpack(tile, first, end, codes);
        add_run_in_groups(codes, (end - first) * step_columns / 4, q, stride, rows, dots);
        q += (end - first) * step_columns;
    }
}

// Segments have a scale each, so their sums become floats, which are added in fixed point. A segment's first step may
// begin in the one before, and its last one end in the next: there the activations are zero.
INLINE void ternary_segments(const uint8_t *tile, size_t step_columns, unpack_function unpack, once_function once,
                             const ryz_tile_shape *shape, const ryz_activations *x, size_t row, size_t rows,
                             ryz_tile_row *out) {
    const size_t segment_stride = ryz_segment_stride(x->segment_columns);
    int64_t fixed[ROW_CHUNK][RYZ_TILE_ROWS];
    memset(fixed, 0, sizeof *fixed * rows);
    for (size_t s = 0, begin = 0; s < x->groups; s++, begin += x->segment_columns) {
        size_t end = begin + x->segment_columns < x->columns ? begin + x->segment_columns : x->columns;
        size_t first = begin / step_columns, last = ternary_steps(end, step_columns);
        const int8_t *q = x->quantised + row * x->stride + s * segment_stride + RYZ_SEGMENT_MARGIN
            - (begin - first * step_columns);
        vi dots[ROW_CHUNK];
        if (once && rows == 1) {
            dots[0] = WITH_PREFETCH(shape->prefetch, once, tile + first * TERNARY_STEP_BYTES,
                                    (last - first) * step_columns, q);
        } else {
            memset(dots, 0, sizeof *dots * rows);
            add_steps(tile, step_columns, unpack, first, last, q, x->stride, rows, shape->prefetch, dots);
        }
        for (size_t t = 0; t < rows; t++) {
            size_t group = (row + t) * x->groups + s;
            add_segment(fixed[t], vf_mul(vi_float(vi_subtract(dots[t], x->counts[group])), vf_set1(x->scales[group])));
        }
    }
    for (size_t t = 0; t < rows; t++)
        if (shape->as_sums)
            memcpy(out[t].fixed, fixed[t], sizeof out[t].fixed);
        else
            for (int i = 0; i < RYZ_TILE_ROWS; i++)
                out[t].values[i] = ryz_fixed_value(fixed[t][i]) * x->factors[row + t];
}

INLINE void ternary_tile(const uint8_t *tile, size_t step_columns, unpack_function unpack, once_function once,
                         const ryz_tile_shape *shape, const ryz_activations *x, size_t row, size_t rows,
                         ryz_tile_row *out) {
    const size_t columns = x->columns;
    const int8_t *q = x->quantised + row * columns;
    if (x->segment_columns) {
        // Triples lie in groups of steps, so they can't be begun with anywhere.
        once_function from_any_step = step_columns == L3_COLUMNS ? NULL : once;
        ternary_segments(tile, step_columns, unpack, from_any_step, shape, x, row, rows, out);
        return;
    }
    if (once && rows == 1) {
        vi dots = WITH_PREFETCH(shape->prefetch, once, tile, columns, q);
        store_exact(vi_subtract(dots, x->counts[row]), shape, x, row, out);
        return;
    }
    vi dots[ROW_CHUNK];
    memset(dots, 0, sizeof *dots * rows);
    add_steps(tile, step_columns, unpack, 0, ternary_steps(columns, step_columns), q, columns, rows, shape->prefetch, dots);
    for (size_t t = 0; t < rows; t++)
        store_exact(vi_subtract(dots[t], x->counts[row + t]), shape, x, row + t, out + t);
}
