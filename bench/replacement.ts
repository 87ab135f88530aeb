// SPDX-License-Identifier: Apache-2.0
/**
 * A rolling replacement as the shipping engine carries it out, without traffic: how many slots are unstable meanwhile, when
 * backends are drained and when they die.
 */

import { type Desired, type DesiredBackend, PLAIN_POOL, type Placement } from '../controller/core/desired.ts';
import { ScaleWorld } from './scale-world.ts';

export interface ReplacementOptions {
  slots: number;
  backends: number;
  /** Replaced one after the other, evenly within the session timeout. */
  replaced: readonly number[];
  sessionTimeoutMs: number;
  /** From the death of one to the coming of another at a new address. A drained one is replaced at once. */
  absenceMs: number;
}

export const replacementDefaults: Readonly<ReplacementOptions> = {
  slots: 65_536,
  backends: 100,
  replaced: [10, 50, 100],
  sessionTimeoutMs: 900_000,
  absenceMs: 5_000,
};

export interface RollingResult {
  placement: Placement;
  leaving: 'drained' | 'dead';
  replaced: number;
  /** Shares of the slots, in percent: unstable at once, the most and over the session timeout on average. */
  most: number;
  mean: number;
}

const sampleMs = 1_000;

export function benchRollingReplacement(options: ReplacementOptions): RollingResult[] {
  return (['pure', 'sticky'] as const).flatMap((placement) =>
    (['drained', 'dead'] as const).flatMap((leaving) =>
      options.replaced.map((replaced) => ({
        placement,
        leaving,
        replaced,
        ...replace(options, placement, leaving, replaced),
      })),
    ),
  );
}

/** A row for each way, a column for each number. */
export function formatRollingReplacement(results: readonly RollingResult[]): string[] {
  const replaced = [...new Set(results.map((result) => result.replaced))];
  const lines = new Map<string, string[]>();
  for (const { placement, leaving, most, mean } of results) {
    const key = `${placement}, ${leaving}`;
    lines.set(key, [...(lines.get(key) ?? []), `${most.toFixed(1)} (${mean.toFixed(1)})`]);
  }
  return [
    `| placement, who leaves is | ${replaced.map((count) => `${count} replaced`).join(' | ')} |`,
    `|---|${replaced.map(() => '---').join('|')}|`,
    ...[...lines].map(([key, cells]) => `| ${key} | ${cells.join(' | ')} |`),
  ];
}

function replace(
  options: ReplacementOptions,
  placement: Placement,
  leaving: RollingResult['leaving'],
  replaced: number,
): { most: number; mean: number } {
  const backend = (index: number): DesiredBackend => ({
    name: `b${index}`,
    address: 0x0b000001 + index,
    port: 8080,
    weight: 100,
    state: 'active',
  });
  let backends = Array.from({ length: options.backends }, (_, i) => backend(i));
  const desired = (): Desired => ({
    pools: [
      {
        name: 'pool',
        vip: { address: 0x0a010001, protocol: 'tcp', port: 80 },
        ...PLAIN_POOL,
        slotCount: options.slots,
        sessionTimeoutMs: options.sessionTimeoutMs,
        placement,
        backends,
      },
    ],
    interfaces: [],
    routes: [],
    neighbours: [],
  });
  const world = new ScaleWorld(1, desired(), undefined);
  world.work(
    () => world.connect(),
    () => world.engine.status().pools[0]?.phase === 'serving',
  );
  const shares: number[] = [];
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= sampleMs) {
      world.pass(Math.min(left, sampleMs));
      shares.push((100 * world.engine.status().pools[0]!.unstableSlots) / options.slots);
    }
  };
  const set = (next: DesiredBackend[]) => {
    backends = next;
    world.want(desired());
  };
  const periodMs = options.sessionTimeoutMs / replaced;
  const absenceMs = leaving === 'dead' ? Math.min(options.absenceMs, periodMs) : 0;
  for (let i = 0; i < replaced; i++) {
    if (leaving === 'dead') {
      set(backends.map((old, at) => (at === i ? { ...old, state: 'down' } : old)));
      pass(absenceMs);
    }
    set(backends.map((old, at) => (at === i ? backend(options.backends + i) : old)));
    pass(periodMs - absenceMs);
  }
  return { most: Math.max(...shares), mean: shares.reduce((sum, share) => sum + share, 0) / shares.length };
}
