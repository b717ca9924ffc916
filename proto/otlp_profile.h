/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_OTLP_PROFILE_H
#define NODIAG_PROTO_OTLP_PROFILE_H

/*
 * Profiles of OTLP (v1development, opentelemetry-proto 1.11): samples name their stacks by numbers,
 * which the dictionary of the same request explains. Goes with proto/otlp.h.
 *
 * What is added to a dictionary twice has the same index both times; index 0 of each table stands
 * for nothing, as the protocol wants it. Functions that return int give 0 or -ENOMEM, or what the
 * dictionary's buffer says.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_buf;
struct nd_otlp_dictionary;

/* At most `max` bytes. NULL when out of memory. */
struct nd_otlp_dictionary *nd_otlp_dictionary_new(size_t max);
void nd_otlp_dictionary_free(struct nd_otlp_dictionary *dictionary);

/* All of it so far, for the envelope. */
const struct nd_buf *nd_otlp_dictionary_get(const struct nd_otlp_dictionary *dictionary);

int nd_otlp_dictionary_add_string(struct nd_otlp_dictionary *dictionary, const char *str,
				  uint32_t *ret_index);

/* An attribute: a string, or a number where that is NULL. */
int nd_otlp_dictionary_add_attribute(struct nd_otlp_dictionary *dictionary, const char *key,
				     const char *str, int64_t number, uint32_t *ret_index);

/* What native code comes from. "" is no mapping. */
int nd_otlp_dictionary_add_mapping(struct nd_otlp_dictionary *dictionary, const char *file,
				   uint32_t *ret_index);

int nd_otlp_dictionary_add_function(struct nd_otlp_dictionary *dictionary, const char *name,
				    const char *file, uint32_t start_line, uint32_t *ret_index);

/* A place in a function. All of it are indexes but the line; no padding. */
struct nd_otlp_location {
	uint32_t mapping;
	uint32_t function;
	uint32_t line;	    /* being executed, from 1; 0 unknown */
	uint32_t attribute; /* 0: none */
};

int nd_otlp_dictionary_add_location(struct nd_otlp_dictionary *dictionary,
				    const struct nd_otlp_location *location, uint32_t *ret_index);

/* A stack of locations, the innermost first. The caller knows which it added before. */
int nd_otlp_dictionary_add_stack(struct nd_otlp_dictionary *dictionary, const uint32_t *locations,
				 size_t depth, uint32_t *ret_index);

/* The span that samples belong to. No padding. */
struct nd_otlp_link {
	uint8_t trace_id[16];
	uint8_t span_id[8];
};

int nd_otlp_dictionary_add_link(struct nd_otlp_dictionary *dictionary,
				const struct nd_otlp_link *link, uint32_t *ret_index);

/* Samples of one stack, attribute and link. */
struct nd_otlp_sample {
	uint32_t stack;
	uint32_t link;	    /* 0: none */
	uint32_t attribute; /* 0: none */
	const int64_t *values;
	const uint64_t *times_unix_ns; /* as many; NULL: there is one value, the sum */
	size_t count;
};

/* Adds to what nd_otlp_encode_profile() takes. */
int nd_otlp_encode_sample(const struct nd_otlp_sample *sample, struct nd_buf *samples);

/* The rest of a profile. The strings are of the dictionary. */
struct nd_otlp_profile {
	uint32_t type;
	uint32_t unit;
	uint64_t start_unix_ns;
	uint64_t duration_ns;
	int64_t period; /* in the unit; 0 unknown */
	uint8_t id[16]; /* random */
};

/* Adds one item of a request. */
int nd_otlp_encode_profile(const struct nd_otlp_profile *profile, const struct nd_buf *samples,
			   struct nd_buf *items);

#endif /* NODIAG_PROTO_OTLP_PROFILE_H */
