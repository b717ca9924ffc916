/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/retry.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "proto/limits.h"

#define FIRST_NS ND_NSEC_PER_SEC
#define LAST_NS	 (30 * ND_NSEC_PER_SEC)

/* A pause is doubled no more often: it is at its longest by then. */
#define DOUBLE_MAX 5

enum nd_verdict nd_retry_judge(long status)
{
	if (status >= 200 && status < 300)
		return ND_VERDICT_SENT;
	if (status == 429 || (status >= 502 && status <= 504))
		return ND_VERDICT_RETRY;
	return ND_VERDICT_REFUSED;
}

void nd_retry_fail(struct nd_retry *retry, uint64_t now_ns, uint64_t pause_ns, uint32_t random)
{
	unsigned int doubled = retry->failures < DOUBLE_MAX ? retry->failures : DOUBLE_MAX;
	uint64_t base = FIRST_NS << doubled, delay;

	if (base > LAST_NS)
		base = LAST_NS;
	delay = base / 5 * 4 + (uint64_t)((double)base * 0.4 * (random / (double)UINT32_MAX));
	/* Who has to wait for as long as others does not come back together with them. */
	if (delay < pause_ns)
		delay = pause_ns + delay / 5;
	retry->failures++;
	retry->next_ns = now_ns + delay;
}

static uint64_t clamp(uint64_t seconds)
{
	return seconds < ND_RETRY_AFTER_MAX ? seconds : ND_RETRY_AFTER_MAX;
}

static bool decode_seconds(const char *text, uint64_t *ret_seconds)
{
	uint64_t seconds = 0;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		seconds = clamp(seconds * 10 + (uint64_t)(*text - '0'));
	if (text[strspn(text, " \t")])
		return false;
	*ret_seconds = seconds;
	return true;
}

/* RFC 9110, 5.6.7: the form that is written, and the two that have to be read. */
static bool decode_date(const char *text, uint64_t *ret_unix_s)
{
	static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT",
					    "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"};
	const char *end;
	time_t when;
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {0};

		end = strptime(text, forms[i], &tm);
		if (!end || end[strspn(end, " \t")])
			continue;
		when = timegm(&tm);
		if (when < 0)
			return false;
		*ret_unix_s = (uint64_t)when;
		return true;
	}
	return false;
}

bool nd_retry_after_decode(const char *text, const char *date, uint64_t now_unix_s,
			   uint64_t *ret_seconds)
{
	uint64_t when_s;

	text += strspn(text, " \t");
	if (decode_seconds(text, ret_seconds))
		return true;
	if (!decode_date(text, &when_s))
		return false;
	decode_date(date, &now_unix_s);
	*ret_seconds = when_s > now_unix_s ? clamp(when_s - now_unix_s) : 0;
	return true;
}
