// SPDX-License-Identifier: Apache-2.0
/**
 * Which member each packet gets, after one change after the other. What is expected was recorded from
 * simple_switch_grpc; with EVENKEEL_TEST_SWITCH (see testdata/harness.ts) the same is asked of that switch.
 */

import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Update } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  type EntitySchema,
  type TableActionSchema,
  Update_Type,
  UpdateSchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from '../../p4runtime/p4info.ts';
import { isOtherSwitch, selectors, startLoadedBench } from './testdata/harness.ts';

const index = new P4InfoIndex(selectors.p4info);
const cpuPort = [0x01, 0xfe];
/** On simple_switch_grpc, a port without interface. */
const downPort = [3];

let bench: Awaited<ReturnType<typeof startLoadedBench>>;
beforeAll(async () => {
  bench = await startLoadedBench(selectors);
  if (!isOtherSwitch) bench.running.setPortUp(downPort[0]!, false);
});
afterAll(() => bench.close());

type EntityInit = NonNullable<Parameters<typeof create<typeof EntitySchema>>[1]>['entity'];
type TableActionInit = NonNullable<Parameters<typeof create<typeof TableActionSchema>>[1]>['type'];

const { INSERT, MODIFY, DELETE } = Update_Type;
const update = (type: Update_Type, entity: EntityInit): Update =>
  create(UpdateSchema, { type, entity: { entity } });

/** Sends to the controller, with a tag. */
const forward = (tag: number) => ({
  actionId: index.actions.get('forward').id,
  params: [
    { paramId: 1, value: Uint8Array.from(cpuPort) },
    { paramId: 2, value: Uint8Array.of(tag) },
  ],
});
const member = (type: Update_Type, memberId: number, profile = 'spread', tag = memberId) =>
  update(type, {
    case: 'actionProfileMember',
    value: { actionProfileId: index.actionProfiles.get(profile).id, memberId, action: forward(tag) },
  });
type Part = [memberId: number, weight?: number, watchPort?: number[]];
const part = ([, weight = 1, port]: Part) => ({
  weight,
  ...(port && { watchKind: { case: 'watchPort' as const, value: Uint8Array.from(port) } }),
});
const group = (type: Update_Type, groupId: number, members: Part[], profile = 'spread', maxSize = 0) =>
  update(type, {
    case: 'actionProfileGroup',
    value: {
      actionProfileId: index.actionProfiles.get(profile).id,
      groupId,
      maxSize,
      members: members.map((each) => ({ memberId: each[0], ...part(each) })),
    },
  });
const toGroup = (id: number): TableActionInit => ({ case: 'actionProfileGroupId', value: id });
const toSet = (...actions: Part[]): TableActionInit => ({
  case: 'actionProfileActionSet',
  value: { actionProfileActions: actions.map((each) => ({ action: forward(each[0]), ...part(each) })) },
});

const targetOf = (entry: number) => [2, 0, 0, 0, 0, entry];
const entry = (type: Update_Type, number: number, action?: TableActionInit, table = 'by_spread') =>
  update(type, {
    case: 'tableEntry',
    value: {
      tableId: index.tables.get(table).id,
      match: [
        {
          fieldId: 1,
          fieldMatchType: { case: 'exact', value: { value: Uint8Array.from(targetOf(number)) } },
        },
      ],
      ...(action && { action: { type: action } }),
    },
  });
/** Matches everything. */
const prefixEntry = (action: TableActionInit) =>
  update(INSERT, {
    case: 'tableEntry',
    value: { tableId: index.tables.get('by_shared_prefix').id, action: { type: action } },
  });
/** Likewise. */
const ternaryEntry = (action: TableActionInit) =>
  update(INSERT, {
    case: 'tableEntry',
    value: { tableId: index.tables.get('by_shared_ternary').id, priority: 1, action: { type: action } },
  });

const sourceCount = 32;
const kindOf = { by_spread: 2, by_shared_ternary: 3, by_shared_prefix: 4, by_plain: 5 } as const;

