/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/lag.h"

#include <inttypes.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/cell.h"
#include "analyzer/render/lag_parts.h"
#include "analyzer/render/render.h"
#include "analyzer/render/request.h"
#include "analyzer/render/terminal.h"
#include "analyzer/trace/requests.h"
#include "common/buf.h"

/* The bar of a row in which all of the time is. */
#define BAR_COLUMNS 32

/* Loops shown in full; of the others there is a line each. */
#define FULL_LOOPS 1

/* Functions in the table. */
#define CULPRITS_SHOWN 10

/* "timers, microtask" and two spaces. */
#define PHASE_COLUMNS 19

/* Calls shown of the stack of the longest stall. */
#define STACK_SHOWN 12

/* Rows of the picture, a 1-2-5 series. */
static const struct {
	uint64_t end_ns;
	const char *text;
	const char *sgr; /* of the bar */
} picture[] = {
	{1000000, "under 1 ms", "32"},	   {2000000, "1 - 2 ms", "32"},
	{5000000, "2 - 5 ms", "32"},	   {10000000, "5 - 10 ms", "32"},
	{20000000, "10 - 20 ms", "32"},	   {50000000, "20 - 50 ms", "33"},
	{100000000, "50 - 100 ms", "33"},  {200000000, "100 - 200 ms", "31"},
	{500000000, "200 - 500 ms", "31"}, {1000000000, "0.5 - 1 s", "31"},
	{2000000000, "1 - 2 s", "31"},	   {UINT64_MAX, "over 2 s", "31"},
};

#define ROWS (sizeof(picture) / sizeof(picture[0]))

struct writer {
	const struct nd_profile *frames;
	bool colour;
	struct nd_buf *out;
};

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void add_delay(const struct writer *w, const struct nd_lag_loop *loop)
{
	static const struct {
		const char *name;
		double share;
	} columns[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};
	size_t i;

	if (!loop->iterations) {
		nd_buf_add_str(w->out, "  delay    no iteration has ended\n");
		return;
	}
	nd_buf_add_str(w->out, "  delay    mean ");
	nd_cell_add_time(w->out, loop->busy_ns / loop->iterations, 0);
	for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		nd_buf_addf(w->out, ", %s ", columns[i].name);
		nd_cell_add_time(w->out, nd_lag_percentile(loop, columns[i].share), 0);
	}
	nd_buf_add_str(w->out, ", max ");
	nd_cell_add_time(w->out, loop->max_ns, 0);
	nd_buf_add_char(w->out, '\n');
}

static void add_phases(const struct writer *w, const struct nd_lag_loop *loop)
{
	const char *separator = "  phases   ";
	uint64_t total = 0;
	int phase;

	for (phase = 0; phase < ND_PHASE_COUNT; phase++)
		total += loop->phase_ns[phase];
	if (!total)
		return;
	for (phase = 0; phase < ND_PHASE_COUNT; phase++, separator = ", ")
		nd_buf_addf(w->out, "%s%s %.1f %%", separator, nd_phase_text(phase),
			    percent(loop->phase_ns[phase], total));
	nd_buf_add_str(w->out, " of the busy time\n");
}

static void add_gc(const struct writer *w, const struct nd_lag_loop *loop)
{
	const char *separator = ": ";
	uint64_t total = 0;
	int type;

	if (!(loop->known & ND_LOOP_GC))
		return;
	for (type = 0; type < ND_GC_TYPES; type++)
		total += loop->gc_ns[type];
	nd_buf_addf(w->out, "  GC       %.1f %% of the time", percent(total, loop->observed_ns));
	for (type = 0; type < ND_GC_TYPES; type++) {
		if (!loop->gc_count[type])
			continue;
		nd_buf_addf(w->out, "%s%" PRIu64 " %s (", separator, loop->gc_count[type],
			    nd_gc_type_text(type));
		nd_cell_add_time(w->out, loop->gc_ns[type], 0);
		if (loop->gc_max_ns[type]) {
			nd_buf_add_str(w->out, ", longest ");
			nd_cell_add_time(w->out, loop->gc_max_ns[type], 0);
		}
		nd_buf_add_char(w->out, ')');
		separator = ", ";
	}
	nd_buf_add_char(w->out, '\n');
	if (!loop->heap_used_bytes)
		return;
	nd_buf_add_str(w->out, "  heap     ");
	nd_cell_add_amount(w->out, loop->heap_used_bytes, "bytes", 0);
	nd_buf_add_str(w->out, " used of ");
	nd_cell_add_amount(w->out, loop->heap_total_bytes, "bytes", 0);
	nd_buf_add_str(w->out, ", limit ");
	nd_cell_add_amount(w->out, loop->heap_limit_bytes, "bytes", 0);
	nd_buf_add_str(w->out, ", outside of it ");
	nd_cell_add_amount(w->out, loop->external_bytes, "bytes", 0);
	nd_buf_add_char(w->out, '\n');
	nd_render_lag_allocated(loop, w->out);
}

