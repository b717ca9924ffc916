/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/metrics.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/export/batch.h"
#include "analyzer/export/metrics_impl.h"
#include "common/procfs.h"
#include "common/procstat.h"

/* One line of some fifty numbers, or some ten lines. */
#define TEXT_MAX (64u << 10)

/* The most points of one metric. */
#define POINTS_MAX 2

struct writer {
	struct nd_batch *batch;
	uint64_t start_unix_ns;
	uint64_t time_unix_ns;
	pid_t pid;
};

/* A metric with one point, or with one for each of two values of an attribute. */
struct metric {
	const char *name;
	const char *description;
	const char *unit;
	enum nd_otlp_metric_kind kind;
	const char *key; /* NULL: there is one point */
	const char *values[POINTS_MAX];
};

static int write_metric(const struct writer *writer, const struct metric *what,
			const double *numbers)
{
	struct nd_otlp_attribute attributes[POINTS_MAX];
	struct nd_otlp_point points[POINTS_MAX];
	const struct nd_otlp_metric metric = {
		.name = what->name,
		.description = what->description,
		.unit = what->unit,
		.kind = what->kind,
		.points = points,
		.point_count = what->key ? POINTS_MAX : 1,
	};
	bool is_whole = what->unit[0] != 's';
	size_t i;

	for (i = 0; i < metric.point_count; i++) {
		attributes[i] = (struct nd_otlp_attribute){
			what->key, ND_OTLP_STRING, {.string = what->values[i]}};
		points[i] = (struct nd_otlp_point){
			.attributes = {&attributes[i], what->key ? 1 : 0},
			.start_unix_ns = what->kind == ND_OTLP_GAUGE ? 0 : writer->start_unix_ns,
			.time_unix_ns = writer->time_unix_ns,
			.is_integer = is_whole,
		};
		if (is_whole)
			points[i].integer = (int64_t)numbers[i];
		else
			points[i].number = numbers[i];
	}
	return nd_batch_add_metric(writer->batch, &metric);
}

static int write_stat(const struct writer *writer, const char *text)
{
	static const struct metric cpu = {"process.cpu.time",
					  "Total CPU seconds broken down by different CPU modes.",
					  "s",
					  ND_OTLP_COUNTER,
					  "cpu.mode",
					  {"user", "system"}};
	static const struct metric faults = {"process.paging.faults",
					     "Number of page faults the process has made.",
					     "{fault}",
					     ND_OTLP_COUNTER,
					     "system.paging.fault.type",
					     {"minor", "major"}};
	static const struct metric virtual = {.name = "process.memory.virtual",
					      .description =
						      "The amount of committed virtual memory.",
					      .unit = "By",
					      .kind = ND_OTLP_UP_DOWN_COUNTER};
	double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
	uint64_t minor, major, user, system, bytes;
	const char *end = strrchr(text, ')');
	int ret;

	/* proc_pid_stat(5): fields 10, 12, 14, 15 and 23; the name before may hold anything. */
	if (!end || sscanf(end + 1,
			   " %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %" SCNu64 " %*u %" SCNu64
			   " %" SCNu64 " %*d %*d %*d %*d %*d %*d %*u %" SCNu64,
			   &minor, &major, &user, &system, &bytes) != 5)
		return 0;
	ret = write_metric(writer, &cpu, (double[]){(double)user * tick, (double)system * tick});
	if (!ret)
		ret = write_metric(writer, &faults, (double[]){(double)minor, (double)major});
	return ret ? ret : write_metric(writer, &virtual, (double[]){(double)bytes});
}

