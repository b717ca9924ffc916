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
#include "probes/sampler_impl.h"
#include "proto/sample.h"

/* Passes over a process's threads until one finds no new thread; each thread starts few others. */
#define THREAD_PASSES_MAX 16

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
	if (ret)
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
	int number;

	if (!sampler->options.idle || !sampler->ops->begin_idle)
		return;
	if (nd_procfs_read_syscall(pid, tid, &number))
		return;
	if (number == SYS_epoll_pwait
#ifdef SYS_epoll_wait
	    || number == SYS_epoll_wait
#endif
	)
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
