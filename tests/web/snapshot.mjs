/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Heap snapshots made by hand, as V8 would write them.
 */

const NODE_TYPES = ["hidden", "array", "string", "object", "code", "closure", "regexp", "number",
  "native", "synthetic", "concatenated string", "sliced string", "symbol", "bigint",
  "object shape"];
const EDGE_TYPES = ["context", "element", "property", "internal", "hidden", "shortcut", "weak"];
const NODE_FIELDS = ["type", "name", "id", "self_size", "edge_count"];
const EDGE_FIELDS = ["type", "name_or_index", "to_node"];
const LOCATION_FIELDS = ["object_index", "script_id", "line", "column"];

export class Snapshot {
  constructor() {
    this.nodes = [];
    this.strings = new Map([["<dummy>", 0]]);
    this.locations = [];
    this.root = this.add("synthetic", "", 0);
  }

  string(text) {
    if (!this.strings.has(text))
      this.strings.set(text, this.strings.size);
    return this.strings.get(text);
  }

  /* Nodes have odd ids in the order in which they come. */
  add(type, name, size) {
    const node = { type, name, size, id: this.nodes.length * 2 + 1, index: this.nodes.length,
      edges: [] };
    this.nodes.push(node);
    return node;
  }

  /* A new node that another one refers to. */
  below(from, edge, by, type, name, size) {
    const node = this.add(type, name, size);
    this.refer(from, edge, by, node);
    return node;
  }

  refer(from, type, by, to) {
    from.edges.push({ type, by, to });
  }

  locate(node, script, line) {
    this.locations.push(node.index * NODE_FIELDS.length, script, line - 1, 0);
  }

  text() {
    const nodes = this.nodes.flatMap((node) => [NODE_TYPES.indexOf(node.type),
      this.string(node.name), node.id, node.size, node.edges.length]);
    const edges = this.nodes.flatMap((node) => node.edges.flatMap(({ type, by, to }) =>
      [EDGE_TYPES.indexOf(type), typeof by === "number" ? by : this.string(by),
        to.index * NODE_FIELDS.length]));
    return JSON.stringify({
      snapshot: {
        meta: {
          node_fields: NODE_FIELDS,
          node_types: [NODE_TYPES, "string", "number", "number", "number"],
          edge_fields: EDGE_FIELDS,
          edge_types: [EDGE_TYPES, "string_or_number", "node"],
          trace_function_info_fields: [], trace_node_fields: [], sample_fields: [],
          location_fields: LOCATION_FIELDS,
        },
        node_count: this.nodes.length,
        edge_count: edges.length / EDGE_FIELDS.length,
        trace_function_count: 0,
      },
      nodes, edges, trace_function_infos: [], trace_tree: [], samples: [],
      locations: this.locations, strings: [...this.strings.keys()],
    });
  }
}
