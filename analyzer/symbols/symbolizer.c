/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/symbolizer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/profile/profile.h"
#include "analyzer/symbols/calls.h"
#include "analyzer/symbols/memory.h"
#include "analyzer/symbols/module.h"
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

struct kernel_name {
	UT_hash_handle hh;
	uint64_t address;
	uint32_t frame;
};

struct nd_symbolizer {
	struct nd_symbolizer_options options;
	struct nd_modules *modules;
	struct process_entry *processes;
	struct thread *threads;
	struct kernel_name *kernel_names;
	uint32_t work_frames[ND_WORK_COUNT];
	uint32_t unknown_frame;
	uint32_t truncated_frame;
	uint32_t idle_frame;
	struct nd_calls calls;
	struct nd_symbol *symbols[ND_STACK_DEPTH_MAX]; /* of native calls, beside `calls` */
	struct nd_calls labelled;
	bool rootless;		     /* the walk of this sample ended before its root */
	struct nd_sample_cpu walked; /* for samples that are walked here, or on from a tail */
};

static int add_named_frame(struct nd_symbolizer *s, const char *name, enum nd_frame_kind kind,
			   uint32_t *ret_frame)
{
	struct nd_frame frame = {.name = name, .kind = kind};

	return nd_profile_add_frame(s->options.profile, &frame, ret_frame);
}

static int init(struct nd_symbolizer *s)
{
	s->modules = nd_modules_new(s->options.profile);
	if (!s->modules)
		return -ENOMEM;
	if (add_named_frame(s, "(garbage collector)", ND_FRAME_GC, &s->work_frames[ND_WORK_GC]) ||
	    add_named_frame(s, "(compiler)", ND_FRAME_COMPILE, &s->work_frames[ND_WORK_COMPILE]) ||
	    add_named_frame(s, "(regexp)", ND_FRAME_REGEXP, &s->work_frames[ND_WORK_REGEXP]) ||
	    add_named_frame(s, "[unknown]", ND_FRAME_UNKNOWN, &s->unknown_frame) ||
	    add_named_frame(s, "[truncated]", ND_FRAME_UNKNOWN, &s->truncated_frame) ||
	    add_named_frame(s, "(idle)", ND_FRAME_IDLE, &s->idle_frame))
		return -ENOMEM;
	return 0;
}

