// exp(x) to about one unit in the last place for −87.3 ≤ x ≤ 88.3, clamped outside. Cephes' expf polynomial
// (Moshier, 1992) in fused steps, the same on every instruction set.
static inline vf vf_exp(vf x) {
    x = vf_min(vf_max(x, vf_set1(-87.3f)), vf_set1(88.3f));
    vi n = vf_round(vf_mul(x, vf_set1(1.44269504088896341f)));
    vf k = vi_float(n);
    vf r = vf_fma(k, vf_set1(-0.693359375f), x);
    r = vf_fma(k, vf_set1(2.12194440e-4f), r);
    vf p = vf_set1(1.9875691500e-4f);
    p = vf_fma(p, r, vf_set1(1.3981999507e-3f));
    p = vf_fma(p, r, vf_set1(8.3334519073e-3f));
    p = vf_fma(p, r, vf_set1(4.1665795894e-2f));
    p = vf_fma(p, r, vf_set1(1.6666665459e-1f));
    p = vf_fma(p, r, vf_set1(5.0000001201e-1f));
    p = vf_fma(p, vf_mul(r, r), r);
    return vf_mul(vf_add(p, vf_set1(1)), vi_exp2(n));
}
