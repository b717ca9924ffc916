/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: micro AGENT
 *
 * What an event costs its writer, and what LD_PRELOAD=AGENT costs a program that is not Node: rows
 * of a table as JSON. Rounds of each alternate; of each the least is told, and the median.
 */

#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ring.h"
#include "proto/event.h"

#define RING_SIZE (1u << 20)
#define EVENTS	  4000 /* so many of the longest fit */
#define ROUNDS	  201
#define STARTS	  301

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print_row(const char *what, const char *unit, double *figures, size_t count, int last)
{
	qsort(figures, count, sizeof(*figures), compare);
	printf("{\"what\":\"%s\",\"least\":%.3f,\"median\":%.3f,\"unit\":\"%s\"}%s\n", what,
	       figures[0], figures[count / 2], unit, last ? "" : ",");
}

/* Nanoseconds for an event of `size` bytes. */
static double time_events(struct nd_ring *ring, uint32_t size)
{
	uint64_t start = nd_clock_monotonic_ns();
	void *event;
	int i;

	for (i = 0; i < EVENTS; i++) {
		event = nd_ring_reserve(ring, size);
		if (!event)
			abort();
		memset(event, 0, size);
		nd_ring_commit(ring, event, size);
	}
	start = nd_clock_monotonic_ns() - start;
	nd_ring_skip(ring);
	return (double)start / EVENTS;
}

static double time_clock(void)
{
	uint64_t start = nd_clock_monotonic_ns();
	int i;

	for (i = 0; i < EVENTS; i++)
		nd_clock_monotonic_ns();
	return (double)(nd_clock_monotonic_ns() - start) / EVENTS;
}

static void measure_events(void)
{
	struct nd_ring_head *head = calloc(1, sizeof(*head));
	struct nd_ring ring = {.head = head, .data = malloc(RING_SIZE), .size = RING_SIZE};
	double small[ROUNDS], large[ROUNDS], time[ROUNDS];
	int i;

	if (!head || !ring.data)
		exit(1);
	for (i = 0; i < ROUNDS; i++) {
		small[i] = time_events(&ring, sizeof(struct nd_event));
		large[i] = time_events(&ring, sizeof(struct nd_event_stall));
		time[i] = time_clock();
	}
	print_row("event of 16 bytes", "ns", small, ROUNDS, 0);
	print_row("event of a stall", "ns", large, ROUNDS, 0);
	print_row("reading the clock", "ns", time, ROUNDS, 0);
	free(ring.data);
	free(head);
}

/* CPU microseconds of one start of `true`, as the kernel charges them to the child. */
static double time_start(char *const *environment)
{
	char *const argv[] = {(char *)"true", NULL};
	struct rusage usage;
	int status;
	pid_t pid;

	if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environment) ||
	    wait4(pid, &status, 0, &usage) != pid || status)
		exit(1);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void measure_starts(const char *agent)
{
	double plain[STARTS], other[STARTS], preloaded[STARTS], difference[STARTS];
	char variable[4096];
	char *const without[] = {(char *)"LANG=C", NULL};
	char *const with[] = {(char *)"LANG=C", variable, NULL};
	int i;

	snprintf(variable, sizeof(variable), "LD_PRELOAD=%s", agent);
	for (i = 0; i < STARTS; i++) {
		plain[i] = time_start(without);
		preloaded[i] = time_start(with);
		other[i] = time_start(without);
		difference[i] = preloaded[i] - (plain[i] + other[i]) / 2;
	}
	print_row("start of true", "us", plain, STARTS, 0);
	print_row("the same again (null)", "us", other, STARTS, 0);
	print_row("start of true with LD_PRELOAD", "us", preloaded, STARTS, 0);
	print_row("more with LD_PRELOAD", "us", difference, STARTS, 1);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: micro AGENT\n");
		return 2;
	}
	puts("[");
	measure_events();
	measure_starts(argv[1]);
	puts("]");
	return 0;
}
