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
#include "cli/target.h"
#include "cli/units.h"
#include "common/clock.h"
#include "common/intern.h"

#define DEFAULT_LIMIT 15
#define LIMIT_MAX     1000000

#define DEFAULT_KEEP 3

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
	{NULL, 0, NULL, 0, "Taking a snapshot", 0},
	{"timeout", OPT_TIMEOUT, "TIME", 0, "Give up after TIME: 90s, 10m (default 5m)", 0},
	{"child-memory", OPT_MEMORY, "SIZE", 0,
	 "What the process's child may take: 512M, 4G (default 36 times the heap)", 0},
	{"redact", OPT_REDACT, NULL, 0,
	 "Leave out what strings say; lengths and hashes stay, and names in the code", 0},
	{"in-process", OPT_IN_PROCESS, NULL, 0,
	 "Without a child: the process stands still, for seconds to minutes", 0},
	{"worker", OPT_WORKER, "N", 0,
	 "Of the worker with that thread id, which 'nodiag lag' shows", 0},
	{NULL, 0, NULL, 0, "Taking snapshots when something happens; then FILE is a folder", 1},
	{"near-limit", OPT_NEAR_LIMIT, NULL, 0, "When the heap has grown to its limit, once", 1},
	{"on-signal", OPT_SIGNAL, "SIG", 0, "When that is sent to the process: SIGUSR2", 1},
	{"every", OPT_EVERY, "TIME", 0, "Again and again: 10m, 1h", 1},
	{"grown", OPT_GROWN, "SIZE", 0, "When so much more is alive than at the last: 200M", 1},
	{"keep", OPT_KEEP, "N", 0, "Files that are kept, the newest (default 3)", 1},
	{NULL, 0, NULL, 0, "Looking at a process", 2},
	{"live", OPT_LIVE, NULL, 0, "summary: of a running process, without a snapshot", 2},
	{NULL, 0, NULL, 0, "Comparing", 3},
	{"fail-if", OPT_FAIL_IF, "SIZE", 0,
	 "Exit with 5 if the heap grew by more than SIZE: 512K, 10M, 1G", 3},
	{"ignore", OPT_IGNORE, "CLASS", 0, "Leave out a class that may grow; may be repeated", 3},
	{NULL, 0, NULL, 0, "Searching", 4},
	{"class", HEAP_QUERY_CLASS, "CLASS", 0, "Objects of that class", 4},
	{"type", HEAP_QUERY_TYPE, "TYPE", 0,
	 "Objects that V8 calls so: object, closure, string, array, native ...", 4},
	{"min-self", HEAP_QUERY_SELF, "SIZE", 0, "Objects that have SIZE or more: 512K, 10M", 4},
	{"min-retained", HEAP_QUERY_RETAINED, "SIZE", 0, "Objects that retain SIZE or more", 4},
	{"max-distance", HEAP_QUERY_DISTANCE, "N", 0,
	 "Objects at most N steps from the program's roots", 4},
	{"retained-by", HEAP_QUERY_RETAINED_BY, "@ID", 0,
	 "Objects that would be free without that one", 4},
	{"sort", HEAP_QUERY_SORT, "WHAT", 0, "By retained (default), self, distance or id", 4},
	{NULL, 0, NULL, 0, "Output", 5},
	{"format", 'f', "FORMAT", 0,
	 "text, json, or for summary and diff html, a page (default text); for snapshot and "
	 "convert heapsnapshot, or nd, packed",
	 5},
	{"output", 'o', "FILE", 0,
	 "Write the snapshot or the page to FILE, - for stdout (default "
	 "heap-PID-TIME.heapsnapshot, heap-TIME.html, or FILE's name)",
	 5},
	{"force", OPT_FORCE, NULL, 0, "Replace FILE if it exists", 5},
	{"limit", OPT_LIMIT, "N", 0, "Rows of each table of the text (default 15)", 5},
	{"json", OPT_JSON, NULL, 0, "Print JSON, for your own programs", 5},
	{"color", OPT_COLOR, "WHEN", 0, "Colour the answer: auto, always or never (default auto)",
	 5},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const char documentation[] =
	"Take heap snapshots, and read them: what takes the memory, what grew, and what keeps it "
	"alive.\v"
	"snapshot takes one of a running process, which goes on meanwhile: the agent in it, or one "
	"that is loaded for it, forks it, and the child writes the snapshot down. That needs up to "
	"12 times the heap in memory, and is refused where it is not there; --in-process takes it "
	"without a child, and says before how long the process will stand still. PID is a process "
	"id; "
	"without, the one Node.js process of yours.\n\n"
	"FILE is a .heapsnapshot of Node.js or Chrome, plain or packed by gzip or zstd, or a .nd "
	"of 'nodiag heap convert', or - for standard input. 'node --heapsnapshot-signal=SIGUSR2' "
	"and v8.writeHeapSnapshot() write them.\n\n"
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
	"  nodiag heap snapshot 4711 -o app.heapsnapshot\n"
	"  nodiag heap summary app.heapsnapshot\n"
	"  nodiag heap summary --live 4711\n"
	"  nodiag heap diff before.heapsnapshot after.heapsnapshot\n"
	"  nodiag heap diff -f html before.heapsnapshot after.heapsnapshot\n"
	"  nodiag heap diff --fail-if 10M 1.heapsnapshot 2.heapsnapshot 3.heapsnapshot\n"
	"  nodiag heap retainers app.heapsnapshot @4711\n"
	"  nodiag heap retainers app.heapsnapshot Session\n"
	"  nodiag heap query app.heapsnapshot --class Session --min-retained 1M\n"
	"  nodiag heap convert app.heapsnapshot\n\n"
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

