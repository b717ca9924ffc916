/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/meta.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "analyzer/heap/heap.h"
#include "common/err.h"
#include "proto/limits.h"

/* The place of a name in a list of strings, -1 when it is not there, -2 when it is there twice. */
static int place_of(const json_t *list, const char *name)
{
	size_t i, count = json_array_size(list);
	const char *text;
	int found = -1;

	for (i = 0; i < count; i++) {
		text = json_string_value(json_array_get(list, i));
		if (text && !strcmp(text, name))
			found = found == -1 ? (int)i : -2;
	}
	return found;
}

static int read_fields(const json_t *meta, const char *key, uint32_t *ret_count,
		       const json_t **ret_list, struct nd_err *err)
{
	size_t count;

	*ret_list = json_object_get(meta, key);
	count = json_array_size(*ret_list);
	if (!count || count > ND_HEAP_FIELDS_MAX)
		return nd_err_set(err, -EBADMSG, "its head has no usable '%s'", key);
	*ret_count = (uint32_t)count;
	return 0;
}

static int read_field(const json_t *list, const char *key, const char *name, int *ret_place,
		      struct nd_err *err)
{
	*ret_place = place_of(list, name);
	if (*ret_place < 0)
		return nd_err_set(err, -EBADMSG, "its head does not name '%s' once in '%s'", name,
				  key);
	return 0;
}

static int read_node_fields(const json_t *meta, struct nd_heap_meta *ret, struct nd_err *err)
{
	static const char key[] = "node_fields";
	const json_t *list;

	if (read_fields(meta, key, &ret->node_fields, &list, err) ||
	    read_field(list, key, "type", &ret->node_type, err) ||
	    read_field(list, key, "name", &ret->node_name, err) ||
	    read_field(list, key, "id", &ret->node_id, err) ||
	    read_field(list, key, "self_size", &ret->node_size, err) ||
	    read_field(list, key, "edge_count", &ret->node_edges, err))
		return -EBADMSG;
	ret->node_detachedness = place_of(list, "detachedness");
	return 0;
}

static int read_edge_fields(const json_t *meta, struct nd_heap_meta *ret, struct nd_err *err)
{
	static const char key[] = "edge_fields";
	const json_t *list;

	if (read_fields(meta, key, &ret->edge_fields, &list, err) ||
	    read_field(list, key, "type", &ret->edge_type, err) ||
	    read_field(list, key, "name_or_index", &ret->edge_name, err) ||
	    read_field(list, key, "to_node", &ret->edge_to, err))
		return -EBADMSG;
	return 0;
}

static int read_location_fields(const json_t *meta, struct nd_heap_meta *ret, struct nd_err *err)
{
	static const char key[] = "location_fields";
	const json_t *list;

	if (!json_object_get(meta, key))
		return 0;
	if (read_fields(meta, key, &ret->location_fields, &list, err) ||
	    read_field(list, key, "object_index", &ret->location_node, err) ||
	    read_field(list, key, "script_id", &ret->location_script, err) ||
	    read_field(list, key, "line", &ret->location_line, err) ||
	    read_field(list, key, "column", &ret->location_column, err))
		return -EBADMSG;
	return 0;
}

/* The list of types is the one at the place of the field "type" in the list of what fields are. */
static const json_t *find_types(const json_t *meta, const char *key, int place, uint32_t *ret_count,
				struct nd_err *err)
{
	const json_t *list = json_array_get(json_object_get(meta, key), (size_t)place);
	size_t count = json_array_size(list);

	if (!count || count > ND_HEAP_TYPES_MAX) {
		nd_err_set(err, -EBADMSG, "its head has no usable '%s'", key);
		return NULL;
	}
	*ret_count = (uint32_t)count;
	return list;
}

static const char *type_name(const json_t *list, uint32_t i)
{
	const char *name = json_string_value(json_array_get(list, i));

	return name ? name : "";
}

static int read_types(const json_t *meta, struct nd_heap_meta *ret, struct nd_err *err)
{
	const json_t *list;
	uint32_t i;

	list = find_types(meta, "node_types", ret->node_type, &ret->node_types, err);
	if (!list)
		return -EBADMSG;
	for (i = 0; i < ret->node_types; i++)
		ret->node_type_of[i] = (uint8_t)nd_heap_find_node_type(type_name(list, i));
	list = find_types(meta, "edge_types", ret->edge_type, &ret->edge_types, err);
	if (!list)
		return -EBADMSG;
	for (i = 0; i < ret->edge_types; i++)
		ret->edge_type_of[i] = (uint8_t)nd_heap_find_edge_type(type_name(list, i));
	return 0;
}

static int read_count(const json_t *head, const char *key, uint32_t min, uint32_t max,
		      uint32_t *ret, struct nd_err *err)
{
	const json_t *value = json_object_get(head, key);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < min || number > max)
		return nd_err_set(err, -EBADMSG, "its head has no usable '%s'", key);
	*ret = (uint32_t)number;
	return 0;
}

static int read_counts(const json_t *head, struct nd_heap_meta *ret, struct nd_err *err)
{
	json_int_t bytes = json_integer_value(json_object_get(head, "extra_native_bytes"));
	uint32_t index = 0;

	if (read_count(head, "node_count", 1, ND_HEAP_NODES_MAX, &ret->node_count, err) ||
	    read_count(head, "edge_count", 0, ND_HEAP_EDGES_MAX, &ret->edge_count, err))
		return -EBADMSG;
	ret->extra_native_bytes = bytes > 0 ? (uint64_t)bytes : 0;
	if (!json_object_get(head, "root_index"))
		return 0;
	if (read_count(head, "root_index", 0, UINT32_MAX, &index, err))
		return -EBADMSG;
	ret->root = index / ret->node_fields;
	if (index % ret->node_fields || ret->root >= ret->node_count)
		return nd_err_set(err, -EBADMSG, "its head has no usable 'root_index'");
	return 0;
}

int nd_heap_meta_decode(const char *text, size_t len, struct nd_heap_meta *ret, struct nd_err *err)
{
	struct nd_heap_meta found = {0};
	json_error_t error;
	json_t *head = json_loadb(text, len, 0, &error);
	const json_t *meta = json_object_get(head, "meta");
	int code;

	if (!head && json_error_code(&error) == json_error_out_of_memory)
		return nd_err_set(err, -ENOMEM, "out of memory for its head");
	if (!head)
		return nd_err_set(err, -EBADMSG, "its head is no JSON: %s", error.text);
	code = read_node_fields(meta, &found, err);
	if (!code)
		code = read_edge_fields(meta, &found, err);
	if (!code)
		code = read_location_fields(meta, &found, err);
	if (!code)
		code = read_types(meta, &found, err);
	if (!code)
		code = read_counts(head, &found, err);
	json_decref(head);
	if (!code)
		*ret = found;
	return code;
}