static int write_status(const struct writer *writer)
{
	static const struct metric memory = {.name = "process.memory.usage",
					     .description = "The amount of physical memory in use.",
					     .unit = "By",
					     .kind = ND_OTLP_UP_DOWN_COUNTER};
	static const struct metric threads = {.name = "process.thread.count",
					      .description = "Process threads count.",
					      .unit = "{thread}",
					      .kind = ND_OTLP_UP_DOWN_COUNTER};
	struct nd_proc_status status;
	int ret = nd_procfs_read_status(writer->pid, &status);

	if (!ret)
		ret = write_metric(writer, &memory, (double[]){(double)status.rss_bytes});
	return ret ? ret : write_metric(writer, &threads, (double[]){(double)status.threads});
}

static int write_age(const struct writer *writer)
{
	static const struct metric uptime = {.name = "process.uptime",
					     .description =
						     "The time the process has been running.",
					     .unit = "s",
					     .kind = ND_OTLP_GAUGE};
	uint64_t age_ns;

	if (nd_procfs_read_age(writer->pid, &age_ns))
		return 0;
	return write_metric(writer, &uptime, (double[]){(double)age_ns / 1e9});
}

static int write_descriptors(const struct writer *writer)
{
	static const struct metric descriptors = {
		.name = "process.unix.file_descriptor.count",
		.description = "Number of UNIX file descriptors in use by the process.",
		.unit = "{file_descriptor}",
		.kind = ND_OTLP_UP_DOWN_COUNTER};
	double count = 0;
	char path[64];
	DIR *folder;
	const struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/fd", writer->pid);
	folder = opendir(path);
	if (!folder)
		return 0;
	while ((entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	closedir(folder);
	return write_metric(writer, &descriptors, &count);
}

static int write_io(const struct writer *writer, const char *text)
{
	static const struct metric io = {
		"process.disk.io", "Disk bytes transferred.", "By",
		ND_OTLP_COUNTER,   "disk.io.direction",	      {"read", "write"}};
	const char *read_bytes = strstr(text, "\nread_bytes:");
	const char *write_bytes = strstr(text, "\nwrite_bytes:");

	if (!read_bytes || !write_bytes)
		return 0;
	return write_metric(writer, &io,
			    (double[]){(double)strtoull(strchr(read_bytes, ':') + 1, NULL, 10),
				       (double)strtoull(strchr(write_bytes, ':') + 1, NULL, 10)});
}

/* Give a file of the process to `write`; one that may not be read says nothing. */
static int write_file(const struct writer *writer, const char *name,
		      int (*write)(const struct writer *writer, const char *text))
{
	struct nd_buf text;
	int ret;

	nd_buf_init(&text, TEXT_MAX);
	ret = nd_procfs_read_text(writer->pid, name, &text);
	ret = ret ? 0 : write(writer, text.data);
	nd_buf_fini(&text);
	return ret;
}

/* The kernel counts from the start of the process, which is as old by each clock and at each time.
 */
static uint64_t find_start(struct nd_metrics *metrics, uint64_t time_unix_ns, uint64_t age_ns)
{
	uint64_t *start_unix_ns = &metrics->process_start_unix_ns;

	if (!*start_unix_ns || *start_unix_ns > time_unix_ns)
		*start_unix_ns = time_unix_ns > age_ns ? time_unix_ns - age_ns : 0;
	return *start_unix_ns;
}

int nd_metrics_add_process(struct nd_metrics *metrics, pid_t pid, uint64_t time_ns,
			   struct nd_batch *batch)
{
	struct writer writer = {
		.batch = batch, .time_unix_ns = nd_metrics_unix_ns(metrics, time_ns), .pid = pid};
	uint64_t age_ns;
	int ret = nd_procfs_read_age(pid, &age_ns);

	if (ret)
		return ret;
	writer.start_unix_ns = find_start(metrics, writer.time_unix_ns, age_ns);
	ret = write_status(&writer);
	if (!ret)
		ret = write_file(&writer, "stat", write_stat);
	if (!ret)
		ret = write_age(&writer);
	if (!ret)
		ret = write_descriptors(&writer);
	return ret ? ret : write_file(&writer, "io", write_io);
}
