// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress } from '../core/address.ts';
import { type Edit, editConfig } from './edit.ts';
import { parseConfig } from './parse.ts';

const example = readFileSync(new URL('../../docs/example.yaml', import.meta.url), 'utf8');

/** Every layout an operator might use, with comments wherever they may stand. */
const layouts = `network: { interfaces: [{ port: 1, address: 10.0.0.1/8 }] }

vips: # all of them
- name:   block   # aligned by hand
  address: 10.0.1.100

  port: 80
  slots: 1024
  backends:
  # rack one
  - name:    a
    address: 10.0.0.2   # odd
    port:    80         # the usual
  # rack two
  - name:    b
    address: 10.0.0.3
    port:    80
    weight:  5          # big

  # the end of the block
- name: mixed
  address: 10.0.1.101
  port: 80
  slots: 1024
  backends:
    # rack one
    - {name: a,   address: 10.0.0.4, port: 80, weight: 1   }  # first
    - {name: bb,  address: 10.0.0.5, port: 80, weight: 10  }  # second
- { name: flow, address: 10.0.1.102, port: 80, slots: 1024, backends: [{ name: a, address: 10.0.0.6, port: 80 }, { name: b, address: 10.0.0.7, port: 80 }] }
- name: empty
  address: 10.0.1.103
  port: 80
  backends: []  # nobody yet
- name: bare
  address: 10.0.1.104
  port: 80
# that is all`;

/** The lines that went (-) and came (+). */
function difference(before: string, after: string): string[] {
  const [old, fresh] = [before.split('\n'), after.split('\n')];
  let head = 0;
  while (head < old.length && old[head] === fresh[head]) head++;
  let tail = 0;
  while (tail < Math.min(old.length, fresh.length) - head && old.at(-1 - tail) === fresh.at(-1 - tail))
    tail++;
  return [
    ...old.slice(head, old.length - tail).map((line) => `-${line}`),
    ...fresh.slice(head, fresh.length - tail).map((line) => `+${line}`),
  ];
}

function edited(text: string, edit: Edit): string {
  const result = editConfig(text, edit, now);
  if ('refusal' in result) throw new Error(JSON.stringify(result.refusal));
  return result.text;
}

const now = new Date('2026-05-01T12:00:00.400Z');
const add = { kind: 'add', backend: 'new', address: '10.0.0.9', port: 81 } as const;

