/* SPDX-License-Identifier: Apache-2.0 */

/* What can be seen of one process. */

#include "cli/abilities.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/symbols/memory.h"
#include "cli/command.h"
#include "cli/nodes.h"
#include "cli/session.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/procfs.h"

/* The recording that tells whether it all works together. */
#define TRIAL_NS (300 * ND_NSEC_PER_MSEC)
#define TRIAL_HZ 499

/* The environment of a process: the kernel lets it have 6 MiB. */
#define ENVIRONMENT_MAX (8u << 20)

static void add_runtime(struct abilities *abilities, const struct node *node)
{
	const struct nd_runtime_info *info = &node->info;
	char why[128];

	if (!node->runtime) {
		abilities_add(abilities, "runtime", "which Node.js", ABILITY_NO, node->why.what,
			      node->why.hint);
		return;
	}
	snprintf(why, sizeof(why), "%s%s, V8 %s", *info->node ? "Node.js " : "unknown version",
		 info->node, *info->v8 ? info->v8 : "unknown");
	abilities_add(abilities, "runtime", "which Node.js",
		      *info->node ? ABILITY_OK : ABILITY_LIMITED, why, NULL);
}

static void add_memory(struct abilities *abilities, const struct node *node)
{
	if (nd_memory_check(node->pid))
		abilities_add(abilities, "memory", "memory", ABILITY_NO, node->why.what,
			      node->why.hint);
	else
		abilities_add(abilities, "memory", "memory", ABILITY_OK, NULL, NULL);
}

static void add_names(struct abilities *abilities, const struct node *node)
{
	static const char build[] = "run a build of nodejs.org";

	if (!node->runtime)
		return;
	if (node->info.has_layout)
		abilities_add(abilities, "javascript", "names of JavaScript", ABILITY_OK, NULL,
			      NULL);
	else
		abilities_add(abilities, "javascript", "names of JavaScript", ABILITY_NO,
			      node->info.limits, build);
	if (node->info.is_stripped)
		abilities_add(abilities, "symbols", "names of native code", ABILITY_LIMITED,
			      "its binary is stripped", build);
	else
		abilities_add(abilities, "symbols", "names of native code", ABILITY_OK, NULL, NULL);
}

static void add_namespaces(struct abilities *abilities, const struct node *node)
{
	const struct nd_container *container = &node->container;
	char why[256];
	int len = 0;

	if (container->id[0])
		len = snprintf(why, sizeof(why), "in a container: %s %.12s", container->runtime,
			       container->id);
	else if (node->status.pid_namespaces <= 1 && !node->is_elsewhere)
		len = snprintf(why, sizeof(why), "the same as nodiag's");
	else
		len = snprintf(why, sizeof(why), "other than nodiag's");
	if (node->status.pid_namespaces > 1)
		snprintf(why + len, sizeof(why) - (size_t)len, ", where its id is %d",
			 node->status.namespace_pid);
	abilities_add(abilities, "namespaces", "namespaces", ABILITY_OK, why, NULL);
}

/* Flags of which people believe that a profiler needs them, or that explain what they will see. */
static const struct {
	const char *flag;
	const char *text;
} flags[] = {
	{"--jitless", "V8 only interprets"},
	{"--no-opt", "V8 does not optimise"},
	{"--perf-basic-prof", "not needed, and costs disk and time"},
	{"--perf-prof", "not needed, and costs disk and time"},
	{"--interpreted-frames-native-stack", "not needed, and costs memory"},
	{"--prof", "not needed, and costs time"},
	{"--cpu-prof", "not needed, and costs time"},
};

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);
	const char *at;

	for (at = text; (at = strstr(at, word)); at += len)
		if ((at == text || at[-1] == ' ') && strchr(" =", at[len]))
			return true;
	return false;
}

/* Append NODE_OPTIONS of the process, where its environment may be read. */
static void add_node_options(pid_t pid, struct nd_buf *out)
{
	static const char name[] = "NODE_OPTIONS=";
	struct nd_buf environment;
	const char *at, *end;

	nd_buf_init(&environment, ENVIRONMENT_MAX);
	if (!nd_procfs_read_text(pid, "environ", &environment)) {
		end = environment.data + environment.len;
		for (at = environment.data; at < end; at += strlen(at) + 1)
			if (!strncmp(at, name, strlen(name)))
				nd_buf_addf(out, " %s", at + strlen(name));
	}
	nd_buf_fini(&environment);
}

