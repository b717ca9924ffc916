/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_LIMITS_H
#define NODIAG_PROTO_LIMITS_H

#include <stdint.h>

/*
 * Every ceiling on sizes that come from outside, with its reason.
 */

/* Calls in one stack of a profile: the sampler's deepest walk with room for inlined calls. */
#define ND_STACK_DEPTH_MAX 4096

/* Nodes of a profile's tree: a day of a very branchy program stays below; 128 bytes each. */
#define ND_PROFILE_NODES_MAX (4u << 20)

/* Samples of a profile's timeline: 40 bytes each, so 80 MiB at most. */
#define ND_PROFILE_SAMPLES_MAX (2u << 20)

/* A rendered answer: what a browser or a collector still takes. */
#define ND_OUTPUT_MAX (512u << 20)

/* A profile file of another tool, and what it may unpack to. */
#define ND_IMPORT_MAX	       (512u << 20)
#define ND_IMPORT_UNPACKED_MAX (1u << 30)

/* Of those, JSON: the parser needs up to 40 bytes of memory for each byte of the text. */
#define ND_IMPORT_JSON_MAX (256u << 20)

/* Memory for the messages of one pprof profile: some 20 million locations of samples. */
#define ND_PPROF_MEMORY_MAX (2u << 30)

/* A JavaScript function's or class's name. V8's own are short; generated ones may not be. */
#define ND_V8_NAME_MAX 1024

/* A script's source text in characters: V8's longest string is 2^29 - 24. */
#define ND_V8_SOURCE_MAX (1u << 29)

/* Lines of one script, 4 bytes each: bundles have some 100,000. */
#define ND_V8_LINES_MAX (16u << 20)

/* The text of an eval that is searched for a sourceURL, in bytes; larger ones are data, not code.
 */
#define ND_V8_EVAL_MAX (1u << 20)

/* A source position table or the inlining positions of one function, in bytes. */
#define ND_V8_TABLE_MAX (4u << 20)

/* Functions inlined into one piece of code; V8 stops at far fewer. */
#define ND_V8_INLINED_MAX 4096

/* How deep calls may be inlined into one another; V8 stops at far fewer. */
#define ND_V8_INLINE_DEPTH_MAX 64

/* How far back from a pc the start of its code may be: the largest optimised code V8 makes. */
#define ND_V8_CODE_MAX (2u << 20)

/* Modules of one program's start, each where it was loaded; large ones have some thousands. */
#define ND_MODULES_MAX (1u << 18)

/* Symbols of one ELF file; node has 180,000, Chromium 1.5 million. */
#define ND_ELF_SYMBOLS_MAX (8u << 20)

/* A symbol's name as it is in the file; the longest of node's functions has 1,000 characters. */
#define ND_ELF_NAME_MAX 4096

/* The same demangled with all its arguments; V8's compiler has one of 29,000 characters. */
#define ND_ELF_DEMANGLED_MAX (64u << 10)

/* Mappings of one process; the kernel's default vm.max_map_count is 65,530. */
#define ND_MAPS_MAX (1u << 18)

/* Bytes copied of one thread's stack. V8 lets JavaScript use 1 MiB of the main thread's, and what
 * lies above main() is little; of the 4 MiB of a worker's this is more than the frames that are
 * kept.
 */
#define ND_SNAPSHOT_STACK_MAX (1u << 20)

/* Threads of one process in a snapshot: UV_THREADPOOL_SIZE goes up to 1024, workers are fewer. */
#define ND_SNAPSHOT_THREADS_MAX 4096

/* A source map file. */
#define ND_SOURCE_MAP_MAX (64u << 20)

/* Mappings of one source map; 24 bytes each, so 192 MiB at most. */
#define ND_SOURCE_MAP_SEGMENTS_MAX (8u << 20)

/* A message on an agent's socket; the longest are a resource of some 30 attributes, and a line for
 * its log, which is cut.
 */
#define ND_MESSAGE_MAX 4096

/* Stack of the agent's own thread: it calls nothing deep, and glibc's least is 16 KiB. */
#define ND_AGENT_STACK (256u << 10)

/* An iteration of the event loop that lasts so long is a stall, unless a reader says otherwise. */
#define ND_STALL_THRESHOLD_NS UINT64_C(50000000)

/* Threads with an event loop that one observation tells apart, one after another included. */
#define ND_LAG_THREADS_MAX 4096

/* Functions that one observation of event loops blames, in their several ways. */
#define ND_LAG_CULPRITS_MAX 4096

/* Types of asynchronous resources, and places that create them, in all threads of one observation.
 */
#define ND_ASYNC_TYPES_MAX 8192
#define ND_ASYNC_SITES_MAX 65536

/* What one observation of requests keeps, each beyond which the fastest or the oldest are let go:
 * spans, of 500 bytes at most; of these, requests with all that belongs to them when there is no
 * room for more; stalls; pauses of the garbage collector.
 */
#define ND_TRACE_SPANS_MAX    (1u << 16)
#define ND_TRACE_REQUESTS_MAX 1024
#define ND_TRACE_STALLS_MAX   (1u << 15)
#define ND_TRACE_PAUSES_MAX   (1u << 15)

/* Spans whose request can be told from their id, some 200 bytes each: those of the last seconds of
 * a busy program, and all that a stall was for.
 */
#define ND_REQUESTS_MAX (1u << 16)

