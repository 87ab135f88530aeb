// SPDX-License-Identifier: Apache-2.0
/**
 * Control-flow graphs to structured JavaScript: nested blocks with labels, no dispatch loop.
 *
 * A node with one predecessor is written where its predecessor leaves to it. A node where paths meet is written
 * behind a labelled block that holds everything dominating paths run through; they reach it by falling out or with
 * `break`. A node that is jumped back to becomes a `for (;;)`. A graph with a jump into the middle of a loop has no such
 * form, and becomes a dispatch loop.
 *
 * Source: Ramsey, "Beyond Relooper: Recursive Translation of Unstructured Control Flow to Structured Control Flow",
 * ICFP 2022, section 4.
 */

import type { Emitter } from './emitter.ts';

/** The end of the graph, as a successor. */
export const end = -1;

/** What no node and no end is. */
const nowhere = -2;

export interface Graph {
  /** Used in labels. */
  name: string;
  entry: number;
  /** Per node; `end` is allowed. */
  successors: readonly (readonly number[])[];
  /** Writes what runs at the start of every turn of a loop. */
  loopGuard?: (ways: Ways, out: Emitter) => void;
  /** Writes node `index`. */
  emit(index: number, ways: Ways, out: Emitter): void;
}

/** How control leaves a node. */
export interface Ways {
  /** To a successor; nothing of the node may run behind it. */
  go(target: number, out: Emitter): void;
  /** To the end, from the middle of the node. */
  leave(out: Emitter): void;
}

/**
 * Larger graphs are written as a dispatch loop: structured code nests, and nesting has an end. A control of 500 nodes nests
 * 20 deep, and takes a tenth of the time of the loop.
 */
const structuredNodesMax = 2_000;

export function emitStructured(graph: Graph, out: Emitter): void {
  if (graph.entry === end) return;
  const shape = graph.successors.length > structuredNodesMax ? undefined : analyse(graph);
  if (shape === undefined) {
    emitDispatchLoop(graph, out);
    return;
  }
  const used = new Set<string>();
  const label = (node: number) => (node === end ? `${graph.name}_end` : `${graph.name}_${node}`);

  const go = (target: number, follow: number, to: Emitter): void => {
    if (target === follow) return;
    if (shape.openLoops.has(target)) {
      used.add(`loop_${label(target)}`);
      to.line(`continue loop_${label(target)};`);
    } else if (target === end || shape.isMerge(target)) {
      used.add(label(target));
      to.line(`break ${label(target)};`);
    } else {
      tree(target, follow, to);
    }
  };

  const ways = (follow: number): Ways => ({
    go: (target, to) => go(target, follow, to),
    leave: (to) => go(end, nowhere, to),
  });

  const tree = (node: number, follow: number, to: Emitter): void => {
    if (!shape.isLoop(node)) {
      nested(node, shape.mergesUnder(node), follow, to);
      return;
    }
    const body = to.fork();
    shape.openLoops.add(node);
    graph.loopGuard?.(ways(node), body);
    nested(node, shape.mergesUnder(node), node, body);
    shape.openLoops.delete(node);
    const head = used.has(`loop_${label(node)}`) ? `loop_${label(node)}: for (;;) {` : 'for (;;) {';
    to.line(head);
    to.append(body);
    to.line('}');
  };

  const nested = (node: number, merges: readonly number[], follow: number, to: Emitter): void => {
    const last = merges.at(-1);
    if (last === undefined) {
      graph.emit(node, ways(follow), to);
      return;
    }
    const body = to.fork();
    nested(node, merges.slice(0, -1), last, body);
    labelled(label(last), body, to);
    tree(last, follow, to);
  };

  const labelled = (name: string, body: Emitter, to: Emitter): void => {
    to.line(used.has(name) ? `${name}: {` : '{');
    to.append(body);
    to.line('}');
  };

  const body = out.fork();
  tree(graph.entry, end, body);
  labelled(label(end), body, out);
}

/** Any graph, one case per node: for graphs with a jump into the middle of a loop, and for very large ones. */
function emitDispatchLoop(graph: Graph, out: Emitter): void {
  const loop = `${graph.name}_nodes`;
  const at = `${graph.name}_at`;
  const ways: Ways = {
    go: (target, to) => {
      if (target === end) {
        to.line(`break ${loop};`);
        return;
      }
      to.line(`${at} = ${target};`);
      to.line(`continue ${loop};`);
    },
    leave: (to) => to.line(`break ${loop};`),
  };
  out.line(`let ${at} = ${graph.entry};`);
  out.block(`${loop}: for (;;)`, () => {
    graph.loopGuard?.(ways, out);
    out.block(`switch (${at})`, () => {
      for (const node of depthFirst(graph).order) {
        out.block(`case ${node}:`, () => {
          const body = out.fork();
          graph.emit(node, ways, body);
          out.append(body);
          // A node need not lead anywhere in so many words when it could fall out of structured code.
          out.line(`break ${loop};`);
        });
      }
    });
  });
}

