// SPDX-License-Identifier: Apache-2.0
/**
 * Which controller is primary: the election of one role on one device, as a pure state machine.
 *
 * By the specification, when the primary leaves, nobody is primary until a controller arbitrates again with an election
 * id at least as high as any seen before; a controller without an election id is never primary; a repeated arbitration
 * is always answered. simple_switch_grpc takes the highest id that is there, whatever was before. The texts are its own
 * in any case, because controllers compare them.
 *
 * Source: P4Runtime specification 1.4, sections 5.3 (primary arbitration) and 15 (client arbitration).
 */

import type { Rules } from './compat.ts';
import { Code } from './refusal.ts';

/** A stream, named by whoever owns it. */
export type StreamId = number;

export interface Election {
  /** Everyone who has arbitrated, with the election id given; undefined when none was. */
  readonly candidates: ReadonlyMap<StreamId, bigint | undefined>;
  readonly primary: StreamId | undefined;
  /** The highest election id ever seen. It outlives its owner, and so shuts out those with a lower one. */
  readonly highest: bigint | undefined;
}

export type ElectionEvent =
  | { kind: 'arbitrate'; stream: StreamId; electionId: bigint | undefined }
  | { kind: 'leave'; stream: StreamId };

export type ElectionEffect =
  /** Tell the stream how it stands: OK, ALREADY_EXISTS (backup) or NOT_FOUND (nobody is primary). */
  | { kind: 'notify'; stream: StreamId; code: Code; message: string; electionId: bigint | undefined }
  | { kind: 'close'; stream: StreamId; code: Code; message: string };

export interface ElectionStep {
  election: Election;
  /** In the order they must be sent: a new primary hears of it last. */
  effects: readonly ElectionEffect[];
}

export const noElection: Election = { candidates: new Map(), primary: undefined, highest: undefined };

export function step(rules: Rules, election: Election, event: ElectionEvent): ElectionStep {
  switch (event.kind) {
    case 'arbitrate':
      return arbitrate(rules, election, event.stream, effectiveId(rules, event.electionId));
    case 'leave':
      return leave(rules, election, event.stream);
  }
}

function effectiveId(rules: Rules, electionId: bigint | undefined): bigint | undefined {
  const isNumber = rules.answer('unset-election-id') === 'primary as number 0';
  return isNumber ? (electionId ?? 0n) : electionId;
}

/** Whether a request with this election id may change the device. */
export function isPrimaryId(rules: Rules, election: Election, electionId: bigint | undefined): boolean {
  if (electionId === undefined && election.candidates.size === 0) {
    return !rules.refuses('write-without-arbitration');
  }
  const id = effectiveId(rules, electionId);
  return (
    election.primary !== undefined && id !== undefined && election.candidates.get(election.primary) === id
  );
}

function arbitrate(
  rules: Rules,
  before: Election,
  stream: StreamId,
  electionId: bigint | undefined,
): ElectionStep {
  if (electionId !== undefined && isTaken(before, stream, electionId)) {
    const message = before.candidates.has(stream)
      ? 'New election id already exists'
      : 'Election id already exists';
    const { election, effects } = leave(rules, before, stream);
    const close: ElectionEffect = { kind: 'close', stream, code: Code.INVALID_ARGUMENT, message };
    return { election, effects: [close, ...effects] };
  }

  const isRepeated = before.candidates.has(stream) && before.candidates.get(stream) === electionId;
  if (isRepeated && rules.answer('same-election-id') === 'silence') return { election: before, effects: [] };

  const candidates = new Map(before.candidates).set(stream, electionId);
  const election = promotes(rules)
    ? highestOf(candidates)
    : withCandidate(before, candidates, stream, electionId);
  const isNewPrimary = election.primary !== before.primary;
  const isNewId =
    election.highest !== before.highest && rules.answer('primary-takes-new-id') === 'all are told';
  const others = isNewPrimary || isNewId ? [...candidates.keys()].filter((other) => other !== stream) : [];
  return { election, effects: [...others, stream].map((each) => notice(election, each)) };
}

function withCandidate(
  before: Election,
  candidates: Election['candidates'],
  stream: StreamId,
  electionId: bigint | undefined,
): Election {
  const isWinner = electionId !== undefined && (before.highest === undefined || electionId >= before.highest);
  const wasPrimary = before.primary === stream;
  return {
    candidates,
    primary: isWinner ? stream : wasPrimary ? undefined : before.primary,
    highest: isWinner ? electionId : before.highest,
  };
}

function promotes(rules: Rules): boolean {
  return rules.answer('primary-leaves') === 'the backup is primary';
}

/** Whoever has the highest id of those that are there is primary. */
function highestOf(candidates: Election['candidates']): Election {
  let highest: bigint | undefined;
  let primary: StreamId | undefined;
  for (const [stream, id = 0n] of candidates) {
    if (highest !== undefined && id <= highest) continue;
    highest = id;
    primary = stream;
  }
  return { candidates, primary, highest };
}

function leave(rules: Rules, before: Election, stream: StreamId): ElectionStep {
  if (!before.candidates.has(stream)) return { election: before, effects: [] };
  const candidates = new Map(before.candidates);
  candidates.delete(stream);
  if (before.primary !== stream) return { election: { ...before, candidates }, effects: [] };
  const election: Election = promotes(rules)
    ? highestOf(candidates)
    : { ...before, candidates, primary: undefined };
  return { election, effects: [...candidates.keys()].map((each) => notice(election, each)) };
}

function isTaken(election: Election, stream: StreamId, electionId: bigint): boolean {
  for (const [other, otherId] of election.candidates) {
    if (other !== stream && otherId === electionId) return true;
  }
  return false;
}

function notice(election: Election, stream: StreamId): ElectionEffect {
  const { primary, highest: electionId } = election;
  if (primary === stream) {
    return { kind: 'notify', stream, code: Code.OK, message: 'Is primary', electionId };
  }
  if (primary !== undefined) {
    return { kind: 'notify', stream, code: Code.ALREADY_EXISTS, message: 'Is backup', electionId };
  }
  return { kind: 'notify', stream, code: Code.NOT_FOUND, message: 'No primary', electionId };
}