struct nd_symbolizer *nd_symbolizer_new(const struct nd_symbolizer_options *options)
{
	struct nd_symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->options = *options;
	if (init(s)) {
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

static void free_kernel_names(struct kernel_name *name)
{
	struct kernel_name *next;

	for (; name; name = next) {
		next = name->hh.next;
		free(name);
	}
}

void nd_symbolizer_free(struct nd_symbolizer *s)
{
	struct process_entry *processes;
	struct kernel_name *names;
	struct thread *threads;

	if (!s)
		return;
	processes = s->processes;
	threads = s->threads;
	names = s->kernel_names;
	HASH_CLEAR(hh, s->processes);
	HASH_CLEAR(hh, s->threads);
	HASH_CLEAR(hh, s->kernel_names);
	free_processes(processes);
	free_threads(threads);
	free_kernel_names(names);
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
		thread->frame = s->unknown_frame;
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

static uint32_t kernel_frame(struct nd_symbolizer *s, uint64_t address)
{
	struct kernel_name *name;
	char text[256];

	HASH_FIND(hh, s->kernel_names, &address, sizeof(address), name);
	if (name)
		return name->frame;
	if (!s->options.name_kernel ||
	    !s->options.name_kernel(s->options.arg, address, text, sizeof(text)))
		snprintf(text, sizeof(text), "[kernel]");
	name = calloc(1, sizeof(*name));
	if (!name)
		return s->unknown_frame;
	name->address = address;
	if (add_named_frame(s, text, ND_FRAME_KERNEL, &name->frame)) {
		free(name);
		return s->unknown_frame;
	}
	HASH_ADD(hh, s->kernel_names, address, sizeof(name->address), name);
	return name->frame;
}

static void add_frame(struct nd_symbolizer *s, struct nd_process *process, struct thread *thread,
		      const struct nd_sample_cpu *sample, uint32_t index)
{
	/* A return address may already belong to the next function; the call is before it. */
	uint64_t pc = sample->frames[index].pc - (index ? 1 : 0);
	size_t before = s->calls.depth;
	struct nd_symbol *symbol;
	struct nd_site site;
	size_t i;

	nd_process_find_site(process, s->modules, pc, &site, &symbol);
	if (sample->frames[index].shared) {
		thread->ran_js = true;
		/* V8 makes its memory writable, and not executable, while it compiles. */
		if (site.kind == ND_SITE_UNKNOWN)
			site.kind = ND_SITE_JIT;
	}
	if (process->v8)
		nd_v8_add_calls(process->v8, thread->isolate, sample, index, &site, &s->calls);
	else if (site.has_frame)
		nd_calls_add_frame(&s->calls, site.frame);
	if (s->calls.depth == before)
		nd_calls_add_frame(&s->calls, s->unknown_frame);
	/* Calls within one unnamed file say no more than the first. */
	if (before && symbol && nd_symbol_is_file(symbol) && s->symbols[before - 1] == symbol &&
	    s->calls.depth == before + 1 && s->calls.call[before].frame == site.frame)
		s->calls.depth = before;
	for (i = before; i < s->calls.depth; i++)
		s->symbols[i] = s->calls.call[i].frame == site.frame ? symbol : NULL;
}

/* Count the native calls that show as their file. */
static void count_unnamed(struct nd_symbolizer *s)
{
	size_t i;

	for (i = 0; i < s->calls.depth; i++)
		if (s->symbols[i] && !s->symbols[i]->is_builtin && nd_symbol_is_file(s->symbols[i]))
			nd_profile_add_loss(s->options.profile, ND_LOSS_NATIVE_UNNAMED, 1);
}

static bool is_js(const struct nd_symbolizer *s, const struct nd_call *call)
{
	uint32_t count;
	enum nd_frame_kind kind = nd_profile_frames(s->options.profile, &count)[call->frame].kind;

	return kind == ND_FRAME_JS || kind == ND_FRAME_NPM || kind == ND_FRAME_NODE ||
	       kind == ND_FRAME_BUILTIN;
}

/*
 * Put "(garbage collector)" and the like below the native calls that do such work, and give all
 * they call the same kind. From the root to the leaf; `labelled` is in that order and is then
 * turned round.
 */
static void label_work(struct nd_symbolizer *s)
{
	struct nd_calls *out = &s->labelled;
	enum nd_work work = ND_WORK_NONE;
	struct nd_call call, *a, *b;
	struct nd_symbol *symbol;
	size_t i;

	out->depth = 0;
	for (i = s->calls.depth; i-- > 0;) {
		call = s->calls.call[i];
		symbol = s->symbols[i];
		if (symbol && symbol->work && symbol->work != work) {
			work = symbol->work;
			nd_calls_add_frame(out, s->work_frames[work]);
		} else if (is_js(s, &call)) {
			work = ND_WORK_NONE;
		}
		if (symbol && work)
			nd_modules_get_frame(s->modules, symbol, work, &call.frame);
		nd_calls_add(out, call);
	}
	for (a = out->call, b = out->call + out->depth - 1; out->depth && a < b; a++, b--) {
		call = *a;
		*a = *b;
		*b = call;
	}
}

static int add_stack(struct nd_symbolizer *s, const struct nd_sample_header *header,
		     struct thread *thread, uint64_t weight, uint64_t count)
{
	struct nd_stack stack = {
		.calls = s->labelled.call,
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
		nd_calls_add_frame(&s->labelled, thread->frame);
	stack.depth = s->labelled.depth;
	if (s->options.add_stack)
		return s->options.add_stack(s->options.stack_arg, &stack);
	return nd_profile_add_stack(s->options.profile, &stack);
}

/* Where a thread begins: in libc, which is mostly stripped and has no frame pointers. */
static bool is_root(const struct nd_symbol *symbol)
{
	const char *base = symbol ? strrchr(nd_symbol_get_path(symbol), '/') : NULL;

	return base && (!strncmp(base, "/libc.", 6) || !strncmp(base, "/libc-", 6) ||
			!strncmp(base, "/libpthread", 11) || !strncmp(base, "/ld-", 4) ||
			!strcmp(symbol->name, "main") || !strcmp(symbol->name, "_start"));
}

/* Whether the stack ends where threads begin, and did not just begin in libc: in malloc(), say. */
static bool reaches_root(const struct nd_symbolizer *s, uint32_t kernel_depth)
{
	size_t i, last = s->calls.depth - 1;

	if (s->calls.depth <= kernel_depth || !is_root(s->symbols[last]))
		return false;
	for (i = kernel_depth; i < last; i++)
		if (!is_root(s->symbols[i]))
			return true;
	return false;
}

/*
 * See how the stack ends. What lies below main() or a thread's first function says nothing and is
 * left out.
 */
static void note_end(struct nd_symbolizer *s, uint32_t end, uint32_t kernel_depth)
{
	size_t depth = s->calls.depth;

	s->rootless = false;
	if (end != ND_WALK_TRUNCATED && reaches_root(s, kernel_depth)) {
		while (is_root(s->symbols[s->calls.depth - 1]) &&
		       strcmp(s->symbols[s->calls.depth - 1]->name, "main") != 0)
			s->calls.depth--;
		return;
	}
	if (end == ND_WALK_TRUNCATED) {
		nd_profile_add_loss(s->options.profile, ND_LOSS_TRUNCATED, 1);
		s->symbols[s->calls.depth < ND_STACK_DEPTH_MAX ? s->calls.depth : 0] = NULL;
		nd_calls_add_frame(&s->calls, s->truncated_frame);
	} else if (end == ND_WALK_UNREADABLE || end == ND_WALK_BAD_FRAME) {
		/* The last "return address" was no such thing. */
		if (depth > 1 && s->calls.call[depth - 1].frame == s->unknown_frame)
			s->calls.depth--;
		nd_profile_add_loss(s->options.profile, ND_LOSS_ROOT_MISSING, 1);
		s->rootless = true;
	}
}

static void name_cpu_sample(struct nd_symbolizer *s, struct nd_process *process,
			    struct thread *thread, const struct nd_sample_cpu *sample)
{
	uint32_t i;

	s->calls.depth = 0;
	for (i = 0; i < sample->kernel_depth; i++) {
		s->symbols[s->calls.depth] = NULL;
		nd_calls_add_frame(&s->calls, kernel_frame(s, sample->kernel[i]));
	}
	for (i = 0; i < sample->depth; i++)
		add_frame(s, process, thread, sample, i);
	note_end(s, sample->end, sample->kernel_depth);
	count_unnamed(s);
	label_work(s);
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

/* Name a sample of any kind into `labelled`, walking it first where the sampler did not. */
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
	name_cpu_sample(s, process, thread, sample);
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
	const struct nd_calls *calls = &s->labelled;

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
		.truncated =
			calls->depth && calls->call[calls->depth - 1].frame == s->truncated_frame,
		.rootless = s->rootless,
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
		s->labelled.depth = 0;
		nd_calls_add_frame(&s->labelled, s->idle_frame);
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
