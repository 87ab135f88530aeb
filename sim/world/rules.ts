// SPDX-License-Identifier: Apache-2.0
/** The rules that protect connections, and how to do without each: by an option of the engine, or by a lie of the world. */
import type { WorldTwist } from './world.ts';

const noTwist: WorldTwist = {
  engine: {},
  port: {},
  toldTimeoutMs: undefined,
  weightsAreHidden: false,
  filtersAreOff: false,
};

export const rules = {
  /** Slots are rewritten in place. */
  versions: { engine: { naive: true } },
  /** No digest arrives, so nobody is known by name. */
  pins: { port: { isDeafToDigests: true } },
  /** No filter slot ever knows anybody. */
  filters: { filtersAreOff: true },
  /** The controller is told that a row is written when it is sent. */
  waiting: { port: { answersAtOnce: true } },
  /** A filter slot is used again at once. */
  quarantine: { engine: { quarantineMs: 0, floodQuarantineMs: 0 } },
  /** A filter slot takes members for as long as nothing changes. */
  rotation: { engine: { rotationMs: Number.POSITIVE_INFINITY, fillLimit: Number.POSITIVE_INFINITY } },
  /** The controller believes that flows are forgotten after half a second. */
  'merge timeout': { toldTimeoutMs: 500 },
  /** A commit does not wait for those who are opening. */
  settling: { engine: { tcpSettleMs: 0, udpSettleMs: 0 } },
  /** A switch forgets its slots when its controller goes. */
  'fail static': { port: { forgetsUnattended: true } },
  /** The controller is told that all backends weigh the same. */
  weights: { weightsAreHidden: true },
} as const satisfies Record<string, Partial<WorldTwist>>;

export type RuleName = keyof typeof rules;

export const ruleNames = Object.keys(rules) as RuleName[];

export function withoutRule(name: RuleName | undefined): WorldTwist {
  return name === undefined ? noTwist : { ...noTwist, ...rules[name] };
}
