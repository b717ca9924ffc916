/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_CONTEXT_H
#define NODIAG_PROTO_CONTEXT_H

/*
 * Where the memory of a thread says which request it is in. The agent finds the place and looks
 * there from its signal handlers; whoever reads the memory of the process can look from outside.
 * What is there, and how it was found: docs/internals/context.md.
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/span.h"

enum nd_context_way {
	ND_CONTEXT_BY_NOTHING,
	ND_CONTEXT_BY_FRAME, /* a Map that V8 hands from callback to callback: AsyncContextFrame */
	ND_CONTEXT_BY_ID,    /* the id of the asynchronous resource that is executed */
};

/*
 * Entries of the table of ids, each a double. A resource has the one at the lowest 16 bits of its
 * id; in it are its span's number, times ND_CONTEXT_IDS, and the next 16 bits of the id.
 */
#define ND_CONTEXT_IDS 65536

/* Addresses are those of the process. */
struct nd_context_place {
	uint32_t way; /* enum nd_context_way */

	/* AsyncContextFrame */
	uint32_t number_offset; /* of a span's short number in it */
	uint64_t frame;		/* where the isolate has the current one */
	uint64_t key;		/* a global handle's word: our AsyncLocalStorage */
	uint16_t map_type;	/* instance types of V8: of a Map, */
	uint16_t table_type;	/* of its table, */
	uint16_t span_type;	/* and of the script's spans */
	uint16_t pad;

	/* ids */
	uint64_t executed; /* where the resource's is */
	uint64_t numbers;  /* where the table is, of ND_CONTEXT_IDS entries */

	uint64_t newest; /* number of a span: the highest */

	/* In a collection, which moves all of it, what was read before. */
	uint64_t at_gc;
	uint32_t in_gc;
	uint32_t pad2;
};

/*
 * The last spans of servers to begin, kept until they end, by their number modulo ND_KEPT_SPANS.
 * One that is open for longer than so many others, or has longer texts, is not there.
 */
#define ND_KEPT_SPANS	  128
#define ND_KEPT_SPAN_SIZE 256

struct nd_kept_span {
	uint64_t number;
	uint64_t size;
	union {
		struct nd_event_span span; /* as of ND_EVENT_SPAN_START */
		char room[ND_KEPT_SPAN_SIZE];
	};
};

/* Read the word at an address, a multiple of 8. False: it is not there. */
typedef bool nd_context_reader(const void *arg, uint64_t address, uint64_t *ret);

/*
 * The number of the span that the thread is in, 0 for none, by some 20 words. Async-signal-safe
 * where `read` is. A place that another process has written is checked by nothing: only `read`
 * keeps it from harm.
 */
uint64_t nd_context_find(const struct nd_context_place *place, nd_context_reader *read,
			 const void *arg);

/* Only by the AsyncContextFrame, and as the object has it: the lower bits of the number. */
uint64_t nd_context_find_short(const struct nd_context_place *place, nd_context_reader *read,
			       const void *arg);

#endif /* NODIAG_PROTO_CONTEXT_H */
