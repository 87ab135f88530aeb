// SPDX-License-Identifier: Apache-2.0
/** What the kinds of probes have in common: how one runs, and what the errors of sockets say about a backend. */
import type { Check } from '../../core/check.ts';
import type { FailureReason, ProbeOutcome } from '../../core/health.ts';
import type { Probe } from '../../ports/prober.ts';

export interface RunningProbe {
  /** Frees what it holds, answered or not. */
  cancel(): void;
  /** What it means that there is no answer yet. */
  late(): { reason: FailureReason; detail: string };
}

export type ProbeOf<K extends Check['kind']> = Probe & { check: Extract<Check, { kind: K }> };

/** Calls back once or more, never during the call; who asks takes the first and cancels. */
export type Ask<K extends Check['kind']> = (
  probe: ProbeOf<K>,
  answer: (outcome: ProbeOutcome) => void,
) => RunningProbe;

/** Who asks knows how long it took. */
export const passed: ProbeOutcome = { kind: 'passed', latencyMs: 0 };

export function failed(reason: FailureReason, detail: string): ProbeOutcome {
  return { kind: 'failed', reason, detail: detail.slice(0, detailLengthMax) };
}

export const detailLengthMax = 200;

export const lateToConnect = { reason: 'silent', detail: 'no connection in time' } as const;
export const lateToAnswer = { reason: 'slow', detail: 'no answer in time' } as const;

/**
 * ENETUNREACH is our own lack of a route: hosts that are away are EHOSTUNREACH. EAGAIN and ENOBUFS are full queues of ours.
 */
const oursAlone: ReadonlySet<string> = new Set([
  'EACCES',
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'EAGAIN',
  'EINVAL',
  'EMFILE',
  'ENETDOWN',
  'ENETUNREACH',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EPERM',
]);

const reasons: Readonly<Record<string, FailureReason>> = {
  ECONNREFUSED: 'refused',
  EHOSTDOWN: 'silent',
  EHOSTUNREACH: 'silent',
  ETIMEDOUT: 'silent',
  ECONNRESET: 'closed',
  EPIPE: 'closed',
};

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  EHOSTDOWN: 'host is down',
  EHOSTUNREACH: 'host unreachable',
  ETIMEDOUT: 'no connection in time',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection closed',
};

/** What an error of a socket, or of what speaks through it, says. */
export function outcomeOfError(error: Error): ProbeOutcome {
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  if (oursAlone.has(code)) return { kind: 'void', detail: `${code}: the controller's host could not ask` };
  return failed(reasons[code] ?? 'wrong', words[code] ?? error.message);
}
