/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: make_recording [parts]
 *
 * Write the recording of tests/known_recording.h to standard output: how tests/format keeps one of
 * each version of the format. With "parts", write its parts unpacked, as tests/fuzz has them.
 */

#include <stdio.h>
#include <string.h>

#include "proto/frame.h"
#include "tests/known_recording.h"

static int unpack(const struct nd_buf *file, struct nd_buf *out)
{
	struct nd_packer *packer = nd_packer_new();
	struct nd_part part = {.end = ND_FILE_HEAD_SIZE};
	struct nd_buf payload;
	int ret = packer ? 0 : -ENOMEM;

	nd_buf_init(&payload, UINT16_MAX);
	while (!ret && nd_frame_find_part(file->data, file->len, part.end, &part)) {
		nd_buf_reset(&payload);
		ret = nd_frame_unpack(packer, &part, &payload);
		nd_buf_add_char(out, (char)part.kind);
		nd_buf_add_char(out, (char)payload.len);
		nd_buf_add_char(out, (char)(payload.len >> 8));
		nd_buf_add(out, payload.data, payload.len);
	}
	nd_buf_fini(&payload);
	nd_packer_free(packer);
	return ret ? ret : nd_buf_error(out);
}

int main(int argc, char **argv)
{
	struct nd_buf file, parts;
	const struct nd_buf *out = &file;
	int ret;

	nd_buf_init(&file, ND_RECORDING_MAX);
	nd_buf_init(&parts, ND_RECORDING_MAX);
	ret = known_record(&file);
	if (!ret && argc > 1 && !strcmp(argv[1], "parts")) {
		ret = unpack(&file, &parts);
		out = &parts;
	}
	if (!ret && fwrite(out->data, 1, out->len, stdout) != out->len)
		ret = 1;
	nd_buf_fini(&file);
	nd_buf_fini(&parts);
	return ret ? 1 : 0;
}
