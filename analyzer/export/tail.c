/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/tail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "proto/limits.h"
#include "proto/span.h"

/* A trace id ends with so many bits that are random (W3C Trace Context, level 2). */
#define RANDOM_BITS 56

#define ID_SIZE sizeof(((struct nd_event_span *)NULL)->trace_id)

/* A span that waits. */
struct waiting_span {
	struct waiting_span *next;
	size_t size;
	uint64_t room[]; /* of a struct nd_event_span with its texts */
};

/* A trace about which nothing is decided yet. Tables have the oldest first. */
struct waiting {
	UT_hash_handle hh;
	uint8_t trace_id[ID_SIZE];
	uint64_t start_ns; /* of what was seen of it first */
	uint32_t open;	   /* spans that go on */
	struct waiting_span *first;
	struct waiting_span **end;
};

struct decided {
	UT_hash_handle hh;
	uint8_t trace_id[ID_SIZE];
	bool is_kept;
};

struct nd_tail {
	struct nd_tail_rules rules;
	uint64_t rejected; /* of all values that the random bits can have, the lowest ones */
	int (*keep)(void *arg, const struct nd_event_span *span);
	void *arg;
	struct waiting *waiting;
	struct decided *decided;
	size_t bytes; /* of spans that wait */
	struct nd_tail_counts counts;
};

struct nd_tail *nd_tail_new(const struct nd_tail_rules *rules,
			    int (*keep)(void *arg, const struct nd_event_span *span), void *arg)
{
	const uint64_t all = UINT64_C(1) << RANDOM_BITS;
	struct nd_tail *tail = calloc(1, sizeof(*tail));

	if (!tail)
		return NULL;
	tail->rules = *rules;
	tail->rejected = rules->one_in ? all - all / rules->one_in : all;
	tail->keep = keep;
	tail->arg = arg;
	return tail;
}

static void forget_spans(struct nd_tail *tail, struct waiting *trace)
{
	struct waiting_span *span, *next;

	for (span = trace->first; span; span = next) {
		next = span->next;
		tail->bytes -= span->size;
		free(span);
	}
	trace->first = NULL;
}

static void forget_waiting(struct nd_tail *tail, struct waiting *trace)
{
	forget_spans(tail, trace);
	HASH_DEL(tail->waiting, trace);
	free(trace);
}

void nd_tail_free(struct nd_tail *tail)
{
	struct waiting *trace, *after;
	struct decided *decided, *next;

	if (!tail)
		return;
	/* uthash keeps its elements in a list too, which outlives the table. */
	trace = tail->waiting;
	HASH_CLEAR(hh, tail->waiting);
	for (; trace; trace = after) {
		after = trace->hh.next;
		forget_spans(tail, trace);
		free(trace);
	}
	decided = tail->decided;
	HASH_CLEAR(hh, tail->decided);
	for (; decided; decided = next) {
		next = decided->hh.next;
		free(decided);
	}
	free(tail);
}

/* By the same bits, and from the same end of them, as OpenTelemetry's samplers. */
static bool is_one_in(const struct nd_tail *tail, const uint8_t *trace_id)
{
	uint64_t random = 0;
	size_t i;

	for (i = ID_SIZE - RANDOM_BITS / 8; i < ID_SIZE; i++)
		random = random << 8 | trace_id[i];
	return random >= tail->rejected;
}

/* Whether a span that is over is reason enough to keep its trace. */
static bool is_wanted(const struct nd_tail *tail, const struct nd_event_span *span,
		      uint64_t start_ns)
{
	const struct nd_tail_rules *rules = &tail->rules;
	uint64_t from_ns = start_ns < span->start_ns ? start_ns : span->start_ns;

	return (rules->slow_ns && span->event.time_ns - from_ns >= rules->slow_ns) ||
	       (rules->errors && nd_span_is_error(span));
}

/* Room for another decision: that of the oldest, where there are too many. */
static struct decided *take_decided(struct nd_tail *tail)
{
	struct decided *oldest = tail->decided;

	if (HASH_COUNT(tail->decided) < ND_TAIL_DECIDED_MAX)
		return malloc(sizeof(*oldest));
	HASH_DEL(tail->decided, oldest);
	return oldest;
}

static int remember(struct nd_tail *tail, const uint8_t *trace_id, bool is_kept)
{
	struct decided *decided = take_decided(tail);

	if (!decided)
		return -ENOMEM;
	*decided = (struct decided){.is_kept = is_kept};
	memcpy(decided->trace_id, trace_id, ID_SIZE);
	HASH_ADD(hh, tail->decided, trace_id, ID_SIZE, decided);
	if (decided->hh.tbl)
		return 0;
	free(decided);
	return -ENOMEM;
}

/* The trace waits no longer. */
static int decide(struct nd_tail *tail, struct waiting *trace, bool is_kept)
{
	const struct waiting_span *span;
	int ret = remember(tail, trace->trace_id, is_kept);

	for (span = trace->first; span && is_kept && !ret; span = span->next)
		ret = tail->keep(tail->arg, (const void *)span->room);
	if (is_kept)
		tail->counts.kept++;
	else
		tail->counts.dropped++;
	forget_waiting(tail, trace);
	return ret;
}

