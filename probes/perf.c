/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sampling without eBPF: perf_event copies the user registers and the top of the stack, and the
 * symbolizer walks that copy. An ordinary user may do this to their own processes.
 *
 * An inherited event can only write into a ring of its own CPU, so each thread has one event for
 * each CPU, and all events of a CPU share that CPU's ring.
 */

#include <asm/perf_regs.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/procfs.h"
#include "common/procstat.h"
#include "probes/sampler_impl.h"
#include "proto/sample.h"

/*
 * Bytes of a CPU's ring: the most that may be locked (perf_event_mlock_kb and RLIMIT_MEMLOCK).
 * While the symbolizer reads node's symbols, tens of milliseconds, samples wait in the ring: the
 * most holds a third of a second of them at 199 Hz. The least holds three, which is better than
 * none.
 */
#define RING_BYTES_MIN (128u << 10)
#define RING_BYTES_MAX (2u << 20)

/* Of all CPUs' rings, which the kernel takes at once; who may lock all has no other limit. */
#define RINGS_BYTES_MAX (64u << 20)

/*
 * How much of a stack is copied. A record takes that much of the ring whether the stack is so deep
 * or not; Node's usual stacks have 5 KB, this holds some 300 frames.
 */
#define STACK_BYTES (32u << 10)

/* Records handled in one poll, so that a flood cannot keep the caller from its deadline. */
#define POLL_RECORDS_MAX 1024

/* A record's length is 16 bits. */
#define RECORD_MAX 65536

/*
 * A busy CPU's samples that may wait to be read, if half of its ring has room for them: no more,
 * for V8 may move the functions that they speak of.
 */
#define RECORDS_WAITING 7

/* Bytes of a full record. */
#define RECORD_BYTES (STACK_BYTES + 128)

#if defined(__x86_64__)
#define REGS_MASK                                                                                  \
	(1ull << PERF_REG_X86_BP | 1ull << PERF_REG_X86_SP | 1ull << PERF_REG_X86_IP |             \
	 1ull << PERF_REG_X86_R9)
enum { REG_FP, REG_SP, REG_PC, REG_BYTECODE_OFFSET, REG_COUNT };
#elif defined(__aarch64__)
#define REGS_MASK                                                                                  \
	(1ull << PERF_REG_ARM64_X19 | 1ull << PERF_REG_ARM64_X29 | 1ull << PERF_REG_ARM64_SP |     \
	 1ull << PERF_REG_ARM64_PC)
enum { REG_BYTECODE_OFFSET, REG_FP, REG_SP, REG_PC, REG_COUNT };
#else
#error "which registers hold pc, sp and fp here?"
#endif

struct ring {
	struct perf_event_mmap_page *head;
	const uint8_t *data;
	int fd; /* the event that owns the mapping; -1 until the first thread */
};

struct perf {
	struct nd_sampler_options options;
	struct nd_fds events;
	struct ring *rings; /* one for each configured CPU */
	int cpus;
	size_t ring_bytes; /* of each; a power of two */
	uint64_t samples;
	uint64_t lost;
	uint8_t *record; /* RECORD_MAX bytes: a record in one piece */
	struct nd_sample_stack *sample;
};

static void close_events(struct perf *perf)
{
	size_t page = (size_t)getpagesize();
	int i;

	for (i = 0; i < perf->cpus; i++) {
		if (perf->rings[i].head)
			munmap(perf->rings[i].head, perf->ring_bytes + page);
		perf->rings[i] = (struct ring){.fd = -1};
	}
	nd_fds_close(&perf->events);
}

static void perf_close(void *impl)
{
	struct perf *perf = impl;

	if (!perf)
		return;
	close_events(perf);
	free(perf->rings);
	free(perf->record);
	free(perf->sample);
	free(perf);
}

static void fill_attr(const struct perf *perf, bool on_exec, struct perf_event_attr *ret)
{
	nd_sampler_event_attr(&perf->options, on_exec, ret);
	ret->exclude_kernel = 1;
	ret->exclude_hv = 1;
	ret->sample_type =
		PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
	ret->sample_regs_user = REGS_MASK;
	ret->sample_stack_user = STACK_BYTES;
	ret->use_clockid = 1;
	ret->clockid = CLOCK_MONOTONIC;
	ret->comm = 1;
	ret->comm_exec = 1;
	ret->watermark = 1; /* no wake-ups: perf_poll() goes by time */
	ret->wakeup_watermark = (uint32_t)perf->ring_bytes;
}