static void add_flags(struct abilities *abilities, const struct node *node)
{
	struct nd_buf text, found;
	size_t i;

	nd_buf_init(&text, ENVIRONMENT_MAX);
	nd_buf_init(&found, 1024);
	for (i = 0; i < node->args_len; i++)
		nd_buf_add_char(&text, node->args[i] ? node->args[i] : ' ');
	add_node_options(node->pid, &text);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (has_word(text.data, flags[i].flag))
			nd_buf_addf(&found, "%s%s: %s", found.len ? "; " : "", flags[i].flag,
				    flags[i].text);
	abilities_add(abilities, "flags", "flags", ABILITY_OK,
		      found.len ? found.data : "none that matters", NULL);
	nd_buf_fini(&found);
	nd_buf_fini(&text);
}

/* What the samples of a trial had in them. */
struct trial {
	uint64_t samples;
	uint64_t named;	  /* with JavaScript that has a name */
	uint64_t unnamed; /* with "[unknown JS]" */
};

static void count_samples(const struct nd_profile *profile, struct trial *ret_trial)
{
	uint32_t count, unused, i;
	const struct nd_node *nodes = nd_profile_nodes(profile, &count);
	const struct nd_frame *frames = nd_profile_frames(profile, &unused);
	enum { NAMED = 1, UNNAMED = 2 };
	uint8_t *has = calloc(count, 1);

	*ret_trial = (struct trial){0};
	/* Parents come before their children. */
	for (i = 1; has && i < count; i++) {
		has[i] = has[nodes[i].parent];
		if (frames[nodes[i].frame].kind == ND_FRAME_JS ||
		    frames[nodes[i].frame].kind == ND_FRAME_NPM ||
		    frames[nodes[i].frame].kind == ND_FRAME_NODE)
			has[i] |= NAMED;
		if (!strcmp(frames[nodes[i].frame].name, "[unknown JS]"))
			has[i] |= UNNAMED;
		ret_trial->samples += nodes[i].count;
		ret_trial->named += has[i] & NAMED ? nodes[i].count : 0;
		ret_trial->unnamed += has[i] & UNNAMED ? nodes[i].count : 0;
	}
	free(has);
}

static void judge_trial(struct abilities *abilities, const struct session_result *result,
			const struct nd_profile *profile)
{
	struct trial trial;
	char why[200];
	int len;

	count_samples(profile, &trial);
	len = snprintf(why, sizeof(why),
		       "by %s: %llu samples in %.1f s, %llu of them with JavaScript",
		       result->sampler, (unsigned long long)trial.samples,
		       (double)result->duration_ns / 1e9, (unsigned long long)trial.named);
	if (trial.unnamed)
		snprintf(why + len, sizeof(why) - (size_t)len, ", %llu with some that has no name",
			 (unsigned long long)trial.unnamed);
	if (!trial.samples)
		snprintf(why, sizeof(why), "by %s: it used no CPU for %.1f s", result->sampler,
			 (double)result->duration_ns / 1e9);
	abilities_add(abilities, "recording", "a short recording",
		      trial.unnamed * 10 > trial.samples ? ABILITY_LIMITED : ABILITY_OK, why, NULL);
}

/* Record it for a moment: nothing else tells whether all parts work together. */
static void add_recording(struct abilities *abilities, const struct node *node)
{
	const struct session_options options = {
		.duration_ns = TRIAL_NS, .hz = TRIAL_HZ, .kernel = true};
	struct target target = {.kind = TARGET_PIDS, .pids = {node->pid}, .pids_count = 1};
	struct nd_profile *profile = nd_profile_new(false);
	struct session_result result;
	struct nd_err err = {0};

	if (!profile)
		return;
	abilities->exit_code = session_run(&target, &options, profile, &result, &err);
	if (abilities->exit_code)
		abilities_add(abilities, "recording", "a short recording", ABILITY_NO, err.what,
			      err.hint);
	else
		judge_trial(abilities, &result, profile);
	nd_profile_free(profile);
}

int abilities_add_process(struct abilities *abilities, pid_t pid, struct nd_err *err)
{
	const struct node *node;
	struct nodes nodes;
	int ret = nodes_find_one(pid, &nodes, err);

	if (ret)
		return ret;
	ret = nodes_look(&nodes, err);
	if (!ret && !nodes.count)
		ret = nd_err_set(err, -ESRCH, "process %d is gone", pid);
	if (!ret) {
		node = &nodes.list[0];
		add_runtime(abilities, node);
		add_memory(abilities, node);
		add_names(abilities, node);
		add_namespaces(abilities, node);
		add_flags(abilities, node);
		add_recording(abilities, node);
	}
	nodes_fini(&nodes);
	return ret;
}
