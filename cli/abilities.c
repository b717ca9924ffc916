/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/abilities.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/symbols/memory.h"
#include "cli/command.h"
#include "common/container.h"
#include "common/procfs.h"
#include "common/procstat.h"
#include "probes/sampler.h"

#define SUDO   "run nodiag with sudo"
#define HOST   "run nodiag on the host"
#define SETCAP "sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep \"$(command -v nodiag)\""

/* Processes whose memory is tried, of this user and of others. */
#define TRIES_MAX 16

void abilities_add(struct abilities *abilities, const char *name, const char *title,
		   enum ability_state state, const char *why, const char *allow)
{
	struct ability *ability = &abilities->list[abilities->count++];

	assert(abilities->count <= ABILITIES_MAX);
	*ability = (struct ability){.name = name, .title = title, .state = state};
	snprintf(ability->why, sizeof(ability->why), "%.319s", why ? why : "");
	snprintf(ability->allow, sizeof(ability->allow), "%.319s", allow ? allow : "");
}

static bool is_refusal(int code)
{
	return code == -EPERM || code == -EACCES;
}

void abilities_add_samplers(struct abilities *abilities)
{
	struct nd_err no_bpf = {0}, no_perf = {0};
	bool names_kernel = false;
	bool bpf = !nd_sampler_try(ND_SAMPLER_BPF, &names_kernel, &no_bpf);
	bool perf = !nd_sampler_try(ND_SAMPLER_PERF, NULL, &no_perf);

	abilities_add(abilities, "ebpf", "samples by eBPF", bpf ? ABILITY_OK : ABILITY_NO,
		      no_bpf.what, no_bpf.hint);
	abilities_add(abilities, "kernel", "kernel frames",
		      names_kernel ? ABILITY_OK
		      : bpf	   ? ABILITY_LIMITED
				   : ABILITY_NO,
		      names_kernel ? NULL
		      : bpf	   ? "they came without names"
				   : "only eBPF takes them",
		      NULL);
	abilities_add(abilities, "perf_event", "samples by perf_event",
		      perf ? ABILITY_OK : ABILITY_NO, no_perf.what, no_perf.hint);
	abilities->sampler = bpf ? "eBPF" : perf ? "perf_event" : NULL;
	if (!abilities->sampler)
		abilities->exit_code = is_refusal(no_perf.code) ? EXIT_PERMISSION : EXIT_FAILED;
}

/* How tries to read memory went. */
struct tries {
	int own_read;
	int own_refused;
	int others_read;
	int others_refused;
};

static void try_memory(struct tries *tries, pid_t pid)
{
	struct nd_proc_status status;
	bool is_own;
	int ret;

	if (nd_procfs_read_status(pid, &status))
		return;
	is_own = status.uid == geteuid();
	if ((is_own ? tries->own_read + tries->own_refused
		    : tries->others_read + tries->others_refused) == TRIES_MAX)
		return;
	ret = nd_memory_check(pid);
	if (ret == -ESRCH) /* a thread of the kernel has none */
		return;
	if (is_own)
		ret ? tries->own_refused++ : tries->own_read++;
	else
		ret ? tries->others_refused++ : tries->others_read++;
}

static void try_all_memory(struct tries *ret_tries)
{
	pid_t *pids = NULL;
	size_t count = 0, i;

	*ret_tries = (struct tries){0};
	nd_procfs_read_pids(&pids, &count);
	for (i = 0; i < count; i++)
		if (pids[i] != getpid())
			try_memory(ret_tries, pids[i]);
	free(pids);
}

static void add_memory(struct abilities *abilities, const struct nd_proc_status *self)
{
	static const char title[] = "memory of processes";
	bool may_all = self->capabilities & ND_CAP_SYS_PTRACE;
	struct tries tries;
	char why[128];
	long scope = 0;

	try_all_memory(&tries);
	nd_procfs_read_setting("kernel/yama/ptrace_scope", &scope);
	/* With the capability, a process that refuses all the same is an exception. */
	if (tries.others_read || (may_all && (tries.own_read || !tries.own_refused))) {
		abilities_add(abilities, "memory", title, ABILITY_OK, NULL, NULL);
	} else if (tries.own_read || (!tries.own_refused && !scope)) {
		abilities_add(abilities, "memory", title, ABILITY_LIMITED,
			      "only of your own processes", SUDO ", or: " SETCAP);
	} else if (geteuid() == 0) {
		abilities_add(abilities, "memory", title, ABILITY_NO,
			      "nodiag's container does not let it", HOST);
	} else {
		snprintf(why, sizeof(why), "kernel.yama.ptrace_scope is %ld", scope);
		abilities_add(abilities, "memory", title, ABILITY_NO, scope ? why : "not permitted",
			      scope == 1 ? SUDO ", or: sudo sysctl kernel.yama.ptrace_scope=0"
					 : SUDO);
	}
}

