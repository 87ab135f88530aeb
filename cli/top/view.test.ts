// SPDX-License-Identifier: Apache-2.0
/** What `evenkeel top` shows, on screens of several sizes. */
import { describe, expect, it } from 'vitest';
import type { ControllerStatus } from '../../controller/adapters/http/admin.ts';
import { busyStatus } from '../testing/screen.ts';
import { asciiGlyphs, bar, curve, glyphsFor, unicodeGlyphs } from './glyphs.ts';
import { curveMax, nextRates, type Rates } from './rates.ts';
import { initialSettings, type Settings } from './settings.ts';
import { paint } from './text.ts';
import { topLayout, type View } from './view.ts';

/** The same controller, later: `packets` more for its first backend, half of them for its second. */
function later(status: ControllerStatus, seconds: number, packets: number): ControllerStatus {
  const { traffic, notices } = status.switch;
  const more = (count = { packets: 0, bytes: 0 }, add: number) => ({
    packets: count.packets + add,
    bytes: count.bytes + add * 1_000,
  });
  return {
    ...status,
    date: new Date(Date.parse(status.date) + seconds * 1_000).toISOString(),
    switch: {
      ...status.switch,
      notices: { ...notices, received: notices.received + packets / 10 },
      traffic: {
        ...traffic!,
        decisions: { ...traffic!.decisions, new: more(traffic!.decisions.new, packets / 100) },
        pools: { 1: more(traffic!.pools[1], packets * 1.5) },
        backends: { 1: more(traffic!.backends[1], packets), 2: more(traffic!.backends[2], packets / 2) },
      },
    },
  };
}

const health: ControllerStatus['health'] = [
  {
    pool: 'web',
    check: 'tcp',
    isPanicking: false,
    backends: [
      {
        ...{ backend: 'web-1', state: 'up', stateMs: 5_000, verdict: 'trusted', verdictMs: 5_000 },
        ...{ failure: undefined, latencyMs: 3, problem: undefined, penalty: 0, suppressedMs: undefined },
      },
      {
        ...{ backend: 'web-2', state: 'down', stateMs: 9_000, verdict: 'dead', verdictMs: 8_000 },
        ...{
          failure: 'refused',
          latencyMs: undefined,
          problem: undefined,
          penalty: 0,
          suppressedMs: undefined,
        },
      },
    ],
  },
];

const steps = [100, 200, 400, 800, 400, 1_600];
const looks: ControllerStatus[] = [{ ...busyStatus, health }];
for (const packets of steps) looks.push(later(looks.at(-1)!, 1, packets));
const rates = looks.reduce<Rates | undefined>((before, status) => nextRates(before, status), undefined)!;
const view = (settings: Partial<Settings> = {}, more: Partial<View> = {}): View => ({
  status: looks.at(-1)!,
  rates,
  settings: { ...initialSettings, ...settings },
  glyphs: unicodeGlyphs,
  columns: 132,
  rows: undefined,
  problem: undefined,
  ...more,
});
const textOf = (of: View, mode: 'plain' | 'monochrome' | 'colour' = 'plain'): string =>
  topLayout(of)
    .lines.map((line) => paint(line, mode))
    .join('\n');

