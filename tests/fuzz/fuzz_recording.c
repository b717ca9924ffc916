/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Recordings. Their parts are compressed and checked, which a fuzzer does not get past, so an input
 * is a recording only if it begins like one; else it is the parts, unpacked: the kind of each in
 * one byte, its length in two, then its bytes.
 */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "analyzer/export/links.h"
#include "analyzer/lag/lag.h"
#include "analyzer/lag/recorded.h"
#include "analyzer/profile/import.h"
#include "analyzer/render/render.h"
#include "common/buf.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/fuzz/check_profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Make a recording of the parts of an input, without its end. */
static void make_recording(const uint8_t *data, size_t size, struct nd_buf *out)
{
	struct nd_packer *packer = nd_packer_new();
	size_t at = 0, len;

	nd_frame_add_head(out);
	while (packer && size - at >= 3) {
		len = data[at + 1] | (size_t)data[at + 2] << 8;
		if (len > size - at - 3)
			len = size - at - 3;
		nd_frame_add_part(packer, data[at] % (ND_PART_KIND_COUNT + 1), data + at + 3, len,
				  out);
		at += 3 + len;
	}
	nd_packer_free(packer);
}

static void check_lag(const void *data, size_t len)
{
	struct nd_profile *frames = nd_profile_new(false);
	struct nd_lag *lag = nd_lag_new(frames);
	struct nd_lag_recorded recorded;
	struct nd_buf out;

	nd_buf_init(&out, CHECK_OUTPUT_MAX);
	if (!nd_lag_read_recording(lag, frames, data, len, &recorded, NULL)) {
		nd_render_lag(lag, frames, recorded.threshold_ns, true, &out);
		nd_buf_reset(&out);
		nd_render_lag_json(lag, frames, recorded.threshold_ns, &out);
	}
	nd_buf_fini(&out);
	nd_lag_free(lag);
	nd_profile_free(frames);
}

static void check_links(const struct nd_profile *profile, const void *data, size_t len)
{
	static const uint8_t none[ND_SPAN_ID_SIZE];
	struct nd_recorded_links *links;

	if (nd_recorded_links_new(profile, data, len, &links, NULL))
		return;
	nd_recorded_links_find(links, none);
	nd_recorded_links_free(links);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nd_profile *profile;
	struct nd_buf made;

	nd_buf_init(&made, ND_RECORDING_MAX);
	if (!nd_frame_is_recording(data, size)) {
		make_recording(data, size, &made);
		data = (const uint8_t *)made.data;
		size = made.len;
	}
	if (!nd_import_recording(data, size, true, &profile, NULL, NULL)) {
		check_links(profile, data, size);
		check_profile(profile);
	}
	check_lag(data, size);
	nd_buf_fini(&made);
	return 0;
}
