/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROBES_SAMPLER_H
#define NODIAG_PROBES_SAMPLER_H

/*
 * CPU samples of processes, from outside: each tick of a thread's CPU clock gives one record of
 * proto/sample.h.
 *
 * Two ways with one face. eBPF walks the stack in the kernel and takes the identity of JavaScript
 * functions at once; it needs CAP_BPF and CAP_PERFMON (or root) and Linux 5.17. Without, perf_event
 * copies registers and stack of processes of the same user; no kernel frames, no idle time. A third
 * way, the agent in a process, is not this folder's: see sampler_impl.h.
 *
 * The observed processes are never stopped, and nothing in them is written. Not thread-safe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct nd_err;
struct nd_loop_place;
struct nd_loop_state;
struct nd_sample_header;
struct nd_sampler;
struct nd_walk_layout;

enum nd_sampler_kind { ND_SAMPLER_BPF, ND_SAMPLER_PERF, ND_SAMPLER_AGENT, ND_SAMPLER_NONE };

/* The rates that make sense: above, the sampler would mostly measure itself. */
#define ND_SAMPLER_HZ_MIN 1
#define ND_SAMPLER_HZ_MAX 4999

struct nd_sampler_options {
	unsigned int hz; /* samples a second of CPU time of each thread */
	bool kernel;	 /* take kernel stacks where possible */
	bool idle;	 /* measure how long threads wait for events */
	bool follow;	 /* child processes too */
	/*
	 * Sample only threads whose event loop is late, from half of this time on, and measure the
	 * loops of nd_sampler_add_loop(); 0: all threads, always. Only by eBPF.
	 */
	uint64_t stall_ns;
};

struct nd_sampler_stats {
	uint64_t samples;   /* taken, including those lost */
	uint64_t ring_full; /* lost because nobody read in time */
	uint64_t unwatched; /* threads that could not be watched */
	uint64_t cost_ns;   /* CPU time spent taking them; 0 where the kernel does not tell */
};

/*
 * Open a sampler: eBPF if the kernel lets us, perf_event otherwise; `ret_why` (may be NULL) then
 * tells why not eBPF. -EPERM with a hint when neither is permitted.
 */
int nd_sampler_open(const struct nd_sampler_options *options, struct nd_sampler **ret_sampler,
		    struct nd_err *ret_why, struct nd_err *err);
/* One that takes no samples and needs no permission. -ENOMEM. */
int nd_sampler_open_none(struct nd_sampler **ret_sampler);

void nd_sampler_close(struct nd_sampler *sampler);

/*
 * Try one way of sampling, on this very thread, and let it go again. 0, or why it does not work,
 * with a hint of what would let it. Where it works, `ret_names_kernel` (may be NULL: then it is not
 * tried, which saves 20 ms of CPU time) tells whether kernel frames come out, with names.
 */
int nd_sampler_try(enum nd_sampler_kind kind, bool *ret_names_kernel, struct nd_err *err);

enum nd_sampler_kind nd_sampler_get_kind(const struct nd_sampler *sampler);

/*
 * Watch all threads of a process, and those it will start. With `on_exec` nothing is sampled until
 * the process becomes another program. -ESRCH when it is gone, -EPERM when not permitted.
 */
int nd_sampler_add_process(struct nd_sampler *sampler, pid_t pid, bool on_exec, struct nd_err *err);

/*
 * Tell the walker how to recognise the JavaScript functions of a process; all zeros: it has no V8.
 * Samples of a process before this are dropped, or with `follow` come without JavaScript.
 */
int nd_sampler_set_layout(struct nd_sampler *sampler, pid_t pid,
			  const struct nd_walk_layout *layout);

/*
 * Wait for records, `timeout_ms` at most, and call `handle` for each that is there; at most about
 * one ring's worth, so that the caller gets its turn under any load. A signal ends the wait.
 * Returns the number of records, or a negative errno, also the one that `handle` returned to stop.
 */
int nd_sampler_poll(struct nd_sampler *sampler, int timeout_ms,
		    int (*handle)(void *arg, const struct nd_sample_header *record), void *arg);

/* Take no more samples; those in the ring stay. */
void nd_sampler_stop(struct nd_sampler *sampler);

void nd_sampler_get_stats(const struct nd_sampler *sampler, struct nd_sampler_stats *ret_stats);

/* The name of a kernel address in `buf`; false when it has none. */
bool nd_sampler_name_kernel(struct nd_sampler *sampler, uint64_t address, char *buf, size_t size);

/*
 * Call `visit` for each thread that waited for events since the start, with the time it did. Needs
 * `idle`, and eBPF.
 */
int nd_sampler_visit_idle(struct nd_sampler *sampler,
			  int (*visit)(void *arg, pid_t pid, pid_t tid, uint64_t idle_ns),
			  void *arg);

/*
 * Measure the event loop of a thread from now on; its process was added before, and only that one.
 * -E2BIG when there are too many, -ESRCH when the thread is gone.
 */
int nd_sampler_add_loop(struct nd_sampler *sampler, pid_t pid, pid_t tid,
			const struct nd_loop_place *place);

/* How a loop is now, as far as the kernel has come. -ENOENT for one that was not added. */
int nd_sampler_get_loop(struct nd_sampler *sampler, pid_t pid, pid_t tid,
			struct nd_loop_state *ret_state);

#endif /* NODIAG_PROBES_SAMPLER_H */
