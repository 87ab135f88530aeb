// SPDX-License-Identifier: Apache-2.0
/** Members, groups and action sets over gRPC; the codes are those of simple_switch_grpc. */

import { clone, create, toJson } from '@bufbuild/protobuf';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ActionProfile } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import { ActionProfileSchema, P4InfoSchema } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import type { Update } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  EntitySchema,
  type TableActionSchema,
  Update_Type,
  UpdateSchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from '../../p4runtime/p4info.ts';
import { weightMax } from './profile-parts.ts';
import { Code } from './refusal.ts';
import { isOtherSwitch, selectors, startLoadedBench } from './testdata/harness.ts';

const index = new P4InfoIndex(selectors.p4info);
let bench: Awaited<ReturnType<typeof startLoadedBench>>;
beforeAll(async () => {
  bench = await startLoadedBench(selectors);
});
beforeEach(() => bench.client.push());
afterAll(() => bench.close());

type EntityInit = NonNullable<Parameters<typeof create<typeof EntitySchema>>[1]>['entity'];
type TableActionInit = NonNullable<Parameters<typeof create<typeof TableActionSchema>>[1]>['type'];

const { INSERT, MODIFY, DELETE } = Update_Type;
const profileId = (name: string) => index.actionProfiles.get(name).id;
const tableId = (name: string) => index.tables.get(name).id;
const value = (...bytes: number[]) => Uint8Array.from(bytes);

/** Forwards to port 10 + n and writes tag 100 + n. */
const forward = (n: number) => ({
  actionId: index.actions.get('forward').id,
  params: [
    { paramId: 1, value: value(10 + n) },
    { paramId: 2, value: value(100 + n) },
  ],
});
const update = (type: Update_Type, entity: EntityInit): Update =>
  create(UpdateSchema, { type, entity: { entity } });
const member = (type: Update_Type, memberId: number, init: object = {}, profile = 'spread') =>
  update(type, {
    case: 'actionProfileMember',
    value: { actionProfileId: profileId(profile), memberId, action: forward(memberId), ...init },
  });
type Part = [memberId: number, weight?: number, watchPort?: number[]];
const parts = (members: readonly Part[]) =>
  members.map(([memberId, weight = 1, port]) => ({
    memberId,
    weight,
    ...(port && { watchKind: { case: 'watchPort' as const, value: value(...port) } }),
  }));
const group = (
  type: Update_Type,
  groupId: number,
  members: readonly Part[],
  init: object = {},
  profile = 'spread',
) =>
  update(type, {
    case: 'actionProfileGroup',
    value: { actionProfileId: profileId(profile), groupId, members: parts(members), ...init },
  });
const target = {
  fieldId: 1,
  fieldMatchType: { case: 'exact' as const, value: { value: value(2, 0, 0, 0, 0, 0xaa) } },
};
const entry = (
  type: Update_Type,
  action: TableActionInit | undefined,
  table = 'by_spread',
  init: object = {},
) =>
  update(type, {
    case: 'tableEntry',
    value: { tableId: tableId(table), match: [target], ...(action && { action: { type: action } }), ...init },
  });
const toMember = (id: number) => ({ case: 'actionProfileMemberId' as const, value: id });
const toGroup = (id: number) => ({ case: 'actionProfileGroupId' as const, value: id });
/** Numbers of actions to forward with, and their weights. */
const toSet = (...actions: Part[]) => ({
  case: 'actionProfileActionSet' as const,
  value: {
    actionProfileActions: parts(actions).map(({ memberId, ...rest }) => ({
      action: forward(memberId),
      ...rest,
    })),
  },
});
const any = (table: string, action: TableActionInit) =>
  entry(INSERT, action, table, table === 'by_shared_ternary' ? { match: [], priority: 1 } : { match: [] });

const members = (...ids: number[]) => ids.map((id) => member(INSERT, id));

async function codes(...updates: Update[]): Promise<string[]> {
  const { code, errors } = await bench.client.write(updates);
  if (code === Code.OK) return updates.map(() => 'OK');
  expect(code).toBe(Code.UNKNOWN);
  return errors.map((error) => Code[error.canonicalCode]!);
}