static int explain(int ret, struct nd_err *err)
{
	struct nd_proc_status self;
	long paranoid;

	if (!nd_procfs_read_setting("kernel/perf_event_paranoid", &paranoid) && paranoid > 2) {
		nd_err_set(err, ret,
			   "perf_event is not permitted: kernel.perf_event_paranoid is %ld",
			   paranoid);
		return nd_err_hint(err, "sudo sysctl kernel.perf_event_paranoid=2");
	}
	nd_err_set_errno(err, ret, "perf_event is not available");
	if (!nd_procfs_read_status(getpid(), &self) && self.has_seccomp_filter)
		nd_err_hint(err, "run nodiag on the host");
	return ret;
}

/* Try an event on ourselves, so that a refusal is known before the target is looked at. */
static int probe(const struct perf *perf)
{
	struct perf_event_attr attr;
	int fd;

	fill_attr(perf, false, &attr);
	attr.disabled = 1;
	fd = nd_sampler_event_open(&attr, 0, -1);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static size_t choose_ring_bytes(int cpus)
{
	size_t bytes = RING_BYTES_MAX;

	while (bytes > RING_BYTES_MIN && bytes * (size_t)cpus > RINGS_BYTES_MAX)
		bytes /= 2;
	return bytes;
}

int nd_perf_open(const struct nd_sampler_options *options, void **ret_impl, struct nd_err *err)
{
	struct perf *perf = calloc(1, sizeof(*perf));
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int ret;

	if (!perf)
		return nd_err_set(err, -ENOMEM, "out of memory");
	perf->options = *options;
	perf->rings = calloc((size_t)cpus, sizeof(*perf->rings));
	perf->record = malloc(RECORD_MAX);
	perf->sample = malloc(sizeof(*perf->sample) + RECORD_MAX);
	if (!perf->rings || !perf->record || !perf->sample) {
		perf_close(perf);
		return nd_err_set(err, -ENOMEM, "out of memory");
	}
	perf->cpus = (int)cpus;
	perf->ring_bytes = choose_ring_bytes(perf->cpus);
	close_events(perf);
	ret = probe(perf);
	if (ret) {
		perf_close(perf);
		return explain(ret, err);
	}
	*ret_impl = perf;
	return 0;
}

/* -ENOBUFS: so much may not be locked. */
static int map_ring(const struct perf *perf, struct ring *ring, int fd)
{
	size_t page = (size_t)getpagesize();
	void *map = mmap(NULL, perf->ring_bytes + page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return errno == EPERM ? -ENOBUFS : -errno;
	ring->head = map;
	ring->data = (const uint8_t *)map + page;
	ring->fd = fd;
	return 0;
}

static int add_events(struct perf *perf, pid_t tid, bool on_exec)
{
	struct perf_event_attr attr;
	int cpu, fd, ret = 0;

	fill_attr(perf, on_exec, &attr);
	for (cpu = 0; cpu < perf->cpus && !ret; cpu++) {
		fd = nd_sampler_event_open(&attr, tid, cpu);
		if (fd == -ENODEV) /* this CPU is off */
			continue;
		if (fd < 0)
			return fd;
		ret = nd_fds_add(&perf->events, fd);
		if (ret) {
			close(fd);
			return ret;
		}
		if (perf->rings[cpu].fd < 0)
			ret = map_ring(perf, &perf->rings[cpu], fd);
		else if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, perf->rings[cpu].fd))
			ret = -errno;
	}
	return ret;
}

/* The first thread finds how large rings may be: all of them are of one size. */
static int perf_add_thread(void *impl, pid_t tid, bool on_exec)
{
	struct perf *perf = impl;
	bool is_first = !perf->events.count;
	int ret;

	while ((ret = add_events(perf, tid, on_exec)) == -ENOBUFS && is_first &&
	       perf->ring_bytes > RING_BYTES_MIN) {
		close_events(perf);
		perf->ring_bytes /= 2;
	}
	return ret == -ENOBUFS ? -EPERM : ret;
}

static int perf_set_layout(void *impl, pid_t pid, const struct nd_walk_layout *layout)
{
	return 0; /* the symbolizer walks, and knows */
}

/* Copy `len` bytes at `pos` out of the ring, which wraps. */
static void ring_copy(const struct perf *perf, const struct ring *ring, uint64_t pos, void *dst,
		      size_t len)
{
	size_t at = pos & (perf->ring_bytes - 1);
	size_t first = len < perf->ring_bytes - at ? len : perf->ring_bytes - at;

	memcpy(dst, ring->data + at, first);
	memcpy((uint8_t *)dst + first, ring->data, len - first);
}

/* Take `size` bytes from the front of a record; false when it has no more. */
static bool take(const uint8_t **at, const uint8_t *end, void *dst, size_t size)
{
	if ((size_t)(end - *at) < size)
		return false;
	memcpy(dst, *at, size);
	*at += size;
	return true;
}

