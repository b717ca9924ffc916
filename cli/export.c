/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag export: to an OpenTelemetry collector. */

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/export/exporter.h"
#include "analyzer/export/options.h"
#include "analyzer/export/resource.h"
#include "analyzer/render/terminal.h"
#include "cli/arguments.h"
#include "cli/child.h"
#include "cli/command.h"
#include "cli/export_session.h"
#include "cli/out.h"
#include "cli/sender.h"
#include "cli/tail.h"
#include "cli/target.h"
#include "cli/term.h"
#include "cli/units.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/limits.h"

/* How long a collector that does not take a request is tried. */
#define GIVE_UP_NS (60 * ND_NSEC_PER_SEC)

/* How long the last metrics of a process that was watched may take. */
#define LAST_NS (10 * ND_NSEC_PER_SEC)

/* What may wait in memory while a process is watched: a day of metrics. */
#define MEMORY_MAX (16u << 20)

struct export
{
	struct export_options session;
	struct sender sender;
	struct target target;
	const char *endpoint;
	const char *queue;
	const char **headers; /* of argv */
	size_t header_count;
	bool dry_run;
	bool signal_given;
	bool has_tail;
	bool has_packing;
	enum nd_packing packing;
	struct arguments arguments;
	char **command;					  /* what stands behind "--" */
	struct nd_export_counts planned[ND_OTLP_SIGNALS]; /* of --dry-run: `added` is all */
	uint64_t planned_bytes[ND_OTLP_SIGNALS];
	struct export_result result;
	struct nd_err err;
};

enum {
	OPT_ENDPOINT = 256,
	OPT_HEADER,
	OPT_SIGNAL,
	OPT_COMPRESSION,
	OPT_QUEUE,
	OPT_TAIL,
	OPT_DRY_RUN
};

