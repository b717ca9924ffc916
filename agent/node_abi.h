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

/* void Isolate::EnqueueMicrotask(callback, data): the next checkpoint calls, in a HandleScope */
void nd_isolate_enqueue_microtask(struct nd_isolate *isolate, void (*callback)(void *data),
				  void *data)
	ND_IMPORT("_ZN2v87Isolate16EnqueueMicrotaskEPFvPvES1_");

/* static void MicrotasksScope::PerformCheckpoint(Isolate *) */
void nd_microtasks_checkpoint(struct nd_isolate *isolate)
	ND_IMPORT("_ZN2v815MicrotasksScope17PerformCheckpointEPNS_7IsolateE");

/* static bool MicrotasksScope::IsRunningMicrotasks(Isolate *) */
bool nd_microtasks_is_running(struct nd_isolate *isolate)
	ND_IMPORT("_ZN2v815MicrotasksScope19IsRunningMicrotasksEPNS_7IsolateE");

/* v8::Local<T>: a pointer in a register. */
struct nd_local;

/* static Local<Object> Object::New(Isolate *) */
struct nd_local *nd_object_new(struct nd_isolate *isolate)
	ND_IMPORT("_ZN2v86Object3NewEPNS_7IsolateE");

/* Local<Context> Isolate::GetCurrentContext() */
struct nd_local *nd_isolate_get_current_context(struct nd_isolate *isolate)
	ND_IMPORT("_ZN2v87Isolate17GetCurrentContextEv");

/*
 * Local<Value> Isolate::GetContinuationPreservedEmbedderData(): what V8 hands on to what a promise
 * calls later, from Node 22 on.
 */
struct nd_local *nd_isolate_get_continuation_data(struct nd_isolate *isolate)
	ND_IMPORT("_ZN2v87Isolate36GetContinuationPreservedEmbedderDataEv");

/*
 * uint64_t *api_internal::GlobalizeReference(internal::Isolate *, Address): a handle that lives
 * until DisposeGlobal(), whose word the collector keeps right; likewise.
 */
uint64_t *nd_global_make(struct nd_isolate *isolate, uint64_t object)
	ND_IMPORT("_ZN2v812api_internal18GlobalizeReferenceEPNS_8internal7IsolateEm");
void nd_global_dispose(uint64_t *global) ND_IMPORT("_ZN2v812api_internal13DisposeGlobalEPm");

/*
 * double node::AsyncHooksGetExecutionAsyncId(Isolate *), the same of what triggered it, and
 * Environment *node::GetCurrentEnvironment(Local<Context>)
 */
double nd_node_get_executed_id(struct nd_isolate *isolate)
	ND_IMPORT("_ZN4node29AsyncHooksGetExecutionAsyncIdEPN2v87IsolateE");
double nd_node_get_trigger_id(struct nd_isolate *isolate)
	ND_IMPORT("_ZN4node27AsyncHooksGetTriggerAsyncIdEPN2v87IsolateE");
const void *nd_node_get_environment(struct nd_local *context)
	ND_IMPORT("_ZN4node21GetCurrentEnvironmentEN2v85LocalINS0_7ContextEEE");

/* Node-API (node_api.h), which keeps these for good. All but the last return 0 for success. */
struct napi_env__;
struct napi_value__;
struct napi_callback_info__;
struct napi_ref__;

/* napi_typedarray_type */
#define ND_NAPI_FLOAT64_ARRAY 8

#define ND_NAPI_VERSION	    8
#define ND_NAPI_AUTO_LENGTH SIZE_MAX

typedef struct napi_value__ *nd_napi_callback(struct napi_env__ *env,
					      struct napi_callback_info__ *info);

int napi_add_env_cleanup_hook(struct napi_env__ *env, void (*function)(void *arg), void *arg);
int napi_call_function(struct napi_env__ *env, struct napi_value__ *receiver,
		       struct napi_value__ *function, size_t argc, struct napi_value__ *const *argv,
		       struct napi_value__ **ret);
