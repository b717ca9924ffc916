/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Usage: render_fixture NAME FORMAT, writes to standard output: profiles whose answers the tests
 * of the page know, and one that looks like a real server, for looking at.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/render.h"
#include "common/buf.h"
#include "proto/limits.h"

#define PERIOD	  10101010 /* nanoseconds, 99 Hz */
#define CALLS_MAX 64
#define BIG_NODES 100000

struct function {
	const char *key;
	struct nd_frame frame;
	int warmth; /* per cent of its calls in optimised code */
};

struct path {
	const char *keys; /* outermost first, separated by spaces */
	unsigned int samples;
};

#define JS(key, name, file, line, warmth)                                                          \
	{                                                                                          \
		key, {name, "file:///srv/shop/" file, line, 3, ND_FRAME_JS}, warmth                \
	}
#define NPM(key, name, file, line, warmth)                                                         \
	{                                                                                          \
		key, {name, "/srv/shop/node_modules/" file, line, 12, ND_FRAME_NPM}, warmth        \
	}
#define NODE(key, name, file, line, warmth)                                                        \
	{                                                                                          \
		key, {name, "node:" file, line, 20, ND_FRAME_NODE}, warmth                         \
	}
#define OTHER(key, name, file, kind)                                                               \
	{                                                                                          \
		key, {name, file, 0, 0, kind}, 0                                                   \
	}
#define EXE "/usr/local/bin/node"

static const struct function functions[] = {
	OTHER("start", "_start", EXE, ND_FRAME_NATIVE),
	OTHER("libc", "__libc_start_main", "/usr/lib/x86_64-linux-gnu/libc.so.6", ND_FRAME_NATIVE),
	OTHER("main", "main", EXE, ND_FRAME_NATIVE),
	OTHER("spin", "node::SpinEventLoopInternal(node::Environment*)", EXE, ND_FRAME_NATIVE),
	OTHER("uv", "uv_run", EXE, ND_FRAME_NATIVE),
	OTHER("poll", "uv__io_poll", EXE, ND_FRAME_NATIVE),
	OTHER("stream", "uv__stream_io", EXE, ND_FRAME_NATIVE),
	OTHER("read", "node::LibuvStreamWrap::OnUvRead(long, uv_buf_t const*)", EXE,
	      ND_FRAME_NATIVE),
	OTHER("onread", "node::(anonymous namespace)::Parser::OnStreamRead(long, uv_buf_t const&)",
	      EXE, ND_FRAME_NATIVE),
	OTHER("llhttp", "llhttp__internal_execute", EXE, ND_FRAME_NATIVE),
	OTHER("make", "node::InternalMakeCallback(node::Environment*, v8::Local<v8::Object>)", EXE,
	      ND_FRAME_NATIVE),
	OTHER("call", "v8::Function::Call(v8::Local<v8::Context>, v8::Local<v8::Value>)", EXE,
	      ND_FRAME_NATIVE),
	OTHER("entry", "JSEntry", EXE, ND_FRAME_BUILTIN),
	OTHER("tasks", "RunMicrotasks", EXE, ND_FRAME_BUILTIN),
	OTHER("resume", "AsyncFunctionAwaitResolveClosure", EXE, ND_FRAME_BUILTIN),
	OTHER("map", "ArrayPrototypeMap", EXE, ND_FRAME_BUILTIN),
	OTHER("sort", "ArrayPrototypeSort", EXE, ND_FRAME_BUILTIN),
	OTHER("stringify", "v8::internal::JsonStringify(v8::internal::Isolate*)", EXE,
	      ND_FRAME_NATIVE),
	OTHER("jsonbuiltin", "JsonStringify", EXE, ND_FRAME_BUILTIN),
	OTHER("add", "StringAdd_CheckNone", EXE, ND_FRAME_BUILTIN),
	OTHER("keyed", "KeyedLoadIC_Megamorphic", EXE, ND_FRAME_BUILTIN),
	OTHER("writev", "uv__try_write", EXE, ND_FRAME_NATIVE),
	OTHER("libcwrite", "writev", "/usr/lib/x86_64-linux-gnu/libc.so.6", ND_FRAME_NATIVE),
	OTHER("syswrite", "do_writev", "[kernel]", ND_FRAME_KERNEL),
	OTHER("tcp", "tcp_sendmsg_locked", "[kernel]", ND_FRAME_KERNEL),
	OTHER("sock", "sock_sendmsg", "[kernel]", ND_FRAME_KERNEL),
	OTHER("epoll", "epoll_wait", "[kernel]", ND_FRAME_KERNEL),
	OTHER("gc", "GC (young generation)", "", ND_FRAME_GC),
	OTHER("fullgc", "GC (mark-compact)", "", ND_FRAME_GC),
	OTHER("compile", "compile (TurboFan)", "", ND_FRAME_COMPILE),
	OTHER("regexp", "regexp /^\\/cart\\/(\\d+)(?:\\/(\\w+))?$/", "", ND_FRAME_REGEXP),
	OTHER("hash", "EVP_DigestUpdate", EXE, ND_FRAME_NATIVE),
	OTHER("sha", "sha256_block_data_order_avx2", EXE, ND_FRAME_NATIVE),
	OTHER("wasm", "wasm-function[17]", "wasm://wasm/0a3c6e9e", ND_FRAME_WASM),
	OTHER("unknown", "[unknown JS]", "", ND_FRAME_UNKNOWN),
	NODE("incoming", "parserOnIncoming", "_http_server", 1090, 90),
	NODE("emit", "emit", "events", 465, 95),
	NODE("end", "end", "_http_outgoing", 987, 80),
	NODE("send", "_send", "_http_outgoing", 345, 70),
	NODE("writeg", "writeGeneric", "internal/stream_base_commons", 143, 60),
	NODE("ticks", "processTicksAndRejections", "internal/process/task_queues", 71, 60),
	NODE("digest", "update", "internal/crypto/hash", 123, 20),
	NPM("express", "handle", "express/lib/express.js", 37, 85),
	NPM("apphandle", "app.handle", "express/lib/application.js", 165, 80),
	NPM("router", "Router.handle", "router/index.js", 157, 90),
	NPM("next", "next", "router/index.js", 201, 85),
	NPM("layer", "handleRequest", "router/lib/layer.js", 96, 85),
	NPM("match", "match", "router/lib/layer.js", 118, 90),
	NPM("json", "json", "express/lib/response.js", 224, 75),
	NPM("etag", "etag", "etag/index.js", 70, 60),
	NPM("compilefn", "Template.compile", "ejs/lib/ejs.js", 584, 5),
	JS("cart", "getCart", "src/routes/cart.ts", 18, 70),
	JS("price", "priceOf", "src/pricing/price.ts", 41, 92),
	JS("rules", "applyRules", "src/pricing/rules.ts", 12, 88),
	JS("discount", "(anonymous)", "src/pricing/rules.ts", 27, 60),
	JS("walk", "renderNode", "src/view/tree.ts", 9, 75),
	JS("escape", "escapeHtml", "src/view/escape.ts", 3, 97),
	JS("user", "loadUser", "src/users/store.ts", 55, 40),
	JS("token", "verifyToken", "src/users/token.ts", 14, 30),
	JS("page", "renderPage", "src/view/page.ts", 22, 50),
	JS("score", "scoreItems", "src/search/score.ts", 88, 85),
	JS("compare", "byScore", "src/search/score.ts", 131, 96),
	JS("image", "resizeThumbnail", "src/images/thumb.ts", 7, 45),
};

