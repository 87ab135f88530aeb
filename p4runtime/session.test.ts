// SPDX-License-Identifier: Apache-2.0
import { status as Code } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type { SessionEvent, SessionOptions, SessionState } from './session.ts';
import { step } from './session.ts';

const options: SessionOptions = {
  backoffMs: 100,
  backoffMsMax: 1000,
  backoffJitter: 0.5,
  electionId: 5n,
  takesOver: true,
};

function run(events: SessionEvent[], using = options) {
  let state: SessionState = { kind: 'idle' };
  const trace = events.map((event) => {
    const next = step(state, event, using);
    state = next.state;
    return next.effects;
  });
  return { state, trace };
}

const connect: SessionEvent = { kind: 'connect' };
const pauseOver: SessionEvent = { kind: 'pause-over' };
const close: SessionEvent = { kind: 'close' };
const arbitrated = (status: number, electionId: bigint): SessionEvent => ({
  kind: 'arbitrated',
  status,
  electionId,
});
const lost = (status: number = Code.UNAVAILABLE, dice = 0): SessionEvent => ({ kind: 'lost', status, dice });

test('connects, asks, becomes primary', () => {
  const { state, trace } = run([connect, arbitrated(Code.OK, 5n)]);
  expect(trace).toEqual([
    [{ kind: 'open-stream', electionId: 5n }],
    [{ kind: 'tell-mastership', isPrimary: true, primaryElectionId: 5n }],
  ]);
  expect(state).toEqual({ kind: 'primary', electionId: 5n, failures: 0 });
});

test('pauses double up to the limit, and chance only shortens them', () => {
  const rounds = [0, 0, 0, 0, 0, 0.5].flatMap((dice) => [lost(Code.UNAVAILABLE, dice), pauseOver]);
  const { trace } = run([connect, ...rounds]);
  const pauses = trace.flat().flatMap((effect) => (effect.kind === 'pause' ? [effect.delayMs] : []));
  expect(pauses).toEqual([100, 200, 400, 800, 1000, 750]);
});

test('an answer makes the next pause short again', () => {
  const { trace } = run([connect, lost(), pauseOver, lost(), pauseOver, arbitrated(Code.OK, 5n), lost()]);
  expect(trace.at(-1)).toEqual([{ kind: 'pause', delayMs: 100 }]);
});

test('takes over when nobody is primary, above the highest id, and keeps that id', () => {
  const { state, trace } = run([
    connect,
    arbitrated(Code.ALREADY_EXISTS, 10n),
    arbitrated(Code.NOT_FOUND, 10n),
    arbitrated(Code.OK, 11n),
    lost(),
    pauseOver,
  ]);
  expect(trace[2]).toContainEqual({ kind: 'arbitrate', electionId: 11n });
  expect(state).toEqual({ kind: 'connecting', electionId: 11n, failures: 1 });
});

test('repeats its own id when that is above the highest', () => {
  const { trace } = run([connect, arbitrated(Code.NOT_FOUND, 3n)]);
  expect(trace[1]).toContainEqual({ kind: 'arbitrate', electionId: 5n });
});

test('does not take over unless it may', () => {
  const { state, trace } = run([connect, arbitrated(Code.NOT_FOUND, 10n)], { ...options, takesOver: false });
  expect(trace[1]).toEqual([{ kind: 'tell-mastership', isPrimary: false, primaryElectionId: 10n }]);
  expect(state.kind).toBe('backup');
});

test('goes back to its given id when another has the one it took', () => {
  const { state } = run([connect, arbitrated(Code.NOT_FOUND, 10n), lost(Code.INVALID_ARGUMENT)]);
  expect(state).toEqual({ kind: 'waiting', electionId: 5n, failures: 1 });
});

test('after close nothing happens any more', () => {
  const { state, trace } = run([connect, close, arbitrated(Code.OK, 5n), lost(), pauseOver, connect, close]);
  expect(state).toEqual({ kind: 'closed' });
  expect(trace.slice(1).flat()).toEqual([{ kind: 'close-stream' }]);
});
