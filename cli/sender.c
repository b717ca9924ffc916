/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sender.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/export/exporter.h"
#include "cli/interrupt.h"
#include "cli/tail.h"
#include "cli/units.h"
#include "common/clock.h"
#include "common/err.h"

#define DEFAULT_INTERVAL_MS 60000
#define INTERVAL_MS_MAX	    3600000

/* So often Ctrl-C is looked for, and problems are told, while the rest is sent. */
#define WORK_NS (200 * ND_NSEC_PER_MSEC)
#define WAIT_MS 100

static const char *get_variable(void *arg, const char *name)
{
	return getenv(name);
}

static uint64_t read_interval(struct sender *sender)
{
	const char *text = getenv("OTEL_METRIC_EXPORT_INTERVAL");
	uint64_t ms = DEFAULT_INTERVAL_MS;

	if (text && *text && !units_parse_number(text, 1, INTERVAL_MS_MAX, &ms)) {
		sender->say(
			sender->arg,
			"OTEL_METRIC_EXPORT_INTERVAL is ignored: it is a number of milliseconds");
		ms = DEFAULT_INTERVAL_MS;
	}
	return ms * ND_NSEC_PER_MSEC;
}

/* What cannot be read drops nothing. */
static void read_tail(struct sender *sender)
{
	const char *text = getenv("NODIAG_TAIL");
	struct nd_err why = {0};
	char line[sizeof(why.what) + 32];

	if (!text || !*text || !tail_parse(text, &sender->tail, &why))
		return;
	snprintf(line, sizeof(line), "NODIAG_TAIL is ignored: %s", why.what);
	sender->say(sender->arg, line);
}

int sender_read_environment(struct sender *sender, struct nd_err *err)
{
	int ret = nd_export_options_init(&sender->options, get_variable, NULL, err);

	if (ret)
		return ret;
	if (sender->options.warning[0])
		sender->say(sender->arg, sender->options.warning);
	sender->interval_ns = read_interval(sender);
	read_tail(sender);
	return 0;
}

void sender_fini(struct sender *sender)
{
	nd_exporter_close(sender->exporter);
	nd_export_options_fini(&sender->options);
}

/* Say once what is new. */
static void tell_problems(struct sender *sender)
{
	const char *problem;
	int signal;

	for (signal = 0; signal < ND_OTLP_SIGNALS; signal++) {
		char *shown = sender->shown[signal];

		problem = nd_exporter_problem(sender->exporter, (enum nd_otlp_signal)signal);
		if (!strcmp(problem, shown))
			continue;
		snprintf(shown, sizeof(sender->shown[signal]), "%s", problem);
		if (*problem)
			sender->say(sender->arg, problem);
	}
}

void sender_work(struct sender *sender, uint64_t for_ns)
{
	nd_exporter_flush(sender->exporter, for_ns);
	tell_problems(sender);
}

static uint64_t count_done(const struct sender *sender)
{
	struct nd_export_counts counts;
	uint64_t done = 0;
	int signal;

	for (signal = 0; signal < ND_OTLP_SIGNALS; signal++) {
		nd_exporter_get_counts(sender->exporter, (enum nd_otlp_signal)signal, &counts);
		done += counts.sent + counts.rejected + counts.refused;
	}
	return done;
}

int sender_finish(struct sender *sender, uint64_t give_up_ns, struct nd_err *err)
{
	uint64_t since = nd_clock_monotonic_ns(), done = 0;
	int ret;

	interrupt_catch();
	for (;;) {
		ret = nd_exporter_flush(sender->exporter, WORK_NS);
		tell_problems(sender);
		if (ret <= 0 || interrupt_was_asked_for())
			break;
		if (count_done(sender) > done) {
			done = count_done(sender);
			since = nd_clock_monotonic_ns();
		}
		if (nd_clock_monotonic_ns() - since > give_up_ns)
			break;
		poll(NULL, 0, WAIT_MS);
	}
	interrupt_release();
	return ret < 0 ? nd_err_set_errno(err, ret, "cannot send") : 0;
}
