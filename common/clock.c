/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"

uint64_t nd_clock_read_ns(clockid_t clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * ND_NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t nd_clock_monotonic_ns(void)
{
	return nd_clock_read_ns(CLOCK_MONOTONIC);
}

uint64_t nd_clock_realtime_ns(void)
{
	return nd_clock_read_ns(CLOCK_REALTIME);
}

uint64_t nd_clock_process_cpu_ns(void)
{
	return nd_clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
}
