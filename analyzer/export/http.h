/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_HTTP_H
#define NODIAG_ANALYZER_EXPORT_HTTP_H

/*
 * Requests of HTTP that do not wait for each other, nor the caller for them. The only place that
 * knows libcurl. Connections are kept for the next request. Not thread-safe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/export/grpc.h"
#include "common/buf.h"

struct nd_export_target;
struct nd_http;
struct nd_http_call;

/* How a request ended. */
struct nd_http_answer {
	long status;	       /* of HTTP; 0: there was no answer */
	bool is_final;	       /* without an answer: trying again would change nothing */
	char error[256];       /* without an answer: why */
	char retry_after[64];  /* the header, or "" */
	char date[64];	       /* the same */
	char content_type[64]; /* likewise */
	struct nd_grpc_trailers trailers;
	struct nd_buf body;
};

/* NULL when out of memory. `user_agent` is copied. */
struct nd_http *nd_http_new(const char *user_agent);
void nd_http_free(struct nd_http *http);

/* A place to send from, one request after the other. NULL when out of memory. Free it first. */
struct nd_http_call *nd_http_call_new(struct nd_http *http);
void nd_http_call_free(struct nd_http_call *call);

/*
 * Post `body`, which must stay until the end, to the target, packed as that wants it. For
 * gRPC it is to be framed already. Any failure is in the answer, but -ENOMEM.
 */
int nd_http_post(struct nd_http_call *call, const struct nd_export_target *target, const void *body,
		 size_t len);

/* Go on with all calls, and wait at most so long for something to happen on one. */
void nd_http_work(struct nd_http *http, unsigned int wait_ms);

/* Whether a request is under way, and the answer of one that ended, until the next post. */
bool nd_http_is_busy(const struct nd_http_call *call);
const struct nd_http_answer *nd_http_get_answer(const struct nd_http_call *call);

#endif /* NODIAG_ANALYZER_EXPORT_HTTP_H */
