/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_H
#define NODIAG_CLI_HEAP_H

/*
 * What the questions of 'nodiag heap' have in common: their options and what they read. Each answer
 * gets the words behind the question's name, prints, and returns an exit status; where that is not
 * 0, `err` says why.
 */

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/collections.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/query.h"
#include "cli/arguments.h"
#include "cli/heap_format.h"
#include "cli/heap_snapshot.h"
#include "cli/heap_watch.h"
#include "cli/out.h"
#include "cli/term.h"
#include "common/err.h"

struct nd_buf;
struct nd_heap;
struct nd_heap_census;
struct nd_intern;

/* Options that are not for every question. */
enum heap_options {
	HEAP_TAKING = 1,    /* of 'snapshot', how it is taken */
	HEAP_COMPARING = 2, /* of 'diff' */
	HEAP_SEARCHING = 4, /* of 'query' */
	HEAP_WRITING = 8,   /* of what becomes a file */
	HEAP_LOOKING = 16,  /* --live */
	HEAP_WAITING = 32   /* of 'snapshot', when it is taken */
};

struct heap {
	enum heap_format format;
	bool is_live; /* summary: of a process, and not of a file */
	uint32_t limit;
	enum term_colour colour;
	const char *fail_text; /* --fail-if as given; NULL: there is none */
	uint64_t fail_bytes;
	const char **ignore;
	uint32_t ignore_count;
	struct heap_snapshot_options taking;
	struct heap_triggers triggers;
	struct nd_heap_query query;
	const char *retained_by; /* --retained-by as given, or NULL */
	unsigned int given;	 /* enum heap_options: those that some were given of */
	struct out page;	 /* where the page of -f html goes */
	struct arguments arguments;
	struct nd_err err;

	/* The last snapshot. */
	struct nd_intern *names;
	struct nd_heap *snapshot;
	struct nd_heap_analysis analysis;
	struct nd_heap_paths paths;
	struct nd_heap_collections collections; /* only when `wants_collections` */
	bool wants_collections;
	bool defers_edges;	       /* a few are looked at */
	bool skips_distances;	       /* nothing that is printed has one */
	struct nd_heap_census *census; /* of the others */
	uint32_t census_count;
};

int heap_answer_summary(struct heap *heap, char **files);
int heap_answer_diff(struct heap *heap, char **files);
int heap_answer_retainers(struct heap *heap, char **words);
int heap_answer_show(struct heap *heap, char **words);
int heap_answer_paths(struct heap *heap, char **words);
int heap_answer_query(struct heap *heap, char **words);
int heap_answer_convert(struct heap *heap, char **files);

/* The one process that the words name. An exit status, as of all of these. */
int heap_find_process(struct heap *heap, const char *command, char **words, pid_t *ret_pid);

/* See that the page, if there will be one, has a place before the work begins. */
int heap_claim_page(struct heap *heap);

/* Whether the page is all that is wanted on stdout. */
bool heap_page_is_printed(const struct heap *heap);

/* Say, behind the answer in text, where the page is. */
int heap_tell_page(struct heap *heap);

/* Read and analyse the last, or the only, snapshot. An exit status. */
int heap_analyse(struct heap *heap, const char *path);

/* The exit status of a failure to get something. */
int heap_status_of(int code);

/* Print what was rendered, unless that failed. An exit status. */
int heap_print(struct heap *heap, int ret, const struct nd_buf *text);

/*
 * The object that a word such as "@4711" names. EXIT_NO_TARGET when there is none in the file at
 * `path`.
 */
int heap_find_object(struct heap *heap, const char *path, const char *word, uint32_t *ret_node);

/* There are no objects of that class. EXIT_NO_TARGET. */
int heap_set_no_class(struct heap *heap, const char *path, const char *class);

#endif /* NODIAG_CLI_HEAP_H */
