/* SPDX-License-Identifier: Apache-2.0 */

/* How the Node.js processes do, and what can be seen of each. */

#include "cli/channel.h"
#include "cli/nodes.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/render/cell.h"
#include "analyzer/render/terminal.h"
#include "cli/script.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/procfs.h"
#include "probes/sampler.h"

/* Of a command line: what tells it apart from others stands at its front. */
#define ARGS_MAX 4096

/* See which way of sampling works here. */
static void find_sampler(struct nodes *nodes)
{
	struct nd_err no_bpf = {0}, no_perf = {0};

	nodes->sampler = NULL;
	if (!nd_sampler_try(ND_SAMPLER_BPF, NULL, &no_bpf)) {
		nodes->sampler = "eBPF";
	} else if (!nd_sampler_try(ND_SAMPLER_PERF, NULL, &no_perf)) {
		nodes->sampler = "perf_event";
		nd_err_set(&nodes->no_sampler, no_bpf.code, "no kernel frames: %.200s",
			   no_bpf.what);
		nd_err_hint(&nodes->no_sampler, "%s", no_bpf.hint);
	} else {
		nd_err_set(&nodes->no_sampler, no_bpf.code, "%.200s; %.200s", no_bpf.what,
			   no_perf.what);
		nd_err_hint(&nodes->no_sampler, "%s", no_bpf.hint[0] ? no_bpf.hint : no_perf.hint);
	}
}

/* Say why a process's memory may not be read, and what would let it. */
static void explain_refusal(struct node *node, int code)
{
	struct nd_err *why = &node->why;
	long scope;

	if (code == -ENOSYS || geteuid() == 0) {
		/* Not even root: it lacks CAP_SYS_PTRACE, or a seccomp filter is in the way. */
		nd_err_set(why, code, "nodiag's container does not let it read memory");
		nd_err_hint(why, "run nodiag on the host");
	} else if (node->status.uid != geteuid()) {
		nd_err_set(why, code, "owned by %s", node->user);
		nd_err_hint(why, "run nodiag with sudo");
	} else if (!nd_procfs_read_setting("kernel/yama/ptrace_scope", &scope) && scope > 0) {
		nd_err_set(why, code, "kernel.yama.ptrace_scope is %ld", scope);
		nd_err_hint(why, scope == 1 ? "run nodiag with sudo, or: "
					      "sudo sysctl kernel.yama.ptrace_scope=0"
					    : "run nodiag with sudo");
	} else {
		nd_err_set(why, code, "it has privileges that you have not");
		nd_err_hint(why, "run nodiag with sudo");
	}
}

/* Say what can be seen; `memory` is how a look into its memory went. */
static void judge(const struct nodes *nodes, struct node *node, int memory)
{
	if (memory) {
		explain_refusal(node, memory);
		return;
	}
	node->sampler = nodes->sampler;
	if (node->sampler && !node->info.has_layout)
		nd_err_set(&node->why, -ENOTSUP, "JavaScript has no names: %.128s",
			   node->info.limits);
	else if (node->sampler && node->info.is_stripped)
		nd_err_set(&node->why, -ENOTSUP, "stripped: most native functions have no names");
	else
		node->why = nodes->no_sampler;
}

static void find_user(struct node *node)
{
	const struct passwd *user = getpwuid(node->status.uid);

	if (user)
		snprintf(node->user, sizeof(node->user), "%s", user->pw_name);
	else
		snprintf(node->user, sizeof(node->user), "%u", node->status.uid);
}

static char *take_printable(const char *text)
{
	struct nd_buf buf;
	char *copy = NULL;

	nd_buf_init(&buf, (size_t)ARGS_MAX * 4);
	nd_terminal_add(&buf, text);
	if (!nd_buf_error(&buf))
		copy = strdup(buf.data);
	nd_buf_fini(&buf);
	return copy;
}

static char *describe(const char *args, size_t len)
{
	struct nd_buf buf;
	char *text = NULL;

	nd_buf_init(&buf, (size_t)ARGS_MAX * 2);
	script_describe(args, len, &buf);
	if (!nd_buf_error(&buf))
		text = take_printable(buf.data);
	nd_buf_fini(&buf);
	return text;
}

char *nodes_describe(pid_t pid)
{
	char args[ARGS_MAX];
	ssize_t len = nd_procfs_read_args(pid, args, sizeof(args));

	return describe(len > 0 ? args : "", len > 0 ? (size_t)len : 0);
}