/* Requests that are not over, and in which garbage was collected: few are both. */
#define ND_COLLECTED_REQUESTS_MAX 4096

/* Stacks that wait for their request to end, of 1 to 2 KB each. */
#define ND_ROUTE_STACKS_MAX 8192

/* Spans that are shown of one request, and of one other span. */
#define ND_TRACE_NODES_MAX    256
#define ND_TRACE_CHILDREN_MAX 256

/* Routes that are told apart: what a program's framework knows, or ids were taken out of. */
#define ND_TRACE_ROUTES_MAX 1000

/* A stack in an agent's event; today's agents copy 32 KiB. */
#define ND_SAMPLE_COPY_MAX (1u << 20)

/* What a reader takes for the memory of an agent; today's agents have 128 and 8 MiB. */
#define ND_CHANNEL_SLOTS_MAX 4096
#define ND_CHANNEL_RING_MAX  (64u << 20)

/* A text of a span, with its NUL: longer ones are cut. One byte holds its size. */
#define ND_SPAN_TEXT_MAX 160

/* The agent's own library, 40 KB without debug information. */
#define ND_AGENT_IMAGE_MAX (16u << 20)

/* A message of a Node.js process's debugger: its answers have 300 bytes, lists of targets 600. */
#define ND_INSPECTOR_TEXT_MAX (4u << 20)

/* Sets of attributes of requests that metrics tell apart, as many as OpenTelemetry's own limit is;
 * and requests that are being answered at the same time.
 */
#define ND_REQUEST_SERIES_MAX 2000
#define ND_REQUESTS_OPEN_MAX  (1u << 16)

/* Traces about which it is not decided yet whether they are sent, the bytes of their spans, and how
 * long they may wait; and decisions that are remembered.
 */
#define ND_TAIL_TRACES_MAX  (1u << 16)
#define ND_TAIL_BYTES_MAX   (32u << 20)
#define ND_TAIL_WAIT_NS	    UINT64_C(30000000000)
#define ND_TAIL_DECIDED_MAX (1u << 16)

/* A recording: what can still be read back, and a day of a service at the usual rates. */
#define ND_RECORDING_MAX ND_IMPORT_MAX

/* What one part of it unpacks to, and what that may take as messages. Writers make a part of each
 * second, or of 256 KiB.
 */
#define ND_PART_UNPACKED_MAX (16u << 20)
#define ND_PART_MEMORY_MAX   (256u << 20)

/* Parts of a recording: two a second for a day, and then some. */
#define ND_RECORDING_PARTS_MAX (1u << 20)

/* Names in a recording: functions with their files, calls, threads of all its processes. */
#define ND_RECORDING_STRINGS_MAX      (4u << 20)
#define ND_RECORDING_STRING_BYTES_MAX (512u << 20)
#define ND_RECORDING_FRAMES_MAX	      (4u << 20)
#define ND_RECORDING_CALLS_MAX	      ND_PROFILE_NODES_MAX
#define ND_RECORDING_THREADS_MAX      (1u << 20)

/* The longest of these strings; what is longer is cut when it is written. */
#define ND_RECORDING_STRING_MAX ND_ELF_DEMANGLED_MAX

/* Events of the agent, and threads' counters, in one part. */
#define ND_PART_EVENTS_MAX   (1u << 16)
#define ND_PART_COUNTERS_MAX ND_CHANNEL_SLOTS_MAX

/* A request of OTLP before it is packed: a collector takes 20 MiB by HTTP and 4 MiB by gRPC, and
 * the specification allows 64. Another one is begun early enough for what comes together to fit.
 */
#define ND_OTLP_REQUEST_MAX   (16u << 20)
#define ND_OTLP_REQUEST_LIMIT (3u << 20)

/* An answer of a collector: the specification's ceiling. */
#define ND_OTLP_RESPONSE_MAX (4u << 20)

/* A collector may ask for a pause of so many seconds; a longer one is taken for that. */
#define ND_RETRY_AFTER_MAX 3600

/* Names and values in the environment that say where to send, and a text of all headers. */
#define ND_EXPORT_HEADERS_MAX 64
#define ND_EXPORT_TEXT_MAX    (64u << 10)

/* Batches in a queue on disk, and the bytes of all of them. */
#define ND_QUEUE_BATCHES_MAX (1u << 16)
#define ND_QUEUE_BYTES_MAX   (256u << 20)

/* The head of a heap snapshot: V8's has 2 KB. */
#define ND_HEAP_HEAD_MAX (1u << 20)

/* Objects of a heap snapshot: V8 has 29 bits for them, and an edge has as many here. */
#define ND_HEAP_NODES_MAX ((UINT32_C(1) << 29) - 1)

/* References between them, which are counted in 32 bits; objects have 3 to 4 of them. */
#define ND_HEAP_EDGES_MAX (UINT32_MAX - 1)

/* Its strings. V8 cuts each at 1,024 characters; one for each object would be 500 million. */
#define ND_HEAP_STRINGS_MAX	 (UINT32_C(1) << 29)
#define ND_HEAP_STRING_BYTES_MAX (UINT64_C(64) << 30)

/* All sizes in it added up: JavaScript counts so far, and no machine has so much memory. */
#define ND_HEAP_BYTES_MAX (UINT64_C(1) << 53)

#endif /* NODIAG_PROTO_LIMITS_H */
