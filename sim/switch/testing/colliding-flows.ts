// SPDX-License-Identifier: Apache-2.0
/**
 * Flows that meet in the filters: some share both cells of a filter slot with another flow, some find each of their
 * cells taken by a different one. Random flows hardly ever do, and neighbouring addresses never: a CRC keeps them apart.
 */

import { assert } from '../../../controller/core/assert.ts';
import { type Flow, type FlowHash, flowHash } from '../../../controller/core/flow-hash.ts';

export type Target = Pick<Flow, 'targetAddress' | 'protocol' | 'targetPort'>;

/** Enough to expect eight pairs that share both of 65,536 cells. */
const candidates = 262_144;

/**
 * @param targets  vips that the flows take in turn
 * @returns pairs [f, g]: f and g have the same cells; and triples [f, g, h]: f has one cell of g and one of h
 */
export function collidingFlows(targets: readonly Target[], pairs: number, triples: number): Flow[] {
  const byRowA = new Map<number, Flow>();
  const byRowB = new Map<number, Flow>();
  const byCells = new Map<number, Flow>();
  const found: { pairs: Flow[]; triples: Flow[] } = { pairs: [], triples: [] };
  for (let index = 0; index < candidates; index++) {
    const flow = { ...scattered(index), ...targets[index % targets.length]! };
    const hash = flowHash(flow, 0);
    const twin = byCells.get(cellsOf(hash));
    if (twin && found.pairs.length < 2 * pairs) found.pairs.push(flow, twin);
    const inRowA = byRowA.get(hash.rowA);
    const inRowB = byRowB.get(hash.rowB);
    if (!twin && inRowA && inRowB && found.triples.length < 3 * triples) {
      found.triples.push(flow, inRowA, inRowB);
    }
    byRowA.set(hash.rowA, flow);
    byRowB.set(hash.rowB, flow);
    byCells.set(cellsOf(hash), flow);
  }
  assert(found.pairs.length === 2 * pairs, `there are ${pairs} pairs among ${candidates} flows`);
  return [...found.pairs, ...found.triples];
}

/** A source of its own for every number below 2^30, like none of its neighbours; in 128/2, where no martians live. */
export function scattered(index: number): Pick<Flow, 'sourceAddress' | 'sourcePort'> {
  return {
    sourceAddress: 0x80000000 + (Math.imul(index + 1, 0x9e3779b1) & 0x3fffffff),
    sourcePort: Math.imul(index + 1, 0x85ebca6b) >>> 16,
  };
}

function cellsOf({ rowA, rowB }: FlowHash): number {
  return rowA * 65_536 + rowB;
}
