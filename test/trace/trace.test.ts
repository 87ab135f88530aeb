// SPDX-License-Identifier: Apache-2.0
/**
 * `evenkeel trace` on the load balancer: what it prints is golden (golden/*.txt; `npx vitest run test/trace -u` writes
 * them anew), and what is wrong with its files is told with line and column.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../cli/commands.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { pcapOf } from './pcap-bytes.ts';

const program = 'p4/build/evenkeel.json';
const entries = 'test/trace/s1-runtime.json';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-trace-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function evenkeel(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const terminal: Terminal = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    isScreen: false,
    env: {},
    stop: new AbortController().signal,
    onHangup: () => {},
  };
  return { code: await run(args, terminal), out, err };
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const packets = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.hex'))
  .map((name) => name.slice(0, -'.hex'.length));

describe('a trace', () => {
  it.each(packets)('of %s reads as it did', async (name) => {
    const { code, out, err } = await evenkeel(
      'trace',
      program,
      '--entries',
      entries,
      `test/trace/${name}.hex`,
    );
    expect([code, err]).toEqual([0, '']);
    await expect(out).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  it('is data, too: one line of JSON for each packet', async () => {
    const paths = ['syn-stable', 'ttl'].map((name) => `test/trace/${name}.hex`);
    const { out } = await evenkeel('trace', program, '--entries', entries, '--json', ...paths);
    const [syn, ttl] = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const tables = syn.parts[0].steps.filter(({ kind }: { kind: string }) => kind === 'table');
    expect(tables.map(({ name, isHit }: { name: string; isHit: boolean }) => [name, isHit])).toEqual([
      ['vip', true],
      ['own_address', false],
      ['pin', false],
      ['slot', true],
      ['backend', true],
      ['route', true],
      ['neighbour', true],
    ]);
    expect(tables[0]).toMatchObject({
      at: { file: 'core/vip.p4', line: 41 },
      key: [
        { name: 'address', width: 32, value: '0xa000064', match: 'exact' },
        { name: 'protocol', width: 8, value: '0x6', match: 'exact' },
        { name: 'port', width: 16, value: '0x50', match: 'exact' },
      ],
      entry: { handle: 0, match: ['0xa000064', '0x6', '0x50'] },
      action: {
        name: 'serve',
        parameters: [
          { name: 'pool', width: 12, value: '0x1' },
          ...['slot_mask', 'affinity', 'hint', 'on_dead', 'by_prefix'].map((name) => ({
            name,
            value: '0x0',
          })),
        ],
      },
    });
    expect(syn.parts[1].steps.at(-1)).toMatchObject({ kind: 'transmit', port: 1 });
    expect(ttl.parts).toHaveLength(1);
    expect(ttl.parts[0].steps.at(-1)).toMatchObject({ kind: 'drop', why: 'egress-spec' });
  });

  it('changes the switch as the packet does: the second SYN meets what the first has left', async () => {
    const path = 'test/trace/syn-unstable.hex';
    const { out } = await evenkeel('trace', program, '--entries', entries, path, path);
    const traces = out.split('\n\n');
    expect(traces).toHaveLength(2);
    expect(traces[0]).toContain('miss: filters.unknown()');
    expect(traces[1]).toContain('hit entry');
    expect(traces[1]).toContain('from_slot1()');
  });

  it('takes captures, whose packets arrive at one port', async () => {
    const [, hex = ''] = /^\d+: ([0-9a-f\s]+)$/m.exec(readFileSync('test/trace/ttl.hex', 'utf8')) ?? [];
    const frame = Buffer.from(hex.replace(/\s/g, ''), 'hex');
    const path = file('two.pcap', pcapOf([frame, frame]));
    const { out } = await evenkeel('trace', program, '--entries', entries, '--port', '3', path);
    expect(out).toContain(`${path}, packet 2: ${frame.length} bytes on port 3`);
  });
});

describe('entries', () => {
  const nothing = 'test/trace/arp.hex';

  it('may be a WriteRequest in text format, or several', async () => {
    const vip = 'updates { type: INSERT entity { table_entry { table_id: 33587501 } } }';
    const path = file('wrong.txtpb', `# none\n---\n  ${vip}\n`);
    const { code, err } = await evenkeel('trace', program, '--entries', path, nothing);
    expect(code).toBe(1);
    expect(err).toContain(`${path}:3:11: `);
    expect(err).toMatch(/INVALID_ARGUMENT|NOT_FOUND/);
  });

  it('may be multicast groups and clone sessions', async () => {
    const groups = [
      { multicast_group_id: 1, replicas: [{ egress_port: 1, instance: 1 }, { egress_port: 2 }] },
    ];
    const sessions = [{ clone_session_id: 5, replicas: [{ egress_port: 3, instance: 1 }] }];
    const text = JSON.stringify({ multicast_group_entries: groups, clone_session_entries: sessions });
    const path = file('copies.json', text);
    expect(await evenkeel('trace', program, '--entries', path, nothing)).toMatchObject({ code: 0, err: '' });
    const twice = await evenkeel('trace', program, '--entries', path, '--entries', path, nothing);
    expect(twice.err).toMatch(/multicast group 1[\s\S]*clone session 5/);
  });

  it.each([
    [
      'a table that does not exist',
      '{\n "table_entries": [\n  { "table": "vips" } ] }',
      ":3:3: there is no table 'vips'; did you mean vip",
    ],
    [
      'a value too wide',
      '{ "table_entries": [ { "table": "slot", "match": {"pool": 1, "slot": 65536}, "action_name": "set_slot" } ] }',
      ':1:22: slot.slot: 65536 does not fit in 16 bits',
    ],
    [
      'a prefix that is none',
      '{ "table_entries": [ { "table": "route", "match": {"prefix": "10.0.0.0"}, "action_name": "on_link" } ] }',
      ':1:22: prefix: expected [value, prefix length]',
    ],
    ['what is no JSON', '{\n "table_entries": [\n}', ":3:1: expected a value, found '}'"],
    ['a section nobody knows', '{ "table_entrys": [] }', ':1:19: no such section'],
  ])('are refused with their place: %s', async (_, text, message) => {
    const path = file('wrong.json', text);
    const { code, err } = await evenkeel('trace', program, '--entries', path, nothing);
    expect(code).toBe(1);
    expect(err).toContain(`${path}${message}`);
  });

  it('are refused as over P4Runtime', async () => {
    const { code, err } = await evenkeel(
      'trace',
      program,
      '--entries',
      entries,
      '--entries',
      entries,
      nothing,
    );
    expect(code).toBe(1);
    expect(err).toContain(`${entries}:6:5: ALREADY_EXISTS`);
  });
});

describe('packets', () => {
  it.each([
    ['a letter', '# ok\n0: 00 0x', ":2:8: 'x' is no hexadecimal digit"],
    ['half a byte', '00\n\n1: 012', ':3:3: an odd number of digits, 3'],
    ['nothing', '# only a comment\n', ': there is no packet in it'],
  ])('are refused with their place: %s', async (_, text, message) => {
    const path = file('wrong.hex', text);
    const { code, err } = await evenkeel('trace', program, path);
    expect(code).toBe(1);
    expect(err).toContain(`${path}${message}`);
  });
});
