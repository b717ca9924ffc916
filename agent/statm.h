/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_STATM_H
#define NODIAG_AGENT_STATM_H

#include <stdint.h>

/* A number of /proc/self/statm, by its place there. */
enum nd_statm { ND_STATM_RESIDENT = 1, ND_STATM_DATA = 5 };

/* In bytes; 0 where that is not known. No memory, no locks. */
uint64_t nd_statm_read(enum nd_statm field);

#endif /* NODIAG_AGENT_STATM_H */