describe('what is accepted', () => {
  test.each<[string, Update[]]>([
    [
      'members, also after a change',
      [...members(1, 2), member(MODIFY, 1, { action: forward(7) }), member(DELETE, 2)],
    ],
    ['an entry for a member', [...members(1), entry(INSERT, toMember(1)), entry(MODIFY, toMember(1))]],
    [
      'an entry for a member of a profile without selector',
      [member(INSERT, 1, {}, 'hops'), entry(INSERT, toMember(1), 'by_hop')],
    ],
    ['an empty group', [group(INSERT, 1, [])]],
    [
      'a group and an entry for it',
      [...members(1, 2), group(INSERT, 1, [[1], [2, 3]]), entry(INSERT, toGroup(1))],
    ],
    [
      'a group that loses its members while in use',
      [
        ...members(1),
        group(INSERT, 1, [[1]]),
        entry(INSERT, toGroup(1)),
        group(MODIFY, 1, []),
        member(DELETE, 1),
      ],
    ],
    [
      'from the entry to the members, all deleted in order',
      [
        ...members(1, 2),
        group(INSERT, 1, [[1, 2], [2]]),
        entry(INSERT, toGroup(1)),
        entry(DELETE, undefined),
        group(DELETE, 1, []),
        member(DELETE, 1),
        member(DELETE, 2),
      ],
    ],
    ['a group with its max_size', [...members(1), group(INSERT, 1, [[1, 4]], { maxSize: 4 })]],
    ['an action set', [entry(INSERT, toSet([1], [2, 5]))]],
    [
      'another action set',
      [entry(INSERT, toSet([1], [2, 5])), entry(MODIFY, toSet([3])), entry(DELETE, undefined)],
    ],
    [
      'members after the last action set',
      [entry(INSERT, toSet([1])), entry(DELETE, undefined), ...members(1)],
    ],
    ['action sets after the last member', [...members(1), member(DELETE, 1), entry(INSERT, toSet([1]))]],
    ['a watched port', [...members(1), group(INSERT, 1, [[1, 1, [3]]])]],
    [
      'an entry that changes from a member to a group',
      [
        ...members(1),
        group(INSERT, 1, [[1]]),
        entry(INSERT, toMember(1)),
        entry(MODIFY, toGroup(1)),
        entry(MODIFY, toMember(1)),
        group(DELETE, 1, []),
      ],
    ],
  ])('%s', async (_, updates) => {
    expect(await codes(...updates)).toEqual(updates.map(() => 'OK'));
  });
});

/** [what, code of the last update, updates, the real switch's code where it differs] */
type Refused = [what: string, code: string, updates: Update[], real?: string];

