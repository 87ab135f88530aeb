// SPDX-License-Identifier: Apache-2.0
/**
 * The members and groups of one action profile, as the client sees them, and the rules by which they change.
 *
 * Which member a packet gets depends on the order of the pipeline's handles, so handles are given out exactly as
 * simple_switch_grpc does: a member of weight w has w copies, made when a group first asks for so many, in the order of
 * member ids; an action set makes its own, in its order. Copies nobody asks for any more are given back, the newest
 * first.
 *
 * Strict as table-state.ts: what either the specification or simple_switch_grpc would refuse is refused, with
 * simple_switch_grpc's code. A refused update changes nothing, not even where simple_switch_grpc leaves an empty group.
 * One bug of it is not kept: it fails with UNKNOWN for the whole request, and does half of it, when a group loses a
 * member that watches a port.
 */

import { create } from '@bufbuild/protobuf';
import type {
  Action as ActionMessage,
  ActionProfileActionSet,
  ActionProfileGroup,
  ActionProfileGroup_Member,
  ActionProfileMember,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  ActionProfileActionSetSchema,
  ActionProfileGroupSchema,
  ActionProfileMemberSchema,
  Update_Type,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { type ActionCall, actionMessage, readActionCall } from './action-call.ts';
import type { BoundProfile } from './binding.ts';
import { HandlePool } from './handle-pool.ts';
import type { HostOperation } from './host.ts';
import { Code, invalid, Refusal } from './refusal.ts';

/** A member may watch a port, and sits out while that is down. */
type WatchKind = ActionProfileGroup_Member['watchKind'];

/** A member, as an entry may name it. */
export interface Member {
  readonly kind: 'member';
  readonly id: number;
  call: ActionCall;
  /** The pipeline's: the member itself, then its copies. */
  readonly handles: number[];
  /** Groups it is in. */
  groups: number;
  /** Table entries that name it. */
  entries: number;
}

/** Its part in one group. */
interface Share {
  readonly member: Member;
  readonly weight: number;
  readonly watchKind: WatchKind;
}

export interface Group {
  readonly kind: 'group';
  readonly id: number;
  readonly handle: number;
  readonly maxSize: number;
  /** By member id, in ascending order. */
  shares: ReadonlyMap<number, Share>;
  entries: number;
}

/** An action set that has been checked. */
interface PlannedAction {
  readonly call: ActionCall;
  readonly weight: number;
  readonly watchKind: WatchKind;
}

/** The group that one entry with an action set has to itself. */
export interface ActionSet {
  readonly kind: 'set';
  readonly handle: number;
  readonly actions: readonly (PlannedAction & { readonly handles: readonly number[] })[];
}

interface Weighted {
  readonly weight: number;
}

/** Of all groups and action sets of a profile whose size counts members and not weights: each costs a copy. */
export const weightMax = 65_536;

/** What the entries of a table with an action profile refer to. */
export type Reference = Member | Group | ActionSet;

export class ActionProfileState {
  readonly bound: BoundProfile;
  readonly #isPortUp: (port: number) => boolean;
  readonly #members = new Map<number, Member>();
  readonly #groups = new Map<number, Group>();
  readonly #sets = new Set<ActionSet>();
  readonly #memberHandles = new HandlePool();
  readonly #groupHandles = new HandlePool();
  /** Of all groups and action sets. */
  readonly #used = { shares: 0, weight: 0 };

  constructor(bound: BoundProfile, isPortUp: (port: number) => boolean) {
    this.bound = bound;
    this.#isPortUp = isPortUp;
  }

  /** @throws Refusal; then nothing has changed */
  writeMember(type: Update_Type, message: ActionProfileMember, operations: HostOperation[]): void {
    this.#checkMode('members');
    const { memberId: id } = message;
    if (type === Update_Type.DELETE) {
      this.#deleteMember(id, operations);
      return;
    }
    const call = this.#readCall(message.action);
    const existing = this.#members.get(id);
    if (type === Update_Type.MODIFY) {
      if (existing === undefined) throw notFound(`Member id does not exist: ${id}`);
      existing.call = call;
      for (const handle of existing.handles) this.#pushMember(handle, call, operations);
      return;
    }
    if (id === 0) throw invalid('member id 0 stands for all members');
    if (existing !== undefined) throw new Refusal(Code.ALREADY_EXISTS, `Duplicate member id: ${id}`);
    if (this.#members.size >= this.bound.sizeMax) throw this.#exhausted();
    const handle = this.#addMember(call, operations);
    this.#members.set(id, { kind: 'member', id, call, handles: [handle], groups: 0, entries: 0 });
  }

  #deleteMember(id: number, operations: HostOperation[]): void {
    const member = this.#members.get(id);
    if (member === undefined) throw notFound(`Member id does not exist: ${id}`);
    if (member.groups + member.entries > 0) throw unknown(`member ${id} is still in use`);
    this.#members.delete(id);
    for (const handle of member.handles) this.#removeMember(handle, operations);
  }

  /** @throws Refusal; then nothing has changed */
  writeGroup(type: Update_Type, message: ActionProfileGroup, operations: HostOperation[]): void {
    const { bound } = this;
    if (!bound.hasSelector)
      throw invalid(`action profile '${bound.name}' has no selector, so it has no groups`);
    this.#checkMode('members');
    const { groupId: id, maxSize } = message;
    const existing = this.#groups.get(id);
    if (type === Update_Type.INSERT) {
      if (maxSize < 0) throw invalid('Group max_size cannot be less than 0');
      if (bound.groupSizeMax > 0 && maxSize > bound.groupSizeMax)
        throw invalid(`max_size ${maxSize} is above max_group_size ${bound.groupSizeMax} of the P4Info`);
      if (bound.groupSizeMax > 0 && maxSize === 0)
        throw invalid(`max_size must be given, because the P4Info has max_group_size ${bound.groupSizeMax}`);
      if (id === 0) throw invalid('group id 0 stands for all groups');
      if (existing !== undefined) throw new Refusal(Code.ALREADY_EXISTS, `Duplicate group id: ${id}`);
      const shares = this.#readShares(message, maxSize, undefined);
      if (this.#groups.size >= bound.sizeMax) throw this.#exhausted();
      const group: Group = {
        kind: 'group',
        id,
        handle: this.#groupHandles.take(),
        maxSize,
        shares: new Map(),
        entries: 0,
      };
      this.#groups.set(id, group);
      this.#setShares(group, shares, operations);
      return;
    }
    if (existing === undefined) throw notFound(`Group id does not exist: ${id}`);
    if (type === Update_Type.MODIFY) {
      if (maxSize !== existing.maxSize) throw invalid('Cannot change group max_size after group creation');
      this.#setShares(existing, this.#readShares(message, maxSize, existing), operations);
      return;
    }
    if (existing.entries > 0) throw unknown(`group ${id} is still in use`);
    this.#groups.delete(id);
    this.#groupHandles.release(existing.handle);
    operations.push({ kind: 'delete-group', profile: bound.profile.id, group: existing.handle });
    this.#count([...existing.shares.values()], []);
    for (const { member } of existing.shares.values()) {
      member.groups -= 1;
      this.#dropCopies(member, operations);
    }
  }

  #readShares(message: ActionProfileGroup, maxSize: number, before: Group | undefined): Map<number, Share> {
    for (const { weight } of message.members) this.#checkWeight(weight);
    const weights = weightOf(message.members);
    if (maxSize > 0 && weights > maxSize) {
      throw new Refusal(Code.RESOURCE_EXHAUSTED, `weights of ${weights} in a group of max_size ${maxSize}`);
    }
    const shares = new Map<number, Share>();
    for (const { memberId, weight, watchKind } of message.members) {
      const member = this.#members.get(memberId);
      if (member === undefined) throw notFound(`Member id does not exist: ${memberId}`);
      if (shares.has(memberId)) throw invalid(`member ${memberId} is given twice; use weights instead`);
      shares.set(memberId, { member, weight, watchKind: checkedWatch(watchKind) });
    }
    this.#checkRoom([...(before?.shares.values() ?? [])], [...shares.values()]);
    return new Map([...shares].sort(([first], [second]) => first - second));
  }

  #setShares(group: Group, shares: ReadonlyMap<number, Share>, operations: HostOperation[]): void {
    const gone = [...group.shares.values()].filter(({ member }) => !shares.has(member.id));
    for (const { member, weight } of shares.values()) {
      while (member.handles.length < weight) member.handles.push(this.#addMember(member.call, operations));
    }
    const touched = [...shares.values(), ...gone].map(({ member }) => member);
    for (const { member } of group.shares.values()) member.groups -= 1;
    for (const { member } of shares.values()) member.groups += 1;
    this.#count([...group.shares.values()], [...shares.values()]);
    group.shares = shares;
    this.#pushGroup(group, operations);
    for (const member of touched.sort((first, second) => first.id - second.id)) {
      this.#dropCopies(member, operations);
    }
  }

  /** Gives back the copies no group needs. */
  #dropCopies(member: Member, operations: HostOperation[]): void {
    if (member.handles.length === 1) return;
    const weights = [...this.#groups.values()].map(({ shares }) => shares.get(member.id)?.weight ?? 0);
    const needed = Math.max(1, ...weights);
    while (member.handles.length > needed) this.#removeMember(member.handles.pop()!, operations);
  }

  /** @throws Refusal INVALID_ARGUMENT */
  member(id: number): Member {
    this.#checkMode('members');
    const member = this.#members.get(id);
    if (member === undefined) throw invalid(`Invalid member id: ${id}`);
    return member;
  }

  /** @throws Refusal INVALID_ARGUMENT */
  group(id: number): Group {
    this.#checkMode('members');
    const group = this.#groups.get(id);
    if (group === undefined) throw invalid(`Invalid group id: ${id}`);
    return group;
  }

  /** Checks an action set, which takes effect with `addSet`. @throws Refusal */
  planSet({ actionProfileActions: actions }: ActionProfileActionSet): readonly PlannedAction[] {
    const { bound } = this;
    if (!bound.hasSelector)
      throw invalid(`action profile '${bound.name}' has no selector, so it takes no action sets`);
    this.#checkMode('sets');
    // The specification has INVALID_ARGUMENT.
    if (actions.length === 0) throw new Refusal(Code.UNIMPLEMENTED, 'an empty action set');
    const plan = actions.map(({ action, weight, watchKind }) => {
      const call = this.#readCall(action);
      this.#checkWeight(weight);
      return { call, weight, watchKind: checkedWatch(watchKind) };
    });
    const weights = weightOf(plan);
    if (bound.groupSizeMax > 0 && weights > bound.groupSizeMax) {
      const most = bound.groupSizeMax;
      throw new Refusal(Code.RESOURCE_EXHAUSTED, `weights of ${weights}, where max_group_size is ${most}`);
    }
    return plan;
  }

  /** @throws Refusal RESOURCE_EXHAUSTED when the set, without the one it replaces, has no room */
  checkSetRoom(plan: readonly PlannedAction[], replaced: ActionSet | undefined): void {
    this.#checkRoom(replaced?.actions ?? [], plan);
  }

  addSet(plan: readonly PlannedAction[], operations: HostOperation[]): ActionSet {
    const actions = plan.map((planned) => {
      const handles = Array.from({ length: planned.weight }, () => this.#addMember(planned.call, operations));
      return { ...planned, handles };
    });
    const set: ActionSet = { kind: 'set', handle: this.#groupHandles.take(), actions };
    this.#sets.add(set);
    this.#count([], actions);
    this.#pushGroup(set, operations);
    return set;
  }

  removeSet(set: ActionSet, operations: HostOperation[]): void {
    this.#sets.delete(set);
    this.#count(set.actions, []);
    this.#groupHandles.release(set.handle);
    operations.push({ kind: 'delete-group', profile: this.bound.profile.id, group: set.handle });
    for (const { handles } of set.actions) {
      for (const handle of handles) this.#removeMember(handle, operations);
    }
  }

  /** To be called when a port has gone up or down. */
  portChanged(port: number, operations: HostOperation[]): void {
    for (const group of [...this.#groups.values(), ...this.#sets]) {
      const parts = group.kind === 'set' ? group.actions : [...group.shares.values()];
      if (parts.some(({ watchKind }) => watchedPort(watchKind) === port)) this.#pushGroup(group, operations);
    }
  }

  /** Id 0 stands for all. @throws Refusal INVALID_ARGUMENT when entries have action sets instead */
  readMembers(wanted: number): ActionProfileMember[] {
    this.#checkMode('members');
    return chosen(this.#members, wanted).map(({ id, call }) =>
      create(ActionProfileMemberSchema, {
        actionProfileId: this.bound.id,
        memberId: id,
        action: actionMessage(call),
      }),
    );
  }

  /** Id 0 stands for all. @throws Refusal INVALID_ARGUMENT when entries have action sets instead */
  readGroups(wanted: number): ActionProfileGroup[] {
    this.#checkMode('members');
    return chosen(this.#groups, wanted).map(({ id, maxSize, shares }) =>
      create(ActionProfileGroupSchema, {
        actionProfileId: this.bound.id,
        groupId: id,
        maxSize,
        members: [...shares.values()].map(({ member, weight, watchKind }) => ({
          memberId: member.id,
          weight,
          watchKind,
        })),
      }),
    );
  }

  /** The first use decides how a profile is programmed, until nothing of it is left. */
  #checkMode(wanted: 'members' | 'sets'): void {
    const isMixed = wanted === 'sets' ? this.#members.size + this.#groups.size > 0 : this.#sets.size > 0;
    if (isMixed) throw invalid('Invalid attempt to mix action selector programming modes');
  }

  #readCall(message: ActionMessage | undefined): ActionCall {
    const { bound } = this;
    const action = bound.actionById.get(message?.actionId ?? 0);
    if (message === undefined || action === undefined) {
      throw invalid(`action profile '${bound.name}' has no action ${message?.actionId ?? 0}`);
    }
    if (action.scope === 'default') {
      throw new Refusal(Code.PERMISSION_DENIED, `action '${action.name}' can only be a default action`);
    }
    return readActionCall(action, message);
  }

  #checkWeight(weight: number): void {
    if (weight <= 0) throw invalid('Member weight must be a positive integer value');
    if (weight !== 1 && this.bound.isUnweighted) {
      throw invalid(`action profile '${this.bound.name}' allows no weights`);
    }
  }

  #checkRoom(gone: readonly Weighted[], come: readonly Weighted[]): void {
    const { sizeCounts, sizeMax } = this.bound;
    const shares = this.#used.shares - gone.length + come.length;
    const weight = this.#used.weight - weightOf(gone) + weightOf(come);
    const isFull = sizeCounts === 'weights' ? weight > sizeMax : shares > sizeMax || weight > weightMax;
    if (isFull) throw this.#exhausted();
  }

  #count(gone: readonly Weighted[], come: readonly Weighted[]): void {
    this.#used.shares += come.length - gone.length;
    this.#used.weight += weightOf(come) - weightOf(gone);
  }

  #addMember(call: ActionCall, operations: HostOperation[]): number {
    const handle = this.#memberHandles.take();
    this.#pushMember(handle, call, operations);
    return handle;
  }

  #removeMember(handle: number, operations: HostOperation[]): void {
    this.#memberHandles.release(handle);
    operations.push({ kind: 'delete-member', profile: this.bound.profile.id, member: handle });
  }

  #pushMember(member: number, { action, data }: ActionCall, operations: HostOperation[]): void {
    operations.push({
      kind: 'member',
      profile: this.bound.profile.id,
      member,
      action: action.action.id,
      data,
    });
  }

  #pushGroup(group: Group | ActionSet, operations: HostOperation[]): void {
    const parts =
      group.kind === 'set'
        ? group.actions
        : [...group.shares.values()].map(({ member, weight, watchKind }) => ({
            watchKind,
            handles: member.handles.slice(0, weight),
          }));
    const activeMembers = parts
      .filter(({ watchKind }) => this.#isUp(watchKind))
      .flatMap(({ handles }) => handles);
    operations.push({ kind: 'group', profile: this.bound.profile.id, group: group.handle, activeMembers });
  }

  #isUp(watchKind: WatchKind): boolean {
    const port = watchedPort(watchKind);
    return port === undefined || this.#isPortUp(port);
  }

  #exhausted(): Refusal {
    const { name, sizeMax } = this.bound;
    return new Refusal(Code.RESOURCE_EXHAUSTED, `action profile '${name}' is full: its size is ${sizeMax}`);
  }
}

