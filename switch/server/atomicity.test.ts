// SPDX-License-Identifier: Apache-2.0
/** ROLLBACK_ON_ERROR and DATAPLANE_ATOMIC: a batch happens, or it has never been. */

import { create, toJsonString } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  EntitySchema,
  Update_Type,
  WriteRequest_Atomicity,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from '../../p4runtime/p4info.ts';
import { Code } from './refusal.ts';
import { type EntityInit, update } from './testdata/compat-stage.ts';
import { type Bench, compat, features, startLoadedBench, type TestProgram } from './testdata/harness.ts';
import { updatesOf } from './testdata/random-updates.ts';

const { INSERT, DELETE } = Update_Type;
const { ROLLBACK_ON_ERROR, DATAPLANE_ATOMIC } = WriteRequest_Atomicity;
const bytes = (...values: number[]) => Uint8Array.from(values);

/** Everything that can be read of the program's state, in an order that does not depend on history. */
async function stateOf(bench: Bench, program: TestProgram): Promise<string[]> {
  const digestIds = program.p4info.digests.map(({ preamble }) => preamble!.id);
  const wanted: EntityInit[] = [
    ...program.p4info.tables
      .filter((table) => !table.hasInitialEntries || table.isConstTable)
      .flatMap(({ preamble }): EntityInit[] => {
        const tableId = preamble!.id;
        const hasCounter = program.p4info.directCounters.some((each) => each.directTableId === tableId);
        const hasMeter = program.p4info.directMeters.some((each) => each.directTableId === tableId);
        const resources = { ...(hasCounter && { counterData: {} }), ...(hasMeter && { meterConfig: {} }) };
        return [
          { case: 'tableEntry', value: { tableId, ...resources } },
          { case: 'tableEntry', value: { tableId, isDefaultAction: true } },
        ];
      }),
    { case: 'counterEntry', value: {} },
    { case: 'registerEntry', value: {} },
    { case: 'packetReplicationEngineEntry', value: { type: { case: 'multicastGroupEntry', value: {} } } },
    { case: 'packetReplicationEngineEntry', value: { type: { case: 'cloneSessionEntry', value: {} } } },
    { case: 'actionProfileMember', value: {} },
    { case: 'actionProfileGroup', value: {} },
    { case: 'valueSetEntry', value: {} },
    ...digestIds.map((digestId): EntityInit => ({ case: 'digestEntry', value: { digestId } })),
  ];
  const texts: string[] = [];
  for (const entity of wanted) {
    const read = await bench.client.read(create(EntitySchema, { entity })).catch((cause) => {
      // A digest that is not configured; members beside action sets.
      texts.push(`${entity?.case} ${Code[cause.code]}`);
      return [];
    });
    texts.push(...read.map((each) => toJsonString(EntitySchema, each)));
  }
  return texts.sort();
}

function frameOf(target: number, source: number, kind = 0): Uint8Array {
  const frame = new Uint8Array(60);
  frame[5] = target;
  frame[11] = source;
  frame.set([kind >> 8, kind & 0xff], 12);
  return frame;
}

