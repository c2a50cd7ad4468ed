// Integer dot products of one tile block (16 rows × 32 weights) with T rows of int8 activations.

// w: 4 chunks of [16 rows][4 bytes]; low nibbles are weights 4 j … 4 j + 3 of chunk j, high nibbles 16 more.
static inline __attribute__((always_inline)) void dot_nibbles(const uint8_t *w, const int8_t *a, size_t stride,
                                                              const int T, vi *out) {
    for (int t = 0; t < T; t++) {
        const int8_t *x = a + (size_t)t * stride;
        vi sum = {{0}};
        for (int chunk = 0; chunk < 4; chunk++)
            for (int row = 0; row < 16; row++) {
                const uint8_t *bytes = w + chunk * 64 + row * 4;
                int32_t s = 0;
                for (int i = 0; i < 4; i++)
                    s += (bytes[i] & 15) * x[chunk * 4 + i] + (bytes[i] >> 4) * x[16 + chunk * 4 + i];
                sum.lane[row] += s;
            }
        out[t] = sum;
    }
}

// w: 8 chunks of [16 rows][4 signed bytes].
static inline __attribute__((always_inline)) void dot_bytes(const int8_t *w, const int8_t *a, size_t stride,
                                                            const int32_t *counts, size_t count_stride, const int T,
                                                            vi *out) {
    (void)counts, (void)count_stride;
    for (int t = 0; t < T; t++) {
        const int8_t *x = a + (size_t)t * stride;
        vi sum = {{0}};
        for (int chunk = 0; chunk < 8; chunk++)
            for (int row = 0; row < 16; row++) {
                int32_t s = 0;
                for (int i = 0; i < 4; i++) s += w[chunk * 64 + row * 4 + i] * x[chunk * 4 + i];
                sum.lane[row] += s;
            }
        out[t] = sum;
    }
}

static inline vi vi_subtract(vi a, int32_t b) {
    for (int i = 0; i < 16; i++) a.lane[i] -= b;
    return a;
}

enum { TOKENS_MAX = 4 };

static uint64_t dot_peak(uint64_t iterations) {
    uint8_t w[256];
    int8_t a[TOKENS_MAX * 32];
    for (int i = 0; i < 256; i++) w[i] = (uint8_t)(i * 7);
    for (int i = 0; i < TOKENS_MAX * 32; i++) a[i] = (int8_t)(i % 127);
    volatile int32_t keep = 0;
    for (uint64_t n = 0; n < iterations; n++) {
        vi dots[TOKENS_MAX];
        a[0] = (int8_t)(n & 63);
        dot_nibbles(w, a, 32, TOKENS_MAX, dots);
        keep += dots[0].lane[0];
    }
    return iterations * 16 * 32 * TOKENS_MAX;
}

static uint64_t read_lines(const uint8_t *memory, size_t lines) {
    uint64_t sums[8] = {0};
    for (size_t line = 0; line < lines; line++, memory += 64) {
        uint64_t words[8];
        memcpy(words, memory, 64);
        for (int i = 0; i < 8; i++) sums[i] += words[i];
    }
    for (int i = 1; i < 8; i++) sums[0] += sums[i];
    return sums[0];
}
