/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/heap_live.h"

#include <inttypes.h>

#include "analyzer/lag/lag.h"
#include "analyzer/render/cell.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/lag_parts.h"
#include "analyzer/render/terminal.h"
#include "analyzer/render/units.h"
#include "common/buf.h"
#include "proto/limits.h"

/* Grows by one when a field of the JSON changes its meaning or goes; docs/format-json.md. */
#define VERSION 1

#define COMMAND_COLUMNS 80

static const struct {
	const char *text;
	const char *key;
} parts[ND_RESIDENT_COUNT] = {
	[ND_RESIDENT_HEAP] = {"V8's heaps and code", "heap_bytes"},
	[ND_RESIDENT_NATIVE] = {"malloc, buffers, native", "native_bytes"},
	[ND_RESIDENT_STACKS] = {"stacks", "stacks_bytes"},
	[ND_RESIDENT_FILES] = {"files and libraries", "files_bytes"},
	[ND_RESIDENT_SHARED] = {"shared memory", "shared_bytes"},
};

static uint64_t sum_resident(const struct nd_smaps *smaps)
{
	uint64_t sum = 0;
	int kind;

	for (kind = 0; kind < ND_RESIDENT_COUNT; kind++)
		sum += smaps->resident_bytes[kind];
	return sum;
}

static void add_row(struct nd_buf *out, const char *name, uint64_t bytes)
{
	char text[ND_UNITS_MAX];

	nd_buf_addf(out, "    %-22s%12s", name, nd_units_weight(bytes, "bytes", text));
}

static void add_resident(const struct nd_heap_live *live, bool colour, struct nd_buf *out)
{
	uint64_t sum = sum_resident(&live->smaps), bytes;
	int kind;

	nd_terminal_begin(out, colour, ND_TERMINAL_DIM);
	add_row(out, "in memory", sum);
	nd_terminal_end(out, colour);
	nd_buf_add_char(out, '\n');
	for (kind = 0; kind < ND_RESIDENT_COUNT; kind++) {
		bytes = live->smaps.resident_bytes[kind];
		add_row(out, parts[kind].text, bytes);
		nd_buf_addf(out, "%8.1f %%", sum ? 100.0 * (double)bytes / (double)sum : 0);
		if (kind == ND_RESIDENT_STACKS)
			nd_buf_addf(out, "  of %" PRIu32 " threads", live->smaps.stacks);
		nd_buf_add_char(out, '\n');
	}
	if (!live->smaps.swapped_bytes)
		return;
	add_row(out, "and swapped out", live->smaps.swapped_bytes);
	nd_buf_add_char(out, '\n');
}

static void add_thread(const struct nd_lag_loop *loop, bool colour, struct nd_buf *out)
{
	char text[ND_UNITS_MAX];

	nd_buf_addf(out, "\n%s %" PRIu32, loop->kind == ND_THREAD_MAIN ? "main thread" : "worker",
		    loop->tid);
	if (loop->heap_limit_bytes)
		nd_buf_addf(out, ", heap limited to %s",
			    nd_units_weight(loop->heap_limit_bytes, "bytes", text));
	if (!loop->has_memory)
		nd_buf_add_str(out, ", whose event loop did not come round\n");
	/* It begins with the end of the line. */
	nd_render_lag_memory(loop, colour, out);
}

int nd_render_heap_live(const struct nd_heap_live *live, bool colour, struct nd_buf *out)
{
	struct nd_buf command;
	size_t i;

	nd_buf_init(&command, ND_OUTPUT_MAX);
	nd_terminal_add(&command, live->command);
	nd_buf_addf(out, "%d ", live->pid);
	nd_cell_add_cut(out, &command, COMMAND_COLUMNS);
	nd_buf_add_char(out, '\n');
	nd_buf_fini(&command);
	add_resident(live, colour, out);
	for (i = 0; i < live->count; i++)
		if (!live->loops[i].ended)
			add_thread(&live->loops[i], colour, out);
	return nd_buf_error(out);
}

static void add_thread_json(const struct nd_lag_loop *loop, struct nd_buf *out)
{
	nd_buf_addf(out, "{\"tid\":%" PRIu32 ",\"kind\":\"%s\",\"limit_bytes\":", loop->tid,
		    loop->kind == ND_THREAD_MAIN ? "main" : "worker");
	if (loop->heap_limit_bytes)
		nd_buf_addf(out, "%" PRIu64, loop->heap_limit_bytes);
	else
		nd_buf_add_str(out, "null");
	nd_render_lag_memory_json(loop, out);
	nd_buf_add_char(out, '}');
}

int nd_render_heap_live_json(const struct nd_heap_live *live, struct nd_buf *out)
{
	const char *separator = "\n";
	int kind;
	size_t i;

	nd_buf_addf(out, "{\"format\":\"nodiag-heap-live\",\"version\":%d,\"pid\":%d,\"command\":",
		    VERSION, live->pid);
	nd_json_add_string(out, live->command);
	nd_buf_addf(out, ",\n\"resident_bytes\":%" PRIu64 ",\"swapped_bytes\":%" PRIu64,
		    sum_resident(&live->smaps), live->smaps.swapped_bytes);
	for (kind = 0; kind < ND_RESIDENT_COUNT; kind++)
		nd_buf_addf(out, "%s\"%s\":%" PRIu64, kind ? "," : ",\n\"resident\":{",
			    parts[kind].key, live->smaps.resident_bytes[kind]);
	nd_buf_addf(out, "},\"stacks\":%" PRIu32 ",\n\"threads\":[", live->smaps.stacks);
	for (i = 0; i < live->count; i++) {
		if (live->loops[i].ended)
			continue;
		nd_buf_add_str(out, separator);
		add_thread_json(&live->loops[i], out);
		separator = ",\n";
	}
	nd_buf_add_str(out, "]}\n");
	return nd_buf_error(out);
}
