/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_TESTS_SPAN_BUILD_H
#define NODIAG_TESTS_SPAN_BUILD_H

/* Spans made by hand, whose ids are small numbers. After cmocka.h. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/trace/requests.h"
#include "proto/span.h"

struct known {
	uint32_t kind; /* enum nd_event_kind */
	uint32_t id;
	uint32_t parent;
	uint8_t span_kind;
	const char *route;
	const char *path;
};

static inline void make_id(uint32_t number, uint8_t ret_id[ND_SPAN_ID_SIZE])
{
	memset(ret_id, 0, ND_SPAN_ID_SIZE);
	memcpy(ret_id, &number, sizeof(number));
}

static inline struct nd_event_span *make_span(const struct known *known)
{
	const char *const texts[ND_SPAN_TEXTS] = {
		"GET", known->route ? known->route : "", known->path ? known->path : "/", "", "",
		""};
	struct nd_event_span *span = calloc(1, nd_span_size(texts));

	assert_non_null(span);
	span->event = (struct nd_event){known->kind, 7, 1000};
	span->start_ns = 500;
	span->kind = known->span_kind ? known->span_kind : ND_SPAN_SERVER;
	make_id(known->id, span->span_id);
	make_id(known->parent, span->parent_id);
	span->trace_id[0] = (uint8_t)known->id;
	nd_span_set_texts(span, texts);
	return span;
}

static inline void tell(struct nd_requests *requests, struct known known)
{
	struct nd_event_span *span = make_span(&known);

	assert_int_equal(nd_requests_add_event(requests, &span->event, nd_span_get_size(span)), 0);
	free(span);
}

#endif /* NODIAG_TESTS_SPAN_BUILD_H */
