/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/stacks/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/stacks/role.h"
#include "common/array.h"
#include "proto/span.h"

void nd_stacks_init(struct nd_stacks *stacks, const struct nd_profile *profile)
{
	*stacks = (struct nd_stacks){.profile = profile};
}

static void fini_process(struct nd_process_stacks *process)
{
	size_t i;

	for (i = 0; i < process->count; i++) {
		free(process->threads[i].calls);
		free((void *)process->threads[i].request);
	}
	free(process->threads);
}

void nd_stacks_fini(struct nd_stacks *stacks)
{
	size_t i;

	for (i = 0; i < stacks->count; i++)
		fini_process(&stacks->processes[i]);
	free(stacks->processes);
	*stacks = (struct nd_stacks){0};
}

struct nd_process_stacks *nd_stacks_add_process(struct nd_stacks *stacks, pid_t pid)
{
	struct nd_process_stacks *grown =
		nd_array_grow(stacks->processes, stacks->count, sizeof(*stacks->processes));

	if (!grown)
		return NULL;
	stacks->processes = grown;
	grown[stacks->count] = (struct nd_process_stacks){.pid = pid};
	return &grown[stacks->count++];
}

/* Copy a request, if there is one. */
static int copy_request(const struct nd_event_span **request)
{
	size_t size = *request ? nd_span_get_size(*request) : 0;
	void *copy = size ? malloc(size) : NULL;

	if (size && !copy)
		return -ENOMEM;
	if (size)
		memcpy(copy, *request, size);
	*request = copy;
	return 0;
}

int nd_stacks_add_thread(struct nd_stacks *stacks, const struct nd_thread_stack *thread,
			 bool ran_js)
{
	struct nd_process_stacks *process = &stacks->processes[stacks->count - 1];
	struct nd_thread_stack *grown =
		nd_array_grow(process->threads, process->count, sizeof(*grown));
	struct nd_call *calls = calloc(thread->depth + 1, sizeof(*calls));
	const struct nd_event_span *request = thread->request;
	struct nd_thread_stack *added;

	if (grown)
		process->threads = grown;
	if (!grown || !calls || copy_request(&request)) {
		free(calls);
		return -ENOMEM;
	}
	if (thread->depth)
		memcpy(calls, thread->calls, thread->depth * sizeof(*calls));
	added = &grown[process->count++];
	*added = *thread;
	added->calls = calls;
	added->request = request;
	added->role = nd_thread_find_role(stacks->profile, process->pid, added, ran_js);
	added->work = nd_thread_find_work(stacks->profile, added);
	return 0;
}

const char *nd_thread_role_name(enum nd_thread_role role, bool several)
{
	static const char *const names[ND_ROLE_COUNT][2] = {
		[ND_ROLE_MAIN] = {"main thread", "main threads"},
		[ND_ROLE_WORKER] = {"worker", "workers"},
		[ND_ROLE_OTHER] = {"thread", "threads"},
		[ND_ROLE_POOL] = {"libuv pool thread", "libuv pool threads"},
		[ND_ROLE_V8] = {"V8 helper", "V8 helpers"},
		[ND_ROLE_V8_DELAYED] = {"V8 delayed tasks", "V8 delayed tasks"},
		[ND_ROLE_DEBUG_SIGNAL] = {"inspector's signal thread",
					  "inspector's signal threads"},
		[ND_ROLE_INSPECTOR] = {"inspector", "inspectors"},
		[ND_ROLE_IO_URING] = {"io_uring thread", "io_uring threads"},
	};

	return names[role][several];
}

static bool is_same_call(const struct nd_call *a, const struct nd_call *b)
{
	return a->frame == b->frame && a->line == b->line && a->column == b->column &&
	       a->tier == b->tier && a->inlined == b->inlined;
}

bool nd_thread_stack_is_like(const struct nd_thread_stack *a, const struct nd_thread_stack *b)
{
	size_t i;

	if (a->request || b->request || a->role != b->role || a->depth != b->depth ||
	    a->info.state != b->info.state || a->info.missing != b->info.missing ||
	    a->info.job_stopped != b->info.job_stopped || strcmp(a->info.comm, b->info.comm) != 0 ||
	    strcmp(a->info.syscall, b->info.syscall) != 0)
		return false;
	for (i = 0; i < a->depth; i++)
		if (!is_same_call(&a->calls[i], &b->calls[i]))
			return false;
	return true;
}
