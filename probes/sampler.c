/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/procfs.h"
#include "common/procwait.h"
#include "probes/sampler_impl.h"
#include "proto/loop.h"
#include "proto/sample.h"

/* Passes over a process's threads until one finds no new thread; each thread starts few others. */
#define THREAD_PASSES_MAX 16

/* A try: its rate, how much CPU time it takes, and by what. */
#define TRY_HZ	       999
#define TRY_NS	       (20 * ND_NSEC_PER_MSEC)
#define TRY_READ_BYTES (1u << 20)

struct nd_sampler {
	const struct nd_sampler_ops *ops;
	void *impl;
	struct nd_sampler_options options;
	uint64_t unwatched;
};

void nd_sampler_event_attr(const struct nd_sampler_options *options, bool on_exec,
			   struct perf_event_attr *ret_attr)
{
	*ret_attr = (struct perf_event_attr){
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(*ret_attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = ND_NSEC_PER_SEC / options->hz,
		.inherit = 1,
		.inherit_thread = !options->follow,
		.disabled = on_exec,
		.enable_on_exec = on_exec,
		/* A cycle of the wake-up is as long as the ring allows; cpu.c polls it anyway. */
	};
}

int nd_sampler_event_open(struct perf_event_attr *attr, pid_t tid, int cpu)
{
	long fd = syscall(SYS_perf_event_open, attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

int nd_fds_add(struct nd_fds *fds, int fd)
{
	int *grown;

	if ((fds->count & (fds->count - 1)) == 0) {
		grown = reallocarray(fds->fd, fds->count ? fds->count * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		fds->fd = grown;
	}
	fds->fd[fds->count++] = fd;
	return 0;
}

void nd_fds_close(struct nd_fds *fds)
{
	size_t i;

	for (i = 0; i < fds->count; i++)
		close(fds->fd[i]);
	free(fds->fd);
	*fds = (struct nd_fds){0};
}

static int open_perf(const struct nd_sampler_options *options, struct nd_sampler *sampler,
		     const struct nd_err *why, struct nd_err *err)
{
	struct nd_err perf_err = {0};
	int ret = nd_perf_open(options, &sampler->impl, &perf_err);

	sampler->ops = &nd_perf_ops;
	if (!ret)
		return 0;
	nd_err_set(err, ret, "%s; %s", why->what, perf_err.what);
	return nd_err_hint(err, "%s", why->hint[0] ? why->hint : perf_err.hint);
}

int nd_sampler_open(const struct nd_sampler_options *options, struct nd_sampler **ret_sampler,
		    struct nd_err *ret_why, struct nd_err *err)
{
	struct nd_sampler *sampler = calloc(1, sizeof(*sampler));
	struct nd_err why = {0};
	int ret;

	if (!sampler)
		return nd_err_set(err, -ENOMEM, "out of memory");
	sampler->options = *options;
	sampler->ops = &nd_cpu_ops;
	ret = nd_cpu_open(options, &sampler->impl, &why);
	if (ret && options->stall_ns && err)
		*err = why;
	else if (ret)
		ret = open_perf(options, sampler, &why, err);
	if (ret) {
		free(sampler);
		return ret;
	}
	if (ret_why)
		*ret_why = why;
	*ret_sampler = sampler;
	return 0;
}

int nd_sampler_new(const struct nd_sampler_options *options, const struct nd_sampler_ops *ops,
		   void *impl, struct nd_sampler **ret_sampler)
{
	struct nd_sampler *sampler = calloc(1, sizeof(*sampler));

	if (!sampler)
		return -ENOMEM;
	sampler->options = *options;
	sampler->ops = ops;
	sampler->impl = impl;
	*ret_sampler = sampler;
	return 0;
}

/* What a try looks for in its samples. */
struct kernel_look {
	const struct nd_sampler_ops *ops;
	void *impl;
	bool found;
};

static int look_for_kernel(void *arg, const struct nd_sample_header *record)
{
	const struct nd_sample_cpu *sample = (const struct nd_sample_cpu *)record;
	struct kernel_look *look = arg;
	char name[256];
	uint32_t i;

	if (record->kind != ND_SAMPLE_CPU)
		return 0;
	for (i = 0; i < sample->kernel_depth && !look->found; i++)
		look->found =
			look->ops->name_kernel(look->impl, sample->kernel[i], name, sizeof(name));
	return 0;
}

/* Keep the kernel busy in this thread, for as long as some twenty samples take. */
static void work_in_kernel(void)
{
	uint64_t end = nd_clock_process_cpu_ns() + TRY_NS;
	char *buf = malloc(TRY_READ_BYTES);
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	while (buf && read(fd, buf, TRY_READ_BYTES) > 0 && nd_clock_process_cpu_ns() < end)
		;
	if (fd >= 0)
		close(fd);
	free(buf);
}

static bool names_kernel(const struct nd_sampler_ops *ops, void *impl)
{
	struct kernel_look look = {.ops = ops, .impl = impl};

	if (!ops->name_kernel)
		return false;
	work_in_kernel();
	ops->stop(impl);
	ops->poll(impl, 0, look_for_kernel, &look);
	return look.found;
}

int nd_sampler_try(enum nd_sampler_kind kind, bool *ret_names_kernel, struct nd_err *err)
{
	const struct nd_sampler_options options = {.hz = TRY_HZ, .kernel = true};
	const struct nd_sampler_ops *ops = kind == ND_SAMPLER_BPF ? &nd_cpu_ops : &nd_perf_ops;
	const struct nd_walk_layout no_v8 = {0};
	void *impl;
	int ret = kind == ND_SAMPLER_BPF ? nd_cpu_open(&options, &impl, err)
					 : nd_perf_open(&options, &impl, err);

	if (ret)
		return ret;
	ret = ops->set_layout(impl, getpid(), &no_v8);
	if (!ret)
		ret = ops->add_thread(impl, gettid(), false);
	if (ret) {
		nd_err_set_errno(err, ret, "cannot watch a thread");
		if (ret == -EPERM && kind == ND_SAMPLER_PERF)
			nd_err_hint(err, "end other users of perf_event, or raise 'ulimit -l'");
	} else if (ret_names_kernel) {
		*ret_names_kernel = names_kernel(ops, impl);
	}
	ops->close(impl);
	return ret;
}

void nd_sampler_close(struct nd_sampler *sampler)
{
	if (!sampler)
		return;
	sampler->ops->close(sampler->impl);
	free(sampler);
}

enum nd_sampler_kind nd_sampler_get_kind(const struct nd_sampler *sampler)
{
	return sampler->ops->kind;
}

/* A thread that waits in epoll now began to wait before we came; call that "now". */
static void begin_idle(struct nd_sampler *sampler, pid_t pid, pid_t tid)
{
	struct nd_wait wait;

	if (!sampler->options.idle || !sampler->ops->begin_idle)
		return;
	if (!nd_procfs_read_wait(pid, tid, &wait) && nd_wait_is_epoll(&wait))
		sampler->ops->begin_idle(sampler->impl, pid, tid);
}

struct threads {
	pid_t *tids;
	size_t count;
};

static bool is_in(const struct threads *threads, pid_t tid)
{
	size_t i;

	for (i = 0; i < threads->count; i++)
		if (threads->tids[i] == tid)
			return true;
	return false;
}

/* Watch the threads in `now` that are not in `before`. Returns how many, or a negative errno. */
static int add_threads(struct nd_sampler *sampler, pid_t pid, bool on_exec,
		       const struct threads *now, const struct threads *before)
{
	int ret, added = 0;
	size_t i;

	for (i = 0; i < now->count; i++) {
		if (is_in(before, now->tids[i]))
			continue;
		ret = sampler->ops->add_thread(sampler->impl, now->tids[i], on_exec);
		if (ret == -EPERM || ret == -EACCES)
			return ret;
		if (ret && ret != -ESRCH)
			sampler->unwatched++;
		added++;
		begin_idle(sampler, pid, now->tids[i]);
	}
	return added;
}

/*
 * A thread that starts while we list them is inherited from a watched one, or found in the next
 * pass.
 */
static int add_all_threads(struct nd_sampler *sampler, pid_t pid, bool on_exec)
{
	struct threads before = {0}, now;
	int pass, ret = 0;

	for (pass = 0; pass < THREAD_PASSES_MAX; pass++) {
		ret = nd_procfs_read_threads(pid, &now.tids, &now.count);
		if (ret)
			break;
		ret = add_threads(sampler, pid, on_exec, &now, &before);
		free(before.tids);
		before = now;
		if (ret <= 0)
			break;
	}
	free(before.tids);
	return ret < 0 ? ret : 0;
}

int nd_sampler_add_process(struct nd_sampler *sampler, pid_t pid, bool on_exec, struct nd_err *err)
{
	int ret = add_all_threads(sampler, pid, on_exec);

	if (ret == -ESRCH)
		return nd_err_set(err, ret, "process %d is gone", pid);
	if (ret)
		return nd_err_set_errno(err, ret, "cannot sample %d", pid);
	return 0;
}

int nd_sampler_set_layout(struct nd_sampler *sampler, pid_t pid,
			  const struct nd_walk_layout *layout)
{
	return sampler->ops->set_layout(sampler->impl, pid, layout);
}

int nd_sampler_poll(struct nd_sampler *sampler, int timeout_ms,
		    int (*handle)(void *arg, const struct nd_sample_header *record), void *arg)
{
	return sampler->ops->poll(sampler->impl, timeout_ms, handle, arg);
}

void nd_sampler_stop(struct nd_sampler *sampler)
{
	sampler->ops->stop(sampler->impl);
}

void nd_sampler_get_stats(const struct nd_sampler *sampler, struct nd_sampler_stats *ret_stats)
{
	*ret_stats = (struct nd_sampler_stats){0};
	sampler->ops->get_stats(sampler->impl, ret_stats);
	ret_stats->unwatched = sampler->unwatched;
}

bool nd_sampler_name_kernel(struct nd_sampler *sampler, uint64_t address, char *buf, size_t size)
{
	return sampler->ops->name_kernel &&
	       sampler->ops->name_kernel(sampler->impl, address, buf, size);
}

int nd_sampler_visit_idle(struct nd_sampler *sampler,
			  int (*visit)(void *arg, pid_t pid, pid_t tid, uint64_t idle_ns),
			  void *arg)
{
	if (!sampler->ops->visit_idle)
		return -ENOTSUP;
	return sampler->ops->visit_idle(sampler->impl, visit, arg);
}

/*
 * The kernel follows the loop from the moment it knows it. Where it has not seen the thread leave a
 * CPU since, and the thread waits for events, it did so before already.
 */
static int begin_waiting(struct nd_sampler *sampler, pid_t pid, pid_t tid, uint64_t now_ns)
{
	struct nd_loop_state state = {0};
	struct nd_wait wait;
	int ret = nd_procfs_read_wait(pid, tid, &wait);

	if (!ret)
		ret = sampler->ops->get_loop(sampler->impl, pid, tid, &state);
	if (ret || state.left_ns || !nd_wait_is_epoll(&wait) ||
	    (int32_t)wait.first_argument != state.place.epoll_fd)
		return ret;
	state.left_ns = now_ns;
	state.left_asleep = true;
	state.counters.busy_since_ns = 0;
	state.counters.idle_since_ns = now_ns;
	return sampler->ops->set_loop(sampler->impl, pid, tid, &state);
}

int nd_sampler_add_loop(struct nd_sampler *sampler, pid_t pid, pid_t tid,
			const struct nd_loop_place *place)
{
	uint64_t now_ns = nd_clock_monotonic_ns();
	struct nd_loop_state state = {
		.place = *place,
		.seen_ns = now_ns,
		.longest_call = -1,
		.is_arriving = true,
		.counters = {.start_ns = now_ns, .busy_since_ns = now_ns, .phase = ND_PHASE_OTHER},
	};
	int ret = sampler->ops->set_loop(sampler->impl, pid, tid, &state);

	return ret ? ret : begin_waiting(sampler, pid, tid, now_ns);
}

int nd_sampler_get_loop(struct nd_sampler *sampler, pid_t pid, pid_t tid,
			struct nd_loop_state *ret_state)
{
	return sampler->ops->get_loop(sampler->impl, pid, tid, ret_state);
}
