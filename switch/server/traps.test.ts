// SPDX-License-Identifier: Apache-2.0
/** Each trap is found where it is laid, told once, and listed in docs/traps.md as the code has it. */

import { readFileSync } from 'node:fs';
import { clone, create } from '@bufbuild/protobuf';
import { afterEach, expect, test } from 'vitest';
import { P4InfoSchema } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import {
  P4BitstringLikeTypeSpecSchema,
  P4NewTypeSpecSchema,
} from '../../p4runtime/generated/p4/config/v1/p4types_pb.ts';
import {
  SetForwardingPipelineConfigRequest_Action as ConfigAction,
  EntitySchema,
  ForwardingPipelineConfigSchema,
  Update_Type,
  WriteRequest_Atomicity,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from '../../p4runtime/p4info.ts';
import { Rules } from './compat.ts';
import { programTraps } from './program-traps.ts';
import { type EntityInit, update } from './testdata/compat-stage.ts';
import { type Bench, compat, features, meters, startLoadedBench, trapped } from './testdata/harness.ts';
import { TrapLog, trapLinesMax } from './trap-log.ts';
import { type TrapName, traps } from './traps.ts';

const names = Object.keys(traps) as TrapName[];
const text = new TextDecoder();

let bench: Bench | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

test('docs/traps.md lists the traps, in the words of the code', () => {
  const doc = readFileSync(new URL('../../docs/traps.md', import.meta.url), 'utf8');
  const rows = [...doc.matchAll(/^\| `([a-z0-9-]+)` \| (.+) \| (.+) \|$/gm)].map(([, ...row]) => row);
  expect(rows).toEqual(names.map((name) => [name, traps[name].real, traps[name].instead]));
});

/** By name, the places; those of binding.ts come with the push. */
function found(p4info = trapped.p4info): Map<TrapName, string[]> {
  const byName = new Map<TrapName, string[]>();
  for (const { name, where } of programTraps(p4info, text.decode(trapped.json))) {
    byName.set(name, [...(byName.get(name) ?? []), where]);
  }
  return byName;
}

test.each<[TrapName, string[]]>([
  ['lost-metadata', ["ingress_port as key of table 'TestEgress.redirections', traps.p4:116"]],
  ['egress-spec-in-egress', ["action 'TestEgress.redirect', traps.p4:114"]],
  ['never-dropped', ['ingress has no mark_to_drop']],
  ['priority-queue', ["action 'TestIngress.urgent', traps.p4:57"]],
  ['truncated-copies', ["action 'TestIngress.shorten', traps.p4:59"]],
  ['process-dies', ["action 'TestIngress.believe', traps.p4:62"]],
  ['counter-of-hits', ["table 'TestIngress.preset', traps.p4:65 with default action 'TestIngress.forward'"]],
  ['lpm-mask-entry', ["table 'TestIngress.addresses', traps.p4:79, prefix 0"]],
  ['range-any-entry', ["table 'TestIngress.numbers', traps.p4:86"]],
  ['register-in-p4info', ["register 'TestIngress.cells'"]],
  ['value-set-in-p4info', ["value set 'TestParser.labelled'"]],
])('of a program: %s', (name, places) => {
  expect(found().get(name)).toEqual(places);
});

test('of a P4Info: a translated type, and a default action that a profile cannot have', () => {
  const p4info = clone(P4InfoSchema, trapped.p4info);
  const spread = p4info.tables.find(({ preamble }) => preamble?.alias === 'spread')!;
  spread.constDefaultActionId = p4info.actions.find(({ preamble }) => preamble?.alias === 'forward')!
    .preamble!.id;
  const type = create(P4NewTypeSpecSchema, {
    representation: { case: 'translatedType', value: { uri: 'p4.org/psa/v1/PortId_t' } },
  });
  p4info.typeInfo = { ...p4info.typeInfo!, newTypes: { port_t: type } };
  expect(found(p4info).get('translated-type')).toEqual(["type 'port_t'"]);
  expect(found(p4info).get('profile-default')).toEqual([
    "table 'TestIngress.spread' with default action 'TestIngress.forward'",
  ]);
});

test('a push tells each trap of the program, with its place', async () => {
  bench = await startLoadedBench(trapped);
  const told = bench.logs.filter((line) => line.startsWith('warn: trap '));
  expect(told).toContain(
    "warn: trap lpm-width: key field 'label' of table 'TestIngress.labels', 20 bits: " +
      `${traps['lpm-width'].real}; ${traps['lpm-width'].instead}`,
  );
  expect(told.filter((line) => line.includes('trap initial-entries'))).toHaveLength(1);
  await bench.client.push();
  expect(bench.logs.filter((line) => line.startsWith('warn: trap '))).toHaveLength(2 * told.length);
});

test('a program without traps is told nothing, and none is told to whoever asks for the specification', async () => {
  bench = await startLoadedBench(meters);
  expect(bench.logs.filter((line) => line.includes('trap'))).toEqual([
    `warn: trap never-dropped: ingress has no mark_to_drop: ${traps['never-dropped'].real}; ${traps['never-dropped'].instead}`,
  ]);
  await bench.close();
  bench = await startLoadedBench(trapped, { compat: 'spec' });
  expect(bench.logs.filter((line) => line.includes('trap'))).toEqual([]);
});

test('a program with very many traps is told of so many, and that there are more', () => {
  const lines: string[] = [];
  const log = new TrapLog(new Rules('strict'), (_level, line) => lines.push(line));
  for (let place = 0; place < 200; place++) log.note('process-dies', `place ${place}`, true);
  expect(lines).toHaveLength(trapLinesMax + 1);
  expect(lines.at(-1)).toMatch(/more than 64 traps/);
});

const { INSERT, MODIFY } = Update_Type;
const bytes = (...values: number[]) => Uint8Array.from(values);
const exact = (fieldId: number, value: number) => ({
  fieldId,
  fieldMatchType: { case: 'exact' as const, value: { value: bytes(value) } },
});
type Step = (bench: Bench) => Promise<unknown>;
const write =
  (type: Update_Type, entity: EntityInit, init: object = {}): Step =>
  ({ client }) =>
    client.write([update(type, entity)], 1n, init);
const read =
  (entity: EntityInit): Step =>
  ({ client }) =>
    client.read(create(EntitySchema, { entity }));

const byName = new P4InfoIndex(features.p4info);
const ofCompat = new P4InfoIndex(compat.p4info);
const routes = byName.tables.get('routes').id;
const policed: EntityInit = {
  case: 'tableEntry',
  value: {
    tableId: ofCompat.tables.get('policed').id,
    match: [exact(1, 1)],
    action: {
      type: {
        case: 'action',
        value: {
          actionId: ofCompat.actions.get('metered').id,
          params: [{ paramId: 1, value: bytes(1) }],
        },
      },
    },
  },
};
const watching: EntityInit = {
  case: 'actionProfileGroup',
  value: {
    actionProfileId: ofCompat.actionProfiles.get('spread_members').id,
    groupId: 1,
    maxSize: 4,
    members: [{ memberId: 1, weight: 1, watchKind: { case: 'watchPort', value: bytes(9) } }],
  },
};
const missing = (key: number): EntityInit => ({
  case: 'tableEntry',
  value: {
    tableId: byName.tables.get('exact_small').id,
    match: [exact(1, key), exact(2, 1)],
    action: {
      type: {
        case: 'action',
        value: { actionId: byName.actions.get('forward').id, params: [{ paramId: 1, value: bytes(1) }] },
      },
    },
  },
});

const steps: Record<string, { program?: typeof features; run: Step }> = {
  'digest-without-timer': {
    run: write(INSERT, { case: 'digestEntry', value: { digestId: byName.digests.get('seen_t').id } }),
  },
  'modify-without-meter': { program: compat, run: write(MODIFY, policed) },
  'read-filters': { run: read({ case: 'tableEntry', value: { tableId: routes, priority: 4 } }) },
  'atomic-write': {
    run: write(INSERT, missing(1), { atomicity: WriteRequest_Atomicity.DATAPLANE_ATOMIC }),
  },
  'register-access': { run: read({ case: 'registerEntry', value: {} }) },
  'reconcile-arrays': { run: ({ client }) => client.push(ConfigAction.RECONCILE_AND_COMMIT) },
  'reconcile-defaults': { run: ({ client }) => client.push(ConfigAction.RECONCILE_AND_COMMIT) },
  'roles-ignored': {
    run: ({ client }) => client.openStream().arbitrate(1n, { role: { name: 'other' } }),
  },
  'long-error-details': {
    run: ({ client }) => client.write(Array.from({ length: 120 }, (_, key) => update(MODIFY, missing(key)))),
  },
  'large-read': {
    async run({ client }) {
      const entry = (key: number): EntityInit => ({
        case: 'tableEntry',
        value: {
          tableId: routes,
          match: [
            {
              fieldId: 1,
              fieldMatchType: {
                case: 'lpm',
                value: { value: bytes(1, key >> 16, (key >> 8) & 255, key & 255), prefixLen: 48 },
              },
            },
          ],
          action: {
            type: { case: 'action', value: { actionId: byName.actions.get('drop').id } },
          },
        },
      });
      await client.write(Array.from({ length: 32_769 }, (_, key) => update(INSERT, entry(key))));
      await client.read(create(EntitySchema, { entity: { case: 'tableEntry', value: { tableId: routes } } }));
    },
  },
  'watch-port': {
    program: compat,
    async run(on) {
      on.running.setPortUp(9, false);
      await write(INSERT, watching)(on);
    },
  },
};

test('every trap of controllers has a step below', () => {
  const ofControllers = names.filter((name) => traps[name].level === 'controller');
  expect(Object.keys(steps).sort()).toEqual([...ofControllers].sort());
});

test.each(Object.entries(steps))('of a controller: %s', async (name, { program = features, run }) => {
  bench = await startLoadedBench(program);
  const told = () => bench!.logs.filter((line) => line.startsWith(`warn: trap ${name}: `));
  expect(told()).toHaveLength(0);
  await run(bench);
  expect(told()).toHaveLength(1);
});

test('a digest that simple_switch_grpc would refuse is refused with the name of the trap', async () => {
  bench = await startLoadedBench(features);
  const p4info = clone(P4InfoSchema, features.p4info);
  const struct = Object.values(p4info.typeInfo!.structs)[0]!;
  struct.members[0]!.typeSpec!.typeSpec = {
    case: 'bool',
    value: create(P4BitstringLikeTypeSpecSchema) as never,
  };
  const config = create(ForwardingPipelineConfigSchema, { p4info, p4DeviceConfig: features.json });
  await expect(bench.client.push(undefined, { config })).rejects.toThrow(/trap digest-fields/);
});

test('a hash that no target has is refused with the name of the trap', async () => {
  bench = await startLoadedBench(compat);
  const json = text.decode(compat.json).replace(/"algo": "crc16"/, '"algo": "random"');
  const config = create(ForwardingPipelineConfigSchema, {
    p4info: compat.p4info,
    p4DeviceConfig: new TextEncoder().encode(json),
  });
  await expect(bench.client.push(undefined, { config })).rejects.toThrow(/trap hash-algorithm/);
});

test('a digest that the JSON calls differently is refused with the name of the trap', async () => {
  bench = await startLoadedBench(features);
  const p4info = clone(P4InfoSchema, features.p4info);
  p4info.digests[0]!.preamble!.name = 'digest_0';
  const config = create(ForwardingPipelineConfigSchema, { p4info, p4DeviceConfig: features.json });
  await expect(bench.client.push(undefined, { config })).rejects.toThrow(/trap digest-tuple/);
});
