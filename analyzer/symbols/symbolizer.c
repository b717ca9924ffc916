/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/symbolizer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/profile/profile.h"
#include "analyzer/symbols/calls.h"
#include "analyzer/symbols/memory.h"
#include "analyzer/symbols/module.h"
#include "analyzer/symbols/namer.h"
#include "analyzer/symbols/process.h"
#include "analyzer/symbols/runtime.h"
#include "analyzer/symbols/stack.h"
#include "analyzer/symbols/v8/v8.h"
#include "common/err.h"
#include "proto/limits.h"
#include "proto/sample.h"

struct process_entry {
	UT_hash_handle hh;
	pid_t pid;
	bool is_known; /* `process` could be looked at */
	struct nd_process process;
};

/* A thread; one that runs JavaScript is one isolate for as long as it lives. */
struct thread_key {
	uint64_t start_ns;
	pid_t pid;
	pid_t tid;
};

struct thread {
	UT_hash_handle hh;
	struct thread_key key;
	uint32_t isolate;
	uint32_t frame; /* its root frame; set when `threads` is */
	bool ran_js;
	struct nd_sample_stack *tail; /* the last, of ND_SAMPLE_TAIL_MAX */
};

struct nd_symbolizer {
	struct nd_symbolizer_options options;
	struct nd_modules *modules;
	struct process_entry *processes;
	struct thread *threads;
	struct nd_namer namer;
	struct nd_sample_cpu walked; /* for samples that are walked here, or on from a tail */
};

struct nd_symbolizer *nd_symbolizer_new(const struct nd_symbolizer_options *options)
{
	struct nd_symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->options = *options;
	s->modules = nd_modules_new(options->profile);
	s->namer.profile = options->profile;
	s->namer.modules = s->modules;
	s->namer.name_kernel = options->name_kernel;
	s->namer.arg = options->arg;
	if (!s->modules || nd_namer_init(&s->namer)) {
		nd_symbolizer_free(s);
		return NULL;
	}
	return s;
}

/* uthash keeps its elements in a list too, which outlives the table. */
static void free_processes(struct process_entry *entry)
{
	struct process_entry *next;

	for (; entry; entry = next) {
		next = entry->hh.next;
		nd_process_fini(&entry->process);
		free(entry);
	}
}

static void free_threads(struct thread *thread)
{
	struct thread *next;

	for (; thread; thread = next) {
		next = thread->hh.next;
		free(thread->tail);
		free(thread);
	}
}

void nd_symbolizer_free(struct nd_symbolizer *s)
{
	struct process_entry *processes;
	struct thread *threads;

	if (!s)
		return;
	processes = s->processes;
	threads = s->threads;
	HASH_CLEAR(hh, s->processes);
	HASH_CLEAR(hh, s->threads);
	free_processes(processes);
	free_threads(threads);
	nd_namer_fini(&s->namer);
	nd_modules_free(s->modules);
	free(s);
}

static struct process_entry *find_process(const struct nd_symbolizer *s, pid_t pid)
{
	struct process_entry *entry;

	HASH_FIND(hh, s->processes, &pid, sizeof(pid), entry);
	return entry;
}

/* As above, but only one that could be looked at. */
static struct nd_process *find_known(const struct nd_symbolizer *s, pid_t pid)
{
	struct process_entry *entry = find_process(s, pid);

	return entry && entry->is_known ? &entry->process : NULL;
}

bool nd_symbolizer_has_process(const struct nd_symbolizer *s, pid_t pid)
{
	return find_process(s, pid) != NULL;
}

/* The entry of a process, made when new. */
static struct process_entry *get_process(struct nd_symbolizer *s, pid_t pid)
{
	struct process_entry *entry = find_process(s, pid);

	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->pid = pid;
	HASH_ADD(hh, s->processes, pid, sizeof(entry->pid), entry);
	if (entry->hh.tbl)
		return entry;
	free(entry);
	return NULL;
}

int nd_symbolizer_add_process(struct nd_symbolizer *s, pid_t pid, struct nd_walk_layout *ret_walk,
			      struct nd_err *err)
{
	struct process_entry *entry = get_process(s, pid);
	int ret;

	if (!entry)
		return nd_err_set(err, -ENOMEM, "out of memory");
	nd_process_fini(&entry->process);
	ret = nd_process_init(&entry->process, pid, s->modules, s->options.profile,
			      s->options.source_maps, err);
	entry->is_known = !ret || ret == -ENOTSUP || ret == -ENOENT;
	if (entry->is_known)
		nd_process_get_walk(&entry->process, ret_walk);
	return ret;
}

