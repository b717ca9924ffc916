/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tail.h"

#include <errno.h>
#include <string.h>

#include "analyzer/export/tail.h"
#include "cli/units.h"
#include "common/err.h"

#define RULE_MAX 32

/* More are as good as none at all. */
#define ONE_IN_MAX 1000000000

static bool parse_rule(const char *rule, struct nd_tail_rules *rules)
{
	uint64_t number;

	if (!strcmp(rule, "errors")) {
		rules->errors = true;
		return true;
	}
	if (!strncmp(rule, "slow=", strlen("slow=")))
		return units_parse_time(rule + strlen("slow="), &rules->slow_ns);
	if (strncmp(rule, "1/", strlen("1/")) != 0 ||
	    !units_parse_number(rule + strlen("1/"), 1, ONE_IN_MAX, &number))
		return false;
	rules->one_in = (uint32_t)number;
	return true;
}

int tail_parse(const char *text, struct nd_tail_rules *ret_rules, struct nd_err *err)
{
	const char *whole = text;
	struct nd_tail_rules rules = {0};
	char rule[RULE_MAX];
	size_t len;

	do {
		len = strcspn(text, ",");
		if (len >= sizeof(rule))
			break;
		memcpy(rule, text, len);
		rule[len] = '\0';
		if (!parse_rule(rule, &rules))
			break;
		text += len;
		if (!*text) {
			*ret_rules = rules;
			return 0;
		}
		text++;
	} while (true);
	nd_err_set(err, -EINVAL, "'%s' is no rule by which traces are kept", whole);
	return nd_err_hint(err, "slow=200ms, errors, 1/100, or several of these: slow=1s,errors");
}
