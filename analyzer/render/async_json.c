/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/async.h"

#include <errno.h>
#include <inttypes.h>

#include "analyzer/render/json_text.h"
#include "analyzer/render/lag_parts.h"
#include "common/buf.h"

/* Words for good; a newer agent may have more. */
static const char *const reasons[ND_ASYNC_REASON_COUNT] = {NULL, "failed", "no_modules", "hidden",
							   "no_memory"};

static void add_threads(const struct nd_async *async, struct nd_buf *out)
{
	const struct nd_async_thread *threads;
	size_t count, i;

	threads = nd_async_threads(async, &count);
	nd_buf_add_str(out, "\"threads\":[");
	for (i = 0; i < count; i++) {
		nd_buf_addf(out, "%s{\"tid\":%" PRIu32 ",\"missing\":", i ? "," : "",
			    threads[i].tid);
		nd_json_add_string(out, threads[i].reason < ND_ASYNC_REASON_COUNT
						? reasons[threads[i].reason]
						: "unknown");
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_char(out, ']');
}

static void add_sums(uint64_t created, uint64_t alive, uint64_t ended, uint64_t total_us,
		     struct nd_buf *out)
{
	nd_buf_addf(out,
		    ",\"created\":%" PRIu64 ",\"alive\":%" PRIu64 ",\"ended\":%" PRIu64
		    ",\"lifetime_ns\":{\"mean\":%" PRIu64,
		    created, alive, ended, ended ? total_us * 1000 / ended : 0);
}

static void add_site(const struct nd_async_site *site, struct nd_buf *out)
{
	nd_buf_add_str(out, "{\"function\":");
	nd_json_add_string(out, site->function);
	nd_buf_add_str(out, ",\"file\":");
	nd_json_add_string(out, site->file);
	nd_buf_addf(out, ",\"line\":%" PRIu32 ",\"column\":%" PRIu32, site->line, site->column);
	add_sums(site->created, site->alive, site->ended, site->total_us, out);
	nd_buf_addf(out, ",\"max\":%" PRIu64 "}}", site->max_us * 1000);
}

static void add_buckets(const struct nd_async_type *type, struct nd_buf *out)
{
	const char *separator = "";
	int i;

	nd_buf_add_str(out, ",\"buckets\":[");
	for (i = 0; i < ND_LIFETIME_BUCKETS; i++) {
		if (!type->lifetime[i])
			continue;
		nd_buf_addf(out, "%s[%" PRIu64 ",%" PRIu64 "]", separator,
			    nd_async_bucket_start(i) * 1000, type->lifetime[i]);
		separator = ",";
	}
	nd_buf_add_char(out, ']');
}

static void add_type(const struct nd_async_type *type, struct nd_buf *out)
{
	size_t i;

	nd_buf_add_str(out, "{\"type\":");
	nd_json_add_string(out, type->name);
	add_sums(type->created, type->alive, type->ended, type->total_us, out);
	nd_buf_addf(out, ",\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64,
		    nd_async_percentile(type, 0.5) * 1000, nd_async_percentile(type, 0.99) * 1000,
		    type->max_us * 1000);
	add_buckets(type, out);
	nd_buf_addf(out, "},\"estimated\":%s,\"sites\":[", type->is_estimated ? "true" : "false");
	for (i = 0; i < type->sites_count; i++) {
		nd_buf_add_str(out, i ? ",\n " : "\n ");
		add_site(&type->sites[i], out);
	}
	nd_buf_add_str(out, "]}");
}

int nd_render_async_json(struct nd_async *async, struct nd_buf *out)
{
	const struct nd_async_type *types;
	struct nd_async_losses losses;
	size_t count, i;

	nd_async_threads(async, &count);
	if (!count) {
		nd_buf_add_str(out, "null");
		return 0;
	}
	types = nd_async_types(async, &count);
	if (!types)
		return -ENOMEM;
	nd_async_get_losses(async, &losses);
	nd_buf_add_char(out, '{');
	add_threads(async, out);
	nd_buf_addf(out,
		    ",\"losses\":{\"resources\":%" PRIu64 ",\"sites\":%" PRIu64
		    ",\"types\":%" PRIu64 ",\"left_out\":%" PRIu64 "},\n\"types\":[",
		    losses.resources, losses.sites, losses.types, losses.left_out);
	for (i = 0; i < count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_type(&types[i], out);
	}
	nd_buf_add_str(out, "]}");
	return 0;
}
