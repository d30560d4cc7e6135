#ifndef WSLAY_BENCH_H
#define WSLAY_BENCH_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the frames of a client with wslay's event API (messages put together, text validated);
   returns the payload bytes seen, or 0 after an error. */
size_t wslay_bench_events(const uint8_t *bytes, size_t count);

/* The same with wslay's frame API: frames in pieces, unmasked, nothing validated. */
size_t wslay_bench_frames(const uint8_t *bytes, size_t count);

#endif
