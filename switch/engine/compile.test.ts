// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile, interpretedPacketsMax, type Tier } from './compile.ts';
import { crc32 } from './hashes.ts';
import { type DigestSample, type KeyPart, ProgramError, type TableOperation } from './pipeline.ts';

type Json = Record<string, unknown>;

function testdata(name: string): Json {
  return JSON.parse(readFileSync(new URL(`testdata/${name}.json`, import.meta.url), 'utf8')) as Json;
}

/** A pipeline that writes down what it does, and speaks of tables and actions by name. */
function started(name: string) {
  const sent: string[] = [];
  const digests: DigestSample[] = [];
  const diagnostics: string[] = [];
  const { pipeline, program } = compile(testdata(name), {
    dropPort: 511,
    sink: {
      transmit: (port, frame) => sent.push(`${port}: ${hex(frame)}`),
      digest: (sample) => digests.push(sample),
      diagnostic: (what) => diagnostics.push(what),
    },
  });
  const tableOf = (table: string) =>
    program.tables.find((candidate) => candidate.name === `SwitchIngress.${table}`)!;
  const actionOf = (table: string, action: string) =>
    tableOf(table).actions.find((candidate) => candidate.name === `SwitchIngress.${action}`)!.id;
  const nextHandle = new Map<string, number>();
  return {
    pipeline,
    program,
    diagnostics,
    digests,
    tableOf,
    actionOf,
    insert(
      table: string,
      key: KeyPart[],
      [action, ...data]: [string, ...number[]],
      { priority = 0, idleTimeoutMs = 0 } = {},
    ): number {
      const handle = nextHandle.get(table) ?? 0;
      nextHandle.set(table, handle + 1);
      const operation: TableOperation = {
        kind: 'insert',
        table: tableOf(table).id,
        handle,
        key,
        priority,
        action: actionOf(table, action),
        data: data.map(BigInt),
        idleTimeoutMs,
      };
      pipeline.apply([operation]);
      return handle;
    },
    /** What leaves for one frame. */
    send(frame: string, { port = 7, at = 1_000_000 } = {}): string[] {
      sent.length = 0;
      pipeline.process(port, bytes(frame), at);
      return [...sent];
    },
  };
}

const exact = (value: number): KeyPart => ({ kind: 'exact', value: BigInt(value) });
const prefix = (value: number, prefixLength: number): KeyPart => ({
  kind: 'lpm',
  value: BigInt(value),
  prefixLength,
});
const any: KeyPart = { kind: 'ternary', value: 0n, mask: 0n };

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

function hex(frame: Uint8Array): string {
  return Buffer.from(frame).toString('hex');
}

