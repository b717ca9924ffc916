/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_CLOCK_H
#define NODIAG_COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

#define ND_NSEC_PER_SEC	 UINT64_C(1000000000)
#define ND_NSEC_PER_MSEC UINT64_C(1000000)

/* Monotonic time, the one all events carry. */
uint64_t nd_clock_monotonic_ns(void);

/* Wall-clock time since 1970, for names and file headers. */
uint64_t nd_clock_realtime_ns(void);

/* Any other clock of clock_gettime(2), in nanoseconds; 0 for one that cannot be read. */
uint64_t nd_clock_read_ns(clockid_t clock);

/* CPU time, user and system, that this process has used. */
uint64_t nd_clock_process_cpu_ns(void);

#endif /* NODIAG_COMMON_CLOCK_H */
