// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { loadProgram } from '../../controller/program.ts';
import { CompiledSwitch } from '../switch/compiled-switch.ts';
import { faultNames, noFaults } from './faults.ts';
import { capacityOf, commandOf, describePlan, drawPlan, type WorldPlan, withFault } from './plan.ts';
import { shrink } from './shrink.ts';
import { World } from './world.ts';

/** The same worlds every time; EVENKEEL_SEED=... begins elsewhere, EVENKEEL_RUNS=... looks at so many times as many. */
const firstSeed = Number(process.env.EVENKEEL_SEED ?? 1);
const runs = 60 * Number(process.env.EVENKEEL_RUNS ?? 1);

test('I1 to I7 hold under every fault at once, and all converges', {
  timeout: 5_000 * runs,
}, () => {
  const wrong: string[] = [];
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    const plan = drawPlan(seed);
    const [violation] = new World(plan).run().violations;
    if (violation) wrong.push(`${commandOf(plan)}: ${violation.invariant}: ${violation.message}`);
  }
  expect(wrong).toEqual([]);
});

test('I1, I6 and I7 hold while backends drain until deadlines, hand over their seats and fill', {
  timeout: 120_000,
}, () => {
  const faults = {
    ...noFaults,
    ...{ writeDelayMs: 60, digestDelayMs: 100, synRetransmitRate: 0.3, longGapRate: 0.2 },
    ...{ deadlinesPerMinute: 6, handoversPerMinute: 6, slowStartsPerMinute: 6, disablesPerMinute: 4 },
  };
  for (let seed = firstSeed; seed < firstSeed + 12; seed++) {
    const plan: WorldPlan = { ...drawPlan(seed), switchCount: 1, isGroup: false, faults };
    const { violations, stats } = new World(plan).run();
    expect(violations, commandOf(plan)).toEqual([]);
    expect(stats.commits).toBeGreaterThan(0);
  }
});

describe('a world', () => {
  const tell = (seed: number): unknown => {
    const { stats, violations } = new World(drawPlan(seed)).run();
    return { stats, violations };
  };

  test('is what its seed says, to the last packet', () => {
    expect(tell(7)).toEqual(tell(7));
    expect(tell(7)).not.toEqual(tell(8));
  });

  test('keeps what has nothing to do with a fault that is switched off', () => {
    const plan = drawPlan(7);
    const quiet = withFault(plan, 'killsPerMinute', 0);
    const arrivals = (p: typeof plan): number => new World({ ...p, turmoilMs: 4_000 }).run().stats.flows;
    expect(arrivals(quiet)).toBe(arrivals(plan));
  });

  test('without faults writes no pin', () => {
    const { stats, violations } = new World({ ...drawPlan(3), faults: noFaults }).run();
    expect(violations).toEqual([]);
    expect(stats.maxPins).toBe(0);
    expect(stats.decisions.stable).toBe(stats.packets);
    expect(stats.flows).toBeGreaterThan(50);
  });

  test.each([1, 2, 3, 4])(
    'is the same, to the last packet, for a switch and for a group of one (I8, seed %i)',
    (seed) => {
      // A group remembers what it has written when a stream is back, so only worlds whose streams hold are the same.
      const faults = {
        ...noFaults,
        writeDelayMs: 60,
        writeReorderRate: 0.5,
        writeScatterRate: 0.5,
        digestDelayMs: 300,
        digestLossRate: 0.2,
        addsPerMinute: 5,
        removesPerMinute: 5,
        killsPerMinute: 5,
        revivalsPerMinute: 10,
        reweighsPerMinute: 10,
      };
      const [single, group] = [false, true].map((isGroup) =>
        new World({ ...drawPlan(seed), switchCount: 1, faults, isGroup }).run(),
      );
      expect(single!.stats.commits).toBeGreaterThan(1);
      expect(group!.stats).toEqual(single!.stats);
      expect([...single!.violations, ...group!.violations]).toEqual([]);
    },
  );

  test('is the same, to the last packet, when its switch executes the compiled program', () => {
    const json = new TextDecoder().decode(loadProgram().deviceConfig);
    const createSwitch = (plan: WorldPlan) => new CompiledSwitch(json, { capacity: capacityOf(plan) });
    const [model, compiled] = [undefined, createSwitch].map((create) =>
      new World({ ...drawPlan(3), turmoilMs: 10_000 }, { createSwitch: create }).run(),
    );
    expect(model!.stats.maxPins).toBeGreaterThan(5);
    expect(compiled!.stats).toEqual(model!.stats);
  });

  test('is in turmoil: flows are pinned, filters asked, commits made, backends buried, controllers killed', () => {
    const total = {
      pinned: 0,
      filter: 0,
      base: 0,
      commits: 0,
      rewrites: 0,
      crashes: 0,
      takeovers: 0,
      breaks: 0,
      floods: 0,
    };
    for (let seed = 1; seed <= 12; seed++) {
      const { stats } = new World(drawPlan(seed)).run();
      total.pinned += stats.decisions.pinned;
      total.filter += stats.decisions.filter;
      total.base += stats.decisions.base;
      total.commits += stats.commits;
      total.rewrites += stats.rewrites;
      total.crashes += stats.crashes;
      total.takeovers += stats.takeovers;
      total.breaks += stats.streamRestarts;
      total.floods += stats.floodPackets;
    }
    expect(total.pinned).toBeGreaterThan(1_000);
    expect(total.filter).toBeGreaterThan(500);
    expect(total.base).toBeGreaterThan(100);
    expect(total.commits).toBeGreaterThan(40);
    expect(total.rewrites).toBeGreaterThan(5);
    expect(total.crashes).toBeGreaterThan(5);
    expect(total.takeovers).toBeGreaterThan(1);
    expect(total.breaks).toBeGreaterThan(5);
    expect(total.floods).toBeGreaterThan(1_000);
  });
});

describe('a plan', () => {
  test('is printed with every fault it has, and with the command that runs it again', () => {
    const plan = {
      ...drawPlan(7),
      turmoilMs: 5_000,
      faults: { ...noFaults, writeDelayMs: 20, killsPerMinute: 5 },
    };
    const lines = describePlan(plan);
    expect(lines).toHaveLength(3);
    expect(lines[2]).toBe('  killsPerMinute 5: backends that die a minute');
    expect(commandOf(plan)).toBe(
      'make sim SEED=7 ARGS="--calm --fault writeDelayMs=20 --fault killsPerMinute=5 --turmoil 5000"',
    );
    expect(commandOf(drawPlan(7))).toBe('make sim SEED=7');
  });

  test('shrinks to the faults that matter', () => {
    const plan = {
      ...drawPlan(7),
      faults: { ...noFaults, writeDelayMs: 600, killsPerMinute: 16, outageMs: 300 },
    };
    const { plan: smaller } = shrink(
      plan,
      ({ faults }) => faults.killsPerMinute >= 3 && faults.writeDelayMs > 0,
    );
    const left = Object.fromEntries(
      faultNames.filter((name) => smaller.faults[name] > 0).map((name) => [name, smaller.faults[name]]),
    );
    expect(left).toEqual({ writeDelayMs: 1, killsPerMinute: 4 });
    expect(smaller.turmoilMs).toBeLessThan(6_000);
  });
});
