// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { fillingKeeper } from './book/filling-keeper.ts';
import type { Config } from './config/config.ts';
import { parseConfig } from './config/parse.ts';
import type { Desired } from './core/desired.ts';
import type { FillingNote } from './core/filling.ts';
import { ManualClock } from './group/testing/manual-clock.ts';
import { type FillRules, Lifecycle } from './lifecycle.ts';
import { entryBytesMax } from './ports/store.ts';
import { MemoryBook } from './testing/memory-book.ts';

/** @param line  of the vip, with its indent and line break, or '' */
const textOf = (line: string, ...backends: string[]): string => `network:
  interfaces: [{ port: 2, address: 10.0.2.1/24 }]
vips:
  - name: web
    address: 10.0.1.100
    port: 80
${line}    backends:
${backends.map((line, i) => `      - { name: b${i + 1}, address: 10.0.2.${i + 11}${line} }`).join('\n')}
`;

function configOf(slowStart: string, ...backends: string[]): Config {
  const parsed = parseConfig(textOf(slowStart, ...backends));
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

const slow = '    slow_start: 30s\n';
const trusting: FillRules = { isTrusted: () => true, mayFill: () => true };

function followed(...configs: Config[]) {
  const clock = new ManualClock();
  const lines: string[] = [];
  let told = 0;
  const kept = new Map<string, string>();
  const stores: MemoryBook[] = [];
  let isLeading = true;
  const begin = (): Lifecycle =>
    new Lifecycle({
      clock,
      isLeading: () => isLeading,
      openFilling: () => {
        stores.push(new MemoryBook(kept));
        return stores.at(-1)!;
      },
      log: (_, message, fields, topic) => lines.push(`${topic} ${fields?.backend}: ${message}`),
      onChange: () => told++,
    });
  let config = configs[0] ?? configOf('', '');
  let lifecycle = begin();
  const follow = (next: Config): void => {
    config = next;
    lifecycle.follow(next);
  };
  const standing = (): Desired => {
    const pools = config.desired.pools.map((pool) => ({
      ...pool,
      backends: pool.backends.map((b) => ({ ...b, state: lifecycle.wishOf(pool.name, b) })),
    }));
    return { ...config.desired, pools };
  };
  const wanted = (rules = trusting): string =>
    lifecycle
      .filled(standing(), rules)
      .pools[0]!.backends.map(({ state, weight }) => `${state} ${weight}`)
      .join(', ');
  for (const one of configs) {
    follow(one);
    wanted();
  }
  return {
    clock,
    lines,
    follow,
    wanted,
    told: () => told,
    status: () => lifecycle.status()[0]!.backends,
    kept,
    lead: () => lifecycle.takeOver(),
    written: () => stores.flatMap(({ writes }) => writes).length,
    /** As main.ts does: another configuration may be found, and is looked at before anybody leads. */
    async beginAnew(found: Config = config) {
      await lifecycle.close();
      config = found;
      isLeading = false;
      lifecycle = begin();
      lifecycle.follow(config);
      wanted();
      isLeading = true;
      await lifecycle.takeOver();
    },
  };
}

describe('the deadline of a drain', () => {
  const due = ', state: draining, drain_deadline: 1970-01-01T00:10:00Z';

  it('leads to disabled, once, and is told', () => {
    const { clock, lines, wanted, told, status } = followed(configOf('', due, ''));
    expect(wanted()).toBe('draining 1, active 1');
    clock.pass(599_000);
    expect(told()).toBe(0);
    expect(status()[0]).toMatchObject({ wish: 'draining', deadlineMs: 1_000 });
    clock.pass(1_000);
    expect(told()).toBe(1);
    expect(wanted()).toBe('disabled 1, active 1');
    expect(status()[0]).toMatchObject({ wish: 'draining', deadlineMs: 0 });
    clock.pass(3_600_000);
    expect(told()).toBe(1);
    expect(lines).toEqual(['backend b1: the deadline of a drain has passed: what is left is given up']);
  });

  it('is the same for a controller that is started later', async () => {
    const { clock, lines, wanted, beginAnew } = followed(configOf('', due, ''));
    clock.pass(300_000);
    await beginAnew();
    expect(wanted()).toBe('draining 1, active 1');
    clock.pass(301_000);
    await beginAnew();
    expect(wanted()).toBe('disabled 1, active 1');
    expect(lines).toHaveLength(1);
  });

  it('may be put off, and ends with the drain', () => {
    const { clock, follow, wanted } = followed(configOf('', due, ''));
    clock.pass(700_000);
    follow(configOf('', due.replace('00:10', '00:20'), ''));
    expect(wanted()).toBe('draining 1, active 1');
    clock.pass(700_000);
    expect(wanted()).toBe('disabled 1, active 1');
    follow(configOf('', '', ''));
    expect(wanted()).toBe('active 1, active 1');
  });
});

describe('a vip with slow start', () => {
  it('fills who joins, tells each step, and then leaves weights as they are', () => {
    const { clock, lines, wanted, told, status, follow } = followed(configOf(slow, '', ', weight: 2'));
    expect(wanted()).toBe('active 1, active 2');
    clock.pass(100_000);
    follow(configOf(slow, '', ', weight: 2', ''));
    const steps = [wanted()];
    expect(status()[2]).toMatchObject({ share: 0.1, fillMs: 30_000 });
    for (let before = told(); steps.length < 10; before = told()) {
      clock.pass(10_000);
      if (told() === before) break;
      steps.push(wanted());
    }
    expect(steps).toEqual([
      'active 256, active 512, active 26',
      'active 256, active 512, active 102',
      'active 256, active 512, active 179',
      'active 1, active 2, active 1',
    ]);
    expect(lines).toEqual([
      'backend b3: a backend fills: it gets a part of its weight at first',
      'backend b3: a backend has its whole weight',
    ]);
  });

  it('fills nobody while the checks are not trusted: all are needed', () => {
    const { wanted, follow } = followed(configOf(slow, '', ''));
    follow(configOf(slow, '', '', ''));
    expect(wanted({ ...trusting, mayFill: () => false })).toBe('active 1, active 1, active 1');
  });

  it('hands a seat over: what the new one does not take stays with the one that drains', () => {
    const { clock, follow, wanted } = followed(configOf(slow, '', ''));
    follow(configOf(slow, ', state: draining', '', ', replaces: b1'));
    expect(wanted()).toBe('active 230, active 256, active 26');
    expect(wanted({ ...trusting, isTrusted: (_, name) => name !== 'b1' })).toBe(
      'draining 256, active 256, active 26',
    );
    clock.pass(30_000);
    expect(wanted()).toBe('draining 1, active 1, active 1');
    // One that comes back is not handed the seat a second time.
    follow(configOf(slow, ', state: draining', '', ', state: down, replaces: b1'));
    wanted();
    follow(configOf(slow, ', state: draining', '', ', replaces: b1'));
    expect(wanted()).toBe('draining 256, active 256, active 26');
  });

  it.each([
    ["slow_start: '30'", "slow_start: '30' is not a duration"],
    ['slow_start: 0s', "slow_start: '0s' is out of range"],
    ['slow_start: { window: 30s, from: 0% }', 'slow_start: from: 0% is out of range'],
    ['slow_start: { window: 30s, to: 1 }', "slow_start: 'to' is not known here; expected window and from"],
    ['slow_start: { from: 10% }', 'slow_start: window: '],
  ])('%s is refused, with its place', (line, words) => {
    const parsed = parseConfig(textOf(`    ${line}\n`, '', ''));
    const problems = 'problems' in parsed ? parsed.problems : [];
    expect(
      problems.map(({ line, path, wrong, right }) => [line, `${path}: ${wrong}; expected ${right}`]),
    ).toEqual([[7, expect.stringContaining(`vips[0].${words}`)]]);
  });
});

describe('a controller that is started anew, or takes over', () => {
  const three = configOf(slow, '', '', '');
  const whole = 'active 1, active 1, active 1';

  /** Of three backends the last has just begun to fill. */
  async function filling() {
    const all = followed();
    all.clock.pass(1_000_000);
    all.follow(configOf(slow, '', ''));
    await all.lead();
    all.wanted();
    all.clock.pass(100_000);
    all.follow(three);
    expect(all.wanted()).toBe('active 256, active 256, active 26');
    return all;
  }

  it('goes on filling where the one before was, to the same end, and says so', async () => {
    const { clock, lines, wanted, beginAnew } = await filling();
    for (const weights of ['26', '102', '179'].map((weight) => `active 256, active 256, active ${weight}`)) {
      await beginAnew();
      expect(wanted()).toBe(weights);
      clock.pass(10_000);
    }
    await beginAnew();
    expect(wanted()).toBe(whole);
    expect(lines).toEqual([
      'backend b3: a backend fills: it gets a part of its weight at first',
      ...Array(3).fill('backend undefined: backends go on filling where they were'),
      'backend b3: a backend has its whole weight',
    ]);
  });

  it('goes on with a seat that is handed over', async () => {
    const { follow, wanted, beginAnew } = await filling();
    follow(configOf(slow, ', state: draining', '', '', ', replaces: b1'));
    const weights = 'active 230, active 256, active 26, active 26';
    expect(wanted()).toBe(weights);
    await beginAnew();
    expect(wanted()).toBe(weights);
  });

  it('fills who has come while nobody was there', async () => {
    const { clock, wanted, beginAnew } = await filling();
    clock.pass(30_000);
    expect(wanted()).toBe(whole);
    clock.pass(60_000);
    await beginAnew(configOf(slow, '', '', '', ''));
    expect(wanted()).toBe('active 256, active 256, active 256, active 26');
  });

  it('knows nobody who is new where nothing was kept: whole weights at once', async () => {
    const { kept, wanted, beginAnew } = await filling();
    await beginAnew();
    kept.clear();
    await beginAnew();
    expect(wanted()).toBe(whole);
  });

  it('does not go on by another window', async () => {
    const { wanted, beginAnew } = await filling();
    await beginAnew(configOf('    slow_start: 60s\n', '', '', ''));
    expect(wanted()).toBe(whole);
  });

  it('does not read what is no note of its own', async () => {
    for (const text of [
      '{',
      '{}',
      '{"format":2,"windowMs":30000,"from":0.1,"inUse":{"b1":0,"b2":0},"predecessors":{}}',
    ]) {
      const { kept, wanted, beginAnew, lines } = await filling();
      await beginAnew();
      kept.set('web', text);
      await beginAnew();
      expect(wanted()).toBe(whole);
      expect(lines.at(-1)).toContain('who fills is not known from before');
    }
  });

  it('waits for no longer than the window when its clock is behind', async () => {
    const { clock, kept, wanted, beginAnew } = await filling();
    await beginAnew();
    kept.set('web', kept.get('web')!.replace(/"b3":\d+/, `"b3":${clock.now() + 3_600_000}`));
    await beginAnew();
    expect(wanted()).toBe('active 256, active 256, active 26');
    clock.pass(30_000);
    expect(wanted()).toBe(whole);
  });

  it('writes when somebody comes into use or goes, and not with the steps', async () => {
    const { clock, wanted, follow, written } = await filling();
    const look = async (): Promise<number> => {
      wanted();
      clock.pass(5_000);
      await new Promise(setImmediate);
      return written();
    };
    const before = await look();
    await look();
    expect(await look()).toBe(before);
    clock.pass(30_000);
    expect(await look()).toBe(before + 1);
    follow(configOf(slow, ', state: draining', '', ''));
    expect(await look()).toBe(before + 2);
    expect(await look()).toBe(before + 2);
  });

  it('keeps no more of the largest pool than a store takes', async () => {
    const names = Array.from({ length: 8_191 }, (_, i) => `${'x'.repeat(58)}${i}`);
    const note: FillingNote = {
      options: { windowMs: 3_600_000, from: 0.1 },
      begunAt: 1_700_000_000_000,
      inUse: new Map(names.map((name) => [name, 1_700_000_000_000])),
      predecessors: new Map(),
    };
    const store = new MemoryBook();
    const clock = new ManualClock();
    const keeper = fillingKeeper({ clock, log: () => {}, openStore: () => store });
    await keeper.open();
    keeper.keep(new Map([['web', note]]));
    expect(await keeper.flush()).toBeUndefined();
    expect(store.entries.get('web')!.length).toBeLessThan(entryBytesMax);
    expect(await keeper.open()).toEqual(new Map([['web', note]]));
  });
});

describe('what does not fit together', () => {
  it.each<[what: string, lines: string[], place: string, words: string]>([
    [
      'a deadline of one that does not drain',
      [', drain_deadline: 2026-05-01T12:00:00Z'],
      '9:57',
      'is of no use to one that is active; expected state: draining',
    ],
    [
      'a time without a zone',
      [", state: draining, drain_deadline: '2026-05-01T12:00:00'"],
      '9:74',
      'is not a time',
    ],
    ['one that replaces itself', [', replaces: b1'], '9:51', "'b1' replaces itself"],
    [
      'two that replace one',
      ['', ', replaces: b1', ', replaces: b1'],
      '11:51',
      "'b1' is replaced by another already (see 10:51)",
    ],
    ['one that replaces nobody', [', replaces: b9'], '9:51', "there is no backend of vip 'web' named 'b9'"],
  ])('is %s', (_, lines, place, words) => {
    const parsed = parseConfig(textOf('    slots: 512\n', ...lines));
    const found = 'problems' in parsed ? parsed.problems : parsed.warnings;
    expect(
      found.map(({ line, column, wrong, right }) => [`${line}:${column}`, `${wrong}; expected ${right}`]),
    ).toEqual([[place, expect.stringContaining(words)]]);
  });
});
