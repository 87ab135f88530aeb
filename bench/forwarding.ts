// SPDX-License-Identifier: Apache-2.0
/**
 * How many packets per second a switch forwards with less than 0.5 % loss, over veth pairs: the highest rate that is
 * found by raising the offered rate step by step and then closing in. A rate counts when it is sustained in all of its
 * confirmations. Switches take turns, round after round, so that what disturbs the machine disturbs all of them.
 *
 * A switch is never flooded: the search goes up from a rate that any switch carries, and a step that loses ends it.
 */

import type { Distribution } from './distribution.ts';
import { distributionOf } from './distribution.ts';
import type { BenchProgram } from './programs/program.ts';
import { flowCount } from './programs/program.ts';
import { burstFramesMax } from './traffic/generator.ts';
import { type SwitchKind, startBenchSwitch } from './traffic/switches.ts';
import { Testbed, type Trial } from './traffic/testbed.ts';

export interface ForwardingOptions {
  program: BenchProgram;
  switches: readonly SwitchKind[];
  frameBytes: readonly number[];
  rounds: number;
  /** Of a confirmation; a step of the search takes half of it. */
  trialMs: number;
  /** Where the search begins; left out: what any machine carries. */
  firstRate?: number | undefined;
  /** The search goes no higher. */
  perSecondMax?: number;
  onProgress: (line: string) => void;
}

export const forwardingDefaults = {
  switches: ['embedded', 'bmv2', 'pass-through'],
  frameBytes: [60, 1400],
  rounds: 3,
  trialMs: 1_000,
} as const;

export interface ForwardingResult {
  switchKind: SwitchKind;
  frameBytes: number;
  /** Packets per second delivered at the highest sustained rate, one per round. */
  perSecond: Distribution;
  /** The worst loss in the confirmations of the rates found, 0..1. */
  lossMost: number;
  /** In at least one round no higher rate could be offered. */
  isGeneratorLimit: boolean;
}

const lossMax = 0.005;
/** The source sends less than it was asked: it is at its end. */
const shortfallMax = 0.04;
const firstRates: Readonly<Record<SwitchKind, number>> = {
  embedded: 20_000,
  bmv2: 4_000,
  'pass-through': 20_000,
};
const warmUpMs = 1_500;
const climb = 1.4;
/** Where later rounds begin, of the least that was found before. */
const restart = 0.7;
const resolution = 1.03;
/** After a failed confirmation. */
const backOff = 0.96;
const confirmations = 3;
const attempts = 3;
const ratesMax = 60;
const probeFrames = 2 * flowCount;

interface Found {
  trials: readonly Trial[];
  isGeneratorLimit: boolean;
}

/** @throws Error when a switch does not forward as the program says */
export async function benchForwarding(options: ForwardingOptions): Promise<ForwardingResult[]> {
  const found = new Map<string, { switchKind: SwitchKind; frameBytes: number; rounds: Found[] }>();
  const testbed = new Testbed('bench');
  try {
    for (let round = 1; round <= options.rounds; round++) {
      for (const switchKind of options.switches) {
        const running = await startBenchSwitch(switchKind, testbed.ports, options.program);
        try {
          for (const frameBytes of options.frameBytes) {
            const key = `${switchKind} ${frameBytes}`;
            const rows = found.get(key) ?? { switchKind, frameBytes, rounds: [] };
            found.set(key, rows);
            const before = rows.rounds.map(deliveredOf);
            const first = before.length === 0 ? options.firstRate : restart * Math.min(...before);
            const result = await search(testbed, switchKind, frameBytes, { ...options, firstRate: first });
            rows.rounds.push(result);
            const rate = Math.round(deliveredOf(result)).toLocaleString('en');
            const limit = result.isGeneratorLimit ? ' (no more could be offered)' : '';
            options.onProgress(
              `round ${round}: ${switchKind}, ${frameBytes} bytes: ${rate} packets/s${limit}`,
            );
          }
        } finally {
          await running.close();
        }
      }
    }
  } finally {
    testbed.close();
  }
  return [...found.values()].map(({ switchKind, frameBytes, rounds }) => ({
    switchKind,
    frameBytes,
    perSecond: distributionOf(rounds.map(deliveredOf)),
    lossMost: Math.max(...rounds.flatMap(({ trials }) => trials.map(({ loss }) => loss))),
    isGeneratorLimit: rounds.some(({ isGeneratorLimit }) => isGeneratorLimit),
  }));
}

