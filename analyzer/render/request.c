/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/render/json_text.h"
#include "analyzer/trace/allocation.h"
#include "analyzer/trace/route.h"
#include "common/buf.h"

void nd_request_add_hex(struct nd_buf *out, const uint8_t *id, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		nd_buf_addf(out, "%02x", id[i]);
}

void nd_request_add_json(struct nd_buf *out, const char *name, const uint8_t *trace_id,
			 const uint8_t *span_id)
{
	char method[ND_ROUTE_NAME_MAX];
	const char *route;

	if (!name) {
		nd_buf_add_str(out, "null");
		return;
	}
	route = strchr(name, ' ');
	route = route ? route + 1 : name;
	snprintf(method, sizeof(method), "%.*s", (int)(route > name ? route - name - 1 : 0), name);
	nd_buf_add_str(out, "{\"method\":");
	nd_json_add_string(out, method);
	nd_buf_add_str(out, ",\"route\":");
	nd_json_add_string(out, route);
	nd_buf_add_str(out, ",\"trace_id\":\"");
	nd_request_add_hex(out, trace_id, 16);
	nd_buf_add_str(out, "\",\"span_id\":\"");
	nd_request_add_hex(out, span_id, 8);
	nd_buf_add_str(out, "\"}");
}

void nd_request_add_collected(struct nd_buf *out, const struct nd_collected *sum)
{
	nd_buf_addf(out, ",\"collected\":{\"count\":%" PRIu64 ",\"time_ns\":%" PRIu64, sum->count,
		    sum->total_ns);
	nd_buf_addf(out, ",\"longest_ns\":%" PRIu64 ",\"samples\":%" PRIu64, sum->longest_ns,
		    sum->samples);
	nd_buf_addf(out, ",\"allocated_bytes\":%" PRIu64 "}", sum->bytes);
}