describe('editConfig', () => {
  it.each<[what: string, edit: Edit]>([
    ['adds to a block', { ...add, vip: 'block' }],
    ['adds to lines in braces', { ...add, vip: 'mixed', weight: 7 }],
    ['adds to a list in brackets', { ...add, vip: 'flow' }],
    ['adds the first backend', { ...add, vip: 'empty' }],
    ['adds the first backend where there was no list', { ...add, vip: 'bare' }],
    ['removes from a block', { kind: 'remove', vip: 'block', backend: 'a' }],
    ['removes the last of a block', { kind: 'remove', vip: 'block', backend: 'b' }],
    ['removes lines in braces', { kind: 'remove', vip: 'mixed', backend: 'a' }],
    ['removes the first of a list in brackets', { kind: 'remove', vip: 'flow', backend: 'a' }],
    ['removes the last of a list in brackets', { kind: 'remove', vip: 'flow', backend: 'b' }],
    ['changes a weight', { kind: 'weight', vip: 'block', backend: 'b', weight: 6 }],
    ['changes a weight in braces', { kind: 'weight', vip: 'mixed', backend: 'bb', weight: 0 }],
    ['says a weight', { kind: 'weight', vip: 'block', backend: 'a', weight: 2 }],
    ['says a weight in braces', { kind: 'weight', vip: 'flow', backend: 'a', weight: 2 }],
    ['drains', { kind: 'state', vip: 'mixed', backend: 'a', state: 'draining' }],
    ['declares dead', { kind: 'state', vip: 'block', backend: 'a', state: 'down' }],
  ])('%s and leaves every other line alone', (what, edit) => {
    const text = edited(layouts, edit);
    expect(difference(layouts, text).join('\n')).toMatchSnapshot(what);
  });

  it('removes the only backend', () => {
    const alone = edited(layouts, { kind: 'remove', vip: 'block', backend: 'a' });
    const none = edited(alone, { kind: 'remove', vip: 'block', backend: 'b' });
    expect(none).toContain('  backends: []\n  # rack one\n  # rack two\n\n  # the end of the block\n');
  });

  it('undoes what it did', () => {
    const added = edited(example, { ...add, vip: 'web', address: '10.0.2.99' });
    expect(edited(added, { kind: 'remove', vip: 'web', backend: 'new' })).toBe(example);
    const heavier = edited(example, { kind: 'weight', vip: 'web', backend: 'web-3', weight: 9 });
    expect(edited(heavier, { kind: 'weight', vip: 'web', backend: 'web-3', weight: 2 })).toBe(example);
    const failed = edited(example, { kind: 'state', vip: 'web', backend: 'web-4', state: 'down' });
    expect(edited(failed, { kind: 'state', vip: 'web', backend: 'web-4', state: 'draining' })).toBe(example);
  });

  it('keeps the line breaks of other systems', () => {
    const text = edited(layouts.replaceAll('\n', '\r\n'), { ...add, vip: 'block' });
    expect(text).toBe(edited(layouts, { ...add, vip: 'block' }).replaceAll('\n', '\r\n'));
  });

  it('changes nothing that is so already', () => {
    expect(
      editConfig(example, { kind: 'weight', vip: 'web', backend: 'web-3', weight: 2 }, now),
    ).toMatchObject({
      isChanged: false,
      text: example,
    });
    expect(
      editConfig(example, { kind: 'state', vip: 'web', backend: 'web-1', state: 'active' }, now),
    ).toMatchObject({
      isChanged: false,
    });
  });

  it.each<[what: string, edit: Edit, refusal: object]>([
    [
      'an unknown vip',
      { kind: 'remove', vip: 'webs', backend: 'web-1' },
      { code: 'no-such-vip', right: "'web'" },
    ],
    [
      'an unknown backend',
      { kind: 'remove', vip: 'dns', backend: 'zz' },
      { code: 'no-such-backend', right: 'one of dns-1, dns-2' },
    ],
    ['a second one of that name', { ...add, vip: 'web', backend: 'web-1' }, { code: 'exists' }],
    [
      'what would be wrong',
      { kind: 'weight', vip: 'web', backend: 'web-1', weight: -1 },
      { code: 'invalid' },
    ],
    ['a taken address', { ...add, vip: 'web', address: '10.0.2.11', port: 8080 }, { code: 'invalid' }],
  ])('refuses %s', (_, edit, refusal) => {
    expect(editConfig(example, edit, now)).toMatchObject({ refusal });
  });

  it('means what it was told, whatever was edited before, and loses no comment', () => {
    const edits = fc.record({
      vip: fc.constantFrom('block', 'mixed', 'flow', 'empty', 'bare'),
      backend: fc.constantFrom('a', 'b', 'bb', 'c', 'd'),
      kind: fc.constantFrom<Edit['kind']>('add', 'add', 'remove', 'weight', 'state', 'state', 'replace'),
      weight: fc.nat(9),
      state: fc.constantFrom('active', 'draining', 'disabled', 'down'),
      deadlineMs: fc.constantFrom(undefined, 60_000),
    });
    fc.assert(
      fc.property(fc.array(edits, { maxLength: 12 }), (list) => {
        let text = layouts;
        const wanted = new Map<string, { weight: number; state: string; isDue?: boolean }>();
        const parsed = parseConfig(text);
        if ('problems' in parsed) throw new Error('the layouts are sound');
        for (const pool of parsed.config.desired.pools)
          for (const { name, weight, state } of pool.backends)
            wanted.set(`${pool.name}/${name}`, { weight, state });
        for (const [index, { vip, backend, ...edit }] of list.entries()) {
          const key = `${vip}/${backend}`;
          const by = `new-${index}`;
          const result = editConfig(
            text,
            {
              ...edit,
              by,
              vip,
              backend,
              address: `10.1.0.${index}`,
              port: 80,
            } as Edit,
            now,
          );
          expect('refusal' in result).toBe(wanted.has(key) === (edit.kind === 'add'));
          if ('refusal' in result) continue;
          text = result.text;
          if (edit.kind === 'remove') wanted.delete(key);
          else if (edit.kind === 'add') wanted.set(key, { weight: edit.weight, state: 'active' });
          else if (edit.kind === 'weight') wanted.set(key, { ...wanted.get(key)!, weight: edit.weight });
          else {
            const { weight, state: before, isDue = false } = wanted.get(key)!;
            const state = edit.kind === 'state' ? edit.state : before === 'active' ? 'draining' : before;
            const isNewlyDue = edit.deadlineMs !== undefined && state === 'draining';
            wanted.set(key, { weight, state, isDue: state === 'draining' && (isDue || isNewlyDue) });
            if (edit.kind === 'replace') wanted.set(`${vip}/${by}`, { weight, state: 'active' });
          }
        }
        const after = parseConfig(text);
        if ('problems' in after) throw new Error(JSON.stringify(after.problems));
        const { desired, lifecycle } = after.config;
        const isDue = (vip: string, name: string): boolean =>
          lifecycle.find((one) => one.vip === vip)!.deadlines.has(name);
        expect(
          new Map(
            desired.pools.flatMap((pool) =>
              pool.backends.map(({ name, weight, state }) => [
                `${pool.name}/${name}`,
                { weight, state, isDue: isDue(pool.name, name) },
              ]),
            ),
          ),
        ).toEqual(new Map([...wanted].map(([key, one]) => [key, { isDue: false, ...one }])));
        expect(after.warnings.map(({ path }) => path)).not.toContainEqual(expect.stringMatching(/replaces/));
        for (const comment of ['# all of them', '# aligned by hand', '# rack two', '# the end of the block'])
          expect(text).toContain(comment);
      }),
      { seed: 7, numRuns: 50 },
    );
  });

  it('replaces a backend in every layout, goes no further when told again, and cleans up behind', () => {
    const replace = { kind: 'replace', backend: 'a', by: 'a2', address: '10.0.0.99', port: 80 } as const;
    for (const vip of ['block', 'mixed', 'flow']) {
      const text = edited(layouts, { ...replace, vip, deadlineMs: 600_000 });
      expect(difference(layouts, text)).toMatchSnapshot();
      expect(editConfig(text, { ...replace, vip, deadlineMs: 5_000 }, now)).toMatchObject({
        isChanged: false,
      });
      const last = edited(text, { kind: 'remove', vip, backend: 'a' });
      expect(difference(edited(layouts, { kind: 'remove', vip, backend: 'a' }), last)).toMatchSnapshot();
    }
  });

  it('gives the seat to one that waits with weight 0', () => {
    const waiting = edited(example, { ...add, vip: 'web', weight: 0 });
    const replace = { kind: 'replace', vip: 'web', backend: 'web-3', by: 'new' } as const;
    const text = edited(waiting, { ...replace, address: '10.0.0.9', port: 81 });
    expect(difference(waiting, text).filter((line) => line.startsWith('+'))).toEqual([
      expect.stringMatching(/web-3.*weight: 2, state: draining/),
      expect.stringContaining('web-4'),
      '+      - { name: new, address: 10.0.0.9, port: 81, weight: 2, replaces: web-3 }',
    ]);
    expect(editConfig(waiting, { ...replace, address: '10.0.0.8', port: 81 }, now)).toMatchObject({
      refusal: { code: 'exists', right: 'another name, or the address and the port that it has' },
    });
  });

  it('forgets the deadline of a drain that is undone', () => {
    const drain = { kind: 'state', vip: 'block', backend: 'b', state: 'draining' } as const;
    const text = edited(layouts, { ...drain, deadlineMs: 1_500 });
    expect(difference(layouts, text)).toEqual([
      '+    state: draining',
      '+    drain_deadline: 2026-05-01T12:00:02Z',
    ]);
    const restored = edited(text, { ...drain, state: 'active' });
    expect(difference(layouts, restored)).toEqual(['+    state: active']);
  });

  it.each(['2001:db8::9', '2001:db8:0:1::', '::ffff:0:9:9'])(
    'adds the IPv6 backend %s to every layout',
    (address) => {
      const text = layouts
        .replace('10.0.0.1/8', '2001:db8::1/32')
        .replaceAll(/(?<=address: )10\.0\.([01])\.(\d+)/g, '2001:db8:$1::$2');
      for (const vip of ['block', 'mixed', 'flow', 'empty', 'bare']) {
        const parsed = parseConfig(edited(text, { ...add, vip, address }));
        if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
        const backends = parsed.config.desired.pools.find(({ name }) => name === vip)!.backends;
        expect(formatAddress(backends.at(-1)!.address)).toBe(address);
      }
    },
  );

  it('adds a backend with its server id, in quotes', () => {
    const text = edited(example, { ...add, vip: 'web3', address: '10.0.2.43', port: 443, serverId: '0003' });
    expect(difference(example, text)).toEqual([
      "+      - { name: new, address: 10.0.2.43, port: 443, server_id: '0003' }",
    ]);
    expect(
      editConfig(example, { ...add, vip: 'web3', address: '10.0.2.43', port: 443, serverId: '0a01' }, now),
    ).toMatchObject({ refusal: { code: 'invalid' } });
  });
});
