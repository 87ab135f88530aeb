// SPDX-License-Identifier: Apache-2.0
/** Random members, groups and one-shot sets of action profiles. */
import { create } from '@bufbuild/protobuf';
import type { Dice } from '../../../controller/core/testing/dice.ts';
import {
  type Action as P4Action,
  type TableAction,
  TableActionSchema,
  type Update,
  Update_Type,
} from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { ActionInfo, TableInfo } from '../../../p4runtime/p4info.ts';
import type { TestProgram } from '../programs.ts';
import { canonical } from './keys.ts';
import { update } from './writes.ts';

/** Members have ids up to here, groups above: few, so that they meet. */
const memberIdMax = 8;
const groupIds = [21, 22, 23, 24] as const;
/** Their members may watch ports; they are never modified, because simple_switch_grpc fails when such a member goes. */
const watchingGroupIds: ReadonlySet<number> = new Set([23, 24]);
/** Is inserted without members, and keeps none. */
const emptyGroupId = 29;
/** Ports that members watch; others never go down. */
export const watchedPorts = [1, 2, 3] as const;

type Mode = 'members' | 'one-shot';

export class ProfileMaker {
  readonly #program: TestProgram;
  readonly #dice: Dice;
  readonly #action: (action: ActionInfo) => P4Action;
  /** A profile is used in one way; the other is refused. */
  readonly #modes = new Map<number, Mode>();

  constructor(program: TestProgram, dice: Dice, action: (action: ActionInfo) => P4Action) {
    this.#program = program;
    this.#dice = dice;
    this.#action = action;
    for (const { id, object } of program.index.actionProfiles.all()) {
      this.#modes.set(id, object.withSelector && dice.chance(0.4) ? 'one-shot' : 'members');
    }
  }

  /** Something to begin with: without members there is nothing that a group or an entry could name. */
  opening(): Update[] {
    const inUse = this.#program.index.actionProfiles
      .all()
      .filter(({ id }) => this.#modes.get(id) === 'members');
    return inUse.flatMap(({ id, object }) => {
      const members = [1, 2, 3, 4, 5].map((memberId) =>
        update(Update_Type.INSERT, {
          case: 'actionProfileMember',
          value: { actionProfileId: id, memberId, action: this.#someAction(id) },
        }),
      );
      if (!object.withSelector) return members;
      const group = {
        actionProfileId: id,
        groupId: groupIds[0],
        maxSize: object.maxGroupSize || 64,
        members: [1, 2].map((memberId) => ({ memberId, weight: 1 })),
      };
      return [...members, update(Update_Type.INSERT, { case: 'actionProfileGroup', value: group })];
    });
  }

  member(): Update {
    const dice = this.#dice;
    const profile = this.#someProfile();
    const type = this.#type();
    const value = {
      actionProfileId: dice.chance(0.97) ? profile.id : 0x1234,
      memberId: dice.integer(1, memberIdMax),
      ...(type !== Update_Type.DELETE && dice.chance(0.97) && { action: this.#someAction(profile.id) }),
    };
    return update(type, { case: 'actionProfileMember', value });
  }

  group(): Update {
    const dice = this.#dice;
    const profile = this.#someProfile();
    const isEmpty = dice.chance(0.08);
    const groupId = isEmpty ? emptyGroupId : dice.pick(groupIds);
    const canWatch = watchingGroupIds.has(groupId);
    const drawn = this.#type();
    const type = canWatch && drawn === Update_Type.MODIFY ? Update_Type.DELETE : drawn;
    const count = isEmpty ? 0 : dice.integer(1, 4);
    const ids = new Set(Array.from({ length: count }, () => dice.integer(1, memberIdMax)));
    const members = [...ids].map((memberId, position) => ({
      memberId,
      weight: dice.chance(0.97) ? dice.integer(1, 3) : dice.pick([0, -1]),
      ...(canWatch && this.#watch(position)),
    }));
    if (members.length > 0 && dice.chance(0.03)) members.push(members[0]!);
    const value = {
      actionProfileId: profile.id,
      groupId,
      members,
      maxSize: this.#groupSize(profile.id),
    };
    return update(type, { case: 'actionProfileGroup', value });
  }

  tableAction(profileId: number, _table: TableInfo): TableAction {
    const dice = this.#dice;
    const { object } = this.#program.index.actionProfiles.byId(profileId)!;
    const mode = dice.chance(0.03)
      ? dice.pick(['members', 'one-shot'] as const)
      : this.#modes.get(profileId)!;
    if (mode === 'one-shot') {
      const actionProfileActions = Array.from(
        { length: dice.integer(dice.chance(0.03) ? 0 : 1, 4) },
        (_, position) => ({
          action: this.#someAction(profileId),
          weight: dice.chance(0.97) ? dice.integer(1, 3) : dice.pick([0, -1]),
          ...this.#watch(position),
        }),
      );
      return create(TableActionSchema, {
        type: { case: 'actionProfileActionSet', value: { actionProfileActions } },
      });
    }
    const isGroup = object.withSelector ? dice.chance(0.7) : dice.chance(0.05);
    const id = isGroup ? dice.pick([...groupIds, ...groupIds, emptyGroupId]) : dice.integer(1, memberIdMax);
    return create(TableActionSchema, {
      type: { case: isGroup ? 'actionProfileGroupId' : 'actionProfileMemberId', value: id },
    });
  }

  #someProfile() {
    const inUse = this.#program.index.actionProfiles
      .all()
      .filter(({ id }) => this.#modes.get(id) === 'members' || this.#dice.chance(0.05));
    return this.#dice.pick(inUse.length > 0 ? inUse : this.#program.index.actionProfiles.all());
  }

  #someAction(profileId: number): P4Action {
    const { index } = this.#program;
    const tables = index.tables.all().filter(({ actionProfileId }) => actionProfileId === profileId);
    const usable = tables.flatMap(({ actions }) => actions.map(({ action }) => action));
    const any = usable.length === 0 || this.#dice.chance(0.03);
    return this.#action(this.#dice.pick(any ? index.actions.all() : usable));
  }

  /** Never of the first, so that one is always up. */
  #watch(position: number) {
    if (position === 0 || this.#dice.chance(0.75)) return {};
    const value = canonical(BigInt(this.#dice.pick(watchedPorts)));
    return { watchKind: { case: 'watchPort' as const, value } };
  }

  #groupSize(profileId: number): number {
    const most = this.#program.index.actionProfiles.byId(profileId)?.object.maxGroupSize ?? 0;
    if (most > 0) return this.#dice.chance(0.9) ? most : most + 1;
    return this.#dice.chance(0.9) ? 64 : this.#dice.pick([0, 2]);
  }

  #type(): Update_Type {
    return this.#dice.pick([
      Update_Type.INSERT,
      Update_Type.INSERT,
      Update_Type.INSERT,
      Update_Type.MODIFY,
      Update_Type.DELETE,
    ]);
  }
}
