/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_INTERRUPT_H
#define NODIAG_CLI_INTERRUPT_H

/* SIGINT and SIGTERM end what is observed, and not nodiag: the answer still comes. */

#include <stdbool.h>

/* From now on they are only noted; again their own after the release. */
void interrupt_catch(void);
void interrupt_release(void);

/* Whether one has come since. */
bool interrupt_was_asked_for(void);

#endif /* NODIAG_CLI_INTERRUPT_H */