/** Ones' complement sum of big-endian words, by the definition. */
function sum(data: Uint8Array): number {
  let total = 0;
  for (let at = 0; at < data.length; at += 2) total += (data[at]! << 8) + (data[at + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

const ethernet = '020000000001 020000000002 0800';
const ipv4 = '4500 0020 0000 0000 4011 66cb 0a000001 0a000002';
const udp = '04d2 0035 000c a04a';
const payload = '61626364';
const query = `${ethernet} ${ipv4} ${udp} ${payload}`;

function startedBalancer() {
  const balancer = started('balancer');
  balancer.insert('vip', [exact(0x0a000002), exact(17), exact(53)], ['serve', 3, 0xff]);
  balancer.insert('backend', [exact(9)], ['nat', 0x0a010009, 5353]);
  balancer.insert('route', [prefix(0x0a000000, 8)], ['via', 0x0a000063]);
  balancer.insert('route', [prefix(0x0a010000, 16)], ['on_link']);
  balancer.insert('neighbour', [exact(0x0a010009)], ['to_neighbour', 4, 0x0200000000aa, 0x0200000000bb]);
  balancer.insert('neighbour', [exact(0x0a000063)], ['to_neighbour', 5, 0x0200000000aa, 0x0200000000cc]);
  return balancer;
}

/** The slot of `query`, from the definition of the hash. */
const querySlot = crc32(bytes('0a000001 0a000002 11 04d2 0035'), 0, 13) & 0xff;

describe('a balancer', () => {
  it('sends a flow to its backend, with both checksums right', () => {
    const balancer = startedBalancer();
    balancer.insert('slot', [exact(3), exact(querySlot)], ['set_backend', 9]);
    const [sent, ...others] = balancer.send(query);
    expect(others).toEqual([]);
    expect(sent).toMatch(
      /^4: 0200000000bb0200000000aa080045000020000000003f11....0a0000010a01000904d214e9000c....61626364$/,
    );
    const frame = bytes(sent!.slice(3));
    expect(sum(frame.subarray(14, 34))).toBe(0xffff);
    const pseudo = Uint8Array.of(...frame.subarray(26, 34), 0, 17, 0, 12);
    expect(sum(Uint8Array.of(...pseudo, ...frame.subarray(34)))).toBe(0xffff);
    expect(balancer.diagnostics).toEqual([]);
  });

  it('tells the controller of a flow without slot, and drops it', () => {
    const balancer = startedBalancer();
    expect(balancer.send(query)).toEqual([]);
    expect(balancer.digests).toEqual([{ list: 1, values: [0x0a000001n, 0x04d2n, BigInt(querySlot)] }]);
    expect(balancer.program.learnLists.map((list) => list.name)).toEqual(['new_flow_t']);
  });

  it('takes the longest prefix for what is no vip', () => {
    const balancer = startedBalancer();
    const other = query.replace('66cb 0a000001 0a000002', '66c4 0a000001 0a000009');
    expect(balancer.send(other)[0]).toMatch(/^5: 0200000000cc/);
    const near = query.replace('66cb 0a000001 0a000002', '66c3 0a000001 0a010009');
    expect(balancer.send(near)[0]).toMatch(/^4: 0200000000bb/);
    const far = query.replace('66cb 0a000001 0a000002', '65cb 0a000001 0b000002');
    expect(balancer.send(far)).toEqual([]);
  });

  it('drops what has a wrong checksum, no time to live or no IPv4', () => {
    const balancer = startedBalancer();
    balancer.insert('slot', [exact(3), exact(querySlot)], ['set_backend', 9]);
    expect(balancer.send(query)).toHaveLength(1);
    expect(balancer.send(query.replace('66cb', '66cc'))).toEqual([]);
    expect(balancer.send(query.replace('4011 66cb', '0111 a5cb'))).toEqual([]);
    expect(balancer.send(query.replace('0800', '86dd'))).toEqual([]);
    expect(balancer.send('0200')).toEqual([]);
  });

  it('filters by priority: higher wins, ranges and wildcards included', () => {
    const balancer = startedBalancer();
    balancer.insert('slot', [exact(3), exact(querySlot)], ['set_backend', 9]);
    const low = balancer.insert('filter', [any, { kind: 'range', low: 50n, high: 60n }, any], ['deny'], {
      priority: 1,
    });
    expect(balancer.send(query)).toEqual([]);
    const source: KeyPart = { kind: 'ternary', value: 0x0a000000n, mask: 0xff000000n };
    const high = balancer.insert(
      'filter',
      [source, { kind: 'range', low: 0n, high: 65535n }, any],
      ['allow'],
      { priority: 2 },
    );
    expect(balancer.send(query)).toHaveLength(1);
    const { id } = balancer.tableOf('filter');
    expect(balancer.pipeline.readDirectCounter(id, low)).toEqual({ packets: 1n, bytes: 46n });
    expect(balancer.pipeline.readDirectCounter(id, high)).toEqual({ packets: 1n, bytes: 46n });
    balancer.pipeline.apply([{ kind: 'delete', table: id, handle: high }]);
    expect(balancer.send(query)).toEqual([]);
  });

  it('counts, remembers and keeps wide registers', () => {
    const balancer = startedBalancer();
    balancer.insert('slot', [exact(3), exact(querySlot)], ['set_backend', 9]);
    balancer.send(query, { at: 0x1234_5678_9abc });
    const counter = balancer.program.counters.find(({ name }) => name === 'SwitchIngress.by_pool')!;
    expect(balancer.pipeline.readCounter(counter.id, 3)).toEqual({ packets: 1n, bytes: 46n });
    balancer.pipeline.writeCounter(counter.id, 3, { packets: 10n, bytes: 20n });
    balancer.send(query, { at: 0x1234_5678_9abd });
    expect(balancer.pipeline.readCounter(counter.id, 3)).toEqual({ packets: 11n, bytes: 66n });
    const register = balancer.program.registers[0]!;
    expect(balancer.pipeline.readRegister(register.id, querySlot)).toBe(0x1234_5678_9abdn);
    balancer.pipeline.writeRegister(register.id, 4, (1n << 48n) + 5n);
    expect(balancer.pipeline.readRegister(register.id, 4)).toBe(5n);
  });

  it('says which entries were idle for their timeout', () => {
    const balancer = startedBalancer();
    const { id } = balancer.tableOf('slot');
    balancer.send(query, { at: 0 });
    const used = balancer.insert('slot', [exact(3), exact(querySlot)], ['set_backend', 9], {
      idleTimeoutMs: 1000,
    });
    const unused = balancer.insert('slot', [exact(3), exact(querySlot ^ 1)], ['set_backend', 9], {
      idleTimeoutMs: 1000,
    });
    balancer.insert('slot', [exact(4), exact(0)], ['set_backend', 9]);
    balancer.send(query, { at: 600_000 });
    expect(balancer.pipeline.idleEntries(999_999)).toEqual([]);
    expect(balancer.pipeline.idleEntries(1_000_000)).toEqual([[id, unused]]);
    expect(balancer.pipeline.lastHitMicros(id, used)).toBe(600_000);
    expect(balancer.pipeline.idleEntries(1_600_000)).toEqual([
      [id, used],
      [id, unused],
    ]);
    // One that is modified begins anew.
    const action = balancer.actionOf('slot', 'set_backend');
    balancer.pipeline.apply(
      [{ kind: 'modify', table: id, handle: unused, action, data: [9n], idleTimeoutMs: 1000 }],
      1_600_000,
    );
    expect(balancer.pipeline.idleEntries(2_599_999)).toEqual([[id, used]]);
    expect(balancer.pipeline.idleEntries(2_600_000)).toContainEqual([id, unused]);
  });

  it('changes default actions and gives the program its own back', () => {
    const balancer = startedBalancer();
    const { id } = balancer.tableOf('slot');
    const action = balancer.actionOf('slot', 'set_backend');
    balancer.pipeline.apply([{ kind: 'default', table: id, action, data: [9n] }]);
    expect(balancer.send(query)).toHaveLength(1);
    balancer.pipeline.apply([{ kind: 'default', table: id, action: undefined, data: [] }]);
    expect(balancer.send(query)).toEqual([]);
    expect(balancer.digests).toHaveLength(1);
  });

  it('does not modify the frame it is given', () => {
    const balancer = startedBalancer();
    balancer.insert('slot', [exact(3), exact(querySlot)], ['set_backend', 9]);
    const frame = bytes(query);
    balancer.pipeline.process(1, frame, 0);
    expect(hex(frame)).toBe(query.replaceAll(' ', ''));
  });
});

describe('copies of a packet', () => {
  it('go to every member of a multicast group, by instance and port', () => {
    const copies = started('copies');
    copies.pipeline.setMulticastGroup(9, [
      { port: 3, instance: 2 },
      { port: 2, instance: 2 },
      { port: 5, instance: 1 },
    ]);
    expect(copies.send('01 09 0000 abcd')).toEqual(['2: 01090002abcd', '3: 01090002abcd', '5: 01090001abcd']);
    expect(copies.send('01 08 0000 abcd')).toEqual([]);
  });

  it('are cloned from ingress as received, with only the field list kept, even when the packet is dropped', () => {
    const copies = started('copies');
    copies.pipeline.setCloneSession(5, [{ port: 8, instance: 1 }]);
    expect(copies.send('02 00 0000 abcd')).toEqual(['8: 02001235abcd']);
  });

  it('are cloned from egress after the packet, with only the field list kept', () => {
    const copies = started('copies');
    copies.pipeline.setCloneSession(5, [{ port: 8, instance: 1 }]);
    expect(copies.send('03 00 0000 abcd')).toEqual(['1: 03000001abcd', '8: 03001235abcd']);
  });

  it('are not made for a session nobody configured', () => {
    expect(started('copies').send('03 00 0000')).toEqual(['1: 03000001']);
  });

  it('come back once through resubmit, with the bytes as received', () => {
    expect(started('copies').send('04 00 0000 abcd')).toEqual(['1: 04000001abcd']);
  });

  it('come back through recirculate as they left', () => {
    expect(started('copies').send('06 00 0000 abcd')).toEqual(['1: 06000004abcd']);
  });

  it('are cut off when they come back for ever', () => {
    const copies = started('copies');
    expect(copies.send('05 00 0000')).toEqual([]);
    expect(copies.diagnostics).toEqual([
      'a packet was cut off after 64 passes (resubmit, recirculate or clone loop)',
    ]);
  });

  it('are truncated to the bytes asked for', () => {
    expect(started('copies').send('08 05 0000 abcdef')).toEqual(['1: 08050001ab']);
  });
});

describe('parser, actions and entries', () => {
  it('walks a header stack and pops it', () => {
    const copies = started('copies');
    expect(copies.send('10 00 0000 0002 0004 0007 ff')).toEqual(['1: 1000000100040007ff']);
    expect(copies.send('10 00 0000 0003 ff')).toEqual(['1: 10000001ff']);
  });

  it('goes on with a parser error when the stack is full or the packet ends', () => {
    const copies = started('copies');
    expect(copies.send('10 00 0000 0002 0004 0006 0007')).toEqual(['1: 1000eeee000400060007']);
    expect(copies.send('10 00 0000 0002 00')).toEqual(['1: 1000eeee00']);
    expect(copies.send('ff 00 0000 99')).toEqual(['1: ff00eeee99']);
    expect(copies.send('10 00')).toEqual(['1: 1000']);
  });

  it('extracts and emits a field of variable length', () => {
    const copies = started('copies');
    expect(copies.send('20 00 0000 03 aabbcc dd')).toEqual(['1: 2000000103aabbccdd']);
    expect(copies.send('20 00 0000 00 dd')).toEqual(['1: 2000000100dd']);
    // Nine bytes are more than the field holds; of three only two are there.
    expect(copies.send('20 00 0000 09 010203040506070809')).toEqual(['1: 2000eeee09010203040506070809']);
    expect(copies.send('20 00 0000 03 aabb')).toEqual(['1: 2000eeee03aabb']);
  });

  it('branches inside an action, on 64-bit numbers', () => {
    const copies = started('copies');
    const total = copies.program.registers[0]!.id;
    copies.pipeline.writeRegister(total, 2, 0xffff_fffe_ffff_ffffn);
    copies.send('07 02 0000');
    expect(copies.pipeline.readRegister(total, 2)).toBe(0xffff_ffff_0000_0000n);
    copies.send('07 02 0000');
    expect(copies.pipeline.readRegister(total, 2)).toBe(0xffff_ffff_0000_0001n);
    copies.send('07 02 0000');
    expect(copies.pipeline.readRegister(total, 2)).toBe(0n);
  });

  it('does nothing but complain about a register index that does not exist', () => {
    const copies = started('copies');
    expect(copies.send('07 09 0000')).toEqual(['1: 07090001']);
    expect(copies.diagnostics).toHaveLength(2);
    expect(copies.diagnostics[0]).toMatch(/the register SwitchIngress\.total has no such index$/);
  });

  it('keeps constant entries in the order of the source', () => {
    const copies = started('copies');
    expect(copies.send('48 11 0000')).toEqual(['1: 48110001']);
    expect(copies.send('48 21 0000')).toEqual(['1: 48210003']);
    expect(copies.send('41 11 0000')).toEqual(['1: 41110001']);
    expect(copies.send('41 21 0000')).toEqual(['1: 41210001']);
    const entries = copies.tableOf('constant').entries!;
    expect(entries.map((entry) => entry.data)).toEqual([[1n], [2n], [3n]]);
  });

  it('survives any bytes', () => {
    const programs = [started('copies'), startedBalancer()];
    for (const { pipeline } of programs) {
      pipeline.setMulticastGroup(1, [{ port: 1, instance: 1 }]);
      pipeline.setCloneSession(5, [{ port: 1, instance: 1 }]);
    }
    fc.assert(
      fc.property(fc.nat(9), fc.uint8Array({ maxLength: 80 }), (start, noise) => {
        const frame = Uint8Array.of(...bytes(query).subarray(0, 6 * start), ...noise);
        for (const { pipeline } of programs) pipeline.process(start, frame, 0);
        for (let what = 0; what < 0x50; what++)
          programs[0]!.pipeline.process(0, Uint8Array.of(what, ...noise), 0);
      }),
      { numRuns: 200 },
    );
  });

  it('drops a frame no network carries', () => {
    const copies = started('copies');
    copies.pipeline.process(1, new Uint8Array(65_536), 0);
    expect(copies.diagnostics).toEqual(['a frame of 65536 bytes was dropped: the limit is 65535']);
  });
});

describe('loading', () => {
  const problemsOf = (json: unknown): readonly string[] => {
    try {
      compile(json, { dropPort: 511, sink: { transmit: () => {}, digest: () => {}, diagnostic: () => {} } });
    } catch (error) {
      if (error instanceof ProgramError) return error.problems;
      throw error;
    }
    return [];
  };
  const sectionOf = (program: Json, name: string) => program[name] as Json[];

  it('takes a program without __meta__ and refuses another major version', () => {
    const program = testdata('copies');
    expect(problemsOf({ ...program, __meta__: undefined })).toEqual([]);
    expect(problemsOf({ ...program, __meta__: { version: [2, 99] } })).toEqual([
      '__meta__.version[0]: the JSON has version 2.99; this engine reads 2.0 to 2.24',
    ]);
  });

  it('lists everything it does not support, by name and place', () => {
    const program = testdata('balancer');
    sectionOf(program, 'calculations')[0]!.algo = 'random';
    program.meter_arrays = [{ name: 'police', id: 0, rate_count: 3 }];
    const action = sectionOf(program, 'actions').find(
      (candidate) => candidate.name === 'SwitchIngress.drop',
    )!;
    (action.primitives as Json[]).push({ op: 'exotic', parameters: [] });
    const place = sectionOf(program, 'actions').indexOf(action);
    expect(problemsOf(program)).toEqual(
      expect.arrayContaining([
        'meter_arrays[0] (police).rate_count: only meters of two rates exist',
        'calculations[0].algo: HashAlgorithm.random stands in v1model.p4, but BMv2 has no such hash and does not load it either',
        `actions[${place}] (SwitchIngress.drop).primitives[1] (exotic): there is no such primitive; an extern of its own (p4c --emit-externs) needs a switch built with it`,
      ]),
    );
  });

  it('refuses names and ids used twice, and successors that do not exist', () => {
    const program = testdata('balancer');
    const registers = sectionOf(program, 'register_arrays');
    registers.push({ ...registers[0] });
    const [ingress] = sectionOf(program, 'pipelines');
    (ingress!.conditionals as Json[])[0]!.true_next = 'nowhere';
    expect(problemsOf(program)).toEqual([
      'register_arrays[1]: the name SwitchIngress.last_seen is used twice',
      expect.stringMatching(/leads to nowhere, which does not exist$/),
    ]);
  });

  it('says what is no program at all', () => {
    for (const json of [null, 17, 'text', [], {}]) expect(problemsOf(json).length).toBeGreaterThan(0);
  });

  it('never fails otherwise, whatever part of a program is damaged', () => {
    const text = JSON.stringify(testdata('copies'));
    const paths: (string | number)[][] = [];
    const walk = (node: unknown, path: (string | number)[]) => {
      paths.push(path);
      if (typeof node !== 'object' || node === null) return;
      for (const [key, child] of Object.entries(node))
        walk(child, [...path, Array.isArray(node) ? Number(key) : key]);
    };
    walk(JSON.parse(text), []);
    const junk = fc.constantFrom(null, -1, 0, 1e12, 'x', '0x1', '-0x5', true, [], {}, [[]], {
      type: 'field',
      value: ['a', 'b'],
    });
    fc.assert(
      fc.property(fc.constantFrom(...paths.filter((path) => path.length > 0)), junk, (path, value) => {
        const program = JSON.parse(text);
        let parent = program;
        for (const step of path.slice(0, -1)) parent = parent[step];
        parent[path.at(-1)!] = value;
        problemsOf(program);
      }),
      { numRuns: 400 },
    );
  });
});

describe('tiers', () => {
  const query = bytes(`${ethernet} ${ipv4} ${udp} ${payload}`);
  const started = (tier: Tier) => {
    const sent: string[] = [];
    const { pipeline } = compile(testdata('meters'), {
      tier,
      dropPort: 511,
      sink: {
        transmit: (port, frame) => sent.push(`${port}: ${hex(frame)}`),
        digest: () => {},
        diagnostic: () => {},
      },
    });
    return { pipeline, sent };
  };

  it('let the interpreter handle the first packets and the generated code the rest', () => {
    const { pipeline } = started('adaptive');
    const tiers = Array.from({ length: interpretedPacketsMax + 1 }, (_, count) => {
      const tier = pipeline.currentTier;
      pipeline.process(1, query, count);
      return tier;
    });
    expect(tiers).toEqual([...Array(interpretedPacketsMax).fill('interpreted'), 'compiled']);
  });

  it('change when told', () => {
    const { pipeline } = started('adaptive');
    pipeline.finishCompiling();
    expect(pipeline.currentTier).toBe('compiled');
  });

  it('forward alike', () => {
    const sides = (['compiled', 'interpreted', 'adaptive'] as const).map((tier) => {
      const { pipeline, sent } = started(tier);
      for (let count = 0; count < 2 * interpretedPacketsMax; count++) pipeline.process(1, query, count);
      return sent;
    });
    expect(sides[0]!.length).toBeGreaterThan(0);
    expect(sides[1]).toEqual(sides[0]);
    expect(sides[2]).toEqual(sides[0]);
  });

  it('refuse the same programs, what only code generation can find included', () => {
    const json = testdata('balancer');
    const endless: Json = { op: '<<', left: { type: 'hexstr', value: '0x1' }, right: { type: 'field' } };
    for (const action of json.actions as { primitives: { op: string; parameters: Json[] }[] }[]) {
      for (const primitive of action.primitives) {
        if (primitive.op !== 'assign') continue;
        endless.right = primitive.parameters[0];
        const value = { op: '==', left: { type: 'expression', value: endless }, right: endless.left };
        primitive.parameters[1] = { type: 'expression', value: { type: 'expression', value } };
      }
    }
    for (const tier of ['compiled', 'interpreted', 'adaptive'] as const) {
      const options = { tier, dropPort: 511, sink: { transmit() {}, digest() {}, diagnostic() {} } };
      expect(() => compile(json, options)).toThrow(/without bound/);
    }
  });
});
