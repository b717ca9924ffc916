/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/exporter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "analyzer/export/grpc.h"
#include "analyzer/export/http.h"
#include "analyzer/export/options.h"
#include "analyzer/export/queue.h"
#include "analyzer/export/retry.h"
#include "analyzer/render/terminal.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/limits.h"

/* How long to wait for the network at once. */
#define WAIT_MS 50

/* One signal on its way. */
struct lane {
	const struct nd_export_target *target;
	enum nd_otlp_signal signal;
	struct nd_http_call *call;
	struct nd_retry retry;
	bool busy;
	uint64_t id; /* in the queue, of what is under way */
	uint64_t items;
	struct nd_buf plain;
	struct nd_buf packed;
	struct nd_buf framed; /* for gRPC */
	struct nd_export_counts counts;
	uint64_t not_dropped; /* dropped by the queue while they were taken after all */
	char problem[512];
	bool passes; /* the problem, with the next success */
};

struct nd_exporter {
	struct nd_http *http;
	struct nd_export_queue *queue;
	struct lane lanes[ND_OTLP_SIGNALS];
};

static int open_lanes(struct nd_exporter *exporter, const struct nd_export_options *options)
{
	struct lane *lane;
	int signal;

	for (signal = 0; signal < ND_OTLP_SIGNALS; signal++) {
		lane = &exporter->lanes[signal];
		lane->signal = (enum nd_otlp_signal)signal;
		lane->target = &options->targets[signal];
		nd_buf_init(&lane->plain, ND_OTLP_REQUEST_MAX);
		nd_buf_init(&lane->packed, ND_OTLP_REQUEST_MAX);
		nd_buf_init(&lane->framed, ND_OTLP_REQUEST_MAX + 8);
		lane->call = nd_http_call_new(exporter->http);
		if (!lane->call)
			return -ENOMEM;
	}
	return 0;
}

int nd_exporter_open(const struct nd_export_options *options,
		     const struct nd_exporter_settings *settings, struct nd_exporter **ret_exporter,
		     struct nd_err *err)
{
	struct nd_exporter *exporter = calloc(1, sizeof(*exporter));
	char agent[64];
	int ret = -ENOMEM;

	snprintf(agent, sizeof(agent), "OTel-OTLP-Exporter-nodiag/%s", settings->version);
	if (exporter)
		exporter->http = nd_http_new(agent);
	if (exporter && exporter->http)
		ret = open_lanes(exporter, options);
	if (ret)
		nd_err_set(err, ret, "out of memory");
	else
		ret = nd_export_queue_open(settings->queue, settings->queue_bytes, &exporter->queue,
					   err);
	if (ret)
		nd_exporter_close(exporter);
	else
		*ret_exporter = exporter;
	return ret;
}

void nd_exporter_close(struct nd_exporter *exporter)
{
	struct lane *lane;

	if (!exporter)
		return;
	for (lane = exporter->lanes; lane < exporter->lanes + ND_OTLP_SIGNALS; lane++) {
		nd_http_call_free(lane->call);
		nd_buf_fini(&lane->plain);
		nd_buf_fini(&lane->packed);
		nd_buf_fini(&lane->framed);
	}
	nd_export_queue_close(exporter->queue);
	nd_http_free(exporter->http);
	free(exporter);
}

int nd_exporter_add(struct nd_exporter *exporter, enum nd_otlp_signal signal,
		    const struct nd_buf *request, uint64_t items, struct nd_err *err)
{
	enum nd_packing packing = exporter->lanes[signal].target->packing;
	struct nd_queued queued = {
		.signal = signal,
		.items = items,
		/* What waits is packed in any case: it may wait for long. zstd costs less. */
		.packing = packing == ND_PACKING_NONE ? ND_PACKING_ZSTD : packing,
	};
	int ret = nd_export_queue_add(exporter->queue, &queued, request, err);

	if (!ret)
		exporter->lanes[signal].counts.added += items;
	return ret;
}

static int add(void *arg, enum nd_otlp_signal signal, const struct nd_buf *request, uint64_t items)
{
	return nd_exporter_add(arg, signal, request, items, NULL);
}

struct nd_sink nd_exporter_sink(struct nd_exporter *exporter)
{
	return (struct nd_sink){add, exporter};
}