int napi_create_function(struct napi_env__ *env, const char *name, size_t len,
			 nd_napi_callback *callback, void *data, struct napi_value__ **ret);
int napi_create_reference(struct napi_env__ *env, struct napi_value__ *value, uint32_t count,
			  struct napi_ref__ **ret);
int napi_create_string_latin1(struct napi_env__ *env, const char *str, size_t len,
			      struct napi_value__ **ret);
int napi_delete_reference(struct napi_env__ *env, struct napi_ref__ *reference);
int napi_get_and_clear_last_exception(struct napi_env__ *env, struct napi_value__ **ret);
int napi_get_boolean(struct napi_env__ *env, bool value, struct napi_value__ **ret);
int napi_get_cb_info(struct napi_env__ *env, struct napi_callback_info__ *info, size_t *argc,
		     struct napi_value__ **argv, struct napi_value__ **ret_this, void **ret_data);
int napi_get_reference_value(struct napi_env__ *env, struct napi_ref__ *reference,
			     struct napi_value__ **ret);
int napi_get_typedarray_info(struct napi_env__ *env, struct napi_value__ *array, int *ret_type,
			     size_t *ret_length, void **ret_data,
			     struct napi_value__ **ret_arraybuffer, size_t *ret_offset);
int napi_get_undefined(struct napi_env__ *env, struct napi_value__ **ret);
int napi_get_value_string_latin1(struct napi_env__ *env, struct napi_value__ *value, char *buf,
				 size_t size, size_t *ret_len);
int napi_get_value_string_utf8(struct napi_env__ *env, struct napi_value__ *value, char *buf,
			       size_t size, size_t *ret_len);
int napi_get_value_uint32(struct napi_env__ *env, struct napi_value__ *value, uint32_t *ret);
int napi_run_script(struct napi_env__ *env, struct napi_value__ *script, struct napi_value__ **ret);

/*
 * void napi_module_register_by_symbol(Local<Object> exports, Local<Value> module, Local<Context>,
 * napi_addon_register_func, int32_t version): makes an environment and calls `init` with it
 */
void nd_napi_register(struct nd_local *exports, struct nd_local *module, struct nd_local *context,
		      struct napi_value__ *(*init)(struct napi_env__ *env,
						   struct napi_value__ *exports),
		      int32_t version)
	ND_IMPORT("_Z30napi_module_register_by_symbolN2v85LocalINS_6ObjectEEENS0_INS_5ValueEEENS0_"
		  "INS_7ContextEEEPFP12napi_value__P10napi_env__S8_Ei");

/* v8::HeapSpaceStatistics; the room is what a later V8 might append. */
struct nd_space_statistics {
	const char *name; /* V8's own, for good */
	size_t size;
	size_t used;
	size_t available;
	size_t physical;
	size_t room[5];
};

/* size_t Isolate::NumberOfHeapSpaces() */
size_t nd_isolate_count_spaces(struct nd_isolate *isolate)
	ND_IMPORT("_ZN2v87Isolate18NumberOfHeapSpacesEv");

/* bool Isolate::GetHeapSpaceStatistics(HeapSpaceStatistics *, size_t index) */
bool nd_isolate_get_space(struct nd_isolate *isolate, struct nd_space_statistics *ret, size_t index)
	ND_IMPORT("_ZN2v87Isolate22GetHeapSpaceStatisticsEPNS_19HeapSpaceStatisticsEm");

/* v8::ArrayBuffer::Allocator: begins with its class's table of functions. */
struct nd_allocator {
	const void *table;
	size_t words[2];
};

/* ArrayBuffer::Allocator *Isolate::GetArrayBufferAllocator() */
struct nd_allocator *nd_isolate_get_allocator(struct nd_isolate *isolate)
	ND_IMPORT("_ZN2v87Isolate23GetArrayBufferAllocatorEv");

/*
 * The allocator that Node makes (node_internals.h): its table, behind two words, and its functions
 * AllocateUninitialized(size) and Free(data, size).
 */
extern const void *const nd_node_allocator_table[] ND_IMPORT(
	"_ZTVN4node24NodeArrayBufferAllocatorE");
