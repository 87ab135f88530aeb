// SPDX-License-Identifier: Apache-2.0
/** An action with its data: from a client's message, and back. */

import type { Action_Param, Action as ActionMessage } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { encodeValue } from '../../p4runtime/values.ts';
import type { BoundAction } from './bound.ts';
import type { Rules } from './compat.ts';
import { readValue } from './match-key.ts';
import { invalid } from './refusal.ts';

export interface ActionCall {
  readonly kind: 'action';
  readonly action: BoundAction;
  /** In the order of the pipeline's parameters. */
  readonly data: readonly bigint[];
}

/** @throws Refusal INVALID_ARGUMENT, or whatever a bad value deserves */
export function readActionCall(rules: Rules, action: BoundAction, { params }: ActionMessage): ActionCall {
  const { name, parameters } = action;
  if (params.length !== parameters.length) {
    throw invalid(`action '${name}' has ${parameters.length} parameters, ${params.length} were given`);
  }
  const data = new Array<bigint | undefined>(parameters.length).fill(undefined);
  for (const { paramId, value } of params) {
    const parameter = parameters.find((candidate) => candidate.id === paramId);
    if (parameter === undefined) throw invalid(`action '${name}' has no parameter ${paramId}`);
    if (data[parameter.position] !== undefined) {
      throw invalid(`parameter '${parameter.name}' of action '${name}' is given twice`);
    }
    data[parameter.position] = BigInt(readValue(rules, value, parameter.width, `${name}.${parameter.name}`));
  }
  return { kind: 'action', action, data: data as bigint[] };
}

/** The same call in a program where the action is this one. @returns undefined when its parameters are others */
export function adoptedCall(action: BoundAction | undefined, call: ActionCall): ActionCall | undefined {
  const before = call.action;
  if (action?.name !== before.name || action.parameters.length !== before.parameters.length) return undefined;
  const data = new Array<bigint>(action.parameters.length);
  for (const { id, width, position } of action.parameters) {
    const same = before.parameters.find((parameter) => parameter.id === id && parameter.width === width);
    if (same === undefined) return undefined;
    data[position] = call.data[same.position]!;
  }
  return { kind: 'action', action, data };
}

export function actionMessage({ action, data }: ActionCall): ActionMessage {
  const params = action.parameters.map(({ id, width, position }): Action_Param => {
    const value = encodeValue(data[position]!, width);
    return { $typeName: 'p4.v1.Action.Param', paramId: id, value };
  });
  return { $typeName: 'p4.v1.Action', actionId: action.id, params };
}
