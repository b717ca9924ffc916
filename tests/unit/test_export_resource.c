/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/resource.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/codec.h"

static const char *get(void *arg, const char *name)
{
	const char *const *pair = arg;

	for (; *pair; pair += 2)
		if (!strcmp(pair[0], name))
			return pair[1];
	return NULL;
}

static void check(const struct nd_resource *resource, const char *key, const char *want)
{
	const char *value = nd_resource_find(resource, key);

	if (!want) {
		assert_null(value);
		return;
	}
	assert_non_null(value);
	assert_string_equal(value, want);
}

static void test_environment(void **state)
{
	static const char *const environment[] = {
		"OTEL_SERVICE_NAME", "shop", "OTEL_RESOURCE_ATTRIBUTES",
		"service.name=other,deployment.environment.name=a%2Cb", NULL};
	struct nd_resource *resource = nd_resource_new();

	assert_int_equal(nd_resource_add_environment(resource, get, (void *)environment, NULL), 0);
	assert_int_equal(nd_resource_finish(resource, "1.2.3"), 0);
	check(resource, "service.name", "shop");
	check(resource, "deployment.environment.name", "a,b");
	check(resource, "telemetry.sdk.name", "nodiag");
	check(resource, "telemetry.sdk.language", "nodejs");
	check(resource, "telemetry.sdk.version", "1.2.3");
	nd_resource_free(resource);
}

/* One mistake, and the whole of it counts for nothing. */
static void test_wrong_environment(void **state)
{
	static const char *const environment[] = {"OTEL_RESOURCE_ATTRIBUTES", "a=b,c", NULL};
	struct nd_resource *resource = nd_resource_new();

	assert_int_equal(nd_resource_add_environment(resource, get, (void *)environment, NULL),
			 -EINVAL);
	check(resource, "a", NULL);
	assert_int_equal(nd_resource_finish(resource, "1.2.3"), 0);
	check(resource, "service.name", "unknown_service:node");
	nd_resource_free(resource);
}

static void test_recorded(void **state)
{
	static const struct nd_recording_header header = {
		.command = "node server.js --password=hunter22",
		.runtime = "Node.js v22.23.3 (V8 12.4.254)",
		.title = "server.js (4242)",
		.pid = 4242,
	};
	struct nd_resource *resource = nd_resource_new();
	struct nd_otlp_attributes all;
	size_t i;

	assert_int_equal(nd_resource_add_recorded(resource, &header), 0);
	check(resource, "process.command", "node");
	check(resource, "process.runtime.name", "nodejs");
	check(resource, "process.runtime.version", "22.23.3");
	/* It may have been made elsewhere. */
	check(resource, "host.name", NULL);
	all = nd_resource_get(resource);
	for (i = 0; i < all.count; i++)
		if (all.list[i].type == ND_OTLP_STRING)
			assert_null(strstr(all.list[i].string, "hunter22"));
	nd_resource_free(resource);
}

/* Start sleep(1) in a folder with a package.json above it, with an argument that is a secret. */
static pid_t start(const char *folder)
{
	pid_t child = fork();

	assert_int_not_equal(child, -1);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chdir(folder) || setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1) ||
		    setenv("HOSTNAME", "shop-7d4f", 1) || setenv("NODE_NAME", "worker-1", 1))
			_exit(1);
		execlp("sleep", "sleep", "60", (char *)NULL);
		_exit(1);
	}
	return child;
}

static void wait_until_it_runs(pid_t pid)
{
	char path[64], name[64] = "";
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	while (!strstr(name, "sleep") && !strstr(name, "coreutils")) {
		len = readlink(path, name, sizeof(name) - 1);
		assert_true(len > 0);
		name[len] = '\0';
		usleep(1000);
	}
}

static void write_package(const char *folder, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/package.json", folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_process(void **state)
{
	struct nd_resource *resource = nd_resource_new();
	char folder[] = "/tmp/nodiag-resource-XXXXXX", below[128], path[128];
	struct nd_resource_process process = {.script = "src/server.js",
					      .runtime = "Node.js v24.21.0 (V8 13)"};

	assert_non_null(mkdtemp(folder));
	write_package(folder, "{\"name\": \"@acme/shop\", \"version\": \"3.1.4\"}");
	snprintf(below, sizeof(below), "%s/src", folder);
	assert_int_equal(mkdir(below, 0700), 0);
	process.pid = start(below);
	wait_until_it_runs(process.pid);
	assert_int_equal(nd_resource_add_process(resource, &process), 0);
	check(resource, "service.name", "@acme/shop");
	check(resource, "service.version", "3.1.4");
	check(resource, "process.runtime.version", "24.21.0");
	check(resource, "process.command", "sleep");
	check(resource, "k8s.pod.name", "shop-7d4f");
	check(resource, "k8s.node.name", "worker-1");
	check(resource, "os.type", "linux");
	assert_non_null(nd_resource_find(resource, "host.name"));
	assert_non_null(nd_resource_find(resource, "process.creation.time"));
	assert_non_null(nd_resource_find(resource, "service.instance.id"));
	assert_int_equal(strlen(nd_resource_find(resource, "service.instance.id")), 36);
	assert_int_equal(kill(process.pid, SIGKILL), 0);
	waitpid(process.pid, NULL, 0);
	nd_resource_free(resource);
	snprintf(path, sizeof(path), "%s/package.json", folder);
	assert_int_equal(unlink(path) | rmdir(below) | rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_wrong_environment),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
