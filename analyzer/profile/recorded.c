/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/recorded.h"

#include <errno.h>
#include <stdlib.h>

#include "analyzer/profile/profile.h"
#include "proto/limits.h"
#include "proto/recording.h"

struct nd_recorded {
	const struct nd_recording *recording;
	struct nd_profile *profile;
	uint32_t *frames; /* the profile's id + 1 of each frame of the recording; 0: not yet */
	uint32_t count;
	struct nd_call calls[ND_STACK_DEPTH_MAX];
};

struct nd_recorded *nd_recorded_new(const struct nd_recording *recording,
				    struct nd_profile *profile)
{
	struct nd_recorded *recorded = calloc(1, sizeof(*recorded));

	if (!recorded)
		return NULL;
	recorded->recording = recording;
	recorded->profile = profile;
	return recorded;
}

void nd_recorded_free(struct nd_recorded *recorded)
{
	if (!recorded)
		return;
	free(recorded->frames);
	free(recorded);
}

/* Room for frames that were added since. */
static int grow(struct nd_recorded *recorded)
{
	uint32_t count = nd_recording_frame_count(recorded->recording), i;
	uint32_t *frames;

	if (count <= recorded->count)
		return 0;
	frames = reallocarray(recorded->frames, count, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	for (i = recorded->count; i < count; i++)
		frames[i] = 0;
	recorded->frames = frames;
	recorded->count = count;
	return 0;
}

static int find_frame(struct nd_recorded *recorded, uint32_t id, uint32_t *ret_frame)
{
	struct nd_frame frame;
	int ret;

	if (id < recorded->count && recorded->frames[id]) {
		*ret_frame = recorded->frames[id] - 1;
		return 0;
	}
	nd_recording_get_frame(recorded->recording, id, &frame);
	ret = nd_profile_add_frame(recorded->profile, &frame, ret_frame);
	if (!ret && id < recorded->count)
		recorded->frames[id] = *ret_frame + 1;
	return ret;
}

int nd_recorded_get_stack(struct nd_recorded *recorded, uint32_t call, struct nd_call **ret_calls,
			  size_t *ret_depth)
{
	size_t depth = nd_recording_get_stack(recorded->recording, call, recorded->calls,
					      ND_STACK_DEPTH_MAX - 1);
	size_t i;
	int ret = grow(recorded);

	for (i = 0; i < depth && !ret; i++)
		ret = find_frame(recorded, recorded->calls[i].frame, &recorded->calls[i].frame);
	if (ret)
		return ret;
	*ret_calls = recorded->calls;
	*ret_depth = depth;
	return 0;
}
