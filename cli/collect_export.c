/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/collect_export.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/export/exporter.h"
#include "analyzer/export/resource.h"
#include "cli/channel.h"
#include "cli/collect_process.h"
#include "cli/export_session.h"
#include "cli/sender.h"
#include "cli/target.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/procfs.h"
#include "proto/limits.h"
#include "proto/otlp.h"

/* What the environment of a process may take. */
#define ENVIRONMENT_MAX (8u << 20)

#define NAME_MAX_BYTES 256

/* What may wait for a collector, of one process. The folder of sockets is often in memory. */
#define QUEUE_BYTES (64u << 20)

/* Queues to the same place that are in use at a time: as many as there are processes. */
#define QUEUES_MAX 4096

/* So often it is tried to be the reader, after pauses. */
#define BUSY_TRIES 20
#define BUSY_MS	   50

/* How long a collector that takes nothing is tried when the process has ended. */
#define GIVE_UP_NS (60 * ND_NSEC_PER_SEC)

struct collect_export {
	struct channel *channel;
	struct sender sender;
	struct export_options options;
	struct export_result result; /* of what is watched now */
	struct export_watch *watch;
	struct lag_tap tap;
	bool queue_failed; /* which was said */
};

/* Those that say where to send, as what, and by which way. */
static bool is_for_export(const char *variable)
{
	static const char *const names[] = {
		"http_proxy=", "https_proxy=", "HTTPS_PROXY=", "all_proxy=",   "ALL_PROXY=",
		"no_proxy=",   "NO_PROXY=",    "NODIAG_TAIL=", "NODIAG_QUEUE="};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(variable, names[i], strlen(names[i])))
			return true;
	return !strncmp(variable, "OTEL_", strlen("OTEL_"));
}

/* Cut the name off; false where none fits. */
static bool take_name(const char *variable, char name[NAME_MAX_BYTES])
{
	size_t len = strcspn(variable, "=");

	if (len >= NAME_MAX_BYTES || variable[len] != '=')
		return false;
	memcpy(name, variable, len);
	name[len] = '\0';
	return true;
}

static void forget_own_variables(void)
{
	char name[NAME_MAX_BYTES];
	size_t i = 0;

	while (environ && environ[i])
		if (is_for_export(environ[i]) && take_name(environ[i], name))
			unsetenv(name);
		else
			i++;
}

/* Have the process's variables in place of our own: libraries read them too. */
static int adopt_environment(pid_t pid, struct nd_err *err)
{
	char name[NAME_MAX_BYTES];
	struct nd_buf text;
	const char *at;
	int ret;

	forget_own_variables();
	nd_buf_init(&text, ENVIRONMENT_MAX);
	ret = nd_procfs_read_text(pid, "environ", &text);
	if (ret)
		nd_err_set_errno(err, ret, "cannot read the environment of %d", pid);
	for (at = text.data; !ret && at < text.data + text.len; at += strlen(at) + 1)
		if (is_for_export(at) && take_name(at, name) &&
		    setenv(name, at + strlen(name) + 1, 1))
			ret = nd_err_set(err, -ENOMEM, "out of memory");
	nd_buf_fini(&text);
	return ret;
}

static void say(void *arg, const char *text)
{
	struct collect_export *export = arg;

	collect_say(export->channel, "%s", text);
}

static uint64_t hash(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	while (*text++);
	return hash;
}

/* Tells places apart: what was meant for one is sent nowhere else, nor with another's headers. */
static uint64_t hash_place(const struct nd_export_options *options)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	int signal;
	size_t i;

	for (signal = 0; signal < ND_OTLP_SIGNALS; signal++) {
		const struct nd_export_target *target = &options->targets[signal];

		sum = hash(sum, target->url);
		for (i = 0; i < target->header_count; i++) {
			sum = hash(sum, target->headers[i].name);
			sum = hash(sum, target->headers[i].value);
		}
	}
	return sum;
}

