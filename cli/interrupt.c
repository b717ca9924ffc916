/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught;
static struct sigaction old_int, old_term;
static unsigned int depth;

static void on_signal(int signal)
{
	caught = signal;
}

void interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	if (depth++)
		return;
	caught = 0;
	sigaction(SIGINT, &action, &old_int);
	sigaction(SIGTERM, &action, &old_term);
}

void interrupt_release(void)
{
	if (--depth)
		return;
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
}

bool interrupt_was_asked_for(void)
{
	return caught != 0;
}
