/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_OTLP_H
#define NODIAG_PROTO_OTLP_H

/*
 * OTLP (opentelemetry-proto 1.11, proto/otlp.proto) as plain C structures: metrics, spans, and the
 * answers of a collector. Profiles are in proto/otlp_profile.h. Nothing of protobuf-c shows.
 *
 * A request is one envelope, the same for every signal, around items: metrics, spans or profiles.
 * Items are encoded one after the other into a buffer; when there are enough,
 * nd_otlp_encode_request() puts the envelope around them.
 *
 * Strings must be UTF-8; NULL stands for "". Encoding adds to a buffer: 0, -ENOMEM or the buffer's
 * error, after which its content is undefined.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nd_buf;

enum nd_otlp_signal { ND_OTLP_METRICS, ND_OTLP_PROFILES, ND_OTLP_TRACES, ND_OTLP_SIGNALS };

/* Attributes of one thing that are sent; those beyond are counted. The specification's default. */
#define ND_OTLP_ATTRIBUTES_MAX 128

enum nd_otlp_type { ND_OTLP_STRING, ND_OTLP_INTEGER, ND_OTLP_DOUBLE, ND_OTLP_BOOL };

struct nd_otlp_attribute {
	const char *key;
	enum nd_otlp_type type;
	union {
		const char *string;
		int64_t integer;
		double number;
		bool yes;
	};
};

struct nd_otlp_attributes {
	const struct nd_otlp_attribute *list;
	size_t count;
};

/* Counters and histograms are cumulative: all since `start_unix_ns`. */
enum nd_otlp_metric_kind {
	ND_OTLP_GAUGE,
	ND_OTLP_COUNTER,	 /* a sum that only grows */
	ND_OTLP_UP_DOWN_COUNTER, /* a sum that does not */
	ND_OTLP_HISTOGRAM,
	ND_OTLP_EXPONENTIAL_HISTOGRAM,
};

/* Of a metric, what belongs to one set of attributes. */
struct nd_otlp_point {
	struct nd_otlp_attributes attributes;
	uint64_t start_unix_ns; /* 0 for gauges */
	uint64_t time_unix_ns;
	union {
		struct {
			bool is_integer;
			union {
				int64_t integer;
				double number;
			};
		};
		/* Histograms; `max` and buckets as the kind wants them. */
		struct {
			uint64_t count;
			double sum;
			double max;
			const uint64_t *buckets;
			size_t bucket_count;
			const double *bounds; /* upper ones: one less than there are buckets */
			int32_t scale;	      /* exponential: a bucket is from b^i to b^(i + 1), */
			int32_t offset;	      /* b is 2^(2^-scale), i begins at `offset` */
			uint64_t zero_count;
		};
	};
};

struct nd_otlp_metric {
	const char *name;
	const char *description;
	const char *unit; /* UCUM: "s", "By", "{thread}" */
	enum nd_otlp_metric_kind kind;
	const struct nd_otlp_point *points;
	size_t point_count;
};

enum nd_otlp_span_kind { /* numbers of the protocol */
			 ND_OTLP_SPAN_INTERNAL = 1,
			 ND_OTLP_SPAN_SERVER,
			 ND_OTLP_SPAN_CLIENT,
			 ND_OTLP_SPAN_PRODUCER,
			 ND_OTLP_SPAN_CONSUMER,
};

enum nd_otlp_status { ND_OTLP_STATUS_UNSET, ND_OTLP_STATUS_OK, ND_OTLP_STATUS_ERROR };

/* Besides W3C's trace flags: whether the parent is of another process, and that this is known. */
#define ND_OTLP_SPAN_HAS_IS_REMOTE 0x100u
#define ND_OTLP_SPAN_IS_REMOTE	   0x200u

struct nd_otlp_span_event {
	uint64_t time_unix_ns;
	const char *name;
	struct nd_otlp_attributes attributes;
};

struct nd_otlp_span {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t parent_span_id[8]; /* all zeros: there is none */
	const char *trace_state;
	uint32_t flags; /* W3C's in the low byte, and ND_OTLP_SPAN_... */
	const char *name;
	enum nd_otlp_span_kind kind;
	uint64_t start_unix_ns;
	uint64_t end_unix_ns;
	struct nd_otlp_attributes attributes;
	const struct nd_otlp_span_event *events;
	size_t event_count;
	enum nd_otlp_status status;
	const char *status_message; /* of ND_OTLP_STATUS_ERROR */
};

/* Each adds one item. */
int nd_otlp_encode_metric(const struct nd_otlp_metric *metric, struct nd_buf *items);
int nd_otlp_encode_span(const struct nd_otlp_span *span, struct nd_buf *items);

/* What sends: the resource of a request, to be encoded once and used for all. */
int nd_otlp_encode_resource(const struct nd_otlp_attributes *attributes, struct nd_buf *out);

/* Such a resource as the message ProcessContext of OTEP 4719, and nothing besides. */
int nd_otlp_encode_process_context(const struct nd_buf *resource, struct nd_buf *out);

/* What is around items. */
struct nd_otlp_envelope {
	const struct nd_buf *resource;
	const char *scope; /* of the instrumentation: who measured */
	const char *scope_version;
	const struct nd_buf *items;
	const struct nd_buf *dictionary; /* of profiles, or NULL */
};

/* The semantic conventions whose names nodiag uses. */
#define ND_OTLP_SCHEMA_URL "https://opentelemetry.io/schemas/1.44.0"

int nd_otlp_encode_request(const struct nd_otlp_envelope *envelope, struct nd_buf *out);

/* What an answer says. */
struct nd_otlp_answer {
	int64_t rejected;  /* items of the request that were not taken; 0 in errors */
	char message[256]; /* why, or a warning, or what was wrong; "" when nothing was said */
};

/*
 * The body of a success, and that of an error. What it says goes to `ret_answer`; an empty body is
 * fine and says nothing. -EBADMSG when it is no such message, -ENOMEM.
 */
int nd_otlp_decode_response(const void *data, size_t len, struct nd_otlp_answer *ret_answer);
int nd_otlp_decode_status(const void *data, size_t len, struct nd_otlp_answer *ret_answer);

/*
 * How long gRPC's google.rpc.Status asks to wait, in whole seconds, rounded up. -ENOENT when it
 * does not ask, -EBADMSG when it is no such message.
 */
int nd_otlp_decode_retry_info(const void *data, size_t len, uint64_t *ret_seconds);

#endif /* NODIAG_PROTO_OTLP_H */
