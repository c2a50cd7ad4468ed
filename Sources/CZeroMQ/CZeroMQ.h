/* libzmq, and what a thread with sockets needs beside it and Swift's Glibc module does not have: the eventfd that wakes
   it from zmq_poll, and its name. */
#ifndef RYZ_CZEROMQ_H
#define RYZ_CZEROMQ_H

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <zmq.h>

/* Names the calling thread; the kernel keeps the first 15 bytes. Returns 0, or -1 with errno set. */
static inline int ryz_name_thread(const char *name) {
    return prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0);
}

#endif
