// SPDX-License-Identifier: Apache-2.0
/** What the dashboard asks the controller, and the part of the answers that it shows. A test holds it against the controller's types. */

export type BackendState = 'active' | 'draining' | 'disabled' | 'down' | 'leaving';

export interface BackendView {
  name: string;
  id: number;
  address: string;
  port: number;
  weight: number;
  state: BackendState;
  slots: number;
  share: number;
  pins: number;
  /** Of one that drains or leaves. */
  drain?: DrainView | undefined;
}

export interface DrainView {
  baseSlots: number;
  /** On the engine's clock. */
  promisedUntil?: number | undefined;
  hasServerId: boolean;
  isDrained: boolean;
}

export interface LifecycleView {
  backend: string;
  wish: string;
  weight: number;
  /** From now; 0: it has passed. */
  deadlineMs?: number | undefined;
  /** Of its weight. */
  share: number;
  fillMs: number;
  replaces?: string | undefined;
}

export interface PoolView {
  name: string;
  id: number;
  address: string;
  protocol: string;
  port: number;
  phase: 'filling' | 'serving' | 'leaving';
  isDead: boolean;
  forwarding: string;
  slotCount: number;
  unstableSlots: number;
  pins: number;
  backends: BackendView[];
}

export interface FilterView {
  filterSlot: number;
  state: 'active' | 'quarantine' | 'free';
  epoch: number;
  column: number;
  learn: boolean;
  reusableAt?: number | undefined;
}

export interface MemberView {
  name: string;
  state: string;
  rowsBehind: number;
  /** Rows that somebody else has written or deleted, by what became of them. */
  drift?: { counts: Readonly<Record<string, number>> } | undefined;
}

export interface HealthView {
  backend: string;
  state: 'unknown' | 'up' | 'down';
  verdict: string;
  failure?: string | undefined;
  latencyMs?: number | undefined;
}

export interface StatusView {
  date: string;
  uptimeMs: number;
  config: { file: string; problems: readonly { wrong: string }[]; needsRestart: readonly string[] };
  leadership: { role: string; leader?: { name: string } | undefined };
  switch: {
    target: string;
    connection: string;
    problem?: string | undefined;
    notices: { received: number };
    members?: readonly MemberView[] | undefined;
  };
  announcer?:
    | {
        speaker: string;
        announced?: readonly string[] | undefined;
        problem?: string | undefined;
        isDraining: boolean;
        refused: string[];
      }
    | undefined;
  lifecycle?: readonly { pool: string; backends: readonly LifecycleView[] }[] | undefined;
  /** Of the pools whose backends are checked. */
  health?: readonly { pool: string; isPanicking: boolean; backends: readonly HealthView[] }[] | undefined;
  engine: {
    now: number;
    state: string;
    pools: PoolView[];
    version: { active: number; column: number; filters: FilterView[] };
    change: { phase: string; waitingFor?: string | undefined; rows: number };
    pins: { installed: number; outstanding: number; refused: number };
    commits: { pools: string[]; movedSlots: number; rows: number; committedAt: number; durationMs: number }[];
    totals: { commits: number; mergedSlots: number };
  };
}

export interface SampleView {
  at: string;
  unstableSlots: number;
  pinsInstalled: number;
  notices: number;
  commits: number;
  lastCommitMs?: number | undefined;
}

export interface EventView {
  number: number;
  at: string;
  level: string;
  topic: string;
  message: string;
  fields: Readonly<Record<string, string | number | boolean>>;
}

export interface SlotMapView {
  pool: string;
  slotCount: number;
  backends: { id: number; name: string; state: string }[];
  bytesPerSlot: number;
  owners: string;
  bases: string;
  marks: string;
}

export type EditView =
  | {
      kind: 'add';
      vip: string;
      backend: string;
      address: string;
      port: number;
      weight?: number | undefined;
      serverId?: string | undefined;
    }
  | { kind: 'remove'; vip: string; backend: string }
  | { kind: 'weight'; vip: string; backend: string; weight: number }
  | {
      kind: 'state';
      vip: string;
      backend: string;
      state: 'active' | 'draining' | 'disabled' | 'down';
      deadlineMs?: number | undefined;
    };

/** The controller has refused; the message is for people. */
export class RefusedError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'RefusedError';
    this.code = code;
  }
}

const base = '/api/v1';
const timeoutMs = 5_000;

export const askStatus = (): Promise<StatusView> => ask('/status');
export const askHistory = (): Promise<SampleView[]> => ask('/history');

/** Asks for the slots of a pool. @returns undefined when they are as they were told last */
export function slotsAsker(): (pool: string) => Promise<SlotMapView | undefined> {
  let known: { pool: string; tag: string } | undefined;
  return async (pool) => {
    const headers: Record<string, string> = known?.pool === pool ? { 'if-none-match': known.tag } : {};
    const response = await send(`/pools/${encodeURIComponent(pool)}/slots`, { headers });
    if (response.status === 304) return undefined;
    const map = await answerOf<SlotMapView>(response);
    known = { pool, tag: response.headers.get('etag') ?? '' };
    return map;
  };
}

/** Comes back by itself, and goes on where it was; a controller that was started anew tells all it knows. */
export function eventStream(): EventSource {
  return new EventSource(`${base}/events`);
}

/** @throws RefusedError when there is neither the token nor a client certificate for it */
export async function checkAllowed(token: string): Promise<void> {
  await change('/allowed', token, {});
}

/** @returns whether it was not so already. @throws RefusedError */
export async function edit(wanted: EditView, token: string): Promise<boolean> {
  return (await change<{ isChanged: boolean }>('/edit', token, wanted)).isChanged;
}

async function change<T>(path: string, token: string, body: unknown): Promise<T> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token !== '') headers.authorization = `Bearer ${token}`;
  return answerOf<T>(await send(path, { method: 'POST', headers, body: JSON.stringify(body) }));
}

async function ask<T>(path: string): Promise<T> {
  return answerOf<T>(await send(path, {}));
}

function send(path: string, init: RequestInit): Promise<Response> {
  return fetch(`${base}${path}`, { ...init, signal: AbortSignal.timeout(timeoutMs) });
}

async function answerOf<T>(response: Response): Promise<T> {
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as T;
  const error = (
    answer as { error?: { code: string; wrong: string; right: string; problems: { wrong: string }[] } }
  )?.error;
  if (error === undefined)
    throw new RefusedError('internal', `the controller answers HTTP ${response.status}`);
  const details = error.problems.map(({ wrong }) => wrong).join('; ');
  throw new RefusedError(
    error.code,
    details === '' ? `${error.wrong}; expected ${error.right}` : `${error.wrong}: ${details}`,
  );
}