static int read_args(struct node *node)
{
	char args[ARGS_MAX];
	ssize_t len = nd_procfs_read_args(node->pid, args, sizeof(args));

	if (len < 0)
		return (int)len;
	node->args = malloc((size_t)len + 1);
	if (!node->args)
		return -ENOMEM;
	memcpy(node->args, args, (size_t)len + 1);
	node->args_len = (size_t)len;
	node->text = describe(args, (size_t)len);
	return node->text ? 0 : -ENOMEM;
}

/* The main thread's state counts, but for one of any thread that needs an explanation. */
static void choose(uint32_t *state, const struct nd_channel_slot *slot, uint32_t of_slot,
		   const char *(*explain)(uint32_t state))
{
	if (!*explain(*state) && (slot->kind == ND_THREAD_MAIN || *explain(of_slot)))
		*state = of_slot;
}

static void find_tracing(struct node *node, const struct channel *channel)
{
	struct nd_channel_slot slot;
	uint32_t i;

	for (i = 0; i < channel_slots(channel); i++) {
		if (!channel_copy_slot(channel, i, &slot) || slot.kind == ND_THREAD_AGENT ||
		    slot.state != ND_SLOT_LIVE)
			continue;
		choose(&node->tracing, &slot, slot.tracing, channel_tracing_text);
		choose(&node->context, &slot, slot.context, channel_context_text);
	}
}

static void find_agent(struct node *node)
{
	struct channel *channel;

	if (channel_open(node->pid, &channel, NULL))
		return;
	node->has_agent = true;
	node->agent_features = channel_get_hello(channel)->features;
	node->agent_reason = channel_get_hello(channel)->reason;
	find_tracing(node, channel);
	channel_close(channel);
}

static int look(struct nodes *nodes, struct node *node)
{
	int memory = -EACCES, ret = read_args(node);

	node->workers = -1;
	if (!ret)
		ret = nd_procfs_read_age(node->pid, &node->age_ns);
	if (ret)
		return ret;
	find_user(node);
	nd_procfs_read_container(node->pid, &node->container);
	nd_procfs_is_elsewhere(node->pid, "mnt", &node->is_elsewhere);
	if (node->runtime) {
		memory = nd_runtime_look(node->runtime, node->pid, &node->workers);
		nd_runtime_get_info(node->runtime, &node->info);
	}
	if (memory == -ESRCH || memory == -ENOMEM)
		return memory;
	judge(nodes, node, memory);
	find_agent(node);
	return 0;
}

static int begin_cpu(struct nodes *nodes, struct node *node)
{
	node->cpu_at_ns = nd_clock_monotonic_ns();
	return nd_procfs_read_cpu(node->pid, &node->cpu_ns);
}

static int finish(struct nodes *nodes, struct node *node)
{
	uint64_t used = node->cpu_ns, since = node->cpu_at_ns;
	int ret = begin_cpu(nodes, node);

	if (!ret && node->cpu_at_ns > since)
		node->cpu = (double)(node->cpu_ns - used) / (double)(node->cpu_at_ns - since);
	/* Another process of the same file may have told its version. */
	if (node->runtime)
		nd_runtime_get_info(node->runtime, &node->info);
	return ret;
}

/* The busiest first; those that do as good as nothing by their ids, so that they stay in place. */
static int compare(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	int busy_x = (int)(100 * x->cpu), busy_y = (int)(100 * y->cpu);

	if (busy_x != busy_y)
		return busy_x < busy_y ? 1 : -1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void sleep_until(uint64_t ns)
{
	uint64_t now;

	while ((now = nd_clock_monotonic_ns()) < ns)
		poll(NULL, 0, (int)((ns - now + ND_NSEC_PER_MSEC - 1) / ND_NSEC_PER_MSEC));
}

int nodes_look(struct nodes *nodes, struct nd_err *err)
{
	uint64_t end = nd_clock_monotonic_ns() + NODES_INTERVAL_MS * ND_NSEC_PER_MSEC;
	int ret;

	nodes_filter(nodes, begin_cpu);
	/* The interval passes with what has to be done anyway. */
	if (nodes->count)
		find_sampler(nodes);
	ret = nodes_filter(nodes, look);
	if (ret)
		return nd_err_set(err, ret, "out of memory");
	if (nodes->count)
		sleep_until(end);
	nodes_filter(nodes, finish);
	if (nodes->count)
		qsort(nodes->list, nodes->count, sizeof(*nodes->list), compare);
	return 0;
}