/* Where queues are: what is beside the sockets often is in memory, and gone with the machine. */
static const char *choose_folder(struct collect_export *export, const char *folder)
{
	const char *wanted = getenv("NODIAG_QUEUE");

	if (!wanted || !*wanted)
		return folder;
	if (*wanted == '/' && (!mkdir(wanted, 0700) || errno == EEXIST))
		return wanted;
	collect_say(export->channel, "NODIAG_QUEUE is ignored: %s",
		    *wanted == '/' ? strerror(errno) : "it is no absolute path");
	return folder;
}

/* Take the first queue to that place that nobody uses: it may have what another had to leave. */
static int open_exporter(struct collect_export *export, const char *folder, struct nd_err *err)
{
	uint64_t place = hash_place(&export->sender.options);
	const char *in = choose_folder(export, folder);
	char path[512];
	const struct nd_exporter_settings settings = {
		.version = ND_VERSION, .queue = path, .queue_bytes = QUEUE_BYTES};
	int i, ret = -EBUSY;

	for (i = 0; i < QUEUES_MAX && ret == -EBUSY; i++) {
		snprintf(path, sizeof(path), "%s/queue-%016" PRIx64 "-%d", in, place, i);
		ret = nd_exporter_open(&export->sender.options, &settings, &export->sender.exporter,
				       err);
	}
	return ret;
}

/* What finds no room on the disk is lost, and not the rest with it. */
static int add_request(void *arg, enum nd_otlp_signal signal, const struct nd_buf *request,
		       uint64_t items)
{
	struct collect_export *export = arg;
	struct nd_err err = {0};
	int ret = nd_exporter_add(export->sender.exporter, signal, request, items, &err);

	if (!ret || ret == -ENOMEM)
		return ret;
	if (!export->queue_failed)
		collect_say(export->channel, "%s", err.what);
	export->queue_failed = true;
	return 0;
}

static void work(void *arg, uint64_t for_ns)
{
	struct collect_export *export = arg;

	sender_work(&export->sender, for_ns);
}

/* What is sent under some name is found under it by whoever looks at the process from outside. */
static void publish(void *arg, const struct nd_buf *resource)
{
	struct collect_export *export = arg;
	struct nd_buf context;
	int ret;

	nd_buf_init(&context, ND_MESSAGE_MAX);
	ret = nd_otlp_encode_process_context(resource, &context);
	if (!ret)
		ret = channel_publish(export->channel, context.data, context.len);
	nd_buf_fini(&context);
	if (ret && ret != -EEXIST && ret != -EPIPE)
		collect_say(export->channel, "the process context is not published: %s",
			    strerror(-ret));
}

static void say_where(struct collect_export *export, const bool *signals)
{
	char url[512];
	int signal;

	for (signal = 0; signal < ND_OTLP_SIGNALS; signal++) {
		if (!signals[signal])
			continue;
		nd_export_describe_url(export->sender.options.targets[signal].url, url,
				       sizeof(url));
		collect_say(export->channel, "sending %s to %s",
			    nd_export_signal_name((enum nd_otlp_signal)signal), url);
	}
}

static void say_count(struct collect_export *export, uint64_t count, const char *signal,
		      const char *what)
{
	if (count)
		collect_say(export->channel, "%s %s: %" PRIu64, signal, what, count);
}

/* What was not taken, and what became of it. */
static void say_losses(struct collect_export *export)
{
	struct nd_export_counts counts;
	int signal;

	for (signal = 0; signal < ND_OTLP_SIGNALS; signal++) {
		const char *name = nd_export_signal_name((enum nd_otlp_signal)signal);

		nd_exporter_get_counts(export->sender.exporter, (enum nd_otlp_signal)signal,
				       &counts);
		say_count(export, counts.rejected, name, "that were rejected");
		say_count(export, counts.refused, name, "that were refused");
		say_count(export, counts.dropped, name, "dropped because the queue was full");
		say_count(export, counts.waiting, name, "kept in the queue");
	}
}