describe('what is refused, and with which code', () => {
  const sharedMembers = [1, 2, 3].map((id) => member(INSERT, id, {}, 'shared_spread'));
  const inUse = [...members(1, 2), group(INSERT, 1, [[1]]), entry(INSERT, toGroup(1))];
  test.each<Refused>([
    ['a member of an unknown profile', 'INVALID_ARGUMENT', [member(INSERT, 1, { actionProfileId: 5 })]],
    ['a member twice', 'ALREADY_EXISTS', members(1, 1)],
    ['a change of a missing member', 'NOT_FOUND', [member(MODIFY, 1)]],
    ['the end of a missing member', 'NOT_FOUND', [member(DELETE, 1)]],
    ['a member without type of update', 'INVALID_ARGUMENT', [member(Update_Type.UNSPECIFIED, 1)]],
    ['member 0', 'INVALID_ARGUMENT', [member(INSERT, 0)], 'OK'],
    ['a member without action', 'INVALID_ARGUMENT', [member(INSERT, 1, { action: undefined })]],
    [
      'a member with an action its tables do not have',
      'INVALID_ARGUMENT',
      [member(INSERT, 1, { action: { actionId: index.actions.get('turn').id } })],
    ],
    [
      'a member with an action that can only be a default',
      'PERMISSION_DENIED',
      [member(INSERT, 1, { action: { actionId: index.actions.get('NoAction').id } })],
      'OK',
    ],
    [
      'a member with too few parameters',
      'INVALID_ARGUMENT',
      [member(INSERT, 1, { action: { ...forward(1), params: [] } })],
    ],
    [
      'more members than the profile has room for',
      'RESOURCE_EXHAUSTED',
      [1, 2, 3, 4, 5, 6, 7].map((id) => member(INSERT, id, {}, 'hops')),
      'OK',
    ],
    ['the end of a member in a group', 'UNKNOWN', [...inUse, member(DELETE, 1)]],
    [
      'the end of a member of an entry',
      'UNKNOWN',
      [...members(1), entry(INSERT, toMember(1)), member(DELETE, 1)],
    ],
    ['the end of a group of an entry', 'UNKNOWN', [...inUse, group(DELETE, 1, [])]],
    ['a group twice', 'ALREADY_EXISTS', [group(INSERT, 1, []), group(INSERT, 1, [])]],
    ['a change of a missing group', 'NOT_FOUND', [group(MODIFY, 1, [])]],
    ['the end of a missing group', 'NOT_FOUND', [group(DELETE, 1, [])]],
    ['group 0', 'INVALID_ARGUMENT', [group(INSERT, 0, [])], 'OK'],
    ['a group of a missing member', 'NOT_FOUND', [group(INSERT, 1, [[1]])]],
    ['a group with a member twice', 'INVALID_ARGUMENT', [...members(1), group(INSERT, 1, [[1], [1]])]],
    ['a weight of 0', 'INVALID_ARGUMENT', [...members(1), group(INSERT, 1, [[1, 0]])]],
    [
      'weights above max_size',
      'RESOURCE_EXHAUSTED',
      [...members(1), group(INSERT, 1, [[1, 3]], { maxSize: 2 })],
    ],
    ['a negative max_size', 'INVALID_ARGUMENT', [group(INSERT, 1, [], { maxSize: -1 })]],
    [
      'a max_size above that of the program',
      'INVALID_ARGUMENT',
      [group(INSERT, 1, [], { maxSize: 5 }, 'shared_spread')],
    ],
    [
      'no max_size where the program has one',
      'INVALID_ARGUMENT',
      [group(INSERT, 1, [], {}, 'shared_spread')],
      'OK',
    ],
    [
      'another max_size',
      'INVALID_ARGUMENT',
      [group(INSERT, 1, [], { maxSize: 3 }), group(MODIFY, 1, [], { maxSize: 4 })],
    ],
    [
      'no max_size in a change',
      'INVALID_ARGUMENT',
      [group(INSERT, 1, [], { maxSize: 3 }), group(MODIFY, 1, [])],
      'OK',
    ],
    [
      'groups of more weight than the profile has room for',
      'RESOURCE_EXHAUSTED',
      [...members(1), group(INSERT, 1, [[1, 1000]]), group(INSERT, 2, [[1, 25]])],
      'OK',
    ],
    ['an entry for a missing member', 'INVALID_ARGUMENT', [entry(INSERT, toMember(1))]],
    ['an entry for a missing group', 'INVALID_ARGUMENT', [entry(INSERT, toGroup(1))]],
    ['an entry for an empty group', 'UNKNOWN', [group(INSERT, 1, []), entry(INSERT, toGroup(1))]],
    ['an entry with an action', 'INVALID_ARGUMENT', [entry(INSERT, { case: 'action', value: forward(1) })]],
    ['an entry without action', 'INVALID_ARGUMENT', [entry(INSERT, undefined)]],
    ['a change without action', 'INVALID_ARGUMENT', [...inUse, entry(MODIFY, undefined)]],
    ['a change of a missing entry', 'NOT_FOUND', [...members(1), entry(MODIFY, toMember(1))]],
    ['an entry twice', 'ALREADY_EXISTS', [...inUse, entry(INSERT, toGroup(1))]],
    ['an action set twice', 'ALREADY_EXISTS', [entry(INSERT, toSet([1])), entry(INSERT, toSet([2]))]],
    [
      'a default action',
      'INVALID_ARGUMENT',
      [...members(1), entry(MODIFY, toMember(1), 'by_spread', { match: [], isDefaultAction: true })],
    ],
    ['an empty action set', 'UNIMPLEMENTED', [entry(INSERT, toSet())]],
    ['an action set with a weight of 0', 'INVALID_ARGUMENT', [entry(INSERT, toSet([1, 0]))]],
    ['an action set beside members', 'INVALID_ARGUMENT', [...members(1), entry(INSERT, toSet([1]))]],
    ['a member beside an action set', 'INVALID_ARGUMENT', [entry(INSERT, toSet([1])), ...members(1)]],
    ['a group beside an action set', 'INVALID_ARGUMENT', [entry(INSERT, toSet([1])), group(INSERT, 1, [])]],
    [
      'an action set of more weight than the program allows',
      'RESOURCE_EXHAUSTED',
      [any('by_shared_ternary', toSet([1, 3], [2, 2]))],
    ],
    [
      'action sets of more weight than the profile has room for',
      'RESOURCE_EXHAUSTED',
      [entry(INSERT, toSet([1, 1025]))],
      'OK',
    ],
    [
      'a group of more weight than the program allows',
      'INVALID_ARGUMENT',
      [
        ...sharedMembers,
        group(
          INSERT,
          1,
          [
            [1, 3],
            [2, 2],
          ],
          {},
          'shared_spread',
        ),
      ],
      'RESOURCE_EXHAUSTED',
    ],
    [
      'an action set in a table without selector',
      'INVALID_ARGUMENT',
      [entry(INSERT, toSet([1]), 'by_hop')],
      'UNKNOWN',
    ],
    ['a group in a profile without selector', 'INVALID_ARGUMENT', [group(INSERT, 1, [], {}, 'hops')], 'OK'],
    ['a watch on port 0', 'INVALID_ARGUMENT', [...members(1), group(INSERT, 1, [[1, 1, [0]]])], 'OK'],
    [
      'a watch of five bytes',
      'INVALID_ARGUMENT',
      [...members(1), group(INSERT, 1, [[1, 1, [0, 0, 0, 0, 1]]])],
      'OK',
    ],
  ])('%s', async (_, code, updates, real) => {
    const all = await codes(...updates);
    expect(all.slice(0, -1)).toEqual(all.slice(1).map(() => 'OK'));
    expect(all.at(-1)).toBe(isOtherSwitch ? (real ?? code) : code);
  });

  test.skipIf(isOtherSwitch)('a refused group leaves nothing behind', async () => {
    expect(await codes(group(INSERT, 1, [[1]]), ...members(1), group(INSERT, 1, [[1]]))).toEqual([
      'NOT_FOUND',
      'OK',
      'OK',
    ]);
  });

  test.skipIf(isOtherSwitch)('what counts against the size is given back', async () => {
    for (let round = 0; round < 3; round++) {
      expect(await codes(entry(INSERT, toSet([1, 1000])), entry(MODIFY, toSet([2, 1024])))).toEqual([
        'OK',
        'OK',
      ]);
      expect(await codes(entry(MODIFY, toSet([2, 1025])), entry(DELETE, undefined))).toEqual([
        'RESOURCE_EXHAUSTED',
        'OK',
      ]);
      expect(await codes(...members(1), group(INSERT, 1, [[1, 1024]]), group(MODIFY, 1, [[1, 5]]))).toEqual([
        'OK',
        'OK',
        'OK',
      ]);
      expect(await codes(group(DELETE, 1, []), member(DELETE, 1))).toEqual(['OK', 'OK']);
    }
  });
});

