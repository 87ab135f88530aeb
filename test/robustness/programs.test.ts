// SPDX-License-Identifier: Apache-2.0
/** Programs that are none: each push is refused in few words and little time, and the program in force goes on. */

import { clone, create } from '@bufbuild/protobuf';
import type { ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type P4Info, P4InfoSchema } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import {
  SetForwardingPipelineConfigRequest_Action as Action,
  ForwardingPipelineConfigSchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { Code, refusalTextMax } from '../../switch/server/refusal.ts';
import {
  type Bench,
  features,
  startLoadedBench,
  type TestStream,
} from '../../switch/server/testdata/harness.ts';
import {
  codec,
  expectHealthy,
  firstSeed,
  frameOf,
  type Random,
  randomOf,
  route,
  runFactor,
} from './support.ts';

let bench: Bench & { stream: TestStream };
beforeEach(async () => {
  bench = await startLoadedBench();
  expect((await bench.client.write([codec.insert(route(5, 2))])).code).toBe(0);
});
afterEach(() => bench.close());

const text = new TextDecoder().decode(features.json);
const bytesOf = (json: string) => new TextEncoder().encode(json);

/** @returns the refusal; undefined when the push was accepted */
async function push(
  json: Uint8Array,
  p4info: P4Info = features.p4info,
  action = Action.VERIFY_AND_COMMIT,
): Promise<{ code: number; message: string } | undefined> {
  const config = create(ForwardingPipelineConfigSchema, { p4info, p4DeviceConfig: json });
  try {
    await bench.client.push(action, { config });
    return undefined;
  } catch (cause) {
    const { code, details } = cause as ServiceError;
    return { code, message: details };
  }
}

/** The program that was in force before still forwards. */
function expectForwarding(): void {
  bench.sent.length = 0;
  bench.running.inject(1, frameOf(5, 3));
  expect(bench.sent.map(({ port }) => port)).toEqual([2]);
}

const mib = 2 ** 20;
const brokenPrograms: Record<string, () => Uint8Array> = {
  'half a program': () => bytesOf(text.slice(0, text.length / 2)),
  '100 MB of brackets': () => new Uint8Array(100e6).fill(0x5b),
  'an object of 100 MB of brackets': () => {
    const bytes = new Uint8Array(100e6).fill(0x5b);
    bytes.set(bytesOf('{"a":'));
    return bytes;
  },
  'objects nested a million times': () => bytesOf(`${'{"a":'.repeat(1e6)}1${'}'.repeat(1e6)}`),
  'a program nested deeper than any': () =>
    bytesOf(text.replace('{', `{"x": ${'['.repeat(1e5)}${']'.repeat(1e5)},`)),
  'a string of 60 MB': () => bytesOf(`{"program": "${'x'.repeat(60 * mib)}"}`),
  'bytes that are not UTF-8': () => Uint8Array.from([...bytesOf('{"program": "'), 0xff, 0xfe, 0x22, 0x7d]),
  'a number no double holds': () => bytesOf(text.replace(/"max_size": \d+/, '"max_size": 1e999')),
  'half a character in a name': () => bytesOf(text.replaceAll('TestIngress.routes', '\\ud800')),
  'half a character where a number should be': () =>
    bytesOf(text.replace(/"max_size": \d+/, '"max_size": "\\ud800"')),
  'a text that is cut in the middle of a character when it is quoted': () =>
    bytesOf(text.replace(/"max_size": \d+/, `"max_size": "${'x'.repeat(78)}😀😀"`)),
  'everything missing': () => bytesOf('{}'),
  'a hundred thousand things wrong': () =>
    bytesOf(`{"header_types": [${new Array(1e5).fill('{"name": 3}').join()}]}`),
};

test.each(Object.entries(brokenPrograms))('%s', async (_words, make) => {
  const refusal = await push(make());
  expect(refusal?.code).toBe(Code.INVALID_ARGUMENT);
  expect(refusal?.message.length).toBeLessThanOrEqual(refusalTextMax);
  expectForwarding();
  await expectHealthy(bench);
});

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const strangers: readonly Json[] = [
  null,
  true,
  -1,
  0.5,
  2 ** 31,
  2 ** 53,
  '',
  '0x',
  '0xffffffffffffffffffffffffffffffffffffffff',
  '\ud800',
  [],
  {},
  [[]],
];

/** Changes one thing somewhere in the JSON. */
function mutate(root: Json, random: Random): void {
  const places: { holder: Json[] | Record<string, Json>; key: string | number }[] = [];
  const visit = (node: Json) => {
    if (node === null || typeof node !== 'object') return;
    for (const [key, value] of Object.entries(node)) {
      places.push({ holder: node as Record<string, Json>, key });
      visit(value);
    }
  };
  visit(root);
  const { holder, key } = random.pick(places);
  const at = holder as Record<string | number, Json>;
  switch (random.below(4)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete at[key];
      break;
    case 1: {
      const other = random.pick(places);
      at[key] = structuredClone((other.holder as Record<string | number, Json>)[other.key]!);
      break;
    }
    case 2:
      if (typeof at[key] === 'number') at[key] = (at[key] as number) + random.pick([-1, 1, 1000, -1000]);
      else if (Array.isArray(holder)) holder.push(structuredClone(at[key]!));
      else at[key] = random.pick(strangers);
      break;
    default:
      at[key] = random.pick(strangers);
  }
}

test('a program with something changed is refused for a reason, or loaded, and then takes packets', async () => {
  const random = randomOf(firstSeed);
  let refused = 0;
  for (let run = 0; run < 100 * runFactor; run++) {
    const json = JSON.parse(text) as Json;
    for (let count = 1 + random.below(3); count > 0; count--) mutate(json, random);
    const refusal = await push(bytesOf(JSON.stringify(json)));
    if (refusal !== undefined) {
      refused += 1;
      expect([run, refusal.code, refusal.message]).toEqual([run, Code.INVALID_ARGUMENT, refusal.message]);
      continue;
    }
    await bench.client.write([codec.insert(route(5, 2))]);
    for (const length of [60, 14, 3, 1]) bench.running.inject(1, frameOf(5, 3, 60).subarray(0, length));
  }
  expect(refused).toBeGreaterThan(10);
  await expectHealthy(bench);
});

/** Changes one field of one message somewhere in the P4Info. */
function mutateP4Info(p4info: P4Info, random: Random): void {
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const visit = (node: object) => {
    for (const [key, value] of Object.entries(node)) {
      if (key.startsWith('$')) continue;
      if (typeof value !== 'object' || value === null)
        places.push({ holder: node as Record<string, unknown>, key });
      else if (!(value instanceof Uint8Array)) visit(value);
      if (Array.isArray(value)) places.push({ holder: node as Record<string, unknown>, key });
    }
  };
  visit(p4info);
  const { holder, key } = random.pick(places);
  const value = holder[key];
  if (Array.isArray(value)) {
    if (random.chance(0.5)) holder[key] = value.slice(1);
    else holder[key] = [...value, ...value];
  } else if (typeof value === 'number') holder[key] = random.pick([0, 1, value + 1, 2 ** 31 - 1]);
  else if (typeof value === 'bigint') holder[key] = random.pick([0n, 1n, value + 1n, 2n ** 62n, -1n]);
  else if (typeof value === 'string' && key !== 'case')
    holder[key] = random.pick(['', 'nobody', `${value}x`]);
  else if (typeof value === 'boolean') holder[key] = !value;
}

test('a P4Info with something changed is refused for a reason, or taken, and then can be read and written', async () => {
  const random = randomOf(firstSeed);
  let refused = 0;
  for (let run = 0; run < 100 * runFactor; run++) {
    const p4info = clone(P4InfoSchema, features.p4info);
    for (let count = 1 + random.below(3); count > 0; count--) mutateP4Info(p4info, random);
    const refusal = await push(features.json, p4info);
    if (refusal !== undefined) {
      refused += 1;
      expect([run, refusal.code, refusal.message]).toEqual([run, Code.INVALID_ARGUMENT, refusal.message]);
      continue;
    }
    await bench.client.write([codec.insert(route(5, 2))]);
    bench.running.inject(1, frameOf(5, 3));
  }
  expect(refused).toBeGreaterThan(10);
  await expectHealthy(bench);
});
