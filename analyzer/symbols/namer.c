/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/namer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/symbols/module.h"
#include "analyzer/symbols/process.h"
#include "analyzer/symbols/v8/v8.h"
#include "proto/sample.h"

struct nd_kernel_name {
	UT_hash_handle hh;
	uint64_t address;
	uint32_t frame;
};

static int add_named_frame(struct nd_namer *namer, const char *name, enum nd_frame_kind kind,
			   uint32_t *ret_frame)
{
	struct nd_frame frame = {.name = name, .kind = kind};

	return nd_profile_add_frame(namer->profile, &frame, ret_frame);
}

int nd_namer_init(struct nd_namer *namer)
{
	if (add_named_frame(namer, "(garbage collector)", ND_FRAME_GC,
			    &namer->work_frames[ND_WORK_GC]) ||
	    add_named_frame(namer, "(compiler)", ND_FRAME_COMPILE,
			    &namer->work_frames[ND_WORK_COMPILE]) ||
	    add_named_frame(namer, "(regexp)", ND_FRAME_REGEXP,
			    &namer->work_frames[ND_WORK_REGEXP]) ||
	    add_named_frame(namer, "[unknown]", ND_FRAME_UNKNOWN, &namer->unknown_frame) ||
	    add_named_frame(namer, "[truncated]", ND_FRAME_UNKNOWN, &namer->truncated_frame) ||
	    add_named_frame(namer, "(idle)", ND_FRAME_IDLE, &namer->idle_frame))
		return -ENOMEM;
	return 0;
}

void nd_namer_fini(struct nd_namer *namer)
{
	struct nd_kernel_name *name = namer->kernel_names, *next;

	/* uthash keeps its elements in a list too, which outlives the table. */
	HASH_CLEAR(hh, namer->kernel_names);
	for (; name; name = next) {
		next = name->hh.next;
		free(name);
	}
}

static uint32_t kernel_frame(struct nd_namer *namer, uint64_t address)
{
	struct nd_kernel_name *name;
	uint32_t frame;
	char text[256];

	HASH_FIND(hh, namer->kernel_names, &address, sizeof(address), name);
	if (name)
		return name->frame;
	if (!namer->name_kernel || !namer->name_kernel(namer->arg, address, text, sizeof(text)))
		snprintf(text, sizeof(text), "[kernel]");
	name = calloc(1, sizeof(*name));
	if (!name)
		return namer->unknown_frame;
	name->address = address;
	if (add_named_frame(namer, text, ND_FRAME_KERNEL, &name->frame)) {
		free(name);
		return namer->unknown_frame;
	}
	frame = name->frame;
	HASH_ADD(hh, namer->kernel_names, address, sizeof(name->address), name);
	if (!name->hh.tbl)
		free(name);
	return frame;
}

static void add_frame(struct nd_namer *namer, struct nd_process *process, uint32_t isolate,
		      const struct nd_sample_cpu *sample, uint32_t index)
{
	/* A return address may already belong to the next function; the call is before it. */
	uint64_t pc = sample->frames[index].pc - (index ? 1 : 0);
	size_t before = namer->calls.depth;
	struct nd_symbol *symbol;
	struct nd_site site;
	size_t i;

	nd_process_find_site(process, namer->modules, pc, &site, &symbol);
	if (sample->frames[index].shared) {
		namer->ran_js = true;
		/* V8 makes its memory writable, and not executable, while it compiles. */
		if (site.kind == ND_SITE_UNKNOWN)
			site.kind = ND_SITE_JIT;
	}
	if (process->v8)
		nd_v8_add_calls(process->v8, isolate, sample, index, &site, &namer->calls);
	else if (site.has_frame)
		nd_calls_add_frame(&namer->calls, site.frame);
	if (namer->calls.depth == before)
		nd_calls_add_frame(&namer->calls, namer->unknown_frame);
	/* Calls within one unnamed file say no more than the first. */
	if (before && symbol && nd_symbol_is_file(symbol) && namer->symbols[before - 1] == symbol &&
	    namer->calls.depth == before + 1 && namer->calls.call[before].frame == site.frame)
		namer->calls.depth = before;
	for (i = before; i < namer->calls.depth; i++)
		namer->symbols[i] = namer->calls.call[i].frame == site.frame ? symbol : NULL;
}

