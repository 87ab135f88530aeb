// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dampingDefaults } from './flap-damping.ts';
import {
  type FailureReason,
  type HealthOptions,
  healthDefaults,
  isWell,
  nextProbeIn,
  type ProbeOutcome,
} from './health.ts';
import {
  createPoolHealth,
  type HealthChange,
  noteOutcome,
  type PoolHealth,
  setMembers,
} from './pool-health.ts';
import { Dice } from './testing/dice.ts';

const passed: ProbeOutcome = { kind: 'passed', latencyMs: 1 };
const failed = (reason: FailureReason): ProbeOutcome => ({ kind: 'failed', reason, detail: reason });

const options: HealthOptions = { ...healthDefaults, damping: undefined };

function poolOf(count: number, own: Partial<HealthOptions> = {}): PoolHealth {
  const pool = createPoolHealth({ ...options, ...own });
  const wishes = Array.from({ length: count }, (_, i) => ({ name: `b${i}`, isDraining: false, weight: 1 }));
  setMembers(pool, wishes, pool.options, 0);
  return pool;
}

function tell(pool: PoolHealth, outcome: ProbeOutcome, ...names: string[]): HealthChange[] {
  return names.flatMap((name) => noteOutcome(pool, name, outcome, 0));
}

const verdicts = (pool: PoolHealth) => [...pool.members.values()].map(({ verdict }) => verdict).join(' ');

describe('a pool', () => {
  it('puts out who is dead, and says so once', () => {
    const pool = poolOf(3);
    tell(pool, passed, 'b0', 'b1', 'b2');
    const changes = [1, 2, 3, 4, 5].flatMap(() => tell(pool, failed('refused'), 'b1'));
    expect(changes).toMatchObject([{ kind: 'verdict', member: { wish: { name: 'b1' } }, before: 'trusted' }]);
    expect(verdicts(pool)).toBe('trusted dead trusted');
  });

  it('trusts none of its checks when fewer than the floor are left, and all of them again afterwards', () => {
    const pool = poolOf(4);
    for (const name of ['b0', 'b1', 'b2', 'b3']) tell(pool, passed, name);
    for (const name of ['b0', 'b1']) for (let i = 0; i < 3; i++) tell(pool, failed('refused'), name);
    expect(verdicts(pool)).toBe('dead dead trusted trusted');
    const changes = [1, 2, 3].flatMap(() => tell(pool, failed('wrong'), 'b2'));
    expect(changes[0]).toEqual({ kind: 'panic', isPanicking: true, trusted: 1, counted: 4 });
    expect(verdicts(pool)).toBe('trusted trusted trusted trusted');
    tell(pool, passed, 'b2');
    tell(pool, passed, 'b2');
    expect(pool.isPanicking).toBe(false);
    expect(verdicts(pool)).toBe('dead dead trusted trusted');
  });

  it('does not count backends without weight, and those that leave', () => {
    const pool = createPoolHealth(options);
    const wish = (name: string, isDraining: boolean, weight: number) => ({ name, isDraining, weight });
    setMembers(pool, [wish('b0', false, 1), wish('b1', true, 1), wish('b2', false, 0)], options, 0);
    expect([pool.counted, pool.trusted, pool.well]).toEqual([1, 1, 1]);
  });

  it('remembers a backend whose weight changes, and forgets one that was gone', () => {
    const pool = poolOf(2);
    tell(pool, failed('refused'), 'b0');
    expect(verdicts(pool)).toBe('dead trusted');
    const wishes = ['b0', 'b1'].map((name) => ({ name, isDraining: false, weight: 9 }));
    setMembers(pool, wishes, options, 0);
    expect(verdicts(pool)).toBe('dead trusted');
    setMembers(pool, wishes.slice(1), options, 0);
    setMembers(pool, wishes, options, 0);
    expect(verdicts(pool)).toBe('trusted trusted');
  });
});

/** What every change of a pool may be, at random. */
const story = fc.record({
  size: fc.integer({ min: 1, max: 12 }),
  floor: fc.constantFrom(0, 0.3, 0.5, 0.9, 1),
  seed: fc.integer(),
  steps: fc.integer({ min: 1, max: 200 }),
});

