/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_V8_V8_H
#define NODIAG_ANALYZER_SYMBOLS_V8_V8_H

/*
 * The V8 of one process: turns the frames of a sample into the JavaScript calls they stand for.
 *
 * The symbolizer finds out what kind of memory a pc lies in; this finds out who runs there. A frame
 * may stand for several calls (inlining), or two may be needed to see one (a builtin without a
 * frame of its own, called from JavaScript). Where something does not fit, the call is "[unknown
 * JS]" and counted: never a guess.
 */

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/symbols/v8/layout.h"
#include "analyzer/symbols/v8/script.h"

struct nd_calls;
struct nd_memory;
struct nd_profile;
struct nd_sample_cpu;
struct nd_v8;

/* What kind of memory a pc lies in. */
enum nd_site_kind {
	ND_SITE_UNKNOWN,
	ND_SITE_NATIVE,	 /* a file's code */
	ND_SITE_BUILTIN, /* V8's embedded builtins, whatever they are mapped as */
	ND_SITE_JIT,	 /* anonymous executable memory */
};

struct nd_site {
	enum nd_site_kind kind;
	uint64_t pc;	/* inside the instruction: one less than a return address */
	bool has_frame; /* `frame` is the pc's own symbol, in the profile */
	uint32_t frame;
	const char *name; /* of a builtin, without "Builtins_"; NULL where there are no symbols */
};

struct nd_v8_options {
	const struct nd_v8_layout *layout; /* copied */
	struct nd_memory *memory;	   /* outlives the nd_v8 */
	struct nd_profile *profile;	   /* gets frames and losses; outlives the nd_v8 */
	const struct nd_v8_files *files;   /* where source maps are read; NULL: not at all */
	const uint8_t *bytecode_sizes;	   /* Bytecodes::kBytecodeSizes, or NULL; copied */
	/* Whether an address is in memory that V8 compiles into. */
	bool (*is_jit)(void *arg, uint64_t address);
	void *arg;
};

/* NULL when out of memory. */
struct nd_v8 *nd_v8_new(const struct nd_v8_options *options);
void nd_v8_free(struct nd_v8 *v8);

/*
 * Append the calls of frame `index` of a sample, innermost first. `site` is about that frame's pc;
 * `isolate` is the same for all samples of one isolate, and for no other.
 */
void nd_v8_add_calls(struct nd_v8 *v8, uint32_t isolate, const struct nd_sample_cpu *sample,
		     uint32_t index, const struct nd_site *site, struct nd_calls *calls);

/*
 * What this V8 turned out not to let us see, as words for a person, or NULL. Known for sure only
 * after some samples.
 */
const char *nd_v8_get_limits(const struct nd_v8 *v8);

#endif /* NODIAG_ANALYZER_SYMBOLS_V8_V8_H */
