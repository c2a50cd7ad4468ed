// Logarithm, exponential, sine and cosine in double precision, the same bits on every machine and C library: only
// IEEE additions, multiplications and divisions, in the order written. Used for tables and once per token.
#include <math.h>
#include <string.h>

#include "kernels.h"

static const double ln2_high = 0x1.62e42fefa39efp-1, ln2_low = 0x1.abc9e3b39803fp-56;

// Twice the series of atanh for (m − 1) / (m + 1), √½ ≤ m < √2.
double ryz_log(double x) {
    uint64_t bits;
    memcpy(&bits, &x, 8);
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & 0x000fffffffffffff) | 0x3ff0000000000000;
    double m;
    memcpy(&m, &bits, 8);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }
    double s = (m - 1) / (m + 1), square = s * s, sum = 0;
    for (int n = 23; n >= 1; n -= 2) sum = sum * square + 1.0 / n;
    return exponent * ln2_high + (exponent * ln2_low + 2 * s * sum);
}

static double scaled_power_of_two(int exponent) {
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double x;
    memcpy(&x, &bits, 8);
    return x;
}

// |x| < 700.
static double exponential(double x) {
    int n = (int)(x / ln2_high + (x < 0 ? -0.5 : 0.5));
    double r = (x - n * ln2_high) - n * ln2_low, sum = 1;
    for (int k = 18; k >= 1; k--) sum = sum * r / k + 1;
    return sum * scaled_power_of_two(n);
}

// x ≥ 0 and below 2³⁰: π/2 in three parts, each of which times the quotient is exact.
static void sine_cosine(double x, double *sine, double *cosine) {
    const double part1 = 0x1.921fb544p+0, part2 = 0x1.0b4611a6p-34, part3 = 0x1.3198a2e037073p-69;
    double quotient = (double)(int64_t)(x / 1.5707963267948966 + 0.5);
    double r = ((x - quotient * part1) - quotient * part2) - quotient * part3, square = r * r;
    double s = 0, c = 0;
    for (int n = 21; n >= 3; n -= 2) s = (s + 1) * -square / (n * (n - 1));
    for (int n = 20; n >= 2; n -= 2) c = (c + 1) * -square / (n * (n - 1));
    s = r * (s + 1);
    c = c + 1;
    switch ((int64_t)quotient & 3) {
        case 0: *sine = s, *cosine = c; break;
        case 1: *sine = c, *cosine = -s; break;
        case 2: *sine = -s, *cosine = -c; break;
        default: *sine = -c, *cosine = s; break;
    }
}

void ryz_rope_table(double base, double position_scale, size_t rotated, const float *factors, size_t positions,
                    float *cosines, float *sines) {
    size_t pairs = rotated / 2;
    for (size_t i = 0; i < pairs; i++) {
        double frequency = exponential(-(double)(2 * i) / (double)rotated * ryz_log(base));
        if (factors) frequency /= (double)factors[i];
        for (size_t p = 0; p < positions; p++) {
            double sine, cosine;
            sine_cosine((double)p * position_scale * frequency, &sine, &cosine);
            sines[p * pairs + i] = (float)sine;
            cosines[p * pairs + i] = (float)cosine;
        }
    }
}
