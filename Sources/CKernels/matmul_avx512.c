#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "tokens.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi"))), apply_to = function)
#include "vector_avx512.h"
#include "dot_avx512.h"
#include "ternary_avx512.h"
#include "planes_avx512.h"

#define NAMED(name) name##_avx512
#include "matmul_template.h"
#pragma clang attribute pop
