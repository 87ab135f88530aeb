// SPDX-License-Identifier: Apache-2.0
/** Differences between what two switches did in one step. */
import type { BurstResult, PacketResults, Reading, Step, StepResult } from './script.ts';

export interface Difference {
  /** Index of the step. */
  readonly step: number;
  /** Where in the step: an update, a burst, a reading. */
  readonly where: string;
  readonly first: string;
  readonly second: string;
}

/** @param wanders  packets may overtake others that a burst has caused, so there is no order within it */
export function compareStep(
  step: number,
  first: StepResult,
  second: StepResult,
  wanders: boolean,
): Difference[] {
  if (first.kind === 'write' && second.kind === 'write') {
    return compareCodes(step, first.codes, second.codes);
  }
  if (first.kind === 'packets' && second.kind === 'packets') {
    return comparePackets(step, first, second, wanders);
  }
  if (first.kind === 'read' && second.kind === 'read') {
    return compareReadings(step, first.readings, second.readings);
  }
  return [];
}

function compareCodes(step: number, first: readonly number[], second: readonly number[]): Difference[] {
  return first.flatMap((code, index) =>
    code === second[index]
      ? []
      : [{ step, where: `update ${index}`, first: `code ${code}`, second: `code ${second[index]}` }],
  );
}

/** One for each burst and kind of output. */
function comparePackets(
  step: number,
  first: PacketResults,
  second: PacketResults,
  wanders: boolean,
): Difference[] {
  let packet = 0;
  const differences: Difference[] = [];
  for (const [index, burst] of first.bursts.entries()) {
    const other = second.bursts[index];
    for (const what of ['frames', 'packetIns', 'digests'] as const) {
      const where = `${what} of packets ${packet} to ${packet + burst.count - 1}`;
      const texts = (result: BurstResult | undefined) => (result ? inOrder(result, what, wanders) : []);
      const difference = firstUnequal(texts(burst), texts(other));
      if (difference) differences.push({ step, where, ...difference });
    }
    packet += burst.count;
  }
  return differences;
}

/** By port, because ports have no common order. */
function inOrder(burst: BurstResult, what: 'frames' | 'packetIns' | 'digests', wanders: boolean): string[] {
  const list = burst[what];
  if (wanders) return [...list].sort();
  if (what === 'packetIns') return [...list];
  // A stable sort by what stands before the colon.
  const key = (text: string) => Number(text.slice(0, text.indexOf(':')));
  return [...list].sort((one, other) => key(one) - key(other));
}

function compareReadings(step: number, first: readonly Reading[], second: readonly Reading[]): Difference[] {
  return first.flatMap(({ what, code, entities }): Difference[] => {
    const other = second.find((reading) => reading.what === what);
    if (!other) return [{ step, where: what, first: 'there', second: 'not there' }];
    if (code !== other.code) {
      return [{ step, where: what, first: `code ${code}`, second: `code ${other.code}` }];
    }
    const difference = firstUnequal(entities, other.entities);
    return difference ? [{ step, where: what, ...difference }] : [];
  });
}

function firstUnequal(
  first: readonly string[],
  second: readonly string[],
): { first: string; second: string } | undefined {
  const length = Math.max(first.length, second.length);
  for (let index = 0; index < length; index++) {
    if (first[index] !== second[index]) {
      return { first: first[index] ?? 'nothing', second: second[index] ?? 'nothing' };
    }
  }
  return undefined;
}

/** For people. */
export function describe({ step, where, first, second }: Difference, steps: readonly Step[]): string {
  return `step ${step} (${steps[step]?.kind}), ${where}:\n  first:  ${first}\n  second: ${second}`;
}
