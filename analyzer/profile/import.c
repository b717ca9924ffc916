/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/import.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "analyzer/gzip.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/frame.h"
#include "proto/limits.h"

/* Enough to tell text from protobuf, whose first messages are small numbers. */
#define HEAD_LEN 512

static int unknown_format(struct nd_err *err)
{
	int ret = nd_err_set(err, -ENOTSUP, "not a profile of a known format");

	nd_err_hint(err, "nodiag renders recordings (.nd), .cpuprofile, folded stacks and pprof");
	return ret;
}

static bool is_text(const unsigned char *data, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < HEAD_LEN; i++)
		if (data[i] < ' ' && !isspace(data[i]))
			return false;
	return true;
}

/* The first byte of a pprof profile: field 1 to 14, as a length or a number. */
static bool is_pprof_tag(unsigned char byte)
{
	unsigned int field = byte >> 3, type = byte & 7;

	return field >= 1 && field <= 14 && (type == 0 || type == 2);
}

/* Whether the first line that says anything ends with a number after a space. */
static bool is_folded(const char *data, size_t len)
{
	const char *end = data + len, *line_end, *at;

	for (; data < end; data = line_end + 1) {
		line_end = memchr(data, '\n', (size_t)(end - data));
		if (!line_end)
			line_end = end;
		for (at = line_end; at > data && isspace((unsigned char)at[-1]);)
			at--;
		if (at == data ||
		    (*data == '#' && (at == data + 1 || !isgraph((unsigned char)data[1]))))
			continue;
		while (at > data && (isdigit((unsigned char)at[-1]) || at[-1] == '.'))
			at--;
		return at > data && at < line_end && isdigit((unsigned char)*at) &&
		       isspace((unsigned char)at[-1]);
	}
	return false;
}

static int import_plain(const unsigned char *data, size_t len, struct nd_profile **ret_profile,
			struct nd_err *err)
{
	size_t skip = 0;

	if (len >= 3 && !memcmp(data, "\xef\xbb\xbf", 3))
		skip = 3;
	while (skip < len && isspace(data[skip]))
		skip++;
	if (!is_text(data, len)) {
		if (is_pprof_tag(data[0]))
			return nd_import_pprof(data, len, ret_profile, err);
		return unknown_format(err);
	}
	if (skip < len && data[skip] == '{') {
		if (!memmem(data, len, "\"callFrame\"", strlen("\"callFrame\"")))
			return unknown_format(err);
		return nd_import_cpuprofile(data + skip, len - skip, ret_profile, err);
	}
	if (!is_folded((const char *)data + skip, len - skip))
		return unknown_format(err);
	return nd_import_folded(data, len, ret_profile, err);
}

int nd_import_profile(const void *data, size_t len, struct nd_profile **ret_profile,
		      struct nd_err *err)
{
	struct nd_buf plain;
	int ret;

	if (len > ND_IMPORT_MAX)
		return nd_err_set(err, -EFBIG, "profile is larger than %u MiB",
				  ND_IMPORT_MAX >> 20);
	if (nd_frame_is_recording(data, len))
		return nd_import_recording(data, len, false, ret_profile, NULL, err);
	if (!nd_gzip_is(data, len))
		return import_plain(data, len, ret_profile, err);
	nd_buf_init(&plain, ND_IMPORT_UNPACKED_MAX);
	ret = nd_gunzip(data, len, &plain);
	if (ret)
		nd_err_set_errno(err, ret, "cannot unpack profile");
	else
		ret = import_plain((unsigned char *)plain.data, plain.len, ret_profile, err);
	nd_buf_fini(&plain);
	return ret;
}
