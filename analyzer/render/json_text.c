/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/json_text.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "analyzer/utf8.h"
#include "common/buf.h"

static int add_to_buf(const char *data, size_t len, void *out)
{
	return nd_buf_add(out, data, len) ? -1 : 0;
}

int nd_json_add_string(struct nd_buf *out, const char *str)
{
	struct nd_buf fixed;
	json_t *value;

	if (!str)
		return nd_buf_add_str(out, "null");
	nd_buf_init(&fixed, out->max);
	nd_utf8_repair(str, strlen(str), &fixed);
	if (nd_buf_error(&fixed)) {
		out->error = nd_buf_error(&fixed);
		nd_buf_fini(&fixed);
		return nd_buf_error(out);
	}
	value = json_stringn_nocheck(fixed.data, fixed.len);
	nd_buf_fini(&fixed);
	if (!value || json_dump_callback(value, add_to_buf, out, JSON_ENCODE_ANY))
		/* jansson fails for want of memory, or because the buffer did. */
		if (!nd_buf_error(out))
			out->error = -ENOMEM;
	json_decref(value);
	return nd_buf_error(out);
}

int nd_json_add_number(struct nd_buf *out, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return nd_buf_add(out, digits + at, sizeof(digits) - at);
}
