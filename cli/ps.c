/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag ps: the Node.js processes of this host, and what can be seen of each. */

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/render/json_text.h"
#include "cli/arguments.h"
#include "cli/channel.h"
#include "cli/command.h"
#include "cli/nodes.h"
#include "cli/nodes_table.h"
#include "cli/out.h"
#include "cli/script.h"
#include "cli/term.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/procfs.h"
#include "proto/limits.h"

/* Grows by one when a field of the JSON changes its meaning or goes; docs/format-json.md. */
#define VERSION 1

struct ps {
	bool json;
	struct arguments arguments;
	enum term_colour colour;
	struct nodes nodes;
	struct nd_err err;
};

enum { OPT_JSON = 256, OPT_COLOR };

static const struct argp_option options[] = {
	{NULL, 0, NULL, 0, "Output", 1},
	{"json", OPT_JSON, NULL, 0, "Write JSON for programs in place of the table", 1},
	{"color", OPT_COLOR, "WHEN", 0, "Colour the table: auto, always or never (default auto)",
	 1},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const char documentation[] =
	"List the Node.js processes of this host, the busiest first, whatever they call "
	"themselves.\v"
	"THR counts threads, and WRK those of them that are workers. CPU% is of one core, during a "
	"fifth of a second. SEES is how 'nodiag flame' would look into the process: by eBPF, by "
	"perf_event (no kernel frames), native functions only, or not at all; lines on standard "
	"error say why.\n\n"
	"Exit status: 0 done, also when there is no Node.js process, 1 failed, 2 wrong usage.";

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct ps *ps = state->input;

	switch (key) {
	case OPT_JSON:
		ps->json = true;
		return 0;
	case OPT_COLOR:
		return term_parse_colour(arg, &ps->colour, &ps->err);
	case ARGP_KEY_ARG:
		/* Whoever asks for help gets it, whatever else is there. */
		if (!ps->err.code)
			nd_err_set(&ps->err, -EINVAL, "'%s': ps lists all Node.js processes", arg);
		return 0;
	default:
		return arguments_parse(key, state, &ps->arguments, &ps->err);
	}
}

static const struct argp argp = {options, parse_option, NULL, documentation, NULL, NULL, NULL};

/* A string, or null for an empty one. */
static void add_string(struct nd_buf *out, const char *key, const char *str)
{
	nd_buf_addf(out, ",\"%s\":", key);
	nd_json_add_string(out, *str ? str : NULL);
}

static void add_number(struct nd_buf *out, const char *key, uint64_t number)
{
	nd_buf_addf(out, ",\"%s\":%" PRIu64, key, number);
}