describe.skipIf(isOtherSwitch)('what the P4Info may say', () => {
  async function pushWith(change: (profile: ActionProfile) => void): Promise<void> {
    const p4info = clone(P4InfoSchema, selectors.p4info);
    change(p4info.actionProfiles.find(({ preamble }) => preamble?.alias === 'spread')!);
    await bench.client.push(undefined, { config: { p4info, p4DeviceConfig: selectors.json } });
  }

  test('that its size counts members, whatever their weight', async () => {
    await pushWith((profile) => {
      profile.size = 3n;
      profile.selectorSizeSemantics = create(ActionProfileSchema, {
        selectorSizeSemantics: { case: 'sumOfMembers', value: {} },
      }).selectorSizeSemantics;
    });
    const first = group(INSERT, 1, [
      [1, 100],
      [2, 100],
    ]);
    expect(await codes(...members(1, 2), first, group(INSERT, 2, [[1, 100]]))).toEqual([
      'OK',
      'OK',
      'OK',
      'OK',
    ]);
    expect(await codes(group(INSERT, 3, [[2]]), group(MODIFY, 1, [[1]]), group(INSERT, 3, [[2]]))).toEqual([
      'RESOURCE_EXHAUSTED',
      'OK',
      'OK',
    ]);
    // Not more groups than it could have members, and not more copies than weightMax.
    expect(await codes(group(INSERT, 4, []), group(MODIFY, 1, [[1, weightMax]]))).toEqual([
      'RESOURCE_EXHAUSTED',
      'RESOURCE_EXHAUSTED',
    ]);
  });

  test('that there are no weights', async () => {
    await pushWith((profile) => {
      profile.weightsDisallowed = true;
    });
    expect(await codes(...members(1), group(INSERT, 1, [[1, 2]]), group(INSERT, 1, [[1]]))).toEqual([
      'OK',
      'INVALID_ARGUMENT',
      'OK',
    ]);
  });

  test.each<[string, (profile: ActionProfile) => void, string]>([
    [
      'another name than the JSON',
      (profile) => void (profile.preamble!.name = 'other'),
      "action profile 'other' is in the P4Info, but not in the JSON",
    ],
    [
      'that there is no selector',
      (profile) => void (profile.withSelector = false),
      "action profile 'TestIngress.spread' has no selector in the P4Info, a in the JSON",
    ],
  ])('%s, which is refused', async (_, change, problem) => {
    await expect(pushWith(change)).rejects.toThrow(problem);
  });
});

