/* SPDX-License-Identifier: Apache-2.0 */

/* The eBPF way of sampling: loads cpu.bpf.c and reads its ring. */

#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/procstat.h"
#include "probes/cpu.h"
#include "probes/cpu.skel.h"
#include "probes/sampler_impl.h"
#include "proto/loop.h"
#include "proto/sample.h"

/* How long samples wait to be named: names want to be fresh, wake-ups cost. */
#define POLL_INTERVAL_MS 10

/* Records handled in one poll, so that a flood cannot keep the caller from its deadline. */
#define POLL_RECORDS_MAX 4096

struct cpu {
	struct cpu_bpf *skel;
	struct ring_buffer *ring;
	struct nd_sampler_options options;
	struct nd_fds events;
	struct bpf_link **links;
	size_t links_count;
	int stats_fd; /* keeps the kernel counting the program's run time; -1 if not */
	int (*handle)(void *arg, const struct nd_sample_header *record);
	void *arg;
	int handled;
	int handle_error;
	uint64_t samples;
	struct nd_sample_cpu sample; /* the record at hand */
};

static void cpu_close(void *impl)
{
	struct cpu *cpu = impl;
	size_t i;

	if (!cpu)
		return;
	for (i = 0; i < cpu->links_count; i++)
		bpf_link__destroy(cpu->links[i]);
	free(cpu->links);
	nd_fds_close(&cpu->events);
	ring_buffer__free(cpu->ring);
	if (cpu->skel)
		cpu_bpf__destroy(cpu->skel);
	if (cpu->stats_fd >= 0)
		close(cpu->stats_fd);
	free(cpu);
}

static const __u64 *unpack_frame(const __u64 *words, struct nd_sample_frame *ret)
{
	*ret = (struct nd_sample_frame){.marker = words[0], .pc = words[1]};
	if (!(ret->marker & 1))
		return words + CPU_NATIVE_WORDS;
	ret->shared = words[2];
	ret->script = words[3];
	ret->bytecode_array = words[4];
	ret->bytecode_offset = words[5];
	ret->script_id = (__u32)words[6];
	ret->literal_id = (__u32)(words[6] >> 32);
	return words + CPU_JS_WORDS;
}

/* Records are trusted: only the kernel writes into the ring. */
static void unpack(const struct cpu_record *record, struct nd_sample_cpu *ret)
{
	const __u64 *words = record->words + record->kernel_depth;
	__u32 i;

	ret->header = record->header;
	ret->pc = record->pc;
	ret->sp = record->sp;
	ret->fp = record->fp;
	ret->bytecode_offset = record->bytecode_offset;
	memcpy(ret->top, record->top, sizeof(ret->top));
	memcpy(ret->kernel, record->words, record->kernel_depth * sizeof(record->words[0]));
	ret->kernel_depth = record->kernel_depth;
	ret->depth = record->depth;
	ret->end = record->end;
	ret->has_layout = record->has_layout;
	for (i = 0; i < record->depth; i++)
		words = unpack_frame(words, &ret->frames[i]);
}

static int on_record(void *context, void *data, size_t size)
{
	struct cpu *cpu = context;
	const struct nd_sample_header *header = data;

	if (size < sizeof(*header))
		return 0;
	cpu->samples += header->kind == ND_SAMPLE_CPU || header->kind == ND_SAMPLE_STACK;
	if (header->kind == ND_SAMPLE_CPU) {
		unpack(data, &cpu->sample);
		header = &cpu->sample.header;
	}
	cpu->handle_error = cpu->handle(cpu->arg, header);
	if (cpu->handle_error)
		return cpu->handle_error;
	/* Ends this ring_buffer__consume(); what is left stays for the next. */
	return ++cpu->handled >= POLL_RECORDS_MAX ? -EAGAIN : 0;
}

static int configure(struct cpu *cpu)
{
	struct cpu_bpf *skel = cpu->skel;
	int cpus = libbpf_num_possible_cpus();
	struct stat st;

	if (cpus < 0)
		return cpus;
	if (stat("/proc/self/ns/pid", &st))
		return -errno;
	skel->rodata->pid_namespace = (unsigned int)st.st_ino;
	skel->rodata->pid_namespace_is_initial = nd_procfs_is_on_host("pid");
	skel->rodata->follow = cpu->options.follow;
	skel->rodata->kernel_stacks = cpu->options.kernel;
	skel->rodata->stall_ns = cpu->options.stall_ns;
	bpf_program__set_autoload(skel->progs.on_switch, cpu->options.idle);
	bpf_program__set_autoload(skel->progs.on_loop_switch, cpu->options.stall_ns != 0);
	if (!cpu->options.stall_ns)
		bpf_map__set_max_entries(skel->maps.loops, 1);
	bpf_map__set_max_entries(skel->maps.tails, (unsigned int)cpus);
	return bpf_map__set_max_entries(skel->maps.slots, (unsigned int)cpus);
}