void *nd_node_allocate(struct nd_allocator *allocator, size_t size)
	ND_IMPORT("_ZN4node24NodeArrayBufferAllocator21AllocateUninitializedEm");
void nd_node_free(struct nd_allocator *allocator, void *data, size_t size)
	ND_IMPORT("_ZN4node24NodeArrayBufferAllocator4FreeEPvm");

/* StackTrace::StackTraceOptions: names, lines and columns */
#define ND_STACK_TRACE_OVERVIEW 15

/* static Local<StackTrace> StackTrace::CurrentStackTrace(Isolate *, int frames, options) */
struct nd_local *nd_stack_trace_take(struct nd_isolate *isolate, int frames, int options)
	ND_IMPORT("_ZN2v810StackTrace17CurrentStackTraceEPNS_7IsolateEiNS0_17StackTraceOptionsE");

/* int StackTrace::GetFrameCount(), Local<StackFrame> StackTrace::GetFrame(Isolate *, index) */
int nd_stack_trace_count(const struct nd_local *trace)
	ND_IMPORT("_ZNK2v810StackTrace13GetFrameCountEv");
struct nd_local *nd_stack_trace_frame(const struct nd_local *trace, struct nd_isolate *isolate,
				      uint32_t index)
	ND_IMPORT("_ZNK2v810StackTrace8GetFrameEPNS_7IsolateEj");

/* v8::Location: from 0. */
struct nd_location {
	int32_t line;
	int32_t column;
};

/* Of v8::StackFrame: GetLocation(), GetScriptId(), and names as Local<String>, which may be NULL */
struct nd_location nd_stack_frame_location(const struct nd_local *frame)
	ND_IMPORT("_ZNK2v810StackFrame11GetLocationEv");
int nd_stack_frame_script(const struct nd_local *frame)
	ND_IMPORT("_ZNK2v810StackFrame11GetScriptIdEv");
struct nd_local *nd_stack_frame_file(const struct nd_local *frame)
	ND_IMPORT("_ZNK2v810StackFrame24GetScriptNameOrSourceURLEv");
struct nd_local *nd_stack_frame_function(const struct nd_local *frame)
	ND_IMPORT("_ZNK2v810StackFrame15GetFunctionNameEv");

/* HeapProfiler *Isolate::GetHeapProfiler() */
struct nd_heap_profiler;
struct nd_heap_profiler *nd_isolate_get_heap_profiler(struct nd_isolate *isolate)
	ND_IMPORT("_ZN2v87Isolate15GetHeapProfilerEv");

/*
 * v8::ActivityControl: a class whose table has its functions in this order. report() gets how many
 * of how many objects were looked at, every 10,000 of them, and returns 0 to go on, 1 to stop.
 */
struct nd_activity_control;
struct nd_activity_control_table {
	void (*destroy)(struct nd_activity_control *control);
	void (*destroy_and_free)(struct nd_activity_control *control);
	int (*report)(struct nd_activity_control *control, uint32_t done, uint32_t total);
};

struct nd_activity_control {
	const struct nd_activity_control_table *table;
	/* Of ours. */
	void *arg;
};

/*
 * const HeapSnapshot *HeapProfiler::TakeHeapSnapshot(ActivityControl *, ObjectNameResolver *, bool
 * hide_internals, bool capture_numeric_value), of which both may be NULL; from Node 26 on the
 * second is a ContextNameResolver. NULL when the first one stopped it.
 */
struct nd_heap_snapshot;
const struct nd_heap_snapshot *nd_heap_snapshot_take(struct nd_heap_profiler *profiler,
						     struct nd_activity_control *control,
						     void *resolver, bool hide_internals,
						     bool numeric)
	ND_IMPORT("_ZN2v812HeapProfiler16TakeHeapSnapshotEPNS_15ActivityControlEPNS0_18Object"
		  "NameResolverEbb");
