/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_CODEC_IMPL_H
#define NODIAG_PROTO_CODEC_IMPL_H

/* What the codec_*.c have in common, and nobody else is to know. */

#include <stddef.h>
#include <stdint.h>

#include "proto/channel.h"
#include "proto/span.h"

/* The schema has arrays of any length for the fixed ones of C, which outlive the message. */
#define ND_CODEC_FIXED(message, field, array)                                                      \
	do {                                                                                       \
		(message).field = (void *)(uintptr_t)(array);                                      \
		(message).n_##field = sizeof(array) / sizeof((array)[0]);                          \
	} while (0)

/* As much of a message's array as there is room for. */
#define ND_CODEC_COPY(to, message, field)                                                          \
	do {                                                                                       \
		for (size_t at = 0;                                                                \
		     at < (message)->n_##field && at < sizeof(to) / sizeof((to)[0]); at++)         \
			(to)[at] = (message)->field[at];                                           \
	} while (0)

/* The bytes of an id as a number, the first one highest. */
static inline uint64_t nd_codec_pack_id(const uint8_t id[ND_SPAN_ID_SIZE])
{
	uint64_t packed = 0;
	size_t i;

	for (i = 0; i < ND_SPAN_ID_SIZE; i++)
		packed = packed << 8 | id[i];
	return packed;
}

/* The id of such a number. */
static inline void nd_codec_unpack_id(uint64_t packed, uint8_t ret_id[ND_SPAN_ID_SIZE])
{
	size_t i;

	for (i = ND_SPAN_ID_SIZE; i-- > 0; packed >>= 8)
		ret_id[i] = (uint8_t)packed;
}

/* A kind of thread that is not known here is taken for a worker. */
static inline uint32_t nd_codec_thread_kind(uint32_t kind)
{
	return kind <= ND_THREAD_AGENT ? kind : ND_THREAD_WORKER;
}

#endif /* NODIAG_PROTO_CODEC_IMPL_H */