static int load(struct cpu *cpu)
{
	int ret;

	cpu->skel = cpu_bpf__open();
	if (!cpu->skel)
		return -errno;
	ret = configure(cpu);
	if (!ret)
		ret = cpu_bpf__load(cpu->skel);
	if (ret)
		return ret;
	cpu->ring = ring_buffer__new(bpf_map__fd(cpu->skel->maps.ring), on_record, cpu, NULL);
	return cpu->ring ? 0 : -errno;
}

static int keep_link(struct cpu *cpu, struct bpf_link *link)
{
	struct bpf_link **grown;

	if (!link)
		return -errno;
	grown = reallocarray(cpu->links, cpu->links_count + 1, sizeof(struct bpf_link *));
	if (!grown) {
		bpf_link__destroy(link);
		return -ENOMEM;
	}
	cpu->links = grown;
	cpu->links[cpu->links_count++] = link;
	return 0;
}

static int attach(struct cpu *cpu)
{
	int ret = keep_link(cpu, bpf_program__attach(cpu->skel->progs.on_exec));

	if (!ret && cpu->options.idle)
		ret = keep_link(cpu, bpf_program__attach(cpu->skel->progs.on_switch));
	if (!ret && cpu->options.stall_ns)
		ret = keep_link(cpu, bpf_program__attach(cpu->skel->progs.on_loop_switch));
	return ret;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

/* Whether the kernel was told to keep its memory even from root. */
static bool is_locked_down(void)
{
	char text[128] = "";
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");

	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return strstr(text, "[confidentiality]") != NULL;
}

/* A refusal that more capabilities would not end, where it is one. */
static bool explain_sandbox(struct nd_err *err)
{
	struct nd_proc_status self;

	if (nd_procfs_read_status(getpid(), &self) ||
	    (!(self.capabilities & ND_CAP_SYS_ADMIN) &&
	     (~self.capabilities & (ND_CAP_BPF | ND_CAP_PERFMON))))
		return false;
	if (is_locked_down())
		nd_err_set(err, -EPERM, "eBPF is not permitted: the kernel is locked down");
	else if (!nd_procfs_is_on_host("user"))
		nd_err_set(err, -EPERM, "eBPF is not permitted in a user namespace");
	else if (self.has_seccomp_filter)
		nd_err_set(err, -EPERM, "eBPF is not permitted by this container's seccomp filter");
	else
		return false;
	nd_err_hint(err, "%s",
		    is_locked_down() ? "boot without lockdown=confidentiality"
				     : "run nodiag on the host, as root");
	return true;
}

static int explain_refusal(struct nd_err *err)
{
	if (explain_sandbox(err))
		return -EPERM;
	nd_err_set(err, -EPERM, "eBPF is not permitted");
	return nd_err_hint(err, "run nodiag with sudo, or grant it once: "
				"sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep "
				"\"$(command -v nodiag)\"");
}

static bool is_kernel_old(char release[65])
{
	unsigned int major_nr, minor_nr;
	struct utsname name;

	uname(&name);
	snprintf(release, 65, "%.64s", name.release);
	return sscanf(name.release, "%u.%u", &major_nr, &minor_nr) == 2 &&
	       (major_nr < 5 || (major_nr == 5 && minor_nr < 17));
}

static int explain(int ret, struct nd_err *err)
{
	char release[65];

	if (ret == -EPERM || ret == -EACCES)
		return explain_refusal(err);
	if (is_kernel_old(release)) {
		nd_err_set(err, ret, "Linux %s is too old for the eBPF program", release);
		return nd_err_hint(err, "boot Linux 5.17 or newer");
	}
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		nd_err_set(err, ret, "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
		return nd_err_hint(err, "boot a kernel with /sys/kernel/btf/vmlinux");
	}
	nd_err_set_errno(err, ret, "this kernel does not take the eBPF program");
	return nd_err_hint(err, "nodiag needs Linux 5.17 or newer for eBPF");
}

int nd_cpu_open(const struct nd_sampler_options *options, void **ret_impl, struct nd_err *err)
{
	struct cpu *cpu = calloc(1, sizeof(*cpu));
	int ret;

	if (!cpu)
		return nd_err_set(err, -ENOMEM, "out of memory");
	cpu->options = *options;
	cpu->stats_fd = -1;
	libbpf_set_print(quiet);
	ret = load(cpu);
	if (!ret)
		ret = attach(cpu);
	if (ret) {
		cpu_close(cpu);
		return explain(ret, err);
	}
	/* Counting costs each switch of the host 40 ns, and for stalls nobody asks what it was. */
	if (!options->stall_ns)
		cpu->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	*ret_impl = cpu;
	return 0;
}

static int cpu_add_thread(void *impl, pid_t tid, bool on_exec)
{
	struct cpu *cpu = impl;
	struct perf_event_attr attr;
	struct bpf_link *link;
	int fd;

	nd_sampler_event_attr(&cpu->options, on_exec, &attr);
	fd = nd_sampler_event_open(&attr, tid, -1);
	if (fd < 0)
		return fd;
	link = bpf_program__attach_perf_event(cpu->skel->progs.take_sample, fd);
	if (!link) {
		close(fd);
		return -errno;
	}
	/* The link owns the descriptor now. */
	return keep_link(cpu, link);
}

static int cpu_set_layout(void *impl, pid_t pid, const struct nd_walk_layout *layout)
{
	struct cpu *cpu = impl;
	struct cpu_target target = {.layout = *layout};
	__u32 key = (__u32)pid;

	return bpf_map__update_elem(cpu->skel->maps.targets, &key, sizeof(key), &target,
				    sizeof(target), BPF_ANY);
}

static int cpu_poll(void *impl, int timeout_ms,
		    int (*handle)(void *arg, const struct nd_sample_header *record), void *arg)
{
	struct cpu *cpu = impl;
	int ret;

	cpu->handle = handle;
	cpu->arg = arg;
	cpu->handled = 0;
	cpu->handle_error = 0;
	poll(NULL, 0, timeout_ms < POLL_INTERVAL_MS ? timeout_ms : POLL_INTERVAL_MS);
	ret = ring_buffer__consume(cpu->ring);
	if (cpu->handle_error)
		return cpu->handle_error;
	return ret < 0 && ret != -EINTR && ret != -EAGAIN ? ret : cpu->handled;
}

static void cpu_stop(void *impl)
{
	struct cpu *cpu = impl;
	size_t i;

	for (i = 0; i < cpu->links_count; i++)
		bpf_link__destroy(cpu->links[i]);
	cpu->links_count = 0;
}

static void cpu_get_stats(const void *impl, struct nd_sampler_stats *ret_stats)
{
	const struct cpu *cpu = impl;
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	ret_stats->samples = cpu->samples + cpu->skel->bss->ring_full;
	ret_stats->ring_full = cpu->skel->bss->ring_full;
	if (!bpf_obj_get_info_by_fd(bpf_program__fd(cpu->skel->progs.take_sample), &info, &len))
		ret_stats->cost_ns = info.run_time_ns;
}

static bool cpu_name_kernel(void *impl, uint64_t address, char *buf, size_t size)
{
	struct cpu *cpu = impl;
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	cpu->skel->bss->kernel_address = address;
	if (bpf_prog_test_run_opts(bpf_program__fd(cpu->skel->progs.name_kernel_address), &opts))
		return false;
	snprintf(buf, size, "%s", cpu->skel->bss->kernel_name);
	return buf[0] && strncmp(buf, "0x", 2) != 0;
}

static int cpu_begin_idle(void *impl, pid_t pid, pid_t tid)
{
	struct cpu *cpu = impl;
	struct cpu_idle idle = {.since_ns = nd_clock_monotonic_ns()};
	__u64 key = (__u64)(__u32)pid << 32 | (__u32)tid;

	return bpf_map__update_elem(cpu->skel->maps.idle, &key, sizeof(key), &idle, sizeof(idle),
				    BPF_NOEXIST);
}

static int cpu_visit_idle(void *impl,
			  int (*visit)(void *arg, pid_t pid, pid_t tid, uint64_t idle_ns),
			  void *arg)
{
	struct cpu *cpu = impl;
	uint64_t now = nd_clock_monotonic_ns();
	struct bpf_map *map = cpu->skel->maps.idle;
	struct cpu_idle idle;
	__u64 key, *prev = NULL;
	int ret;

	while (!bpf_map__get_next_key(map, prev, &key, sizeof(key))) {
		prev = &key;
		if (bpf_map__lookup_elem(map, &key, sizeof(key), &idle, sizeof(idle), 0))
			continue;
		if (idle.since_ns && idle.since_ns < now)
			idle.total_ns += now - idle.since_ns;
		ret = visit(arg, (pid_t)(key >> 32), (pid_t)(__u32)key, idle.total_ns);
		if (ret)
			return ret;
	}
	return 0;
}

static int cpu_set_loop(void *impl, pid_t pid, pid_t tid, const struct nd_loop_state *state)
{
	struct cpu *cpu = impl;
	__u64 key = (__u64)(__u32)pid << 32 | (__u32)tid;

	return bpf_map__update_elem(cpu->skel->maps.loops, &key, sizeof(key), state, sizeof(*state),
				    BPF_ANY);
}

static int cpu_get_loop(void *impl, pid_t pid, pid_t tid, struct nd_loop_state *ret_state)
{
	struct cpu *cpu = impl;
	__u64 key = (__u64)(__u32)pid << 32 | (__u32)tid;

	return bpf_map__lookup_elem(cpu->skel->maps.loops, &key, sizeof(key), ret_state,
				    sizeof(*ret_state), 0);
}

const struct nd_sampler_ops nd_cpu_ops = {
	.kind = ND_SAMPLER_BPF,
	.close = cpu_close,
	.add_thread = cpu_add_thread,
	.set_layout = cpu_set_layout,
	.poll = cpu_poll,
	.stop = cpu_stop,
	.get_stats = cpu_get_stats,
	.name_kernel = cpu_name_kernel,
	.begin_idle = cpu_begin_idle,
	.visit_idle = cpu_visit_idle,
	.set_loop = cpu_set_loop,
	.get_loop = cpu_get_loop,
};
