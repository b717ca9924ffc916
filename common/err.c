/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void set(struct nd_err *err, int code, const char *fmt,
						      va_list ap)
{
	assert(code < 0);
	if (!err)
		return;
	err->code = code;
	err->hint[0] = '\0';
	vsnprintf(err->what, sizeof(err->what), fmt, ap);
}

int nd_err_set(struct nd_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, code, fmt, ap);
	va_end(ap);
	return code;
}

int nd_err_set_errno(struct nd_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, code, fmt, ap);
	va_end(ap);
	if (err) {
		size_t len = strlen(err->what);
		const char *text = strerror(-code);

		snprintf(err->what + len, sizeof(err->what) - len, ": %c%s",
			 tolower((unsigned char)*text), text + 1);
	}
	return code;
}

int nd_err_set_why(struct nd_err *err, int code, const struct nd_err *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, code, fmt, ap);
	va_end(ap);
	if (err) {
		size_t len = strlen(err->what);

		snprintf(err->what + len, sizeof(err->what) - len, ": %s", why->what);
		snprintf(err->hint, sizeof(err->hint), "%s", why->hint);
	}
	return code;
}

int nd_err_hint(struct nd_err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -EINVAL;
	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return err->code;
}