/* What somebody else wrote is shown to people: without secrets, and harmless for terminals. */
static void set_problem(struct lane *lane, const char *what, const char *message, const char *then)
{
	char url[192], raw[sizeof(lane->problem)];
	struct nd_buf shown;

	nd_export_describe_url(lane->target->url, url, sizeof(url));
	snprintf(raw, sizeof(raw), "%s: %s%s%.256s%s%s", url, what, *message ? ", " : "", message,
		 *then ? "; " : "", then);
	nd_export_redact(lane->target, raw);
	nd_buf_init(&shown, sizeof(raw) * 3);
	nd_terminal_add(&shown, raw);
	snprintf(lane->problem, sizeof(lane->problem), "%s", shown.data);
	nd_buf_fini(&shown);
}

/* What is in the queue may have been put there by who sent in another way. */
static int pack_for(struct lane *lane, enum nd_packing packing)
{
	if (packing == lane->target->packing)
		return 0;
	nd_buf_reset(&lane->packed);
	return nd_pack(lane->target->packing, lane->plain.data, lane->plain.len, &lane->packed);
}

/* Give the oldest request to the network. */
static int start(struct nd_exporter *exporter, struct lane *lane)
{
	const struct nd_queued *first;
	const struct nd_buf *what;
	int ret = -EBADMSG;

	/* Damaged ones go away by being read. */
	while (ret == -EBADMSG) {
		first = nd_export_queue_first(exporter->queue, lane->signal);
		if (!first)
			return 0;
		nd_buf_reset(&lane->plain);
		nd_buf_reset(&lane->packed);
		lane->id = first->id;
		lane->items = first->items;
		ret = nd_export_queue_read(exporter->queue, first->id, &lane->plain, &lane->packed);
	}
	if (ret)
		return ret;
	what = &lane->plain;
	if (lane->target->packing != ND_PACKING_NONE) {
		ret = pack_for(lane, first->packing);
		what = &lane->packed;
	}
	if (ret)
		return ret;
	if (lane->target->grpc) {
		nd_buf_reset(&lane->framed);
		ret = nd_grpc_frame(what->data, what->len, what != &lane->plain, &lane->framed);
		what = &lane->framed;
	}
	if (!ret)
		ret = nd_http_post(lane->call, lane->target, what->data, what->len);
	lane->busy = !ret;
	return ret;
}

/* It is off the queue, with so many items that were not taken. */
static void finish(struct nd_exporter *exporter, struct lane *lane, uint64_t not_taken)
{
	if (!nd_export_queue_remove(exporter->queue, lane->id))
		lane->not_dropped += lane->items;
	lane->counts.sent += lane->items - not_taken;
	lane->retry = (struct nd_retry){0};
}

/* An answer, whichever way it came. */
struct outcome {
	enum nd_verdict verdict;
	char what[256]; /* went wrong */
	struct nd_otlp_answer answer;
	uint64_t pause_s; /* that was asked for */
};

static void read_http(const struct nd_http_answer *http, struct outcome *ret)
{
	ret->verdict = nd_retry_judge(http->status);
	snprintf(ret->what, sizeof(ret->what), "HTTP %ld", http->status);
	if (ret->verdict == ND_VERDICT_SENT)
		/* What is no message says nothing, and was a success all the same. */
		nd_otlp_decode_response(http->body.data, http->body.len, &ret->answer);
	else if (!strncmp(http->content_type, "application/x-protobuf", 22))
		nd_otlp_decode_status(http->body.data, http->body.len, &ret->answer);
	else if (!strncmp(http->content_type, "text/plain", 10))
		snprintf(ret->answer.message, sizeof(ret->answer.message), "%s", http->body.data);
	if (http->retry_after[0])
		nd_retry_after_decode(http->retry_after, http->date,
				      nd_clock_realtime_ns() / ND_NSEC_PER_SEC, &ret->pause_s);
}

static void read_grpc(const struct nd_http_answer *http, struct outcome *ret)
{
	struct nd_grpc_status status;
	const void *message;
	size_t len;

	nd_grpc_decode_trailers(&http->trailers, &status);
	/* What stands before the server may answer without knowing gRPC. */
	if (status.code < 0) {
		read_http(http, ret);
		if (ret->verdict == ND_VERDICT_SENT)
			ret->verdict = ND_VERDICT_REFUSED;
		return;
	}
	ret->verdict = status.verdict;
	ret->pause_s = status.pause_s;
	snprintf(ret->what, sizeof(ret->what), "gRPC status %d", status.code);
	snprintf(ret->answer.message, sizeof(ret->answer.message), "%s", status.message);
	message = nd_grpc_unframe(http->body.data, http->body.len, &len);
	if (status.verdict == ND_VERDICT_SENT && message)
		nd_otlp_decode_response(message, len, &ret->answer);
}

