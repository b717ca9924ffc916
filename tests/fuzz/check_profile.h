/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_TESTS_FUZZ_CHECK_PROFILE_H
#define NODIAG_TESTS_FUZZ_CHECK_PROFILE_H

/*
 * What must hold of every profile that an importer accepted.
 */

#include <errno.h>
#include <stdlib.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/render.h"
#include "common/buf.h"

/* Renderers may refuse what is too large for this, nothing else. */
#define CHECK_OUTPUT_MAX (16u << 20)

/* The tree adds up, and its total is what others can read. */
static inline void check_tree(const struct nd_profile *profile)
{
	uint32_t count, i;
	const struct nd_node *nodes = nd_profile_nodes(profile, &count);
	uint64_t self = 0;

	for (i = 0; i < count; i++) {
		self += nodes[i].self;
		if (i && (nodes[i].parent >= i || nodes[i].total > nodes[nodes[i].parent].total))
			abort();
	}
	if (self != nodes[0].total || self > INT64_MAX)
		abort();
}

/* Check and free a profile. */
static inline void check_profile(struct nd_profile *profile)
{
	const struct nd_render_format *format;
	struct nd_buf out;
	int ret;

	check_tree(profile);
	for (format = nd_render_formats; format->name; format++) {
		nd_buf_init(&out, CHECK_OUTPUT_MAX);
		ret = format->render(profile, &out);
		if (ret && ret != -EFBIG)
			abort();
		nd_buf_fini(&out);
	}
	nd_buf_init(&out, CHECK_OUTPUT_MAX);
	if (nd_render_table(profile, 10, 80, true, &out))
		abort();
	nd_buf_fini(&out);
	nd_profile_free(profile);
}

#endif /* NODIAG_TESTS_FUZZ_CHECK_PROFILE_H */
