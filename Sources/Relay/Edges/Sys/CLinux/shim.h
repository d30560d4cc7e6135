// What Glibc's Swift module leaves out. _GNU_SOURCE is not defined here, since it clashes with the
// module of OpenSSL; what it would show is declared by hand.
#ifndef STATUS2_CLINUX_SHIM_H
#define STATUS2_CLINUX_SHIM_H

#include <malloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/random.h>
#include <sys/socket.h>

int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
int pthread_setname_np(pthread_t thread, const char *name);
int sched_getaffinity(pid_t process, size_t size, unsigned long *mask);

#endif
