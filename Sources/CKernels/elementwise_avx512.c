#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi"))), apply_to = function)
#include "vector_avx512.h"
#include "exponential.h"

#define NAMED(name) name##_avx512
#include "elementwise_template.h"
#pragma clang attribute pop
