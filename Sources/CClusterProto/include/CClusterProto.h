/* The generated messages of every file in Proto/. Written by scripts/generate-proto. */
#ifndef RYZ_CLUSTER_PROTO_H
#define RYZ_CLUSTER_PROTO_H
#include "ryz/v1/control.pb-c.h"
#include "ryz/v1/envelope.pb-c.h"
#include "ryz/v1/measurement.pb-c.h"
#include "ryz/v1/sampling.pb-c.h"
#include "ryz/v1/step.pb-c.h"
#include "ryz/v1/weights.pb-c.h"
#endif
