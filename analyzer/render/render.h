/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_RENDER_H
#define NODIAG_ANALYZER_RENDER_RENDER_H

/*
 * A profile as bytes in one of the formats people use.
 *
 * Renderers do no I/O: they append to a buffer. Each returns 0, -ENOMEM or -EFBIG (the buffer's
 * ceiling); the buffer's content is undefined after a failure.
 */

#include <stdbool.h>

struct nd_buf;
struct nd_profile;

struct nd_render_format {
	const char *name;      /* as given to --format */
	const char *extension; /* of a default file name, without the dot: "html", "pb.gz" */
	bool binary;	       /* never written to a terminal */
	bool timeline;	       /* wants a profile that keeps its samples */
	const char *summary;   /* for --help */
	int (*render)(const struct nd_profile *profile, struct nd_buf *out);
};

/* The formats, in the order of --help; ends with a NULL name. */
extern const struct nd_render_format nd_render_formats[];

/* The format of that name, or NULL. */
const struct nd_render_format *nd_render_find_format(const char *name);

/*
 * One self-contained page: flame graph, sandwich table, search. Loads nothing from the network.
 */
int nd_render_html(const struct nd_profile *profile, struct nd_buf *out);

/* A static flame graph for documents. */
int nd_render_svg(const struct nd_profile *profile, struct nd_buf *out);

/* Brendan Gregg's folded stacks: "root;caller;leaf WEIGHT". */
int nd_render_folded(const struct nd_profile *profile, struct nd_buf *out);

/* gzip of perftools.profiles.Profile (google/pprof, profile.proto). */
int nd_render_pprof(const struct nd_profile *profile, struct nd_buf *out);

/* speedscope's file format, https://www.speedscope.app/file-format-schema.json. */
int nd_render_speedscope(const struct nd_profile *profile, struct nd_buf *out);

/* What Chrome DevTools and VS Code open: the Profile of CDP's Profiler domain. */
int nd_render_cpuprofile(const struct nd_profile *profile, struct nd_buf *out);

/* nodiag's own, described in docs/format-json.md; stable. */
int nd_render_json(const struct nd_profile *profile, struct nd_buf *out);

/*
 * The hottest functions as a table for the terminal, `rows` at most, `width` columns wide
 * (0: unlimited), with ANSI colours if asked for.
 */
int nd_render_table(const struct nd_profile *profile, unsigned int rows, unsigned int width,
		    bool colour, struct nd_buf *out);

#endif /* NODIAG_ANALYZER_RENDER_RENDER_H */
