// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterFall, afterTime, dampingDefaults, penaltyAt, reusableAt, undamped } from './flap-damping.ts';
import {
  afterOutcome,
  createHealth,
  type FailureReason,
  type Health,
  type HealthOptions,
  healthDefaults,
  nextProbeIn,
  type ProbeOutcome,
  verdictOf,
} from './health.ts';

const passed: ProbeOutcome = { kind: 'passed', latencyMs: 1 };
const failed = (reason: FailureReason): ProbeOutcome => ({ kind: 'failed', reason, detail: reason });
const letters: Readonly<Record<string, ProbeOutcome>> = {
  p: passed,
  r: failed('refused'),
  s: failed('silent'),
  w: failed('wrong'),
  v: { kind: 'void', detail: 'no socket' },
};

/** One outcome a second. */
function after(
  outcomes: string,
  options: Partial<HealthOptions> = {},
): { health: Health; options: HealthOptions } {
  const all = { ...healthDefaults, damping: undefined, ...options };
  let health = createHealth(0);
  [...outcomes].forEach((letter, i) => {
    health = afterOutcome(health, letters[letter]!, i * 1_000, all);
  });
  return { health, options: all };
}

function verdict(outcomes: string, isDraining = false, options: Partial<HealthOptions> = {}): string {
  const result = after(outcomes, options);
  return `${result.health.state} ${verdictOf(result.health, isDraining, result.options)}`;
}

describe('a backend', () => {
  it.each([
    ['is believed to be well until it was asked', '', 'unknown trusted'],
    ['is up with its first pass', 'p', 'up trusted'],
    ['is down with its first failure', 'r', 'down dead'],
    ['that was up survives two failures', 'prr', 'up trusted'],
    ['that was up is down with the third', 'prrr', 'down dead'],
    ['has its failures counted anew after a pass', 'prrprr', 'up trusted'],
    ['that was dead is so until it is up: one pass may be luck', 'rp', 'down dead'],
    ['that passed once is not refused any more when it fails otherwise', 'rpw', 'down avoided'],
    ['that was down is up with the second', 'rpp', 'up trusted'],
    ['does not suffer from what we could not ask', 'prrvvvv', 'up trusted'],
    ['with wrong answers is avoided, however long', 'w'.repeat(60), 'down avoided'],
    ['that is silent is avoided at first', 'psss', 'down avoided'],
    ['that is silent for long is dead', `p${'s'.repeat(11)}`, 'down dead'],
    ['that is silent but for one answer starts anew', `p${'s'.repeat(9)}w${'s'.repeat(9)}`, 'down avoided'],
    [
      'that is silent but for one pass starts anew, too',
      `p${'s'.repeat(9)}p${'s'.repeat(9)}`,
      'down avoided',
    ],
    ['that is silent is not dead for what we could not ask', `ps${'v'.repeat(20)}ss`, 'down avoided'],
    ['that refused once, long ago, is not dead for that', 'prpsss', 'down avoided'],
    ['that refuses once while it is silent has nobody who listens', 'psrs', 'down dead'],
    ['that gives wrong answers after it was dead is avoided', 'prrrw', 'down avoided'],
  ])('%s', (_sentence, outcomes, expected) => {
    expect(verdict(outcomes)).toBe(expected);
  });

  it('that is being drained may stop listening: its old connections go on', () => {
    expect(verdict('prrrrrr', true)).toBe('down avoided');
    expect(verdict(`p${'s'.repeat(11)}`, true)).toBe('down dead');
  });

  it('is not dead for the time that we were away, in whichever gap of its silence', () => {
    for (const gap of [1, 2, 3]) {
      let health = createHealth(0);
      [...'psss'].forEach((letter, i) => {
        health = afterOutcome(health, letters[letter]!, i * 1_000 + (i >= gap ? 60_000 : 0), healthDefaults);
      });
      expect(health.state).toBe('down');
      expect(verdictOf(health, false, healthDefaults)).toBe('avoided');
    }
  });

  it('changes its state only by as many answers in a row as it takes, whatever they are', () => {
    const outcomes = fc.string({ unit: fc.constantFrom(...Object.keys(letters)), maxLength: 60 });
    fc.assert(
      fc.property(
        outcomes,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        (text, rise, fall) => {
          const { health } = after(text, { rise, fall });
          // Told anew by other means: the runs of the text that count, void ones left out.
          let state = 'unknown';
          for (const [run] of text.replaceAll('v', '').matchAll(/p+|[^p]+/g)) {
            const isPass = run.startsWith('p');
            if (state === 'unknown' || run.length >= (isPass ? rise : fall)) state = isPass ? 'up' : 'down';
          }
          expect(health.state).toBe(state);
        },
      ),
    );
  });

  it('is asked again after about an interval', () => {
    const options = { ...healthDefaults, intervalMs: 2_000, jitter: 0.25 };
    expect([0, 0.5, 1].map((dice) => nextProbeIn(options, dice))).toEqual([1_500, 2_000, 2_500]);
  });
});

describe('a backend that flaps', () => {
  const cycle = 'rrrpp';

  it('is held out with its third fall, and trusted again when it was quiet', () => {
    const damping = dampingDefaults;
    expect(verdict(`p${cycle}${cycle}`, false, { damping })).toBe('up trusted');
    const third = `p${cycle}${cycle}${cycle}`;
    expect(verdict(third, false, { damping })).toBe('up avoided');
    expect(verdict(third + 'p'.repeat(200), false, { damping })).toBe('up avoided');
    expect(verdict(third + 'p'.repeat(260), false, { damping })).toBe('up trusted');
  });

  it('is dead while it is down, held out or not', () => {
    expect(verdict(`p${cycle}${cycle}${cycle}rrr`, false, { damping: dampingDefaults })).toBe('down dead');
  });
});

describe('a penalty', () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 600_000 }), { minLength: 1, maxLength: 50 });

  it('halves in a half-life', () => {
    const damping = afterFall(undamped, 0, dampingDefaults);
    expect(penaltyAt(damping, dampingDefaults.halfLifeMs, dampingDefaults)).toBe(500);
  });

  it('never keeps a backend out for longer than the limit after its last fall', () => {
    fc.assert(
      fc.property(gaps, (times) => {
        let now = 0;
        let damping = undamped;
        for (const gap of times) {
          now += gap;
          damping = afterFall(afterTime(damping, now, dampingDefaults), now, dampingDefaults);
        }
        const { suppressMaxMs } = dampingDefaults;
        expect(reusableAt(damping, dampingDefaults) - now).toBeLessThanOrEqual(suppressMaxMs + 1e-6);
        expect(afterTime(damping, now + suppressMaxMs + 1, dampingDefaults).isSuppressed).toBe(false);
      }),
    );
  });

  it('suppresses above the one limit and reuses below the other: in between nothing changes', () => {
    fc.assert(
      fc.property(gaps, (times) => {
        let now = 0;
        let damping = undamped;
        for (const gap of times) {
          now += gap;
          const aged = afterTime(damping, now, dampingDefaults);
          if (aged.isSuppressed !== damping.isSuppressed)
            expect(penaltyAt(damping, now, dampingDefaults)).toBeLessThanOrEqual(
              dampingDefaults.reuseBelow + 1e-6,
            );
          damping = afterFall(aged, now, dampingDefaults);
          if (damping.isSuppressed !== aged.isSuppressed)
            expect(damping.penalty).toBeGreaterThan(dampingDefaults.suppressAbove);
        }
      }),
    );
  });
});