/* There is no room or no time to wait for more; had a rule held, it would not be here. */
static int decide_early(struct nd_tail *tail, struct waiting *trace)
{
	if (trace->open)
		tail->counts.early++;
	return decide(tail, trace, false);
}

static struct waiting *new_waiting(struct nd_tail *tail, const struct nd_event_span *span)
{
	struct waiting *trace = calloc(1, sizeof(*trace));

	if (!trace)
		return NULL;
	memcpy(trace->trace_id, span->trace_id, ID_SIZE);
	trace->start_ns = span->start_ns;
	trace->end = &trace->first;
	HASH_ADD(hh, tail->waiting, trace_id, ID_SIZE, trace);
	if (trace->hh.tbl)
		return trace;
	free(trace);
	return NULL;
}

static int wait_with(struct nd_tail *tail, struct waiting *trace, const struct nd_event_span *span)
{
	size_t size = nd_span_get_size(span);
	struct waiting_span *copy = malloc(sizeof(*copy) + size);

	if (!copy)
		return -ENOMEM;
	copy->next = NULL;
	copy->size = size;
	memcpy(copy->room, span, size);
	*trace->end = copy;
	trace->end = &copy->next;
	tail->bytes += size;
	return 0;
}

/* A span of a trace that waits, or of one that is new. */
static int add_waiting(struct nd_tail *tail, struct waiting *trace,
		       const struct nd_event_span *span)
{
	bool is_over = span->event.kind == ND_EVENT_SPAN;
	int ret;

	if (!trace)
		trace = new_waiting(tail, span);
	if (!trace)
		return -ENOMEM;
	if (!is_over) {
		trace->open++;
		return 0;
	}
	/* One that began before anybody looked has no beginning here. */
	trace->open -= trace->open > 0;
	ret = wait_with(tail, trace, span);
	return !ret && is_wanted(tail, span, trace->start_ns) ? decide(tail, trace, true) : ret;
}

/* A span of a trace about which is decided. */
static int add_decided(struct nd_tail *tail, struct decided *decided,
		       const struct nd_event_span *span)
{
	if (span->event.kind != ND_EVENT_SPAN)
		return 0;
	if (!decided->is_kept && is_wanted(tail, span, span->start_ns)) {
		decided->is_kept = true;
		tail->counts.dropped--;
		tail->counts.kept++;
	}
	return decided->is_kept ? tail->keep(tail->arg, span) : 0;
}

/* What is chosen by its id need not wait. */
static int add_chosen(struct nd_tail *tail, const struct nd_event_span *span)
{
	int ret = remember(tail, span->trace_id, true);

	tail->counts.kept++;
	return !ret && span->event.kind == ND_EVENT_SPAN ? tail->keep(tail->arg, span) : ret;
}

static int make_room(struct nd_tail *tail)
{
	int ret = 0;

	while (!ret && tail->waiting &&
	       (HASH_COUNT(tail->waiting) > ND_TAIL_TRACES_MAX || tail->bytes > ND_TAIL_BYTES_MAX))
		ret = decide_early(tail, tail->waiting);
	return ret;
}

int nd_tail_add(struct nd_tail *tail, const struct nd_event_span *span)
{
	struct decided *decided;
	struct waiting *trace;
	int ret;

	if (span->flags & (ND_SPAN_UNSAMPLED | ND_SPAN_OBSERVED))
		return 0;
	if (!nd_tail_is_set(&tail->rules))
		return span->event.kind == ND_EVENT_SPAN ? tail->keep(tail->arg, span) : 0;
	HASH_FIND(hh, tail->decided, span->trace_id, ID_SIZE, decided);
	if (decided)
		return add_decided(tail, decided, span);
	if (is_one_in(tail, span->trace_id))
		return add_chosen(tail, span);
	HASH_FIND(hh, tail->waiting, span->trace_id, ID_SIZE, trace);
	ret = add_waiting(tail, trace, span);
	return ret ? ret : make_room(tail);
}

/* What goes on is as slow as that by now. */
static bool is_slow(const struct nd_tail *tail, const struct waiting *trace, uint64_t now_ns)
{
	return tail->rules.slow_ns && trace->open && now_ns > trace->start_ns &&
	       now_ns - trace->start_ns >= tail->rules.slow_ns;
}

int nd_tail_settle(struct nd_tail *tail, uint64_t now_ns)
{
	struct waiting *trace, *next;
	int ret = 0;

	for (trace = tail->waiting; trace; trace = next) {
		next = trace->hh.next;
		if (!trace->open)
			ret = decide(tail, trace, false);
		else if (is_slow(tail, trace, now_ns))
			ret = decide(tail, trace, true);
		else if (now_ns > trace->start_ns + ND_TAIL_WAIT_NS)
			ret = decide_early(tail, trace);
		if (ret)
			return ret;
	}
	return 0;
}

int nd_tail_finish(struct nd_tail *tail)
{
	int ret = 0;

	while (!ret && tail->waiting)
		ret = decide(tail, tail->waiting, tail->waiting->open > 0);
	return ret;
}

void nd_tail_get_counts(const struct nd_tail *tail, struct nd_tail_counts *ret_counts)
{
	*ret_counts = tail->counts;
}
