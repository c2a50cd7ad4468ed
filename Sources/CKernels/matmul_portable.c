#include <math.h>
#include <string.h>

#include "kernels.h"
#include "tokens.h"
#include "vector_portable.h"
#include "dot_portable.h"
#include "ternary_portable.h"
#include "planes_portable.h"

#define NAMED(name) name##_portable
#include "matmul_template.h"