void nd_symbolizer_get_walk(const struct nd_symbolizer *s, pid_t pid,
			    struct nd_walk_layout *ret_walk)
{
	const struct nd_process *process = find_known(s, pid);

	if (process)
		nd_process_get_walk(process, ret_walk);
	else
		*ret_walk = (struct nd_walk_layout){0};
}

static void name_thread(struct nd_symbolizer *s, struct thread *thread)
{
	char comm[32] = "";

	if (nd_procfs_read_comm(thread->key.pid, thread->key.tid, comm, sizeof(comm)))
		comm[0] = '\0';
	if (nd_profile_add_thread(s->options.profile, (uint32_t)thread->key.pid,
				  (uint32_t)thread->key.tid, comm, &thread->frame))
		thread->frame = s->namer.unknown_frame;
}

static struct thread *get_thread(struct nd_symbolizer *s, const struct nd_sample_header *header)
{
	struct thread_key key;
	struct thread *thread;

	memset(&key, 0, sizeof(key));
	key.start_ns = header->thread_start_ns;
	key.pid = (pid_t)header->pid;
	key.tid = (pid_t)header->tid;
	HASH_FIND(hh, s->threads, &key, sizeof(key), thread);
	if (thread)
		return thread;
	thread = calloc(1, sizeof(*thread));
	if (!thread)
		return NULL;
	thread->key = key;
	thread->isolate = HASH_COUNT(s->threads);
	if (s->options.threads)
		name_thread(s, thread);
	HASH_ADD(hh, s->threads, key, sizeof(thread->key), thread);
	if (!thread->hh.tbl) {
		free(thread);
		return NULL;
	}
	return thread;
}

static int add_stack(struct nd_symbolizer *s, const struct nd_sample_header *header,
		     struct thread *thread, uint64_t weight, uint64_t count)
{
	struct nd_stack stack = {
		.calls = s->namer.named.call,
		.weight = weight,
		.count = count,
		.time_ns = header->time_ns,
		.pid = header->pid,
		.tid = header->tid,
	};

	if (header->kind == ND_SAMPLE_STACK)
		memcpy(stack.span_id, ((const struct nd_sample_stack *)header)->span_id,
		       sizeof(stack.span_id));
	if (s->options.threads)
		nd_calls_add_frame(&s->namer.named, thread->frame);
	stack.depth = s->namer.named.depth;
	if (s->options.add_stack)
		return s->options.add_stack(s->options.stack_arg, &stack);
	return nd_profile_add_stack(s->options.profile, &stack);
}

/* Keep what comes before the sample that it belongs to. */
static int hold_tail(struct nd_symbolizer *s, const struct nd_sample_stack *tail)
{
	struct thread *thread = get_thread(s, &tail->header);

	if (!thread || tail->size > ND_SAMPLE_TAIL_MAX)
		return -ENOMEM;
	if (!thread->tail)
		thread->tail = malloc(sizeof(*tail) + ND_SAMPLE_TAIL_MAX);
	if (!thread->tail)
		return -ENOMEM;
	memcpy(thread->tail, tail, sizeof(*tail) + tail->size);
	return 0;
}

/* Name a sample of any kind into `namer.named`, walking it first where the sampler did not. */
static void name_record(struct nd_symbolizer *s, struct nd_process *process, struct thread *thread,
			const struct nd_sample_header *record)
{
	const struct nd_sample_cpu *sample = (const struct nd_sample_cpu *)record;
	const struct nd_sample_stack *tail = thread->tail;

	if (record->kind == ND_SAMPLE_STACK) {
		nd_stack_walk(process, (const struct nd_sample_stack *)record, false, &s->walked);
		sample = &s->walked;
	} else if (tail && tail->header.time_ns == record->time_ns) {
		nd_stack_complete(process, sample, tail, &s->walked);
		sample = &s->walked;
	}
	nd_namer_name(&s->namer, process, thread->isolate, sample);
	thread->ran_js |= s->namer.ran_js;
	nd_stack_forget(process);
}

int nd_symbolizer_walk_stack(struct nd_symbolizer *s, const struct nd_sample_stack *stack,
			     struct nd_sample_cpu **ret_sample)
{
	struct nd_process *process = find_known(s, (pid_t)stack->header.pid);
	struct nd_sample_cpu *sample;
	size_t size;