/** The nodes that are jumped back to. @param successors  without `end` */
export function loopHeads(successors: Graph['successors'], entry: number): Set<number> {
  if (successors.length === 0) return new Set();
  const { backEdges } = depthFirst({ successors, entry });
  return new Set([...backEdges].map((edge) => Number(edge.split('>')[1])));
}

interface Shape {
  isMerge(node: number): boolean;
  isLoop(node: number): boolean;
  /** Merge nodes whose immediate dominator is `node`, in topological order. */
  mergesUnder(node: number): readonly number[];
  /** Loops whose body is being written. */
  openLoops: Set<number>;
}

function analyse(graph: Graph): Shape | undefined {
  const { order, backEdges } = depthFirst(graph);
  const rank = new Map(order.map((node, index) => [node, index]));
  const forward = new Map<number, Set<number>>(order.map((node) => [node, new Set<number>()]));
  for (const node of order) {
    for (const target of graph.successors[node]!) {
      if (target !== end && !backEdges.has(`${node}>${target}`)) forward.get(target)!.add(node);
    }
  }
  const dominator = dominators(order, rank, forward, graph.entry);
  const loops = new Set<number>();
  for (const edge of backEdges) {
    const [source, target] = edge.split('>').map(Number) as [number, number];
    if (!dominates(target, source, dominator, graph.entry)) return undefined;
    loops.add(target);
  }
  const isMerge = (node: number) => forward.get(node)!.size > 1;
  const children = new Map<number, number[]>();
  for (const node of order) {
    if (node === graph.entry || !isMerge(node)) continue;
    const parent = dominator.get(node)!;
    children.set(parent, [...(children.get(parent) ?? []), node]);
  }
  return {
    isMerge,
    isLoop: (node) => loops.has(node),
    mergesUnder: (node) => children.get(node) ?? [],
    openLoops: new Set(),
  };
}

/** Reverse postorder of what the entry reaches, and the edges that lead back, as "source>target". */
function depthFirst(graph: Pick<Graph, 'successors' | 'entry'>): { order: number[]; backEdges: Set<string> } {
  const order: number[] = [];
  const backEdges = new Set<string>();
  const state = new Map<number, 'open' | 'done'>();
  const stack: { node: number; next: number }[] = [{ node: graph.entry, next: 0 }];
  state.set(graph.entry, 'open');
  while (stack.length > 0) {
    const frame = stack.at(-1)!;
    const target = graph.successors[frame.node]![frame.next];
    if (target === undefined) {
      state.set(frame.node, 'done');
      order.push(frame.node);
      stack.pop();
      continue;
    }
    frame.next += 1;
    if (target === end) continue;
    if (state.get(target) === 'open') backEdges.add(`${frame.node}>${target}`);
    if (!state.has(target)) {
      state.set(target, 'open');
      stack.push({ node: target, next: 0 });
    }
  }
  return { order: order.reverse(), backEdges };
}

/** Immediate dominators. Without back edges one pass in topological order is enough. */
function dominators(
  order: readonly number[],
  rank: ReadonlyMap<number, number>,
  predecessors: ReadonlyMap<number, ReadonlySet<number>>,
  entry: number,
): Map<number, number> {
  const dominator = new Map<number, number>([[entry, entry]]);
  for (const node of order) {
    if (node === entry) continue;
    let common: number | undefined;
    for (const predecessor of predecessors.get(node)!) {
      common = common === undefined ? predecessor : nearest(common, predecessor);
    }
    dominator.set(node, common!);
  }
  return dominator;

  function nearest(first: number, second: number): number {
    while (first !== second) {
      if (rank.get(first)! > rank.get(second)!) first = dominator.get(first)!;
      else second = dominator.get(second)!;
    }
    return first;
  }
}

function dominates(
  upper: number,
  lower: number,
  dominator: ReadonlyMap<number, number>,
  entry: number,
): boolean {
  for (let node = lower; ; node = dominator.get(node)!) {
    if (node === upper) return true;
    if (node === entry) return false;
  }
}
