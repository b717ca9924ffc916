/* SPDX-License-Identifier: Apache-2.0 */
#include "common/container.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/procfs.h"

/* Paths end at 4096 bytes; there are at most some twenty lines of them. */
#define CGROUP_TEXT_MAX (256u << 10)
#define PATH_MAX_BYTES	4096

#define ID_DIGITS 64

/* The word before a container's id, as in "docker-ID.scope". */
static const struct {
	const char *prefix;
	const char *runtime;
} prefixes[] = {
	{"docker", "docker"},	   {"cri-containerd", "containerd"},
	{"nerdctl", "containerd"}, {"crio", "cri-o"},
	{"libpod", "podman"},
};

static bool is_hex(const char *text, size_t len)
{
	return strspn(text, "0123456789abcdef") >= len;
}

static bool begins_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* Take ".scope", ".service" or ".slice" off a name. */
static void drop_ending(char *name)
{
	static const char *const endings[] = {".scope", ".service", ".slice"};
	size_t i, len = strlen(name), end;

	for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		end = strlen(endings[i]);
		if (len > end && !strcmp(name + len - end, endings[i])) {
			name[len - end] = '\0';
			return;
		}
	}
}

static void set(struct nd_container *container, const char *runtime, const char *id)
{
	snprintf(container->runtime, sizeof(container->runtime), "%s", runtime);
	snprintf(container->id, sizeof(container->id), "%.71s", id);
}

/* "pod1234-..." and "kubepods-burstable-pod1234_...": 36 characters, or 32 of a static pod. */
static void find_pod(const char *path, struct nd_container *container)
{
	const char *at = strstr(path, "kubepods");
	size_t len, i;

	container->pod[0] = '\0';
	for (; at && (at = strstr(at, "pod")); at += 3) {
		len = strspn(at + 3, "0123456789abcdef-_");
		if (len != 36 && len != 32)
			continue;
		snprintf(container->pod, sizeof(container->pod), "%.*s", (int)len, at + 3);
		for (i = 0; i < len; i++)
			if (container->pod[i] == '_')
				container->pod[i] = '-';
		return;
	}
}

static const char *find_runtime(const char *prefix)
{
	size_t i;

	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strcmp(prefix, prefixes[i].prefix))
			return prefixes[i].runtime;
	return NULL;
}

/* A name that is nothing but an id: as cgroupfs has it, with the engine above or nowhere. */
static bool decode_bare_id(const char *name, const char *parent, const char *path,
			   struct nd_container *container)
{
	const char *runtime = find_runtime(parent);

	/* Amazon's Fargate has TASK-NUMBER. */
	if (strstr(path, "/ecs/") && strlen(name) > 33 && is_hex(name, 32) && name[32] == '-') {
		set(container, "ecs", name);
		return true;
	}
	if (strlen(name) != ID_DIGITS || !is_hex(name, ID_DIGITS))
		return false;
	if (!runtime)
		runtime = strstr(path, "kubepods") ? "kubernetes"
			  : strstr(path, "/ecs/")  ? "ecs"
			  : strstr(path, "libpod") ? "podman"
						   : "container";
	set(container, runtime, name);
	return true;
}

/* "docker-ID", or "SLICE:cri-containerd:ID" where systemd's way was meant and cgroupfs did it. */
static bool decode_id(char *name, struct nd_container *container)
{
	size_t len = strlen(name);
	char *id = name + len - ID_DIGITS;
	const char *prefix, *runtime;

	if (len <= ID_DIGITS || !is_hex(id, ID_DIGITS) || (id[-1] != '-' && id[-1] != ':'))
		return false;
	id[-1] = '\0';
	prefix = strrchr(name, ':');
	runtime = find_runtime(prefix ? prefix + 1 : name);
	if (!runtime)
		return false;
	set(container, runtime, id);
	return true;
}

/* Names of systemd have what is special in them as "\x2d". */
static void unescape(char *name)
{
	unsigned int value;
	char *to = name;

	for (; *name; name++, to++) {
		*to = *name;
		if (begins_with(name, "\\x") && is_hex(name + 2, 2) &&
		    sscanf(name + 2, "%2x", &value) == 1 && value >= ' ') {
			*to = (char)value;
			name += 3;
		}
	}
	*to = '\0';
}

/* Containers that have a name; `below` is the part of the path behind this one. */
static bool decode_name(char *name, const char *below, struct nd_container *container)
{
	const char *prefix;
	char first[72];

	if ((!strcmp(name, "lxc") || !strcmp(name, "lxc.payload")) && *below) {
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(below, "/"), below);
		set(container, "lxc", first);
		return true;
	}
	if (begins_with(name, "lxc.payload.")) {
		set(container, "lxc", name + strlen("lxc.payload."));
		return true;
	}
	prefix = begins_with(name, "systemd-nspawn@") ? "systemd-nspawn@" : "machine-";
	if (begins_with(name, prefix)) {
		unescape(name);
		set(container, "nspawn", name + strlen(prefix));
		return true;
	}
	return false;
}

/* The path's parts from the last, the innermost, to the first. */
static bool decode_path(const char *path, struct nd_container *ret_container)
{
	char copy[PATH_MAX_BYTES], parent[PATH_MAX_BYTES];
	const char *below = path + strlen(path);
	char *slash, *above;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((slash = strrchr(copy, '/'))) {
		*slash = '\0';
		above = strrchr(copy, '/');
		snprintf(parent, sizeof(parent), "%s", above ? above + 1 : copy);
		drop_ending(slash + 1);
		if (decode_bare_id(slash + 1, parent, path, ret_container) ||
		    decode_id(slash + 1, ret_container) ||
		    decode_name(slash + 1, below, ret_container)) {
			find_pod(path, ret_container);
			return true;
		}
		below = path + (slash - copy) + 1;
	}
	return false;
}

bool nd_container_decode(const char *text, struct nd_container *ret_container)
{
	char path[PATH_MAX_BYTES];
	const char *at;
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		/* "HIERARCHY:CONTROLLERS:PATH" */
		at = memchr(text, ':', len);
		at = at ? memchr(at + 1, ':', len - (size_t)(at + 1 - text)) : NULL;
		if (!at)
			continue;
		snprintf(path, sizeof(path), "%.*s", (int)(len - (size_t)(at + 1 - text)), at + 1);
		if (decode_path(path, ret_container))
			return true;
	}
	return false;
}

int nd_procfs_read_container(pid_t pid, struct nd_container *ret_container)
{
	struct nd_buf text;
	int ret;

	nd_buf_init(&text, CGROUP_TEXT_MAX);
	ret = nd_procfs_read_text(pid, "cgroup", &text);
	if (!ret)
		ret = nd_container_decode(text.data, ret_container);
	nd_buf_fini(&text);
	return ret;
}
