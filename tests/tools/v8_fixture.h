/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_TESTS_TOOLS_V8_FIXTURE_H
#define NODIAG_TESTS_TOOLS_V8_FIXTURE_H

/*
 * Samples of real node processes with all the memory that naming them reads, so that they can be
 * named again without the process.
 *
 * A binary is a text file (dump_v8dbg): "v8 VERSION", "bytecode_sizes HEX" unless stripped,
 * "builtins_size BYTES", and a line "name value" for each v8dbg_ constant. Samples are a file of
 * groups (capture_v8), usually gzipped, each of one process: what proto/sample.h has of the samples
 * and what kind of memory each pc lies in, then pages of memory, of which only the lines of 64
 * bytes are there that somebody read. The others are zeros when the samples are named again.
 *
 * A group may be hostile (tests/fuzz/fuzz_v8.c).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/symbols/v8/layout.h"
#include "analyzer/symbols/v8/v8.h"
#include "proto/sample.h"

struct nd_buf;
struct nd_memory;

#define V8_FIXTURE_PAGE 4096
#define V8_FIXTURE_LINE 64

/* Samples and pages of one group. A sample seldom reads more than 200 pages, most of them again. */
#define V8_FIXTURE_SAMPLES_MAX 32
#define V8_FIXTURE_PAGES_MAX   2048

/* What a binary says. */
struct v8_binary {
	struct nd_v8_layout layout;
	uint8_t bytecode_sizes[3 * 256];
};

/* Read a binary's file and derive the layout; prints what is wrong. False when it cannot. */
bool v8_binary_read(const char *path, struct v8_binary *ret_binary);

/* Where a frame's pc is. */
struct v8_site {
	enum nd_site_kind kind;
	char name[52]; /* of a builtin, "" otherwise */
};

struct v8_sample {
	struct nd_sample_cpu cpu;
	struct v8_site sites[ND_SAMPLE_FRAMES_MAX];
	uint32_t top_jit; /* bit i: the call before return address top[i] is in V8's code */
};

struct v8_page {
	uint64_t addr;
	uint64_t lines;	  /* those that are there */
	uint32_t samples; /* those for which they are */
	uint8_t data[V8_FIXTURE_PAGE];
};

/* All zeros is an empty one. */
struct v8_group {
	struct v8_sample *samples;
	uint32_t sample_count;
	struct v8_page *pages;
	uint32_t page_count;
};

/* Make room for one more sample, all zeros; NULL when there is none. */
struct v8_sample *v8_group_add_sample(struct v8_group *group);

/*
 * Add lines of a page that sample `index` reads. What an earlier sample read there too is kept
 * once. -ENOMEM, -E2BIG.
 */
int v8_group_add_page(struct v8_group *group, uint32_t index, uint64_t addr, uint64_t lines,
		      const uint8_t *data);

/* Append what nd_memory_new_image() takes: the pages of one sample. */
int v8_group_get_image(const struct v8_group *group, uint32_t index, struct nd_buf *image);

/* Read a group and move `*at` on. -EBADMSG, -ENOMEM; the group is then empty. */
int v8_group_decode(const uint8_t **at, const uint8_t *end, struct v8_group *ret_group);
int v8_group_encode(const struct v8_group *group, struct nd_buf *out);
void v8_group_fini(struct v8_group *group);

/*
 * Append the sample's calls as one line, from the first JavaScript call to the leaf, without native
 * ones:
 *
 *	main (/app/a.js:10:14) @12 Ignition; hot (/app/a.js:3:13) @5 TurboFan inlined; MathSin
 *
 * -ENOMEM.
 */
int v8_sample_name(const struct v8_sample *sample, const struct v8_binary *binary,
		   struct nd_memory *memory, struct nd_buf *out);

#endif /* NODIAG_TESTS_TOOLS_V8_FIXTURE_H */
