// SPDX-License-Identifier: Apache-2.0
/** Which member of a group a packet gets, and what happens around it. */

import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { compile } from './compile.ts';
import { crc16, crc32 } from './hashes.ts';
import { type KeyPart, type ProfileOperation, throughGroup, throughMember } from './pipeline.ts';

const json = JSON.parse(readFileSync(new URL('testdata/selectors.json', import.meta.url), 'utf8'));

function started() {
  const sent: { port: number; tag: number; turns: number; target: string }[] = [];
  const diagnostics: string[] = [];
  const { pipeline, program } = compile(json, {
    dropPort: 511,
    sink: {
      transmit: (port, frame) => {
        const bytes = Buffer.from(frame);
        const [tag, turns] = [bytes.readUInt16BE(14), bytes.readUInt16BE(16)];
        sent.push({ port, tag, turns, target: bytes.toString('hex', 0, 6) });
      },
      digest: () => {},
      diagnostic: (what) => diagnostics.push(what),
    },
  });
  const profileOf = (name: string) => program.profiles.find((each) => each.name === `TestIngress.${name}`)!;
  const tableOf = (name: string) => program.tables.find((each) => each.name === `TestIngress.${name}`)!;
  const changed = (...operations: ProfileOperation[]) => pipeline.apply(operations);
  return {
    pipeline,
    diagnostics,
    tableOf,
    changed,
    profileOf,
    /** Members that forward to port 10 + handle with tag 100 + handle. */
    addMembers(profileName: string, ...members: number[]): void {
      const { id: profile, actions } = profileOf(profileName);
      const action = actions.find(({ name }) => name === 'TestIngress.forward')!.id;
      for (const member of members)
        changed({
          kind: 'member',
          profile,
          member,
          action,
          data: [BigInt(10 + member), BigInt(100 + member)],
        });
    },
    setGroup(profileName: string, group: number, ...activeMembers: number[]): void {
      changed({ kind: 'group', profile: profileOf(profileName).id, group, activeMembers });
    },
    enter(tableName: string, key: KeyPart, reference: number, handle: number): void {
      const { id: table } = tableOf(tableName);
      const data = [BigInt(handle)];
      pipeline.apply([
        {
          kind: 'insert',
          table,
          handle: 0,
          key: [key],
          priority: 1,
          action: reference,
          data,
          idleTimeoutMs: 0,
        },
      ]);
    },
    send(kind: number, { source = '020000000001', port = 7 } = {}) {
      sent.length = 0;
      const frame = Buffer.from(`0200000000aa${source}${kind.toString(16).padStart(4, '0')}00000000`, 'hex');
      pipeline.process(port, frame, 0);
      return [...sent];
    },
  };
}

const target: KeyPart = { kind: 'exact', value: 0x0200000000aan };
const sources = Array.from({ length: 64 }, (_, index) =>
  (0x020000000000 + index * 7919).toString(16).padStart(12, '0'),
);

let bench: ReturnType<typeof started>;
beforeEach(() => {
  bench = started();
});

describe('an entry that names a member', () => {
  it('does what the member does, also after the member has changed', () => {
    bench.addMembers('hops', 0, 3);
    bench.enter('by_hop', target, throughMember, 3);
    expect(bench.send(1)).toEqual([{ port: 13, tag: 103, turns: 1, target: '0200000000aa' }]);
    const { id: profile, actions } = bench.profileOf('hops');
    const action = actions.find(({ name }) => name === 'TestIngress.rewrite')!.id;
    bench.changed({ kind: 'member', profile, member: 3, action, data: [0x0a0b0c0d0e0fn, 5n, 9n] });
    expect(bench.send(1)).toEqual([{ port: 5, tag: 9, turns: 1, target: '0a0b0c0d0e0f' }]);
  });

  it('does nothing where there is no entry', () => {
    expect(bench.send(1)).toEqual([{ port: 100, tag: 0, turns: 1, target: '0200000000aa' }]);
  });

  it('keeps its members when the arrays grow', () => {
    bench.addMembers('hops', ...Array.from({ length: 100 }, (_, member) => member));
    bench.enter('by_hop', target, throughMember, 0);
    expect(bench.send(1)[0]).toMatchObject({ port: 10, tag: 100 });
  });
});

