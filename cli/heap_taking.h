/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_TAKING_H
#define NODIAG_CLI_HEAP_TAKING_H

/* What the files that take a heap snapshot share with each other, and with nobody else. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/out.h"
#include "common/err.h"

#define HEAP_READ_BYTES (256u << 10)

struct channel;
struct heap_snapshot_options;
struct nd_forked;
struct nd_heap_reader;
struct nd_snapshot_wish;

struct taking {
	pid_t pid;
	const struct heap_snapshot_options *options;
	struct nd_err *err;
	struct channel *channel;
	bool is_ours;  /* the agent was loaded for this */
	bool at_limit; /* it is taken when the heap is nearly full */
	int stream;    /* our end; -1: there is none */
	struct out out;
	struct nd_heap_reader *reader;
	struct nd_err damage; /* what the reader found */
	char *chunk;
	uint64_t used_bytes; /* of the heap; 0: not known */
	uint64_t told_ns;    /* when the agent was told what is free; of at_limit */
	uint64_t start_ns;
	uint64_t shown_ns;
	uint64_t looking_ns; /* when V8 began to look at objects, by what it said; 0: it has not */
	uint64_t writing_ns; /* and to write; likewise */
	uint64_t bytes;
};

/* The child's alarm rings at full seconds. */
uint32_t heap_taking_timeout_s(const struct taking *taking);

/* The process ended before the child did. */
int heap_taking_set_ended(struct taking *taking);

/* Somebody wants it no more. */
int heap_taking_set_interrupted(struct taking *taking);

/* There was not enough time. */
int heap_taking_set_late(struct taking *taking);

/*
 * Ask for a snapshot with these of enum nd_snapshot_flag besides what the options say, and wait
 * until the thread has come by. 0 when it has, and did what `ret_forked` says.
 */
int heap_taking_begin(struct taking *taking, uint32_t flags, struct nd_snapshot_wish *ret_wish,
		      struct nd_forked *ret_forked);

void heap_taking_close_stream(struct taking *taking);

/*
 * Whether its V8 takes ever longer for an object, so that the time goes by the square of the heap:
 * that of Node 18 took 165 s for 126 MiB, where others take 10.
 */
bool heap_taking_is_slow(const struct taking *taking);

/* Say what V8 does and how long that will still take, if stderr is a terminal, once a second. */
void heap_taking_show_progress(struct taking *taking);

/*
 * The stream has ended, and who wrote it says whether all was written: keep it where it is a whole
 * snapshot.
 */
int heap_taking_conclude(struct taking *taking, bool is_whole);

/* Take one that the thread writes itself, after saying what that costs. */
int heap_taking_inside(struct taking *taking);

/* When its stream has ended: hear how that went. */
int heap_taking_finish_inside(struct taking *taking);

/*
 * Copy the stream to the output, and read it on the way, until it has ended; then hear from the
 * agent how the child did. 0 when the snapshot is complete, -EAGAIN when another child may have
 * better luck.
 */
int heap_taking_copy(struct taking *taking);

#endif /* NODIAG_CLI_HEAP_TAKING_H */
