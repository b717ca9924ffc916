/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_PAGE_DATA_H
#define NODIAG_ANALYZER_RENDER_PAGE_DATA_H

/*
 * A profile as the JSON that page/model.js reads. Nothing else reads it: it may change with every
 * release.
 *
 * Tables are columns of integers and strings are named by index, so that 100,000 nodes take some
 * 2 MB and are parsed in a blink. Nodes come depth first, the heaviest child first, with their
 * depth instead of a parent. Weights are divided by "scale", which divides them all: most are a
 * multiple of the sampling period.
 *
 *	frameName frameFile    per frame, indexes into words.strings
 *	frameLine frameColumn  0 when unknown
 *	frameKind              index into words.kinds
 *	depth frame self count per node; the root's frame means nothing
 *	tier                   per node, index into words.tiers, or their number: see mixed
 *	mixed                  row, weight per tier ... of nodes that ran in several
 *	inlined                row, weight ... of nodes that ran inlined
 *	lines                  row, line, self weight ... of lines that were executing
 *	words                  {info, losses, kinds, tiers, strings}
 */

struct nd_buf;
struct nd_profile;

/*
 * Append the JSON. There is no "<" in it, so that no name ends the <script> it is put in. 0,
 * -ENOMEM or -EFBIG.
 */
int nd_page_add_data(const struct nd_profile *profile, struct nd_buf *out);

#endif /* NODIAG_ANALYZER_RENDER_PAGE_DATA_H */