/* "2 timer, 1 of 3 tcp": those that are active, of those that there are. */
static void add_handles(const struct writer *w, const struct nd_lag_loop *loop)
{
	const char *separator = "";
	int type;

	if (!loop->has_handles)
		return;
	nd_buf_add_str(w->out, "  handles  ");
	for (type = 0; type < ND_HANDLE_TYPES; type++) {
		if (!loop->handles_total[type] || !*nd_handle_text(type))
			continue;
		nd_buf_addf(w->out, "%s%" PRIu32, separator, loop->handles_active[type]);
		if (loop->handles_active[type] != loop->handles_total[type])
			nd_buf_addf(w->out, " of %" PRIu32, loop->handles_total[type]);
		nd_buf_addf(w->out, " %s", nd_handle_text(type));
		separator = ", ";
	}
	nd_buf_addf(w->out, "; %" PRIu32 " request%s active\n", loop->requests,
		    loop->requests == 1 ? "" : "s");
}

struct row {
	uint64_t count;
	uint64_t time_ns;
};

static void fill_rows(const struct nd_lag_loop *loop, struct row rows[ROWS])
{
	uint64_t middle;
	uint32_t i;
	size_t row = 0;

	memset(rows, 0, ROWS * sizeof(rows[0]));
	for (i = 0; i + 1 < ND_HISTOGRAM_BUCKETS; i++) {
		middle = (nd_histogram_start(i) + nd_histogram_start(i + 1)) / 2;
		while (middle >= picture[row].end_ns)
			row++;
		rows[row].count += loop->delay[i];
		rows[row].time_ns += loop->delay[i] * middle;
	}
}

static void add_row(const struct writer *w, size_t index, const struct row *row, uint64_t total_ns)
{
	double share = percent(row->time_ns, total_ns);
	/* Counters are the program's, and what they add up to may be nonsense. */
	int bar = (int)((share < 100 ? share : 100) * BAR_COLUMNS / 100 + 0.5);

	nd_cell_add_right(w->out, picture[index].text, 16);
	nd_cell_add_amount(w->out, row->count, NULL, 12);
	nd_buf_addf(w->out, "  %5.1f %%  ", share);
	nd_terminal_begin(w->out, w->colour, picture[index].sgr);
	while (bar-- > 0)
		nd_buf_add_str(w->out, "\xe2\x96\x88");
	nd_terminal_end(w->out, w->colour);
	nd_buf_add_char(w->out, '\n');
}

/* The iterations by how long they kept the loop from polling. */
static void add_picture(const struct writer *w, const struct nd_lag_loop *loop)
{
	struct row rows[ROWS];
	uint64_t total = 0;
	size_t i, last = 0;

	fill_rows(loop, rows);
	for (i = 0; i < ROWS; i++) {
		total += rows[i].time_ns;
		if (rows[i].count)
			last = i;
	}
	if (!total)
		return;
	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_DIM);
	nd_buf_add_str(w->out, "\n    iterations of       count  of the busy time\n");
	nd_terminal_end(w->out, w->colour);
	for (i = 0; i <= last; i++)
		add_row(w, i, &rows[i], total);
}

static const char *thread_text(enum nd_thread_kind kind)
{
	return kind == ND_THREAD_MAIN ? "main thread" : "worker";
}

static void add_heading(const struct writer *w, const struct nd_lag_loop *loop)
{
	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_BOLD);
	nd_buf_addf(w->out, "%s %" PRIu32, thread_text(loop->kind), loop->tid);
	nd_terminal_end(w->out, w->colour);
	nd_buf_addf(w->out, ": busy %.1f %% of ", percent(loop->busy_ns, loop->observed_ns));
	nd_cell_add_time(w->out, loop->observed_ns, 0);
	nd_buf_add_str(w->out, ", ");
	nd_cell_add_amount(w->out, loop->iterations, NULL, 0);
	nd_buf_add_str(w->out, " iterations");
}