static const char *const format_names[] = {
	[HEAP_FORMAT_TEXT] = "text",
	[HEAP_FORMAT_JSON] = "json",
	[HEAP_FORMAT_HTML] = "html",
	[HEAP_FORMAT_ND] = "nd",
	[HEAP_FORMAT_HEAPSNAPSHOT] = "heapsnapshot",
};

static error_t parse_format(struct heap *heap, const char *arg)
{
	size_t i;

	for (i = 0; i < sizeof(format_names) / sizeof(format_names[0]); i++) {
		if (strcmp(format_names[i], arg) != 0)
			continue;
		heap->format = (enum heap_format)i;
		return 0;
	}
	nd_err_set(&heap->err, -EINVAL, "'%s' is no format of this answer", arg);
	nd_err_hint(&heap->err, "text, json or html; for a snapshot heapsnapshot or nd");
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

static int snapshot(struct heap *heap, char **words)
{
	pid_t pid;
	int ret = heap_find_process(heap, "nodiag heap snapshot", words, &pid);

	if (ret)
		return ret;
	heap->taking.format = heap->format;
	ret = heap_triggers_are_set(&heap->triggers)
		      ? heap_watch(pid, &heap->taking, &heap->triggers, &heap->err)
		      : heap_snapshot_take(pid, &heap->taking, &heap->err);
	return ret ? target_fail(pid, ret, &heap->err) : EXIT_DONE;
}

#define TEXT	  (1U << HEAP_FORMAT_TEXT | 1U << HEAP_FORMAT_JSON)
#define PAGES	  (TEXT | 1U << HEAP_FORMAT_HTML)
#define SNAPSHOTS (1U << HEAP_FORMAT_TEXT | 1U << HEAP_FORMAT_ND | 1U << HEAP_FORMAT_HEAPSNAPSHOT)

/* What may stand behind "nodiag heap", with how many words behind it. */
static const struct question {
	const char *name;
	size_t min;
	size_t max;
	const char *usage;
	unsigned int options; /* enum heap_options */
	unsigned int formats; /* a bit for each enum heap_format */
	int (*answer)(struct heap *heap, char **words);
} questions[] = {
	{"snapshot", 0, 1, "nodiag heap snapshot PID", HEAP_TAKING | HEAP_WAITING | HEAP_WRITING,
	 SNAPSHOTS, snapshot},
	{"summary", 1, 1, "nodiag heap summary FILE", HEAP_LOOKING, PAGES, heap_answer_summary},
	{"diff", 2, ND_HEAP_SERIES_MAX, "nodiag heap diff BEFORE AFTER", HEAP_COMPARING, PAGES,
	 heap_answer_diff},
	{"retainers", 2, 2, "nodiag heap retainers FILE @ID, or a class", 0, TEXT,
	 heap_answer_retainers},
	{"paths", 2, 2, "nodiag heap paths FILE @ID, or a class", 0, TEXT, heap_answer_paths},
	{"show", 2, 2, "nodiag heap show FILE @ID", 0, TEXT, heap_answer_show},
	{"query", 1, 1, "nodiag heap query FILE --class CLASS", HEAP_SEARCHING, TEXT,
	 heap_answer_query},
	{"convert", 1, 1, "nodiag heap convert FILE", HEAP_WRITING, SNAPSHOTS, heap_answer_convert},
};

#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

/* As for all commands, no process is the one that there is. */
static size_t least_words(const struct heap *heap, const struct question *question)
{
	return heap->is_live && question->answer == heap_answer_summary ? 0 : question->min;
}

static const struct question *find_question(struct heap *heap)
{
	size_t words = heap->arguments.count ? heap->arguments.count - 1 : 0, i, least;
	const char *name = heap->arguments.count ? heap->arguments.list[0] : NULL;

	for (i = 0; i < QUESTIONS && name; i++) {
		if (strcmp(questions[i].name, name) != 0)
			continue;
		least = least_words(heap, &questions[i]);
		if (words >= least && words <= questions[i].max)
			return &questions[i];
		nd_err_set(&heap->err, -EINVAL, "'%s' needs %s files or words than %zu", name,
			   words < least ? "more" : "less", words);
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
static bool check_groups(struct heap *heap, const struct question *question)
{
	static const struct {
		enum heap_options options;
		const char *names;
	} groups[] = {
		{HEAP_TAKING,
		 "--timeout, --child-memory, --redact, --in-process and --worker are for 'nodiag "
		 "heap snapshot'"},
		{HEAP_WAITING, "--near-limit, --on-signal, --every, --grown and --keep are for "
			       "'nodiag heap snapshot'"},
		{HEAP_WRITING, "-o and --force are for 'nodiag heap snapshot', 'nodiag heap "
			       "convert' and -f html"},
		{HEAP_COMPARING, "--fail-if and --ignore are for 'nodiag heap diff'"},
		{HEAP_LOOKING, "--live is for 'nodiag heap summary'"},
		{HEAP_SEARCHING, "--class, --type, --min-self, --min-retained, --max-distance, "
				 "--retained-by and --sort are for 'nodiag heap query'"},
	};
	unsigned int meant = question->options;
	size_t i;

	if (heap->format == HEAP_FORMAT_HTML)
		meant |= HEAP_WRITING;
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (heap->given & groups[i].options & ~meant) {
			nd_err_set(&heap->err, -EINVAL, "%s", groups[i].names);
			return false;
		}
	return true;
}

/* Whether they go together, of those about taking snapshots. */
static bool check_taking(struct heap *heap)
{
	const struct heap_triggers *triggers = &heap->triggers;

	if (heap->taking.worker && triggers->near_limit)
		nd_err_set(&heap->err, -EINVAL, "--near-limit is for main threads");
	else if (heap->taking.in_process && heap->taking.child_memory)
		nd_err_set(&heap->err, -EINVAL, "with --in-process there is no child");
	else if (heap->taking.in_process && triggers->near_limit)
		nd_err_set(&heap->err, -EINVAL,
			   "a heap that is full can only be looked at by a "
			   "child, and not --in-process");
	else if (heap->taking.in_process && (triggers->every_ns || triggers->grown_bytes))
		nd_err_set(&heap->err, -EINVAL,
			   "--in-process is for a snapshot now, or for one "
			   "--on-signal: each stops the process");
	return !heap->err.code;
}

/* Whether all options are about what was asked. */
static int check_options(struct heap *heap, const struct question *question)
{
	bool is_fine = check_groups(heap, question) && check_taking(heap);

	if (is_fine && heap->is_live && heap->format == HEAP_FORMAT_HTML) {
		nd_err_set(&heap->err, -EINVAL, "--live has text and JSON");
		is_fine = false;
	}
	if (is_fine && !(question->formats >> heap->format & 1)) {
		nd_err_set(&heap->err, -EINVAL, "'nodiag heap %s' has no format '%s'",
			   question->name, format_names[heap->format]);
		is_fine = false;
	}
	if (is_fine)
		return EXIT_DONE;
	nd_err_hint(&heap->err, "nodiag heap --help");
	return EXIT_USAGE;
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

	out_close(&heap->page);
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
	struct heap heap = {
		.limit = DEFAULT_LIMIT,
		.taking = {.timeout_ns = DEFAULT_TIMEOUT_NS},
		.triggers = {.keep = DEFAULT_KEEP},
		.page.fd = -1,
		.query = {.type = -1, .max_distance = -1, .retained_by = ND_HEAP_NONE},
	};
	int ret = arguments_read(&argp, argc, argv, &heap, &heap.err);

	if (!ret && heap.arguments.help)
		ret = arguments_print_help(&argp, &heap.arguments, argv[0], &heap.err);
	else if (!ret)
		ret = run(&heap);
	if (ret && heap.err.code)
		term_error(&heap.err);
	fini(&heap);
	return ret;
}
