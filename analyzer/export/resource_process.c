/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/resource.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/container.h"
#include "common/procfs.h"
#include "common/procstat.h"

#define TEXT 4096

/* One line of some fifty numbers. */
#define STAT_MAX (64u << 10)

/* A package.json, and folders up to the root in which there may be one. */
#define PACKAGE_MAX (1u << 20)
#define FOLDERS_MAX 64

#define NAMESPACE_FILE "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

/*
 * Append a file of the process, in its own mount namespace: whatever links there are lead to places
 * that it can see itself.
 */
static int read_file(pid_t pid, const char *path, struct nd_buf *out)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	char root[64], *at;
	ssize_t n = 0;
	int folder, fd;

	snprintf(root, sizeof(root), "/proc/%d/root", pid);
	folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
	close(folder);
	if (fd < 0)
		return -errno;
	at = nd_buf_reserve(out, out->max - out->len);
	if (at)
		n = read(fd, at, out->max - out->len);
	close(fd);
	if (n < 0)
		return -errno;
	if (at) {
		at[n] = '\0';
		out->len += (size_t)n;
	}
	return nd_buf_error(out);
}

static int add_package(struct nd_resource *resource, const struct nd_buf *text)
{
	json_t *package = json_loadb(text->data, text->len, JSON_REJECT_DUPLICATES, NULL);
	int ret = nd_resource_add(resource, "service.name",
				  json_string_value(json_object_get(package, "name")));

	/* A version says something only of the service that it goes with. */
	if (!ret && package)
		ret = nd_resource_add(resource, "service.version",
				      json_string_value(json_object_get(package, "version")));
	json_decref(package);
	return ret;
}

/* The package.json that is nearest to the script, or to where the process works. */
static int add_nearest_package(struct nd_resource *resource, pid_t pid, const char *script)
{
	char cwd[TEXT], folder[2 * TEXT], path[2 * TEXT + 16], *end;
	struct nd_buf text;
	int i, ret = -ENOENT;

	if (nd_resource_find(resource, "service.name") || nd_procfs_read_cwd(pid, cwd, sizeof(cwd)))
		return 0;
	if (script && *script == '/')
		snprintf(folder, sizeof(folder), "%s", script);
	else
		snprintf(folder, sizeof(folder), "%s/%s", cwd, script ? script : ".");
	nd_buf_init(&text, PACKAGE_MAX);
	for (i = 0; i < FOLDERS_MAX && ret && (end = strrchr(folder, '/')); i++) {
		*end = '\0';
		snprintf(path, sizeof(path), "%s/package.json", folder);
		ret = read_file(pid, path, &text);
	}
	ret = ret ? 0 : add_package(resource, &text);
	nd_buf_fini(&text);
	return ret;
}

/* The first of these variables of the process that is set; `names` ends with NULL. */
static int add_variable(struct nd_resource *resource, pid_t pid, const char *key,
			const char *const *names)
{
	char value[TEXT] = "";

	for (; *names && !*value; names++)
		nd_procfs_read_variable(pid, *names, value, sizeof(value));
	return nd_resource_add(resource, key, value);
}

/* What the kubelet, and by custom people's manifests, tell a process of its pod. */
static int add_pod(struct nd_resource *resource, pid_t pid)
{
	static const char *const pod_names[] = {"OTEL_RESOURCE_ATTRIBUTES_POD_NAME", "K8S_POD_NAME",
						"POD_NAME", "HOSTNAME", NULL};
	static const char *const nodes[] = {"OTEL_RESOURCE_ATTRIBUTES_NODE_NAME", "K8S_NODE_NAME",
					    "NODE_NAME", NULL};
	static const char *const namespaces[] = {"K8S_NAMESPACE_NAME", "K8S_NAMESPACE",
						 "POD_NAMESPACE", NULL};
	char kubernetes[TEXT];
	struct nd_buf text;
	int ret;

	nd_procfs_read_variable(pid, "KUBERNETES_SERVICE_HOST", kubernetes, sizeof(kubernetes));
	if (!*kubernetes)
		return 0;
	ret = add_variable(resource, pid, "k8s.pod.name", pod_names);
	if (!ret)
		ret = add_variable(resource, pid, "k8s.node.name", nodes);
	if (!ret)
		ret = add_variable(resource, pid, "k8s.namespace.name", namespaces);
	nd_buf_init(&text, TEXT);
	if (!ret && !read_file(pid, NAMESPACE_FILE, &text))
		ret = nd_resource_add(resource, "k8s.namespace.name", text.data);
	nd_buf_fini(&text);
	return ret;
}

static int add_container(struct nd_resource *resource, pid_t pid)
{
	struct nd_container container;
	int ret;

	if (nd_procfs_read_container(pid, &container) <= 0)
		return 0;
	ret = nd_resource_add(resource, "container.id", container.id);
	return ret ? ret : nd_resource_add(resource, "k8s.pod.uid", container.pod);
}

