/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_REQUEST_H
#define NODIAG_ANALYZER_RENDER_REQUEST_H

/* The request that something else was for. */

#include <stddef.h>
#include <stdint.h>

struct nd_buf;
struct nd_collected;

/*
 * The value of "request" in JSON: an object of docs/format-json.md, or null without a `name`, which
 * is one of nd_trace_name().
 */
void nd_request_add_json(struct nd_buf *out, const char *name, const uint8_t *trace_id,
			 const uint8_t *span_id);

/* An id in hexadecimal. */
void nd_request_add_hex(struct nd_buf *out, const uint8_t *id, size_t size);

/* What the collector did, as a further member "collected": an object of docs/format-json.md. */
void nd_request_add_collected(struct nd_buf *out, const struct nd_collected *sum);

#endif /* NODIAG_ANALYZER_RENDER_REQUEST_H */
