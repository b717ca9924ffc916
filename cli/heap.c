/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag heap: what is in a heap snapshot, what grew between several, and what keeps it alive. */

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/census.h"
#include "analyzer/heap/diff.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/retainers.h"
#include "analyzer/heap/summary.h"
#include "analyzer/heap/suspects.h"
#include "analyzer/render/heap.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/heap_file.h"
#include "cli/heap_live.h"
#include "cli/heap_page.h"
#include "cli/heap_snapshot.h"
#include "cli/out.h"
#include "cli/target.h"
#include "cli/term.h"
#include "cli/units.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/intern.h"
#include "proto/limits.h"

#define DEFAULT_LIMIT 15
#define LIMIT_MAX     1000000

/* Until the child that takes a snapshot is killed. */
#define DEFAULT_TIMEOUT_NS (300 * ND_NSEC_PER_SEC)

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_HTML };

struct heap {
	enum format format;
	bool is_live; /* summary: of a process, and not of a file */
	uint32_t limit;
	enum term_colour colour;
	const char *fail_text; /* --fail-if as given; NULL: there is none */
	uint64_t fail_bytes;
	const char **ignore;
	uint32_t ignore_count;
	struct heap_snapshot_options taking;
	bool is_for_taking; /* an option of `snapshot` alone was given */
	bool is_for_file;   /* --output or --force was given */
	struct out page;    /* where the page goes */
	struct arguments arguments;
	struct nd_err err;

	/* The last snapshot. */
	struct nd_intern *names;
	struct nd_heap *snapshot;
	struct nd_heap_analysis analysis;
	struct nd_heap_paths paths;
	struct nd_heap_census *census; /* of the others */
	uint32_t census_count;
};

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
	OPT_WORKER
};

