/* SPDX-License-Identifier: Apache-2.0 */

/* How far a heap snapshot is while it is taken, and how long it will still take. */

#include <inttypes.h>
#include <stdlib.h>

#include "analyzer/heap/reader.h"
#include "cli/channel.h"
#include "cli/heap_taking.h"
#include "cli/term.h"
#include "common/clock.h"

#define PROGRESS_NS ND_NSEC_PER_SEC

/*
 * What comes behind looking at the objects: putting references in order, and writing. 0.5 to 1 us
 * for an object were measured, while looking took 2 to 3.
 */
#define REST_NS_PER_OBJECT UINT64_C(1000)

/* Node 18's. */
#define SLOW_V8 10

bool heap_taking_is_slow(const struct taking *taking)
{
	return strtol(channel_get_head(taking->channel)->v8_version, NULL, 10) <= SLOW_V8;
}

static double get_share_of_time(const struct taking *taking, uint32_t done, uint32_t total)
{
	double share = (double)done / total;

	return heap_taking_is_slow(taking) ? share * share : share;
}

static uint64_t get_left_s(uint64_t elapsed_ns, double share, uint64_t rest_ns)
{
	double left_ns = (double)elapsed_ns * (1 - share) / share + (double)rest_ns;

	return (uint64_t)(left_ns / ND_NSEC_PER_SEC) + 1;
}

static void show_looking(const struct taking *taking, uint64_t now, uint32_t done, uint32_t total)
{
	uint64_t rest_ns = total * REST_NS_PER_OBJECT;

	if (!done || done > total) {
		term_progress("V8 collects garbage first: %" PRIu64 " s",
			      (now - taking->start_ns) / ND_NSEC_PER_SEC);
		return;
	}
	term_progress("V8 looks at the objects: %.1f of %.1f million, about %" PRIu64 " s left",
		      done / 1e6, total / 1e6,
		      get_left_s(now - taking->looking_ns, get_share_of_time(taking, done, total),
				 rest_ns));
}

static void show_writing(const struct taking *taking, uint64_t now)
{
	double share = nd_heap_reader_get_share(taking->reader), mib = (double)taking->bytes;

	mib /= 1 << 20;
	if (share > 0)
		term_progress("writing: %.0f of about %.0f MiB, about %" PRIu64 " s left", mib,
			      mib / share, get_left_s(now - taking->writing_ns, share, 0));
	else
		term_progress("writing: %.0f MiB", mib);
}

void heap_taking_show_progress(struct taking *taking)
{
	uint64_t now = nd_clock_monotonic_ns();
	uint32_t done, total;

	channel_get_progress(taking->channel, &done, &total);
	if (!taking->looking_ns && done)
		taking->looking_ns = now;
	if (!taking->writing_ns && taking->bytes)
		taking->writing_ns = now;
	if (now - taking->shown_ns < PROGRESS_NS)
		return;
	taking->shown_ns = now;
	if (taking->bytes)
		show_writing(taking, now);
	else
		show_looking(taking, now, done, total);
}
