/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_PPROF_H
#define NODIAG_PROTO_PPROF_H

/*
 * google/pprof's profile format (pprof.proto) as plain C structures, without the gzip around it.
 *
 * Strings are pointers here and indexes there; what a file names by id is named by its index in an
 * array here. Nothing of protobuf-c shows.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_buf;
struct nd_err;

/* Instead of an index: there is none. */
#define ND_PPROF_NONE UINT32_MAX

/* "cpu", "nanoseconds". */
struct nd_pprof_value_type {
	const char *type;
	const char *unit;
};

/* The words about a whole profile. Strings are never NULL after decoding. */
struct nd_pprof_header {
	const struct nd_pprof_value_type *sample_types; /* of each sample's values */
	size_t sample_type_count;
	const char *default_sample_type; /* the `type` to show; "" when the writer did not say */
	struct nd_pprof_value_type period_type;
	int64_t period;
	int64_t time_ns; /* wall clock at the start */
	int64_t duration_ns;
	const char *const *comments;
	size_t comment_count;
};

struct nd_pprof_function {
	const char *name;
	const char *file;
	uint32_t start_line; /* of the definition, from 1; 0 when unknown */
};

struct nd_pprof_line {
	uint32_t function; /* index, or ND_PPROF_NONE */
	uint32_t line;	   /* being executed, from 1; 0 when unknown */
	uint32_t column;
};

struct nd_pprof_location {
	uint32_t mapping;		   /* index, or ND_PPROF_NONE */
	uint64_t address;		   /* 0 when unknown */
	const struct nd_pprof_line *lines; /* inlined calls first, the innermost at [0] */
	size_t line_count;
};

/* A property of a sample: a string, or a number where `str` is NULL. */
struct nd_pprof_label {
	const char *key;
	const char *str;
	int64_t num;
};

struct nd_pprof_sample {
	const uint32_t *locations; /* indexes; [0] is the innermost */
	size_t depth;
	const int64_t *values; /* one for each sample type */
	const struct nd_pprof_label *labels;
	size_t label_count;
};

/*
 * Encoding: the header first, then the rest in any order, then the end. Mappings, functions and
 * locations get their indexes, from 0, in the order they are encoded. Bytes go straight to `out`,
 * so memory does not grow with the profile. Strings must be UTF-8: readers reject others.
 *
 * Each call returns 0, -ENOMEM or the error of `out`; after a failure only freeing makes sense.
 */
struct nd_pprof_encoder;

struct nd_pprof_encoder *nd_pprof_encoder_new(struct nd_buf *out);
void nd_pprof_encoder_free(struct nd_pprof_encoder *encoder);

int nd_pprof_encode_header(struct nd_pprof_encoder *encoder, const struct nd_pprof_header *header);

/* Of a mapping only the file's name; it says of itself that it needs no further symbols. */
int nd_pprof_encode_mapping(struct nd_pprof_encoder *encoder, const char *file);
int nd_pprof_encode_function(struct nd_pprof_encoder *encoder,
			     const struct nd_pprof_function *function);
int nd_pprof_encode_location(struct nd_pprof_encoder *encoder,
			     const struct nd_pprof_location *location);
int nd_pprof_encode_sample(struct nd_pprof_encoder *encoder, const struct nd_pprof_sample *sample);
int nd_pprof_encode_end(struct nd_pprof_encoder *encoder);

/* A decoded profile. Every index in it is below the count it points into, or ND_PPROF_NONE. */
struct nd_pprof {
	struct nd_pprof_header header; /* without comments: nobody asks for them */
	const char **mappings;	       /* file names */
	size_t mapping_count;
	struct nd_pprof_function *functions;
	size_t function_count;
	struct nd_pprof_location *locations;
	size_t location_count;
	struct nd_pprof_sample *samples; /* without labels, likewise */
	size_t sample_count;
	void *storage; /* what the rest points into */
};

/*
 * Decode a profile. -EBADMSG, with the place in `err`, when it is none or points nowhere; -E2BIG
 * when it needs more than ND_PPROF_MEMORY_MAX; -ENOMEM. Free it after success.
 */
int nd_pprof_decode(const void *data, size_t len, struct nd_pprof **ret_pprof, struct nd_err *err);
void nd_pprof_free(struct nd_pprof *pprof);

#endif /* NODIAG_PROTO_PPROF_H */