/** Rows of a table for docs/benchmarks.md; ratios are of medians. */
export function formatForwarding(program: string, results: readonly ForwardingResult[]): string[] {
  const medianOf = (kind: SwitchKind, frameBytes: number) =>
    results.find((result) => result.switchKind === kind && result.frameBytes === frameBytes)?.perSecond.p50;
  const number = (value: number) => Math.round(value).toLocaleString('en');
  const ratio = (value: number, base: number | undefined, digits: number) =>
    base === undefined ? '-' : (value / base).toFixed(digits);
  return [
    '| program | frame, bytes | switch | packets/s, median | least to most | worst loss, % | times BMv2 | of pass-through |',
    '|---|---|---|---|---|---|---|---|',
    ...results.map(({ switchKind, frameBytes, perSecond, lossMost, isGeneratorLimit }) => {
      const { p50, least, most } = perSecond;
      const cells = [
        program,
        frameBytes,
        switchKind,
        number(p50) + (isGeneratorLimit ? ' (limit of the source)' : ''),
        `${number(least)} to ${number(most)}`,
        (100 * lossMost).toFixed(2),
        ratio(p50, medianOf('bmv2', frameBytes), 1),
        ratio(p50, medianOf('pass-through', frameBytes), 2),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ];
}

function deliveredOf({ trials }: Found): number {
  return trials.reduce((sum, { deliveredPerSecond }) => sum + deliveredPerSecond, 0) / trials.length;
}

async function search(
  testbed: Testbed,
  switchKind: SwitchKind,
  frameBytes: number,
  { program, trialMs, firstRate, perSecondMax = Number.POSITIVE_INFINITY }: ForwardingOptions,
): Promise<Found> {
  const first = firstRate ?? firstRates[switchKind];
  await testbed.setFlows(program.flows(frameBytes));
  if (switchKind !== 'pass-through') await testbed.prove(probeFrames, program.isForwarded, lossMax);
  await testbed.run(first, Math.min(warmUpMs, 2 * trialMs));
  let isGeneratorLimit = false;
  /** Whether the rate is sustained; more than one attempt, because a hiccup of the machine is not a limit of the switch. */
  const sustains = async (rate: number, durationMs: number): Promise<Trial | undefined> => {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const trial = await testbed.run(rate, durationMs);
      if (trial.loss > lossMax) continue;
      const asked = (rate * durationMs) / 1000;
      if (trial.offered + burstFramesMax >= asked * (1 - shortfallMax)) return trial;
      isGeneratorLimit = true;
    }
    return undefined;
  };

  let good = first;
  let bad = Number.POSITIVE_INFINITY;
  for (let step = 0; step < ratesMax && good < perSecondMax && bad / good > resolution; step++) {
    const rate = bad === Number.POSITIVE_INFINITY ? good * climb : Math.sqrt(good * bad);
    if (await sustains(rate, trialMs / 2)) good = rate;
    else bad = rate;
  }
  for (let step = 0; step < ratesMax; step++, good *= backOff) {
    const trials: Trial[] = [];
    while (trials.length < confirmations) {
      const trial = await sustains(good, trialMs);
      if (trial === undefined) break;
      trials.push(trial);
    }
    if (trials.length === confirmations) return { trials, isGeneratorLimit };
  }
  throw new Error(`${switchKind} sustains no rate: the machine is too busy to measure`);
}
