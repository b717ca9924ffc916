/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/analyzer.h"
#include "agent/async.h"
#include "agent/channel.h"
#include "agent/clients.h"
#include "agent/core.h"
#include "agent/listener.h"
#include "agent/log.h"
#include "agent/process_context.h"
#include "agent/reading.h"
#include "agent/sampler.h"
#include "agent/signal.h"
#include "agent/snapshot.h"
#include "agent/thread.h"
#include "common/clock.h"
#include "proto/limits.h"

/* How often is looked whether all threads have let go, once the agent is to stop. */
#define STOP_POLL_MS 5

/* How long nobody is let in after there was no descriptor for a connection. */
#define ACCEPT_AGAIN_MS 100

/* How often is looked what a snapshot does. */
#define SNAPSHOT_LOOK_NS (5 * ND_NSEC_PER_MSEC)

static struct {
	struct nd_channel_slot *slot;
	int listen_fd;
	int wake_fd;  /* an eventfd, of nd_control_wake(); -1: there is none */
	bool is_deaf; /* for ACCEPT_AGAIN_MS */
	bool stopping;
	bool running;
} control = {.listen_fd = -1, .wake_fd = -1};

void nd_control_get_ring(struct nd_ring *ret_ring)
{
	nd_channel_get_ring(control.slot, ret_ring);
}

void nd_control_wake(void)
{
	const uint64_t one = 1;
	ssize_t written = write(control.wake_fd, &one, sizeof(one));

	(void)written;
}

/* And let somebody read from it, where that is asked for. */
static void open_socket(void)
{
	char folder[ND_LISTENER_PATH];

	control.listen_fd = nd_listener_open(folder);
	if (control.listen_fd >= 0)
		nd_analyzer_start(folder);
}

static void close_socket(void)
{
	if (control.listen_fd < 0)
		return;
	close(control.listen_fd);
	control.listen_fd = -1;
	nd_listener_remove();
}

/* Normal exit; after a crash the next process of that id removes it. */
__attribute__((destructor)) static void on_exit_program(void)
{
	struct nd_thread *thread = nd_thread_self();

	/* What was counted since the reader was told last. */
	if (thread && nd_agent.wanted & ND_FEATURE_ASYNC)
		nd_async_write(thread, &thread->ring);
	if (control.listen_fd >= 0 && nd_agent.channel &&
	    nd_agent.channel->pid == (uint32_t)getpid())
		nd_listener_remove();
}

void nd_control_stop(void)
{
	nd_reading_end();
	nd_agent.active = false;
	nd_agent.reason = ND_AGENT_DETACHED;
	nd_snapshot_cancel(false);
	nd_snapshot_cancel(true);
	nd_signal_give_back();
	nd_process_context_withdraw();
	control.stopping = true;
	nd_sampler_wake_all();
}

bool nd_control_is_stopping(void)
{
	return control.stopping;
}

/* Look at all there is; returns how long to wait for the next look, in ms, -1 for ever. */
static int look(void)
{
	uint64_t least;

	if (control.stopping)
		return STOP_POLL_MS;
	least = nd_reading_look();
	if (nd_snapshot_is_busy() && least > SNAPSHOT_LOOK_NS)
		least = SNAPSHOT_LOOK_NS;
	return least == UINT64_MAX ? -1 : (int)((least + ND_NSEC_PER_MSEC - 1) / ND_NSEC_PER_MSEC);
}

static void wait_and_serve(int timeout_ms)
{
	struct pollfd fds[2 + ND_CLIENTS_MAX];
	int clients = nd_clients_poll(fds + 2);
	uint64_t woken;

	if (control.is_deaf && (timeout_ms < 0 || timeout_ms > ACCEPT_AGAIN_MS))
		timeout_ms = ACCEPT_AGAIN_MS;
	fds[0] = (struct pollfd){.fd = control.is_deaf ? -1 : control.listen_fd, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = control.wake_fd, .events = POLLIN};
	control.is_deaf = false;
	if (poll(fds, 2 + (nfds_t)clients, timeout_ms) <= 0)
		return;
	if (fds[1].revents && read(control.wake_fd, &woken, sizeof(woken)) < 0)
		nd_log("cannot read what woke the agent: %s", strerror(errno));
	nd_clients_serve(fds + 2, clients);
	if (fds[0].revents)
		control.is_deaf = !nd_clients_accept(control.listen_fd);
}

static void count_hooked(struct nd_thread *thread, void *arg)
{
	if (__atomic_load_n(&thread->hooked, __ATOMIC_ACQUIRE)) {
		++*(int *)arg;
		nd_sampler_wake(thread);
	}
}

/* Whether every thread has let go; those that have not are woken again. */
static bool all_unhooked(void)
{
	int hooked = 0;

	nd_thread_visit(count_hooked, &hooked);
	return hooked == 0;
}

static void finish_stop(void)
{
	struct nd_client clients[ND_CLIENTS_MAX];
	int count;

	nd_agent_stop();
	close_socket();
	close(control.wake_fd);
	control.wake_fd = -1;
	count = nd_clients_take(clients);
	nd_channel_release_slot(control.slot);
	control.slot = NULL;
	control.stopping = false;
	__atomic_store_n(&control.running, false, __ATOMIC_RELEASE);
	nd_clients_dismiss(clients, count);
}

static void *run(void *arg)
{
	prctl(PR_SET_NAME, "nodiag");
	control.slot->tid = (uint32_t)syscall(SYS_gettid);
	control.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	open_socket();
	while (!control.stopping || !all_unhooked() || nd_snapshot_is_busy()) {
		wait_and_serve(nd_analyzer_wait(look()));
		nd_clients_tell();
	}
	finish_stop();
	return NULL;
}

bool nd_control_start(void)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	if (__atomic_load_n(&control.running, __ATOMIC_ACQUIRE))
		return true;
	if (!control.slot)
		control.slot = nd_channel_take_slot(ND_THREAD_AGENT, 0);
	if (!control.slot || pthread_attr_init(&attr))
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, ND_AGENT_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&thread, &attr, run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	control.running = !ret;
	return control.running;
}