	if (!process)
		return -ESRCH;
	nd_stack_walk(process, stack, true, &s->walked);
	nd_stack_forget(process);
	size = offsetof(struct nd_sample_cpu, frames) +
	       s->walked.depth * sizeof(s->walked.frames[0]);
	sample = malloc(size);
	if (!sample)
		return -ENOMEM;
	memcpy(sample, &s->walked, size);
	*ret_sample = sample;
	return 0;
}

int nd_symbolizer_name_sample(struct nd_symbolizer *s, const struct nd_sample_header *record,
			      struct nd_named_stack *ret_stack)
{
	struct nd_process *process = find_known(s, (pid_t)record->pid);
	struct thread *thread = process ? get_thread(s, record) : NULL;
	const struct nd_calls *calls = &s->namer.named;

	if (!process)
		return -ESRCH;
	if (!thread)
		return -ENOMEM;
	if (record->kind == ND_SAMPLE_TAIL) {
		*ret_stack = (struct nd_named_stack){0};
		return hold_tail(s, (const struct nd_sample_stack *)record);
	}
	name_record(s, process, thread, record);
	*ret_stack = (struct nd_named_stack){
		.calls = calls->call,
		.depth = calls->depth,
		.truncated = calls->depth &&
			     calls->call[calls->depth - 1].frame == s->namer.truncated_frame,
		.rootless = s->namer.rootless,
		.ran_js = thread->ran_js,
	};
	return 0;
}

int nd_symbolizer_add_sample(struct nd_symbolizer *s, const struct nd_sample_header *record)
{
	struct nd_process *process = find_known(s, (pid_t)record->pid);
	struct thread *thread;

	if (!process) {
		nd_profile_add_loss(s->options.profile, ND_LOSS_PROCESS_GONE, 1);
		return 0;
	}
	if (record->kind == ND_SAMPLE_TAIL)
		return hold_tail(s, (const struct nd_sample_stack *)record);
	thread = get_thread(s, record);
	if (!thread)
		return -ENOMEM;
	name_record(s, process, thread, record);
	return add_stack(s, record, thread, s->options.period_ns, 1);
}

uint64_t nd_symbolizer_find_libc_function(struct nd_symbolizer *s, pid_t pid, const char *name)
{
	struct nd_process *process = find_known(s, pid);

	return process ? nd_process_find_libc_function(process, s->modules, name) : 0;
}

int nd_symbolizer_find_loop(struct nd_symbolizer *s, pid_t pid, pid_t tid,
			    struct nd_loop_place *ret_place)
{
	struct nd_process *process = find_known(s, pid);

	return process ? nd_process_find_loop(process, s->modules, tid, ret_place) : -ESRCH;
}

bool nd_symbolizer_is_js(struct nd_symbolizer *s, pid_t pid, uint64_t pc)
{
	struct nd_process *process = find_known(s, pid);
	struct nd_symbol *symbol;
	struct nd_site site;

	if (!process)
		return false;
	nd_process_find_site(process, s->modules, pc, &site, &symbol);
	return site.kind == ND_SITE_JIT || site.kind == ND_SITE_BUILTIN;
}

int nd_symbolizer_add_idle(struct nd_symbolizer *s, pid_t pid, pid_t tid, uint64_t idle_ns)
{
	struct nd_sample_header header = {.pid = (uint32_t)pid, .tid = (uint32_t)tid};
	struct thread *thread;

	for (thread = s->threads; thread; thread = thread->hh.next) {
		if (thread->key.pid != pid || thread->key.tid != tid ||
		    !(thread->ran_js || pid == tid))
			continue;
		s->namer.named.depth = 0;
		nd_calls_add_frame(&s->namer.named, s->namer.idle_frame);
		return add_stack(s, &header, thread, idle_ns, 0);
	}
	return 0;
}

void nd_symbolizer_end_batch(struct nd_symbolizer *s)
{
	struct process_entry *entry;

	for (entry = s->processes; entry; entry = entry->hh.next)
		if (entry->is_known)
			nd_memory_forget(entry->process.memory);
}

char *nd_symbolizer_describe(struct nd_symbolizer *s, pid_t pid, char *buf, size_t size)
{
	struct nd_process *process = find_known(s, pid);

	buf[0] = '\0';
	if (process)
		nd_process_describe(process, buf, size);
	return buf;
}

const char *nd_symbolizer_get_limits(const struct nd_symbolizer *s, pid_t pid)
{
	struct nd_process *process = find_known(s, pid);

	return process && process->v8 ? nd_v8_get_limits(process->v8) : NULL;
}
