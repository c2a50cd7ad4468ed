// Matrix products over all threads: each thread takes runs of tiles, in the order in which they lie in memory.
#include <string.h>

#include "kernels.h"
#include "planes.h"

// Enough parts that a thread that is late leaves little to wait for, and large enough that taking one costs nothing. Of
// large matrices more, of so many bytes each: a few microseconds' reading, and what the second-level cache keeps while
// several chunks of rows go past.
enum { PARTS_PER_THREAD = 8, PART_BYTES = 1 << 18 };

static size_t part_count(ryz_compute compute, size_t tiles, size_t bytes) {
    size_t least = (size_t)ryz_pool_thread_count(compute.pool) * PARTS_PER_THREAD;
    size_t wanted = bytes / PART_BYTES > least ? bytes / PART_BYTES : least;
    return tiles < wanted ? tiles : wanted;
}

typedef struct {
    const ryz_kernels *kernels;
    const ryz_product *products;
    size_t product_count;
    const uint8_t *tables;
    const ryz_activations *x;
    size_t rows, tiles, parts;
} multiply_context;

static size_t tile_count(const ryz_matrix *matrix) { return (matrix->rows + RYZ_TILE_ROWS - 1) / RYZ_TILE_ROWS; }

static size_t matrix_bytes(const ryz_matrix *matrix) {
    return tile_count(matrix) * ryz_tile_bytes(matrix->layout, matrix->columns, matrix->group_blocks);
}

static const uint8_t *tile_at(const ryz_matrix *matrix, size_t tile) {
    return (const uint8_t *)matrix->tiles + tile * ryz_tile_bytes(matrix->layout, matrix->columns, matrix->group_blocks);
}

size_t ryz_table_bytes(ryz_layout layout, size_t columns) {
    if (layout == RYZ_L3) return l3_steps(columns) * TABLE_STEP_BYTES;
    return layout >= RYZ_B1 && layout <= RYZ_B4 ? columns / RYZ_BLOCK * TABLE_STEP_BYTES : 0;
}

// Makes the tables for a matrix that is to be looked up; NULL if products are to be multiplied and added. It costs a
// microsecond and is done before the threads are called.
static const uint8_t *make_tables(const ryz_compute *compute, const ryz_matrix *matrix, const ryz_activations *x,
                                  size_t rows) {
    size_t bytes = ryz_table_bytes(matrix->layout, matrix->columns);
    if (!matrix->look_up || rows != 1 || !bytes || bytes > compute->table_bytes || x->segment_columns) return NULL;
    ryz_table_kind kind = matrix->layout == RYZ_L3 ? RYZ_TRIPLES : RYZ_QUADS;
    compute->kernels->tables[kind](x->quantised, x->columns, compute->tables);
    return compute->tables;
}

static void run_tile(const ryz_kernels *kernels, const ryz_matrix *matrix, size_t tile, const uint8_t *tables,
                     const ryz_activations *x, size_t row, size_t rows, bool as_sums, ryz_tile_row *out) {
    const ryz_tile_shape shape = {
        matrix->segment_blocks, matrix->group_blocks, matrix->look_up ? tables : NULL, as_sums, matrix->prefetch,
    };
    kernels->tiles[matrix->layout](tile_at(matrix, tile), &shape, x, row, rows, out);
    if (matrix->scale != 1 && !as_sums)
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < RYZ_TILE_ROWS; i++) out[r].values[i] *= matrix->scale;
}

static void write_sums(const ryz_product *product, bool by_rows, size_t at, size_t width, const ryz_tile_row *out) {
    if (by_rows)
        memcpy((int32_t *)product->y + at, out->exact, width * sizeof *out->exact);
    else
        memcpy((int64_t *)product->y + at, out->fixed, width * sizeof *out->fixed);
}

static void write_tile(const ryz_product *product, bool by_rows, size_t tile, size_t row, size_t rows,
                       const ryz_tile_row *out) {
    size_t first = tile * RYZ_TILE_ROWS, left = product->matrix.rows - first;
    size_t width = left < RYZ_TILE_ROWS ? left : RYZ_TILE_ROWS;
    for (size_t r = 0; r < rows; r++) {
        size_t at = (row + r) * product->y_stride + first;
        float *y = (float *)product->y + at;
        switch (product->mode) {
            case RYZ_STORE:
                for (size_t i = 0; i < width; i++) y[i] = out[r].values[i];
                break;
            case RYZ_ACCUMULATE:
                for (size_t i = 0; i < width; i++) y[i] += out[r].values[i];
                break;
            case RYZ_SUMS: write_sums(product, by_rows, at, width, &out[r]); break;
        }
    }
}

static void multiply_task(void *argument, size_t part, int thread) {
    (void)thread;
    const multiply_context *c = argument;
    size_t begin, end;
    ryz_share(c->tiles, part, c->parts, &begin, &end);
    ryz_tile_row out[ROW_CHUNK];
    for (size_t row = 0; row < c->rows; row += ROW_CHUNK) {
        size_t rows = c->rows - row < ROW_CHUNK ? c->rows - row : ROW_CHUNK, base = 0;
        for (size_t p = 0; p < c->product_count; p++) {
            const ryz_product *product = &c->products[p];
            size_t tiles = tile_count(&product->matrix);
            size_t first = begin > base ? begin - base : 0, last = end > base ? end - base : 0;
            for (size_t tile = first; tile < (last < tiles ? last : tiles); tile++) {
                run_tile(c->kernels, &product->matrix, tile, c->tables, c->x, row, rows, product->mode == RYZ_SUMS, out);
                write_tile(product, c->x->by_rows, tile, row, rows, out);
            }
            base += tiles;
        }
    }
}

