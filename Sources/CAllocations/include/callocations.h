// How often the calling thread asked for memory, and how to have it fresh. Linking this puts a counter in front of the C library's allocator for the whole
// process, so only the benchmarks' executable links it.
#ifndef BERTH_CALLOCATIONS_H
#define BERTH_CALLOCATIONS_H

#include <stdint.h>

/// Calls of the calling thread so far for new or larger memory; 0 always where a sanitizer owns the allocator.
uint64_t berth_allocations(void);

/// Gives the system back every page that nothing uses, so that what is allocated next is fresh.
void berth_trim(void);

#endif