static const struct argp_option options[] = {
	{NULL, 0, NULL, 0, "Taking a snapshot", 0},
	{"timeout", OPT_TIMEOUT, "TIME", 0, "Give up after TIME: 90s, 10m (default 5m)", 0},
	{"child-memory", OPT_MEMORY, "SIZE", 0,
	 "What the process's child may take: 512M, 4G (default 36 times the heap)", 0},
	{"redact", OPT_REDACT, NULL, 0,
	 "Leave out what strings say; lengths and hashes stay, and names in the code", 0},
	{"worker", OPT_WORKER, "N", 0,
	 "Of the worker with that thread id, which 'nodiag lag' shows", 0},
	{NULL, 0, NULL, 0, "Looking at a process", 1},
	{"live", OPT_LIVE, NULL, 0, "summary: of a running process, without a snapshot", 1},
	{NULL, 0, NULL, 0, "Comparing", 2},
	{"fail-if", OPT_FAIL_IF, "SIZE", 0,
	 "Exit with 5 if the heap grew by more than SIZE: 512K, 10M, 1G", 2},
	{"ignore", OPT_IGNORE, "CLASS", 0, "Leave out a class that may grow; may be repeated", 2},
	{NULL, 0, NULL, 0, "Output", 3},
	{"format", 'f', "FORMAT", 0,
	 "text, json, or for summary and diff html, a page for a browser (default text)", 2},
	{"output", 'o', "FILE", 0,
	 "Write the snapshot or the page to FILE, - for stdout (default "
	 "heap-PID-TIME.heapsnapshot or heap-TIME.html)",
	 2},
	{"force", OPT_FORCE, NULL, 0, "Replace FILE if it exists", 2},
	{"limit", OPT_LIMIT, "N", 0, "Rows of each table of the text (default 15)", 2},
	{"json", OPT_JSON, NULL, 0, "Print JSON, for your own programs", 2},
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
	"FILE is a .heapsnapshot of Node.js or Chrome, plain or packed by gzip or zstd, or - for "
	"standard input. 'node --heapsnapshot-signal=SIGUSR2' and v8.writeHeapSnapshot() write "
	"them.\n\n"
	"summary shows totals, the places where memory gathers, the largest classes and objects, "
	"and strings that are there several times. With --live it shows what a running process has "
	"in memory, by V8's spaces and by kind, and takes no snapshot. diff shows first who is "
	"suspected to leak, "
	"with the way to it, and then the classes that grew; of three snapshots or more, only "
	"what grew each time. retainers shows what keeps an object, @ID, or the objects of a "
	"class alive.\n\n"
	"Examples:\n"
	"  nodiag heap snapshot 4711 -o app.heapsnapshot\n"
	"  nodiag heap summary app.heapsnapshot\n"
	"  nodiag heap summary --live 4711\n"
	"  nodiag heap diff before.heapsnapshot after.heapsnapshot\n"
	"  nodiag heap diff -f html before.heapsnapshot after.heapsnapshot\n"
	"  nodiag heap diff --fail-if 10M 1.heapsnapshot 2.heapsnapshot 3.heapsnapshot\n"
	"  nodiag heap retainers app.heapsnapshot @4711\n"
	"  nodiag heap retainers app.heapsnapshot Session\n\n"
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

/* Those of `snapshot`. */
static error_t parse_taking(int key, char *arg, struct heap *heap)
{
	heap->is_for_taking = true;
	if (key == OPT_TIMEOUT)
		return arguments_parse_time(arg, &heap->taking.timeout_ns, &heap->err);
	switch (key) {
	case OPT_TIMEOUT:
		return arguments_parse_time(arg, &heap->taking.timeout_ns, &heap->err);
	case OPT_MEMORY:
		return parse_child_memory(heap, arg);
	case OPT_WORKER:
		return parse_worker(heap, arg);
	default:
		heap->taking.redact = true;
		return 0;
	}
}

static error_t parse_format(struct heap *heap, const char *arg)
{
	static const char *const names[] = {
		[FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", [FORMAT_HTML] = "html"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], arg) != 0)
			continue;
		heap->format = (enum format)i;
		return 0;
	}
	nd_err_set(&heap->err, -EINVAL, "'%s' is no format of this answer", arg);
	nd_err_hint(&heap->err, "text, json or html");
	return EINVAL;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct heap *heap = state->input;

	switch (key) {
	case OPT_LIMIT:
		return parse_limit(heap, arg);
	case OPT_FAIL_IF:
		return parse_fail_if(heap, arg);
	case OPT_IGNORE:
		return add_ignored(heap, arg);
	case 'f':
		return parse_format(heap, arg);
	case OPT_JSON:
		heap->format = FORMAT_JSON;
		return 0;
	case OPT_LIVE:
		heap->is_live = true;
		return 0;
	case 'o':
		heap->taking.output = arg;
		heap->is_for_file = true;
		return 0;
	case OPT_FORCE:
		heap->taking.force = heap->is_for_file = true;
		return 0;
	case OPT_TIMEOUT:
	case OPT_MEMORY:
	case OPT_REDACT:
	case OPT_WORKER:
		return parse_taking(key, arg, heap);
	case OPT_COLOR:
		return term_parse_colour(arg, &heap->colour, &heap->err);
	default:
		return arguments_parse(key, state, &heap->arguments, &heap->err);
	}
}

static const struct argp argp = {options,
				 parse_option,
				 "snapshot [PID]\nsummary FILE\nsummary --live [PID]\ndiff FILE "
				 "FILE...\nretainers FILE @ID|CLASS",
				 documentation,
				 NULL,
				 NULL,
				 NULL};

/* The exit status of a failure to get something. */
static int status_of(int code)
{
	if (code == -ENOENT)
		return EXIT_NO_TARGET;
	return code == -EACCES || code == -EPERM ? EXIT_PERMISSION : EXIT_FAILED;
}

/* Print what was rendered, unless that failed. */
static int print(struct heap *heap, int ret, const struct nd_buf *text)
{
	if (ret)
		nd_err_set_errno(&heap->err, ret, "cannot print the answer");
	else
		fwrite(text->data, 1, text->len, stdout);
	return ret || out_flush_stdout(&heap->err) ? EXIT_FAILED : EXIT_DONE;
}

/* Read and analyse the last, or the only, snapshot. */
static int analyse(struct heap *heap, const char *path)
{
	int ret = heap_file_read(path, &heap->snapshot, &heap->err);

	if (!ret)
		ret = nd_heap_analyse(heap->snapshot, heap->names, &heap->analysis, &heap->err);
	if (!ret && nd_heap_paths_init(&heap->paths, heap->snapshot, &heap->analysis))
		ret = nd_err_set(&heap->err, -ENOMEM, "out of memory");
	return ret ? status_of(ret) : EXIT_DONE;
}

/* The one process that the words name. */
static int find_process(struct heap *heap, const char *command, char **words, pid_t *ret_pid)
{
	const struct target_syntax syntax = {.command = command, .pids_only = true};
	struct target target = {0};
	int ret =
		target_parse(&syntax, words, heap->arguments.count - 1, NULL, &target, &heap->err);

	if (!ret)
		*ret_pid = target.pids[0];
	return ret;
}

/* See that the page, if there will be one, has a place before the work begins. */
static int claim_page(struct heap *heap)
{
	if (heap->format == FORMAT_HTML &&
	    heap_page_open(&heap->page, heap->taking.output, heap->taking.force, &heap->err))
		return EXIT_FAILED;
	return EXIT_DONE;
}

/* Whether the page is all that is wanted on stdout. */
static bool page_is_printed(const struct heap *heap)
{
	return heap->format == FORMAT_HTML && !strcmp(heap->page.path, "-");
}

/* Behind the answer in text: where the page is. */
static int tell_page(struct heap *heap)
{
	if (heap->format == FORMAT_HTML && !page_is_printed(heap))
		printf("\n%s\n", heap->page.path);
	return out_flush_stdout(&heap->err) ? EXIT_FAILED : EXIT_DONE;
}

static int look(struct heap *heap, char **words)
{
	const struct heap_live_options live = {heap->format == FORMAT_JSON,
					       term_has_colour(heap->colour)};
	struct nd_buf text;
	pid_t pid;
	int ret = find_process(heap, "nodiag heap summary --live", words, &pid);

	if (ret)
		return ret;
	nd_buf_init(&text, ND_OUTPUT_MAX);
	ret = heap_live_look(pid, &live, &text, &heap->err);
	ret = ret ? target_fail(pid, ret, &heap->err) : print(heap, 0, &text);
	nd_buf_fini(&text);
	return ret;
}

static int print_summary(struct heap *heap, const struct nd_heap_summary *summary, const char *name)
{
	struct nd_buf text;
	int ret;

	if (page_is_printed(heap))
		return EXIT_DONE;
	nd_buf_init(&text, ND_OUTPUT_MAX);
	if (heap->format == FORMAT_JSON)
		ret = nd_render_heap_summary_json(summary, name, &text);
	else
		ret = nd_render_heap_summary(summary, name, term_has_colour(heap->colour), &text);
	ret = print(heap, ret, &text);
	nd_buf_fini(&text);
	return ret;
}

static int summarize(struct heap *heap, char **files)
{
	struct nd_heap_summary summary;
	bool has_page = heap->format == FORMAT_HTML;
	uint32_t limit = heap->limit;
	int ret;

	if (heap->is_live)
		return look(heap, files);
	ret = claim_page(heap);
	if (!ret)
		ret = analyse(heap, files[0]);
	if (ret)
		return ret;
	if (has_page && limit < ND_HEAP_PAGE_ROWS)
		limit = ND_HEAP_PAGE_ROWS;
	if (nd_heap_summarize(&heap->paths, limit, &summary, &heap->err))
		return EXIT_FAILED;
	if (has_page && heap_page_write_summary(&heap->page, &summary, files[0], &heap->err))
		ret = EXIT_FAILED;
	nd_heap_summary_cut(&summary, heap->limit);
	if (!ret)
		ret = print_summary(heap, &summary, files[0]);
	if (!ret)
		ret = tell_page(heap);
	nd_heap_summary_fini(&summary);
	return ret;
}

/* Of all snapshots but the last one only a census is kept. */
static int take_census(struct heap *heap, char **files, uint32_t count)
{
	struct nd_heap *snapshot;
	int ret;

	heap->census = calloc(count, sizeof(*heap->census));
	if (!heap->census) {
		nd_err_set(&heap->err, -ENOMEM, "out of memory");
		return EXIT_FAILED;
	}
	for (; heap->census_count < count; heap->census_count++) {
		ret = heap_file_read(files[heap->census_count], &snapshot, &heap->err);
		if (ret)
			return status_of(ret);
		ret = nd_heap_census_take(snapshot, heap->names, &heap->census[heap->census_count],
					  &heap->err);
		nd_heap_free(snapshot);
		if (ret)
			return EXIT_FAILED;
	}
	return EXIT_DONE;
}

static int check_growth(const struct heap *heap, int64_t grown)
{
	if (!heap->fail_text || grown <= 0 || (uint64_t)grown <= heap->fail_bytes)
		return EXIT_DONE;
	term_note("the heap grew by %.1f MiB, over --fail-if %s", (double)grown / (1 << 20),
		  heap->fail_text);
	return EXIT_THRESHOLD;
}

static int print_diff(struct heap *heap, const struct nd_heap_comparison *comparison)
{
	struct nd_buf text;
	int ret;

	if (page_is_printed(heap))
		return EXIT_DONE;
	nd_buf_init(&text, ND_OUTPUT_MAX);
	if (heap->format == FORMAT_JSON)
		ret = nd_render_heap_diff_json(comparison, &text);
	else
		ret = nd_render_heap_diff(comparison, term_has_colour(heap->colour), &text);
	ret = print(heap, ret, &text);
	nd_buf_fini(&text);
	return ret;
}

static int answer_diff(struct heap *heap, char **files, const struct nd_heap_series *series)
{
	struct nd_heap_suspects suspects;
	struct nd_heap_diff diff;
	struct nd_heap_comparison comparison = {
		.series = series,
		.diff = &diff,
		.suspects = &suspects,
		.paths = &heap->paths,
		.names = files,
		.limit = heap->limit,
	};
	int ret;

	if (nd_heap_compare(series, &diff, &heap->err))
		return EXIT_FAILED;
	if (nd_heap_diff_is_mixed(&diff))
		term_note("'%s' and '%s' are not of one process: the same ids are of other "
			  "objects, so what is new cannot be told",
			  files[0], files[series->count]);
	ret = nd_heap_find_growth(series, &suspects, &heap->err) ? EXIT_FAILED : EXIT_DONE;
	if (!ret && heap->format == FORMAT_HTML &&
	    heap_page_write_diff(&heap->page, &comparison, &heap->err))
		ret = EXIT_FAILED;
	if (!ret)
		ret = print_diff(heap, &comparison);
	if (!ret)
		ret = tell_page(heap);
	if (!ret)
		ret = check_growth(heap, diff.grown);
	nd_heap_diff_fini(&diff);
	return ret;
}

static int compare(struct heap *heap, char **files)
{
	uint32_t count = (uint32_t)heap->arguments.count - 2, i;
	struct nd_heap_series series;
	int ret = claim_page(heap);

	if (!ret)
		ret = take_census(heap, files, count);
	if (!ret)
		ret = analyse(heap, files[count]);
	for (i = 0; i < count && !ret; i++)
		if (nd_heap_census_class(&heap->census[i], &heap->analysis.interfaces,
					 heap->names)) {
			nd_err_set(&heap->err, -ENOMEM, "out of memory");
			ret = EXIT_FAILED;
		}
	if (ret)
		return ret;
	series = (struct nd_heap_series){
		.census = heap->census,
		.count = count,
		.heap = heap->snapshot,
		.analysis = &heap->analysis,
		.ignore = heap->ignore,
		.ignore_count = heap->ignore_count,
	};
	return answer_diff(heap, files, &series);
}

static int explain_object(struct heap *heap, const char *path, const char *text)
{
	struct nd_buf out;
	uint32_t node = ND_HEAP_NONE;
	uint64_t id;
	int ret;

	if (units_parse_number(text + 1, 0, UINT32_MAX, &id))
		node = nd_heap_find_id(heap->snapshot, (uint32_t)id);
	if (node == ND_HEAP_NONE) {
		nd_err_set(&heap->err, -ENOENT, "no object '%s' in '%s'", text, path);
		nd_err_hint(&heap->err, "'nodiag heap summary %s' lists the largest", path);
		return EXIT_NO_TARGET;
	}
	nd_buf_init(&out, ND_OUTPUT_MAX);
	if (heap->format == FORMAT_JSON)
		ret = nd_render_heap_retainers_json(&heap->paths, node, heap->limit, &out);
	else
		ret = nd_render_heap_retainers(&heap->paths, node, heap->limit,
					       term_has_colour(heap->colour), &out);
	ret = print(heap, ret, &out);
	nd_buf_fini(&out);
	return ret;
}

static int explain_class(struct heap *heap, const char *path, const char *class)
{
	struct nd_heap_ways ways;
	struct nd_buf out;
	int ret = nd_heap_find_ways(&heap->paths, class, &ways);

	if (ret == -ENOENT) {
		nd_err_set(&heap->err, ret, "no class '%s' in '%s'", class, path);
		nd_err_hint(&heap->err, "'nodiag heap summary %s' lists the largest", path);
		return EXIT_NO_TARGET;
	}
	if (ret) {
		nd_err_set(&heap->err, ret, "out of memory");
		return EXIT_FAILED;
	}
	nd_buf_init(&out, ND_OUTPUT_MAX);
	if (heap->format == FORMAT_JSON)
		ret = nd_render_heap_ways_json(&heap->paths, class, &ways, heap->limit, &out);
	else
		ret = nd_render_heap_ways(&heap->paths, class, &ways, heap->limit,
					  term_has_colour(heap->colour), &out);
	ret = print(heap, ret, &out);
	nd_buf_fini(&out);
	nd_heap_ways_fini(&ways);
	return ret;
}

static int explain(struct heap *heap, char **words)
{
	int ret = analyse(heap, words[0]);

	if (ret)
		return ret;
	return words[1][0] == '@' ? explain_object(heap, words[0], words[1])
				  : explain_class(heap, words[0], words[1]);
}

static int snapshot(struct heap *heap, char **words)
{
	pid_t pid;
	int ret = find_process(heap, "nodiag heap snapshot", words, &pid);

	if (ret)
		return ret;
	ret = heap_snapshot_take(pid, &heap->taking, &heap->err);
	return ret ? target_fail(pid, ret, &heap->err) : EXIT_DONE;
}

/* What may stand behind "nodiag heap", with how many words behind it. */
static const struct question {
	const char *name;
	size_t min;
	size_t max;
	const char *usage;
	int (*answer)(struct heap *heap, char **words);
} questions[] = {
	{"snapshot", 0, 1, "nodiag heap snapshot PID", snapshot},
	{"summary", 1, 1, "nodiag heap summary FILE", summarize},
	{"diff", 2, ND_HEAP_SERIES_MAX, "nodiag heap diff BEFORE AFTER", compare},
	{"retainers", 2, 2, "nodiag heap retainers FILE @ID, or a class", explain},
};

#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

/* As for all commands, no process is the one that there is. */
static size_t least_words(const struct heap *heap, const struct question *question)
{
	return heap->is_live && question->answer == summarize ? 0 : question->min;
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
		    "nodiag heap snapshot and a process, or summary, diff or retainers and a file");
	return NULL;
}

/* Whether all options are about what was asked. */
static int check_options(struct heap *heap, const struct question *question)
{
	bool is_taking = question->answer == snapshot;

	if ((heap->fail_text || heap->ignore_count) && question->answer != compare)
		nd_err_set(&heap->err, -EINVAL,
			   "--fail-if and --ignore are for 'nodiag heap diff'");
	else if (heap->is_for_taking && !is_taking)
		nd_err_set(&heap->err, -EINVAL,
			   "--timeout, --child-memory, --redact and --worker are for 'nodiag heap "
			   "snapshot'");
	else if (heap->is_live && question->answer != summarize)
		nd_err_set(&heap->err, -EINVAL, "--live is for 'nodiag heap summary'");
	else if (heap->is_live && heap->format == FORMAT_HTML)
		nd_err_set(&heap->err, -EINVAL, "--live has text and JSON");
	else if (heap->format == FORMAT_HTML && (is_taking || question->answer == explain))
		nd_err_set(&heap->err, -EINVAL,
			   "-f html is for 'nodiag heap summary' and 'nodiag heap diff'");
	else if (heap->is_for_file && !is_taking && heap->format != FORMAT_HTML)
		nd_err_set(&heap->err, -EINVAL,
			   "-o and --force are for 'nodiag heap snapshot' and for -f html");
	else
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
		.page.fd = -1,
	};
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
