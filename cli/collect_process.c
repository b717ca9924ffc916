/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/collect_process.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "analyzer/profile/profile.h"
#include "cli/channel.h"
#include "cli/collect_export.h"
#include "cli/collect_heap.h"
#include "cli/command.h"
#include "cli/out.h"
#include "cli/pattern.h"
#include "cli/record_session.h"
#include "cli/target.h"
#include "cli/term.h"
#include "common/err.h"

/* Names that are tried before it is given up. */
#define ATTEMPTS_MAX 1000

void collect_say(struct channel *channel, const char *fmt, ...)
{
	char text[ND_OUTPUT_PATTERN_MAX + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	term_note("%d: %s", channel_get_head(channel)->pid, text);
	channel_log(channel, text);
}

/* Make a file of its own for the process; what is there is left alone. */
static int open_output(const struct nd_channel_head *head, struct out *out, struct nd_err *err)
{
	char path[sizeof(out->path)];
	unsigned int attempt;
	struct stat st;
	int ret;

	for (attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		ret = pattern_expand(head->output, (pid_t)head->pid, attempt, path, sizeof(path));
		if (ret)
			return nd_err_set_errno(err, ret, "cannot write '%s'", head->output);
		if (!attempt && !stat(path, &st) && S_ISDIR(st.st_mode))
			return nd_err_set_errno(err, -EISDIR, "cannot write '%s'", path);
		ret = out_create(out, path, err);
		if (ret != -EEXIST)
			return ret;
	}
	return ret;
}

/* What is done with a process. */
struct job {
	struct channel *channel;
	const struct record_options *options;
	struct collect_export *export; /* NULL: it is not sent */
};

/* Until the process ends, or the file is as large as can be read back: `ret_is_full`. */
static int record(const struct job *job, const struct record_options *options, struct out *out,
		  struct nd_profile *frames, bool *ret_is_full, struct nd_err *err)
{
	struct target target = {.kind = TARGET_PIDS, .pids_count = 1};
	struct record_result result;
	int ret;

	target.pids[0] = (pid_t)channel_get_head(job->channel)->pid;
	collect_say(job->channel, "recording into '%s'", out->path);
	ret = record_session_run(&target, options, out, frames, &result, err);
	*ret_is_full = result.is_full;
	if (!ret && result.unnamed[0])
		collect_say(job->channel, "its stacks have no names: %s", result.unnamed);
	return ret;
}

/* The same, and it is sent too where that is asked for: an agent has one reader. */
static int record_and_send(const struct job *job, struct out *out, bool *ret_is_full,
			   struct nd_err *err)
{
	struct record_options options = *job->options;
	struct nd_profile *frames = nd_profile_new(false);
	struct nd_err why = {0};
	int ret = 0;

	if (!frames)
		return nd_err_set(err, -ENOMEM, "out of memory");
	if (job->export) {
		options.trace = collect_export_traces(job->export);
		ret = collect_export_tap(job->export, frames, &options.tap, err);
	}
	if (!ret) {
		ret = record(job, &options, out, frames, ret_is_full, err);
		if (options.tap && collect_export_untap(job->export, &why))
			collect_say(job->channel, "%s", why.what);
	}
	nd_profile_free(frames);
	return ret;
}

/* One file after the other, as each is full. */
static int record_all(const struct job *job, struct nd_err *err)
{
	struct out out = {.fd = -1};
	bool is_full = false;
	int ret;

	do {
		ret = open_output(channel_get_head(job->channel), &out, err);
		if (!ret)
			ret = record_and_send(job, &out, &is_full, err);
		if (!ret)
			puts(out.path);
		out_close(&out);
	} while (!ret && is_full && !channel_is_over(job->channel));
	return ret;
}

/* Say at once what failed. */
static bool is_well(const struct job *job, int ret, const struct nd_err *err)
{
	if (ret)
		collect_say(job->channel, "%s", err->what);
	return !ret;
}

/* What fails of the one is no reason not to do the other. Returns whether all went well. */
static bool work(struct job *job, const char *folder)
{
	const struct nd_channel_head *head = channel_get_head(job->channel);
	bool well = true, recorded = false;
	struct nd_err err = {0};

	if (head->exports)
		well = is_well(job, collect_export_open(job->channel, folder, &job->export, &err),
			       &err);
	if (head->output[0]) {
		recorded = is_well(job, record_all(job, &err), &err);
		well &= recorded;
	}
	if (job->export && !recorded)
		well &= is_well(job, collect_export_run(job->export, &err), &err);
	return is_well(job, collect_export_close(job->export, &err), &err) && well;
}

int collect_process(pid_t pid, const char *folder, const struct record_options *options)
{
	const struct nd_channel_head *head;
	struct job job = {.options = options};
	int ret = EXIT_NO_TARGET;
	pid_t waiting;

	if (channel_open(pid, &job.channel, NULL))
		return ret;
	head = channel_get_head(job.channel);
	waiting = collect_heap_start(job.channel);
	if (head->output[0] || head->exports)
		ret = work(&job, folder) ? EXIT_DONE : EXIT_FAILED;
	else if (waiting)
		ret = EXIT_DONE;
	collect_heap_end(waiting);
	channel_close(job.channel);
	return fflush(stdout) ? EXIT_FAILED : ret;
}
