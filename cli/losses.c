/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/losses.h"

#include <inttypes.h>

#include "cli/term.h"

void losses_print(const struct nd_profile *profile, enum nd_loss but)
{
	enum nd_loss loss;

	for (loss = 1; loss < ND_LOSS_COUNT; loss++)
		if (loss != but && nd_profile_get_loss(profile, loss))
			term_note("%s: %" PRIu64, nd_loss_text(loss),
				  nd_profile_get_loss(profile, loss));
}
