// SPDX-License-Identifier: Apache-2.0
/** Members, groups and action sets as data: what an action profile keeps, and what entries refer to. */

import { create } from '@bufbuild/protobuf';
import type {
  ActionProfileActionSet,
  ActionProfileGroup_Member,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { ActionProfileActionSetSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { type ActionCall, actionMessage } from './action-call.ts';

/** A member may watch a port, and sits out while that is down. */
export type WatchKind = ActionProfileGroup_Member['watchKind'];

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
export interface Share {
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
export interface PlannedAction {
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

export interface Weighted {
  readonly weight: number;
}

/** Of all groups and action sets of a profile whose size counts members and not weights: each costs a copy. */
export const weightMax = 65_536;

/** What the entries of a table with an action profile refer to. */
export type Reference = Member | Group | ActionSet;

/** Undefined when no port is named. */
export function plainPort(watchKind: WatchKind): number | undefined {
  switch (watchKind.case) {
    case 'watch':
      return watchKind.value === 0 ? undefined : watchKind.value;
    case 'watchPort':
      if (watchKind.value.length === 0) return undefined;
      return watchKind.value.reduce((value, byte) => value * 256 + byte, 0);
    default:
      return undefined;
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

export function weightOf(parts: readonly Weighted[]): number {
  return parts.reduce((sum, { weight }) => sum + weight, 0);
}
