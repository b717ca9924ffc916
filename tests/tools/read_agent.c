/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: read_agent PID [stalls MS | cpu HZ | trace 0 | all HZ] [SECONDS]
 *
 * Look at the agent in a process, and print as JSON what it says. With "stalls", "cpu" or "trace",
 * be its reader for so long (default 1 second) with that threshold or rate, or of its requests;
 * "all" is "cpu" with requests and asynchronous resources. A line "reading" tells that it has
 * begun. Exits with 1 and one line on stderr where there is no agent.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/channel.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/limits.h"

#define POLL_MS 20
#define KINDS	32

struct counts {
	uint64_t event[KINDS];
	uint64_t stack_bytes;
};

static int count(void *arg, const struct nd_event *event, size_t size)
{
	struct counts *counts = arg;

	counts->event[event->kind < KINDS ? event->kind : 0]++;
	if (event->kind == ND_EVENT_SAMPLE && size >= sizeof(struct nd_event_sample))
		counts->stack_bytes += ((const struct nd_event_sample *)event)->size;
	return 0;
}

static int read_for(struct channel *channel, double seconds, struct counts *counts)
{
	uint64_t end = nd_clock_monotonic_ns() + (uint64_t)(seconds * 1e9);
	int ret = 0;

	puts("reading");
	fflush(stdout);
	while (!ret && nd_clock_monotonic_ns() < end && !channel_is_over(channel)) {
		poll(NULL, 0, POLL_MS);
		ret = channel_read(channel, count, counts);
	}
	return ret;
}

static void print_slot(const struct nd_channel_slot *slot, const char *separator)
{
	static const char *const states[] = {"free", "live", "ended"};
	static const char *const kinds[] = {"main", "worker", "agent"};
	const struct nd_loop_counters *loop = &slot->loop;
	uint64_t gcs = 0;
	int i;

	for (i = 0; i < 5; i++)
		gcs += slot->gc.count[i];
	printf("%s{\"tid\":%u,\"kind\":\"%s\",\"state\":\"%s\",\"generation\":%u", separator,
	       slot->tid, kinds[slot->kind % 3], states[slot->state % 3], slot->generation);
	printf(",\"iterations\":%" PRIu64 ",\"busy_ns\":%" PRIu64 ",\"idle_ns\":%" PRIu64,
	       loop->iterations, loop->busy_ns, loop->idle_ns);
	printf(",\"busy_since_ns\":%" PRIu64 ",\"idle_since_ns\":%" PRIu64, loop->busy_since_ns,
	       loop->idle_since_ns);
	printf(",\"phases_ns\":[%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]",
	       loop->phase_ns[0], loop->phase_ns[1], loop->phase_ns[2], loop->phase_ns[3],
	       loop->phase_ns[4]);
	printf(",\"gcs\":%" PRIu64 ",\"stalls\":%" PRIu64, gcs, loop->stalls);
	printf(",\"tracing\":%u,\"spans_lost\":%" PRIu64 "}", slot->tracing, slot->spans_lost);
}

static void print(const struct channel *channel, const struct counts *counts)
{
	const struct nd_hello *hello = channel_get_hello(channel);
	struct nd_channel_slot slot;
	const char *separator = "";
	uint32_t i;

	printf("{\"now_ns\":%" PRIu64 ",\"features\":%u,\"reason\":%u,\"left_out\":%" PRIu64,
	       nd_clock_monotonic_ns(), hello->features, hello->reason, channel_left_out(channel));
	printf(",\"dropped\":%" PRIu64 ",\"stack_bytes\":%" PRIu64 ",\"events\":[",
	       channel_dropped(channel), counts->stack_bytes);
	for (i = 0; i < KINDS; i++)
		printf("%s%" PRIu64, i ? "," : "", counts->event[i]);
	printf("],\"slots\":[");
	for (i = 0; i < channel_slots(channel); i++)
		if (channel_copy_slot(channel, i, &slot)) {
			print_slot(&slot, separator);
			separator = ",";
		}
	puts("]}");
}

static int begin(struct channel *channel, char **argv, struct nd_err *err)
{
	const uint32_t all = ND_FEATURE_CPU | ND_FEATURE_TRACE | ND_FEATURE_ASYNC;
	unsigned int number = (unsigned int)strtoul(argv[1], NULL, 10);
	int ret;

	if (!strcmp(argv[0], "cpu"))
		ret = channel_start(channel, ND_FEATURE_CPU, number, ND_STALL_THRESHOLD_NS, err);
	else if (!strcmp(argv[0], "trace"))
		ret = channel_start(channel, ND_FEATURE_TRACE, 0, ND_STALL_THRESHOLD_NS, err);
	else if (!strcmp(argv[0], "all"))
		ret = channel_start(channel, all, number, ND_STALL_THRESHOLD_NS, err);
	else
		ret = channel_start(channel, ND_FEATURE_STALLS, 0, number * ND_NSEC_PER_MSEC, err);
	if (!ret)
		channel_skip(channel);
	return ret;
}

int main(int argc, char **argv)
{
	struct counts counts = {0};
	struct channel *channel;
	struct nd_err err = {0};
	int ret;

	if (argc < 2 || argc == 3) {
		fprintf(stderr, "usage: read_agent PID [stalls MS | cpu HZ | trace 0 | all HZ] "
				"[SECONDS]\n");
		return 2;
	}
	ret = channel_open((pid_t)strtol(argv[1], NULL, 10), &channel, &err);
	if (!ret && argc > 3)
		ret = begin(channel, argv + 2, &err);
	if (!ret && argc > 3)
		ret = read_for(channel, argc > 4 ? strtod(argv[4], NULL) : 1, &counts);
	if (ret) {
		fprintf(stderr, "read_agent: %s\n", err.what[0] ? err.what : strerror(-ret));
		return 1;
	}
	print(channel, &counts);
	channel_close(channel);
	return 0;
}
