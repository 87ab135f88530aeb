// SPDX-License-Identifier: Apache-2.0
/** Meters over gRPC: configs, their codes (those of simple_switch_grpc), and the colours they cause. */

import { clone, create, toJson } from '@bufbuild/protobuf';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { P4Info } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import {
  MeterSpec_Type,
  MeterSpec_Unit,
  P4InfoSchema,
} from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import type { Update } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  EntitySchema,
  type MeterConfigSchema,
  type TableEntrySchema,
  Update_Type,
  UpdateSchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from '../../p4runtime/p4info.ts';
import { Code } from './refusal.ts';
import { isOtherSwitch, meters, startLoadedBench } from './testdata/harness.ts';

const index = new P4InfoIndex(meters.p4info);
let bench: Awaited<ReturnType<typeof startLoadedBench>>;
beforeAll(async () => {
  bench = await startLoadedBench(meters);
});
beforeEach(() => bench.client.push());
afterAll(() => bench.close());

type EntityInit = NonNullable<Parameters<typeof create<typeof EntitySchema>>[1]>['entity'];
type EntryInit = Extract<Parameters<typeof create<typeof TableEntrySchema>>[1], { $typeName?: never }>;
type ConfigInit = Extract<Parameters<typeof create<typeof MeterConfigSchema>>[1], { $typeName?: never }>;

const { INSERT, MODIFY, DELETE } = Update_Type;
const framesId = index.meters.get('frames').id;
const policeId = index.tables.get('police').id;
const target = {
  fieldId: 1,
  fieldMatchType: { case: 'exact' as const, value: { value: Uint8Array.of(2, 0, 0, 0, 0, 0xaa) } },
};
const colour = { type: { case: 'action' as const, value: { actionId: index.actions.get('colour').id } } };
const slow: ConfigInit = { cir: 1n, cburst: 2n, pir: 1n, pburst: 4n };

const update = (type: Update_Type, entity: EntityInit): Update =>
  create(UpdateSchema, { type, entity: { entity } });
const meter = (
  type: Update_Type,
  cell: bigint | undefined,
  config: ConfigInit | undefined,
  meterId = framesId,
) =>
  update(type, {
    case: 'meterEntry',
    value: { meterId, ...(cell !== undefined && { index: { index: cell } }), ...(config && { config }) },
  });
const entry = (type: Update_Type, init: EntryInit = {}) =>
  update(type, {
    case: 'tableEntry',
    value: { tableId: policeId, match: [target], action: colour, ...init },
  });
const ofEntry = (type: Update_Type, config: ConfigInit | undefined, tableEntry: EntryInit = {}) =>
  update(type, {
    case: 'directMeterEntry',
    value: { tableEntry: { tableId: policeId, match: [target], ...tableEntry }, ...(config && { config }) },
  });

async function codes(...updates: Update[]): Promise<string[]> {
  const { code, errors } = await bench.client.write(updates);
  if (code === Code.OK) return updates.map(() => 'OK');
  expect(code).toBe(Code.UNKNOWN);
  return errors.map((error) => Code[error.canonicalCode]!);
}

describe('what is accepted', () => {
  test.each<[string, Update[]]>([
    ['a config, and none', [meter(MODIFY, 0n, slow), meter(MODIFY, 0n, undefined)]],
    ['rates of 0', [meter(MODIFY, 3n, { cir: 0n, cburst: 0n, pir: 0n, pburst: 0n })]],
    [
      'the largest bursts',
      [meter(MODIFY, 3n, { cir: 1n, cburst: 2n ** 32n - 1n, pir: 1n, pburst: 2n ** 32n - 1n })],
    ],
    ['a direct meter, and none', [entry(INSERT), ofEntry(MODIFY, slow), ofEntry(MODIFY, undefined)]],
    ['an entry with a config', [entry(INSERT, { meterConfig: slow }), entry(MODIFY, { meterConfig: slow })]],
  ])('%s', async (_, updates) => {
    expect(await codes(...updates)).toEqual(updates.map(() => 'OK'));
  });
});

