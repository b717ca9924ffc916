/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/record_sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/procfs.h"
#include "proto/call.h"
#include "proto/limits.h"
#include "proto/recorder.h"

/* The thread that has an index now. */
struct record_slot {
	struct nd_channel_slot *counters; /* NULL: there has been none */
	bool is_new;			  /* they were set since the last flush */
	bool is_over;			  /* it has ended, and its last counters are recorded */
};

int record_sink_init(struct record_sink *sink, struct nd_recorder *recorder)
{
	*sink = (struct record_sink){
		.recorder = recorder,
		.slots = calloc(ND_CHANNEL_SLOTS_MAX, sizeof(struct record_slot)),
	};
	return sink->slots ? 0 : -ENOMEM;
}

void record_sink_fini(struct record_sink *sink)
{
	uint32_t i;

	for (i = 0; i < sink->slots_used; i++)
		free(sink->slots[i].counters);
	free(sink->slots);
	sink->slots = NULL;
	sink->slots_used = 0;
}

int record_sink_add_sample(struct record_sink *sink, const struct nd_stack *stack)
{
	char comm[32] = "";
	int ret = 0;

	if (!nd_recorder_has_thread(sink->recorder, stack->pid, stack->tid)) {
		if (nd_procfs_read_comm((pid_t)stack->pid, (pid_t)stack->tid, comm, sizeof(comm)))
			comm[0] = '\0';
		ret = nd_recorder_add_thread(sink->recorder, stack->pid, stack->tid, comm);
	}
	return ret ? ret : nd_recorder_add_sample(sink->recorder, stack);
}

static int flush_slot(struct record_sink *sink, uint32_t index)
{
	struct record_slot *slot = &sink->slots[index];

	if (!slot->is_new)
		return 0;
	slot->is_new = false;
	slot->is_over = slot->counters->state != ND_SLOT_LIVE;
	return nd_recorder_add_counters(sink->recorder, index, slot->counters, false);
}

int record_sink_flush(struct record_sink *sink)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; i < sink->slots_used && !ret; i++)
		ret = flush_slot(sink, i);
	return ret;
}

static void set_known(void *impl, uint32_t known)
{
	struct record_sink *sink = impl;

	sink->known = known;
}

static int add_event(void *impl, const struct nd_event *event, size_t size)
{
	struct record_sink *sink = impl;

	return nd_recorder_add_event(sink->recorder, event, size);
}

static int add_stack(void *impl, const struct nd_event_sample *sample, const uint8_t *span_id,
		     const struct nd_call *calls, size_t depth)
{
	struct record_sink *sink = impl;

	return nd_recorder_add_named(sink->recorder, sample, span_id, calls, depth);
}

static int add_sample(void *impl, const struct nd_event_sample *sample, const uint8_t *span_id,
		      const struct nd_call *calls, size_t depth)
{
	struct record_sink *sink = impl;
	struct nd_stack stack = {
		.calls = calls,
		.depth = depth,
		.weight = sink->period_ns,
		.count = 1,
		.time_ns = sample->event.time_ns,
		.pid = sink->pid,
		.tid = sample->event.tid,
	};

	if (span_id)
		memcpy(stack.span_id, span_id, sizeof(stack.span_id));
	sink->cpu_samples++;
	return record_sink_add_sample(sink, &stack);
}

/* Another thread has the index now: what the one before had last is all that there will be of it.
 */
static int begin_slot(struct record_sink *sink, const struct lag_counters *counters)
{
	struct record_slot *slot = &sink->slots[counters->index];
	int ret = flush_slot(sink, counters->index);

	if (ret)
		return ret;
	if (!slot->counters)
		slot->counters = malloc(sizeof(*slot->counters));
	if (!slot->counters)
		return -ENOMEM;
	slot->is_over = false;
	if (sink->slots_used <= counters->index)
		sink->slots_used = counters->index + 1;
	if (!counters->first->start_ns)
		return 0;
	return nd_recorder_add_counters(sink->recorder, counters->index, counters->first, true);
}

static int set_counters(void *impl, const struct lag_counters *counters)
{
	const struct nd_channel_slot *now = counters->now;
	struct record_sink *sink = impl;
	struct record_slot *slot;
	int ret = 0;

	if (counters->index >= ND_CHANNEL_SLOTS_MAX)
		return 0;
	slot = &sink->slots[counters->index];
	if (!slot->counters || slot->counters->generation != now->generation)
		ret = begin_slot(sink, counters);
	if (ret || slot->is_over)
		return ret;
	*slot->counters = *now;
	slot->is_new = true;
	return 0;
}

struct lag_sink record_sink_face(struct record_sink *sink)
{
	static const struct lag_sink_ops ops = {
		.set_known = set_known,
		.add_event = add_event,
		.add_stack = add_stack,
		.add_sample = add_sample,
		.set_counters = set_counters,
	};

	return (struct lag_sink){&ops, sink};
}