describe.each([
  ['ROLLBACK_ON_ERROR', ROLLBACK_ON_ERROR],
  ['DATAPLANE_ATOMIC', DATAPLANE_ATOMIC],
])('%s', (_, atomicity) => {
  const index = new P4InfoIndex(features.p4info);
  const tableId = index.tables.get('routes').id;
  const route = (key: number, port: number) => ({
    tableId,
    match: [
      { fieldId: 1, fieldMatchType: { case: 'lpm' as const, value: { value: bytes(key), prefixLen: 48 } } },
    ],
    action: {
      type: {
        case: 'action' as const,
        value: {
          actionId: index.actions.get('forward').id,
          params: [{ paramId: 1, value: bytes(port) }],
        },
      },
    },
  });
  const write = (type: Update_Type, key: number, port = 1) =>
    update(type, { case: 'tableEntry', value: route(key, port) });
  let bench: Awaited<ReturnType<typeof startLoadedBench>>;
  beforeEach(async () => {
    bench = await startLoadedBench();
  });
  afterEach(() => bench.close());

  test('a batch in order is carried out, and the operator is told once that the real switch cannot', async () => {
    for (const key of [1, 2]) {
      const outcome = await bench.client.write([write(INSERT, key, 4)], 1n, { atomicity });
      expect(outcome).toEqual({ code: 0, message: '', errors: [] });
    }
    bench.running.inject(1, frameOf(2, 9));
    expect(bench.sent.map(({ port }) => port)).toEqual([4]);
    expect(bench.logs.filter((line) => line.includes('trap atomic-write'))).toHaveLength(1);
  });

  test('after a failure nothing of it is left, and each update is told why', async () => {
    await bench.client.write([write(INSERT, 1, 4)]);
    const before = await stateOf(bench, features);
    const batch = [write(DELETE, 1), write(INSERT, 2, 5), write(INSERT, 2, 6), write(INSERT, 3, 7)];
    const { code, errors } = await bench.client.write(batch, 1n, { atomicity });
    expect(code).toBe(Code.UNKNOWN);
    expect(errors.map(({ canonicalCode }) => Code[canonicalCode])).toEqual([
      'ABORTED',
      'ABORTED',
      'ALREADY_EXISTS',
      'ABORTED',
    ]);
    expect(await stateOf(bench, features)).toEqual(before);
    for (const target of [1, 2, 3]) bench.running.inject(1, frameOf(target, 9));
    expect(bench.sent.map(({ port }) => port)).toEqual([4]);
  });

  test('a digest that would have been removed goes on, with the samples it holds', async () => {
    const digestId = index.digests.get('seen_t').id;
    const digest = (type: Update_Type) =>
      update(type, {
        case: 'digestEntry',
        value: { digestId, config: { maxListSize: 2, maxTimeoutNs: 1_000_000_000n } },
      });
    await bench.client.write([digest(INSERT)]);
    bench.running.inject(3, frameOf(1, 7));
    const { code } = await bench.client.write([digest(DELETE), write(DELETE, 1)], 1n, { atomicity });
    expect(code).toBe(Code.UNKNOWN);
    bench.running.inject(3, frameOf(1, 8));
    expect((await bench.stream.next('digest')).data).toHaveLength(2);
  });
});

describe.each([
  ['tables, counters, digests', features],
  ['profiles, meters, value sets', compat],
])('property: %s', (_, program) => {
  test('a batch that fails leaves a switch as one that never heard of it, now and later', async () => {
    const [tried, spared] = [
      await startLoadedBench(program, { compat: 'spec' }),
      await startLoadedBench(program, { compat: 'spec' }),
    ];
    const warmUp = fc.array(updatesOf(program), { minLength: 60, maxLength: 60, size: 'max' });
    const batch = fc.array(updatesOf(program), { minLength: 1, maxLength: 8 });
    let failures = 0;
    try {
      await fc.assert(
        fc.asyncProperty(warmUp, fc.array(batch, { minLength: 2, maxLength: 6 }), async (first, batches) => {
          await Promise.all([tried.client.push(), spared.client.push()]);
          // Without it most batches would fail at once, on a switch that is empty.
          for (const bench of [tried, spared]) await bench.client.write(first);
          for (const updates of batches) {
            const { code } = await tried.client.write(updates, 1n, { atomicity: ROLLBACK_ON_ERROR });
            if (code === Code.OK) await spared.client.write(updates);
            else failures += 1;
            expect(await stateOf(tried, program)).toEqual(await stateOf(spared, program));
            // What the pipelines have become shows in what they do.
            for (const target of [1, 2, 3]) {
              for (const source of [1, 2, 3, 4, 5]) {
                for (const bench of [tried, spared]) bench.running.inject(1, frameOf(target, source, source));
              }
            }
            expect(tried.sent.splice(0)).toEqual(spared.sent.splice(0));
          }
        }),
        { numRuns: 12 },
      );
      expect(failures).toBeGreaterThan(8);
      expect([...tried.logs, ...spared.logs].filter((line) => line.startsWith('error'))).toEqual([]);
    } finally {
      await Promise.all([tried.close(), spared.close()]);
    }
  }, 240_000);
});
