/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/nodes_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/render/cell.h"
#include "cli/channel.h"
#include "cli/nodes.h"
#include "cli/term.h"
#include "common/buf.h"
#include "common/clock.h"

#define CELL_MAX 64

/* Fewer columns than that show nothing of a command line. */
#define TEXT_WIDTH_MIN 16

/* Ids named in one note. */
#define NOTED_MAX 5

/* Cores from which a process counts as busy, and stands out. */
#define BUSY 0.8

/* As much of a container's id as its engine shows. */
#define ID_DIGITS 12

/* A command line that is made shorter. */
#define TEXT_MAX (1u << 16)

static void write_pid(const struct node *node, char cell[CELL_MAX])
{
	snprintf(cell, CELL_MAX, "%d", node->pid);
}

static void write_user(const struct node *node, char cell[CELL_MAX])
{
	snprintf(cell, CELL_MAX, "%.12s", node->user);
}

static void write_version(const struct node *node, char cell[CELL_MAX])
{
	if (node->info.node[0])
		snprintf(cell, CELL_MAX, "%s", node->info.node);
	else if (node->info.v8[0])
		snprintf(cell, CELL_MAX, "V8 %s", node->info.v8);
	else
		snprintf(cell, CELL_MAX, "?");
}

static void write_threads(const struct node *node, char cell[CELL_MAX])
{
	snprintf(cell, CELL_MAX, "%" PRIu32, node->status.threads);
}

static void write_workers(const struct node *node, char cell[CELL_MAX])
{
	if (node->workers < 0)
		snprintf(cell, CELL_MAX, "?");
	else
		snprintf(cell, CELL_MAX, "%d", node->workers);
}

static void write_cpu(const struct node *node, char cell[CELL_MAX])
{
	snprintf(cell, CELL_MAX, "%.1f", 100 * node->cpu);
}

static void write_rss(const struct node *node, char cell[CELL_MAX])
{
	double mebibytes = (double)node->status.rss_bytes / (1 << 20);

	if (mebibytes >= 1000)
		snprintf(cell, CELL_MAX, "%.1fG", mebibytes / 1024);
	else
		snprintf(cell, CELL_MAX, "%.0fM", mebibytes);
}

static void write_age(const struct node *node, char cell[CELL_MAX])
{
	uint64_t seconds = node->age_ns / ND_NSEC_PER_SEC;

	if (seconds < 120)
		snprintf(cell, CELL_MAX, "%" PRIu64 "s", seconds);
	else if (seconds < 120 * 60)
		snprintf(cell, CELL_MAX, "%" PRIu64 "m", seconds / 60);
	else if (seconds < 48 * 3600)
		snprintf(cell, CELL_MAX, "%" PRIu64 "h", seconds / 3600);
	else
		snprintf(cell, CELL_MAX, "%" PRIu64 "d", seconds / 86400);
}

static void write_container(const struct node *node, char cell[CELL_MAX])
{
	const struct nd_container *container = &node->container;

	if (container->pod[0])
		snprintf(cell, CELL_MAX, "k8s %.*s", ID_DIGITS, container->id);
	else if (container->id[0])
		snprintf(cell, CELL_MAX, "%s %.*s", container->runtime,
			 strlen(container->id) == 64 ? ID_DIGITS : 30, container->id);
	else
		snprintf(cell, CELL_MAX, node->status.pid_namespaces > 1 ? "pid namespace" : "-");
}

static void write_sees(const struct node *node, char cell[CELL_MAX])
{
	snprintf(cell, CELL_MAX, "%s",
		 !node->sampler		 ? "nothing"
		 : node->info.has_layout ? node->sampler
					 : "native");
}

/* With the number of the reason, where not all of it works. */
static void write_agent(const struct node *node, char cell[CELL_MAX])
{
	if (!node->has_agent)
		snprintf(cell, CELL_MAX, "-");
	else if (node->agent_reason)
		snprintf(cell, CELL_MAX, "in (%" PRIu32 ")", node->agent_reason);
	else
		snprintf(cell, CELL_MAX, "in");
}

