/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_RENDER_H
#define NODIAG_ANALYZER_RENDER_RENDER_H

/*
 * An answer as bytes in one of the formats people use.
 *
 * Renderers do no I/O: they append to a buffer. Each returns 0, -ENOMEM or -EFBIG (the buffer's
 * ceiling); the buffer's content is undefined after a failure.
 */

#include <stdbool.h>
#include <stdint.h>

struct nd_buf;
struct nd_lag;
struct nd_profile;
struct nd_stacks;
struct nd_trace_answer;

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

/*
 * Brendan Gregg's folded stacks, "root;caller;leaf WEIGHT", for flamegraph.pl, inferno, speedscope.
 *
 * WEIGHT counts samples where time was sampled, as the stackcollapse programs do, and is the weight
 * in the profile's unit otherwise. JavaScript frames are "name (file:line:column)", the place as
 * V8's stack traces have it; all others are their name. What runs on V8 ends with "_[j]", the
 * kernel with
 * "_[k]", which flamegraph.pl --color=js knows; a function has one text, however a call ran, or its
 * totals would fall apart. ";" in a name becomes ":", control characters become spaces. Samples
 * without a stack are "[unknown]".
 */
int nd_render_folded(const struct nd_profile *profile, struct nd_buf *out);

/*
 * gzip of perftools.profiles.Profile (google/pprof, profile.proto).
 *
 * Samples are counted and weighed; those of a complete timeline carry "pid" and "tid". A call that
 * only ever ran inlined shares a location with its caller. Lines are those being executed in leaves
 * and those of the definition elsewhere, for no more is known. Mappings are modules for native code
 * and "[kind]" for all else. Functions without a name are "(anonymous:L#line:C#column)", because
 * readers know no columns. Comments say what was observed, and what was lost.
 */
int nd_render_pprof(const struct nd_profile *profile, struct nd_buf *out);

/*
 * speedscope's file format, https://www.speedscope.app/file-format-schema.json: from a complete
 * timeline one profile for each thread, in time, else one of the tree.
 */
int nd_render_speedscope(const struct nd_profile *profile, struct nd_buf *out);

/*
 * What Chrome DevTools and VS Code open: the Profile of CDP's Profiler domain.
 *
 * A complete timeline of one thread keeps its times, with "(idle)" between; else samples come one
 * after the other, and nothing is said of when. Times are whole microseconds whose errors do not
 * add up. What is not JavaScript has its kind as the scheme of its URL:
 * "native:/usr/lib/libc.so.6". Samples without a stack are "(program)".
 */
int nd_render_cpuprofile(const struct nd_profile *profile, struct nd_buf *out);

/* nodiag's own, described in docs/format-json.md; stable. */
int nd_render_json(const struct nd_profile *profile, struct nd_buf *out);

/*
 * The hottest functions as a table for the terminal, `rows` at most, `width` columns wide
 * (0: unlimited), with ANSI colours if asked for. Functions without a weight of their own are left
 * out. Names and paths that are too long lose their middle, and nothing in them acts on the
 * terminal.
 */
int nd_render_table(const struct nd_profile *profile, unsigned int rows, unsigned int width,
		    bool colour, struct nd_buf *out);

/*
 * What event loops did, for a person: times, phases, a picture of how long iterations were, and who
 * made them long. `frames` is the profile that named the functions.
 */
int nd_render_lag(struct nd_lag *lag, const struct nd_profile *frames, uint64_t threshold_ns,
		  bool colour, struct nd_buf *out);

/* The same for programs, whole, described in docs/format-json.md; stable. */
int nd_render_lag_json(struct nd_lag *lag, const struct nd_profile *frames, uint64_t threshold_ns,
		       struct nd_buf *out);

/*
 * What loading each module cost, from a profile of a program's start (analyzer/profile/startup.h):
 * as a tree for a person, and whole for programs; docs/format-json.md describes that.
 */
int nd_render_startup(const struct nd_profile *profile, bool colour, struct nd_buf *out);
int nd_render_startup_json(const struct nd_profile *profile, struct nd_buf *out);

/*
 * The stacks of threads for a person, with ANSI colours if asked for: JavaScript as V8's stack
 * traces have it, "at f (file:line:column)", and what is not without the "at". Threads of one kind
 * that do the same are shown once, and so are calls that repeat one another. Nothing in a name acts
 * on the terminal.
 */
int nd_render_stacks(const struct nd_stacks *stacks, bool colour, struct nd_buf *out);

/* The same for programs, whole, described in docs/format-json.md; stable. */
int nd_render_stacks_json(const struct nd_stacks *stacks, struct nd_buf *out);

/*
 * What requests did, for a person: totals by route, then the slowest with what they waited for and
 * what they asked others. `frames` is the profile that named those who blocked the loop.
 */
int nd_render_trace(const struct nd_trace_answer *answer, const struct nd_profile *frames,
		    bool colour, struct nd_buf *out);

/* The same for programs, whole, described in docs/format-json.md; stable. */
int nd_render_trace_json(const struct nd_trace_answer *answer, const struct nd_profile *frames,
			 struct nd_buf *out);

#endif /* NODIAG_ANALYZER_RENDER_RENDER_H */
