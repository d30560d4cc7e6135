#ifndef HIREDIS_BENCH_H
#define HIREDIS_BENCH_H

#include <stddef.h>
#include <stdint.h>

/* Feeds a stream to a hiredis reader in pieces and returns the number of replies; a reply is made and
   freed each time where `objects` is not 0, and otherwise only parsed. -1 stands for an error. */
long hiredis_bench_read(const uint8_t *bytes, size_t count, size_t piece, int objects);

/* Formats a command of three arguments so many times and returns the bytes. */
long hiredis_bench_format(const char *channel, const uint8_t *payload, size_t count, long times);

#endif