static void measure_products(const ryz_product *products, size_t product_count, size_t *tiles, size_t *bytes) {
    *tiles = *bytes = 0;
    for (size_t p = 0; p < product_count; p++) {
        *tiles += tile_count(&products[p].matrix);
        *bytes += matrix_bytes(&products[p].matrix);
    }
}

void ryz_multiply(ryz_compute compute, const ryz_product *products, size_t product_count, ryz_activations x,
                  size_t rows) {
    size_t tiles, bytes;
    measure_products(products, product_count, &tiles, &bytes);
    size_t parts = part_count(compute, tiles, bytes);
    // One grouping of activations goes with one kind of table, so the matrices share them.
    const uint8_t *tables = NULL;
    for (size_t p = 0; p < product_count && !tables; p++) tables = make_tables(&compute, &products[p].matrix, &x, rows);
    multiply_context context = {compute.kernels, products, product_count, tables, &x, rows, tiles, parts};
    ryz_pool_look_ahead(compute.pool);
    ryz_pool_run(compute.pool, parts, multiply_task, &context);
}

// Where thread `thread` begins when `tiles` are cut into `parts`.
static size_t first_tile(ryz_compute compute, size_t tiles, size_t parts, int thread) {
    size_t begin, end;
    if (!parts) return 0;
    ryz_share(tiles, parts * (size_t)thread / (size_t)ryz_pool_thread_count(compute.pool), parts, &begin, &end);
    return begin;
}

static void foresee(ryz_compute compute, int thread, int region, const ryz_matrix *matrix, size_t tile) {
    size_t tiles = tile_count(matrix);
    const uint8_t *from = tile_at(matrix, tile < tiles ? tile : tiles);
    ryz_pool_foresee(compute.pool, thread, region, from, (size_t)(tile_at(matrix, tiles) - from));
}

void ryz_foresee(ryz_compute compute, const ryz_product *products, size_t product_count) {
    size_t tiles, bytes;
    measure_products(products, product_count, &tiles, &bytes);
    size_t parts = part_count(compute, tiles, bytes);
    for (int thread = 0; thread < ryz_pool_thread_count(compute.pool); thread++) {
        size_t tile = first_tile(compute, tiles, parts, thread), p = 0;
        while (p + 1 < product_count && tile >= tile_count(&products[p].matrix))
            tile -= tile_count(&products[p++].matrix);
        foresee(compute, thread, 0, &products[p].matrix, tile);
    }
}

void ryz_foresee_gated(ryz_compute compute, ryz_matrix gate, ryz_matrix up) {
    size_t parts = part_count(compute, tile_count(&gate), matrix_bytes(&gate) + matrix_bytes(&up));
    for (int thread = 0; thread < ryz_pool_thread_count(compute.pool); thread++) {
        size_t tile = first_tile(compute, tile_count(&gate), parts, thread);
        foresee(compute, thread, 0, &gate, tile);
        foresee(compute, thread, 1, &up, tile);
    }
}

typedef struct {
    const ryz_kernels *kernels;
    void (*gated)(const float *gate, const float *up, float *y);
    const ryz_matrix *gate, *up;
    const uint8_t *tables;
    const ryz_activations *x;
    float *y;
    size_t y_stride, rows, parts;
} gated_context;

static void gated_task(void *argument, size_t part, int thread) {
    (void)thread;
    const gated_context *c = argument;
    size_t begin, end;
    ryz_share(tile_count(c->gate), part, c->parts, &begin, &end);
    ryz_tile_row gate[ROW_CHUNK], up[ROW_CHUNK];
    float y[RYZ_TILE_ROWS];
    for (size_t row = 0; row < c->rows; row += ROW_CHUNK) {
        size_t rows = c->rows - row < ROW_CHUNK ? c->rows - row : ROW_CHUNK;
        for (size_t tile = begin; tile < end; tile++) {
            run_tile(c->kernels, c->gate, tile, c->tables, c->x, row, rows, false, gate);
            run_tile(c->kernels, c->up, tile, c->tables, c->x, row, rows, false, up);
            size_t first = tile * RYZ_TILE_ROWS, left = c->gate->rows - first;
            for (size_t r = 0; r < rows; r++) {
                c->gated(gate[r].values, up[r].values, y);
                float *target = c->y + (row + r) * c->y_stride + first;
                for (size_t i = 0; i < (left < RYZ_TILE_ROWS ? left : RYZ_TILE_ROWS); i++) target[i] = y[i];
            }
        }
    }
}

void ryz_multiply_gated(ryz_compute compute, ryz_gate activation, ryz_matrix gate, ryz_matrix up, ryz_activations x,
                        float *y, size_t y_stride, size_t rows) {
    size_t parts = part_count(compute, tile_count(&gate), matrix_bytes(&gate) + matrix_bytes(&up));
    const uint8_t *tables = make_tables(&compute, gate.look_up ? &gate : &up, &x, rows);
    gated_context context = {
        compute.kernels, compute.kernels->elementwise->gated[activation], &gate, &up, tables, &x, y, y_stride, rows, parts,
    };
    ryz_pool_look_ahead(compute.pool);
    ryz_pool_run(compute.pool, parts, gated_task, &context);
}
