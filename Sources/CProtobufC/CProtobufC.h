/* The run-time library of protoc-c's generated code. */
#ifndef RYZ_CPROTOBUFC_H
#define RYZ_CPROTOBUFC_H
#include <protobuf-c/protobuf-c.h>
#endif