describe('what is read back', () => {
  const read = async (entity: EntityInit) =>
    (await bench.client.read(create(EntitySchema, { entity }))).map((each) => toJson(EntitySchema, each));
  const readMembers = (memberId = 0, profile = 'spread') =>
    read({
      case: 'actionProfileMember',
      value: { actionProfileId: profile ? profileId(profile) : 0, memberId },
    });
  const readGroups = (groupId = 0, profile = 'spread') =>
    read({
      case: 'actionProfileGroup',
      value: { actionProfileId: profile ? profileId(profile) : 0, groupId },
    });
  const entityOf = ({ entity }: Update) => toJson(EntitySchema, entity!);

  test('members and groups, one, all of a profile, all there are', async () => {
    const shared = member(INSERT, 9, {}, 'shared_spread');
    const first = group(INSERT, 1, [
      [1, 1],
      [2, 1],
    ]);
    const second = group(INSERT, 5, [[2, 1]], { maxSize: 7 });
    expect(await codes(...members(1, 2), shared, first, second)).toEqual(['OK', 'OK', 'OK', 'OK', 'OK']);
    expect(await readMembers()).toEqual(members(1, 2).map(entityOf));
    expect(await readMembers(2)).toEqual(members(2).map(entityOf));
    expect(await readMembers(3)).toEqual([]);
    expect(await readGroups()).toEqual([first, second].map(entityOf));
    expect(await readGroups(5)).toEqual([entityOf(second)]);
    expect(await readGroups(6)).toEqual([]);
    expect(await readMembers(0, '')).toHaveLength(3);
    expect(await readGroups(0, '')).toHaveLength(2);
  });

  test.skipIf(isOtherSwitch)('weighted members once, each with its own watch port', async () => {
    const watching = group(INSERT, 1, [
      [1, 3, [7]],
      [2, 1],
    ]);
    await codes(...members(1, 2), watching);
    expect(await readMembers()).toEqual(members(1, 2).map(entityOf));
    expect(await readGroups()).toEqual([entityOf(watching)]);
  });

  test('entries, with what they were given', async () => {
    const entries = [
      [...members(1), entry(INSERT, toMember(1))],
      [group(INSERT, 1, [[1]]), entry(MODIFY, toGroup(1))],
      [
        entry(DELETE, undefined),
        group(DELETE, 1, []),
        member(DELETE, 1),
        entry(INSERT, toSet([4, 2], [3, 1, [5]])),
      ],
      [entry(MODIFY, toSet([3, 1]))],
    ];
    const wanted = { case: 'tableEntry' as const, value: { tableId: tableId('by_spread') } };
    for (const updates of entries) {
      expect(await codes(...updates)).toEqual(updates.map(() => 'OK'));
      expect(await read(wanted)).toEqual([entityOf(updates.at(-1)!)]);
    }
  });

  test('members are not read where there are action sets', async () => {
    await codes(entry(INSERT, toSet([1])));
    await expect(readMembers()).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    await expect(readGroups()).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
  });

  test('nothing is read of an unknown profile', async () => {
    const wanted = { case: 'actionProfileMember' as const, value: { actionProfileId: 5 } };
    await expect(read(wanted)).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
  });
});
