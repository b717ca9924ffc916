/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_PROFILE_KIND_H
#define NODIAG_ANALYZER_PROFILE_KIND_H

#include "analyzer/profile/profile.h"

/*
 * The kind of code that a script's URL or path stands for: ND_FRAME_NODE for "node:...",
 * ND_FRAME_WASM for "wasm://...", ND_FRAME_NPM below a node_modules folder, else ND_FRAME_JS.
 */
enum nd_frame_kind nd_frame_kind_of_url(const char *url);

/*
 * The kind of what V8's own profilers report without a script: ND_FRAME_GC, ND_FRAME_IDLE and
 * ND_FRAME_NATIVE for "(garbage collector)", "(idle)" and "(program)", ND_FRAME_REGEXP for
 * "RegExp: ...", else ND_FRAME_BUILTIN.
 */
enum nd_frame_kind nd_frame_kind_of_v8(const char *name);

#endif /* NODIAG_ANALYZER_PROFILE_KIND_H */