static const struct column {
	const char *title;
	void (*write)(const struct node *node, char cell[CELL_MAX]);
	bool is_right;
	bool is_optional; /* left out when it has nothing but "-" */
} columns[] = {
	{"PID", write_pid, true, false},
	{"USER", write_user, false, false},
	{"NODE", write_version, false, false},
	{"THR", write_threads, true, false},
	{"WRK", write_workers, true, false},
	{"CPU%", write_cpu, true, false},
	{"RSS", write_rss, true, false},
	{"UP", write_age, true, false},
	{"CONTAINER", write_container, false, true},
	{"SEES", write_sees, false, false},
	{"AGENT", write_agent, false, true},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* Names of containers may hold anything: what would act on the terminal does not get there. */
static void write_cell(const struct column *column, const struct node *node, char cell[CELL_MAX])
{
	char *c;

	column->write(node, cell);
	for (c = cell; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
}

/* Columns on the screen, 0 for one that is left out. Returns their sum, with what is between. */
static size_t measure(const struct nodes *nodes, size_t widths[COLUMNS])
{
	size_t c, i, width, sum = 0;
	char cell[CELL_MAX];
	bool has_any;

	for (c = 0; c < COLUMNS; c++) {
		widths[c] = strlen(columns[c].title);
		has_any = !columns[c].is_optional;
		for (i = 0; i < nodes->count; i++) {
			write_cell(&columns[c], &nodes->list[i], cell);
			has_any = has_any || strcmp(cell, "-") != 0;
			width = nd_cell_columns(cell, strlen(cell));
			if (width > widths[c])
				widths[c] = width;
		}
		if (!has_any)
			widths[c] = 0;
		sum += widths[c] ? widths[c] + 2 : 0;
	}
	return sum;
}

static void add_cell(const struct column *column, const char *cell, size_t width,
		     struct nd_buf *out)
{
	size_t spaces = width - nd_cell_columns(cell, strlen(cell));

	if (!width)
		return;
	if (column->is_right)
		nd_cell_add_spaces(out, spaces);
	nd_buf_add_str(out, cell);
	nd_cell_add_spaces(out, column->is_right ? 2 : spaces + 2);
}

/* Leave out the folders of the script, the outer ones first, for as long as the text is too wide.
 */
static void add_text(const char *text, size_t width, struct nd_buf *out)
{
	const char *slash;
	struct nd_buf cut;

	nd_buf_init(&cut, TEXT_MAX);
	nd_buf_add_str(&cut, text);
	while (nd_cell_columns(cut.data, cut.len) > width) {
		slash = memchr(text + 1, '/', strcspn(text + 1, " "));
		if (!slash)
			break;
		text = slash;
		nd_buf_reset(&cut);
		nd_buf_addf(&cut, "\xe2\x80\xa6%s", text);
	}
	nd_cell_add_start(out, &cut, width);
	nd_buf_fini(&cut);
}

static void add_row(const struct node *node, const size_t widths[COLUMNS], size_t text_width,
		    bool colour, struct nd_buf *out)
{
	bool is_dim = colour && !node->sampler, is_red;
	char cell[CELL_MAX];
	size_t c;

	nd_buf_add_str(out, is_dim ? "\033[2m" : "");
	for (c = 0; c < COLUMNS; c++) {
		is_red = colour && !is_dim && columns[c].write == write_cpu && node->cpu > BUSY;
		write_cell(&columns[c], node, cell);
		nd_buf_add_str(out, is_red ? "\033[1;31m" : "");
		add_cell(&columns[c], cell, widths[c], out);
		nd_buf_add_str(out, is_red ? "\033[0m" : "");
	}
	if (text_width)
		add_text(node->text, text_width, out);
	else
		nd_buf_add_str(out, node->text);
	nd_buf_add_str(out, is_dim ? "\033[0m\n" : "\n");
}

void nodes_table_add(const struct nodes *nodes, unsigned int width, bool colour, struct nd_buf *out)
{
	size_t widths[COLUMNS], c, i, used = measure(nodes, widths), text_width = 0;

	if (width)
		text_width = width > used + TEXT_WIDTH_MIN ? width - used : TEXT_WIDTH_MIN;
	nd_buf_add_str(out, colour ? "\033[1m" : "");
	for (c = 0; c < COLUMNS; c++)
		add_cell(&columns[c], columns[c].title, widths[c], out);
	nd_buf_add_str(out, colour ? "SCRIPT\033[0m\n" : "SCRIPT\n");
	for (i = 0; i < nodes->count; i++)
		add_row(&nodes->list[i], widths, text_width, colour, out);
}

/* Whether a process before this one had the same to be said. */
static bool is_noted(const struct nodes *nodes, size_t index)
{
	size_t i;

	for (i = 0; i < index; i++)
		if (!strcmp(nodes->list[i].why.what, nodes->list[index].why.what))
			return true;
	return false;
}

/* Of those whose requests somebody wanted to follow, why that is not so. */
static void note_tracing(const struct nodes *nodes)
{
	const struct node *node;

	for (node = nodes->list; node < nodes->list + nodes->count; node++) {
		if (*channel_tracing_text(node->tracing))
			term_note("%d: its requests are not traced: %s", node->pid,
				  channel_tracing_text(node->tracing));
		if (*channel_context_text(node->context))
			term_note("%d: its samples do not tell of requests: %s", node->pid,
				  channel_context_text(node->context));
	}
}

void nodes_table_note(const struct nodes *nodes)
{
	const struct nd_err *why;
	char pids[128];
	size_t i, j, count, len;

	for (i = 0; i < nodes->count; i++) {
		why = &nodes->list[i].why;
		if (!why->code || is_noted(nodes, i))
			continue;
		count = len = 0;
		for (j = i; j < nodes->count; j++) {
			if (strcmp(nodes->list[j].why.what, why->what) != 0)
				continue;
			if (++count <= NOTED_MAX)
				len += (size_t)snprintf(pids + len, sizeof(pids) - len, "%s%d",
							len ? ", " : "", nodes->list[j].pid);
		}
		if (count > NOTED_MAX)
			snprintf(pids + len, sizeof(pids) - len, " and %zu more",
				 count - NOTED_MAX);
		term_note("%s: %s%s%s", pids, why->what, why->hint[0] ? "; " : "", why->hint);
	}
	for (i = 0; i < nodes->count; i++)
		if (nodes->list[i].agent_reason)
			term_note("%d: not all of its agent works: %s", nodes->list[i].pid,
				  channel_reason_text(nodes->list[i].agent_reason));
	note_tracing(nodes);
	if (nodes->is_hidden)
		term_note("/proc hides the processes of other users (hidepid): run nodiag with "
			  "sudo");
}
