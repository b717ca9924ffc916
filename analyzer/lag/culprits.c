/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/culprits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "common/array.h"
#include "proto/limits.h"

void nd_culprit_describe(const struct nd_stall *stall, const struct nd_stall_stack *stack,
			 struct nd_culprit *ret)
{
	*ret = (struct nd_culprit){
		.kind = nd_stall_find_kind(stall),
		.phase = nd_stall_find_phase(stall),
		.tid = stall->event.event.tid,
		.syscall = stack ? -1 : stall->syscall,
	};
	nd_stall_find_span(stall, ret->span_id);
	if (!stack)
		return;
	ret->has_frame = stack->has_frame;
	ret->frame = stack->frame;
	ret->line = stack->line;
	ret->column = stack->column;
	ret->has_entry = stack->has_entry;
	ret->entry = stack->entry;
	ret->queue = stack->queue;
	/* What a function that is busy itself calls in passing is nobody's fault. */
	if (ret->kind == ND_STALL_JS || ret->kind == ND_STALL_DESCHEDULED)
		return;
	ret->has_callee = stack->has_callee;
	ret->callee = stack->callee;
}

static bool is_same(const struct nd_culprit *a, const struct nd_culprit *b)
{
	return a->kind == b->kind && a->has_frame == b->has_frame && a->frame == b->frame &&
	       a->has_callee == b->has_callee && a->callee == b->callee &&
	       a->syscall == b->syscall && a->queue == b->queue && a->has_entry == b->has_entry &&
	       a->entry == b->entry;
}

/* 0 with NULL where there is no place for it. */
static int find(struct nd_culprits *culprits, const struct nd_culprit *like,
		struct nd_culprit **ret_culprit)
{
	struct nd_culprit *grown;
	size_t i;

	for (i = 0; i < culprits->count && !is_same(&culprits->list[i], like);)
		i++;
	if (i == ND_LAG_CULPRITS_MAX) {
		*ret_culprit = NULL;
		return 0;
	}
	if (i == culprits->count) {
		grown = nd_array_grow(culprits->list, culprits->count, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		culprits->list = grown;
		culprits->list[culprits->count++] = *like;
	}
	*ret_culprit = &culprits->list[i];
	return 0;
}

static int keep_stack(struct nd_culprit *culprit, const struct nd_stall_stack *stack)
{
	struct nd_call *calls = malloc(stack->depth * sizeof(*calls));

	if (!calls)
		return -ENOMEM;
	memcpy(calls, stack->calls, stack->depth * sizeof(*calls));
	free(culprit->calls);
	culprit->calls = calls;
	culprit->depth = stack->depth;
	return 0;
}

int nd_culprits_charge(struct nd_culprits *culprits, const struct nd_culprit *like,
		       const struct nd_stall *stall, const struct nd_stall_stack *stack)
{
	uint64_t took = stall->event.event.time_ns - stall->event.start_ns;
	struct nd_culprit *culprit = NULL;
	int ret = find(culprits, like, &culprit);

	if (ret)
		return ret;
	if (!culprit) {
		culprits->left_out++;
		return 0;
	}
	culprit->count++;
	culprit->total_ns += took;
	culprit->going_on += stall->going_on;
	if (took < culprit->longest_ns)
		return 0;
	culprit->longest_ns = took;
	culprit->line = like->line;
	culprit->column = like->column;
	culprit->phase = like->phase;
	memcpy(culprit->span_id, like->span_id, ND_SPAN_ID_SIZE);
	return stack ? keep_stack(culprit, stack) : 0;
}

static int compare(const void *a, const void *b)
{
	const struct nd_culprit *x = a, *y = b;

	return x->total_ns < y->total_ns ? 1 : x->total_ns > y->total_ns ? -1 : 0;
}

const struct nd_culprit *nd_culprits_sort(struct nd_culprits *culprits)
{
	if (culprits->count)
		qsort(culprits->list, culprits->count, sizeof(*culprits->list), compare);
	return culprits->list;
}

void nd_culprits_fini(struct nd_culprits *culprits)
{
	size_t i;

	for (i = 0; i < culprits->count; i++)
		free(culprits->list[i].calls);
	free(culprits->list);
}