static void add_loop(const struct writer *w, const struct nd_lag_loop *loop)
{
	add_heading(w, loop);
	nd_buf_add_char(w->out, '\n');
	add_delay(w, loop);
	add_phases(w, loop);
	add_gc(w, loop);
	add_handles(w, loop);
	nd_render_lag_memory(loop, w->colour, w->out);
	add_picture(w, loop);
}

static void add_loop_line(const struct writer *w, const struct nd_lag_loop *loop)
{
	add_heading(w, loop);
	nd_buf_add_str(w->out, ", p99 ");
	nd_cell_add_time(w->out, nd_lag_percentile(loop, 0.99), 0);
	nd_buf_add_str(w->out, ", max ");
	nd_cell_add_time(w->out, loop->max_ns, 0);
	nd_buf_addf(w->out, ", stalls %" PRIu64 "%s\n", loop->stalls, loop->ended ? ", ended" : "");
}

static void add_name(const struct writer *w, uint32_t frame)
{
	uint32_t count;
	const struct nd_frame *f = &nd_profile_frames(w->frames, &count)[frame];

	nd_terminal_begin(w->out, w->colour, nd_terminal_colours[f->kind]);
	nd_terminal_add(w->out, f->name);
	nd_terminal_end(w->out, w->colour);
}

static bool is_anonymous(const struct writer *w, uint32_t frame)
{
	uint32_t count;

	return !strcmp(nd_profile_frames(w->frames, &count)[frame].name, "(anonymous)");
}

static void add_place(const struct writer *w, uint32_t frame, uint32_t line, uint32_t column)
{
	uint32_t count;
	const struct nd_frame *f = &nd_profile_frames(w->frames, &count)[frame];
	const char *file = f->file;

	if (!strncmp(file, "file://", strlen("file://")))
		file += strlen("file://");
	if (!*file)
		return;
	/* Of native code the file says little, and its folder nothing. */
	if (f->kind == ND_FRAME_NATIVE && strrchr(file, '/'))
		file = strrchr(file, '/') + 1;
	nd_buf_add_str(w->out, " (");
	nd_terminal_add(w->out, file);
	if (line || f->line)
		nd_buf_addf(w->out, ":%" PRIu32 ":%" PRIu32, line ? line : f->line,
			    line ? column : f->column);
	nd_buf_add_char(w->out, ')');
}

/* "poll", "poll, microtask", or what of it is known. */
static void add_phase(const struct writer *w, const struct nd_culprit *culprit)
{
	const char *phase = culprit->has_phase ? nd_phase_text(culprit->phase) : "";
	const char *queue = nd_queue_text(culprit->queue);
	const char *comma = *phase && *queue ? ", " : "";
	size_t columns = strlen(phase) + strlen(comma) + strlen(queue);

	nd_buf_addf(w->out, "%s%s%s", phase, comma, queue);
	nd_cell_add_spaces(w->out, columns < PHASE_COLUMNS ? PHASE_COLUMNS - columns : 1);
}

static void add_culprit(const struct writer *w, const struct nd_culprit *culprit,
			const struct nd_request *request, uint64_t total_ns)
{
	nd_cell_add_amount(w->out, culprit->count, NULL, 8);
	nd_cell_add_time(w->out, culprit->longest_ns, 10);
	nd_cell_add_time(w->out, culprit->total_ns, 10);
	nd_buf_addf(w->out, "%7.1f %%  %-13s  ", percent(culprit->total_ns, total_ns),
		    nd_stall_kind_text(culprit->kind));
	add_phase(w, culprit);
	if (culprit->has_frame) {
		add_name(w, culprit->frame);
		add_place(w, culprit->frame, culprit->line, culprit->column);
		if (culprit->has_callee) {
			nd_buf_add_str(w->out, " in ");
			add_name(w, culprit->callee);
		}
		if (culprit->has_entry) {
			nd_buf_add_str(w->out, ", from ");
			add_name(w, culprit->entry);
			if (is_anonymous(w, culprit->entry))
				add_place(w, culprit->entry, 0, 0);
		}
	} else if (culprit->syscall >= 0) {
		nd_buf_addf(w->out, "asleep in system call %d", culprit->syscall);
	} else {
		nd_buf_add_str(w->out, "no stack was taken");
	}
	if (culprit->going_on)
		nd_buf_add_str(w->out, " (goes on)");
	if (request) {
		nd_buf_add_str(w->out, culprit->count > 1 ? ", the longest for " : ", for ");
		nd_terminal_add(w->out, request->name);
	}
	nd_buf_add_char(w->out, '\n');
}