/** The tags of the members that packets to an entry got, one digit for each of 32 sources. */
async function tags(number: number, table: keyof typeof kindOf = 'by_spread'): Promise<string> {
  for (let source = 0; source < sourceCount; source++) {
    const sourceBytes = [2, 0, 0, source * 11, 255 - source, (source * source) & 255];
    const payload = Uint8Array.from([...targetOf(number), ...sourceBytes, 0, kindOf[table], 0, 0, 0, 0]);
    bench.stream.send({ case: 'packet', value: { payload } });
  }
  let text = '';
  while (text.length < sourceCount) {
    const { payload } = await bench.stream.next('packet');
    text += String(payload[15]);
  }
  return text;
}

async function done(...updates: Update[]): Promise<void> {
  expect(await bench.client.write(updates)).toMatchObject({ code: 0, errors: [] });
}

/** [what happens, updates, the entry that is asked afterwards, tags] */
type Step = [what: string, updates: Update[], entry: number, tags: string, table?: keyof typeof kindOf];

async function follow(steps: readonly Step[]): Promise<void> {
  await bench.client.push();
  for (const [what, updates, number, expected, table] of steps) {
    await done(...updates);
    expect(`${what}: ${await tags(number, table)}`).toBe(`${what}: ${expected}`);
  }
}

test('members, groups and weights, as they change', () =>
  follow([
    [
      'the order is that in which members were made',
      [
        ...[3, 1, 2].map((id) => member(INSERT, id)),
        group(INSERT, 1, [[1], [2], [3]]),
        entry(INSERT, 1, toGroup(1)),
      ],
      1,
      '33131133131333231331223233231133',
    ],
    [
      'not that of the group',
      [group(INSERT, 2, [[2], [3], [1]]), entry(INSERT, 2, toGroup(2))],
      2,
      '33131133131333231331223233231133',
    ],
    ['a weight is copies', [group(MODIFY, 1, [[1], [2, 3], [3]])], 1, '32223222222222332222223121222222'],
    [
      'copies are shared by groups',
      [
        group(MODIFY, 2, [
          [2, 2],
          [1, 2],
        ]),
      ],
      2,
      '11222122211122211111122221112212',
    ],
    [
      'copies that are free again are taken by others',
      [
        group(MODIFY, 1, [
          [1, 2],
          [3, 4],
        ]),
      ],
      1,
      '33331333331333333333313133333133',
    ],
    ['the other group has not moved', [], 2, '11222122211122211111122221112212'],
    [
      'a new member takes the lowest free place',
      [group(MODIFY, 2, [[1, 1]]), member(INSERT, 4), group(MODIFY, 2, [[1], [4], [3, 2]])],
      2,
      '33441341433314133333341443334134',
    ],
    [
      'a member may change its action',
      [member(MODIFY, 3, 'spread', 9)],
      2,
      '99441941499914199999941449994194',
    ],
    ['all its copies have changed', [], 1, '99991999991999999999919199999199'],
    [
      'a group may be made again',
      [
        entry(DELETE, 1),
        group(DELETE, 1, []),
        group(INSERT, 1, [[4], [2, 2], [1, 3]]),
        entry(INSERT, 1, toGroup(1)),
      ],
      1,
      '11112111112111211111241411211211',
    ],
    [
      'members whose port is down sit out',
      [group(MODIFY, 1, [[4], [2, 2, downPort], [1, 3]])],
      1,
      '11114114111141411111114111111411',
    ],
    [
      'and come back when they watch it no more',
      [group(MODIFY, 1, [[4], [2, 2], [1, 3]])],
      1,
      '11112111112111211111241411211211',
    ],
  ]));

