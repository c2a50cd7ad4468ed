// Norms, quantisation and other operations over single rows. Included by elementwise_{portable,avx2,avx512}.c.

static void rms_norm(const float *x, const float *weight, float *out, size_t columns, float epsilon) {
    vf squares = vf_set1(0);
    for (size_t i = 0; i < columns; i += 16) {
        vf v = vf_load(x + i);
        squares = vf_fma(v, v, squares);
    }
    float factor = ryz_norm_factor(vf_sum(squares), columns, epsilon);
    for (size_t i = 0; i < columns; i += 16)
        vf_store(out + i, vf_mul(vf_mul(vf_load(x + i), vf_set1(factor)), vf_load(weight + i)));
}

static void quantise_blocks(const float *x, size_t columns, int8_t *quantised, float *scales, float *sums,
                            int32_t *counts) {
    for (size_t b = 0; b < columns / 32; b++) {
        vf low = vf_load(x + b * 32), high = vf_load(x + b * 32 + 16);
        float largest = vf_maximum(vf_max(vf_abs(low), vf_abs(high)));
        // Blocks so small that the quotient would overflow count as zero.
        float inverse = largest > 1e-30f ? 127.0f / largest : 0;
        vi a = vf_round(vf_mul(low, vf_set1(inverse))), c = vf_round(vf_mul(high, vf_set1(inverse)));
        vi_store_bytes(quantised + b * 32, a);
        vi_store_bytes(quantised + b * 32 + 16, c);
        float scale = largest / 127.0f;
        int32_t count = vi_sum(a) + vi_sum(c);
        scales[b] = scale;
        counts[b] = count;
        sums[b] = scale * (float)count;
    }
}

// x = x · weight; the squares of x before that, summed by `segment` columns, and the largest magnitude after it.
static float weigh(float *x, const float *weight, size_t columns, size_t segment, float *squares) {
    vf largest = vf_set1(0);
    for (size_t first = 0; first < columns; first += segment) {
        size_t end = first + segment < columns ? first + segment : columns;
        vf sum = vf_set1(0);
        for (size_t i = first; i < end; i += 16) {
            vf v = vf_load(x + i), weighted = vf_mul(v, vf_load(weight + i));
            sum = vf_fma(v, v, sum);
            largest = vf_max(largest, vf_abs(weighted));
            vf_store(x + i, weighted);
        }
        *squares++ = vf_sum(sum);
    }
    return vf_maximum(largest);
}

static float largest_magnitude(const float *x, size_t columns) {
    vf largest = vf_set1(0), other = largest;
    for (size_t i = 0; i < columns; i += 32) {
        largest = vf_max(largest, vf_abs(vf_load(x + i)));
        other = vf_max(other, vf_abs(vf_load(x + i + 16)));
    }
    return vf_maximum(vf_max(largest, other));
}

// One scale for the row, as BitNet's reference has it: 127 / maximum, to nearest, ties to even.
static void quantise_row(const float *x, size_t columns, float maximum, int8_t *quantised, float *scale, float *sum,
                         int32_t *count) {
    // Beyond this the quotient would vanish; such a row is already meaningless.
    if (maximum > 1e38f) maximum = 1e38f;
    float inverse = 127.0f / maximum;
    vi totals = vi_zero();
    for (size_t i = 0; i < columns; i += 16) {
        vi q = vf_round(vf_max(vf_min(vf_mul(vf_load(x + i), vf_set1(inverse)), vf_set1(127)), vf_set1(-127)));
        vi_store_bytes(quantised + i, q);
        totals = vi_add(totals, q);
    }
    int32_t total = vi_sum(totals);
    *scale = 1.0f / inverse;
    *count = total;
    *sum = *scale * (float)total;
}

// y = silu(gate) · up over 16 values.
static void gated_silu(const float *gate, const float *up, float *y) {
    vf g = vf_load(gate);
    vf denominator = vf_add(vf_set1(1), vf_exp(vf_sub(vf_set1(0), g)));
    vf_store(y, vf_mul(vf_div(g, denominator), vf_load(up)));
}

// y = max(gate, 0)² · up over 16 values.
static void gated_squared_relu(const float *gate, const float *up, float *y) {
    vf g = vf_max(vf_load(gate), vf_set1(0));
    vf_store(y, vf_mul(vf_mul(g, g), vf_load(up)));
}

// Maximum and Σ exp(x − maximum) of at most one chunk; the tail lanes of the last group count as absent.
static void chunk_summary(const float *x, size_t count, float *maximum, float *sum) {
    float tail[16];
    vf largest = vf_set1(-INFINITY);
    size_t whole = count / 16 * 16;
    for (size_t i = 0; i < whole; i += 16) largest = vf_max(vf_load(x + i), largest);
    float m = vf_maximum(largest);
    for (size_t i = whole; i < count; i++) m = x[i] > m ? x[i] : m;
    vf total = vf_set1(0);
    for (size_t i = 0; i < whole; i += 16) total = vf_add(total, vf_exp(vf_sub(vf_load(x + i), vf_set1(m))));
    if (whole < count) {
        for (size_t i = 0; i < 16; i++) tail[i] = whole + i < count ? x[whole + i] - m : 0;
        vf_store(tail, vf_exp(vf_load(tail)));
        for (size_t i = count - whole; i < 16; i++) tail[i] = 0;
        total = vf_add(total, vf_load(tail));
    }
    *maximum = m;
    *sum = vf_sum(total);
}

static void exp_scaled(const float *x, float shift, float scale, float *out, size_t count) {
    size_t whole = count / 16 * 16;
    for (size_t i = 0; i < whole; i += 16)
        vf_store(out + i, vf_exp(vf_mul(vf_sub(vf_load(x + i), vf_set1(shift)), vf_set1(scale))));
    float tail[16];
    if (whole < count) {
        for (size_t i = 0; i < 16; i++) tail[i] = whole + i < count ? x[whole + i] - shift : 0;
        vf_store(tail, vf_exp(vf_mul(vf_load(tail), vf_set1(scale))));
        memcpy(out + whole, tail, (count - whole) * sizeof *out);
    }
}

// Rotates pairs of one head: (x0, x1) to (x0 cos − x1 sin, x1 cos + x0 sin). Scalar: the compiler vectorises it, and
// each result is one product and one fused multiply-add.
static void rotate(float *head, const float *cosines, const float *sines, size_t rotated, bool halves) {
    size_t pairs = rotated / 2, step = halves ? 1 : 2, other = halves ? pairs : 1;
    for (size_t i = 0; i < pairs; i++) {
        float *p = head + i * step, x0 = p[0], x1 = p[other];
        p[0] = fmaf(x0, cosines[i], -(x1 * sines[i]));
        p[other] = fmaf(x1, cosines[i], x0 * sines[i]);
    }
}

static void store_half(const float *x, uint16_t *out, size_t count) {
    for (size_t i = 0; i < count; i += 16) vf_to_half(out + i, vf_load(x + i));
}

// One key goes into one lane of its group of 16: `group` is [head dimension][16].
static void store_key(const float *x, uint16_t *group, size_t lane, size_t count) {
    uint16_t halves[16];
    for (size_t i = 0; i < count; i += 16) {
        vf_to_half(halves, vf_load(x + i));
        for (size_t j = 0; j < 16; j++) group[(i + j) * 16 + lane] = halves[j];
    }
}

const ryz_elementwise_functions NAMED(ryz_elementwise) = {
    rms_norm, quantise_blocks, weigh, largest_magnitude, quantise_row, {gated_silu, gated_squared_relu}, chunk_summary,
    exp_scaled, rotate, store_half, store_key,
};