/* Count the native calls that show as their file. */
static void count_unnamed(struct nd_namer *namer)
{
	size_t i;

	for (i = 0; i < namer->calls.depth; i++)
		if (namer->symbols[i] && !namer->symbols[i]->is_builtin &&
		    nd_symbol_is_file(namer->symbols[i]))
			nd_profile_add_loss(namer->profile, ND_LOSS_NATIVE_UNNAMED, 1);
}

static bool is_js(const struct nd_namer *namer, const struct nd_call *call)
{
	uint32_t count;
	enum nd_frame_kind kind = nd_profile_frames(namer->profile, &count)[call->frame].kind;

	return kind == ND_FRAME_JS || kind == ND_FRAME_NPM || kind == ND_FRAME_NODE ||
	       kind == ND_FRAME_BUILTIN;
}

/*
 * Put "(garbage collector)" and the like below the native calls that do such work, and give all
 * they call the same kind. From the root to the leaf; `named` is in that order and is then turned
 * round.
 */
static void label_work(struct nd_namer *namer)
{
	struct nd_calls *out = &namer->named;
	enum nd_work work = ND_WORK_NONE;
	struct nd_call call, *a, *b;
	struct nd_symbol *symbol;
	size_t i;

	out->depth = 0;
	for (i = namer->calls.depth; i-- > 0;) {
		call = namer->calls.call[i];
		symbol = namer->symbols[i];
		if (symbol && symbol->work && symbol->work != work) {
			work = symbol->work;
			nd_calls_add_frame(out, namer->work_frames[work]);
		} else if (is_js(namer, &call)) {
			work = ND_WORK_NONE;
		}
		if (symbol && work)
			nd_modules_get_frame(namer->modules, symbol, work, &call.frame);
		nd_calls_add(out, call);
	}
	for (a = out->call, b = out->call + out->depth - 1; out->depth && a < b; a++, b--) {
		call = *a;
		*a = *b;
		*b = call;
	}
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
static bool reaches_root(const struct nd_namer *namer, uint32_t kernel_depth)
{
	size_t i, last = namer->calls.depth - 1;

	if (namer->calls.depth <= kernel_depth || !is_root(namer->symbols[last]))
		return false;
	for (i = kernel_depth; i < last; i++)
		if (!is_root(namer->symbols[i]))
			return true;
	return false;
}

/*
 * See how the stack ends. What lies below main() or a thread's first function says nothing and is
 * left out.
 */
static void note_end(struct nd_namer *namer, uint32_t end, uint32_t kernel_depth)
{
	size_t depth = namer->calls.depth;

	namer->rootless = false;
	if (end != ND_WALK_TRUNCATED && reaches_root(namer, kernel_depth)) {
		while (is_root(namer->symbols[namer->calls.depth - 1]) &&
		       strcmp(namer->symbols[namer->calls.depth - 1]->name, "main") != 0)
			namer->calls.depth--;
		return;
	}
	if (end == ND_WALK_TRUNCATED) {
		nd_profile_add_loss(namer->profile, ND_LOSS_TRUNCATED, 1);
		namer->symbols[namer->calls.depth < ND_STACK_DEPTH_MAX ? namer->calls.depth : 0] =
			NULL;
		nd_calls_add_frame(&namer->calls, namer->truncated_frame);
	} else if (end == ND_WALK_UNREADABLE || end == ND_WALK_BAD_FRAME) {
		/* The last "return address" was no such thing. */
		if (depth > 1 && namer->calls.call[depth - 1].frame == namer->unknown_frame)
			namer->calls.depth--;
		nd_profile_add_loss(namer->profile, ND_LOSS_ROOT_MISSING, 1);
		namer->rootless = true;
	}
}

void nd_namer_name(struct nd_namer *namer, struct nd_process *process, uint32_t isolate,
		   const struct nd_sample_cpu *sample)
{
	uint32_t i;

	namer->calls.depth = 0;
	namer->ran_js = false;
	for (i = 0; i < sample->kernel_depth; i++) {
		namer->symbols[namer->calls.depth] = NULL;
		nd_calls_add_frame(&namer->calls, kernel_frame(namer, sample->kernel[i]));
	}
	for (i = 0; i < sample->depth; i++)
		add_frame(namer, process, isolate, sample, i);
	note_end(namer, sample->end, sample->kernel_depth);
	count_unnamed(namer);
	label_work(namer);
}
