/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_RETRY_H
#define NODIAG_ANALYZER_EXPORT_RETRY_H

/*
 * What is sent again, and when. Does no I/O, and looks at no clock: moments are given.
 */

#include <stdbool.h>
#include <stdint.h>

enum nd_verdict {
	ND_VERDICT_SENT,
	ND_VERDICT_RETRY,
	ND_VERDICT_REFUSED, /* for good: sending it again would change nothing */
};

/* By the status of HTTP: 2xx is sent; 429, 502, 503 and 504 may be sent again, nothing else. */
enum nd_verdict nd_retry_judge(long status);

/* How a place is doing. All zeros is well. */
struct nd_retry {
	unsigned int failures; /* one after the other */
	uint64_t next_ns;      /* monotonic: nothing is sent before */
};

/*
 * It failed at `now_ns`. The next try is after a second, then two, four, up to 30, each a fifth
 * more or less by `random`, which is any number; and not before `pause_ns`, if it asked for that.
 */
void nd_retry_fail(struct nd_retry *retry, uint64_t now_ns, uint64_t pause_ns, uint32_t random);

/*
 * Read Retry-After: a number of seconds, or a date (RFC 9110), which is as far away as it is from
 * `date`, the Date of the same answer: the server's clock need not agree with ours. Where that is
 * no date, `now_unix_s` is. At most ND_RETRY_AFTER_MAX. False when it is neither.
 */
bool nd_retry_after_decode(const char *text, const char *date, uint64_t now_unix_s,
			   uint64_t *ret_seconds);

#endif /* NODIAG_ANALYZER_EXPORT_RETRY_H */
