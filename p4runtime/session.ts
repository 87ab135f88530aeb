// SPDX-License-Identifier: Apache-2.0
/**
 * The life of one controller's stream to one switch, as a state machine: connect, ask to be primary, lose
 * the stream, wait, try again. Pure; client.ts carries out the effects.
 */
import { status as Code } from '@grpc/grpc-js';

export interface SessionOptions {
  /** First pause after a lost stream; each further failure doubles it. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
  /** Share of each pause that is left to chance, so that controllers do not return in step. */
  readonly backoffJitter: number;
  /** The id this controller was given. */
  readonly electionId: bigint;
  /**
   * When nobody is primary any more, ask with an id above the highest seen. Servers that follow the
   * specification promote nobody by themselves; simple_switch_grpc promotes the next backup at once.
   */
  readonly takesOver: boolean;
}

export type SessionState =
  | { readonly kind: 'idle' }
  | Connection<'connecting'>
  | Connection<'primary'>
  | Connection<'backup'>
  /** Without a stream until the pause is over. */
  | Connection<'waiting'>
  | { readonly kind: 'closed' };

interface Connection<K> {
  readonly kind: K;
  /** In use; above the given one after a take-over. */
  readonly electionId: bigint;
  /** Streams lost since the switch last answered. */
  readonly failures: number;
}

export type SessionEvent =
  | { readonly kind: 'connect' }
  /** The switch says who is primary; `electionId` is the highest it has seen, or the primary's. */
  | { readonly kind: 'arbitrated'; readonly status: number; readonly electionId: bigint }
  /** The stream has ended. `dice` is random in [0, 1). */
  | { readonly kind: 'lost'; readonly status: number; readonly dice: number }
  | { readonly kind: 'pause-over' }
  | { readonly kind: 'close' };

export type SessionEffect =
  | { readonly kind: 'open-stream'; readonly electionId: bigint }
  /** On the stream that is open. */
  | { readonly kind: 'arbitrate'; readonly electionId: bigint }
  | { readonly kind: 'close-stream' }
  | { readonly kind: 'pause'; readonly delayMs: number }
  | { readonly kind: 'tell-mastership'; readonly isPrimary: boolean; readonly primaryElectionId: bigint };

export interface SessionStep {
  readonly state: SessionState;
  readonly effects: readonly SessionEffect[];
}

/** What the event makes of the state. Events that come too late (after close) change nothing. */
export function step(state: SessionState, event: SessionEvent, options: SessionOptions): SessionStep {
  switch (event.kind) {
    case 'connect':
      return state.kind === 'idle' ? open(options.electionId, 0) : same(state);
    case 'arbitrated':
      return isConnected(state) ? arbitrated(state, event, options) : same(state);
    case 'lost':
      return isConnected(state) ? lost(state, event, options) : same(state);
    case 'pause-over':
      return state.kind === 'waiting' ? open(state.electionId, state.failures) : same(state);
    case 'close':
      return { state: { kind: 'closed' }, effects: isConnected(state) ? [{ kind: 'close-stream' }] : [] };
  }
}

type Connected = Connection<'connecting'> | Connection<'primary'> | Connection<'backup'>;

function isConnected(state: SessionState): state is Connected {
  return state.kind === 'connecting' || state.kind === 'primary' || state.kind === 'backup';
}

const same = (state: SessionState): SessionStep => ({ state, effects: [] });

function open(electionId: bigint, failures: number): SessionStep {
  return {
    state: { kind: 'connecting', electionId, failures },
    effects: [{ kind: 'open-stream', electionId }],
  };
}

function arbitrated(
  state: Connected,
  { status, electionId: highest }: SessionEvent & { kind: 'arbitrated' },
  { takesOver }: SessionOptions,
): SessionStep {
  const isPrimary = status === Code.OK;
  const tell: SessionEffect = { kind: 'tell-mastership', isPrimary, primaryElectionId: highest };
  if (isPrimary) return { state: { ...state, kind: 'primary', failures: 0 }, effects: [tell] };
  const isVacant = status === Code.NOT_FOUND;
  if (!isVacant || !takesOver) return { state: { ...state, kind: 'backup', failures: 0 }, effects: [tell] };
  const electionId = highest >= state.electionId ? highest + 1n : state.electionId;
  return {
    state: { kind: 'backup', electionId, failures: 0 },
    effects: [tell, { kind: 'arbitrate', electionId }],
  };
}

function lost(
  state: Connected,
  { status, dice }: SessionEvent & { kind: 'lost' },
  options: SessionOptions,
): SessionStep {
  // Someone else has the id we took over with; the one we were given is ours alone.
  const electionId = status === Code.INVALID_ARGUMENT ? options.electionId : state.electionId;
  const pauseMs = Math.min(options.backoffMs * 2 ** state.failures, options.backoffMsMax);
  const delayMs = pauseMs * (1 - options.backoffJitter * dice);
  return {
    state: { kind: 'waiting', electionId, failures: state.failures + 1 },
    effects: [{ kind: 'pause', delayMs }],
  };
}
