// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  adjust,
  configuredWeights,
  createLoadWeights,
  factorsOf,
  type LoadMember,
  type LoadOptions,
  loadDefaults,
  noteLoads,
  restoreFactors,
  WEIGHT_UNITS,
  weightsOf,
} from './load-weights.ts';

const membersOf = (...weights: number[]): LoadMember[] =>
  weights.map((weight, i) => ({ name: `b${i}`, weight, isInUse: true }));

const loadsOf = (...loads: number[]) => new Map(loads.map((load, i) => [`b${i}`, load]));

/** Weights after readings of these loads, every interval for `forMs`. */
function steered(
  loads: number[],
  weights = loads.map(() => 1),
  own: Partial<LoadOptions> = {},
  forMs = 60_000,
) {
  const state = createLoadWeights({ ...loadDefaults, ...own }, 0);
  const members = membersOf(...weights);
  for (let now = 0; now <= forMs; now += state.options.intervalMs) {
    noteLoads(state, loadsOf(...loads), now);
    adjust(state, members, now);
  }
  return { state, weights: [...weightsOf(state, members).values()] };
}

describe('weights by load', () => {
  it('can be compared with those of the configuration, also where these are large', () => {
    for (const configured of [
      [1, 2],
      [100, 300],
      [65_535, 1],
    ]) {
      const even = steered([0.5, 0.5], configured);
      expect(even.weights).toEqual([...configuredWeights(even.state, membersOf(...configured)).values()]);
      const uneven = steered([0.9, 0.1], configured);
      const [first, second] = [...configuredWeights(uneven.state, membersOf(...configured)).values()];
      expect(uneven.weights[0]).toBeLessThan(first!);
      expect(uneven.weights[1]).toBeGreaterThanOrEqual(second!);
    }
  });

  it('are those of the configuration until there is reason', () => {
    expect(steered([0.5, 0.5, 0.52], [1, 2, 4]).weights).toEqual([256, 512, 1_024]);
  });

  it('fall for who carries more than the others, and rise for who carries less', () => {
    const { weights } = steered([0.9, 0.3, 0.3]);
    expect(weights[0]).toBeLessThan(WEIGHT_UNITS);
    expect(weights[1]).toBeGreaterThan(WEIGHT_UNITS);
    expect(weights[1]).toBe(weights[2]);
  });

  it('stay while nobody has anything to do: that is noise', () => {
    expect(steered([0.001, 0.02, 0.004]).state.changes).toBe(0);
  });

  it('stay 0 where the configuration says so', () => {
    expect(steered([0.9, 0.1, 0.1], [1, 1, 0]).weights[2]).toBe(0);
  });

  it('stay when most readings are missing or old', () => {
    const state = createLoadWeights(loadDefaults, 0);
    const members = membersOf(1, 1, 1, 1, 1);
    noteLoads(state, loadsOf(0.9, 0.1), 0);
    expect(adjust(state, members, 20_000)).toBe(false);
    noteLoads(state, loadsOf(0.9, 0.1, 0.1, 0.1, 0.1), 20_000);
    expect(adjust(state, members, 20_000 + loadDefaults.staleMs + 1)).toBe(false);
    noteLoads(state, loadsOf(0.9, 0.1, 0.1, 0.1, 0.1), 50_000);
    expect(adjust(state, members, 50_000)).toBe(true);
  });

  it('do not take who gets no connections for one that has room', () => {
    const state = createLoadWeights(loadDefaults, 0);
    const members = membersOf(1, 1, 1).map((member, i) => ({ ...member, isInUse: i > 0 }));
    for (let now = 0; now < 100_000; now += 5_000) {
      noteLoads(state, loadsOf(0, 0.5, 0.5), now);
      adjust(state, members, now);
    }
    expect([...weightsOf(state, members).values()]).toEqual([256, 256, 256]);
  });

  it('fit the switch, however large the configured ones are', () => {
    const { weights } = steered([0.9, 0.1], [65_535, 65_535], {}, 3_600_000);
    expect(Math.max(...weights)).toBeLessThanOrEqual(65_535);
    expect(weights[1]! / weights[0]!).toBeGreaterThan(100);
  });
});

