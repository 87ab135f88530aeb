// SPDX-License-Identifier: Apache-2.0
/** One entry of a table, and what it does in the words of the pipeline, the client and the operator. */

import type { TableAction } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { throughGroup, throughMember } from '../engine/pipeline.ts';
import { type ActionCall, actionMessage } from './action-call.ts';
import { actionSetMessage, type Reference } from './profile-parts.ts';

/** Never changed; a MODIFY puts another in its place. */
export interface Entry {
  /** The pipeline's name for it. */
  readonly handle: number;
  /** Canonical; see match-key.ts. */
  readonly key: string;
  readonly call: ActionCall | Reference;
  readonly idleTimeoutNs: bigint;
  readonly controllerMetadata: bigint;
  readonly metadata: Uint8Array;
  /** Belongs to the program. */
  readonly isConst: boolean;
  /** The `apply` that told the pipeline of it, counted from the start of the program. */
  readonly batch: number;
}

/** What the pipeline is told to do. */
export function pipelineCall(call: ActionCall | Reference): { action: number; data: readonly bigint[] } {
  switch (call.kind) {
    case 'action':
      return { action: call.action.action.id, data: call.data };
    case 'member':
      return { action: throughMember, data: [BigInt(call.handles[0]!)] };
    case 'group':
    case 'set':
      return { action: throughGroup, data: [BigInt(call.handle)] };
  }
}

export function tableAction(call: ActionCall | Reference): TableAction {
  return { $typeName: 'p4.v1.TableAction', type: tableActionType(call) };
}

function tableActionType(call: ActionCall | Reference): TableAction['type'] {
  switch (call.kind) {
    case 'action':
      return { case: 'action', value: actionMessage(call) };
    case 'member':
      return { case: 'actionProfileMemberId', value: call.id };
    case 'group':
      return { case: 'actionProfileGroupId', value: call.id };
    case 'set':
      return { case: 'actionProfileActionSet', value: actionSetMessage(call) };
  }
}

export function nameOfCall(call: ActionCall | Reference): string {
  switch (call.kind) {
    case 'action':
      return `action '${call.action.name}'`;
    case 'set':
      return 'an action set';
    default:
      return `${call.kind} ${call.id}`;
  }
}