#define LOOP "start libc main spin uv "
#define HTTP                                                                                       \
	LOOP "poll stream read onread llhttp make call entry incoming emit express apphandle "     \
	     "router next layer "
#define PROMISE LOOP "poll stream read onread llhttp make call entry ticks tasks resume "

static const struct path paths[] = {
	{HTTP "cart", 14},
	{HTTP "cart price", 96},
	{HTTP "cart price rules", 171},
	{HTTP "cart price rules discount", 83},
	{HTTP "cart price rules discount keyed", 49},
	{HTTP "cart map price rules", 38},
	{HTTP "cart json jsonbuiltin stringify", 88},
	{HTTP "cart json etag digest hash sha", 41},
	{HTTP "cart json end send writeg writev libcwrite syswrite sock tcp", 52},
	{HTTP "cart json end send", 9},
	{HTTP "page walk walk walk escape", 44},
	{HTTP "page walk walk walk walk escape add", 31},
	{HTTP "page walk walk walk walk walk escape", 27},
	{HTTP "page walk walk escape", 22},
	{HTTP "page walk walk walk add", 18},
	{HTTP "page walk", 8},
	{HTTP "page compilefn", 11},
	{HTTP "page compilefn unknown", 4},
	{HTTP "page end send writeg writev libcwrite syswrite sock tcp", 23},
	{HTTP "match regexp", 26},
	{HTTP "match", 12},
	{PROMISE "user", 19},
	{PROMISE "user token digest hash sha", 37},
	{PROMISE "score sort compare", 118},
	{PROMISE "score", 57},
	{PROMISE "score gc", 24},
	{PROMISE "image wasm", 46},
	{PROMISE "image", 5},
	{HTTP "cart gc", 21},
	{HTTP "page walk walk gc", 13},
	{HTTP "cart price rules compile", 9},
	{LOOP "poll epoll", 34},
	{LOOP "poll", 11},
	{"fullgc", 22},
	{"compile", 31},
};

static void must(int ret)
{
	if (!ret)
		return;
	fprintf(stderr, "render_fixture: %s\n", strerror(-ret));
	exit(1);
}