/* A PERF_RECORD_SAMPLE, in the order that perf_event_open(2) gives. */
static bool decode_sample(struct perf *perf, const uint8_t *at, const uint8_t *end)
{
	struct nd_sample_stack *sample = perf->sample;
	uint64_t abi, size, used, regs[REG_COUNT];
	uint32_t ids[2];

	*sample = (struct nd_sample_stack){.header.kind = ND_SAMPLE_STACK};
	if (!take(&at, end, ids, sizeof(ids)) ||
	    !take(&at, end, &sample->header.time_ns, sizeof(uint64_t)) ||
	    !take(&at, end, &abi, sizeof(abi)) || abi != PERF_SAMPLE_REGS_ABI_64 ||
	    !take(&at, end, regs, sizeof(regs)) || !take(&at, end, &size, sizeof(size)) ||
	    (size_t)(end - at) < size)
		return false;
	sample->header.pid = ids[0];
	sample->header.tid = ids[1];
	sample->pc = regs[REG_PC];
	sample->sp = sample->start = regs[REG_SP];
	sample->fp = regs[REG_FP];
	sample->bytecode_offset = regs[REG_BYTECODE_OFFSET];
	if (size) {
		memcpy(sample->stack, at, size);
		at += size;
		if (!take(&at, end, &used, sizeof(used)))
			return false;
		sample->size = used < size ? used : size;
	}
	return true;
}

static int handle_record(struct perf *perf, const struct perf_event_header *header,
			 int (*handle)(void *arg, const struct nd_sample_header *record), void *arg)
{
	const uint8_t *at = perf->record + sizeof(*header);
	const uint8_t *end = perf->record + header->size;
	struct nd_sample_header exec = {.kind = ND_SAMPLE_EXEC};
	uint64_t lost[2];

	switch (header->type) {
	case PERF_RECORD_SAMPLE:
		perf->samples++;
		if (decode_sample(perf, at, end))
			return handle(arg, &perf->sample->header);
		return 0;
	case PERF_RECORD_LOST:
		if (take(&at, end, lost, sizeof(lost))) {
			perf->lost += lost[1];
			perf->samples += lost[1];
		}
		return 0;
	case PERF_RECORD_COMM:
		if (!(header->misc & PERF_RECORD_MISC_COMM_EXEC) ||
		    !take(&at, end, &exec.pid, sizeof(exec.pid)) ||
		    !take(&at, end, &exec.tid, sizeof(exec.tid)))
			return 0;
		return handle(arg, &exec);
	default:
		return 0;
	}
}

static int read_ring(struct perf *perf, struct ring *ring, int *handled,
		     int (*handle)(void *arg, const struct nd_sample_header *record), void *arg)
{
	struct perf_event_header header;
	uint64_t head = __atomic_load_n(&ring->head->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->head->data_tail;
	int ret = 0;

	while (tail < head && !ret && *handled < POLL_RECORDS_MAX) {
		ring_copy(perf, ring, tail, &header, sizeof(header));
		if (header.size < sizeof(header))
			break;
		ring_copy(perf, ring, tail, perf->record, header.size);
		ret = handle_record(perf, &header, handle, arg);
		tail += header.size;
		++*handled;
	}
	__atomic_store_n(&ring->head->data_tail, tail, __ATOMIC_RELEASE);
	return ret;
}

static int perf_poll(void *impl, int timeout_ms,
		     int (*handle)(void *arg, const struct nd_sample_header *record), void *arg)
{
	struct perf *perf = impl;
	int cpu, handled = 0, ret = 0;
	size_t half = perf->ring_bytes / RECORD_BYTES / 2;
	size_t records = half < RECORDS_WAITING ? half : RECORDS_WAITING;
	int wait_ms = (int)(1000 * records / perf->options.hz);

	poll(NULL, 0, timeout_ms < wait_ms ? timeout_ms : wait_ms);
	for (cpu = 0; cpu < perf->cpus && !ret; cpu++)
		if (perf->rings[cpu].head)
			ret = read_ring(perf, &perf->rings[cpu], &handled, handle, arg);
	return ret ? ret : handled;
}

static void perf_stop(void *impl)
{
	struct perf *perf = impl;
	size_t i;

	for (i = 0; i < perf->events.count; i++)
		ioctl(perf->events.fd[i], PERF_EVENT_IOC_DISABLE, 0);
}

static void perf_get_stats(const void *impl, struct nd_sampler_stats *ret_stats)
{
	const struct perf *perf = impl;

	ret_stats->samples = perf->samples;
	ret_stats->ring_full = perf->lost;
}

const struct nd_sampler_ops nd_perf_ops = {
	.kind = ND_SAMPLER_PERF,
	.close = perf_close,
	.add_thread = perf_add_thread,
	.set_layout = perf_set_layout,
	.poll = perf_poll,
	.stop = perf_stop,
	.get_stats = perf_get_stats,
};
