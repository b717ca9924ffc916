/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/trace/requests.h"
#include "common/err.h"
#include "common/set.h"
#include "proto/recording.h"
#include "proto/span.h"

/* All zeros: of a span that was not found, or is not to be linked to. */
struct trace_id {
	uint8_t bytes[16];
};

struct nd_recorded_links {
	struct nd_set spans;	   /* ids of those that are asked for */
	struct trace_id *trace_of; /* by their index */
};

static int ask(struct nd_recorded_links *links, const struct nd_profile *profile)
{
	size_t count, i;
	const struct nd_sample *samples = nd_profile_samples(profile, &count);
	uint32_t id;
	int ret = 0;

	links->spans.size = ND_SPAN_ID_SIZE;
	for (i = 0; i < count && !ret; i++)
		if (nd_span_id_is_set(samples[i].span_id))
			ret = nd_set_add(&links->spans, samples[i].span_id, UINT32_MAX, &id);
	if (ret)
		return ret;
	links->trace_of = calloc(links->spans.count + 1, sizeof(*links->trace_of));
	return links->trace_of ? 0 : -ENOMEM;
}

static void read_span(struct nd_recorded_links *links, const struct nd_event_span *span)
{
	uint32_t id;

	if (span->flags & (ND_SPAN_UNSAMPLED | ND_SPAN_OBSERVED) ||
	    !nd_set_find(&links->spans, span->span_id, &id))
		return;
	memcpy(&links->trace_of[id], span->trace_id, sizeof(links->trace_of[id]));
}

static int read_items(struct nd_recorded_links *links, struct nd_recording *recording)
{
	struct nd_item item;
	int ret;

	while ((ret = nd_recording_next(recording, &item)) > 0)
		if (item.kind == ND_ITEM_EVENT && (item.event->event.kind == ND_EVENT_SPAN_START ||
						   item.event->event.kind == ND_EVENT_SPAN))
			read_span(links, item.event->spanned.span);
	return ret;
}

int nd_recorded_links_new(const struct nd_profile *profile, const void *data, size_t len,
			  struct nd_recorded_links **ret_links, struct nd_err *err)
{
	struct nd_recorded_links *links;
	struct nd_recording *recording;
	int ret = nd_recording_open(data, len, &recording, err);

	if (ret)
		return ret;
	links = calloc(1, sizeof(*links));
	ret = links ? ask(links, profile) : -ENOMEM;
	if (!ret && links->spans.count)
		ret = read_items(links, recording);
	nd_recording_close(recording);
	if (ret) {
		nd_recorded_links_free(links);
		return nd_err_set_errno(err, ret, "cannot link samples to requests");
	}
	*ret_links = links;
	return 0;
}

void nd_recorded_links_free(struct nd_recorded_links *links)
{
	if (!links)
		return;
	nd_set_fini(&links->spans);
	free(links->trace_of);
	free(links);
}

const uint8_t *nd_recorded_links_find(const void *arg, const uint8_t *span_id)
{
	static const struct trace_id none;
	const struct nd_recorded_links *links = arg;
	uint32_t id;

	if (!nd_set_find(&links->spans, span_id, &id) ||
	    !memcmp(&links->trace_of[id], &none, sizeof(none)))
		return NULL;
	return links->trace_of[id].bytes;
}