static void add_bool(struct nd_buf *out, const char *key, bool value)
{
	nd_buf_addf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

static void add_arguments(struct nd_buf *out, const struct node *node)
{
	const char *arg = node->args, *end = node->args + node->args_len;

	nd_buf_add_str(out, ",\"arguments\":[");
	for (; arg < end; arg += strlen(arg) + 1) {
		nd_buf_add_str(out, arg == node->args ? "" : ",");
		nd_json_add_string(out, arg);
	}
	nd_buf_add_char(out, ']');
}

static void add_container(struct nd_buf *out, const struct nd_container *container)
{
	if (!container->id[0]) {
		nd_buf_add_str(out, ",\"container\":null");
		return;
	}
	nd_buf_add_str(out, ",\"container\":{\"runtime\":");
	nd_json_add_string(out, container->runtime);
	add_string(out, "id", container->id);
	add_string(out, "pod", container->pod);
	nd_buf_add_char(out, '}');
}

static void add_sees(struct nd_buf *out, const struct node *node)
{
	nd_buf_add_str(out, ",\"sees\":{\"sampler\":");
	nd_json_add_string(out, node->sampler);
	add_bool(out, "javascript", node->sampler && node->info.has_layout);
	add_bool(out, "native_names", node->sampler && !node->info.is_stripped);
	add_string(out, "why", node->why.what);
	add_string(out, "hint", node->why.hint);
	nd_buf_add_char(out, '}');
}

/* A word for it, and where it is not as it should be, why. */
static void add_tracing(struct nd_buf *out, const struct node *node)
{
	static const char *const tracing[ND_TRACING_COUNT] = {
		[ND_TRACING_OFF] = "off",
		[ND_TRACING_ON] = "on",
		[ND_TRACING_NO_MODULES] = "no_modules",
		[ND_TRACING_OBSERVED] = "observed",
		[ND_TRACING_FAILED] = "failed",
	};
	static const char *const context[ND_CONTEXT_COUNT] = {
		[ND_CONTEXT_OFF] = "off",
		[ND_CONTEXT_ON] = "on",
		[ND_CONTEXT_UNREADABLE] = "unreadable",
	};

	add_string(out, "tracing", node->tracing < ND_TRACING_COUNT ? tracing[node->tracing] : "");
	add_string(out, "untraced", channel_tracing_text(node->tracing));
	add_string(out, "context", node->context < ND_CONTEXT_COUNT ? context[node->context] : "");
	add_string(out, "unread", channel_context_text(node->context));
}

static void add_agent(struct nd_buf *out, const struct node *node)
{
	static const struct {
		uint32_t feature;
		const char *name;
	} features[] = {{ND_FEATURE_LOOP, "loop"}, {ND_FEATURE_PHASES, "phases"},
			{ND_FEATURE_GC, "gc"},	   {ND_FEATURE_STALLS, "stalls"},
			{ND_FEATURE_CPU, "cpu"},   {ND_FEATURE_TRACE, "trace"}};
	const char *separator = "";
	size_t i;

	if (!node->has_agent) {
		nd_buf_add_str(out, ",\"agent\":null");
		return;
	}
	nd_buf_add_str(out, ",\"agent\":{\"features\":[");
	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (node->agent_features & features[i].feature) {
			nd_buf_addf(out, "%s\"%s\"", separator, features[i].name);
			separator = ",";
		}
	nd_buf_add_char(out, ']');
	add_number(out, "reason", node->agent_reason);
	add_string(out, "why", channel_reason_text(node->agent_reason));
	add_tracing(out, node);
	nd_buf_add_char(out, '}');
}

static void add_node(struct nd_buf *out, const struct node *node)
{
	const char *script = script_find(node->args, node->args_len);
	char exe[4096] = "", cwd[4096] = "";

	nd_procfs_read_exe(node->pid, exe, sizeof(exe));
	nd_procfs_read_cwd(node->pid, cwd, sizeof(cwd));
	nd_buf_addf(out, "{\"pid\":%d,\"ppid\":%d", node->pid, node->status.ppid);
	add_number(out, "uid", node->status.uid);
	add_string(out, "user", node->user);
	add_string(out, "node", node->info.node);
	add_string(out, "v8", node->info.v8);
	add_string(out, "executable", exe);
	add_string(out, "script", script ? script : "");
	add_arguments(out, node);
	add_string(out, "folder", cwd);
	add_number(out, "threads", node->status.threads);
	if (node->workers < 0)
		nd_buf_add_str(out, ",\"workers\":null");
	else
		add_number(out, "workers", (uint64_t)node->workers);
	nd_buf_addf(out, ",\"cpu\":%.4f", node->cpu);
	add_number(out, "cpu_ns", node->cpu_ns);
	add_number(out, "rss_bytes", node->status.rss_bytes);
	add_number(out, "age_ns", node->age_ns);
	add_container(out, &node->container);
	add_number(out, "namespace_pid", (uint64_t)node->status.namespace_pid);
	add_bool(out, "pid_namespace", node->status.pid_namespaces > 1);
	if (node->runtime)
		add_bool(out, "mount_namespace", node->is_elsewhere);
	else
		nd_buf_add_str(out, ",\"mount_namespace\":null");
	add_sees(out, node);
	add_agent(out, node);
	nd_buf_add_char(out, '}');
}

static void add_json(const struct nodes *nodes, struct nd_buf *out)
{
	size_t i;

	nd_buf_addf(out, "{\"format\":\"nodiag-ps\",\"version\":%d", VERSION);
	add_number(out, "interval_ms", NODES_INTERVAL_MS);
	add_bool(out, "hidden", nodes->is_hidden);
	nd_buf_add_str(out, ",\n\"processes\":[");
	for (i = 0; i < nodes->count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_node(out, &nodes->list[i]);
	}
	nd_buf_add_str(out, "]}\n");
}

static int print(const struct ps *ps, struct nd_err *err)
{
	struct nd_buf text;
	int ret;

	nd_buf_init(&text, ND_OUTPUT_MAX);
	if (ps->json)
		add_json(&ps->nodes, &text);
	else if (ps->nodes.count)
		nodes_table_add(&ps->nodes, term_width(STDOUT_FILENO), term_has_colour(ps->colour),
				&text);
	ret = out_print(&text, nd_buf_error(&text), err);
	nd_buf_fini(&text);
	return ret;
}

static int list(struct ps *ps)
{
	int ret = nodes_find(&ps->nodes, &ps->err);

	if (!ret)
		ret = nodes_look(&ps->nodes, &ps->err);
	if (!ret)
		ret = print(ps, &ps->err);
	if (!ret && !ps->nodes.count)
		term_note("no Node.js process is running");
	if (!ret && !ps->json)
		nodes_table_note(&ps->nodes);
	nodes_fini(&ps->nodes);
	return ret;
}

int command_ps(int argc, char **argv)
{
	struct ps ps = {0};
	int ret = arguments_read(&argp, argc, argv, &ps, &ps.err);

	if (ps.arguments.help) {
		ret = arguments_print_help(&argp, &ps.arguments, argv[0], &ps.err);
	} else if (ret || ps.err.code) {
		nd_err_hint(&ps.err, "nodiag ps --help");
		term_error(&ps.err);
		return EXIT_USAGE;
	} else {
		ret = list(&ps);
	}
	if (ret)
		term_error(&ps.err);
	return ret ? EXIT_FAILED : EXIT_DONE;
}
