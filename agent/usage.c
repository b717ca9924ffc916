/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/usage.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/thread.h"
#include "common/clock.h"
#include "proto/event.h"

/* "run_time run_delay slices" in nanoseconds (the kernel's scheduler/sched-stats.rst). */
static uint64_t read_run_delay(const struct nd_thread *thread)
{
	char text[96], *end;
	ssize_t len;

	len = thread->schedstat_fd < 0 ? -1
				       : pread(thread->schedstat_fd, text, sizeof(text) - 1, 0);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	strtoull(text, &end, 10);
	return strtoull(end, NULL, 10);
}

/* Pairs with read_baseline(). */
void nd_usage_take(struct nd_thread *thread, uint64_t now)
{
	struct nd_baseline *baseline = &thread->baseline[thread->baselines++ % 2];

	__atomic_fetch_add(&baseline->sequence, 1, __ATOMIC_ACQ_REL);
	baseline->time_ns = now;
	baseline->cpu_ns = nd_clock_read_ns(thread->cpu_clock);
	baseline->run_delay_ns = read_run_delay(thread);
	__atomic_fetch_add(&baseline->sequence, 1, __ATOMIC_ACQ_REL);
}

static bool read_baseline(const struct nd_baseline *baseline, struct nd_baseline *ret)
{
	uint32_t before = __atomic_load_n(&baseline->sequence, __ATOMIC_ACQUIRE);

	*ret = *baseline;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return before && before % 2 == 0 &&
	       before == __atomic_load_n(&baseline->sequence, __ATOMIC_RELAXED);
}

/* Whether one tells more of an iteration than another: it is nearer to its start, or before it. */
static bool is_better(const struct nd_baseline *one, const struct nd_baseline *other,
		      uint64_t start)
{
	if (one->time_ns <= start)
		return other->time_ns > start || one->time_ns > other->time_ns;
	return one->time_ns < other->time_ns;
}

static bool find_baseline(const struct nd_thread *thread, uint64_t start, struct nd_baseline *ret)
{
	struct nd_baseline second;
	bool found = read_baseline(&thread->baseline[0], ret);

	if (read_baseline(&thread->baseline[1], &second) &&
	    (!found || is_better(&second, ret, start))) {
		*ret = second;
		found = true;
	}
	return found;
}

void nd_usage_read(const struct nd_thread *thread, struct nd_event_stall *event)
{
	struct nd_baseline baseline = {0};

	event->cpu_ns = event->run_delay_ns = event->since_ns = 0;
	if (!find_baseline(thread, event->start_ns, &baseline))
		return;
	event->since_ns = baseline.time_ns;
	event->cpu_ns = nd_clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - baseline.cpu_ns;
	event->run_delay_ns = read_run_delay(thread) - baseline.run_delay_ns;
}

void nd_usage_forget(struct nd_thread *thread)
{
	int i;

	for (i = 0; i < 2; i++)
		__atomic_store_n(&thread->baseline[i].sequence, 0, __ATOMIC_RELEASE);
	thread->baselines = 0;
}
