/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_NODE_ABI_H
#define NODIAG_AGENT_NODE_ABI_H

/*
 * What the agent calls of V8 and Node: public C++ functions that `node` exports, by the names that
 * the Itanium C++ ABI gives them. All of them are there, with these types, from Node 18 to 26
 * (v8-isolate.h, v8-statistics.h, node.h). Weak: in a program that is not Node they are NULL.
 *
 * libuv is used as its own header declares it, weakly too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

struct nd_isolate; /* v8::Isolate */

#define ND_IMPORT(name) __asm__(name) __attribute__((weak))

/* static Isolate *Isolate::TryGetCurrent() */
struct nd_isolate *nd_isolate_try_get_current(void) ND_IMPORT("_ZN2v87Isolate13TryGetCurrentEv");

/* bool Isolate::InContext() */
bool nd_isolate_in_context(struct nd_isolate *isolate) ND_IMPORT("_ZN2v87Isolate9InContextEv");

/* void Isolate::RequestInterrupt(callback, data): the isolate calls it at the next safe point */
void nd_isolate_request_interrupt(struct nd_isolate *isolate,
				  void (*callback)(struct nd_isolate *isolate, void *data),
				  void *data)
	ND_IMPORT("_ZN2v87Isolate16RequestInterruptEPFvPS0_PvES2_");

/* uv_loop_t *node::GetCurrentEventLoop(Isolate *) */
uv_loop_t *nd_node_get_event_loop(struct nd_isolate *isolate)
	ND_IMPORT("_ZN4node19GetCurrentEventLoopEPN2v87IsolateE");

/* static const char *V8::GetVersion() */
const char *nd_v8_get_version(void) ND_IMPORT("_ZN2v82V810GetVersionEv");

typedef void (*nd_gc_callback)(struct nd_isolate *isolate, int type, int flags, void *data);

/* Isolate::AddGCPrologueCallback(callback, data, filter) and the like */
void nd_isolate_add_gc_prologue(struct nd_isolate *isolate, nd_gc_callback callback, void *data,
				int filter)
	ND_IMPORT("_ZN2v87Isolate21AddGCPrologueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlags"
		  "EPvES4_S2_");
void nd_isolate_add_gc_epilogue(struct nd_isolate *isolate, nd_gc_callback callback, void *data,
				int filter)
	ND_IMPORT("_ZN2v87Isolate21AddGCEpilogueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlags"
		  "EPvES4_S2_");
void nd_isolate_remove_gc_prologue(struct nd_isolate *isolate, nd_gc_callback callback, void *data)
	ND_IMPORT("_ZN2v87Isolate24RemoveGCPrologueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallback"
		  "FlagsEPvES4_");
void nd_isolate_remove_gc_epilogue(struct nd_isolate *isolate, nd_gc_callback callback, void *data)
	ND_IMPORT("_ZN2v87Isolate24RemoveGCEpilogueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallback"
		  "FlagsEPvES4_");

/* v8::HeapStatistics; later V8s append to it, hence the room. */
struct nd_heap_statistics {
	size_t total_heap_size;
	size_t total_heap_size_executable;
	size_t total_physical_size;
	size_t total_available_size;
	size_t used_heap_size;
	size_t heap_size_limit;
	size_t malloced_memory;
	size_t external_memory;
	size_t peak_malloced_memory;
	bool does_zap_garbage;
	size_t number_of_native_contexts;
	size_t number_of_detached_contexts;
	size_t total_global_handles_size;
	size_t used_global_handles_size;
	size_t room[18];
};

/* void Isolate::GetHeapStatistics(HeapStatistics *) */
void nd_isolate_get_heap_statistics(struct nd_isolate *isolate, struct nd_heap_statistics *ret)
	ND_IMPORT("_ZN2v87Isolate17GetHeapStatisticsEPNS_14HeapStatisticsE");

#pragma weak uv_backend_fd
#pragma weak uv_check_init
#pragma weak uv_check_start
#pragma weak uv_close
#pragma weak uv_handle_size
#pragma weak uv_idle_init
#pragma weak uv_is_active
#pragma weak uv_prepare_init
#pragma weak uv_prepare_start
#pragma weak uv_run
#pragma weak uv_unref
#pragma weak uv_walk

#endif /* NODIAG_AGENT_NODE_ABI_H */
