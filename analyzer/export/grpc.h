/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_GRPC_H
#define NODIAG_ANALYZER_EXPORT_GRPC_H

/*
 * What gRPC puts around a message and what it answers ("gRPC over HTTP2", 1.81). Does no I/O.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/export/retry.h"

struct nd_buf;

/* Append the message with what is before it; `packed` says what it is. 0, or out's error. */
int nd_grpc_frame(const void *message, size_t len, bool packed, struct nd_buf *out);

/* The message in a body; NULL when it is not one whole message that is not packed. */
const void *nd_grpc_unframe(const void *body, size_t len, size_t *ret_len);

/* Fields of an answer's trailers as they came, "" when they did not. */
struct nd_grpc_trailers {
	char status[8];
	char message[512];
	char details[1024];
};

struct nd_grpc_status {
	enum nd_verdict verdict; /* by the OTLP specification */
	int code;		 /* -1: there is none that can be read */
	char message[256];
	uint64_t pause_s; /* that was asked for, at most ND_RETRY_AFTER_MAX; 0: none */
};

/* Any bytes will do. */
void nd_grpc_decode_trailers(const struct nd_grpc_trailers *trailers,
			     struct nd_grpc_status *ret_status);

#endif /* NODIAG_ANALYZER_EXPORT_GRPC_H */
