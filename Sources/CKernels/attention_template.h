// Causal attention of some query vectors over the blocks of one KV head. Included by
// attention_{portable,avx2,avx512}.c.
//
// A block of 256 keys gives a partial result of its own: maximum m, sum l of exp(score − m), and the sum o of the
// values weighted by exp(score − m). Partial results are combined in the order of the blocks. So a token's result
// depends neither on the rows computed beside it nor on who computes which block.

#define INLINE static inline __attribute__((always_inline))
#define EACH_ROW _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)

// Sixteen elements of the cache, of `width` bytes each: float16 or float32.
INLINE vf load_elements(const uint8_t *p, const size_t width) {
    return width == 2 ? vf_from_half((const uint16_t *)(const void *)p) : vf_load((const float *)(const void *)p);
}

// scores[r][key] = scale · (q[r] · key), one lane a key, even and odd dimensions summed apart, each in order.
INLINE void score(const float *const *q, const uint8_t *keys, const size_t width, size_t groups, size_t dimension,
                  float scale, const int R, float (*scores)[RYZ_KEY_BLOCK]) {
    for (size_t g = 0; g < groups; g++, keys += dimension * 16 * width) {
        vf even[R], odd[R];
        EACH_ROW even[r] = odd[r] = vf_set1(0);
        for (size_t d = 0; d < dimension; d += 2) {
            vf k0 = load_elements(keys + d * 16 * width, width);
            vf k1 = load_elements(keys + (d + 1) * 16 * width, width);
            EACH_ROW {
                even[r] = vf_fma(k0, vf_set1(q[r][d]), even[r]);
                odd[r] = vf_fma(k1, vf_set1(q[r][d + 1]), odd[r]);
            }
        }
        EACH_ROW vf_store(scores[r] + g * 16, vf_mul(vf_add(even[r], odd[r]), vf_set1(scale)));
    }
}

// out[r] += Σ weights[r][key] · values[key] for keys [first, end), in order, 32 dimensions at a time.
INLINE void weigh(float (*weights)[RYZ_KEY_BLOCK], const uint8_t *values, const size_t width, size_t first, size_t end,
                  size_t dimension, const int R, float *const *out) {
    size_t d = 0;
    for (; d + 32 <= dimension; d += 32) {
        vf a[R], b[R];
        EACH_ROW { a[r] = vf_load(out[r] + d); b[r] = vf_load(out[r] + d + 16); }
        for (size_t key = first; key < end; key++) {
            vf v0 = load_elements(values + (key * dimension + d) * width, width);
            vf v1 = load_elements(values + (key * dimension + d + 16) * width, width);
            EACH_ROW {
                vf p = vf_set1(weights[r][key]);
                a[r] = vf_fma(p, v0, a[r]);
                b[r] = vf_fma(p, v1, b[r]);
            }
        }
        EACH_ROW { vf_store(out[r] + d, a[r]); vf_store(out[r] + d + 16, b[r]); }
    }
    for (; d < dimension; d += 16)
        EACH_ROW {
            vf a = vf_load(out[r] + d);
            for (size_t key = first; key < end; key++)
                a = vf_fma(vf_set1(weights[r][key]), load_elements(values + (key * dimension + d) * width, width), a);
            vf_store(out[r] + d, a);
        }
}

// Turns the first `count` scores into exp(score − maximum) and returns maximum and sum.
static void softmax_block(float *scores, size_t count, float *maximum, float *sum) {
    size_t padded = (count + 15) / 16 * 16;
    for (size_t i = count; i < padded; i++) scores[i] = -INFINITY;
    vf largest = vf_set1(-INFINITY), total = vf_set1(0);
    for (size_t i = 0; i < padded; i += 16) largest = vf_max(vf_load(scores + i), largest);
    float m = vf_maximum(largest);
    for (size_t i = 0; i < padded; i += 16) vf_store(scores + i, vf_exp(vf_sub(vf_load(scores + i), vf_set1(m))));
    for (size_t i = count; i < padded; i++) scores[i] = 0;
    for (size_t i = 0; i < padded; i += 16) total = vf_add(total, vf_load(scores + i));
    *maximum = m;
    *sum = vf_sum(total);
}

