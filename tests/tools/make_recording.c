/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: make_recording >FILE
 *
 * Write the recording of tests/known_recording.h to standard output: how tests/format keeps one of
 * each version of the format, and what fuzzing starts from.
 */

#include <stdio.h>

#include "tests/known_recording.h"

int main(void)
{
	struct nd_buf out;
	int ret;

	nd_buf_init(&out, ND_RECORDING_MAX);
	ret = known_record(&out);
	if (!ret && fwrite(out.data, 1, out.len, stdout) != out.len)
		ret = 1;
	nd_buf_fini(&out);
	return ret ? 1 : 0;
}