/* A generator that gives the same profile everywhere. */
static uint32_t dice(uint32_t sides)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16) % sides;
}

static const struct function *find_function(const char *key, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (strlen(functions[i].key) == len && !memcmp(functions[i].key, key, len))
			return &functions[i];
	fprintf(stderr, "render_fixture: no function '%.*s'\n", (int)len, key);
	exit(1);
}

static enum nd_tier tier_of(const struct function *function)
{
	uint32_t luck = dice(100);

	if (function->frame.kind != ND_FRAME_JS && function->frame.kind != ND_FRAME_NPM &&
	    function->frame.kind != ND_FRAME_NODE)
		return ND_TIER_NONE;
	if (luck < (uint32_t)function->warmth)
		return ND_TIER_TURBOFAN;
	return luck % 3 ? (luck % 3 == 1 ? ND_TIER_MAGLEV : ND_TIER_SPARKPLUG) : ND_TIER_IGNITION;
}

/* One sample of a path, with tiers, lines and inlining as they may come. */
static void add_path(struct nd_profile *profile, const char *keys)
{
	struct nd_call calls[CALLS_MAX] = {0};
	struct nd_stack stack = {.calls = calls, .weight = PERIOD, .count = 1};
	const struct function *function;
	const char *end = keys + strlen(keys), *start;

	for (; end > keys; end = start - (start > keys)) {
		for (start = end; start > keys && start[-1] != ' '; start--)
			;
		function = find_function(start, (size_t)(end - start));
		struct nd_call *call = &calls[stack.depth++];

		must(nd_profile_add_frame(profile, &function->frame, &call->frame));
		call->tier = tier_of(function);
		call->inlined = call->tier == ND_TIER_TURBOFAN && function->warmth > 90 && dice(3);
		call->line =
			function->frame.line ? function->frame.line + 2 + dice(5) * dice(3) : 0;
	}
	must(nd_profile_add_stack(profile, &stack));
}

static void set_info(struct nd_profile *profile)
{
	struct nd_profile_info info = {
		.title = "server.js (pid 4242)",
		.command = "node --enable-source-maps dist/server.js --port 8080",
		.runtime = "Node.js v22.23.3, V8 12.4.254",
		.sampler = "eBPF",
		.sample_type = "cpu",
		.unit = "nanoseconds",
		.period = PERIOD,
		.duration_ns = 15000000000,
		.start_unix_ns = 1795100000000000000,
		.pid = 4242,
	};

	must(nd_profile_set_info(profile, &info));
}

static void build_demo(struct nd_profile *profile)
{
	size_t i;
	unsigned int n;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		for (n = 0; n < paths[i].samples; n++)
			add_path(profile, paths[i].keys);
	nd_profile_add_loss(profile, ND_LOSS_JS_UNNAMED, 4);
	nd_profile_add_loss(profile, ND_LOSS_ROOT_MISSING, 2);
}

/* Stacks by frame, innermost first, ended by 0; ids count from 1 here. */
struct weighed {
	uint32_t samples;
	enum nd_tier tier; /* of the innermost */
	uint32_t line;	   /* of the innermost */
	uint32_t frames[5];
};

static void add_weighed(struct nd_profile *profile, const struct weighed *weighed)
{
	struct nd_call calls[5] = {0};
	struct nd_stack stack = {.calls = calls,
				 .weight = 10000000ull * weighed->samples,
				 .count = weighed->samples};

	for (; stack.depth < 5 && weighed->frames[stack.depth]; stack.depth++)
		calls[stack.depth] = (struct nd_call){.frame = weighed->frames[stack.depth] - 1,
						      .tier = ND_TIER_TURBOFAN};
	calls[0].tier = weighed->tier;
	calls[0].line = weighed->line;
	must(nd_profile_add_stack(profile, &stack));
}

/* 100 samples of 10 ms: a sample is a per cent. */
static void build_small(struct nd_profile *profile)
{
	static const struct nd_frame frames[] = {
		{"main", "file:///app/src/server.js", 1, 1, ND_FRAME_JS},
		{"handle", "file:///app/src/server.js", 10, 3, ND_FRAME_JS},
		{"parse", "/app/node_modules/fast-json/index.js", 5, 7, ND_FRAME_NPM},
		{"render", "file:///app/src/view/render.js", 20, 9, ND_FRAME_JS},
		{"uv__io_poll", EXE, 0, 0, ND_FRAME_NATIVE},
		{"GC", "", 0, 0, ND_FRAME_GC},
	};
	enum { MAIN = 1, HANDLE, PARSE, RENDER, POLL, COLLECT };
	static const struct weighed stacks[] = {
		{40, ND_TIER_TURBOFAN, 6, {PARSE, HANDLE, MAIN}},
		{15, ND_TIER_TURBOFAN, 22, {RENDER, HANDLE, MAIN}},
		{5, ND_TIER_IGNITION, 24, {RENDER, HANDLE, MAIN}},
		{10, ND_TIER_TURBOFAN, 25, {RENDER, RENDER, HANDLE, MAIN}},
		{5, ND_TIER_SPARKPLUG, 12, {HANDLE, MAIN}},
		{10, ND_TIER_NONE, 0, {COLLECT, MAIN}},
		{15, ND_TIER_NONE, 0, {POLL}},
	};
	uint32_t id;
	size_t i;

	for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		must(nd_profile_add_frame(profile, &frames[i], &id));
	for (i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++)
		add_weighed(profile, &stacks[i]);
	nd_profile_add_loss(profile, ND_LOSS_RING_FULL, 12);
}

