/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_ERR_H
#define NODIAG_COMMON_ERR_H

/*
 * What went wrong, for a person: one line of what, and a hint of what to type next.
 *
 * Functions that can fail in a way a person must understand take a `struct nd_err *err` as their
 * last parameter. Setting an error is returning it:
 *
 *	return nd_err_set(err, -errno, "cannot open '%s'", path);
 *
 * Texts follow git's wording: lower case, no full stop, the subject quoted. `err` may be NULL where
 * the caller does not care why.
 */

struct nd_err {
	int code; /* negative errno, 0 when nothing failed */
	char what[512];
	char hint[512]; /* "" when there is none */
};

/* Fill in `what` and drop an older hint. Returns `code`, which must be negative. */
int nd_err_set(struct nd_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As nd_err_set(), with ": " and strerror(-code), in lower case, after the text. */
int nd_err_set_errno(struct nd_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As nd_err_set(), with ": " and what `why` says after the text, and with its hint. */
int nd_err_set_why(struct nd_err *err, int code, const struct nd_err *why, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Say what to type next. Returns the code already set, -EINVAL where `err` is NULL. */
int nd_err_hint(struct nd_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* NODIAG_COMMON_ERR_H */
