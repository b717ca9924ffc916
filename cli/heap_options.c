/* SPDX-License-Identifier: Apache-2.0 */

/* The command line of nodiag heap. */

#include "cli/heap_options.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>

#include "cli/arguments.h"
#include "cli/heap.h"
#include "cli/heap_query.h"
#include "cli/units.h"

#define LIMIT_MAX 1000000

enum {
	OPT_JSON = 256,
	OPT_LIMIT,
	OPT_FAIL_IF,
	OPT_IGNORE,
	OPT_COLOR,
	OPT_FORCE,
	OPT_TIMEOUT,
	OPT_MEMORY,
	OPT_LIVE,
	OPT_REDACT,
	OPT_WORKER,
	OPT_NEAR_LIMIT,
	OPT_SIGNAL,
	OPT_EVERY,
	OPT_GROWN,
	OPT_KEEP,
	OPT_IN_PROCESS
};

static const struct argp_option options[] = {
	{NULL, 0, NULL, 0, "Taking a snapshot", 1},
	{"timeout", OPT_TIMEOUT, "TIME", 0, "Give up after TIME: 90s, 10m (default 5m)", 1},
	{"child-memory", OPT_MEMORY, "SIZE", 0,
	 "What the process's child may take: 512M, 4G (default 36 times the heap)", 1},
	{"redact", OPT_REDACT, NULL, 0,
	 "Leave out what strings say; lengths and hashes stay, and names in the code", 1},
	{"in-process", OPT_IN_PROCESS, NULL, 0,
	 "Without a child: the process stands still, for seconds to minutes", 1},
	{"worker", OPT_WORKER, "N", 0,
	 "Of the worker with that thread id, which 'nodiag lag' shows", 1},
	{NULL, 0, NULL, 0, "Taking snapshots when something happens; then FILE is a folder", 2},
	{"near-limit", OPT_NEAR_LIMIT, NULL, 0, "When the heap has grown to its limit, once", 2},
	{"on-signal", OPT_SIGNAL, "SIG", 0, "When that is sent to the process: SIGUSR2", 2},
	{"every", OPT_EVERY, "TIME", 0, "Again and again: 10m, 1h", 2},
	{"grown", OPT_GROWN, "SIZE", 0, "When so much more is alive than at the last: 200M", 2},
	{"keep", OPT_KEEP, "N", 0, "Files that are kept, the newest (default 3)", 2},
	{NULL, 0, NULL, 0, "Looking at a process", 3},
	{"live", OPT_LIVE, NULL, 0, "summary: of a running process, without a snapshot", 3},
	{NULL, 0, NULL, 0, "Comparing", 4},
	{"fail-if", OPT_FAIL_IF, "SIZE", 0,
	 "Exit with 5 if the heap grew by more than SIZE: 512K, 10M, 1G", 4},
	{"ignore", OPT_IGNORE, "CLASS", 0, "Leave out a class that may grow; may be repeated", 4},
	{NULL, 0, NULL, 0, "Searching", 5},
	{"class", HEAP_QUERY_CLASS, "CLASS", 0, "Objects of that class", 5},
	{"type", HEAP_QUERY_TYPE, "TYPE", 0,
	 "Objects that V8 calls so: object, closure, string, array, native ...", 5},
	{"min-self", HEAP_QUERY_SELF, "SIZE", 0, "Objects that have SIZE or more: 512K, 10M", 5},
	{"min-retained", HEAP_QUERY_RETAINED, "SIZE", 0, "Objects that retain SIZE or more", 5},
	{"max-distance", HEAP_QUERY_DISTANCE, "N", 0,
	 "Objects at most N steps from the program's roots", 5},
	{"retained-by", HEAP_QUERY_RETAINED_BY, "@ID", 0,
	 "Objects that would be free without that one", 5},
	{"sort", HEAP_QUERY_SORT, "WHAT", 0, "By retained (default), self, distance or id", 5},
	{NULL, 0, NULL, 0, "Output", 6},
	{"format", 'f', "FORMAT", 0,
	 "text, json, or for summary and diff html, a page (default text); for snapshot and "
	 "convert nd, packed, or heapsnapshot (default as FILE is called, or nd)",
	 6},
	{"output", 'o', "FILE", 0,
	 "Write the snapshot or the page to FILE, - for stdout (default heap-PID-TIME.nd, "
	 "heap-TIME.html, or FILE's name)",
	 6},
	{"force", OPT_FORCE, NULL, 0, "Replace FILE if it exists", 6},
	{"limit", OPT_LIMIT, "N", 0, "Rows of each table of the text (default 15)", 6},
	{"json", OPT_JSON, NULL, 0, "Print JSON, for your own programs", 6},
	{"color", OPT_COLOR, "WHEN", 0, "Colour the answer: auto, always or never (default auto)",
	 6},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const char documentation[] =
	"Take heap snapshots, and read them: what takes the memory, what grew, and what keeps it "
	"alive.\v"
	"snapshot takes one of a running process, which goes on meanwhile: the agent in it, or one "
	"that is loaded for it, forks it, and the child writes the snapshot down. That needs up to "
	"12 times the heap in memory, and is refused where it is not there; --in-process takes it "
	"without a child, and says before how long the process will stand still. What is written "
	"is packed, a .nd, a tenth of the JSON; all questions can be asked of it. With -f "
	"heapsnapshot, or -o and a name that ends so, it is JSON, for DevTools. PID is a process "
	"id; without, the one Node.js process of yours.\n\n"
	"FILE is a .nd of 'nodiag heap snapshot' or 'nodiag heap convert', or a .heapsnapshot of "
	"Node.js or Chrome, plain or packed by gzip or zstd, or - for standard input. "
	"'node --heapsnapshot-signal=SIGUSR2' and v8.writeHeapSnapshot() write the latter.\n\n"
	"summary shows totals, the places where memory gathers, the largest classes and objects, "
	"strings that are there several times, the modules, functions and scopes that keep it, big "
	"buffers, and collections that are empty or have much room. With --live it shows what a "
	"running process has in memory, by V8's spaces and by kind, and takes no snapshot. diff "
	"shows first who is suspected to leak, with the way to it, and then the classes that grew; "
	"of three snapshots or more, only what grew each time. retainers shows what keeps an "
	"object, @ID, or the objects of a class alive; paths the different ways to it, each of "
	"which must be cut to free it; show what it refers to. query lists the objects that are as "
	"you want them. convert packs a snapshot to a tenth of its size, with what its analysis "
	"found, so that it opens fast; and back, for DevTools.\n\n"
	"Examples:\n"
	"  nodiag heap snapshot 4711 -o app.nd\n"
	"  nodiag heap summary app.nd\n"
	"  nodiag heap summary --live 4711\n"
	"  nodiag heap diff before.nd after.nd\n"
	"  nodiag heap diff -f html before.nd after.nd\n"
	"  nodiag heap diff --fail-if 10M 1.heapsnapshot 2.heapsnapshot 3.heapsnapshot\n"
	"  nodiag heap retainers app.nd @4711\n"
	"  nodiag heap retainers app.nd Session\n"
	"  nodiag heap query app.nd --class Session --min-retained 1M\n"
	"  nodiag heap convert app.nd\n\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such process, file, object or class, 4 "
	"not permitted, 5 a --fail-if threshold was crossed.";

static error_t parse_limit(struct heap *heap, const char *arg)
{
	uint64_t number;

	if (units_parse_number(arg, 1, LIMIT_MAX, &number)) {
		heap->limit = (uint32_t)number;
		return 0;
	}
	nd_err_set(&heap->err, -EINVAL, "'%s' is no number of rows", arg);
	nd_err_hint(&heap->err, "give 1 to %d", LIMIT_MAX);
	return EINVAL;
}

static error_t parse_fail_if(struct heap *heap, const char *arg)
{
	if (units_parse_bytes(arg, &heap->fail_bytes)) {
		heap->fail_text = arg;
		return 0;
	}
	nd_err_set(&heap->err, -EINVAL, "'%s' is no size", arg);
	nd_err_hint(&heap->err, "give it with its unit: 512K, 10M or 1G");
	return EINVAL;
}

static error_t add_ignored(struct heap *heap, const char *class)
{
	const char **list =
		reallocarray(heap->ignore, (size_t)heap->ignore_count + 1, sizeof(*list));

	if (!list) {
		nd_err_set(&heap->err, -ENOMEM, "out of memory");
		return ENOMEM;
	}
	list[heap->ignore_count++] = class;
	heap->ignore = list;
	return 0;
}

static error_t parse_child_memory(struct heap *heap, const char *arg)
{
	if (units_parse_bytes(arg, &heap->taking.child_memory) && heap->taking.child_memory)
		return 0;
	nd_err_set(&heap->err, -EINVAL, "'%s' is no size", arg);
	nd_err_hint(&heap->err, "give it with its unit: 512M or 4G");
	return EINVAL;
}

static error_t parse_worker(struct heap *heap, const char *arg)
{
	uint64_t number;

	if (units_parse_number(arg, 1, INT32_MAX, &number)) {
		heap->taking.worker = (uint32_t)number;
		return 0;
	}
	nd_err_set(&heap->err, -EINVAL, "'%s' is no id of a thread", arg);
	nd_err_hint(&heap->err, "'nodiag lag' lists the threads of a process");
	return EINVAL;
}

static error_t parse_trigger(int key, char *arg, struct heap *heap)
{
	heap->given |= HEAP_WAITING;
	switch (key) {
	case OPT_NEAR_LIMIT:
		heap->triggers.near_limit = true;
		return 0;
	case OPT_SIGNAL:
		return heap_triggers_set_signal(&heap->triggers, arg, &heap->err);
	case OPT_EVERY:
		return arguments_parse_time(arg, &heap->triggers.every_ns, &heap->err);
	case OPT_GROWN:
		return heap_triggers_set_grown(&heap->triggers, arg, &heap->err);
	default:
		return heap_triggers_set_keep(&heap->triggers, arg, &heap->err);
	}
}

/* Those of `snapshot`. */
static error_t parse_taking(int key, char *arg, struct heap *heap)
{
	heap->given |= HEAP_TAKING;
	switch (key) {
	case OPT_TIMEOUT:
		return arguments_parse_time(arg, &heap->taking.timeout_ns, &heap->err);
	case OPT_MEMORY:
		return parse_child_memory(heap, arg);
	case OPT_WORKER:
		return parse_worker(heap, arg);
	case OPT_IN_PROCESS:
		heap->taking.in_process = true;
		return 0;
	default:
		heap->taking.redact = true;
		return 0;
	}
}

/* Those of what is written into a file. */
static error_t parse_writing(int key, char *arg, struct heap *heap)
{
	heap->given |= HEAP_WRITING;
	if (key == 'o')
		heap->taking.output = arg;
	else
		heap->taking.force = true;
	return 0;
}

static error_t parse_comparing(int key, char *arg, struct heap *heap)
{
	heap->given |= HEAP_COMPARING;
	return key == OPT_FAIL_IF ? parse_fail_if(heap, arg) : add_ignored(heap, arg);
}

static error_t parse_format(struct heap *heap, const char *arg)
{
	heap->format = heap_format_find(arg);
	if (heap->format != HEAP_FORMAT_USUAL)
		return 0;
	nd_err_set(&heap->err, -EINVAL, "'%s' is no format of this answer", arg);
	nd_err_hint(&heap->err, "text, json or html; for a snapshot nd or heapsnapshot");
	return EINVAL;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct heap *heap = state->input;

	switch (key) {
	case OPT_LIMIT:
		return parse_limit(heap, arg);
	case OPT_FAIL_IF:
	case OPT_IGNORE:
		return parse_comparing(key, arg, heap);
	case 'f':
		return parse_format(heap, arg);
	case OPT_JSON:
		heap->format = HEAP_FORMAT_JSON;
		return 0;
	case OPT_LIVE:
		heap->is_live = true;
		heap->given |= HEAP_LOOKING;
		return 0;
	case 'o':
	case OPT_FORCE:
		return parse_writing(key, arg, heap);
	case HEAP_QUERY_CLASS:
	case HEAP_QUERY_TYPE:
	case HEAP_QUERY_SELF:
	case HEAP_QUERY_RETAINED:
	case HEAP_QUERY_DISTANCE:
	case HEAP_QUERY_RETAINED_BY:
	case HEAP_QUERY_SORT:
		heap->given |= HEAP_SEARCHING;
		return heap_query_parse(heap, key, arg);
	case OPT_TIMEOUT:
	case OPT_MEMORY:
	case OPT_REDACT:
	case OPT_WORKER:
	case OPT_IN_PROCESS:
		return parse_taking(key, arg, heap);
	case OPT_NEAR_LIMIT:
	case OPT_SIGNAL:
	case OPT_EVERY:
	case OPT_GROWN:
	case OPT_KEEP:
		return parse_trigger(key, arg, heap);
	case OPT_COLOR:
		return term_parse_colour(arg, &heap->colour, &heap->err);
	default:
		return arguments_parse(key, state, &heap->arguments, &heap->err);
	}
}

static const struct argp argp = {options,
				 parse_option,
				 "snapshot [PID]\nsummary FILE\nsummary --live [PID]\ndiff FILE "
				 "FILE...\nretainers FILE @ID|CLASS\npaths FILE @ID|CLASS\n"
				 "show FILE @ID\nquery FILE\nconvert FILE",
				 documentation,
				 NULL,
				 NULL,
				 NULL};

int heap_options_read(struct heap *heap, int argc, char **argv)
{
	int ret = arguments_read(&argp, argc, argv, heap, &heap->err);

	if (!ret && heap->arguments.help)
		ret = arguments_print_help(&argp, &heap->arguments, argv[0], &heap->err);
	return ret;
}
