#include <math.h>
#include <string.h>

#include "kernels.h"
#include "vector_portable.h"
#include "exponential.h"

#define NAMED(name) name##_portable
#include "attention_template.h"