static void set_options(struct collect_export *export)
{
	uint32_t exports = channel_get_head(export->channel)->exports;

	export->options = (struct export_options){
		.signals = {[ND_OTLP_METRICS] = exports & ND_EXPORTS_METRICS,
			    [ND_OTLP_TRACES] = exports & ND_EXPORTS_TRACES,
			    [ND_OTLP_PROFILES] = exports & ND_EXPORTS_PROFILES},
		.tail = export->sender.tail,
		.is_unattended = true,
		.channel = export->channel,
		.interval_ns = export->sender.interval_ns,
		.sink = {add_request, export},
		.work = work,
		.describe = publish,
		.arg = export,
	};
	say_where(export, export->options.signals);
}

int collect_export_open(struct channel *channel, const char *folder,
			struct collect_export **ret_export, struct nd_err *err)
{
	struct collect_export *export = calloc(1, sizeof(*export));
	int ret;

	if (!export)
		return nd_err_set(err, -ENOMEM, "out of memory");
	export->channel = channel;
	export->sender.say = say;
	export->sender.arg = export;
	ret = adopt_environment((pid_t)channel_get_head(channel)->pid, err);
	if (!ret)
		ret = sender_read_environment(&export->sender, err);
	if (!ret)
		ret = open_exporter(export, folder, err);
	if (ret) {
		sender_fini(&export->sender);
		free(export);
		return ret;
	}
	set_options(export);
	*ret_export = export;
	return 0;
}

/* Say what is in it; the next time begins anew. */
static void forget_result(struct collect_export *export)
{
	const struct nd_tail_counts *tail = &export->result.tail;

	say_count(export, tail->dropped, "traces", "that no rule kept");
	say_count(export, tail->early, "traces", "of these that were not over yet");
	nd_resource_free(export->result.resource);
	export->result = (struct export_result){0};
}

int collect_export_run(struct collect_export *export, struct nd_err *err)
{
	const struct target target = {.kind = TARGET_PIDS,
				      .pids = {(pid_t)channel_get_head(export->channel)->pid},
				      .pids_count = 1};
	const struct lag_result *lag = &export->result.lag;
	int tries = BUSY_TRIES, ret;

	/* A recording that failed may still be the reader, for a moment. */
	while ((ret = export_process(&target, &export->options, &export->result, err)) &&
	       err->code == -EBUSY && tries--) {
		forget_result(export);
		poll(NULL, 0, BUSY_MS);
	}
	if (!ret)
		say_count(export, lag->dropped, "events", "dropped because the ring was full");
	if (!ret && *lag->untraced)
		collect_say(export->channel, "not all threads are traced: %s", lag->untraced);
	forget_result(export);
	return ret ? err->code : 0;
}

int collect_export_tap(struct collect_export *export, struct nd_profile *frames,
		       const struct lag_tap **ret_tap, struct nd_err *err)
{
	pid_t pid = (pid_t)channel_get_head(export->channel)->pid;
	int ret = export_watch(pid, frames, &export->options, &export->result, &export->watch, err);

	if (ret)
		return ret;
	export->tap = export_get_tap(export->watch);
	*ret_tap = &export->tap;
	return 0;
}

int collect_export_untap(struct collect_export *export, struct nd_err *err)
{
	int ret = export_unwatch(export->watch, err);

	export->watch = NULL;
	forget_result(export);
	return ret;
}

bool collect_export_traces(const struct collect_export *export)
{
	return export->options.signals[ND_OTLP_TRACES];
}

int collect_export_close(struct collect_export *export, struct nd_err *err)
{
	int ret;

	if (!export)
		return 0;
	ret = sender_finish(&export->sender, GIVE_UP_NS, err);
	say_losses(export);
	sender_fini(&export->sender);
	free(export);
	return ret;
}
