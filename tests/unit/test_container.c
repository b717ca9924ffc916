/* SPDX-License-Identifier: Apache-2.0 */
#include "common/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ID    "3f2a91c0b1d2e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d"
#define OTHER "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffff0000000011111111"
#define UID   "1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809"
#define UID_  "1a2b3c4d_5e6f_7081_92a3_b4c5d6e7f809"

/* What /proc/PID/cgroup says on real hosts, and what that is. */
static const struct {
	const char *text;
	const char *runtime; /* NULL: no container */
	const char *id;
	const char *pod;
} samples[] = {
	/* Docker: systemd and cgroup v2; cgroupfs and v1; cgroupfs and v2; in Docker. */
	{"0::/system.slice/docker-" ID ".scope\n", "docker", ID, ""},
	{"12:pids:/docker/" ID "\n11:memory:/docker/" ID "\n1:name=systemd:/docker/" ID "\n",
	 "docker", ID, ""},
	{"0::/docker/" ID "\n", "docker", ID, ""},
	{"0::/docker/" ID "/docker/" OTHER "\n", "docker", OTHER, ""},
	{"0::/docker/" ID "/init.scope\n", "docker", ID, ""},
	{"0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope\n",
	 "docker", ID, ""},
	/* Kubernetes: containerd and CRI-O, systemd and cgroupfs, and systemd's way taken wrongly.
	 */
	{"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
	 ".slice/cri-containerd-" ID ".scope\n",
	 "containerd", ID, UID},
	{"0::/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope\n", "cri-o", ID, UID},
	{"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_
	 ".slice/crio-" ID ".scope/container\n",
	 "cri-o", ID, UID},
	{"10:cpu,cpuacct:/kubepods/burstable/pod" UID "/" ID "\n", "kubernetes", ID, UID},
	{"10:memory:/kubepods/besteffort/pod" UID "/crio-" ID "\n", "cri-o", ID, UID},
	{"1:name=systemd:/system.slice/containerd.service/kubepods-burstable-pod" UID_
	 ".slice:cri-containerd:" ID "\n",
	 "containerd", ID, UID},
	{"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-"
	 "pod0123456789abcdef0123456789abcdef.slice/docker-" ID ".scope\n",
	 "docker", ID, "0123456789abcdef0123456789abcdef"},
	{"0::/kubelet/kubepods/burstable/pod" UID "/" ID "\n", "kubernetes", ID, UID},
	/* containerd alone. */
	{"0::/system.slice/nerdctl-" ID ".scope\n", "containerd", ID, ""},
	{"0::/default/" ID "\n", "container", ID, ""},
	/* Podman: of root, of a user, without systemd; its monitor is no container. */
	{"0::/machine.slice/libpod-" ID ".scope\n", "podman", ID, ""},
	{"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
	 ".scope/container\n",
	 "podman", ID, ""},
	{"9:pids:/libpod_parent/libpod-" ID "\n", "podman", ID, ""},
	{"0::/machine.slice/libpod-conmon-" ID ".scope\n", NULL, NULL, NULL},
	/* LXC: 4 with its payload apart, 3 without; something inside; the monitor. */
	{"0::/lxc.payload.web-1/system.slice/app.service\n", "lxc", "web-1", ""},
	{"9:memory:/lxc/web-1\n", "lxc", "web-1", ""},
	{"9:memory:/lxc.payload/web-1/init.scope\n", "lxc", "web-1", ""},
	{"0::/lxc.monitor.web-1\n", NULL, NULL, NULL},
	/* systemd-nspawn. */
	{"0::/machine.slice/systemd-nspawn@build.service/payload/system.slice/x.service\n",
	 "nspawn", "build", ""},
	{"0::/machine.slice/machine-my\\x2dbox.scope/payload\n", "nspawn", "my-box", ""},
	/* Amazon ECS on EC2, and Fargate. */
	{"9:memory:/ecs/0123456789abcdef0123456789abcdef/" ID "\n", "ecs", ID, ""},
	{"9:memory:/ecs/0123456789abcdef0123456789abcdef/"
	 "0123456789abcdef0123456789abcdef-2614527432\n",
	 "ecs", "0123456789abcdef0123456789abcdef-2614527432", ""},
	/* Only one of the hierarchies of v1 may tell. */
	{"3:cpuset:/\n2:cpu:/docker/" ID "\n0::/\n", "docker", ID, ""},
	/* From a cgroup namespace beside. */
	{"0::/../docker-" ID ".scope\n", "docker", ID, ""},
	/* The host, and a container that sees itself in a cgroup namespace. */
	{"0::/\n", NULL, NULL, NULL},
	{"0::/init.scope\n", NULL, NULL, NULL},
	{"0::/system.slice/docker.service\n", NULL, NULL, NULL},
	{"0::/system.slice/containerd.service\n", NULL, NULL, NULL},
	{"0::/system.slice/my-app.service\n", NULL, NULL, NULL},
	{"0::/user.slice/user-1000.slice/session-3.scope\n", NULL, NULL, NULL},
	{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/"
	 "app-org.gnome.Terminal.slice/vte-spawn-1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809.scope\n",
	 NULL, NULL, NULL},
	/* No ids: too short, not hexadecimal, with something behind. */
	{"0::/docker/0123456789abcdef\n", NULL, NULL, NULL},
	{"0::/docker/zf2a91c0b1d2e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d\n", NULL,
	 NULL, NULL},
	{"0::/system.slice/docker-" ID "x.scope\n", NULL, NULL, NULL},
	{"0::/system.slice/other-" ID ".scope\n", NULL, NULL, NULL},
};

static void test_samples(void **state)
{
	struct nd_container container;
	bool found;
	size_t i;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		memset(&container, 'x', sizeof(container));
		found = nd_container_decode(samples[i].text, &container);
		if (found != (samples[i].runtime != NULL))
			fail_msg("%s: %s", samples[i].text, found ? container.id : "not found");
		if (!found || !samples[i].runtime)
			continue;
		if (strcmp(container.runtime, samples[i].runtime) != 0 ||
		    strcmp(container.id, samples[i].id) != 0 ||
		    strcmp(container.pod, samples[i].pod) != 0)
			fail_msg("%s: %s '%s' of pod '%s'", samples[i].text, container.runtime,
				 container.id, container.pod);
	}
}

/* Names that somebody else chose, longer than any buffer. */
static void test_hostile_text(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		":",
		"::",
		"0::",
		"no colons",
		"0:x",
		"0::lxc/",
		"0::/lxc",
		"0::/lxc/",
		"0::/lxc.payload.",
		"0::/machine-",
		"0::/machine-\\x2",
		"0::////",
		"0::/-",
		"0::/:",
		"0::/kubepods/pod/pod-",
		"0::/.scope",
		"0::/docker-.scope",
	};
	struct nd_container container;
	char text[20000];
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		nd_container_decode(texts[i], &container);
	memset(text, 'a', sizeof(text));
	memcpy(text, "0::/lxc/", 8);
	text[sizeof(text) - 1] = '\0';
	assert_true(nd_container_decode(text, &container));
	assert_int_equal(strlen(container.id), sizeof(container.id) - 1);
	memset(text + 4, '/', sizeof(text) - 5);
	assert_false(nd_container_decode(text, &container));
}

static void test_own_process(void **state)
{
	struct nd_container container;
	int ret = nd_procfs_read_container(getpid(), &container);

	assert_true(ret == 0 || ret == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_own_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
