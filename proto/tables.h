/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_TABLES_H
#define NODIAG_PROTO_TABLES_H

/*
 * What the ids in a recording stand for: strings, functions, calls and threads. They are put into
 * parts of names, each once, as they come; later parts go on where earlier ones ended. For
 * recorder.c alone.
 *
 * Functions that return int give 0, -ENOMEM, or -E2BIG at a ceiling of proto/limits.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/set.h"
#include "proto/call.h"

struct nd_buf;
struct nd_intern;

struct nd_tables {
	struct nd_intern *strings;
	struct nd_set calls;   /* struct nd_name_call; an id of the recording is the set's + 1 */
	struct nd_set threads; /* by process and thread id */
	struct nd_list thread_names; /* uint32_t: ids of strings, beside `threads` */
	/* How far each was put into parts, of which some may not be in the file yet. */
	struct {
		uint32_t strings;
		uint32_t frames;
		uint32_t calls;
		uint32_t threads;
	} done;
};

int nd_tables_init(struct nd_tables *tables);

/* Also after that failed, and of all zeros. */
void nd_tables_fini(struct nd_tables *tables);

/* Whether a thread is there, and its id. */
bool nd_tables_find_thread(const struct nd_tables *tables, uint32_t pid, uint32_t tid,
			   uint32_t *ret_id);

/* Add a thread, unless it is there. */
int nd_tables_add_thread(struct nd_tables *tables, uint32_t pid, uint32_t tid, const char *name);

/* Add a stack, from its root on, as far as its calls are new. Its id; 0 for one without calls. */
int nd_tables_add_calls(struct nd_tables *tables, const struct nd_call *calls, size_t depth,
			uint32_t *ret_call);

/* Calls that are in no part yet. */
uint32_t nd_tables_count_new_calls(const struct nd_tables *tables);

/* Whether anything is in no part yet. `frame_count` is how many functions there are by now. */
bool nd_tables_have_new(const struct nd_tables *tables, uint32_t frame_count);

/*
 * Encode the payload of one part of names: functions first, then what is made of them, as much as
 * one part may have. `frames` are all functions there are. Also the buffer's error.
 */
int nd_tables_encode(struct nd_tables *tables, const struct nd_frame *frames, uint32_t frame_count,
		     struct nd_buf *out);

#endif /* NODIAG_PROTO_TABLES_H */
