// SPDX-License-Identifier: Apache-2.0
/** What happens during a run, as data: when, in words, and what is done. */

import { serverPlaces } from './layout.ts';

export interface BackendPlan {
  weight: number;
  state: 'active' | 'draining' | 'down';
}

/** The backends of the vip by name; who is not in it is not configured. */
export type PoolPlan = Readonly<Record<string, BackendPlan>>;

export type Edits = Readonly<Record<string, Partial<BackendPlan> | 'removed'>>;

export type Action =
  /** A change: the controller is given the edited configuration. */
  | { kind: 'edit'; edits: Edits }
  /** A change, and a kill -9 for the controller between its preparation and its commit. */
  | { kind: 'edit-and-crash'; edits: Edits }
  | { kind: 'start-controller' }
  /** Kills the servers of a host; their connections cannot be saved. */
  | { kind: 'kill-host'; host: string }
  | { kind: 'start-host'; host: string }
  /** The server asks its clients to leave. */
  | { kind: 'goodbye'; server: string }
  /** `isAimed`: by one who knows the hash and reads the switch, at unstable slots only. */
  | { kind: 'flood'; framesPerSecond: number; forMs: number; isAimed?: true };

export interface Step {
  /** After the start of the scenario. */
  atMs: number;
  words: string;
  action: Action;
}

export interface Scenario {
  name: string;
  start: PoolPlan;
  steps: readonly Step[];
}

const active = (weight = 1): BackendPlan => ({ weight, state: 'active' });

export function applyEdits(plan: PoolPlan, edits: Edits): PoolPlan {
  const result: Record<string, BackendPlan> = { ...plan };
  for (const [name, edit] of Object.entries(edits)) {
    if (edit === 'removed') delete result[name];
    else result[name] = { ...(result[name] ?? active()), ...edit };
  }
  return result;
}

/** Steps that change who gets what. */
export function countChanges(scenario: Scenario): number {
  return scenario.steps.filter(({ action }) => action.kind === 'edit' || action.kind === 'edit-and-crash')
    .length;
}

/** @returns one sentence for every contradiction */
export function findScenarioProblems({ start, steps }: Scenario): string[] {
  const known = new Set(serverPlaces.map(({ name }) => name));
  const problems: string[] = [];
  let plan = start;
  let isControllerUp = true;
  for (const [index, { atMs, words, action }] of steps.entries()) {
    const say = (problem: string) => problems.push(`at ${atMs} ms, ${words}: ${problem}`);
    if (index > 0 && atMs < steps[index - 1]!.atMs) say('comes after a later step');
    if (action.kind === 'start-controller') isControllerUp = true;
    if (action.kind !== 'edit' && action.kind !== 'edit-and-crash') continue;
    if (!isControllerUp) say('nobody is there to take the change');
    for (const [name, edit] of Object.entries(action.edits)) {
      if (!known.has(name)) say(`there is no server ${name}`);
      if (edit === 'removed' && plan[name] === undefined) say(`${name} is not configured`);
    }
    plan = applyEdits(plan, action.edits);
    if (action.kind === 'edit-and-crash') isControllerUp = false;
    if (!Object.values(plan).some(({ weight, state }) => weight > 0 && state === 'active'))
      say('nobody is left');
  }
  return problems;
}

const startPlan: PoolPlan = Object.fromEntries(
  ['s1-1', 's1-2', 's2-1', 's2-2', 's3-1', 's3-2', 's4-1', 's4-2'].map((name) => [name, active()]),
);

const edit = (atMs: number, words: string, edits: Edits): Step => ({
  atMs,
  words,
  action: { kind: 'edit', edits },
});

