/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_HISTOGRAM_H
#define NODIAG_COMMON_HISTOGRAM_H

/*
 * Times in exponential buckets: each power of two is split into 16, so that a bucket's bounds are
 * at most 6.25 % apart. Covers 1 us to 73 minutes; what is shorter or longer is in the first or the
 * last bucket.
 */

#include <stdint.h>

#define ND_HISTOGRAM_SPLIT_BITS 4
#define ND_HISTOGRAM_SPLIT	(1u << ND_HISTOGRAM_SPLIT_BITS)
#define ND_HISTOGRAM_MIN_BITS	10 /* the first bucket ends at 2^10 ns */
#define ND_HISTOGRAM_MAX_BITS	42
#define ND_HISTOGRAM_BUCKETS                                                                       \
	((ND_HISTOGRAM_MAX_BITS - ND_HISTOGRAM_MIN_BITS) * ND_HISTOGRAM_SPLIT + 2)

/* The number of the highest bit that is set; `ns` is not 0. */
static inline uint32_t nd_histogram_bits(uint64_t ns)
{
#ifdef __bpf__
	/* clang 14 has no __builtin_clzll() there. */
	uint32_t bits = 0, shift;

	for (shift = 32; shift; shift /= 2)
		if (ns >> shift) {
			ns >>= shift;
			bits += shift;
		}
	return bits;
#else
	return 63 - (uint32_t)__builtin_clzll(ns);
#endif
}

/* The bucket of a time. */
static inline uint32_t nd_histogram_index(uint64_t ns)
{
	uint32_t bits;

	if (ns < UINT64_C(1) << ND_HISTOGRAM_MIN_BITS)
		return 0;
	if (ns >= UINT64_C(1) << ND_HISTOGRAM_MAX_BITS)
		return ND_HISTOGRAM_BUCKETS - 1;
	bits = nd_histogram_bits(ns);
	return 1 + (bits - ND_HISTOGRAM_MIN_BITS) * ND_HISTOGRAM_SPLIT +
	       (uint32_t)(ns >> (bits - ND_HISTOGRAM_SPLIT_BITS) & (ND_HISTOGRAM_SPLIT - 1));
}

/* The least time that is in a bucket; the bucket before ends there. */
static inline uint64_t nd_histogram_start(uint32_t index)
{
	uint32_t bits;

	if (index == 0)
		return 0;
	bits = ND_HISTOGRAM_MIN_BITS + (index - 1) / ND_HISTOGRAM_SPLIT;
	return (UINT64_C(1) << bits) +
	       ((uint64_t)((index - 1) % ND_HISTOGRAM_SPLIT) << (bits - ND_HISTOGRAM_SPLIT_BITS));
}

/*
 * The time below which `share` (0 to 1) of what was counted stayed, at most `max_ns` where that is
 * not 0; 0 where there was nothing. The answer is the middle of a bucket, at most 3.2 % from the
 * truth.
 */
uint64_t nd_histogram_percentile(const uint64_t counts[ND_HISTOGRAM_BUCKETS], uint64_t max_ns,
				 double share);

#endif /* NODIAG_COMMON_HISTOGRAM_H */