/* Names that try to leave the place they are put in. */
static void build_hostile(struct nd_profile *profile)
{
	static const char *const names[] = {
		"</script><script>document.title='owned'</script>",
		"<!--<script>",
		"<img src=x onerror=\"document.title='owned'\">",
		"\"'`${document.title='owned'}\\",
		"\x01\x02\x7f\x1b[31m",
		"overlong nul \xc0\x80, cut \xf0\x9f\x94",
		"latin1 \xe9\xff",
		"surrogate \xed\xa0\x80",
		"\xf0\x9f\x94\xa5 \xe7\x81\xab",
		"lines \xe2\x80\xa8\xe2\x80\xa9",
		"desrever \xe2\x80\xae!",
		"]]>&amp;<svg onload=alert(1)>",
		"{{profile}}",
		"__proto__",
		"",
	};
	struct nd_frame frame = {.line = 1, .kind = ND_FRAME_JS};
	struct nd_call call = {.tier = ND_TIER_IGNITION, .line = 1};
	struct nd_stack stack = {.calls = &call, .depth = 1, .weight = PERIOD, .count = 1};
	struct nd_profile_info info = *nd_profile_get_info(profile);
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		frame.name = names[i];
		frame.file = names[(i + 1) % (sizeof(names) / sizeof(names[0]))];
		must(nd_profile_add_frame(profile, &frame, &call.frame));
		must(nd_profile_add_stack(profile, &stack));
	}
	info.title = info.command = info.runtime = info.sampler = names[0];
	must(nd_profile_set_info(profile, &info));
}

/* Stacks that share their roots and differ towards their leaves, until there are BIG_NODES nodes.
 */
static void build_big(struct nd_profile *profile)
{
	struct nd_call calls[CALLS_MAX] = {0};
	struct nd_stack stack = {.calls = calls, .weight = PERIOD, .count = 1};
	struct nd_frame frame = {0};
	char name[64], file[64];
	uint32_t count = 0, i, id;

	for (i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "function%u", i);
		snprintf(file, sizeof(file), "file:///app/src/module%u.js", i % 200);
		frame = (struct nd_frame){name, file, 1 + i, 1, (enum nd_frame_kind)(1 + i % 11)};
		must(nd_profile_add_frame(profile, &frame, &id));
	}
	while (count < BIG_NODES) {
		stack.depth = 10 + dice(50);
		for (i = 0; i < stack.depth; i++) {
			uint32_t depth = (uint32_t)stack.depth - 1 - i;
			uint32_t branches = 2 + depth / 4;

			calls[i].frame = (depth * 50 + dice(dice(branches * 2) + 1)) % 3000;
			calls[i].tier = (enum nd_tier)(1 + dice(4));
			calls[i].line = 1 + dice(40);
		}
		must(nd_profile_add_stack(profile, &stack));
		nd_profile_nodes(profile, &count);
	}
}

static void build_empty(struct nd_profile *profile)
{
	(void)profile;
}

static void build_stackless(struct nd_profile *profile)
{
	must(nd_profile_add_stack(profile, &(struct nd_stack){.weight = PERIOD, .count = 1}));
}

static const struct {
	const char *name;
	void (*build)(struct nd_profile *profile);
} fixtures[] = {
	{"demo", build_demo}, {"small", build_small}, {"hostile", build_hostile},
	{"big", build_big},   {"empty", build_empty}, {"stackless", build_stackless},
};

int main(int argc, char **argv)
{
	const struct nd_render_format *format = argc == 3 ? nd_render_find_format(argv[2]) : NULL;
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_buf out;
	size_t i;

	if (!format || !profile)
		return 2;
	for (i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
		if (strcmp(fixtures[i].name, argv[1]) != 0)
			continue;
		set_info(profile);
		fixtures[i].build(profile);
	}
	nd_buf_init(&out, ND_OUTPUT_MAX);
	must(format->render(profile, &out));
	if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout))
		return 1;
	nd_buf_fini(&out);
	nd_profile_free(profile);
	return 0;
}
