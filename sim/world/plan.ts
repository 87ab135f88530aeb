// SPDX-License-Identifier: Apache-2.0
/** What a world is made of: drawn from its seed, printable, and enough to run it again to the last packet. */
import type { Placement, SlotTable } from '../../controller/core/desired.ts';
import { type EngineOptions, engineDefaults } from '../../controller/core/options.ts';
import { diceOf } from '../kernel/dice.ts';
import type { Capacity } from '../switch/sim-switch.ts';
import { drawFaults, type FaultName, type Faults, faultNames, faults } from './faults.ts';

export interface WorldPlan {
  seed: number;
  placement: Placement;
  /** Of the pools; mixed: every other one. */
  table: SlotTable | 'mixed';
  /** Faults happen so long; then there is quiet, and everything must come to rest. */
  turmoilMs: number;
  sessionTimeoutMs: number;
  /** Behind ECMP; the controller drives them as one. */
  switchCount: number;
  /** A single switch, too, is driven as a group. */
  isGroup: boolean;
  flowsPerSecond: number;
  faults: Faults;
}

/** @param table  if it is not to be drawn */
export function drawPlan(
  seed: number,
  table: WorldPlan['table'] = diceOf(seed, 'table').pick(['maglev', 'maglev', 'prefix', 'mixed']),
): WorldPlan {
  const dice = diceOf(seed, 'plan');
  const placement = dice.pick(['sticky', 'sticky', 'pure'] as const);
  return {
    seed,
    placement: placementOf(table, placement),
    table,
    turmoilMs: dice.pick([20_000, 40_000, 60_000]),
    sessionTimeoutMs: dice.pick([8_000, 10_000, 15_000]),
    // Dice of their own: worlds that were drawn before there were groups are the same but for this.
    switchCount: diceOf(seed, 'switches').pick([1, 1, 2, 3]),
    isGroup: false,
    flowsPerSecond: dice.pick([4, 8]),
    faults: drawFaults(seed),
  };
}

/** Prefix tables know one only. */
export function placementOf(table: WorldPlan['table'], placement: Placement): Placement {
  return table === 'maglev' ? placement : 'sticky';
}

/**
 * The engine's waits and limits, as small as the promises to clients allow (clients.ts), so that a minute of a world
 * holds what hours of a network do.
 */
export function engineOptionsOf(plan: WorldPlan): EngineOptions {
  const dice = diceOf(plan.seed, 'engine');
  return {
    ...engineDefaults,
    rotationMs: 3_000,
    // Whoever waits is short of its share on purpose.
    seatWaitMs: 0,
    quarantineMs: 6_500,
    fillLimit: dice.pick([30, 60]),
    udpSettleMs: 1_000,
    closingTimeoutMs: 3_000,
    maxPins: plan.faults.pinLimit || engineDefaults.maxPins,
    pinFullBackoffMs: 1_000,
    refusalHoldMs: 2_000,
    mergeBatch: dice.pick([3, 50]),
    writeBatch: dice.pick([2, 5, 50]),
    maxUpdatesInFlight: dice.pick([10, 40, 400]),
    changeRetryMs: 1_000,
    retryMaxMs: 1_000,
    // A flood of 200 SYNs a second reaches it, when nobody keeps it from that.
    floodLimit: dice.pick([100, 150]),
    floodHoldMs: 5_000,
  };
}

/** Of the switches; what is not named has room for everything. */
export function capacityOf({ faults: { pinTableSize, columnTableSize } }: WorldPlan): Capacity {
  return {
    ...(pinTableSize > 0 && { pin: pinTableSize }),
    ...(columnTableSize > 0 && { slot_version: columnTableSize, slot_version_prefix: 4 * columnTableSize }),
  };
}

/** For so long at most a switch of a group leaves writes lying. */
export function slowSwitchMs({ switchCount, faults }: WorldPlan): number {
  return switchCount > 1 && faults.slowSwitchesPerMinute > 0 ? faults.slowSwitchMs : 0;
}

/** The fault plan, a line each; and nothing about what does not happen. */
export function describePlan(plan: WorldPlan): string[] {
  const { placement, table, turmoilMs, sessionTimeoutMs, switchCount, flowsPerSecond } = plan;
  const active = faultNames.filter((name) => plan.faults[name] > 0);
  return [
    `seed ${plan.seed}: ${table} tables, ${placement} placement, ${switchCount} switch${switchCount === 1 ? '' : 'es'}, ` +
      `session timeout ${sessionTimeoutMs} ms, ${flowsPerSecond} flows a second, turmoil for ${turmoilMs} ms`,
    ...active.map((name) => `  ${name} ${plan.faults[name]}: ${faults[name].means}`),
  ];
}

/** Arguments of `make sim` that run this very plan. */
export function commandOf(plan: WorldPlan): string {
  const drawn = drawPlan(plan.seed, plan.table);
  const active = faultNames.filter((name) => plan.faults[name] > 0);
  const isDrawn = faultNames.every((name) => plan.faults[name] === drawn.faults[name]);
  const words: string[] = [];
  if (!isDrawn) words.push('--calm', ...active.map((name) => `--fault ${name}=${plan.faults[name]}`));
  if (plan.turmoilMs !== drawn.turmoilMs) words.push(`--turmoil ${plan.turmoilMs}`);
  if (plan.placement !== drawn.placement) words.push(`--placement ${plan.placement}`);
  if (plan.table !== drawPlan(plan.seed).table) words.push(`--table ${plan.table}`);
  if (plan.switchCount !== drawn.switchCount) words.push(`--switches ${plan.switchCount}`);
  if (plan.isGroup) words.push('--group');
  return `make sim SEED=${plan.seed}${words.length > 0 ? ` ARGS="${words.join(' ')}"` : ''}`;
}

export function withFault(plan: WorldPlan, name: FaultName, value: number): WorldPlan {
  return { ...plan, faults: { ...plan.faults, [name]: value } };
}
