/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heap_page.h"

#include "analyzer/heap/diff.h"
#include "analyzer/heap/outline.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/summary.h"
#include "analyzer/render/heap.h"
#include "cli/out.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/limits.h"

int heap_page_open(struct out *page, const char *path, bool force, struct nd_err *err)
{
	char name[64];

	out_make_name("heap", 0, "html", name, sizeof(name));
	return out_open(page, path ? path : name, force, false, err);
}

/* Write what was rendered, unless that failed. */
static int commit(struct out *page, int ret, struct nd_buf *data, struct nd_err *err)
{
	if (ret)
		nd_err_set_errno(err, ret, "cannot make the page");
	else
		ret = out_commit(page, data->data, data->len, err);
	nd_buf_fini(data);
	return ret;
}

int heap_page_write_summary(struct out *page, const struct nd_heap_summary *summary,
			    const char *name, struct nd_err *err)
{
	const struct nd_heap_paths *paths = summary->paths;
	struct nd_heap_outline outline;
	struct nd_buf data;
	int ret = nd_heap_outline_make(paths->heap, paths->analysis, NULL, &outline, err);

	if (ret)
		return ret;
	nd_buf_init(&data, ND_OUTPUT_MAX);
	ret = nd_render_heap_summary_html(summary, &outline, name, &data);
	nd_heap_outline_fini(&outline);
	return commit(page, ret, &data, err);
}

int heap_page_write_diff(struct out *page, const struct nd_heap_comparison *comparison,
			 struct nd_err *err)
{
	const struct nd_heap_series *series = comparison->series;
	struct nd_heap_outline outline;
	struct nd_buf data;
	int ret =
		nd_heap_outline_make(series->heap, series->analysis, series->census, &outline, err);

	if (ret)
		return ret;
	nd_buf_init(&data, ND_OUTPUT_MAX);
	ret = nd_render_heap_diff_html(comparison, &outline, &data);
	nd_heap_outline_fini(&outline);
	return commit(page, ret, &data, err);
}
