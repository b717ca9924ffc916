// SPDX-License-Identifier: Apache-2.0

// Profiles as stacks: [{ names: string[], weight: number }], names from the outermost call to the
// innermost, JavaScript functions by their bare names.

/** Folded stacks with names as nodiag writes them: "NAME (FILE:LINE:COLUMN)_[j]". */
export function readFolded(text) {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const end = line.lastIndexOf(' ');
      const names = line
        .slice(0, end)
        .split(';')
        .map((frame) => frame.replace(/ \(.*/, ''));
      return { names, weight: Number(line.slice(end + 1)) };
    });
}

/** What `perf script -F ip,sym` prints: "JS:*NAME FILE:LINE:COLUMN" with perf's map of node. */
export function readPerfScript(text) {
  return text
    .split(/\n\n+/)
    .filter((sample) => sample.trim())
    .map((sample) => {
      const frames = sample.split('\n').filter((line) => line.trim());
      const names = frames.map((line) => line.trim().replace(/^\S+ /, ''));
      return {
        names: names.map((name) => name.replace(/^JS:\W?(\S*) .*/, '$1')).reverse(),
        weight: 1,
      };
    });
}

/** A .cpuprofile, by its samples. */
export function readCpuProfile({ nodes, samples }) {
  const names = new Map();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const visit = (node, callers) => {
    const stack = [...callers, node.callFrame.functionName];
    names.set(node.id, stack);
    for (const id of node.children ?? []) visit(byId.get(id), stack);
  };
  visit(nodes[0], []);
  return samples.map((id) => ({ names: names.get(id), weight: 1 }));
}

/** The ticks of 0x: "NAME FILE:LINE:COLUMN". */
export function readTicks(ticks) {
  return ticks.map((frames) => ({
    names: frames.map(({ name }) => name.replace(/ .*/, '')),
    weight: 1,
  }));
}

/** Print stacks in the folded format. */
export function formatFolded(stacks) {
  const weights = new Map();
  for (const { names, weight } of stacks) {
    const stack = names.join(';');
    weights.set(stack, (weights.get(stack) ?? 0) + weight);
  }
  return [...weights].map(([stack, weight]) => `${stack} ${weight}\n`).join('');
}
