/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_SPANS_IMPL_H
#define NODIAG_ANALYZER_EXPORT_SPANS_IMPL_H

/* How the conventions word a request, for spans (spans.c) and for metrics (requests.c). */

#include <stddef.h>

struct nd_event_span;

/* The methods that the conventions name; others would be as many as people can think of. */
#define ND_SPAN_METHODS 10

/* The index of a method among them, ND_SPAN_METHODS for any other. */
size_t nd_span_find_method(const char *method);

/* http.request.method: the method, or "_OTHER". */
const char *nd_span_method_word(size_t method);

/* Room for a status, or a version. */
#define ND_SPAN_WORD 8

/* error.type, "" where nothing failed: the span's own text, or one that is made in `room`. */
const char *nd_span_error_type(const struct nd_event_span *span, char room[ND_SPAN_WORD]);

/* network.protocol.version, "" where it is not known. */
void nd_span_get_version(const struct nd_event_span *span, char room[ND_SPAN_WORD]);

#endif /* NODIAG_ANALYZER_EXPORT_SPANS_IMPL_H */
