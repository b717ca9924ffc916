/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
#ifndef NODIAG_PROBES_CPU_H
#define NODIAG_PROBES_CPU_H

/* What cpu.bpf.c and cpu.c agree on, besides proto/sample.h. */

/* Processes watched at once: a cluster on the largest hosts, with room. */
#define CPU_TARGETS_MAX 4096

/* Bytes of the ring: at 4999 Hz and 64 frames a sample, over half a second of one busy thread. */
#define CPU_RING_BYTES (8u << 20)

/* Threads whose waiting is measured at once. */
#define CPU_IDLE_THREADS_MAX 16384

/* Longest kernel symbol name, with its module (KSYM_NAME_LEN is 512 from 6.1 on). */
#define CPU_KERNEL_NAME_MAX 256

/* Deepest nesting of pid namespaces that the kernel allows (MAX_PID_NS_LEVEL). */
#define CPU_PID_LEVELS_MAX 32

/* How long a thread has waited for events. */
struct cpu_idle {
	unsigned long long total_ns;
	unsigned long long since_ns; /* when it began to wait, 0 while it does not */
};

#endif /* NODIAG_PROBES_CPU_H */
