// SPDX-License-Identifier: Apache-2.0
/**
 * Packet fixtures: a packet in, and in words everything that the balancer does about it. Each is a test on the embedded
 * switch and, where BMV2_SWITCH_EXE names one, on simple_switch_grpc.
 */
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntryCodec, type EntryInput } from '../../p4runtime/entries.ts';
import type { MeterConfig, Update } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { EntitySchema, Update_Type, UpdateSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { formatIpv4, formatIpv6, formatMac } from '../../wire/address.ts';
import { startBmv2 } from '../differential/bmv2.ts';
import { startEmbedded } from '../differential/embedded.ts';
import { loadProgram } from '../differential/programs.ts';
import type { Target } from '../differential/target.ts';
import { frameInWords } from './in-words.ts';
import { clientPort, labRows } from './lab.ts';

export interface PacketFixture {
  /** A sentence. */
  does: string;
  /** Rows beyond those of the lab, or in their place. */
  rows?: readonly EntryInput[];
  /** Rows of the lab that are missing. */
  without?: readonly EntryInput[];
  /** A cell of the meter that lets one packet through, and then none. */
  limitedCell?: number;
  /** Frames, and the port each comes in by: the client's unless said. */
  in: readonly (Uint8Array | { port: number; frame: Uint8Array })[];
  /**
   * For each frame, joined by ' | ': the decision, or 'dropped: ' and the reason; 'port N to HOST: ' and each frame that
   * left; 'digest ' and each digest; 'hint ' and its outcome; 'limited ' and what was held back.
   */
  out: readonly (string | RegExp)[];
}

const decisions = [
  ...['stable', 'pinned', 'filter', 'base', 'new', 'return', 'routed'],
  ...['hinted', 'fragment', 'icmp error', 'answered'],
];
const drops = [
  ...['nothing', 'bad checksum', 'no backend', 'ttl', 'no route', 'no neighbour', 'not ip', 'arp not for us'],
  ...['martian', 'own source', 'fragment', 'options', 'too big', 'malformed', 'dead pool'],
  ...['icmp of no flow', 'ndp not for us', 'not served'],
];
const hints = ['used', 'unknown', 'dead', 'malformed'];
const limits = ['flow digests', 'neighbour digests', 'answers'];
const digestReasons = ['', 'old', 'learn', 'closing', 'opening'];

const counters = [
  { counter: 'decisions.cells', words: (cell: number) => decisions[cell] ?? `decision ${cell}` },
  { counter: 'drops.cells', words: (cell: number) => `dropped: ${drops[cell] ?? cell}` },
  { counter: 'hints.cells', words: (cell: number) => `hint ${hints[cell]}` },
  { counter: 'limited.cells', words: (cell: number) => `limited ${limits[cell]}` },
] as const;

const program = loadProgram('evenkeel');
const codec = new EntryCodec(program.index);
const bmv2 = process.env.BMV2_SWITCH_EXE;

/** A test for each fixture and switch. Fixtures do not see each other, but for the filters, which nobody can clear. */
export function describePackets(title: string, fixtures: readonly PacketFixture[]): void {
  describeOn(`${title}, embedded switch`, fixtures, () => startEmbedded());
  const why = bmv2 === undefined ? ' (skipped: BMV2_SWITCH_EXE does not name simple_switch_grpc)' : '';
  describe.skipIf(bmv2 === undefined)(`${title}, simple_switch_grpc${why}`, () => {
    describeOn('', fixtures, async () => (await startBmv2(bmv2!)).target);
  });
}

function describeOn(title: string, fixtures: readonly PacketFixture[], start: () => Promise<Target>): void {
  describe(title, () => {
    let bench: Bench;
    beforeAll(async () => {
      const target = await start();
      await target.reset(program);
      bench = new Bench(target);
      await bench.write(labUpdates());
    });
    afterAll(() => bench.target.close());

    it.each(fixtures.map((fixture) => [fixture.does, fixture] as const))('%s', async (_words, fixture) => {
      expect(await bench.run(fixture)).toEqual(
        fixture.out.map((words) => (words instanceof RegExp ? expect.stringMatching(words) : words)),
      );
    });
  });
}

class Bench {
  readonly target: Target;
  /** Packets counted so far, by counter and cell. */
  private readonly counted = new Map<string, number>();

  constructor(target: Target) {
    this.target = target;
  }

  async write(updates: readonly Update[]): Promise<void> {
    const result = await this.target.run(program, { kind: 'write', updates }, undefined);
    if (result.kind === 'write') expect(result.codes.every((code) => code === 0)).toBe(true);
  }

  async run({ rows = [], without = [], limitedCell, ...fixture }: PacketFixture): Promise<string[]> {
    const changed = rows.map(changeOf);
    await this.write([
      ...without.map((row) => codec.remove(row)),
      ...changed.map(({ forth }) => forth),
      ...(limitedCell === undefined ? [] : [meterUpdate(limitedCell, true)]),
    ]);
    const outcomes: string[] = [];
    for (const [index, packet] of fixture.in.entries()) {
      const { port, frame } = 'frame' in packet ? packet : { port: clientPort, frame: packet };
      outcomes.push(await this.outcomeOf(port, frame, fixture.out[index] ?? ''));
    }
    await this.write([
      ...changed.map(({ back }) => back),
      ...without.map((row) => codec.insert(row)),
      ...(limitedCell === undefined ? [] : [meterUpdate(limitedCell, false)]),
    ]);
    return outcomes;
  }

  /** @param expected  tells how much to wait for */
  private async outcomeOf(port: number, frame: Uint8Array, expected: string | RegExp): Promise<string> {
    const text = typeof expected === 'string' ? expected : expected.source.replaceAll('\\|', '|');
    const parts = text.split(' | ');
    const burst = {
      count: 1,
      frames: parts.filter((part) => part.startsWith('port ')),
      packetIns: [],
      digests: parts.filter((part) => part.startsWith('digest ')),
    };
    const result = await this.target.run(
      program,
      { kind: 'packets', packets: [{ kind: 'frame', port, frame }] },
      { kind: 'packets', bursts: [burst] },
    );
    if (result.kind !== 'packets') throw new Error('packets have a result of another kind');
    const [{ frames, digests }] = result.bursts as [(typeof result.bursts)[number]];
    const counts = await this.counts();
    return [
      ...counts.filter((words) => !/^(hint|limited) /.test(words)),
      ...frames.map((text) => {
        const [out, hex] = text.split(':');
        return `port ${out} ${frameInWords(Uint8Array.from(Buffer.from(hex!, 'hex')))}`;
      }),
      ...digests.map(digestInWords),
      ...counts.filter((words) => /^(hint|limited) /.test(words)),
    ].join(' | ');
  }

  /** What has been counted since the last time. */
  private async counts(): Promise<string[]> {
    const words: string[] = [];
    for (const { counter, words: wordsOf } of counters) {
      const { id } = program.index.counters.get(counter);
      const wanted = create(EntitySchema, { entity: { case: 'counterEntry', value: { counterId: id } } });
      for (const { entity } of await this.target.read([wanted])) {
        if (entity.case !== 'counterEntry') continue;
        const cell = Number(entity.value.index?.index ?? 0n);
        const packets = Number(entity.value.data?.packetCount ?? 0n);
        const key = `${counter} ${cell}`;
        for (let count = this.counted.get(key) ?? 0; count < packets; count++) words.push(wordsOf(cell));
        this.counted.set(key, packets);
      }
    }
    return words;
  }
}

const keyOf = (row: EntryInput) =>
  JSON.stringify([row.table, row.match], (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
const rowsByKey = new Map(labRows.map((row) => [keyOf(row), row]));

function changeOf(row: EntryInput): { forth: Update; back: Update } {
  const before = rowsByKey.get(keyOf(row));
  if (row.match === undefined) {
    return {
      forth: codec.setDefault(row.table, row.action),
      back: codec.setDefault(row.table, before?.action),
    };
  }
  return before
    ? { forth: codec.modify(row), back: codec.modify(before) }
    : { forth: codec.insert(row), back: codec.remove(row) };
}

function labUpdates(): Update[] {
  const digests = program.index.digests.all().map(({ id }) =>
    create(UpdateSchema, {
      type: Update_Type.INSERT,
      entity: {
        entity: {
          case: 'digestEntry',
          value: { digestId: id, config: { maxListSize: 1, maxTimeoutNs: 0n, ackTimeoutNs: 0n } },
        },
      },
    }),
  );
  return [
    ...digests,
    ...labRows.map((row) =>
      row.match === undefined ? codec.setDefault(row.table, row.action) : codec.insert(row),
    ),
  ];
}

function meterUpdate(cell: number, isLimited: boolean): Update {
  const config = { cir: 0n, cburst: 1n, pir: 0n, pburst: 1n } as MeterConfig;
  const { id } = program.index.meters.get('digest_meter.cells');
  return create(UpdateSchema, {
    type: Update_Type.MODIFY,
    entity: {
      entity: {
        case: 'meterEntry',
        value: { meterId: id, index: { index: BigInt(cell) }, ...(isLimited && { config }) },
      },
    },
  });
}

/** @param text  digest id, then its fields as hexadecimal bytes */
function digestInWords(text: string): string {
  const [id, fields] = text.split(':') as [string, string];
  const { alias } = program.index.digests.byId(Number(id))!;
  const isIpv6 = alias.includes('ipv6');
  const values = fields.split(',').map((hex) => BigInt(`0x${hex || '0'}`));
  const address = (value: bigint) => (isIpv6 ? formatIpv6(value) : formatIpv4(Number(value)));
  if (alias.startsWith('neighbour')) {
    const [port, where, mac] = values as [bigint, bigint, bigint];
    return `digest ${address(where)} is at ${formatMac(Number(mac))} on port ${port}`;
  }
  const [source, , , sourcePort, , pool, slot, column, backend, reason] = values;
  return `digest ${address(source!)} ${sourcePort} pool ${pool} slot ${slot} column ${column} backend ${backend} because ${digestReasons[Number(reason)]}`;
}