describe('an entry that names a group', () => {
  /** 48 bits of source and 9 of port, padded on the right to 8 bytes. */
  const spreadKey = (source: string, port: number) =>
    Buffer.from(
      ((BigInt(`0x${source}`) << 16n) | (BigInt(port) << 7n)).toString(16).padStart(16, '0'),
      'hex',
    );

  it('takes the member at the remainder of the hash, in the order of handles', () => {
    bench.addMembers('spread', 0, 2, 5, 6, 9);
    bench.setGroup('spread', 4, 9, 2, 6, 0, 5);
    bench.enter('by_spread', target, throughGroup, 4);
    for (const source of sources) {
      const expected = [0, 2, 5, 6, 9][crc32(spreadKey(source, 7), 0, 8) % 5]!;
      expect(bench.send(2, { source })[0]).toMatchObject({ port: 10 + expected, tag: 100 + expected });
    }
  });

  it('takes the successor of the action that ran', () => {
    bench.addMembers('spread', 0);
    bench.setGroup('spread', 0, 0);
    bench.enter('by_spread', target, throughGroup, 0);
    expect(bench.send(2)[0]!.turns).toBe(4 + 8);
  });

  it.each<[string, number, 'ternary' | 'lpm', string]>([
    ['by_shared_ternary', 3, 'ternary', 'hit or miss'],
    ['by_shared_prefix', 4, 'lpm', 'action'],
  ])('works in %s, which shares its profile', (table, kind, keyKind) => {
    bench.addMembers('shared_spread', 0, 1, 2);
    bench.setGroup('shared_spread', 0, 0, 1, 2);
    const key: KeyPart =
      keyKind === 'lpm'
        ? { kind: 'lpm', value: 0n, prefixLength: 0 }
        : { kind: 'ternary', value: 0n, mask: 0n };
    bench.enter(table, key, throughGroup, 0);
    for (const source of sources) {
      const expected = crc16(Buffer.from(source, 'hex'), 0, 6) % 3;
      const turns = kind === 3 ? 16 : 0;
      expect(bench.send(kind, { source })[0]).toMatchObject({ tag: 100 + expected, turns });
    }
  });

  it('takes 32 bits of a hash that is wider', () => {
    bench.addMembers('plain_spread', 0, 1, 2, 3, 4);
    bench.setGroup('plain_spread', 0, 0, 1, 2, 3, 4);
    bench.enter('by_plain', target, throughGroup, 0);
    for (const source of sources) {
      // The first 8 bytes of source and target; their low 32 bits.
      const hash = Buffer.from(`${source}0200`, 'hex').readUInt32BE(4);
      expect(bench.send(5, { source })[0]!.tag).toBe(100 + (hash % 5));
    }
  });

  it.each<[string, number, number]>([
    ['by_spread', 2, 8],
    ['by_shared_ternary', 3, 16],
  ])('does nothing and says so when all its members are down: %s', (table, kind, turns) => {
    const profile = kind === 2 ? 'spread' : 'shared_spread';
    bench.setGroup(profile, 0);
    bench.enter(table, kind === 2 ? target : { kind: 'ternary', value: 0n, mask: 0n }, throughGroup, 0);
    expect(bench.send(kind)).toEqual([{ port: 100, tag: 0, turns, target: '0200000000aa' }]);
    expect(bench.diagnostics).toEqual([
      `TestIngress.${profile}: a packet met a group without active members, and nothing was done`,
    ]);
  });

  it('counts hits, whatever the group does', () => {
    bench.setGroup('spread', 0);
    bench.enter('by_spread', target, throughGroup, 0);
    bench.send(2);
    expect(bench.pipeline.readDirectCounter(bench.tableOf('by_spread').id, 0)).toEqual({
      packets: 1n,
      bytes: 18n,
    });
  });
});

describe('a program whose profiles do not fit', () => {
  type Json = Record<string, unknown>;
  const ingressOf = (program: { pipelines: Json[] }) =>
    program.pipelines.find(({ name }) => name === 'ingress')!;
  const options = { dropPort: 511, sink: { transmit() {}, digest() {}, diagnostic() {} } };

  it.each<[string, (ingress: Json) => void, string]>([
    [
      'a table of an unknown profile',
      (ingress) => Object.assign((ingress.tables as Json[])[0]!, { action_profile: 'none' }),
      'there is no action profile none',
    ],
    [
      'a selector table whose profile has no selector',
      (ingress) => Object.assign((ingress.tables as Json[])[0]!, { type: 'indirect_ws' }),
      'a table of type indirect_ws whose profile has no selector',
    ],
    [
      'two profiles with one id',
      (ingress) => Object.assign((ingress.action_profiles as Json[])[1]!, { id: 0 }),
      'the id 0 is used twice',
    ],
    [
      'an unknown hash',
      (ingress) =>
        Object.assign((ingress.action_profiles as Json[])[1]!.selector as Json, { algo: 'random' }),
      'BMv2 has no such hash',
    ],
    [
      'a default action',
      (ingress) =>
        Object.assign((ingress.tables as Json[])[0]!, {
          default_entry: { action_id: 0, action_const: false, action_data: [], action_entry_const: false },
        }),
      'has no entries and no default action of its own',
    ],
  ])('%s', (_, damage, problem) => {
    const program = structuredClone(json);
    damage(ingressOf(program));
    expect(() => compile(program, options)).toThrow(problem);
  });
});
