/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag heap: what is in a heap snapshot, what grew between several, and what keeps it alive. */

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/census.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/suspects.h"
#include "cli/command.h"
#include "cli/heap.h"
#include "cli/heap_query.h"
#include "cli/out.h"
#include "cli/target.h"
#include "cli/units.h"
#include "common/clock.h"
#include "common/intern.h"

#define DEFAULT_LIMIT 15
#define LIMIT_MAX     1000000

/* Until the child that takes a snapshot is killed. */
#define DEFAULT_TIMEOUT_NS (300 * ND_NSEC_PER_SEC)

enum {
	OPT_JSON = 256,
	OPT_LIMIT,
	OPT_FAIL_IF,
	OPT_IGNORE,
	OPT_COLOR,
	OPT_FORCE,
	OPT_TIMEOUT,
	OPT_MEMORY
};

static const struct argp_option options[] = {
	{NULL, 0, NULL, 0, "Taking or converting a snapshot", 0},
	{"output", 'o', "FILE", 0,
	 "Write to FILE, or - for a pipe (default heap-PID-TIME.heapsnapshot, or FILE's name)", 0},
	{"format", 'f', "FORMAT", 0,
	 "Write it as nd, packed, or as heapsnapshot (default nd where it is converted)", 0},
	{"force", OPT_FORCE, NULL, 0, "Replace FILE if it exists", 0},
	{"timeout", OPT_TIMEOUT, "TIME", 0, "Give up after TIME: 90s, 10m (default 5m)", 0},
	{"child-memory", OPT_MEMORY, "SIZE", 0,
	 "What the process's child may take: 512M, 4G (default 36 times the heap)", 0},
	{NULL, 0, NULL, 0, "Comparing", 1},
	{"fail-if", OPT_FAIL_IF, "SIZE", 0,
	 "Exit with 5 if the heap grew by more than SIZE: 512K, 10M, 1G", 1},
	{"ignore", OPT_IGNORE, "CLASS", 0, "Leave out a class that may grow; may be repeated", 1},
	{NULL, 0, NULL, 0, "Searching", 2},
	{"class", HEAP_QUERY_CLASS, "CLASS", 0, "Objects of that class", 2},
	{"type", HEAP_QUERY_TYPE, "TYPE", 0,
	 "Objects that V8 calls so: object, closure, string, array, native ...", 2},
	{"min-self", HEAP_QUERY_SELF, "SIZE", 0, "Objects that have SIZE or more: 512K, 10M", 2},
	{"min-retained", HEAP_QUERY_RETAINED, "SIZE", 0, "Objects that retain SIZE or more", 2},
	{"max-distance", HEAP_QUERY_DISTANCE, "N", 0,
	 "Objects at most N steps from the program's roots", 2},
	{"retained-by", HEAP_QUERY_RETAINED_BY, "@ID", 0,
	 "Objects that would be free without that one", 2},
	{"sort", HEAP_QUERY_SORT, "WHAT", 0, "By retained (default), self, distance or id", 2},
	{NULL, 0, NULL, 0, "Output", 3},
	{"limit", OPT_LIMIT, "N", 0, "Rows of each table (default 15)", 3},
	{"json", OPT_JSON, NULL, 0, "Print JSON, for your own programs", 3},
	{"color", OPT_COLOR, "WHEN", 0, "Colour the answer: auto, always or never (default auto)",
	 3},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const char documentation[] =
	"Take heap snapshots, and read them: what takes the memory, what grew, and what keeps it "
	"alive.\v"
	"snapshot takes one of a running process, which goes on meanwhile: the agent in it, or one "
	"that is loaded for it, forks it, and the child writes the snapshot down. That needs up to "
	"12 times the heap in memory, and is refused where it is not there. PID is a process id; "
	"without, the one Node.js process of yours.\n\n"
	"FILE is a .heapsnapshot of Node.js or Chrome, plain or packed by gzip or zstd, or a .nd "
	"of "
	"'nodiag heap convert', or - for "
	"standard input. 'node --heapsnapshot-signal=SIGUSR2' and v8.writeHeapSnapshot() write "
	"them.\n\n"
	"summary shows totals, the places where memory gathers, the largest classes and objects, "
	"strings that are there several times, the modules, functions and scopes that keep it, "
	"big buffers, and collections that are empty or have much room. diff shows first who is "
	"suspected to leak, "
	"with the way to it, and then the classes that grew; of three snapshots or more, only "
	"what grew each time. retainers shows what keeps an object, @ID, or the objects of a "
	"class alive; paths the different ways to it, each of which must be cut to free it; show "
	"what it refers to. query lists the objects that are as you want them. convert packs a "
	"snapshot "
	"to a ninth of its size, with what its analysis found, so that it opens fast; and back, "
	"for "
	"DevTools.\n\n"
	"Examples:\n"
	"  nodiag heap snapshot 4711 -o app.heapsnapshot\n"
	"  nodiag heap summary app.heapsnapshot\n"
	"  nodiag heap diff before.heapsnapshot after.heapsnapshot\n"
	"  nodiag heap diff --fail-if 10M 1.heapsnapshot 2.heapsnapshot 3.heapsnapshot\n"
	"  nodiag heap retainers app.heapsnapshot @4711\n"
	"  nodiag heap retainers app.heapsnapshot Session\n"
	"  nodiag heap query app.heapsnapshot --class Session --min-retained 1M\n\n"
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

/* Those of `snapshot`. */
static error_t parse_taking(int key, char *arg, struct heap *heap)
{
	heap->given |= key == OPT_TIMEOUT || key == OPT_MEMORY ? HEAP_TAKING : HEAP_WRITING;
	switch (key) {
	case OPT_FORCE:
		heap->taking.force = true;
		return 0;
	case 'f':
		return heap_format_parse(arg, &heap->taking.format, &heap->err) ? EINVAL : 0;
	case OPT_TIMEOUT:
		return arguments_parse_time(arg, &heap->taking.timeout_ns, &heap->err);
	case OPT_MEMORY:
		return parse_child_memory(heap, arg);
	default:
		heap->taking.output = arg;
		return 0;
	}
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct heap *heap = state->input;

	switch (key) {
	case OPT_LIMIT:
		return parse_limit(heap, arg);
	case OPT_FAIL_IF:
		heap->given |= HEAP_COMPARING;
		return parse_fail_if(heap, arg);
	case OPT_IGNORE:
		heap->given |= HEAP_COMPARING;
		return add_ignored(heap, arg);
	case HEAP_QUERY_CLASS:
	case HEAP_QUERY_TYPE:
	case HEAP_QUERY_SELF:
	case HEAP_QUERY_RETAINED:
	case HEAP_QUERY_DISTANCE:
	case HEAP_QUERY_RETAINED_BY:
	case HEAP_QUERY_SORT:
		heap->given |= HEAP_SEARCHING;
		return heap_query_parse(heap, key, arg);
	case OPT_JSON:
		heap->json = true;
		return 0;
	case 'o':
	case 'f':
	case OPT_FORCE:
	case OPT_TIMEOUT:
	case OPT_MEMORY:
		return parse_taking(key, arg, heap);
	case OPT_COLOR:
		return term_parse_colour(arg, &heap->colour, &heap->err);
	default:
		return arguments_parse(key, state, &heap->arguments, &heap->err);
	}
}

static const struct argp argp = {
	options,
	parse_option,
	"snapshot [PID]\nsummary FILE\ndiff FILE FILE...\nretainers FILE @ID|CLASS\n"
	"paths FILE @ID|CLASS\nshow FILE @ID\nquery FILE\nconvert FILE",
	documentation,
	NULL,
	NULL,
	NULL};

static int snapshot(struct heap *heap, char **words)
{
	const struct target_syntax syntax = {.command = "nodiag heap snapshot", .pids_only = true};
	struct target target = {0};
	int ret =
		target_parse(&syntax, words, heap->arguments.count - 1, NULL, &target, &heap->err);

	if (ret)
		return ret;
	ret = heap_snapshot_take(target.pids[0], &heap->taking, &heap->err);
	return ret ? target_fail(target.pids[0], ret, &heap->err) : EXIT_DONE;
}

/* What may stand behind "nodiag heap", with how many words behind it. */
static const struct question {
	const char *name;
	size_t min;
	size_t max;
	const char *usage;
	unsigned int options; /* enum heap_options */
	int (*answer)(struct heap *heap, char **words);
} questions[] = {
	{"snapshot", 0, 1, "nodiag heap snapshot PID", HEAP_TAKING | HEAP_WRITING, snapshot},
	{"summary", 1, 1, "nodiag heap summary FILE", 0, heap_answer_summary},
	{"diff", 2, ND_HEAP_SERIES_MAX, "nodiag heap diff BEFORE AFTER", HEAP_COMPARING,
	 heap_answer_diff},
	{"retainers", 2, 2, "nodiag heap retainers FILE @ID, or a class", 0, heap_answer_retainers},
	{"paths", 2, 2, "nodiag heap paths FILE @ID, or a class", 0, heap_answer_paths},
	{"show", 2, 2, "nodiag heap show FILE @ID", 0, heap_answer_show},
	{"query", 1, 1, "nodiag heap query FILE --class CLASS", HEAP_SEARCHING, heap_answer_query},
	{"convert", 1, 1, "nodiag heap convert FILE", HEAP_WRITING, heap_answer_convert},
};

#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

static const struct question *find_question(struct heap *heap)
{
	size_t words = heap->arguments.count ? heap->arguments.count - 1 : 0, i;
	const char *name = heap->arguments.count ? heap->arguments.list[0] : NULL;

	for (i = 0; i < QUESTIONS && name; i++) {
		if (strcmp(questions[i].name, name) != 0)
			continue;
		if (words >= questions[i].min && words <= questions[i].max)
			return &questions[i];
		nd_err_set(&heap->err, -EINVAL, "'%s' needs %s files or words than %zu", name,
			   words < questions[i].min ? "more" : "less", words);
		nd_err_hint(&heap->err, "%s", questions[i].usage);
		return NULL;
	}
	if (name)
		nd_err_set(&heap->err, -EINVAL, "'%s' is no question about a heap", name);
	else
		nd_err_set(&heap->err, -EINVAL, "nothing is asked about a heap");
	nd_err_hint(&heap->err,
		    "nodiag heap snapshot and a process, or summary, diff, retainers, paths, show, "
		    "query or convert and a file");
	return NULL;
}

/* An option that the question has no use for was meant for another one. */
static int check_options(struct heap *heap, const struct question *question)
{
	static const struct {
		enum heap_options options;
		const char *names;
		const char *question;
	} groups[] = {
		{HEAP_TAKING, "--timeout and --child-memory", "snapshot"},
		{HEAP_WRITING, "-o, -f and --force", "snapshot' and 'nodiag heap convert"},
		{HEAP_COMPARING, "--fail-if and --ignore", "diff"},
		{HEAP_SEARCHING,
		 "--class, --type, --min-self, --min-retained, --max-distance, --retained-by and "
		 "--sort",
		 "query"},
	};
	size_t i;

	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (!(heap->given & groups[i].options & ~question->options))
			continue;
		nd_err_set(&heap->err, -EINVAL, "%s are for 'nodiag heap %s'", groups[i].names,
			   groups[i].question);
		return nd_err_hint(&heap->err, "nodiag heap --help");
	}
	return 0;
}

