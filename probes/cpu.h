/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
#ifndef NODIAG_PROBES_CPU_H
#define NODIAG_PROBES_CPU_H

/* What cpu.bpf.c and cpu.c agree on, besides proto/sample.h. */

#include "proto/sample.h"

/* Processes watched at once: a cluster on the largest hosts, with room. */
#define CPU_TARGETS_MAX 4096

/* Bytes of the ring: at 4999 Hz and 64 frames a sample, about a second of one busy thread. */
#define CPU_RING_BYTES (8u << 20)

/* Threads whose waiting is measured at once. */
#define CPU_IDLE_THREADS_MAX 16384

/* Longest kernel symbol name, with its module (KSYM_NAME_LEN is 512 from 6.1 on). */
#define CPU_KERNEL_NAME_MAX 256

/* Deepest nesting of pid namespaces that the kernel allows (MAX_PID_NS_LEVEL). */
#define CPU_PID_LEVELS_MAX 32

/* A watched process. */
struct cpu_target {
	struct nd_walk_layout layout;
	struct nd_walk_maps maps; /* what the eBPF program has learnt */
};

/* Words of a frame in a record. */
#define CPU_NATIVE_WORDS 2 /* marker, pc */
#define CPU_JS_WORDS	 7 /* and shared, script, bytecode array and offset, ids */

#define CPU_WORDS_MAX (ND_SAMPLE_KERNEL_MAX + ND_SAMPLE_FRAMES_MAX * CPU_JS_WORDS)

/*
 * A sample in the ring: struct nd_sample_cpu without what is not there, since each line of memory
 * that is written takes one from the caches of the observed thread. `words` are the kernel's
 * addresses, then the frames. A JavaScript frame is the one with an odd marker; in place of any
 * other's odd marker, which says nothing, there is 0.
 */
struct cpu_record {
	struct nd_sample_header header;
	__u64 pc;
	__u64 sp;
	__u64 fp;
	__u64 bytecode_offset;
	__u64 top[ND_SAMPLE_TOP_WORDS];
	__u32 kernel_depth;
	__u32 depth;
	__u32 end;
	__u32 has_layout;
	__u64 words[CPU_WORDS_MAX];
};

/* How long a thread has waited for events. */
struct cpu_idle {
	unsigned long long total_ns;
	unsigned long long since_ns; /* when it began to wait, 0 while it does not */
};

#endif /* NODIAG_PROBES_CPU_H */