const struct nd_heap_snapshot *nd_heap_snapshot_take_26(struct nd_heap_profiler *profiler,
							struct nd_activity_control *control,
							void *resolver, bool hide_internals,
							bool numeric)
	ND_IMPORT("_ZN2v812HeapProfiler16TakeHeapSnapshotEPNS_15ActivityControlEPNS0_19Context"
		  "NameResolverEbb");

/* void HeapSnapshot::Delete() */
void nd_heap_snapshot_delete(const struct nd_heap_snapshot *snapshot)
	ND_IMPORT("_ZN2v812HeapSnapshot6DeleteEv");

/*
 * Isolate::AddNearHeapLimitCallback(callback, data), RemoveNearHeapLimitCallback(callback, limit).
 * V8 calls the one that was added last when the heap has grown to its limit, and ends the program
 * unless it gives a higher one. A limit of 0 leaves it as it is.
 */
typedef size_t (*nd_near_limit_callback)(void *data, size_t current, size_t initial);
void nd_isolate_add_near_limit(struct nd_isolate *isolate, nd_near_limit_callback callback,
			       void *data)
	ND_IMPORT("_ZN2v87Isolate24AddNearHeapLimitCallbackEPFmPvmmES1_");
void nd_isolate_remove_near_limit(struct nd_isolate *isolate, nd_near_limit_callback callback,
				  size_t limit)
	ND_IMPORT("_ZN2v87Isolate27RemoveNearHeapLimitCallbackEPFmPvmmEm");

/*
 * bool Isolate::GetHeapCodeAndMetadataStatistics(HeapCodeStatistics *). What it counts does not
 * matter: before it walks the heap it waits until all of it is swept.
 */
struct nd_code_statistics {
	size_t sizes[4];
	size_t room[4];
};
bool nd_isolate_walk_heap(struct nd_isolate *isolate, struct nd_code_statistics *ret)
	ND_IMPORT("_ZN2v87Isolate32GetHeapCodeAndMetadataStatisticsEPNS_18HeapCodeStatisticsE");

/* v8::OutputStream: a class whose table has its functions in this order. */
struct nd_output_stream;
struct nd_output_stream_table {
	void (*destroy)(struct nd_output_stream *stream);
	void (*destroy_and_free)(struct nd_output_stream *stream);
	void (*end)(struct nd_output_stream *stream);
	int (*get_chunk_size)(struct nd_output_stream *stream);
	/* 0 to go on, 1 to stop */
	int (*write_chunk)(struct nd_output_stream *stream, char *data, int size);
	int (*write_stats)(struct nd_output_stream *stream, void *data, int count);
};

struct nd_output_stream {
	const struct nd_output_stream_table *table;
	/* Of ours. */
	void *arg;
};

/* void HeapSnapshot::Serialize(OutputStream *, SerializationFormat) const: 0 is JSON */
void nd_heap_snapshot_serialize(const struct nd_heap_snapshot *snapshot,
				struct nd_output_stream *stream, int format)
	ND_IMPORT("_ZNK2v812HeapSnapshot9SerializeEPNS_12OutputStreamENS0_19"
		  "SerializationFormatE");

/* Of Node-API as well. */
int napi_create_double(struct napi_env__ *env, double value, struct napi_value__ **ret);
int napi_create_external_arraybuffer(struct napi_env__ *env, void *data, size_t size,
				     void (*finalize)(struct napi_env__ *env, void *data,
						      void *hint),
				     void *hint, struct napi_value__ **ret);

#pragma weak napi_create_double
#pragma weak napi_create_external_arraybuffer
#pragma weak napi_add_env_cleanup_hook
#pragma weak napi_call_function
#pragma weak napi_create_function
#pragma weak napi_create_reference
#pragma weak napi_create_string_latin1
#pragma weak napi_delete_reference
#pragma weak napi_get_and_clear_last_exception
#pragma weak napi_get_boolean
#pragma weak napi_get_cb_info
#pragma weak napi_get_reference_value
#pragma weak napi_get_typedarray_info
#pragma weak napi_get_undefined
#pragma weak napi_get_value_string_latin1
#pragma weak napi_get_value_string_utf8
#pragma weak napi_get_value_uint32
#pragma weak napi_run_script
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