static int add_host(struct nd_resource *resource)
{
	struct utsname names;
	char id[64] = "";
	FILE *f = fopen("/etc/machine-id", "re");
	const char *arch;
	int ret;

	if (f && fscanf(f, "%63[0-9a-f]", id) != 1)
		id[0] = '\0';
	if (f)
		fclose(f);
	if (uname(&names))
		return 0;
	arch = !strcmp(names.machine, "x86_64")	   ? "amd64"
	       : !strcmp(names.machine, "aarch64") ? "arm64"
						   : names.machine;
	ret = nd_resource_add(resource, "host.name", names.nodename);
	if (!ret)
		ret = nd_resource_add(resource, "host.id", id);
	if (!ret)
		ret = nd_resource_add(resource, "host.arch", arch);
	return ret ? ret : nd_resource_add(resource, "os.type", "linux");
}

static int add_creation_time(struct nd_resource *resource, pid_t pid)
{
	char text[40];
	uint64_t age_ns;
	struct tm tm;
	time_t seconds;

	if (nd_procfs_read_age(pid, &age_ns))
		return 0;
	seconds = (time_t)((nd_clock_realtime_ns() - age_ns) / ND_NSEC_PER_SEC);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
	return nd_resource_add(resource, "process.creation.time", text);
}

/* The same process is the same instance, whoever sends: host, process id and start say which. */
static int add_instance(struct nd_resource *resource, pid_t pid)
{
	const char *host = nd_resource_find(resource, "host.id");
	uint64_t ticks = 0, low, high = UINT64_C(0xcbf29ce484222325);
	struct nd_buf stat;
	char id[128];
	size_t i;

	nd_buf_init(&stat, STAT_MAX);
	if (!nd_procfs_read_text(pid, "stat", &stat))
		nd_proc_stat_decode_start(stat.data, &ticks);
	nd_buf_fini(&stat);
	if (!ticks)
		return 0;
	snprintf(id, sizeof(id), "%s/%d/%" PRIu64, host ? host : "", pid, ticks);
	for (i = 0; id[i]; i++)
		high = (high ^ (unsigned char)id[i]) * UINT64_C(0x100000001b3);
	low = high * UINT64_C(0x9e3779b97f4a7c15);
	/* A UUID of version 8: made in a way of one's own (RFC 9562). */
	snprintf(id, sizeof(id), "%08x-%04x-8%03x-8%03x-%012" PRIx64, (uint32_t)(high >> 32),
		 (uint32_t)(high >> 16) & 0xffff, (uint32_t)high & 0xfff,
		 (uint32_t)(low >> 48) & 0xfff, low & UINT64_C(0xffffffffffff));
	return nd_resource_add(resource, "service.instance.id", id);
}

static int add_executable(struct nd_resource *resource, pid_t pid)
{
	char exe[TEXT] = "", args[TEXT] = "";
	const char *name;
	struct nd_proc_status status;
	struct passwd *owner = NULL;
	int ret;

	nd_procfs_read_exe(pid, exe, sizeof(exe));
	name = strrchr(exe, '/');
	ret = nd_resource_add(resource, "process.executable.path", exe);
	if (!ret && name)
		ret = nd_resource_add(resource, "process.executable.name", name + 1);
	/* Of the arguments only the first: the others may be secrets. */
	if (!ret && nd_procfs_read_args(pid, args, sizeof(args)) > 0)
		ret = nd_resource_add(resource, "process.command", args);
	if (!ret && !nd_procfs_read_status(pid, &status))
		owner = getpwuid(status.uid);
	return ret || !owner ? ret : nd_resource_add(resource, "process.owner", owner->pw_name);
}

/* A variable of the process's environment, in `arg`. */
struct environment {
	pid_t pid;
	char value[64u << 10];
};

static const char *get_variable(void *arg, const char *name)
{
	struct environment *environment = arg;

	nd_procfs_read_variable(environment->pid, name, environment->value,
				sizeof(environment->value));
	return environment->value[0] ? environment->value : NULL;
}

static int add_own_environment(struct nd_resource *resource, pid_t pid)
{
	struct environment *environment = malloc(sizeof(*environment));
	int ret;

	if (!environment)
		return -ENOMEM;
	environment->pid = pid;
	/* What it set wrongly is its own matter. */
	ret = nd_resource_add_environment(resource, get_variable, environment, NULL);
	free(environment);
	return ret == -EINVAL ? 0 : ret;
}

int nd_resource_add_process(struct nd_resource *resource, const struct nd_resource_process *process)
{
	char version[64] = "";
	pid_t pid = process->pid;
	int ret = add_own_environment(resource, pid);

	sscanf(process->runtime, "Node.js v%63[0-9a-zA-Z.-]", version);
	if (!ret)
		ret = add_nearest_package(resource, pid, process->script);
	if (!ret)
		ret = nd_resource_add_number(resource, "process.pid", pid);
	if (!ret)
		ret = nd_resource_add(resource, "process.runtime.name", "nodejs");
	if (!ret)
		ret = nd_resource_add(resource, "process.runtime.version", version);
	if (!ret)
		ret = add_executable(resource, pid);
	if (!ret)
		ret = add_container(resource, pid);
	if (!ret)
		ret = add_pod(resource, pid);
	if (!ret)
		ret = add_host(resource);
	if (!ret)
		ret = add_creation_time(resource, pid);
	return ret ? ret : add_instance(resource, pid);
}