static const struct argp_option options[] = {
	{NULL, 0, NULL, 0, "What to send", 1},
	{"signal", OPT_SIGNAL, "NAME", 0,
	 "Only metrics, profiles or traces; may be given several times (default: all there is)", 1},
	{"tail", OPT_TAIL, "RULES", 0,
	 "Of traces, only those that a rule keeps: slow=200ms, errors, 1/100, or several as in "
	 "slow=200ms,errors,1/100 (default $NODIAG_TAIL, else all)",
	 1},
	{"duration", 'd', "TIME", 0,
	 "Watch a process that long: 500ms, 10s, 2m (default: until it ends, or Ctrl-C)", 1},
	{NULL, 0, NULL, 0, "Where to", 2},
	{"endpoint", OPT_ENDPOINT, "URL", 0,
	 "The collector's OTLP (default $OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318)",
	 2},
	{"header", OPT_HEADER, "NAME=VALUE", 0,
	 "Send that header too; secrets are safer in $OTEL_EXPORTER_OTLP_HEADERS", 2},
	{"compression", OPT_COMPRESSION, "NAME", 0,
	 "gzip, zstd or none (default $OTEL_EXPORTER_OTLP_COMPRESSION, else none)", 2},
	{"queue", OPT_QUEUE, "FOLDER", 0,
	 "Keep in FOLDER what was not taken, and send first what an earlier run left there", 2},
	{"dry-run", OPT_DRY_RUN, NULL, 0, "Send nothing; print what would be sent, and where to",
	 2},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const char documentation[] =
	"Send a recording, or what a running process does, to an OpenTelemetry collector: metrics "
	"of its event loops, garbage collection and resources, its CPU profile, and its HTTP "
	"requests as traces.\v"
	"TARGET is a recording (.nd), a profile that 'nodiag flame' reads, a process id, or -- and "
	"a command to run with the agent. Without, the one Node.js process of yours. A process is "
	"watched until it ends or Ctrl-C comes, and its metrics are sent every minute "
	"($OTEL_METRIC_EXPORT_INTERVAL, in milliseconds); with '--signal traces' its requests too, "
	"and with '--signal profiles' a CPU profile as often, both of which take the agent.\n\n"
	"All variables OTEL_EXPORTER_OTLP_* of the OpenTelemetry specification are heeded, and "
	"OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.\n\n"
	"Examples:\n"
	"  nodiag export night.nd\n"
	"  nodiag export --endpoint https://otlp.example.com:4318 night.nd\n"
	"  nodiag export --dry-run night.nd\n"
	"  nodiag export --queue /var/lib/nodiag/shop 4242\n"
	"  nodiag export --signal metrics --signal traces -- node server.js\n\n"
	"Exit status: 0 done, 1 failed, or not all was taken, 2 wrong usage, 3 no such target, 4 "
	"not permitted; with -- the command's own, or 125 if nodiag failed, 126 if it cannot be "
	"run, 127 if there is none.";

/* The signals that there is something of. */
static const struct {
	enum nd_otlp_signal signal;
	const char *item;
} sent[] = {
	{ND_OTLP_METRICS, "data point"}, {ND_OTLP_PROFILES, "profile"}, {ND_OTLP_TRACES, "span"}};

#define SENT (sizeof(sent) / sizeof(sent[0]))

static error_t parse_signal(struct export *export, const char *arg)
{
	size_t i;

	export->signal_given = true;
	for (i = 0; i < SENT; i++)
		if (!strcmp(arg, nd_export_signal_name(sent[i].signal))) {
			export->session.signals[sent[i].signal] = true;
			return 0;
		}
	nd_err_set(&export->err, -EINVAL, "'%s' is no signal that nodiag sends", arg);
	nd_err_hint(&export->err, "metrics, profiles or traces");
	return EINVAL;
}

static error_t parse_duration(struct export *export, const char *arg)
{
	if (units_parse_time(arg, &export->session.duration_ns))
		return 0;
	nd_err_set(&export->err, -EINVAL, "'%s' is no duration", arg);
	nd_err_hint(&export->err, "give it with its unit: 500ms, 10s, 2m or 1h");
	return EINVAL;
}

static error_t parse_header(struct export *export, const char *arg)
{
	const char **grown =
		reallocarray(export->headers, export->header_count + 1, sizeof(*grown));

	if (!grown) {
		nd_err_set(&export->err, -ENOMEM, "out of memory");
		return EINVAL;
	}
	export->headers = grown;
	export->headers[export->header_count++] = arg;
	return 0;
}

static error_t parse_compression(struct export *export, const char *arg)
{
	export->has_packing = !nd_packing_parse(arg, &export->packing);
	if (export->has_packing)
		return 0;
	nd_err_set(&export->err, -EINVAL, "'%s' is no compression that nodiag knows", arg);
	nd_err_hint(&export->err, "gzip, zstd or none");
	return EINVAL;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct export *export = state->input;

	switch (key) {
	case OPT_ENDPOINT:
		export->endpoint = arg;
		return 0;
	case OPT_HEADER:
		return parse_header(export, arg);
	case OPT_SIGNAL:
		return parse_signal(export, arg);
	case OPT_COMPRESSION:
		return parse_compression(export, arg);
	case OPT_QUEUE:
		export->queue = arg;
		return 0;
	case OPT_TAIL:
		export->has_tail = true;
		return -tail_parse(arg, &export->session.tail, &export->err);
	case OPT_DRY_RUN:
		export->dry_run = true;
		return 0;
	case 'd':
		return parse_duration(export, arg);
	default:
		return arguments_parse(key, state, &export->arguments, &export->err);
	}
}

static const struct argp argp = {
	options, parse_option, "[PID | FILE | -- COMMAND...]", documentation, NULL, NULL, NULL};

static void say(void *arg, const char *text)
{
	term_note("%s", text);
}

/* The environment, then what was given here. */
static int read_options(struct export *export)
{
	size_t i;
	int ret;

	export->sender.say = say;
	ret = sender_read_environment(&export->sender, &export->err);

	if (!ret && export->endpoint)
		ret = nd_export_options_set_endpoint(&export->sender.options, export->endpoint,
						     &export->err);
	for (i = 0; i < export->header_count && !ret; i++)
		ret = nd_export_options_add_header(&export->sender.options, export->headers[i],
						   &export->err);
	if (ret)
		return ret == -ENOMEM ? EXIT_FAILED : EXIT_USAGE;
	export->session.interval_ns = export->sender.interval_ns;
	if (export->has_packing)
		nd_export_options_set_packing(&export->sender.options, export->packing);
	if (!export->has_tail)
		export->session.tail = export->sender.tail;
	return EXIT_DONE;
}

static int check_target(struct export *export)
{
	bool is_process = export->target.kind != TARGET_FILE;

	if (is_process && export->dry_run) {
		nd_err_set(&export->err, -EINVAL, "--dry-run is for files");
		nd_err_hint(&export->err,
			    "nodiag record -o FILE.nd ..., then nodiag export --dry-run FILE.nd");
		return EXIT_USAGE;
	}
	export->session.all = !export->signal_given;
	if (!export->signal_given)
		export->session.signals[ND_OTLP_METRICS] = true;
	if (!export->signal_given && !is_process)
		export->session.signals[ND_OTLP_PROFILES] =
			export->session.signals[ND_OTLP_TRACES] = true;
	return EXIT_DONE;
}

static int parse_arguments(struct export *export, int argc, char **argv)
{
	const struct target_syntax syntax = {.command = "nodiag export", .one_pid = true};
	int ret;

	export->command = target_split_command(&argc, argv);
	ret = arguments_read(&argp, argc, argv, export, &export->err);
	if (ret || export->arguments.help)
		return ret;
	ret = target_parse(&syntax, export->arguments.list, export->arguments.count,
			   export->command, &export->target, &export->err);
	if (!ret)
		ret = check_target(export);
	return ret ? ret : read_options(export);
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static int plan(void *arg, enum nd_otlp_signal signal, const struct nd_buf *request, uint64_t items)
{
	struct export *export = arg;

	export->planned[signal].added += items;
	export->planned_bytes[signal] += request->len;
	return 0;
}

static void print_value(const struct nd_otlp_attribute *attribute)
{
	struct nd_buf text;

	nd_buf_init(&text, ND_EXPORT_TEXT_MAX * 4);
	nd_terminal_add(&text, attribute->key);
	nd_buf_add_char(&text, '=');
	if (attribute->type == ND_OTLP_INTEGER)
		nd_buf_addf(&text, "%" PRId64, attribute->integer);
	else
		nd_terminal_add(&text, attribute->string);
	printf("  %s\n", text.data);
	nd_buf_fini(&text);
}

/* What would be sent, and where to. */
static int print_plan(struct export *export)
{
	struct nd_otlp_attributes attributes = nd_resource_get(export->result.resource);
	char url[512];
	size_t i;

	for (i = 0; i < SENT; i++) {
		enum nd_otlp_signal signal = sent[i].signal;

		if (!export->planned[signal].added)
			continue;
		nd_export_describe_url(export->sender.options.targets[signal].url, url,
				       sizeof(url));
		printf("%" PRIu64 " %s%s, %" PRIu64 " bytes, to %s\n",
		       export->planned[signal].added, sent[i].item,
		       plural(export->planned[signal].added), export->planned_bytes[signal], url);
	}
	puts("of");
	for (i = 0; i < attributes.count; i++)
		print_value(&attributes.list[i]);
	return out_flush_stdout(&export->err) ? EXIT_FAILED : EXIT_DONE;
}

static void work(void *arg, uint64_t for_ns)
{
	struct export *export = arg;

	sender_work(&export->sender, for_ns);
}

static void note(uint64_t count, const char *item, const char *what)
{
	if (count)
		term_note("%ss %s: %" PRIu64, item, what, count);
}

static void print_dropped(const struct nd_tail_counts *tail)
{
	note(tail->dropped, "trace", "that no rule kept");
	note(tail->early, "trace", "of these that were not over yet");
}

/* How many of what went where. Returns whether all of it was taken, or is kept. */
static bool print_counts(struct export *export)
{
	struct nd_export_counts counts;
	bool whole = true;
	char url[512];
	size_t i;

	for (i = 0; i < SENT; i++) {
		nd_exporter_get_counts(export->sender.exporter, sent[i].signal, &counts);
		nd_export_describe_url(export->sender.options.targets[sent[i].signal].url, url,
				       sizeof(url));
		if (counts.sent)
			printf("%" PRIu64 " %s%s sent to %s\n", counts.sent, sent[i].item,
			       plural(counts.sent), url);
		note(counts.rejected, sent[i].item, "that were rejected");
		note(counts.refused, sent[i].item, "that were refused");
		note(counts.dropped, sent[i].item, "dropped because the queue was full");
		note(counts.waiting, sent[i].item,
		     export->queue ? "kept in the queue" : "that were not sent");
		whole &= !counts.rejected && !counts.refused && !counts.dropped &&
			 (!counts.waiting || export->queue);
	}
	if (nd_exporter_damaged(export->sender.exporter))
		term_note("requests in the queue that were damaged: %" PRIu64,
			  nd_exporter_damaged(export->sender.exporter));
	return whole && !nd_exporter_damaged(export->sender.exporter);
}

/* What could not be seen of a process. */
static void print_missing(const struct lag_result *r)
{
	if (r->untraced && *r->untraced)
		term_note("not all threads are traced: %s", r->untraced);
	if (r->spans_lost)
		term_note("requests that could not be followed: %" PRIu64, r->spans_lost);
	if (r->reason && *r->reason)
		term_note("not all could be measured: %s", r->reason);
	note(r->dropped, "event", "dropped because the ring was full");
	note(r->left_out, "thread", "that were not watched");
}

static int fail_code(const struct export *export)
{
	return export->command ? EXIT_COMMAND_NODIAG : EXIT_FAILED;
}

/* What will happen, for as long as nothing can be seen of it. */
static void announce(const struct export *export)
{
	char url[512];
	size_t i;

	for (i = 0; i < SENT; i++) {
		enum nd_otlp_signal signal = sent[i].signal;

		if (!export->session.signals[signal])
			continue;
		nd_export_describe_url(export->sender.options.targets[signal].url, url,
				       sizeof(url));
		term_note("%s go to %s every %g s", nd_export_signal_name(signal), url,
			  signal == ND_OTLP_TRACES ? 1.0
						   : (double)export->session.interval_ns / 1e9);
	}
}

static int send(struct export *export)
{
	bool is_file = export->target.kind == TARGET_FILE;
	const struct nd_exporter_settings settings = {
		.version = ND_VERSION,
		.queue = export->queue,
		.queue_bytes = is_file || export->queue ? ND_QUEUE_BYTES_MAX : MEMORY_MAX,
	};
	int ret;

	if (nd_exporter_open(&export->sender.options, &settings, &export->sender.exporter,
			     &export->err))
		return fail_code(export);
	if (!is_file)
		announce(export);
	export->session.sink = nd_exporter_sink(export->sender.exporter);
	export->session.work = work;
	export->session.arg = export;
	ret = is_file ? export_file(&export->target, &export->session, &export->result,
				    &export->err)
		      : export_process(&export->target, &export->session, &export->result,
				       &export->err);
	if (ret)
		return ret;
	if (!is_file && !export->result.lag.duration_ns) {
		term_note("'%s' ran no Node.js", export->target.command[0]);
		return EXIT_DONE;
	}
	if (sender_finish(&export->sender, is_file ? GIVE_UP_NS : LAST_NS, &export->err))
		return fail_code(export);
	print_dropped(&export->result.tail);
	if (!is_file)
		print_missing(&export->result.lag);
	ret = print_counts(export) ? EXIT_DONE : fail_code(export);
	return out_flush_stdout(&export->err) ? fail_code(export) : ret;
}

static int run(struct export *export)
{
	int ret;

	if (!export->dry_run)
		return send(export);
	export->session.sink = (struct nd_sink){plan, export};
	ret = export_file(&export->target, &export->session, &export->result, &export->err);
	if (ret)
		return ret;
	print_dropped(&export->result.tail);
	return print_plan(export);
}

int command_export(int argc, char **argv)
{
	struct export *export = calloc(1, sizeof(*export));
	int ret;

	if (!export)
		return EXIT_FAILED;
	ret = parse_arguments(export, argc, argv);
	if (!ret && export->arguments.help)
		ret = arguments_print_help(&argp, &export->arguments, argv[0], &export->err);
	else if (!ret)
		ret = run(export);
	if (ret && export->err.code)
		term_error(&export->err);
	if (!ret && export->command)
		ret = child_wait(&export->result.lag.child);
	sender_fini(&export->sender);
	nd_resource_free(export->result.resource);
	free(export->headers);
	free(export);
	return ret;
}
