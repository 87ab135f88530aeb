// SPDX-License-Identifier: Apache-2.0
/**
 * The members and groups of one action profile, as the client sees them, and the rules by which they change.
 *
 * Which member a packet gets depends on the order of the pipeline's handles, so handles are given out exactly as
 * simple_switch_grpc does: a member of weight w has w copies, made when a group first asks for so many, in the order of
 * member ids; an action set makes its own, in its order. Copies nobody asks for any more are given back, the newest
 * first.
 *
 * Where simple_switch_grpc and the specification differ, `Rules` decides. A refused update changes nothing, not even
 * where simple_switch_grpc leaves an empty group.
 * One bug of it is not kept: it fails with UNKNOWN for the whole request, and does half of it, when a group loses a
 * member that watches a port.
 */

import { create } from '@bufbuild/protobuf';
import type {
  Action as ActionMessage,
  ActionProfileActionSet,
  ActionProfileGroup,
  ActionProfileMember,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  ActionProfileGroupSchema,
  ActionProfileMemberSchema,
  Update_Type,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { type ActionCall, actionMessage, adoptedCall, readActionCall } from './action-call.ts';
import { type Batch, put } from './batch.ts';
import type { BoundProfile } from './bound.ts';
import type { Rules } from './compat.ts';
import { HandlePool } from './handle-pool.ts';
import type { HostOperation } from './host.ts';
import {
  type ActionSet,
  type Group,
  type Member,
  type PlannedAction,
  plainPort,
  type Reference,
  type Share,
  type WatchKind,
  type Weighted,
  weightMax,
  weightOf,
} from './profile-parts.ts';
import { Code, invalid, Refusal } from './refusal.ts';

export class ActionProfileState {
  readonly bound: BoundProfile;
  readonly #rules: Rules;
  readonly #isPortUp: (port: number) => boolean;
  readonly #members = new Map<number, Member>();
  readonly #groups = new Map<number, Group>();
  readonly #sets = new Set<ActionSet>();
  readonly #memberHandles = new HandlePool();
  readonly #groupHandles = new HandlePool();
  /** By those of the profile of the program before, if there was any. */
  readonly #adopted = new WeakMap<Reference, Reference>();
  /** Of all groups and action sets. */
  readonly #used = { shares: 0, weight: 0 };

  constructor(bound: BoundProfile, rules: Rules, isPortUp: (port: number) => boolean) {
    this.bound = bound;
    this.#rules = rules;
    this.#isPortUp = isPortUp;
  }

  /** @throws Refusal; then nothing has changed */
  writeMember(type: Update_Type, message: ActionProfileMember, batch: Batch): void {
    this.#checkMode('members');
    const { memberId: id } = message;
    if (type === Update_Type.DELETE) {
      this.#deleteMember(id, batch);
      return;
    }
    const call = this.#readCall(message.action);
    const existing = this.#members.get(id);
    if (type === Update_Type.MODIFY) {
      if (existing === undefined) throw notFound(`Member id does not exist: ${id}`);
      change(batch, existing, { call });
      for (const handle of existing.handles) this.#pushMember(handle, call, batch);
      return;
    }
    if (id === 0) this.#rules.allow('member-id-zero', 'member id 0 stands for all members');
    if (existing !== undefined) throw new Refusal(Code.ALREADY_EXISTS, `Duplicate member id: ${id}`);
    if (this.#members.size >= this.#sizeMax) throw this.#exhausted();
    const handle = this.#addMember(call, batch);
    put(batch, this.#members, id, { kind: 'member', id, call, handles: [handle], groups: 0, entries: 0 });
  }

  #deleteMember(id: number, batch: Batch): void {
    const member = this.#members.get(id);
    if (member === undefined) throw notFound(`Member id does not exist: ${id}`);
    if (member.groups + member.entries > 0) {
      throw this.#rules.refusal('delete-in-use', `member ${id} is still in use`);
    }
    put(batch, this.#members, id, undefined);
    for (const handle of member.handles) this.#removeMember(handle, batch);
  }

  /** @throws Refusal; then nothing has changed */
  writeGroup(type: Update_Type, message: ActionProfileGroup, batch: Batch): void {
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
      if (bound.groupSizeMax > 0 && maxSize === 0) {
        const message = `max_size must be given, because the P4Info has max_group_size ${bound.groupSizeMax}`;
        this.#rules.allow('group-size-zero', message);
      }
      if (id === 0) throw invalid('group id 0 stands for all groups');
      if (existing !== undefined) throw new Refusal(Code.ALREADY_EXISTS, `Duplicate group id: ${id}`);
      const shares = this.#readShares(message, maxSize, undefined);
      if (this.#groups.size >= this.#sizeMax) throw this.#exhausted();
      const group: Group = {
        kind: 'group',
        id,
        handle: takeHandle(this.#groupHandles, batch),
        maxSize,
        shares: new Map(),
        entries: 0,
      };
      put(batch, this.#groups, id, group);
      this.#setShares(group, shares, batch);
      return;
    }
    if (existing === undefined) throw notFound(`Group id does not exist: ${id}`);
    if (type === Update_Type.MODIFY) {
      if (maxSize !== existing.maxSize) throw invalid('Cannot change group max_size after group creation');
      this.#setShares(existing, this.#readShares(message, maxSize, existing), batch);
      return;
    }
    if (existing.entries > 0) {
      throw this.#rules.refusal('delete-in-use', `group ${id} is still in use`);
    }
    put(batch, this.#groups, id, undefined);
    releaseHandle(this.#groupHandles, existing.handle, batch);
    batch.push({ kind: 'delete-group', profile: bound.profile.id, group: existing.handle });
    this.#count([...existing.shares.values()], [], batch);
    for (const { member } of existing.shares.values()) {
      change(batch, member, { groups: member.groups - 1 });
      this.#dropCopies(member, batch);
    }
  }

  #readShares(message: ActionProfileGroup, maxSize: number, before: Group | undefined): Map<number, Share> {
    for (const { weight } of message.members) this.#checkWeight(weight);
    const weights = weightOf(message.members);
    const sizeMax = maxSize > 0 ? maxSize : this.bound.groupSizeMax;
    if (sizeMax > 0 && weights > sizeMax) {
      throw new Refusal(Code.RESOURCE_EXHAUSTED, `weights of ${weights} in a group of max_size ${sizeMax}`);
    }
    const shares = new Map<number, Share>();
    for (const { memberId, weight, watchKind } of message.members) {
      const member = this.#members.get(memberId);
      if (member === undefined) throw notFound(`Member id does not exist: ${memberId}`);
      if (shares.has(memberId)) throw invalid(`member ${memberId} is given twice; use weights instead`);
      shares.set(memberId, { member, weight, watchKind: this.#checkedWatch(watchKind) });
    }
    this.#checkRoom([...(before?.shares.values() ?? [])], [...shares.values()]);
    return new Map([...shares].sort(([first], [second]) => first - second));
  }

  #setShares(group: Group, shares: ReadonlyMap<number, Share>, batch: Batch): void {
    const gone = [...group.shares.values()].filter(({ member }) => !shares.has(member.id));
    for (const { member, weight } of shares.values()) {
      const { handles } = member;
      while (handles.length < weight) {
        handles.push(this.#addMember(member.call, batch));
        batch.undo?.push(() => handles.pop());
      }
    }
    const touched = [...shares.values(), ...gone].map(({ member }) => member);
    for (const { member } of group.shares.values()) change(batch, member, { groups: member.groups - 1 });
    for (const { member } of shares.values()) change(batch, member, { groups: member.groups + 1 });
    this.#count([...group.shares.values()], [...shares.values()], batch);
    change(batch, group, { shares });
    this.#pushGroup(group, batch);
    for (const member of touched.sort((first, second) => first.id - second.id)) {
      this.#dropCopies(member, batch);
    }
  }

  /** Gives back the copies no group needs. */
  #dropCopies(member: Member, batch: Batch): void {
    if (member.handles.length === 1) return;
    const weights = [...this.#groups.values()].map(({ shares }) => shares.get(member.id)?.weight ?? 0);
    const needed = Math.max(1, ...weights);
    while (member.handles.length > needed) {
      const handle = member.handles.pop()!;
      batch.undo?.push(() => member.handles.push(handle));
      this.#removeMember(handle, batch);
    }
  }

  /** @throws Refusal */
  member(id: number): Member {
    this.#checkMode('members');
    const member = this.#members.get(id);
    if (member === undefined) throw this.#rules.refusal('unknown-member', `Invalid member id: ${id}`);
    return member;
  }

  /** @throws Refusal */
  group(id: number): Group {
    this.#checkMode('members');
    const group = this.#groups.get(id);
    if (group === undefined) throw this.#rules.refusal('unknown-member', `Invalid group id: ${id}`);
    return group;
  }

  /** Checks an action set, which takes effect with `addSet`. @throws Refusal */
  planSet({ actionProfileActions: actions }: ActionProfileActionSet): readonly PlannedAction[] {
    const { bound } = this;
    if (!bound.hasSelector)
      throw invalid(`action profile '${bound.name}' has no selector, so it takes no action sets`);
    this.#checkMode('sets');
    if (actions.length === 0) throw this.#rules.refusal('empty-action-set', 'an empty action set');
    const plan = actions.map(({ action, weight, watchKind }) => {
      const call = this.#readCall(action);
      this.#checkWeight(weight);
      return { call, weight, watchKind: this.#checkedWatch(watchKind) };
    });
    const weights = weightOf(plan);
    if (bound.groupSizeMax > 0 && weights > bound.groupSizeMax) {
      const message = `weights of ${weights}, where max_group_size is ${bound.groupSizeMax}`;
      throw this.#rules.refusal('action-set-too-large', message);
    }
    return plan;
  }

  /** @throws Refusal RESOURCE_EXHAUSTED when the set, without the one it replaces, has no room */
  checkSetRoom(plan: readonly PlannedAction[], replaced: ActionSet | undefined): void {
    this.#checkRoom(replaced?.actions ?? [], plan);
  }

  addSet(plan: readonly PlannedAction[], batch: Batch): ActionSet {
    const actions = plan.map((planned) => {
      const handles = Array.from({ length: planned.weight }, () => this.#addMember(planned.call, batch));
      return { ...planned, handles };
    });
    const set: ActionSet = { kind: 'set', handle: takeHandle(this.#groupHandles, batch), actions };
    this.#sets.add(set);
    batch.undo?.push(() => this.#sets.delete(set));
    this.#count([], actions, batch);
    this.#pushGroup(set, batch);
    return set;
  }

  removeSet(set: ActionSet, batch: Batch): void {
    this.#sets.delete(set);
    batch.undo?.push(() => this.#sets.add(set));
    this.#count(set.actions, [], batch);
    releaseHandle(this.#groupHandles, set.handle, batch);
    batch.push({ kind: 'delete-group', profile: this.bound.profile.id, group: set.handle });
    for (const { handles } of set.actions) {
      for (const handle of handles) this.#removeMember(handle, batch);
    }
  }

  get isUsed(): boolean {
    return this.#members.size + this.#groups.size + this.#sets.size > 0;
  }

  /** Adds what a fresh pipeline must be told to have all this. */
  tellAll(operations: HostOperation[]): void {
    const { id: profile } = this.bound.profile;
    const tellMember = (member: number, { action, data }: ActionCall) =>
      operations.push({ kind: 'member', profile, member, action: action.action.id, data });
    for (const { handles, call } of this.#members.values()) {
      for (const handle of handles) tellMember(handle, call);
    }
    for (const { actions } of this.#sets) {
      for (const { handles, call } of actions) for (const handle of handles) tellMember(handle, call);
    }
    for (const group of [...this.#groups.values(), ...this.#sets]) {
      operations.push({ kind: 'group', profile, group: group.handle, activeMembers: this.#active(group) });
    }
  }

  /**
   * Takes over the members and groups of a profile of another program, with their handles, on which the choice of a
   * member depends. To be called once, when this one is fresh.
   *
   * @returns what cannot be taken over
   */
  adopt(before: ActionProfileState): string[] {
    const what = `action profile '${this.bound.name}'`;
    if (!before.isUsed) return [];
    const problems = new Set<string>();
    const callOf = (call: ActionCall): ActionCall => {
      const adopted = adoptedCall(this.bound.actionById.get(call.action.id), call);
      if (adopted === undefined) problems.add(`${what} cannot have action '${call.action.name}' any more`);
      return adopted ?? call;
    };
    if (before.#groups.size + before.#sets.size > 0 && !this.bound.hasSelector) {
      problems.add(`${what} has no groups any more`);
    }
    const members = new Map<Member, Member>();
    for (const member of before.#members.values()) {
      const adopted = { ...member, call: callOf(member.call), handles: [...member.handles] };
      members.set(member, adopted);
      this.#members.set(member.id, adopted);
      this.#adopted.set(member, adopted);
    }
    for (const group of before.#groups.values()) {
      const shares = new Map(
        [...group.shares].map(([id, share]) => [id, { ...share, member: members.get(share.member)! }]),
      );
      const adopted = { ...group, shares };
      this.#groups.set(group.id, adopted);
      this.#adopted.set(group, adopted);
    }
    for (const set of before.#sets) {
      const adopted = {
        ...set,
        actions: set.actions.map((part) => ({ ...part, call: callOf(part.call) })),
      };
      this.#sets.add(adopted);
      this.#adopted.set(set, adopted);
    }
    Object.assign(this.#used, before.#used);
    const used = this.bound.sizeCounts === 'weights' ? this.#used.weight : this.#used.shares;
    if (Math.max(used, this.#members.size, this.#groups.size) > this.#sizeMax) {
      problems.add(`${what} has room for only ${this.#sizeMax} now`);
    }
    for (const { handles } of this.#members.values())
      for (const at of handles) this.#memberHandles.retake(at);
    for (const { actions } of this.#sets) {
      for (const { handles } of actions) for (const at of handles) this.#memberHandles.retake(at);
    }
    for (const { handle } of [...this.#groups.values(), ...this.#sets]) this.#groupHandles.retake(handle);
    return [...problems];
  }

  /** What has taken the place of a member, group or action set of the profile before. */
  adopted(reference: Reference): Reference | undefined {
    return this.#adopted.get(reference);
  }

  /** To be called when a port has gone up or down. */
  portChanged(port: number, batch: Batch): void {
    for (const group of [...this.#groups.values(), ...this.#sets]) {
      const parts = group.kind === 'set' ? group.actions : [...group.shares.values()];
      if (parts.some(({ watchKind }) => this.#watchedPort(watchKind) === port)) this.#pushGroup(group, batch);
    }
  }

  /** Id 0 stands for all. @throws Refusal when entries have action sets instead */
  readMembers(wanted: number): ActionProfileMember[] {
    this.#checkReadMode();
    return chosen(this.#members, wanted).map(({ id, call }) =>
      create(ActionProfileMemberSchema, {
        actionProfileId: this.bound.id,
        memberId: id,
        action: actionMessage(call),
      }),
    );
  }

  /** Id 0 stands for all. @throws Refusal when entries have action sets instead */
  readGroups(wanted: number): ActionProfileGroup[] {
    this.#checkReadMode();
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
    if (isMixed) throw invalid(mixedMessage);
  }

  #checkReadMode(): void {
    if (this.#sets.size > 0) this.#rules.allow('members-beside-sets', mixedMessage);
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
    return readActionCall(this.#rules, action, message);
  }

  #checkWeight(weight: number): void {
    if (weight <= 0) throw invalid('Member weight must be a positive integer value');
    if (weight !== 1 && this.bound.isUnweighted) {
      throw invalid(`action profile '${this.bound.name}' allows no weights`);
    }
  }

  #checkRoom(gone: readonly Weighted[], come: readonly Weighted[]): void {
    const { sizeCounts } = this.bound;
    const sizeMax = this.#sizeMax;
    const shares = this.#used.shares - gone.length + come.length;
    const weight = this.#used.weight - weightOf(gone) + weightOf(come);
    const isFull = sizeCounts === 'weights' ? weight > sizeMax : shares > sizeMax || weight > weightMax;
    if (isFull) throw this.#exhausted();
  }

  #count(gone: readonly Weighted[], come: readonly Weighted[], batch: Batch): void {
    const { shares, weight } = this.#used;
    change(batch, this.#used, {
      shares: shares + come.length - gone.length,
      weight: weight + weightOf(come) - weightOf(gone),
    });
  }

  /** simple_switch_grpc looks at no size; here something must bound the memory. */
  get #sizeMax(): number {
    return this.#rules.refuses('profile-full') ? this.bound.sizeMax : weightMax;
  }

  #addMember(call: ActionCall, batch: Batch): number {
    const handle = takeHandle(this.#memberHandles, batch);
    this.#pushMember(handle, call, batch);
    return handle;
  }

  #removeMember(handle: number, batch: Batch): void {
    releaseHandle(this.#memberHandles, handle, batch);
    batch.push({ kind: 'delete-member', profile: this.bound.profile.id, member: handle });
  }

  #pushMember(member: number, { action, data }: ActionCall, batch: Batch): void {
    batch.push({
      kind: 'member',
      profile: this.bound.profile.id,
      member,
      action: action.action.id,
      data,
    });
  }

  #pushGroup(group: Group | ActionSet, batch: Batch): void {
    const activeMembers = this.#active(group);
    batch.push({ kind: 'group', profile: this.bound.profile.id, group: group.handle, activeMembers });
  }

  /** Handles of those that do not watch a port that is down. */
  #active(group: Group | ActionSet): number[] {
    const parts =
      group.kind === 'set'
        ? group.actions
        : [...group.shares.values()].map(({ member, weight, watchKind }) => ({
            watchKind,
            handles: member.handles.slice(0, weight),
          }));
    return parts.filter(({ watchKind }) => this.#isUp(watchKind)).flatMap(({ handles }) => handles);
  }

  #isUp(watchKind: WatchKind): boolean {
    const port = this.#watchedPort(watchKind);
    return port === undefined || this.#isPortUp(port);
  }

  /** A copy, because bytes are a view of the whole request. @throws Refusal */
  #checkedWatch(watchKind: WatchKind): WatchKind {
    if (watchKind.case === 'watch' && watchKind.value < 0)
      throw invalid(`there is no port ${watchKind.value}`);
    if (watchKind.case !== 'watchPort') return watchKind;
    const { value } = watchKind;
    if (value.length > 4) throw invalid(`a watch_port of ${value.length} bytes`);
    // simple_switch_grpc takes it for "no port".
    if (value.length > 0 && value.every((byte) => byte === 0)) {
      this.#rules.allow('watch-port-zero', 'port 0 cannot be watched');
    }
    return { case: 'watchPort', value: Uint8Array.from(value) };
  }

  #watchedPort(watchKind: WatchKind): number | undefined {
    const port = plainPort(watchKind);
    const isNone = port === 0 && this.#rules.answer('watch-port-zero') !== 'watched';
    return isNone ? undefined : port;
  }

  #exhausted(): Refusal {
    const message = `action profile '${this.bound.name}' is full: its size is ${this.#sizeMax}`;
    return new Refusal(Code.RESOURCE_EXHAUSTED, message);
  }
}

const mixedMessage = 'Invalid attempt to mix action selector programming modes';

/** Puts other values in the place of some of an object's, which the batch can take back. */
function change<Shape extends object>(batch: Batch, target: Shape, values: Partial<Shape>): void {
  if (batch.undo !== undefined) {
    const before = { ...target };
    batch.undo.push(() => Object.assign(target, before));
  }
  Object.assign(target, values);
}

function takeHandle(pool: HandlePool, batch: Batch): number {
  const handle = pool.take();
  batch.undo?.push(() => pool.release(handle));
  return handle;
}

function releaseHandle(pool: HandlePool, handle: number, batch: Batch): void {
  pool.release(handle);
  batch.undo?.push(() => pool.retake(handle));
}

function chosen<Item>(items: ReadonlyMap<number, Item>, wanted: number): Item[] {
  if (wanted === 0) return [...items.values()];
  const item = items.get(wanted);
  return item === undefined ? [] : [item];
}

function notFound(message: string): Refusal {
  return new Refusal(Code.NOT_FOUND, message);
}
