#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "tokens.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "vector_avx2.h"
#include "dot_avx2.h"
#include "ternary_avx2.h"
#include "planes_avx2.h"

#define NAMED(name) name##_avx2
#include "matmul_template.h"
#pragma clang attribute pop