describe('a controller that starts anew', () => {
  it('goes on with the weights that there were, and with nothing else', () => {
    const { state, weights } = steered([0.9, 0.3, 0.3]);
    const next = createLoadWeights(loadDefaults, 0);
    restoreFactors(next, factorsOf(state));
    expect([...weightsOf(next, membersOf(1, 1, 1)).values()]).toEqual(weights);
    expect(adjust(next, membersOf(1, 1, 1), 60_000)).toBe(false);
  });

  it('is not led beyond its own range', () => {
    const next = createLoadWeights({ ...loadDefaults, range: 2 }, 0);
    restoreFactors(next, new Map([['b0', 9]]));
    expect(weightsOf(next, membersOf(1, 1)).get('b0')).toBe(2 * WEIGHT_UNITS);
  });
});

describe('whatever the loads are', () => {
  const story = fc.array(
    fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { minLength: 4, maxLength: 4 }),
    {
      minLength: 5,
      maxLength: 60,
    },
  );

  it('weights keep their range, their pace and their distance in time', () => {
    fc.assert(
      fc.property(story, (readings) => {
        const state = createLoadWeights(loadDefaults, 0);
        const members = membersOf(1, 2, 1, 3);
        let changedAt = Number.NEGATIVE_INFINITY;
        let before = weightsOf(state, members);
        readings.forEach((loads, i) => {
          const now = i * loadDefaults.intervalMs;
          noteLoads(state, loadsOf(...loads), now);
          if (!adjust(state, members, now)) return;
          expect(now - changedAt).toBeGreaterThanOrEqual(loadDefaults.minIntervalMs);
          changedAt = now;
          const after = weightsOf(state, members);
          for (const { name, weight } of members) {
            const factor = after.get(name)! / (weight * WEIGHT_UNITS);
            // Centring may add as much as the others stepped; and weights are whole numbers.
            const pace = after.get(name)! / before.get(name)!;
            const most = (1 + loadDefaults.stepMax) ** 2 * 1.1;
            expect(factor).toBeLessThan(loadDefaults.range ** 2);
            expect(pace).toBeLessThan(most);
            expect(pace).toBeGreaterThan(1 / most);
          }
          before = after;
        });
      }),
    );
  });
});

/**
 * How an error of a loop develops whose readings are late by a whole number of periods, and exact: its size after many periods over that of the
 * beginning. Nothing of the controller but its gain is left.
 */
function growth(gain: number, delayPeriods: number): number {
  const options: LoadOptions = {
    ...loadDefaults,
    intervalMs: 1_000,
    minIntervalMs: 1_000,
    smoothingMs: 1e-3,
    lagMs: 1e-3,
    deadBand: 0,
    stepMax: 1e9,
    range: 1e9,
    gain,
  };
  const state = createLoadWeights(options, 0);
  const members = membersOf(1, 1);
  // So small that a logarithm is a straight line; the mean adds its share to both.
  const nudge = 1e-9;
  const past: [number, number][] = [];
  const errors: number[] = [];
  for (let period = 0; period < 220; period++) {
    const wanted = members.map(({ name }) => state.backends.get(name)?.wanted ?? 0);
    past.push([Math.exp(nudge + (wanted[0] ?? 0)), Math.exp(-nudge + (wanted[1] ?? 0))]);
    const seen = past[Math.max(0, period - delayPeriods)]!;
    errors.push(Math.abs(Math.log(past.at(-1)![0] / past.at(-1)![1])));
    noteLoads(state, loadsOf(...seen), period * 1_000);
    adjust(state, members, period * 1_000);
  }
  const most = (from: number, to: number) => Math.max(...errors.slice(from, to));
  return most(180, 220) / most(60, 100);
}

describe('the gain', () => {
  // The share that LEAST_SHARE takes of an error: ln(load + 0.05 mean) is flatter by this.
  const slope = 1 / 1.05;

  it.each([0, 1, 2, 3, 5, 8])(
    'is stable below 2 sin(pi / (4 d + 2)) with a delay of d = %d periods, and not above',
    (delay) => {
      const limit = (2 * Math.sin(Math.PI / (4 * delay + 2))) / slope;
      expect(growth(0.95 * limit, delay)).toBeLessThan(0.9);
      expect(growth(1.05 * limit, delay)).toBeGreaterThan(1.1);
    },
  );
});
