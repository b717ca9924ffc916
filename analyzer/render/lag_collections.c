/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

#include "analyzer/lag/lag.h"
#include "analyzer/render/cell.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/lag_parts.h"
#include "analyzer/render/request.h"
#include "analyzer/render/terminal.h"
#include "analyzer/trace/collections.h"
#include "analyzer/trace/requests.h"
#include "common/buf.h"

#define DIM   "\033[2m"
#define RESET "\033[0m"

/* Routes in the table. */
#define ROUTES_SHOWN 10

/* What no request is charged with was allocated by requests all the same, nobody knows by which. */
static bool is_estimate(const struct nd_route_collected *route)
{
	return route->has_request && route->sum.samples >= ND_ALLOCATION_SAMPLES_MIN;
}

static void add_route(struct nd_buf *out, const struct nd_route_collected *route, uint64_t total_ns,
		      bool colour)
{
	const struct nd_collected *sum = &route->sum;

	nd_cell_add_amount(out, sum->count, NULL, 8);
	nd_cell_add_amount(out, sum->longest_ns, "nanoseconds", 10);
	nd_cell_add_amount(out, sum->total_ns, "nanoseconds", 10);
	nd_buf_addf(out, "%7.1f %%",
		    total_ns ? 100 * (double)sum->total_ns / (double)total_ns : 0.0);
	if (is_estimate(route))
		nd_cell_add_amount(out, sum->bytes, "bytes", 12);
	else
		nd_cell_add_spaces(out, 12);
	nd_buf_add_str(out, "  ");
	nd_terminal_add(out, route->name);
	if (route->has_request) {
		nd_buf_addf(out, "%s  longest in trace ", colour ? DIM : "");
		nd_request_add_hex(out, route->trace_id, sizeof(route->trace_id));
		nd_buf_add_str(out, colour ? RESET : "");
	}
	nd_buf_add_char(out, '\n');
}

static void add_routes(struct nd_buf *out, const struct nd_route_collected *routes, size_t count,
		       bool colour)
{
	uint64_t pauses = 0, total_ns = 0, rest = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		pauses += routes[i].sum.count;
		total_ns += routes[i].sum.total_ns;
		rest += is_estimate(&routes[i]) ? 0 : routes[i].sum.bytes;
	}
	nd_buf_add_char(out, '\n');
	nd_cell_add_amount(out, pauses, NULL, 0);
	nd_buf_addf(out, " pause%s of the collector, by what the thread was working for\n",
		    pauses == 1 ? "" : "s");
	nd_buf_addf(out, "%s%8s%10s%10s%9s%12s  %s%s\n", colour ? DIM : "", "times", "longest",
		    "total", "share", "allocated", "request", colour ? RESET : "");
	for (i = 0; i < count && i < ROUTES_SHOWN; i++)
		add_route(out, &routes[i], total_ns, colour);
	if (i < count)
		nd_buf_addf(out, "     ... and %zu more\n", count - i);
	if (!rest)
		return;
	nd_cell_add_amount(out, rest, "bytes", 49);
	nd_buf_add_str(out,
		       "  by any of them: V8 mostly collects between callbacks, for no request\n");
}

int nd_render_lag_collections(struct nd_lag *lag, bool colour, struct nd_buf *out)
{
	const struct nd_route_collected *routes;
	size_t count;

	routes = nd_collections_list(nd_lag_collections(lag), &count);
	if (!routes)
		return -ENOMEM;
	if (count && !nd_requests_is_empty(nd_lag_requests(lag)))
		add_routes(out, routes, count, colour);
	return nd_buf_error(out);
}

static void add_route_json(struct nd_buf *out, const struct nd_route_collected *route)
{
	nd_json_add_field(out, "{\"name\":", route->name);
	nd_request_add_collected(out, &route->sum);
	nd_buf_add_str(out, ",\"longest\":");
	nd_request_add_json(out, route->has_request ? route->name : NULL, route->trace_id,
			    route->span_id);
	nd_buf_add_char(out, '}');
}

int nd_render_lag_collections_json(struct nd_lag *lag, struct nd_buf *out)
{
	const struct nd_route_collected *routes;
	size_t count, i;

	if (nd_requests_is_empty(nd_lag_requests(lag))) {
		nd_buf_add_str(out, "null");
		return nd_buf_error(out);
	}
	routes = nd_collections_list(nd_lag_collections(lag), &count);
	if (!routes)
		return -ENOMEM;
	nd_buf_add_char(out, '[');
	for (i = 0; i < count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_route_json(out, &routes[i]);
	}
	nd_buf_add_char(out, ']');
	return nd_buf_error(out);
}
