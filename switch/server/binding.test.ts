// SPDX-License-Identifier: Apache-2.0
import { clone } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import {
  MatchField_MatchType,
  type P4Info,
  P4InfoSchema,
} from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import { load } from '../engine/load.ts';
import { bind } from './binding.ts';
import { features } from './testdata/harness.ts';

const program = load(JSON.parse(features.json.toString()));

/** What is wrong with the P4Info of features.p4 after `spoil`. */
function problemsOf(spoil: (p4info: P4Info) => void): string[] {
  const p4info = clone(P4InfoSchema, features.p4info);
  spoil(p4info);
  const bound = bind(p4info, program);
  return 'problems' in bound ? bound.problems : [];
}

const table = (p4info: P4Info, alias: string) =>
  p4info.tables.find((each) => each.preamble?.alias === alias)!;
const action = (p4info: P4Info, alias: string) =>
  p4info.actions.find((each) => each.preamble?.alias === alias)!;

test('P4Info and JSON of one source fit together', () => {
  expect(problemsOf(() => {})).toEqual([]);
});

test.each<[string, (p4info: P4Info) => void, string]>([
  [
    'a table of another name',
    (p4info) => void (table(p4info, 'rules').preamble!.name = 'other'),
    "table 'other' is in the P4Info, but not in the JSON",
  ],
  [
    'a key field of another name',
    (p4info) => void (table(p4info, 'routes').matchFields[0]!.name = 'other'),
    "key field 'other' of table 'TestIngress.routes' is in the P4Info, but not in the JSON",
  ],
  [
    'a missing key field',
    (p4info) => void table(p4info, 'rules').matchFields.pop(),
    "table 'TestIngress.rules' has 2 key fields in the P4Info, 3 in the JSON",
  ],
  [
    'another width, as with @p4runtime_translation',
    (p4info) => void (table(p4info, 'routes').matchFields[0]!.bitwidth = 32),
    "key field 'target' of table 'TestIngress.routes' has 32 bits in the P4Info, 48 in the JSON",
  ],
  [
    'another match kind',
    (p4info) =>
      void (table(p4info, 'routes').matchFields[0]!.match = {
        case: 'matchType',
        value: MatchField_MatchType.EXACT,
      }),
    "key field 'target' of table 'TestIngress.routes' is exact in the P4Info, lpm in the JSON",
  ],
  [
    'a match kind nobody knows',
    (p4info) =>
      void (table(p4info, 'routes').matchFields[0]!.match = { case: 'otherMatchType', value: 'fuzzy' }),
    'has a match kind other than exact, lpm, ternary, range and optional',
  ],
  [
    'an action that is nowhere',
    (p4info) => void (table(p4info, 'routes').actionRefs[0]!.id = 77),
    "table 'TestIngress.routes' has an action with id 77 that is not in the P4Info",
  ],
  [
    'a parameter of another width',
    (p4info) => void (action(p4info, 'forward').params[0]!.bitwidth = 32),
    "parameter 'port' of action 'TestIngress.forward' has 32 bits in the P4Info, 9 in the JSON",
  ],
  [
    'a missing parameter',
    (p4info) => void action(p4info, 'forward').params.pop(),
    "action 'TestIngress.forward' has 0 parameters in the P4Info, 1 in the JSON",
  ],
  [
    'a counter of another name',
    (p4info) => void (p4info.counters[0]!.preamble!.name = 'other'),
    "counter 'other' is in the P4Info, but not in the JSON",
  ],
  [
    'a digest member that is not bit<W>',
    (p4info) =>
      void (p4info.typeInfo!.structs.seen_t!.members[0]!.typeSpec!.typeSpec = {
        case: 'newType',
        value: { $typeName: 'p4.config.v1.P4NamedType', name: 'port_t' },
      }),
    "digest 'seen_t' has a member that is not a plain bit<W>",
  ],
  [
    'an action profile',
    (p4info) => void (table(p4info, 'routes').implementationId = 5),
    "table 'TestIngress.routes' has the action profile 5 in the P4Info, none in the JSON",
  ],
  [
    'one id for two objects',
    (p4info) => void (table(p4info, 'routes').preamble!.id = table(p4info, 'rules').preamble!.id),
    "'TestIngress.routes' and 'TestIngress.rules' have the same id",
  ],
])('%s is a problem', (_, spoil, problem) => {
  expect(problemsOf(spoil)).toContainEqual(expect.stringContaining(problem));
});

test('all problems are found, not only the first', () => {
  const problems = problemsOf((p4info) => {
    table(p4info, 'rules').preamble!.name = 'other';
    p4info.counters[0]!.preamble!.name = 'another';
  });
  expect(problems).toHaveLength(2);
});

test('what simple_switch_grpc cannot do is warned of', () => {
  const p4info = clone(P4InfoSchema, features.p4info);
  const routes = table(p4info, 'routes');
  routes.hasInitialEntries = true;
  const bound = bind(p4info, program);
  expect('binding' in bound && bound.binding.traps).toEqual([
    { name: 'initial-entries', where: "table 'TestIngress.routes'" },
  ]);
});

test('a digest that the program asks for at two places has two lists of one name', () => {
  const json = JSON.parse(features.json.toString());
  const again = { ...json.learn_lists[0], id: 77 };
  json.learn_lists.push(again);
  const bound = bind(features.p4info, load(json));
  if (!('binding' in bound)) throw new Error(bound.problems.join('\n'));
  const { digestByList } = bound.binding;
  expect(digestByList.get(77)).toBe(digestByList.get(json.learn_lists[0].id));
  expect(digestByList.get(77)?.name).toBe(again.name);
});
