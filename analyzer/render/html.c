/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/page.h"
#include "analyzer/render/page_data.h"
#include "analyzer/render/render.h"

static int add_data(const void *profile, struct nd_buf *out)
{
	return nd_page_add_data(profile, out);
}

int nd_render_html(const struct nd_profile *profile, struct nd_buf *out)
{
	return nd_page_add(ND_PAGE_FLAME, add_data, profile, out);
}
