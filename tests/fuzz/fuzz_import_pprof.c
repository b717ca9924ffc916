/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "analyzer/profile/import.h"
#include "tests/fuzz/check_profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nd_profile *profile;

	if (!nd_import_pprof(data, size, &profile, NULL))
		check_profile(profile);
	return 0;
}
