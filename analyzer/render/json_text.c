/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/json_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include "analyzer/profile/profile.h"
#include "analyzer/utf8.h"
#include "common/buf.h"

/* Words for good, as the numbers are. */
static const char *const loss_keys[] = {
	[ND_LOSS_RING_FULL] = "ring_full",
	[ND_LOSS_THREAD_LIMIT] = "thread_limit",
	[ND_LOSS_TRUNCATED] = "truncated",
	[ND_LOSS_ROOT_MISSING] = "root_missing",
	[ND_LOSS_JS_UNNAMED] = "js_unnamed",
	[ND_LOSS_JS_STALE] = "js_stale",
	[ND_LOSS_NATIVE_UNNAMED] = "native_unnamed",
	[ND_LOSS_PROCESS_GONE] = "process_gone",
	[ND_LOSS_TIMELINE] = "timeline",
	[ND_LOSS_RECORDING] = "recording",
};
_Static_assert(sizeof(loss_keys) / sizeof(loss_keys[0]) == ND_LOSS_COUNT, "every loss has a key");

const char *const nd_json_tier_keys[ND_TIER_COUNT] = {
	[ND_TIER_NONE] = "none",	   [ND_TIER_IGNITION] = "ignition",
	[ND_TIER_SPARKPLUG] = "sparkplug", [ND_TIER_MAGLEV] = "maglev",
	[ND_TIER_TURBOFAN] = "turbofan",
};
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

int nd_json_add_field(struct nd_buf *out, const char *key, const char *str)
{
	nd_buf_add_str(out, key);
	return nd_json_add_string(out, str);
}

void nd_json_add_losses(struct nd_buf *out, const struct nd_profile *profile)
{
	const char *comma = "";
	uint64_t count;
	int loss;

	nd_buf_add_str(out, "\"losses\":[");
	for (loss = 1; loss < ND_LOSS_COUNT; loss++) {
		count = nd_profile_get_loss(profile, (enum nd_loss)loss);
		if (!count)
			continue;
		nd_buf_addf(out, "%s{\"number\":%d,\"key\":\"%s\",\"count\":%" PRIu64 ",\"text\":",
			    comma, loss, loss_keys[loss], count);
		nd_json_add_string(out, nd_loss_text((enum nd_loss)loss));
		nd_buf_add_char(out, '}');
		comma = ",";
	}
	nd_buf_add_char(out, ']');
}