describe('the page of top', () => {
  it('shows everything where there is room', () => {
    expect(textOf(view())).toMatchSnapshot();
  });

  it('does with ASCII', () => {
    const text = textOf(view({}, { glyphs: asciiGlyphs }));
    expect(text).toMatchSnapshot();
    expect(text).toMatch(/^[\n -~]*$/);
  });

  it.each([80, 60, 40, 20, 1])('leaves columns out and cuts lines at %i columns', (columns) => {
    const lines = textOf(view({}, { columns, rows: 12 })).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    if (columns >= 40) expect(lines.join('\n')).toMatchSnapshot();
  });

  it.each([1, 2, 5, 8, 12, 40])('has exactly as many lines as a screen of %i rows', (rows) => {
    expect(topLayout(view({}, { rows })).lines).toHaveLength(rows);
  });

  it('scrolls to the end and no further', () => {
    const { lines, scrollMax } = topLayout(view({ scroll: 99 }, { rows: 10 }));
    expect(scrollMax).toBeGreaterThan(0);
    expect(lines.map((line) => paint(line, 'plain')).at(-2)).toMatch(/web-2/);
  });

  it('says all that colours say without them', () => {
    const plain = textOf(view());
    expect(plain).not.toContain('\x1b');
    for (const words of ['● active', '◐ draining', 'dead 8.0 s', 'slots for 250 ms'])
      expect(plain).toContain(words);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what is looked for
    expect(textOf(view(), 'monochrome')).not.toMatch(/\x1b\[3\d|\x1b\[1;3/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
    expect(textOf(view(), 'colour').replaceAll(/\x1b\[[\d;]*m/g, '')).toBe(plain);
  });

  it.each<[Settings['sort'], boolean, string[]]>([
    ['order', false, ['web-1', 'web-2']],
    ['order', true, ['web-2', 'web-1']],
    ['state', false, ['web-2', 'web-1']],
    ['health', false, ['web-2', 'web-1']],
    ['packets', false, ['web-1', 'web-2']],
    ['packets', true, ['web-2', 'web-1']],
    ['pins', false, ['web-2', 'web-1']],
    ['name', true, ['web-2', 'web-1']],
  ])('sorts by %s, reversed %s', (sort, isReversed, names) => {
    expect(textOf(view({ sort, isReversed })).match(/web-\d(?= {2})/g)).toEqual(names);
  });

  it('shows help, one vip, a pause, and that nobody answers', () => {
    expect(textOf(view({ showsHelp: true }))).toContain('Tab  Shift-Tab');
    expect(textOf(view({ pool: 'dns' }))).toContain("there is no vip 'dns'");
    expect(textOf(view({ isPaused: true }))).toContain('PAUSED');
    expect(textOf(view({}, { problem: 'no controller answers' }))).toContain('! no controller answers');
  });

  it('lets no name move the cursor', () => {
    const status = structuredClone(looks.at(-1)!);
    (status.engine.pools[0]! as { name: string }).name = 'w\x1b[2Jeb\r';
    expect(textOf(view({}, { status }))).toContain('w?[2Jeb?');
  });
});

describe('rates', () => {
  it('are differences, by the time at which the counters were read', () => {
    expect(rates.perSecond.get('backend 1')).toEqual({
      packets: 1_600,
      bytes: 1_600_000,
      curve: [undefined, 100_000, 200_000, 400_000, 800_000, 400_000, 1_600_000],
    });
    expect(rates).toMatchObject({ noticesPerSecond: 160, admittedPerSecond: 16 });
    const aged = { ...busyStatus, switch: { ...busyStatus.switch, trafficAgeMs: 500 } };
    const fresh = later(aged, 1, 300);
    // Read 1.5 s later, told 1 s later.
    const told = nextRates(nextRates(undefined, aged), {
      ...fresh,
      switch: { ...fresh.switch, trafficAgeMs: 0 },
    });
    expect(told.perSecond.get('backend 1')?.packets).toBe(200);
  });

  it('stay while the counters have not been read again', () => {
    const again = { ...later(looks.at(-1)!, 0.5, 0) };
    const told = nextRates(rates, { ...again, switch: { ...again.switch, trafficAgeMs: 500 } });
    expect(told.perSecond).toBe(rates.perSecond);
  });

  it('are unknown where a switch counts anew, and at first', () => {
    expect(nextRates(undefined, busyStatus).perSecond.get('backend 1')?.packets).toBeUndefined();
    const restarted = later(busyStatus, 20, 0);
    const told = nextRates(rates, restarted);
    expect(told.perSecond.get('backend 1')).toMatchObject({ packets: undefined });
  });

  it('forget', () => {
    const long = Array.from({ length: 2 * curveMax }).reduce<Rates | undefined>(
      (before, _, second) => nextRates(before, later(busyStatus, second, second)),
      undefined,
    )!;
    expect(long.noticesCurve).toHaveLength(curveMax);
    expect(long.perSecond.get('backend 1')!.curve).toHaveLength(curveMax);
  });
});

describe('glyphs', () => {
  it('make bars with a mark where they should end', () => {
    expect(bar(0.5, 0.5, 8, unicodeGlyphs)).toBe('████····');
    expect(bar(0.75, 0.25, 8, unicodeGlyphs)).toBe('█│████··');
    expect(bar(0.25, 1, 8, unicodeGlyphs)).toBe('██·····│');
    expect(bar(0.5, 0, 8, asciiGlyphs)).toBe('|###....');
    expect(bar(7, -1, 4, asciiGlyphs)).toBe('|###');
  });

  it('make curves as high as the highest', () => {
    expect(curve([undefined, 0, 1, 7], 6, unicodeGlyphs)).toBe('   ▁▂█');
    expect(curve([1, 2, 3], 2, unicodeGlyphs)).toBe('▆█');
    expect(curve([0, 0], 2, asciiGlyphs)).toBe('__');
    expect(curve([], 2, asciiGlyphs)).toBe('  ');
  });

  it('are those of the locale', () => {
    expect(glyphsFor({ LANG: 'en_GB.UTF-8' })).toBe(unicodeGlyphs);
    expect(glyphsFor({ LC_ALL: 'C', LANG: 'en_GB.UTF-8' })).toBe(asciiGlyphs);
    expect(glyphsFor({})).toBe(asciiGlyphs);
    expect(glyphsFor({ LANG: 'C.utf8', TERM: 'linux' })).toBe(asciiGlyphs);
  });
});
