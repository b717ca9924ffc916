/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_TAIL_H
#define NODIAG_CLI_TAIL_H

/* The rules of --tail and $NODIAG_TAIL: "slow=200ms,errors,1/100". */

struct nd_err;
struct nd_tail_rules;

/* -EINVAL with `err` set; the rules are then as they were. */
int tail_parse(const char *text, struct nd_tail_rules *ret_rules, struct nd_err *err);

#endif /* NODIAG_CLI_TAIL_H */