test('action sets, as they change', () =>
  follow([
    [
      'weights are copies in order',
      [entry(INSERT, 1, toSet([5], [4, 2], [6]))],
      1,
      '65444544466644455655644446664464',
    ],
    [
      'a second set',
      [entry(INSERT, 2, toSet([1, 2], [2, 1], [3, 3]))],
      2,
      '31311313331331313313323213333131',
    ],
    [
      'a set is replaced when the new one is there',
      [entry(MODIFY, 1, toSet([7], [8, 3]))],
      1,
      '87888788888888877877888888888888',
    ],
    [
      'places that are free are taken, the lowest first',
      [entry(MODIFY, 2, toSet([1, 3], [2, 4], [3]))],
      2,
      '32112221132322112321312123222231',
    ],
    [
      'also between others',
      [entry(DELETE, 1), entry(INSERT, 3, toSet([4], [5], [6, 6], [7]))],
      3,
      '66646666666666666645674666665566',
    ],
    [
      'actions whose port is down sit out',
      [entry(MODIFY, 3, toSet([4, 2], [5, 2, downPort], [6]))],
      3,
      '44444444444444644444664644644444',
    ],
  ]));

test('other hashes', () =>
  follow([
    [
      'crc16',
      [
        ...[1, 2, 3].map((id) => member(INSERT, id, 'shared_spread')),
        group(INSERT, 1, [[1], [2, 2], [3]], 'shared_spread', 4),
        ternaryEntry(toGroup(1)),
      ],
      1,
      '12213222223222221112322333331112',
      'by_shared_ternary',
    ],
    [
      'the same group, in another table',
      [prefixEntry(toGroup(1))],
      1,
      '12213222223222221112322333331112',
      'by_shared_prefix',
    ],
    [
      'identity',
      [entry(INSERT, 1, toSet([1], [2], [3], [4], [5]), 'by_plain')],
      1,
      '33545335453354532434224231131255',
      'by_plain',
    ],
  ]));

describe.skipIf(isOtherSwitch)('a switch in memory', () => {
  beforeEach(() => bench.client.push());

  /** What a packet to entry 1 leaves through, and with which tag. */
  function sent(): string {
    bench.sent.length = 0;
    const payload = Uint8Array.from([...targetOf(1), 2, 0, 0, 0, 0, 1, 0, kindOf.by_spread, 0, 0, 0, 0]);
    bench.running.inject(1, payload);
    return bench.sent.map(({ port, frame }) => `tag ${frame[15]} to port ${port}`).join();
  }
  const noAction = 'tag 0 to port 100';

  test('follows its ports as they go down and up', async () => {
    await done(
      ...[1, 2].map((id) => member(INSERT, id)),
      group(INSERT, 1, [
        [1, 2, [5]],
        [2, 1, [6]],
      ]),
      entry(INSERT, 1, toGroup(1)),
    );
    const both = await tags(1);
    expect(new Set(both)).toEqual(new Set(['1', '2']));
    bench.running.setPortUp(5, false);
    expect(await tags(1)).toBe('2'.repeat(sourceCount));
    bench.running.setPortUp(5, true);
    bench.running.setPortUp(6, false);
    expect(await tags(1)).toBe('1'.repeat(sourceCount));
    bench.running.setPortUp(6, true);
    expect(await tags(1)).toBe(both);
    expect(bench.logs).toContain('info: port 5 has gone down: groups follow');
  });

  test.each<[string, () => Promise<void>]>([
    ['whose ports are all down', () => done(entry(INSERT, 1, toSet([1, 3, downPort], [2, 1, downPort])))],
    [
      'that has lost its members',
      () =>
        done(member(INSERT, 1), group(INSERT, 1, [[1]]), entry(INSERT, 1, toGroup(1)), group(MODIFY, 1, [])),
    ],
  ])('does nothing for a group %s, and says so', async (_, set) => {
    await set();
    bench.logs.length = 0;
    expect(sent()).toBe(noAction);
    expect(bench.logs).toEqual([
      'warn: pipeline: TestIngress.spread: a packet met a group without active members, and nothing was done',
    ]);
  });

  test('forgets everything with its program', async () => {
    await done(member(INSERT, 1), group(INSERT, 1, [[1]]), entry(INSERT, 1, toGroup(1)));
    await bench.client.push();
    bench.running.setPortUp(9, false);
    expect(sent()).toBe(noAction);
    await done(member(INSERT, 1), group(INSERT, 1, [[1]]), entry(INSERT, 1, toGroup(1)));
    expect(await tags(1)).toBe('1'.repeat(sourceCount));
  });
});
