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

/* Until the process ends, or the file is as large as can be read back: `ret_is_full`. */
static int record(struct channel *channel, const struct record_options *options, struct out *out,
		  bool *ret_is_full, struct nd_err *err)
{
	struct target target = {.kind = TARGET_PIDS, .pids_count = 1};
	struct nd_profile *losses = nd_profile_new(false);
	struct record_result result;
	int ret;

	if (!losses)
		return nd_err_set(err, -ENOMEM, "out of memory");
	target.pids[0] = (pid_t)channel_get_head(channel)->pid;
	collect_say(channel, "recording into '%s'", out->path);
	ret = record_session_run(&target, options, out, losses, &result, err);
	*ret_is_full = result.is_full;
	if (!ret && result.unnamed[0])
		collect_say(channel, "its stacks have no names: %s", result.unnamed);
	nd_profile_free(losses);
	return ret;
}

/* One file after the other, as each is full. */
static int record_all(struct channel *channel, const struct record_options *options,
		      struct nd_err *err)
{
	struct out out = {.fd = -1};
	bool is_full = false;
	int ret;

	do {
		ret = open_output(channel_get_head(channel), &out, err);
		if (!ret)
			ret = record(channel, options, &out, &is_full, err);
		if (!ret)
			puts(out.path);
		out_close(&out);
	} while (!ret && is_full && !channel_is_over(channel));
	return ret;
}

int collect_process(pid_t pid, const char *folder, const struct record_options *options)
{
	const struct nd_channel_head *head;
	struct channel *channel;
	struct nd_err err = {0};
	int ret;

	if (channel_open(pid, &channel, NULL))
		return EXIT_NO_TARGET;
	head = channel_get_head(channel);
	if (!head->output[0] && !head->exports) {
		channel_close(channel);
		return EXIT_NO_TARGET;
	}
	/* An agent has one reader. */
	if (head->output[0] && head->exports)
		collect_say(channel,
			    "it is recorded, and not sent: 'nodiag export' sends the file");
	ret = head->output[0] ? record_all(channel, options, &err)
			      : collect_export(channel, folder, &err);
	if (ret)
		collect_say(channel, "%s", err.what);
	channel_close(channel);
	return fflush(stdout) || ret ? EXIT_FAILED : EXIT_DONE;
}
