/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/lag.h"

static const char *const kind_texts[ND_STALL_KIND_COUNT] = {
	[ND_STALL_UNKNOWN] = "unknown",
	[ND_STALL_JS] = "JavaScript",
	[ND_STALL_NATIVE] = "native code",
	[ND_STALL_REGEXP] = "regexp",
	[ND_STALL_GC] = "GC",
	[ND_STALL_COMPILE] = "compile",
	[ND_STALL_BLOCKED] = "blocking call",
	[ND_STALL_DESCHEDULED] = "no CPU",
};

const char *nd_stall_kind_text(enum nd_stall_kind kind)
{
	return kind_texts[kind];
}

const char *nd_stall_kind_key(enum nd_stall_kind kind)
{
	static const char *const keys[ND_STALL_KIND_COUNT] = {
		[ND_STALL_UNKNOWN] = "unknown", [ND_STALL_JS] = "js",
		[ND_STALL_NATIVE] = "native",	[ND_STALL_REGEXP] = "regexp",
		[ND_STALL_GC] = "gc",		[ND_STALL_COMPILE] = "compile",
		[ND_STALL_BLOCKED] = "syscall", [ND_STALL_DESCHEDULED] = "descheduled",
	};

	return keys[kind];
}

const char *nd_phase_text(enum nd_phase phase)
{
	static const char *const texts[ND_PHASE_COUNT] = {"timers", "poll", "check", "close",
							  "other"};

	return texts[phase];
}

const char *nd_queue_text(enum nd_queue queue)
{
	static const char *const texts[ND_QUEUE_COUNT] = {"", "nextTick", "microtask"};

	return texts[queue];
}

const char *nd_handle_text(int type)
{
	/* In the order of UV_HANDLE_TYPE_MAP, which libuv keeps (uv.h). */
	static const char *const texts[ND_HANDLE_TYPES] = {
		"",	"async", "check", "fs_event", "fs_poll", "",
		"idle", "pipe",	 "poll",  "prepare",  "process", "",
		"tcp",	"timer", "tty",	  "udp",      "signal",	 "file",
	};

	return texts[type] ? texts[type] : "";
}

const char *nd_gc_type_text(int index)
{
	static const char *const texts[ND_GC_TYPES] = {
		"scavenge", "minor mark-sweep", "mark-compact", "incremental", "weak callbacks"};

	return texts[index];
}
