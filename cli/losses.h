/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_LOSSES_H
#define NODIAG_CLI_LOSSES_H

#include "analyzer/profile/profile.h"

/* Say on stderr what is missing in a profile, but for one thing that the answer itself shows. */
void losses_print(const struct nd_profile *profile, enum nd_loss but);

/* As `but`: there is no such thing. */
#define LOSSES_ALL ND_LOSS_COUNT

#endif /* NODIAG_CLI_LOSSES_H */