static void scale_row(float *out, float factor, size_t dimension) {
    for (size_t d = 0; d < dimension; d += 16) vf_store(out + d, vf_mul(vf_load(out + d), vf_set1(factor)));
}

// exp of one number, by the same lanes.
static float exp_one(float x) {
    float lanes[16];
    vf_store(lanes, vf_exp(vf_set1(x)));
    return lanes[0];
}

// R query vectors, the i-th of which sees `visible[i]` keys (not falling with i), over blocks found by `blocks`.
INLINE void attend_group(const ryz_kv_layer *kv, const size_t width, size_t head, const uint32_t *blocks, const float *const *q,
                         const size_t *visible, float scale, const int R, float *const *out, float *scratch) {
    float(*scores)[RYZ_KEY_BLOCK] = (float(*)[RYZ_KEY_BLOCK])scratch;
    size_t dimension = kv->head_dimension, head_size = RYZ_KEY_BLOCK * dimension * width;
    float *partial[R], maximum[R], sum[R];
    EACH_ROW { partial[r] = scratch + R * RYZ_KEY_BLOCK + r * dimension; maximum[r] = sum[r] = 0; }
    for (size_t start = 0; start < visible[R - 1]; start += RYZ_KEY_BLOCK) {
        const uint8_t *keys = kv->base + blocks[start / RYZ_KEY_BLOCK] * kv->block_stride + head * 2 * head_size;
        const uint8_t *values = keys + head_size;
        size_t count[R], shared = RYZ_KEY_BLOCK;
        EACH_ROW {
            count[r] = visible[r] <= start ? 0 : visible[r] - start < RYZ_KEY_BLOCK ? visible[r] - start : RYZ_KEY_BLOCK;
            shared = count[r] < shared ? count[r] : shared;
        }
        score(q, keys, width, (count[R - 1] + 15) / 16, dimension, scale, R, scores);
        float block_maximum[R], block_sum[R];
        float *target[R];
        EACH_ROW {
            if (count[r]) softmax_block(scores[r], count[r], &block_maximum[r], &block_sum[r]);
            target[r] = start ? partial[r] : out[r];
            memset(target[r], 0, dimension * sizeof(float));
        }
        weigh(scores, values, width, 0, shared, dimension, R, target);
        EACH_ROW weigh(scores + r, values, width, shared, count[r], dimension, 1, target + r);
        EACH_ROW {
            if (!start) {
                maximum[r] = block_maximum[r];
                sum[r] = block_sum[r];
            } else if (count[r]) {
                float larger = maximum[r] > block_maximum[r] ? maximum[r] : block_maximum[r];
                float old_factor = exp_one(maximum[r] - larger), new_factor = exp_one(block_maximum[r] - larger);
                sum[r] = fmaf(sum[r], old_factor, block_sum[r] * new_factor);
                maximum[r] = larger;
                for (size_t d = 0; d < dimension; d += 16) {
                    vf scaled = vf_mul(vf_load(partial[r] + d), vf_set1(new_factor));
                    vf_store(out[r] + d, vf_fma(vf_load(out[r] + d), vf_set1(old_factor), scaled));
                }
            }
        }
    }
    EACH_ROW scale_row(out[r], 1.0f / sum[r], dimension);
}

INLINE void attend_rows(const size_t width, RYZ_ATTEND_ARGUMENTS) {
    size_t done = 0;
    for (; done + 3 <= rows; done += 3)
        attend_group(kv, width, head, blocks, q + done, visible + done, scale, 3, out + done, scratch);
    if (done + 2 <= rows) {
        attend_group(kv, width, head, blocks, q + done, visible + done, scale, 2, out + done, scratch);
        done += 2;
    }
    if (done < rows) attend_group(kv, width, head, blocks, q + done, visible + done, scale, 1, out + done, scratch);
}

void NAMED(ryz_attend_rows)(RYZ_ATTEND_ARGUMENTS) {
    if (kv->width == 2)
        attend_rows(2, kv, head, blocks, q, visible, rows, scale, out, scratch);
    else
        attend_rows(4, kv, head, blocks, q, visible, rows, scale, out, scratch);
}
