/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/signal.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "agent/control.h"
#include "agent/core.h"

static int taken; /* 0: none */
static volatile sig_atomic_t has_come;

static void on_signal(int number)
{
	int saved = errno;

	has_come = 1;
	/* A child that fork() made has no thread of ours. */
	if (nd_agent.active)
		nd_control_wake();
	errno = saved;
}

int nd_signal_take(int number)
{
	struct sigaction action;

	if (number <= 0 || number == SIGKILL || number == SIGSTOP ||
	    sigaction(number, NULL, &action))
		return -EINVAL;
	if (taken || action.sa_handler != SIG_DFL)
		return -EBUSY;
	action = (struct sigaction){.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigfillset(&action.sa_mask);
	has_come = 0;
	if (sigaction(number, &action, NULL))
		return -EINVAL;
	taken = number;
	return 0;
}

void nd_signal_give_back(void)
{
	struct sigaction action;

	if (taken && !sigaction(taken, NULL, &action) && action.sa_handler == on_signal) {
		action = (struct sigaction){.sa_handler = SIG_DFL};
		sigaction(taken, &action, NULL);
	}
	taken = 0;
}

bool nd_signal_has_come(void)
{
	bool come = has_come;

	has_come = 0;
	return come;
}