/** What an entry reads back for an action set: the actions as they were given. */
export function actionSetMessage({ actions }: ActionSet): ActionProfileActionSet {
  return create(ActionProfileActionSetSchema, {
    actionProfileActions: actions.map(({ call, weight, watchKind }) => ({
      action: actionMessage(call),
      weight,
      watchKind,
    })),
  });
}

function weightOf(parts: readonly Weighted[]): number {
  return parts.reduce((sum, { weight }) => sum + weight, 0);
}

/** A copy, because bytes are a view of the whole request. @throws Refusal INVALID_ARGUMENT */
function checkedWatch(watchKind: WatchKind): WatchKind {
  if (watchKind.case === 'watch' && watchKind.value < 0) throw invalid(`there is no port ${watchKind.value}`);
  if (watchKind.case !== 'watchPort') return watchKind;
  const { value } = watchKind;
  if (value.length > 4) throw invalid(`a watch_port of ${value.length} bytes`);
  // simple_switch_grpc takes it for "no port".
  if (value.length > 0 && value.every((byte) => byte === 0)) throw invalid('port 0 cannot be watched');
  return { case: 'watchPort', value: Uint8Array.from(value) };
}

function watchedPort(watchKind: WatchKind): number | undefined {
  switch (watchKind.case) {
    case 'watch':
      return watchKind.value === 0 ? undefined : watchKind.value;
    case 'watchPort':
      if (watchKind.value.length === 0) return undefined;
      return watchKind.value.reduce((port, byte) => port * 256 + byte, 0);
    default:
      return undefined;
  }
}

function chosen<Item>(items: ReadonlyMap<number, Item>, wanted: number): Item[] {
  if (wanted === 0) return [...items.values()];
  const item = items.get(wanted);
  return item === undefined ? [] : [item];
}

function notFound(message: string): Refusal {
  return new Refusal(Code.NOT_FOUND, message);
}

function unknown(message: string): Refusal {
  return new Refusal(Code.UNKNOWN, message);
}