static void add_stack(const struct writer *w, const struct nd_culprit *culprit,
		      const struct nd_request *request)
{
	size_t i, shown = culprit->depth < STACK_SHOWN ? culprit->depth : STACK_SHOWN;

	if (!culprit->depth)
		return;
	nd_buf_add_str(w->out, "\nthe longest of the first:");
	if (request) {
		nd_buf_add_str(w->out, " ");
		nd_terminal_add(w->out, request->name);
		nd_terminal_begin(w->out, w->colour, ND_TERMINAL_DIM);
		nd_buf_add_str(w->out, "  trace ");
		nd_request_add_hex(w->out, request->trace_id, sizeof(request->trace_id));
		nd_terminal_end(w->out, w->colour);
	}
	nd_buf_add_char(w->out, '\n');
	for (i = 0; i < shown; i++) {
		nd_buf_add_str(w->out, "    ");
		add_name(w, culprit->calls[i].frame);
		add_place(w, culprit->calls[i].frame, culprit->calls[i].line,
			  culprit->calls[i].column);
		nd_buf_add_char(w->out, '\n');
	}
	if (shown < culprit->depth)
		nd_buf_addf(w->out, "    ... %zu more\n", culprit->depth - shown);
}

static void add_culprits(const struct writer *w, struct nd_lag *lag, uint64_t threshold_ns)
{
	const struct nd_requests *requests = nd_lag_requests(lag);
	const struct nd_culprit *culprits;
	uint64_t total = 0, stalls = 0;
	size_t count, i;

	culprits = nd_lag_culprits(lag, &count);
	for (i = 0; i < count; i++) {
		total += culprits[i].total_ns;
		stalls += culprits[i].count;
	}
	nd_buf_add_char(w->out, '\n');
	if (count)
		nd_cell_add_amount(w->out, stalls, NULL, 0);
	nd_buf_addf(w->out, "%s of ", !count ? "no stalls" : stalls == 1 ? " stall" : " stalls");
	nd_cell_add_time(w->out, threshold_ns, 0);
	nd_buf_add_str(w->out, " or more");
	if (!count) {
		nd_buf_add_char(w->out, '\n');
		return;
	}
	nd_buf_add_str(w->out, ", ");
	nd_cell_add_time(w->out, total, 0);
	nd_buf_add_str(w->out, " in all\n");
	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_DIM);
	nd_buf_addf(w->out, "%8s%10s%10s%9s  %-13s  %-*s%s\n", "times", "longest", "total", "share",
		    "what", PHASE_COLUMNS, "phase", "who");
	nd_terminal_end(w->out, w->colour);
	for (i = 0; i < count && i < CULPRITS_SHOWN; i++)
		add_culprit(w, &culprits[i], nd_requests_find(requests, culprits[i].span_id),
			    total);
	if (count > CULPRITS_SHOWN)
		nd_buf_addf(w->out, "     ... and %zu more\n", count - CULPRITS_SHOWN);
	add_stack(w, &culprits[0], nd_requests_find(requests, culprits[0].span_id));
}

int nd_render_lag(struct nd_lag *lag, const struct nd_profile *frames, uint64_t threshold_ns,
		  bool colour, struct nd_buf *out)
{
	struct writer w = {.frames = frames, .colour = colour, .out = out};
	const struct nd_lag_loop *loops;
	size_t count, i;
	int ret;

	loops = nd_lag_loops(lag, &count);
	for (i = 0; i < count; i++)
		if (i < FULL_LOOPS)
			add_loop(&w, &loops[i]);
		else
			add_loop_line(&w, &loops[i]);
	add_culprits(&w, lag, threshold_ns);
	ret = nd_render_lag_collections(lag, colour, out);
	if (!ret)
		ret = nd_render_async(nd_lag_async(lag), colour, out);
	return ret ? ret : nd_buf_error(out);
}
