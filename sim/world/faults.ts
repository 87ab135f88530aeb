// SPDX-License-Identifier: Apache-2.0
/**
 * Everything that can go wrong in a world, and everything that is done to it: one number each, 0 for never. A fault plan
 * is these numbers; a seed draws them, and a failing plan shrinks by setting them to 0 or halving them.
 */
import { type Dice, diceOf } from '../kernel/dice.ts';

interface Fault {
  /** Reads behind the number, unit first. */
  means: string;
  /** Share of the worlds that have it. */
  share: number;
  draw(dice: Dice): number;
}

function fault(means: string, share: number, choices: readonly number[]): Fault {
  return { means, share, draw: (dice) => dice.pick(choices) };
}

export const faults = {
  writeDelayMs: fault('ms at most until an update reaches the switch', 1, [2, 20, 60, 200, 600]),
  writeReorderRate: fault('of the writes overtake those before them', 0.6, [0.1, 0.5, 1]),
  writeScatterRate: fault('of the writes travel an update at a time', 0.5, [0.2, 1]),
  writeFailureRate: fault('of the updates fail once', 0.6, [0.02, 0.1, 0.2]),
  halfAppliedRate: fault(
    'of the updates under way when a stream breaks are applied',
    0.8,
    [0.2, 0.5, 0.9, 1],
  ),

  digestDelayMs: fault('ms at most until a digest arrives', 1, [10, 100, 300, 1_200]),
  digestLossRate: fault('of the digests are lost, nobody knows', 0.5, [0.05, 0.2, 0.5]),
  digestDoubleRate: fault('of the digests come twice, up to 0.7 s apart', 0.5, [0.1, 0.5]),
  digestQueueLength: fault('digests at most on their way; more are lost', 0.2, [1, 3, 10]),
  noticeQueueLength: fault('notices at most wait for the controller; more are lost', 0.15, [1, 3, 10]),

  pinLimit: fault('pins at most, says the operator', 0.15, [2, 8, 20]),
  pinTableSize: fault('rows in table pin', 0.15, [2, 8, 20]),
  columnTableSize: fault('rows in table slot_version: enough for one change', 0.15, [40, 60]),

  streamRestartsPerMinute: fault('times a minute the stream breaks', 0.5, [1, 4, 10]),
  switchRestartsPerMinute: fault('times a minute a switch loses everything', 0.08, [1]),
  crashesPerMinute: fault('times a minute the controller dies, between two effects', 0.5, [1, 4, 10]),
  takeoversPerMinute: fault('times a minute another controller becomes primary', 0.3, [1, 4]),
  outageMs: fault('ms at most until a broken connection is back', 1, [10, 300, 2_000, 8_000]),
  stallsPerMinute: fault('times a minute the controller is stopped', 0.3, [1, 4]),
  stallMs: fault('ms at most for which it is', 1, [200, 1_500, 6_000]),
  clockLagsPerMinute: fault("times a minute the controller's clock stands still", 0.2, [1, 4]),
  clockLagMs: fault('ms at most for which it does', 1, [200, 3_000]),
  clockJumpMs: fault(
    "ms at most by which the controller's clock jumps ahead, once a session timeout",
    0.2,
    [50, 200],
  ),
  slowSwitchesPerMinute: fault('times a minute a switch of a group does not answer', 0.3, [1, 4]),
  slowSwitchMs: fault('ms at most for which it does not', 1, [2_000, 12_000]),
  moveRate: fault('of the packets of a group take another switch from here on', 0.7, [0.01, 0.1]),

  synRetransmitRate: fault('of the handshakes send their SYN again, after 1 s and 3 s', 0.8, [0.1, 0.5]),
  longGapRate: fault('of the pauses last nearly as long as the session timeout', 0.7, [0.05, 0.3]),
  forgottenRate: fault('of the pauses last longer than the session timeout', 0.3, [0.02]),
  portReuseRate: fault('of the connections that end come again with the same 5-tuple', 0.5, [0.2, 0.8]),
  resetRate: fault('of the connections end with RST', 0.5, [0.3]),
  floodPerSecond: fault('SYNs a second that nobody means', 0.4, [1, 20, 200]),
  aimedFloodPerSecond: fault('the same, all for unstable slots', 0.2, [20, 200]),

  addsPerMinute: fault('backends added a minute', 0.6, [2, 10]),
  removesPerMinute: fault('backends removed a minute', 0.6, [2, 10]),
  drainsPerMinute: fault('drains begun or ended a minute', 0.5, [2, 10]),
  killsPerMinute: fault('backends that die a minute', 0.5, [1, 5, 15]),
  revivalsPerMinute: fault('chances a minute for each pool that a dead backend is back', 0.8, [2, 20]),
  healthFlapsPerMinute: fault('backends that die for less than 2 s a minute', 0.2, [2, 6]),
  reweighsPerMinute: fault('weights changed a minute', 0.5, [5, 40]),
  flapsPerMinute: fault('weights set to 0 and back within 3 s a minute', 0.4, [2, 10]),
  stormsPerMinute: fault('storms of 8 weights within 300 ms a minute', 0.3, [2]),
  disablesPerMinute: fault('backends disabled for up to 5 s a minute', 0.2, [1, 4]),
  deadlinesPerMinute: fault('drains with a deadline, and a return after it, begun a minute', 0.3, [2, 6]),
  handoversPerMinute: fault(
    'backends a minute whose seat another takes, at once or in steps, and that drain until a deadline',
    0.3,
    [2, 6],
  ),
  slowStartsPerMinute: fault('backends added a minute that fill in steps', 0.2, [2, 6]),
  rollingReplacementsPerMinute: fault('times a minute every backend is replaced in turn', 0.2, [1]),
  poolReplacementsPerMinute: fault('times a minute a pool is replaced by another', 0.2, [1, 3]),
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;
export type Faults = Readonly<Record<FaultName, number>>;

export const faultNames = Object.keys(faults) as FaultName[];

export const noFaults: Faults = withAll(() => 0);

/** Each is drawn from dice of its own. */
export function drawFaults(seed: number): Faults {
  return withAll((name) => {
    const dice = diceOf(seed, `fault ${name}`);
    return dice.chance(faults[name].share) ? faults[name].draw(dice) : 0;
  });
}

function withAll(numberOf: (name: FaultName) => number): Faults {
  return Object.fromEntries(faultNames.map((name) => [name, numberOf(name)])) as Faults;
}
