/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag heap: what is in a heap snapshot, what grew between several, and what keeps it alive. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/census.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/suspects.h"
#include "cli/command.h"
#include "cli/heap.h"
#include "cli/heap_options.h"
#include "cli/target.h"
#include "common/clock.h"
#include "common/intern.h"

#define DEFAULT_LIMIT 15

#define DEFAULT_KEEP 3

/* Until the child that takes a snapshot is killed. */
#define DEFAULT_TIMEOUT_NS (300 * ND_NSEC_PER_SEC)

static int snapshot(struct heap *heap, char **words)
{
	pid_t pid;
	bool is_watch = heap_triggers_are_set(&heap->triggers);
	int ret = heap_find_process(heap, "nodiag heap snapshot", words, &pid);

	if (ret)
		return ret;
	/* The name of a folder says nothing of what is in it. */
	heap->taking.format =
		heap_format_choose(heap->format, is_watch ? NULL : heap->taking.output);
	heap->taking.advise = true;
	ret = is_watch ? heap_watch(pid, &heap->taking, &heap->triggers, &heap->err)
		       : heap_snapshot_take(pid, &heap->taking, &heap->err);
	return ret ? target_fail(pid, ret, &heap->err) : EXIT_DONE;
}

#define TEXT	  (1U << HEAP_FORMAT_TEXT | 1U << HEAP_FORMAT_JSON)
#define PAGES	  (TEXT | 1U << HEAP_FORMAT_HTML)
#define SNAPSHOTS (1U << HEAP_FORMAT_ND | 1U << HEAP_FORMAT_HEAPSNAPSHOT)

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
	if (is_fine && heap->format != HEAP_FORMAT_USUAL &&
	    !(question->formats >> heap->format & 1)) {
		nd_err_set(&heap->err, -EINVAL, "'nodiag heap %s' has no format '%s'",
			   question->name, heap_format_get_name(heap->format));
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
	int ret = heap_options_read(&heap, argc, argv);

	if (!ret && !heap.arguments.help)
		ret = run(&heap);
	if (ret && heap.err.code)
		term_error(&heap.err);
	fini(&heap);
	return ret;
}
