/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/nodes.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/script.h"
#include "common/procfs.h"

/* What Node.js starts before any worker: the main thread, V8's, libuv's and the debugger's. */
#define THREADS_MIN 5

/* Threads of a hidden process whose names are looked at: Node's own are among the first. */
#define NAMES_MAX 32

/* Names that Node.js 18 to 26 gives to its threads, and hardly anyone else. */
static bool is_thread_name(const char *name)
{
	static const char *const names[] = {"node", "node-MainThread", "node-V8Worker",
					    "DelayedTaskSche", "SignalInspector"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* "node", "nodejs", "node22", "node-22"; but not "node_exporter". */
static bool is_program_name(const char *path)
{
	const char *base = script_base(path);

	if (strncmp(base, "node", 4) != 0)
		return false;
	base += 4 + strspn(base + 4, "-");
	return !*base || !strcmp(base, "js") || isdigit((unsigned char)*base);
}

static bool has_threads_of_node(pid_t pid)
{
	bool found = false;
	size_t count, i;
	char name[32];
	pid_t *tids;

	if (nd_procfs_read_threads(pid, &tids, &count))
		return false;
	for (i = 0; i < count && i < NAMES_MAX && !found; i++)
		found = !nd_procfs_read_comm(pid, tids[i], name, sizeof(name)) &&
			is_thread_name(name);
	free(tids);
	return found;
}

/* Whether a process that may not be looked into seems to be one of Node.js. */
static bool seems_node(pid_t pid, const struct nd_proc_status *status)
{
	char args[4096];

	if (status->threads < THREADS_MIN || nd_procfs_read_args(pid, args, sizeof(args)) <= 0)
		return false;
	return is_program_name(args) || has_threads_of_node(pid);
}

static int add(struct nodes *nodes, const struct node *node)
{
	struct node *grown;

	if ((nodes->count & (nodes->count - 1)) == 0) {
		grown = reallocarray(nodes->list, nodes->count ? nodes->count * 2 : 1,
				     sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		nodes->list = grown;
	}
	nodes->list[nodes->count++] = *node;
	return 0;
}

static void free_node(struct node *node)
{
	free(node->args);
	free(node->text);
}

/* Add a process if it is one of Node.js. Gone ones are none. */
static int consider(struct nodes *nodes, pid_t pid)
{
	struct node node = {.pid = pid};
	int ret = nd_runtimes_find(nodes->runtimes, pid, &node.runtime);
	bool is_refused = ret == -EACCES || ret == -EPERM;

	if (ret && !is_refused)
		return ret == -ENOMEM ? ret : 0;
	if (nd_procfs_read_status(pid, &node.status) ||
	    (is_refused && !seems_node(pid, &node.status)))
		return 0;
	return add(nodes, &node);
}

/* Whether /proc keeps processes of others from us: mounted with hidepid, or by systemd. */
static bool is_proc_hidden(void)
{
	int fd = open("/proc/1/stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return true;
	close(fd);
	return false;
}

int nodes_find(struct nodes *ret_nodes, struct nd_err *err)
{
	struct nodes nodes = {.runtimes = nd_runtimes_new(), .is_hidden = is_proc_hidden()};
	pid_t *pids = NULL;
	size_t count = 0, i;
	int ret = nodes.runtimes ? nd_procfs_read_pids(&pids, &count) : -ENOMEM;

	for (i = 0; i < count && !ret; i++)
		if (pids[i] != getpid())
			ret = consider(&nodes, pids[i]);
	free(pids);
	if (ret) {
		nodes_fini(&nodes);
		return nd_err_set_errno(err, ret, "cannot list the processes");
	}
	*ret_nodes = nodes;
	return 0;
}

int nodes_find_one(pid_t pid, struct nodes *ret_nodes, struct nd_err *err)
{
	struct nodes nodes = {.runtimes = nd_runtimes_new(), .is_hidden = is_proc_hidden()};
	int ret = nodes.runtimes ? consider(&nodes, pid) : -ENOMEM;

	if (!ret && nodes.count) {
		*ret_nodes = nodes;
		return 0;
	}
	nodes_fini(&nodes);
	if (ret)
		return nd_err_set(err, ret, "out of memory");
	return nd_err_set(err, -ENOENT, "%d is not a Node.js process", pid);
}

void nodes_fini(struct nodes *nodes)
{
	size_t i;

	for (i = 0; i < nodes->count; i++)
		free_node(&nodes->list[i]);
	free(nodes->list);
	nd_runtimes_free(nodes->runtimes);
	*nodes = (struct nodes){0};
}

int nodes_filter(struct nodes *nodes, int (*step)(struct nodes *nodes, struct node *node))
{
	size_t i, kept = 0;
	int ret = 0;

	for (i = 0; i < nodes->count; i++) {
		if (ret != -ENOMEM)
			ret = step(nodes, &nodes->list[i]);
		if (ret)
			free_node(&nodes->list[i]);
		else
			nodes->list[kept++] = nodes->list[i];
	}
	nodes->count = kept;
	return ret == -ENOMEM ? ret : 0;
}

static int is_foreign(struct nodes *nodes, struct node *node)
{
	return geteuid() != 0 && node->status.uid != geteuid();
}

void nodes_keep_own(struct nodes *nodes)
{
	nodes_filter(nodes, is_foreign);
}
