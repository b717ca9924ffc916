/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROBES_SAMPLER_IMPL_H
#define NODIAG_PROBES_SAMPLER_IMPL_H

/* What a way of sampling provides to probes/sampler.c; see probes/sampler.h for each function. */

#include "probes/sampler.h"

struct perf_event_attr;

struct nd_sampler_ops {
	enum nd_sampler_kind kind;
	void (*close)(void *impl);
	/* Watch one thread, which may be gone: -ESRCH is not an error then. */
	int (*add_thread)(void *impl, pid_t tid, bool on_exec);
	int (*set_layout)(void *impl, pid_t pid, const struct nd_walk_layout *layout);
	int (*poll)(void *impl, int timeout_ms,
		    int (*handle)(void *arg, const struct nd_sample_header *record), void *arg);
	void (*stop)(void *impl);
	void (*get_stats)(const void *impl, struct nd_sampler_stats *ret_stats);
	bool (*name_kernel)(void *impl, uint64_t address, char *buf, size_t size);
	int (*begin_idle)(void *impl, pid_t pid, pid_t tid);
	int (*visit_idle)(void *impl,
			  int (*visit)(void *arg, pid_t pid, pid_t tid, uint64_t idle_ns),
			  void *arg);
	int (*set_loop)(void *impl, pid_t pid, pid_t tid, const struct nd_loop_state *state);
	int (*get_loop)(void *impl, pid_t pid, pid_t tid, struct nd_loop_state *ret_state);
};

extern const struct nd_sampler_ops nd_cpu_ops;	/* cpu.c: eBPF */
extern const struct nd_sampler_ops nd_perf_ops; /* perf.c: perf_event alone */

/* A sampler of a way that is opened already, and that it closes. -ENOMEM leaves it open. */
int nd_sampler_new(const struct nd_sampler_options *options, const struct nd_sampler_ops *ops,
		   void *impl, struct nd_sampler **ret_sampler);

int nd_cpu_open(const struct nd_sampler_options *options, void **ret_impl, struct nd_err *err);
int nd_perf_open(const struct nd_sampler_options *options, void **ret_impl, struct nd_err *err);

/* The cpu-clock event that both ways use: one tick each 1/hz seconds of a thread's CPU time. */
void nd_sampler_event_attr(const struct nd_sampler_options *options, bool on_exec,
			   struct perf_event_attr *ret_attr);

/* perf_event_open(2) with close-on-exec. A descriptor or a negative errno. */
int nd_sampler_event_open(struct perf_event_attr *attr, pid_t tid, int cpu);

/* A growing list of descriptors, closed together. */
struct nd_fds {
	int *fd;
	size_t count;
};

int nd_fds_add(struct nd_fds *fds, int fd);
void nd_fds_close(struct nd_fds *fds);

#endif /* NODIAG_PROBES_SAMPLER_IMPL_H */