/* Attach to a child of our own, which only a sandbox or a sealed kernel forbids. */
static int try_ptrace(void)
{
	pid_t child = fork();
	int ret = 0;

	if (child < 0)
		return -errno;
	if (!child) {
		pause();
		_exit(0);
	}
	if (ptrace(PTRACE_SEIZE, child, 0, 0))
		ret = -errno;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return ret;
}

/* Where it works at all, it does so for the processes whose memory may be read. */
static void add_ptrace(struct abilities *abilities, const struct nd_proc_status *self)
{
	static const char title[] = "stacks of threads that wait";
	const struct ability memory = abilities->list[abilities->count - 1];

	if (!try_ptrace())
		abilities_add(abilities, "ptrace", title, memory.state, memory.why, memory.allow);
	else if (self->has_seccomp_filter)
		abilities_add(abilities, "ptrace", title, ABILITY_NO,
			      "a seccomp filter forbids ptrace", HOST);
	else
		abilities_add(abilities, "ptrace", title, ABILITY_NO, "ptrace is not permitted",
			      SUDO);
}

/* Whether files that are mapped can be opened though they were replaced since. */
static bool can_open_mapped(void)
{
	struct nd_maps maps;
	char path[96];
	size_t i;
	int fd = -1;

	if (nd_procfs_read_maps(getpid(), 1u << 16, &maps))
		return false;
	for (i = 0; i < maps.count && !maps.map[i].inode; i++)
		;
	if (i < maps.count) {
		snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIx64 "-%" PRIx64,
			 maps.map[i].start, maps.map[i].end);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	nd_maps_fini(&maps);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void add_files(struct abilities *abilities)
{
	static const char title[] = "files of processes";

	if (can_open_mapped())
		abilities_add(abilities, "files", title, ABILITY_OK, NULL, NULL);
	else
		abilities_add(abilities, "files", title, ABILITY_LIMITED,
			      "not those that were replaced while in use", SUDO);
}

static void add_view(struct abilities *abilities)
{
	static const char title[] = "all processes of the host";
	struct nd_container container = {0};
	char why[160];
	int fd;

	if (!nd_procfs_is_on_host("pid")) {
		nd_procfs_read_container(getpid(), &container);
		snprintf(why, sizeof(why), "nodiag is in a container%s%s itself",
			 container.runtime[0] ? " of " : "", container.runtime);
		abilities_add(abilities, "processes", title, ABILITY_LIMITED, why, HOST);
		return;
	}
	fd = open("/proc/1/stat", O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	abilities_add(abilities, "processes", title, fd >= 0 ? ABILITY_OK : ABILITY_LIMITED,
		      fd >= 0 ? NULL : "/proc hides those of other users (hidepid)",
		      fd >= 0 ? NULL : SUDO);
}

/* Whether a program is in one of the usual places, or in the PATH. */
static bool has_program(const char *name)
{
	const char *path = getenv("PATH");
	char list[4096], file[4200], *save = NULL, *folder;

	snprintf(list, sizeof(list), "%s:/usr/sbin:/sbin", path ? path : "");
	for (folder = strtok_r(list, ":", &save); folder; folder = strtok_r(NULL, ":", &save)) {
		snprintf(file, sizeof(file), "%s/%s", folder, name);
		if (!access(file, X_OK))
			return true;
	}
	return false;
}

/* Programs that the commands above need, where they are not there. */
static void add_tools(struct abilities *abilities)
{
	static const struct {
		const char *name;
		const char *install;
	} tools[] = {
		{"sudo", "as root: apt install sudo"},
		{"setcap", "sudo apt install libcap2-bin"},
		{"sysctl", "sudo apt install procps"},
	};
	size_t i, j, count = abilities->count;
	char why[64];

	for (i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		for (j = 0; j < count && !strstr(abilities->list[j].allow, tools[i].name); j++)
			;
		if (j == count || has_program(tools[i].name))
			continue;
		snprintf(why, sizeof(why), "%s is not installed", tools[i].name);
		abilities_add(abilities, "tools", "commands above", ABILITY_LIMITED, why,
			      tools[i].install);
	}
}

void abilities_add_machine(struct abilities *abilities)
{
	struct nd_proc_status self = {0};

	nd_procfs_read_status(getpid(), &self);
	add_memory(abilities, &self);
	add_ptrace(abilities, &self);
	add_files(abilities);
	add_view(abilities);
	add_tools(abilities);
}
