// Weights of one to four bits in bit planes, and the tables that products with them and with ternary triples are looked
// up in (T-MAC: Wei et al., 2024).
//
// B1 … B4: w = scale · code + minimum, with a float16 scale and minimum for each group of columns of a row. A group of a
// tile begins with 16 scales and 16 minimums; its blocks of 32 columns follow. A block has 64 bytes for each bit of the
// codes, the lowest first: byte 16 j + r holds columns 8 j … 8 j + 7 of row r. So a nibble says which of four
// activations are added, 16 rows side by side share a table, and there are two tables for each 16 bytes: one for the
// low nibbles, one for the high ones.
//
// L3: ternary weights, three to an index. A step has 24 columns in two halves of 12; triple j of a half is columns j,
// 4 + j and 8 + j. Its digits make a number of −13 … 13 in balanced ternary, the first counting once. 64 bytes hold the
// magnitudes of a step: byte 16 j + r is triple j of row r, the first half in the low nibble. Before each four steps
// stand their signs, 16 bytes a step, eight for each half: bit 4 r + j is set where the number is negative.
// Columns past the last one have digit −1, which is code 0 where codes are multiplied, so that what stands behind a row
// of activations counts for nothing; tables are made as if zeros stood there.
//
// Tables: for the low nibbles and then for the high ones of a block or step, the low bytes of four tables of 16 sums,
// and then their high bytes: nothing is rounded.
#ifndef RYZ_PLANES_H
#define RYZ_PLANES_H

#include <stddef.h>
#include <stdint.h>

enum { PLANE_BYTES = 64, GROUP_HEADER_BYTES = 64, TABLE_STEP_BYTES = 256 };
enum { L3_COLUMNS = 24, L3_STEP_BYTES = 64, L3_SIGN_BYTES = 16, L3_SIGNED_STEPS = 4 };

static inline size_t l3_steps(size_t columns) { return (columns + L3_COLUMNS - 1) / L3_COLUMNS; }

// Where the line begins that a step shares with others for its signs, where its own signs lie, and its magnitudes.
static inline size_t l3_group_at(size_t step) { return step / L3_SIGNED_STEPS * (L3_SIGNED_STEPS + 1) * L3_STEP_BYTES; }
static inline size_t l3_signs_at(size_t step) {
    return l3_group_at(step) + step % L3_SIGNED_STEPS * L3_SIGN_BYTES;
}
static inline size_t l3_magnitudes_at(size_t step) { return (step + step / L3_SIGNED_STEPS + 1) * L3_STEP_BYTES; }

// Digit + 1 of the numbers 0 … 13; the other two never occur.
#define L3_CODES_FIRST 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 1, 1
#define L3_CODES_SECOND 1, 1, 2, 2, 2, 0, 0, 0, 1, 1, 1, 2, 2, 2, 1, 1
#define L3_CODES_THIRD 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1

#endif
