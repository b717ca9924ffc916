/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: send_spans SPANS [RULES] [QUEUE]
 *
 * All that nodiag does with the spans of a process, without a process: read from a ring, counted as
 * metrics, chosen by RULES (slow=MILLISECONDS and errors, or "all"), made requests of, and sent to
 * where OTEL_EXPORTER_OTLP_* say, through a queue in the folder QUEUE or in memory. Prints how many
 * were taken.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/export/exporter.h"
#include "analyzer/export/http_metrics.h"
#include "analyzer/export/metrics.h"
#include "analyzer/export/options.h"
#include "analyzer/export/spans.h"
#include "analyzer/export/tail.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/ring.h"
#include "proto/span.h"

#define RING_SIZE (1u << 20)

/* So many are read at once, of a second with so many. */
#define ROUND  256
#define SECOND 100000

/* More do not wait in memory: the other side is slower than this program. */
#define WAITING_MAX 50000

struct bench {
	struct nd_ring ring;
	struct nd_http_metrics *requests;
	struct nd_tail *tail;
	struct nd_batch batch;
	struct nd_exporter *exporter;
	uint64_t now_ns;
};

static const char *get_variable(void *arg, const char *name)
{
	return getenv(name);
}

static void check(int ret)
{
	if (ret < 0) {
		fprintf(stderr, "send_spans: %s\n", strerror(-ret));
		exit(1);
	}
}

static int keep(void *arg, const struct nd_event_span *span)
{
	struct bench *bench = arg;

	return nd_export_span(span, UINT64_C(1700000000000000000), &bench->batch);
}

/* A request of a service with some routes, of which one in a hundred fails. */
static void write_span(struct bench *bench, uint64_t number, enum nd_event_kind kind)
{
	static const char *const routes[] = {"/users/:id", "/orders/:id", "/items", "/health"};
	char path[32];
	const char *texts[ND_SPAN_TEXTS] = {"GET",	    routes[number % 4], path,
					    "shop.example", "10.0.0.7",		""};
	struct nd_event_span *span;
	size_t size;

	snprintf(path, sizeof(path), "/users/%" PRIu64, number);
	size = nd_span_size(texts);
	span = nd_ring_reserve(&bench->ring, (uint32_t)size);
	if (!span)
		abort();
	*span = (struct nd_event_span){
		.event = {(uint32_t)kind, 4242, bench->now_ns},
		.start_ns = bench->now_ns - 1000000 * (number % 50),
		.status = number % 100 ? 200 : 500,
		.port = 8080,
		.kind = ND_SPAN_SERVER,
		.http_version = 11,
	};
	/* As mixed as random ones are. */
	number = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
	memcpy(span->trace_id, &number, sizeof(number));
	memcpy(span->trace_id + 8, &number, sizeof(number));
	memcpy(span->span_id, &number, sizeof(number));
	nd_span_set_texts(span, texts);
	nd_ring_commit(&bench->ring, span, (uint32_t)size);
}

static void read_ring(struct bench *bench)
{
	union {
		struct nd_event_span span;
		char room[ND_SPAN_SIZE_MAX];
	} u;
	int size;

	while ((size = nd_ring_read(&bench->ring, &u, sizeof(u))) > 0) {
		if (!nd_span_is_sound(&u.span.event, (size_t)size))
			abort();
		check(nd_http_metrics_add(bench->requests, &u.span));
		check(nd_tail_add(bench->tail, &u.span));
	}
}

/* Make and send so many. */
static void work(struct bench *bench, uint64_t spans)
{
	struct nd_export_counts counts;
	uint64_t i, at;

	for (i = 0; i < spans; i += ROUND) {
		bench->now_ns += ND_NSEC_PER_SEC / SECOND * ROUND;
		for (at = i; at < i + ROUND; at++) {
			write_span(bench, at, ND_EVENT_SPAN_START);
			write_span(bench, at, ND_EVENT_SPAN);
		}
		read_ring(bench);
		if (i % SECOND < ROUND) {
			check(nd_tail_settle(bench->tail, bench->now_ns));
			check(nd_batch_flush(&bench->batch, NULL));
		}
		check(nd_exporter_flush(bench->exporter, 0));
		nd_exporter_get_counts(bench->exporter, ND_OTLP_TRACES, &counts);
		while (counts.waiting > WAITING_MAX) {
			check(nd_exporter_flush(bench->exporter, ND_NSEC_PER_MSEC));
			nd_exporter_get_counts(bench->exporter, ND_OTLP_TRACES, &counts);
		}
	}
	check(nd_tail_finish(bench->tail));
	check(nd_batch_flush(&bench->batch, NULL));
	while (nd_exporter_flush(bench->exporter, ND_NSEC_PER_SEC) > 0)
		;
	nd_exporter_get_counts(bench->exporter, ND_OTLP_TRACES, &counts);
	printf("%" PRIu64 "\n", counts.sent);
}

static void init(struct bench *bench, const struct nd_export_options *options, const char *rules,
		 const char *queue)
{
	static struct nd_ring_head head;
	static const struct nd_buf resource = {.data = (char *)"", .max = 1};
	static const struct nd_source source = {&resource, "0"};
	const struct nd_exporter_settings settings = {
		.version = "0", .queue = queue, .queue_bytes = 256u << 20};
	struct nd_tail_rules tail = {0};

	if (sscanf(rules, "slow=%" SCNu64, &tail.slow_ns) == 1) {
		tail.slow_ns *= ND_NSEC_PER_MSEC;
		tail.errors = true;
	}
	bench->ring = (struct nd_ring){.head = &head, .data = malloc(RING_SIZE), .size = RING_SIZE};
	bench->requests = nd_http_metrics_new();
	bench->tail = nd_tail_new(&tail, keep, bench);
	bench->now_ns = ND_NSEC_PER_SEC;
	if (!bench->ring.data || !bench->requests || !bench->tail)
		check(-12);
	check(nd_exporter_open(options, &settings, &bench->exporter, NULL));
	nd_batch_init(&bench->batch, ND_OTLP_TRACES, &source, nd_exporter_sink(bench->exporter));
}

int main(int argc, char **argv)
{
	struct nd_export_options options;
	struct bench bench;
	struct nd_err err = {0};

	if (argc < 2)
		return 2;
	if (nd_export_options_init(&options, get_variable, NULL, &err)) {
		fprintf(stderr, "send_spans: %s\n", err.what);
		return 1;
	}
	init(&bench, &options, argc > 2 ? argv[2] : "all", argc > 3 ? argv[3] : NULL);
	work(&bench, strtoull(argv[1], NULL, 10));
	nd_exporter_close(bench.exporter);
	nd_batch_fini(&bench.batch);
	nd_tail_free(bench.tail);
	nd_http_metrics_free(bench.requests);
	free(bench.ring.data);
	nd_export_options_fini(&options);
	return 0;
}
