// Which kernels run: the best that the processor has, or the one asked for.
#include "kernels.h"

#define DECLARE(isa)                                                          \
    extern const ryz_tile_function ryz_tile_functions_##isa[RYZ_LAYOUT_COUNT];  \
    extern const ryz_table_function ryz_table_functions_##isa[RYZ_TABLE_KINDS]; \
    extern const ryz_elementwise_functions ryz_elementwise_##isa;             \
    void ryz_attend_rows_##isa(RYZ_ATTEND_ARGUMENTS);                           \
    uint64_t ryz_dot_peak_##isa(uint64_t iterations);                           \
    uint64_t ryz_read_lines_##isa(const uint8_t *memory, size_t lines);
DECLARE(portable)

#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
#endif

ryz_isa ryz_isa_detect(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi"))
        return RYZ_ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"))
        return RYZ_ISA_AVX2;
#endif
    return RYZ_ISA_PORTABLE;
}

ryz_prefetch ryz_usual_prefetch(ryz_layout layout) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_is("intel")) return RYZ_PREFETCH_NEAR;
    if (__builtin_cpu_is("znver4") && layout <= RYZ_R8) return RYZ_PREFETCH_HARDWARE;
#endif
    (void)layout;
    return RYZ_PREFETCH_FAR;
}

const ryz_kernels *ryz_kernels_for(ryz_isa isa) {
    static const ryz_kernels portable = {
        ryz_tile_functions_portable, ryz_table_functions_portable, &ryz_elementwise_portable, ryz_attend_rows_portable,
        ryz_dot_peak_portable,       ryz_read_lines_portable,
    };
#if defined(__x86_64__)
    static const ryz_kernels avx2 = {
        ryz_tile_functions_avx2, ryz_table_functions_avx2, &ryz_elementwise_avx2, ryz_attend_rows_avx2,
        ryz_dot_peak_avx2,       ryz_read_lines_avx2,
    };
    static const ryz_kernels avx512 = {
        ryz_tile_functions_avx512, ryz_table_functions_avx512, &ryz_elementwise_avx512, ryz_attend_rows_avx512,
        ryz_dot_peak_avx512,       ryz_read_lines_avx512,
    };
    if (isa == RYZ_ISA_AVX512) return &avx512;
    if (isa == RYZ_ISA_AVX2) return &avx2;
#endif
    (void)isa;
    return &portable;
}
