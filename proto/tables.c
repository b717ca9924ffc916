/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/intern.h"
#include "common/list.h"
#include "proto/codec.h"
#include "proto/limits.h"

/* How much of each goes into one part, so that it stays below ND_PART_UNPACKED_MAX at the worst. */
#define PART_NAMES	  (64u << 10)
#define PART_STRING_BYTES (1u << 20)

struct thread_key {
	uint32_t pid;
	uint32_t tid;
};

int nd_tables_init(struct nd_tables *tables)
{
	*tables = (struct nd_tables){
		.strings = nd_intern_new(),
		.calls.size = sizeof(struct nd_name_call),
		.threads.size = sizeof(struct thread_key),
		.thread_names.size = sizeof(uint32_t),
		.done.strings = 1,
	};
	return tables->strings ? 0 : -ENOMEM;
}

void nd_tables_fini(struct nd_tables *tables)
{
	nd_intern_free(tables->strings);
	nd_set_fini(&tables->calls);
	nd_set_fini(&tables->threads);
	free(tables->thread_names.items);
}

static int intern(struct nd_tables *tables, const char *str, uint32_t *ret_id)
{
	if (nd_intern_add(tables->strings, str, strnlen(str, ND_RECORDING_STRING_MAX), ret_id))
		return -ENOMEM;
	return nd_intern_count(tables->strings) > ND_RECORDING_STRINGS_MAX ? -E2BIG : 0;
}

bool nd_tables_find_thread(const struct nd_tables *tables, uint32_t pid, uint32_t tid,
			   uint32_t *ret_id)
{
	struct thread_key key = {.pid = pid, .tid = tid};

	return nd_set_find(&tables->threads, &key, ret_id);
}

int nd_tables_add_thread(struct nd_tables *tables, uint32_t pid, uint32_t tid, const char *name)
{
	struct thread_key key = {.pid = pid, .tid = tid};
	uint32_t id, string;
	int ret;

	if (nd_set_find(&tables->threads, &key, &id))
		return 0;
	ret = intern(tables, name, &string);
	if (!ret)
		ret = nd_list_add(&tables->thread_names, &string);
	if (ret)
		return ret;
	ret = nd_set_add(&tables->threads, &key, ND_RECORDING_THREADS_MAX, &id);
	if (ret)
		tables->thread_names.count--;
	return ret;
}

int nd_tables_add_calls(struct nd_tables *tables, const struct nd_call *calls, size_t depth,
			uint32_t *ret_call)
{
	size_t i = depth < ND_STACK_DEPTH_MAX ? depth : ND_STACK_DEPTH_MAX;
	struct nd_name_call call = {0};
	uint32_t id = 0;
	int ret;

	while (i-- > 0) {
		call = (struct nd_name_call){
			.caller = id,
			.frame = calls[i].frame,
			.line = calls[i].line,
			.column = calls[i].column,
			.tier = calls[i].tier,
			.inlined = calls[i].inlined,
		};
		ret = nd_set_add(&tables->calls, &call, ND_RECORDING_CALLS_MAX, &id);
		if (ret)
			return ret;
		id++;
	}
	*ret_call = id;
	return 0;
}

/* Frames for one part: as many as its ceilings allow. */
static int take_frames(struct nd_tables *tables, const struct nd_frame *frames, uint32_t count,
		       struct nd_list *rows)
{
	struct nd_name_frame row;
	size_t bytes = 0;
	int ret = 0;

	if (count > ND_RECORDING_FRAMES_MAX)
		return -E2BIG;
	for (; tables->done.frames < count && rows->count < PART_NAMES && bytes < PART_STRING_BYTES;
	     tables->done.frames++) {
		const struct nd_frame *frame = &frames[tables->done.frames];

		row = (struct nd_name_frame){
			.line = frame->line, .column = frame->column, .kind = frame->kind};
		ret = intern(tables, frame->name, &row.name);
		if (!ret)
			ret = intern(tables, frame->file, &row.file);
		if (!ret)
			ret = nd_list_add(rows, &row);
		if (ret)
			break;
		bytes += strlen(frame->name) + strlen(frame->file);
	}
	return ret;
}

static int take_strings(struct nd_tables *tables, struct nd_list *rows)
{
	uint32_t count = nd_intern_count(tables->strings);
	const char *str;
	int ret = 0;

	for (; tables->done.strings < count && !ret; tables->done.strings++) {
		str = nd_intern_get(tables->strings, tables->done.strings);
		ret = nd_list_add(rows, &str);
	}
	return ret;
}

static int take_threads(struct nd_tables *tables, struct nd_list *rows)
{
	const struct thread_key *keys = (const void *)tables->threads.records;
	const uint32_t *names = tables->thread_names.items;
	struct nd_name_thread row;
	int ret = 0;

	for (; tables->done.threads < tables->threads.count && rows->count < PART_NAMES && !ret;
	     tables->done.threads++) {
		row = (struct nd_name_thread){.pid = keys[tables->done.threads].pid,
					      .tid = keys[tables->done.threads].tid,
					      .name = names[tables->done.threads]};
		ret = nd_list_add(rows, &row);
	}
	return ret;
}

int nd_tables_encode(struct nd_tables *tables, const struct nd_frame *frames, uint32_t frame_count,
		     struct nd_buf *out)
{
	struct nd_list frame_rows = {.size = sizeof(struct nd_name_frame)};
	struct nd_list thread_rows = {.size = sizeof(struct nd_name_thread)};
	struct nd_list string_rows = {.size = sizeof(char *)};
	struct nd_names names = {.first_string = tables->done.strings,
				 .first_frame = tables->done.frames,
				 .first_call = tables->done.calls + 1,
				 .first_thread = tables->done.threads};
	int ret = take_frames(tables, frames, frame_count, &frame_rows);

	if (!ret)
		ret = take_threads(tables, &thread_rows);
	if (!ret)
		ret = take_strings(tables, &string_rows);
	if (!ret && tables->done.frames == frame_count) {
		names.calls = (const struct nd_name_call *)(const void *)tables->calls.records +
			      tables->done.calls;
		names.call_count = tables->calls.count - tables->done.calls;
		if (names.call_count > PART_NAMES)
			names.call_count = PART_NAMES;
		tables->done.calls += (uint32_t)names.call_count;
	}
	names.frames = frame_rows.items;
	names.frame_count = frame_rows.count;
	names.threads = thread_rows.items;
	names.thread_count = thread_rows.count;
	names.strings = string_rows.items;
	names.string_count = string_rows.count;
	if (!ret)
		ret = nd_codec_encode_names(&names, out);
	free(frame_rows.items);
	free(thread_rows.items);
	free(string_rows.items);
	return ret;
}

bool nd_tables_have_new(const struct nd_tables *tables, uint32_t frame_count)
{
	return tables->done.frames < frame_count || tables->done.calls < tables->calls.count ||
	       tables->done.threads < tables->threads.count;
}

uint32_t nd_tables_count_new_calls(const struct nd_tables *tables)
{
	return tables->calls.count - tables->done.calls;
}
