/* SPDX-License-Identifier: Apache-2.0 */
#include "common/histogram.h"

uint64_t nd_histogram_percentile(const uint64_t counts[ND_HISTOGRAM_BUCKETS], uint64_t max_ns,
				 double share)
{
	uint64_t total = 0, wanted, sum = 0;
	uint32_t i;

	for (i = 0; i < ND_HISTOGRAM_BUCKETS; i++)
		total += counts[i];
	wanted = (uint64_t)(share * (double)total);
	for (i = 0; i < ND_HISTOGRAM_BUCKETS; i++) {
		sum += counts[i];
		if (sum > wanted || (sum == total && total))
			break;
	}
	if (!total)
		return 0;
	if (i + 1 >= ND_HISTOGRAM_BUCKETS)
		return max_ns;
	sum = (nd_histogram_start(i) + nd_histogram_start(i + 1)) / 2;
	return max_ns && sum > max_ns ? max_ns : sum;
}