describe('what is refused, and with which code', () => {
  test.each<[what: string, code: string, updates: Update[], real?: string]>([
    ['an unknown meter', 'INVALID_ARGUMENT', [meter(MODIFY, 0n, slow, 5)]],
    [
      'a direct meter by its id',
      'INVALID_ARGUMENT',
      [meter(MODIFY, 0n, slow, meters.p4info.directMeters[0]!.preamble!.id)],
    ],
    ['all cells at once', 'UNIMPLEMENTED', [meter(MODIFY, undefined, slow)]],
    ['a new meter', 'INVALID_ARGUMENT', [meter(INSERT, 0n, slow)]],
    ['the end of a meter', 'INVALID_ARGUMENT', [meter(DELETE, 0n, slow)]],
    ['no type', 'INVALID_ARGUMENT', [meter(Update_Type.UNSPECIFIED, 0n, slow)]],
    ['a negative index', 'INVALID_ARGUMENT', [meter(MODIFY, -1n, slow)]],
    ['an index beyond the array', 'UNKNOWN', [meter(MODIFY, 4n, slow)]],
    ['a negative rate', 'INVALID_ARGUMENT', [meter(MODIFY, 0n, { ...slow, cir: -2n })]],
    [
      'a rate of -1',
      'INVALID_ARGUMENT',
      [meter(MODIFY, 0n, { cir: -1n, cburst: -1n, pir: -1n, pburst: -1n })],
      'OK',
    ],
    ['a burst too large', 'UNIMPLEMENTED', [meter(MODIFY, 0n, { ...slow, pburst: 2n ** 32n })]],
    ['a peak rate below the committed one', 'UNKNOWN', [meter(MODIFY, 0n, { ...slow, cir: 2n })]],
    ['an excess burst', 'INVALID_ARGUMENT', [meter(MODIFY, 0n, { ...slow, eburst: 1n })], 'OK'],
    ['the direct meter of a missing entry', 'INVALID_ARGUMENT', [ofEntry(MODIFY, slow)]],
    ['the direct meter of an unknown table', 'INVALID_ARGUMENT', [ofEntry(MODIFY, slow, { tableId: 5 })]],
    [
      'the direct meter of no entry',
      'INVALID_ARGUMENT',
      [update(MODIFY, { case: 'directMeterEntry', value: {} })],
    ],
    ['a new direct meter', 'INVALID_ARGUMENT', [entry(INSERT), ofEntry(INSERT, slow)]],
    ['the end of a direct meter', 'INVALID_ARGUMENT', [entry(INSERT), ofEntry(DELETE, slow)]],
    [
      'a direct meter with a negative rate',
      'INVALID_ARGUMENT',
      [entry(INSERT), ofEntry(MODIFY, { pir: -2n })],
    ],
    [
      'a direct meter with a peak below the rest',
      'UNKNOWN',
      [entry(INSERT), ofEntry(MODIFY, { ...slow, cir: 2n })],
    ],
    [
      'the direct meter of a default action',
      'UNKNOWN',
      [ofEntry(MODIFY, slow, { match: [], isDefaultAction: true })],
    ],
    ['an entry with a negative rate', 'INVALID_ARGUMENT', [entry(INSERT, { meterConfig: { pir: -2n } })]],
    [
      'an entry with a peak below the rest',
      'UNKNOWN',
      [entry(INSERT, { meterConfig: { ...slow, cir: 2n } })],
    ],
    [
      'a default action with a meter config',
      'PERMISSION_DENIED',
      [entry(MODIFY, { match: [], isDefaultAction: true, meterConfig: slow })],
    ],
  ])('%s', async (_, code, updates, real) => {
    const all = await codes(...updates);
    expect(all.slice(0, -1)).toEqual(all.slice(1).map(() => 'OK'));
    expect(all.at(-1)).toBe(isOtherSwitch ? (real ?? code) : code);
  });
});