function play(
  { size, floor, seed, steps }: { size: number; floor: number; seed: number; steps: number },
  look: (pool: PoolHealth) => void,
): void {
  const dice = new Dice(seed);
  const pool = poolOf(size, { floor, damping: dampingDefaults });
  const names = [...pool.members.keys()];
  for (let now = 0; now < steps * 300; now += 300) {
    if (dice.chance(0.03)) {
      const wishes = names
        .filter(() => dice.chance(0.8))
        .map((name) => ({ name, isDraining: dice.chance(0.2), weight: dice.integer(0, 2) }));
      setMembers(pool, wishes, pool.options, now);
    }
    const outcome = dice.chance(0.5)
      ? passed
      : failed(dice.pick(['refused', 'silent', 'slow', 'closed', 'wrong'] as const));
    noteOutcome(pool, dice.pick(names), outcome, now);
    look(pool);
  }
}

const counts = (pool: PoolHealth) =>
  [...pool.members.values()].filter(({ wish }) => !wish.isDraining && wish.weight > 0);

describe('whatever happens to a pool', () => {
  it('its counts are right', () => {
    fc.assert(
      fc.property(story, (told) => {
        play(told, (pool) => {
          const counted = counts(pool);
          expect([pool.counted, pool.trusted, pool.well]).toEqual([
            counted.length,
            counted.filter(({ own }) => own === 'trusted').length,
            counted.filter(({ health }) => isWell(health)).length,
          ]);
        });
      }),
    );
  });

  it('never are fewer than the floor left, though some may be dead', () => {
    fc.assert(
      fc.property(story, (told) => {
        play(told, (pool) => {
          const counted = counts(pool);
          const left = counted.filter(({ verdict }) => verdict === 'trusted').length;
          expect(left).toBeGreaterThanOrEqual(counted.length * told.floor);
        });
      }),
    );
  });

  it('nobody is put out whose own checks are content', () => {
    fc.assert(
      fc.property(story, (told) => {
        play(told, (pool) => {
          for (const { own, verdict } of pool.members.values())
            if (own === 'trusted') expect(verdict).toBe('trusted');
        });
      }),
    );
  });
});

/** Every backend is asked at its own times; from `cutAt` to `mendAt` none can be reached. */
function outage(
  seed: number,
  size: number,
  own: Partial<HealthOptions>,
): PoolHealth & { changes: HealthChange[] } {
  const dice = new Dice(seed);
  const pool = poolOf(size, own);
  const [cutAt, mendAt, end] = [10_000, 60_000, 90_000];
  const due = [...pool.members.keys()].map((name) => ({
    name,
    at: dice.between(0, pool.options.intervalMs),
  }));
  const changes: HealthChange[] = [];
  for (;;) {
    const next = due.reduce((first, other) => (other.at < first.at ? other : first));
    if (next.at > end) return { ...pool, changes };
    const isCut = next.at >= cutAt && next.at < mendAt;
    // A failure is known only when it has been waited for.
    const answeredAt = next.at + (isCut ? pool.options.timeoutMs : 1);
    changes.push(...noteOutcome(pool, next.name, isCut ? failed('silent') : passed, answeredAt));
    next.at += nextProbeIn(pool.options, dice.next());
  }
}

describe('when the controller is cut off from a pool', () => {
  it('nobody is put out, neither then nor when it can be reached again', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 60 }), (seed, size) => {
        const { changes } = outage(seed, size, { timeoutMs: 900, damping: dampingDefaults });
        expect(changes.filter(({ kind }) => kind === 'verdict')).toEqual([]);
        expect(changes.map(({ kind }) => kind)).toEqual(['panic', 'panic']);
      }),
      { numRuns: 50 },
    );
  });

  it('all are put out where there is no floor: the test above would see it', () => {
    const { changes } = outage(1, 10, { timeoutMs: 900, floor: 0 });
    expect(changes.filter(({ kind }) => kind === 'verdict').length).toBeGreaterThanOrEqual(20);
  });
});
