// SPDX-License-Identifier: Apache-2.0
/** Worlds that once went wrong, each with a line why. They are run with every test (sim/world/seeds.test.ts). */
import type { Faults } from './world/faults.ts';
import { noFaults } from './world/faults.ts';
import { drawPlan, type WorldPlan } from './world/plan.ts';

export interface KnownSeed {
  seed: number;
  why: string;
  /** Of the plan as shrunk then, if it differs from the plan that the seed draws. */
  faults?: Partial<Faults>;
  turmoilMs?: number;
  switches?: number;
  /** Older worlds had no prefix tables, and went by what is drawn of the placement alone. */
  table?: WorldPlan['table'];
  /** Of several; older worlds had none. */
  hasSlowSwitches?: true;
}

export const knownSeeds: readonly KnownSeed[] = [
  {
    seed: 61,
    why: 'a digest of the last connection pinned the next one with the same 5-tuple (the world: it came again too soon)',
  },
  {
    seed: 103,
    why: "a pin expired before the filter slot that knew its flow's SYN, and the 5-tuple came again",
  },
  { seed: 119, why: 'the same, with a SYN that was sent again' },
  { seed: 44, why: 'the same, with digests that were late' },
  { seed: 226, why: 'an engine that was behind wrote to the next stream after its tables had been read' },
  { seed: 570, why: 'the same: slots were rewritten without a commit' },
  {
    seed: 258,
    why: 'a stream broke with the digest of a 5-tuple that opened again; its pin expired as that of a closed flow',
  },
  { seed: 1002, why: 'a pin was taken for idle by the short life it had before its 5-tuple came again' },
  { seed: 35, why: 'a client of a pool that is being replaced (the world: nobody promised it anything)' },
  {
    seed: 24,
    why: 'a third SYN after 2 s found another server (the world: nobody had answered the first two)',
  },
  {
    seed: 442,
    why: 'a filter slot was emptied while it took a new connection for an older one (the world: not promised)',
  },
  {
    seed: 3161,
    why: 'the count of admitted flows was dropped with other notices, and a flooded filter slot filled beyond its limit',
  },
  {
    seed: 3436,
    why: 'a controller that is stopped again and again keeps its filter slots (the world: it is a gap each time)',
  },
  { seed: 957, why: 'the same over UDP' },
  {
    seed: 5141,
    why: 'the owner of a slot died while the slot was made to leave it, and the flows of its heir were not pinned',
  },
  { seed: 2872, why: 'the same' },
  {
    seed: 37,
    switches: 2,
    why: 'a switch failed to arm a pin anew and joined again: the other one alone then said that the pin was idle',
  },
  { seed: 58, switches: 2, why: 'the same, with digests that are late or lost' },
  {
    seed: 92,
    switches: 2,
    why: 'the same; then one switch refused rows, once, that the other, which was away, served by: the group gave them up',
  },
  {
    seed: 210,
    switches: 2,
    why: 'a flow changed switch after a long silence: each had found its pin idle, one after the other (the world: not promised)',
  },
  {
    seed: 327,
    switches: 2,
    why: 'two switches agreed in the end that a pin was idle, when its 5-tuple had come again (the world: not promised)',
  },
  {
    seed: 285,
    switches: 2,
    why: 'a UDP flow was taken for known from before its slot was stable (the world: to the switch it was new, in a flood)',
  },
  {
    seed: 95,
    switches: 2,
    why: 'a switch that joined had pins of the group and still its own (the world: it is given the ones before it loses the others)',
  },
  {
    seed: 112,
    switches: 2,
    why: 'a filter slot was kept after a switch had joined again (the world: it is a gap, and no stream knows of it)',
  },
  {
    seed: 621,
    why: "the heir of a backend that died in the midst of a change was given its flows' 5-tuples, and no pins for them",
  },
  { seed: 6286, why: 'the same' },
  {
    seed: 915,
    why: 'a backend that was removed while it took a seat was forgotten, and then given the seat',
  },
  { seed: 7764, why: 'the same' },
  { seed: 1709, why: 'slots of the dead were given to a backend whose own row was still on its way' },
  { seed: 484, why: 'the same' },
  {
    seed: 9015,
    why: 'a pin that the switch refused for seconds came when its 5-tuple had a new connection, whose digests did not count',
  },
  {
    seed: 3968,
    why: 'a digest waited while the controller was stopped, and pinned the next connection with its 5-tuple (the world, too: who is stopped is not told what is wanted)',
  },
  {
    seed: 3095,
    why: 'a client of a pool that served on until its successor did (the world: nobody promised it anything)',
  },
  {
    seed: 4648,
    why: "a third SYN was taken for an older connection's, by a filter slot that was emptied then (the world: not promised)",
  },
  {
    seed: 6403,
    why: 'a filter slot was emptied in a flood while the pin of a slow handshake was on its way (the world: not promised)',
  },
  { seed: 6650, why: 'the same, with a 5-tuple that came again' },
  { seed: 9115, why: 'the same, without a flood' },
  { seed: 9168, why: 'the same' },
  {
    seed: 237,
    switches: 2,
    why: 'a switch had merged slots while the other was away; both had the same version, and the next controller believed the other',
  },
  {
    seed: 621,
    switches: 2,
    why: 'the same, when the join of the other had been cut short and it still had old pins',
  },
  { seed: 447, switches: 2, why: 'the same, with a digest queue of three' },
  { seed: 475, switches: 2, why: 'the same' },
  {
    seed: 592,
    switches: 2,
    why: 'a controller died when it had begun to bury a backend on one switch: the next one gave its new flows to nobody again',
  },
  { seed: 931, switches: 2, why: 'the same, with two deaths in a row' },
  {
    seed: 730,
    switches: 2,
    hasSlowSwitches: true,
    why: 'the same, of a slot that was stable at once: the unstable one of the other switch was taken for the later',
  },
  { seed: 611, switches: 2, why: 'all pins that two switches did not agree on were armed anew in one write' },
  {
    seed: 701,
    switches: 2,
    why: 'a clock stood still while two switches agreed that a pin was idle, and its flow had moved in between',
  },
  {
    seed: 582,
    switches: 2,
    why: 'a flow moved right after it was pinned on one switch (the world: the digest that it was heard by died with a controller)',
  },
  {
    seed: 441,
    switches: 2,
    why: 'a flooded filter slot was emptied while a pin was on its way (the world: not promised)',
  },
  { seed: 455, switches: 2, why: 'a filter slot stayed overfull after a switch had joined' },
  {
    seed: 892,
    switches: 2,
    why: 'the same on a switch that failed to join for long (the world: it carries no traffic)',
  },
  {
    seed: 1250,
    switches: 3,
    why: 'a switch that failed to join had pins of every attempt (the world: as many as its table has room for)',
  },
  {
    seed: 258,
    switches: 3,
    hasSlowSwitches: true,
    why: 'a 5-tuple came again while its pin was deleted on two of three switches, and the next controller believed the third (the world: not promised)',
  },
  {
    seed: 1990,
    switches: 3,
    hasSlowSwitches: true,
    why: 'a switch that joined had columns of before for a moment (the world: it had not heard yet that the switch carries no traffic)',
  },
  {
    seed: 728,
    switches: 3,
    hasSlowSwitches: true,
    why: "a flow moved to a switch that had not been given the row of a dead backend's heir, when the backend was back (the world: not promised)",
  },
  {
    seed: 10550,
    why: 'in a flood, a slot went to base while it was being merged onto its newest backend, and back again',
  },
  {
    seed: 13126,
    why: "a digest was lost that told of a 5-tuple coming again, after its pin's delete had been decided (the world: not promised)",
  },
  {
    seed: 11416,
    why: 'a flood emptied filter slots that were kept for flows without room for a pin',
  },
  {
    seed: 10137,
    why: 'a SYN was sent again after the filter slots had been emptied in a flood (the world: not promised)',
  },
  {
    seed: 9736,
    why: 'a third SYN came when filter slots were full without a flood, and one had rested for less than the quarantine (the world: not promised)',
  },
];

export function planOf(known: KnownSeed): WorldPlan {
  const { seed, faults, turmoilMs, switches, table = 'maglev', hasSlowSwitches } = known;
  const drawn = drawPlan(seed, table);
  const slowSwitchesPerMinute = hasSlowSwitches ? drawn.faults.slowSwitchesPerMinute : 0;
  return {
    ...drawn,
    turmoilMs: turmoilMs ?? drawn.turmoilMs,
    switchCount: switches ?? 1,
    faults: faults === undefined ? { ...drawn.faults, slowSwitchesPerMinute } : { ...noFaults, ...faults },
  };
}