describe('what is read back', () => {
  const read = async (entity: EntityInit) =>
    (await bench.client.read(create(EntitySchema, { entity }))).map((each) => toJson(EntitySchema, each));
  const entityOf = ({ entity }: Update) => toJson(EntitySchema, entity!);

  test('a cell, an array, all arrays', async () => {
    await codes(meter(MODIFY, 2n, slow));
    const cells = [0n, 1n, 2n, 3n].map((cell) =>
      entityOf(meter(MODIFY, cell, cell === 2n ? slow : undefined)),
    );
    expect(await read({ case: 'meterEntry', value: { meterId: framesId, index: { index: 2n } } })).toEqual([
      cells[2],
    ]);
    expect(await read({ case: 'meterEntry', value: { meterId: framesId, index: { index: 1n } } })).toEqual([
      cells[1],
    ]);
    expect(await read({ case: 'meterEntry', value: { meterId: framesId } })).toEqual(cells);
    expect(await read({ case: 'meterEntry', value: {} })).toHaveLength(8);
  });

  test.each<[string, EntityInit, number]>([
    ['an unknown meter', { case: 'meterEntry', value: { meterId: 5 } }, Code.INVALID_ARGUMENT],
    [
      'a cell there is not',
      { case: 'meterEntry', value: { meterId: framesId, index: { index: 4n } } },
      Code.UNKNOWN,
    ],
    ['direct meters of no entry', { case: 'directMeterEntry', value: {} }, Code.INVALID_ARGUMENT],
    ['all direct meters', { case: 'directMeterEntry', value: { tableEntry: {} } }, Code.UNIMPLEMENTED],
    [
      'the direct meter of a missing entry',
      { case: 'directMeterEntry', value: { tableEntry: { tableId: policeId, match: [target] } } },
      Code.INVALID_ARGUMENT,
    ],
    [
      'the direct meter of a default action',
      { case: 'directMeterEntry', value: { tableEntry: { tableId: policeId, isDefaultAction: true } } },
      Code.UNKNOWN,
    ],
  ])('%s is refused', async (_, entity, code) => {
    await expect(read(entity)).rejects.toMatchObject({ code });
  });

  test('direct meters, from the meter and from the entry', async () => {
    const plain = { case: 'tableEntry' as const, value: { tableId: policeId } };
    const withConfig = { case: 'tableEntry' as const, value: { tableId: policeId, meterConfig: {} } };
    const direct = { case: 'directMeterEntry' as const, value: { tableEntry: { tableId: policeId } } };
    const one = { ...direct, value: { tableEntry: { tableId: policeId, match: [target] } } };
    await codes(entry(INSERT));
    expect(await read(withConfig)).toEqual([entityOf(entry(INSERT))]);
    await codes(entry(MODIFY, { meterConfig: slow }));
    expect(await read(withConfig)).toEqual([entityOf(entry(INSERT, { meterConfig: slow }))]);
    expect(await read(plain)).toEqual([entityOf(entry(INSERT))]);
    expect(await read(direct)).toEqual([entityOf(ofEntry(MODIFY, slow))]);
    expect(await read(one)).toEqual([entityOf(ofEntry(MODIFY, slow))]);
    // A MODIFY without a config leaves the meter alone.
    await codes(entry(MODIFY));
    expect(await read(one)).toEqual([entityOf(ofEntry(MODIFY, slow))]);
    await codes(ofEntry(MODIFY, undefined));
    expect(await read(one)).toEqual([entityOf(ofEntry(MODIFY, undefined))]);
    await codes(ofEntry(MODIFY, slow), entry(DELETE), entry(INSERT));
    if (!isOtherSwitch) expect(await read(one)).toEqual([entityOf(ofEntry(MODIFY, undefined))]);
  });
});

describe.skipIf(isOtherSwitch)('a P4Info that does not fit is refused', () => {
  test.each<[string, (p4info: P4Info) => void, string]>([
    [
      'a meter of another name',
      (p4info) => void (p4info.meters[0]!.preamble!.name = 'other'),
      "meter 'other' is in the P4Info, but not in the JSON",
    ],
    [
      'another unit',
      (p4info) => void (p4info.directMeters[0]!.spec!.unit = MeterSpec_Unit.BYTES),
      "direct meter of table 'TestIngress.police' counts bytes in the P4Info, packets in the JSON",
    ],
    [
      'a direct meter of another table',
      (p4info) => void (p4info.directMeters[0]!.directTableId = p4info.directMeters[1]!.directTableId),
      "direct meter of table 'TestIngress.police_bytes' counts packets in the P4Info, bytes in the JSON",
    ],
    [
      'a type there is not',
      (p4info) => void (p4info.meters[1]!.spec!.type = MeterSpec_Type.SINGLE_RATE_TWO_COLOR),
      "meter 'TestIngress.bytes' is of a type this switch does not have",
    ],
  ])('%s', async (_, change, problem) => {
    const p4info = clone(P4InfoSchema, meters.p4info);
    change(p4info);
    const config = { p4info, p4DeviceConfig: meters.json };
    await expect(bench.client.push(undefined, { config })).rejects.toThrow(problem);
  });
});