static void take_success(struct nd_exporter *exporter, struct lane *lane,
			 const struct nd_otlp_answer *answer)
{
	uint64_t rejected = (uint64_t)answer->rejected;

	if (rejected > lane->items)
		rejected = lane->items;
	lane->counts.rejected += rejected;
	if (lane->passes)
		lane->problem[0] = '\0';
	lane->passes = false;
	if (rejected || answer->message[0])
		set_problem(lane, rejected ? "not all was taken" : "warning", answer->message, "");
	finish(exporter, lane, rejected);
}

static void take_failure(struct nd_exporter *exporter, struct lane *lane,
			 const struct outcome *outcome, bool has_no_place)
{
	uint32_t random = 0;

	if (outcome->verdict == ND_VERDICT_REFUSED) {
		lane->passes = false;
		set_problem(lane, outcome->what, outcome->answer.message,
			    has_no_place ? "it takes no profiles" : "");
		lane->counts.refused += lane->items;
		finish(exporter, lane, lane->items);
		return;
	}
	set_problem(lane, outcome->what, outcome->answer.message, "trying again");
	lane->passes = true;
	/* Without it, all nodiags of a failed collector come back together. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint32_t)nd_clock_realtime_ns();
	nd_retry_fail(&lane->retry, nd_clock_monotonic_ns(), outcome->pause_s * ND_NSEC_PER_SEC,
		      random);
}

static void take_answer(struct nd_exporter *exporter, struct lane *lane)
{
	const struct nd_http_answer *http = nd_http_get_answer(lane->call);
	struct outcome outcome = {.verdict = ND_VERDICT_RETRY};

	lane->busy = false;
	if (!http->status) {
		outcome.verdict = http->is_final ? ND_VERDICT_REFUSED : ND_VERDICT_RETRY;
		snprintf(outcome.what, sizeof(outcome.what), "%s", http->error);
	} else if (lane->target->grpc) {
		read_grpc(http, &outcome);
	} else {
		read_http(http, &outcome);
	}
	if (outcome.verdict == ND_VERDICT_SENT)
		take_success(exporter, lane, &outcome.answer);
	else
		take_failure(exporter, lane, &outcome,
			     http->status == 404 && lane->signal == ND_OTLP_PROFILES);
}

/* Start what is due. Returns whether anything is under way, or -ENOMEM. */
static int start_due(struct nd_exporter *exporter)
{
	uint64_t now = nd_clock_monotonic_ns();
	struct lane *lane;
	int busy = 0, ret;

	for (lane = exporter->lanes; lane < exporter->lanes + ND_OTLP_SIGNALS; lane++) {
		if (!lane->busy && now >= lane->retry.next_ns) {
			ret = start(exporter, lane);
			if (ret)
				return ret;
		}
		busy |= lane->busy;
	}
	return busy;
}

static bool has_waiting(const struct nd_exporter *exporter)
{
	int signal;

	for (signal = 0; signal < ND_OTLP_SIGNALS; signal++)
		if (nd_export_queue_first(exporter->queue, (enum nd_otlp_signal)signal))
			return true;
	return false;
}

int nd_exporter_flush(struct nd_exporter *exporter, uint64_t for_ns)
{
	uint64_t until = nd_clock_monotonic_ns() + for_ns, now;
	struct lane *lane;
	int ret;

	for (;;) {
		ret = start_due(exporter);
		if (ret <= 0)
			return ret ? ret : has_waiting(exporter);
		now = nd_clock_monotonic_ns();
		nd_http_work(exporter->http,
			     now >= until ? 0
			     : until - now < WAIT_MS * ND_NSEC_PER_MSEC
				     ? (unsigned int)((until - now) / ND_NSEC_PER_MSEC)
				     : WAIT_MS);
		for (lane = exporter->lanes; lane < exporter->lanes + ND_OTLP_SIGNALS; lane++)
			if (lane->busy && !nd_http_is_busy(lane->call))
				take_answer(exporter, lane);
		if (now >= until)
			return has_waiting(exporter);
	}
}

void nd_exporter_get_counts(const struct nd_exporter *exporter, enum nd_otlp_signal signal,
			    struct nd_export_counts *ret_counts)
{
	const struct lane *lane = &exporter->lanes[signal];

	*ret_counts = lane->counts;
	ret_counts->dropped =
		nd_export_queue_dropped_items(exporter->queue, signal) - lane->not_dropped;
	ret_counts->waiting = nd_export_queue_waiting_items(exporter->queue, signal);
}

uint64_t nd_exporter_damaged(const struct nd_exporter *exporter)
{
	return nd_export_queue_damaged(exporter->queue);
}

const char *nd_exporter_problem(const struct nd_exporter *exporter, enum nd_otlp_signal signal)
{
	return exporter->lanes[signal].problem;
}
