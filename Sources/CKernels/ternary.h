// Ternary layouts: codes 0, 1 and 2 stand for −1, 0 and 1.
//
// T2: steps of 64 bytes hold 16 columns of 16 rows. Row r has bytes 4 r … 4 r + 3; bits 2 k and 2 k + 1 of byte
// 4 r + j are column 16 · step + 4 k + j.
//
// T5: steps of 64 bytes hold 20 columns of 16 rows. Row r has bytes 4 r … 4 r + 3. Byte 4 r + j is a fraction of 256,
// rounded up, whose digits in base three are the codes of columns 20 · step + 4 k + j for k = 4, 0, 1, 2, 3: with digit
// = 3 byte ⁄ 256 and byte ← 3 byte mod 256 they come one by one. Columns past the last one have code 0, so that what
// stands behind a row of activations counts for nothing.
#ifndef RYZ_TERNARY_H
#define RYZ_TERNARY_H

#include <stddef.h>
#include <stdint.h>

enum { T2_COLUMNS = 16, T5_COLUMNS = 20, TERNARY_STEP_BYTES = 64 };

// Columns that are unpacked together when several rows of activations are multiplied: whole steps of every ternary
// layout, and so few that the sums of their pairs of products, 508 at most, fit 16 bits.
enum { RUN_COLUMNS = 240 };

static inline size_t ternary_steps(size_t columns, size_t step_columns) {
    return (columns + step_columns - 1) / step_columns;
}

static inline uint8_t t5_byte(const uint8_t codes[5]) {
    int value = codes[4] * 81 + codes[0] * 27 + codes[1] * 9 + codes[2] * 3 + codes[3];
    return (uint8_t)((value * 256 + 242) / 243);
}

#endif