describe('the colours of packets', () => {
  /** @returns by frame, by byte, by entry, by entry in bytes; 255 where nothing was written */
  async function colours(): Promise<number[]> {
    const payload = Uint8Array.from(Buffer.from('0200000000aa0200000000010000ffffffff', 'hex'));
    bench.stream.send({ case: 'packet', value: { payload } });
    return [...(await bench.stream.next('packet')).payload.subarray(14, 18)];
  }
  /** Nothing but the bursts, so that time does not matter. */
  const bursts = (cburst: bigint, pburst: bigint): ConfigInit => ({ cir: 0n, cburst, pir: 0n, pburst });
  const bytesId = index.meters.get('bytes').id;
  const bytesEntry = (meterConfig: ConfigInit) =>
    update(INSERT, {
      case: 'tableEntry',
      value: {
        tableId: index.tables.get('police_bytes').id,
        priority: 1,
        action: { type: { case: 'action', value: { actionId: index.actions.get('colour_bytes').id } } },
        meterConfig,
      },
    });
  async function colour5(): Promise<number[][]> {
    const all: number[][] = [];
    while (all.length < 5) all.push(await colours());
    return all;
  }

  test('are green where nothing is configured', async () => {
    expect(await codes(entry(INSERT))).toEqual(['OK']);
    expect(await colours()).toEqual([0, 0, 0, 255]);
  });

  test('come from both bursts, by packets of 18 bytes', async () => {
    const updates = [
      meter(MODIFY, 0n, bursts(2n, 4n)),
      meter(MODIFY, 0n, bursts(36n, 71n), bytesId),
      entry(INSERT, { meterConfig: bursts(1n, 4n) }),
      bytesEntry(bursts(17n, 54n)),
    ];
    expect(await codes(...updates)).toEqual(updates.map(() => 'OK'));
    expect(await colour5()).toEqual([
      [0, 0, 0, 1],
      [0, 0, 1, 1],
      [1, 1, 1, 1],
      [1, 2, 1, 2],
      [2, 2, 2, 2],
    ]);
  });

  test('stay as they are when an entry changes its action, and start anew with a config', async () => {
    await codes(entry(INSERT, { meterConfig: bursts(1n, 2n) }));
    expect((await colour5()).map((each) => each[2])).toEqual([0, 1, 2, 2, 2]);
    await codes(entry(MODIFY));
    expect((await colours())[2]).toBe(2);
    await codes(ofEntry(MODIFY, bursts(1n, 2n)));
    expect((await colour5()).map((each) => each[2])).toEqual([0, 1, 2, 2, 2]);
    await codes(ofEntry(MODIFY, undefined));
    expect((await colour5()).map((each) => each[2])).toEqual([0, 0, 0, 0, 0]);
  });

  // simple_switch_grpc gives the new entry the meter of the old one.
  test.skipIf(isOtherSwitch)('go with the entry', async () => {
    await codes(entry(INSERT, { meterConfig: bursts(0n, 0n) }), entry(DELETE), entry(INSERT));
    expect((await colours())[2]).toBe(0);
  });

  test.skipIf(isOtherSwitch)('do not change when a config is refused', async () => {
    await codes(meter(MODIFY, 0n, bursts(0n, 0n)));
    expect(await codes(meter(MODIFY, 0n, { ...slow, cir: 2n }))).toEqual(['UNKNOWN']);
    expect((await colours())[0]).toBe(2);
  });

  test.skipIf(isOtherSwitch)('follow the time of the switch', async () => {
    await codes(meter(MODIFY, 0n, { cir: 1n, cburst: 1n, pir: 2n, pburst: 1n }));
    const seen: number[] = [];
    for (const waitMs of [0, 0, 499, 1, 500]) {
      bench.clock.advance(waitMs);
      seen.push((await colours())[0]!);
    }
    expect(seen).toEqual([0, 2, 2, 1, 0]);
  });
});
