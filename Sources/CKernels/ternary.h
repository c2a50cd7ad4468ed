// Ternary layouts: codes 0, 1 and 2 stand for −1, 0 and 1.
//
// T2: steps of 64 bytes hold 16 columns of 16 rows. Row r has bytes 4 r … 4 r + 3; bits 2 k and 2 k + 1 of byte
// 4 r + j are column 16 · step + 4 k + j.
//
// T5: steps of 64 bytes hold 20 columns of 16 rows. Row r has bytes 4 r … 4 r + 3. Byte 4 r + j is a fraction of 256,
// rounded up, whose digits in base three are the codes of columns 20 · step + 4 k + j for k = 4, 0, 1, 2, 3: with digit
// = 3 byte ⁄ 256 and byte ← 3 byte mod 256 they come one by one. Columns past the last one have code 0, so that what
// stands behind a row of activations counts for nothing.
//
// I5: as T5, but byte 4 r + j says in another way which codes they are, d of k = 4 and 27 a + 9 b + 3 c + e = n of k = 0 … 3:
// 64 d + n where n < 64, else 192 + 17 d + n − 64. Its lower six bits index a table either way, of which there are two,
// and where a processor looks 64 bytes up in one operation it takes fewer of them than T5.
#ifndef RYZ_TERNARY_H
#define RYZ_TERNARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { T2_COLUMNS = 16, T5_COLUMNS = 20, TERNARY_STEP_BYTES = 64 };

// Columns that are unpacked together when several rows of activations are multiplied: whole steps of every ternary
// layout, and so few that the sums of their pairs of products, 508 at most, fit 16 bits.
enum { RUN_COLUMNS = 240 };

static inline size_t ternary_steps(size_t columns, size_t step_columns) {
    return (columns + step_columns - 1) / step_columns;
}

// The codes of k = 0 … 3 as one number below 81.
static inline int later_codes(const uint8_t codes[5]) {
    return codes[0] * 27 + codes[1] * 9 + codes[2] * 3 + codes[3];
}

static inline uint8_t t5_byte(const uint8_t codes[5]) {
    int value = codes[4] * 81 + later_codes(codes);
    return (uint8_t)((value * 256 + 242) / 243);
}

enum { I5_LAST_SHORT = 191, I5_SHORT_NUMBERS = 64, I5_LONG_NUMBERS = 81 - I5_SHORT_NUMBERS };

static inline uint8_t i5_byte(const uint8_t codes[5]) {
    int number = later_codes(codes);
    return (uint8_t)(number < I5_SHORT_NUMBERS
                         ? codes[4] * I5_SHORT_NUMBERS + number
                         : I5_LAST_SHORT + 1 + codes[4] * I5_LONG_NUMBERS + number - I5_SHORT_NUMBERS);
}

// Code k = 0 … 4 of a byte.
static inline int t5_code(uint8_t byte, size_t k) {
    for (size_t position = (k + 1) % 5; position-- > 0;) byte = (uint8_t)(byte * 3);
    return byte * 3 >> 8;
}
static inline int i5_code(uint8_t byte, size_t k) {
    static const int powers[4] = {27, 9, 3, 1};
    bool is_short = byte <= I5_LAST_SHORT;
    int index = is_short ? byte : byte - I5_LAST_SHORT - 1, count = is_short ? I5_SHORT_NUMBERS : I5_LONG_NUMBERS;
    if (k == 4) return index / count;
    return (index % count + (is_short ? 0 : I5_SHORT_NUMBERS)) / powers[k] % 3;
}

// The codes [5 quads × 16 rows × 4 columns] of steps `first` to `last` of a tile of I5.
static inline void unpack_i5_bytes(const uint8_t *tile, size_t first, size_t last, uint8_t *codes) {
    for (size_t s = first; s < last; s++, codes += T5_COLUMNS * 16)
        for (size_t i = 0; i < TERNARY_STEP_BYTES; i++)
            for (size_t k = 0; k < 5; k++)
                codes[k * TERNARY_STEP_BYTES + i] = (uint8_t)i5_code(tile[s * TERNARY_STEP_BYTES + i], k);
}

#endif