/** The demo: with a session timeout of 12 s nearly every change overlaps with the ones before. */
export const demoScenario: Scenario = {
  name: 'demo',
  start: startPlan,
  steps: [
    edit(0, 'add s1-3', { 's1-3': active() }),
    edit(2_000, 'add s2-3 and s3-3', { 's2-3': active(), 's3-3': active() }),
    edit(4_000, 's1-1 gets three times the weight', { 's1-1': { weight: 3 } }),
    edit(6_000, 'drain s4-1', { 's4-1': { state: 'draining' } }),
    edit(7_500, 'remove s2-1', { 's2-1': 'removed' }),
    edit(8_100, 's2-1 is back within a second', { 's2-1': active() }),
    edit(9_500, 's3-1 gets weight 0', { 's3-1': { weight: 0 } }),
    edit(11_500, 's3-1 gets its weight back', { 's3-1': { weight: 1 } }),
    edit(13_000, 's1-2 flaps: drain', { 's1-2': { state: 'draining' } }),
    edit(13_400, 's1-2 flaps: back', { 's1-2': { state: 'active' } }),
    {
      atMs: 14_000,
      words: 'a SYN flood from made-up addresses',
      action: { kind: 'flood', framesPerSecond: 1_000, forMs: 3_000 },
    },
    edit(15_000, 'add s4-3, in the middle of the flood', { 's4-3': active() }),
    edit(18_000, 'drain s2-2', { 's2-2': { state: 'draining' } }),
    { atMs: 18_500, words: 's2-2 asks its clients to leave', action: { kind: 'goodbye', server: 's2-2' } },
    edit(20_000, 'restore s4-1', { 's4-1': { state: 'active' } }),
    edit(22_000, 'remove s2-2', { 's2-2': 'removed' }),
    {
      atMs: 24_000,
      words: 'new weights for everybody; kill -9 the controller before it commits',
      action: {
        kind: 'edit-and-crash',
        edits: {
          's1-1': { weight: 1 },
          's1-2': { weight: 4 },
          's2-3': { weight: 3 },
          's3-2': { weight: 2 },
          's4-2': { weight: 5 },
        },
      },
    },
    { atMs: 26_500, words: 'start the controller anew', action: { kind: 'start-controller' } },
    { atMs: 31_000, words: 'the servers of host s3 die', action: { kind: 'kill-host', host: 's3' } },
    edit(31_300, 's3-1, s3-2 and s3-3 are down', {
      's3-1': { state: 'down' },
      's3-2': { state: 'down' },
      's3-3': { state: 'down' },
    }),
    edit(34_000, 'add s2-2 again', { 's2-2': active() }),
    { atMs: 35_500, words: 'host s3 is back', action: { kind: 'start-host', host: 's3' } },
    edit(36_500, 's3-1, s3-2 and s3-3 are up', {
      's3-1': { state: 'active' },
      's3-2': { state: 'active' },
      's3-3': { state: 'active' },
    }),
    edit(38_500, 'equal weights for everybody', {
      's1-2': { weight: 1 },
      's2-3': { weight: 1 },
      's3-2': { weight: 1 },
      's4-2': { weight: 1 },
    }),
    edit(40_500, 'remove s1-3', { 's1-3': 'removed' }),
    edit(41_000, 'add s1-3 again', { 's1-3': active() }),
    edit(43_000, 'drain s4-2 and s4-3', { 's4-2': { state: 'draining' }, 's4-3': { state: 'draining' } }),
    edit(45_000, 'restore s4-2', { 's4-2': { state: 'active' } }),
    edit(46_500, 's1-1 gets weight 5', { 's1-1': { weight: 5 } }),
    edit(46_700, 's1-1 gets weight 2', { 's1-1': { weight: 2 } }),
    edit(46_900, 's2-1 gets weight 4', { 's2-1': { weight: 4 } }),
    edit(48_000, 'remove s4-3', { 's4-3': 'removed' }),
  ],
};

/** A hundred thousand SYNs at unstable slots, while backends come and go. */
export const floodScenario: Scenario = {
  name: 'flood',
  start: startPlan,
  steps: [
    edit(0, 'new weights for half of them', {
      's1-1': { weight: 3 },
      's2-1': { weight: 2 },
      's3-1': { weight: 4 },
      's4-1': { weight: 0 },
    }),
    {
      atMs: 3_000,
      words: '100,000 SYNs at unstable slots',
      // As fast as a real simple_switch_grpc on two cores can take it beside the other traffic.
      action: { kind: 'flood', framesPerSecond: 2_000, forMs: 50_000, isAimed: true },
    },
    edit(10_000, 'add s1-3', { 's1-3': active() }),
    edit(20_000, 'drain s2-1', { 's2-1': { state: 'draining' } }),
    edit(30_000, 'remove s3-2', { 's3-2': 'removed' }),
    edit(40_000, 'restore s2-1 and add s3-2 again', { 's2-1': { state: 'active' }, 's3-2': active() }),
  ],
};

/** The same in small, for tests. */
export const shortScenario: Scenario = {
  name: 'short',
  start: Object.fromEntries(['s1-1', 's2-1', 's3-1', 's4-1'].map((name) => [name, active()])),
  steps: [
    edit(0, 'add s1-2', { 's1-2': active() }),
    edit(1_000, 'drain s2-1', { 's2-1': { state: 'draining' } }),
    edit(1_400, 's2-1 is back', { 's2-1': { state: 'active' } }),
    { atMs: 1_500, words: 'a SYN flood', action: { kind: 'flood', framesPerSecond: 500, forMs: 1_000 } },
    edit(2_000, 's1-1 gets weight 3', { 's1-1': { weight: 3 } }),
    {
      atMs: 3_500,
      words: 'new weights; kill -9 the controller before it commits',
      action: { kind: 'edit-and-crash', edits: { 's3-1': { weight: 4 }, 's1-1': { weight: 1 } } },
    },
    { atMs: 4_500, words: 'start the controller anew', action: { kind: 'start-controller' } },
    { atMs: 7_000, words: 'the servers of host s4 die', action: { kind: 'kill-host', host: 's4' } },
    edit(7_200, 's4-1 is down', { 's4-1': { state: 'down' } }),
    edit(8_500, 'remove s2-1', { 's2-1': 'removed' }),
    edit(9_000, 'add s2-2', { 's2-2': active() }),
  ],
};