static int run(struct heap *heap)
{
	const struct question *question = find_question(heap);

	if (!question)
		return EXIT_USAGE;
	if (check_options(heap, question))
		return EXIT_USAGE;
	heap->names = nd_intern_new();
	if (!heap->names) {
		nd_err_set(&heap->err, -ENOMEM, "out of memory");
		return EXIT_FAILED;
	}
	return question->answer(heap, heap->arguments.list + 1);
}

static void fini(struct heap *heap)
{
	uint32_t i;

	for (i = 0; i < heap->census_count; i++)
		nd_heap_census_fini(&heap->census[i]);
	free(heap->census);
	nd_heap_collections_fini(&heap->collections);
	nd_heap_paths_fini(&heap->paths);
	nd_heap_analysis_fini(&heap->analysis);
	nd_heap_free(heap->snapshot);
	nd_intern_free(heap->names);
	free(heap->ignore);
}

int command_heap(int argc, char **argv)
{
	struct heap heap = {.limit = DEFAULT_LIMIT,
			    .taking = {.timeout_ns = DEFAULT_TIMEOUT_NS},
			    .query = {.type = -1, .max_distance = -1, .retained_by = ND_HEAP_NONE}};
	int ret;

	if (argp_parse(&argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP, NULL, &heap)) {
		if (!heap.err.hint[0])
			nd_err_hint(&heap.err, "nodiag heap --help");
		ret = EXIT_USAGE;
	} else if (heap.arguments.help) {
		argp_help(&argp, stdout, heap.arguments.help, argv[0]);
		ret = out_flush_stdout(&heap.err) ? EXIT_FAILED : EXIT_DONE;
	} else {
		ret = run(&heap);
	}
	if (ret && heap.err.code)
		term_error(&heap.err);
	fini(&heap);
	return ret;
}
