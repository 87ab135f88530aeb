// SPDX-License-Identifier: Apache-2.0
/** Cases about members, groups and action sets. */

import type { TableEntry } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { Update_Type } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { type EntityInit, type Stage, update } from './compat-stage.ts';
import { compat } from './harness.ts';

const { INSERT, MODIFY, DELETE } = Update_Type;
const bytes = (...values: number[]) => Uint8Array.from(values);

const loaded = (run: (stage: Stage) => Promise<string>) => ({
  program: compat,
  async run(stage: Stage) {
    await stage.ready();
    return run(stage);
  },
});

const profileId = (stage: Stage) => stage.index.actionProfiles.get('spread_members').id;
const forward = (stage: Stage, port: number) => ({
  actionId: stage.index.actions.get('forward').id,
  params: [{ paramId: 1, value: bytes(port) }],
});
const member = (stage: Stage, memberId: number): EntityInit => ({
  case: 'actionProfileMember',
  value: { actionProfileId: profileId(stage), memberId, action: forward(stage, memberId) },
});
const group = (stage: Stage, groupId: number, members: object[], maxSize = 4): EntityInit => ({
  case: 'actionProfileGroup',
  value: { actionProfileId: profileId(stage), groupId, maxSize, members },
});
type ActionInit = NonNullable<NonNullable<TableEntry['action']>['type']>;
const spread = (stage: Stage, type: object): EntityInit => ({
  case: 'tableEntry',
  value: {
    tableId: stage.index.tables.get('spread').id,
    match: [{ fieldId: 1, fieldMatchType: { case: 'exact', value: { value: bytes(1) } } }],
    action: { type: type as Extract<ActionInit, { case: 'actionProfileMemberId' }> },
  },
});
const actionSet = (actions: object[]) => ({
  case: 'actionProfileActionSet',
  value: { actionProfileActions: actions },
});

export const profileCases = {
  'default-with-profile': loaded((stage) =>
    stage.write(MODIFY, {
      case: 'tableEntry',
      value: {
        tableId: stage.index.tables.get('spread').id,
        isDefaultAction: true,
        action: { type: { case: 'action', value: forward(stage, 1) } },
      },
    }),
  ),
  'unknown-member': loaded((stage) =>
    stage.write(INSERT, spread(stage, { case: 'actionProfileMemberId', value: 9 })),
  ),
  'members-beside-sets': loaded(async (stage) => {
    const set = actionSet([{ action: forward(stage, 1), weight: 1 }]);
    if ((await stage.write(INSERT, spread(stage, set))) !== 'accepted') return 'no set';
    const wanted: EntityInit = {
      case: 'actionProfileMember',
      value: { actionProfileId: profileId(stage) },
    };
    const code = await stage.readCode(wanted);
    return code === 'read' && (await stage.read(wanted)).length === 0 ? 'none' : code;
  }),
  'member-id-zero': loaded((stage) => stage.write(INSERT, member(stage, 0))),
  'group-size-zero': loaded((stage) => stage.write(INSERT, group(stage, 1, [], 0))),
  'delete-in-use': loaded(async (stage) => {
    await stage.write(INSERT, member(stage, 1));
    await stage.write(INSERT, group(stage, 1, [{ memberId: 1, weight: 1 }]));
    await stage.write(INSERT, spread(stage, { case: 'actionProfileGroupId', value: 1 }));
    const [first, second] = [
      await stage.write(DELETE, member(stage, 1)),
      await stage.write(DELETE, group(stage, 1, [])),
    ];
    return first === second ? first : `${first} ${second}`;
  }),
  'profile-full': loaded((stage) =>
    stage.writeAll(Array.from({ length: 9 }, (_, at) => update(INSERT, member(stage, at + 1)))),
  ),
  'entry-of-empty-group': loaded(async (stage) => {
    await stage.write(INSERT, group(stage, 1, []));
    return stage.write(INSERT, spread(stage, { case: 'actionProfileGroupId', value: 1 }));
  }),
  'empty-action-set': loaded((stage) => stage.write(INSERT, spread(stage, actionSet([])))),
  'action-set-too-large': loaded((stage) =>
    stage.write(INSERT, spread(stage, actionSet([{ action: forward(stage, 1), weight: 5 }]))),
  ),
  'watch-port-zero': loaded(async (stage) => {
    const watchKind = { case: 'watchPort', value: bytes(0) };
    const set = actionSet([{ action: forward(stage, 7), weight: 1, watchKind }]);
    const code = await stage.write(INSERT, spread(stage, set));
    if (code !== 'accepted') return code;
    await stage.setPortUp(0, false);
    const frame = new Uint8Array(60);
    frame[5] = 1;
    await stage.inject(1, frame);
    return stage.sent.some(({ port }) => port === 7) ? 'not watched' : 'watched';
  }),
};
