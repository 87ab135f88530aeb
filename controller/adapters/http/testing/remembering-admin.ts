// SPDX-License-Identifier: Apache-2.0
/** A controller that only remembers what it was asked, for an admin server in front of it. */
import type { Edit } from '../../../config/edit.ts';
import type { FlowQuestion } from '../../../core/explain.ts';
import type { SlotMap } from '../../../core/slot-map.ts';
import type { DriftReport } from '../../../ports/switch.ts';
import type { Admin, ChangeResult, ControllerStatus, LogLine } from '../admin.ts';
import { type AdminServerOptions, adminApp } from '../admin-server.ts';
import { serverOptions } from './server-options.ts';

export const done: ChangeResult = { isChanged: true, warnings: [], needsRestart: [] };
export const { token } = serverOptions;
export const line: LogLine = {
  number: 4,
  at: '2026-01-01T00:00:00.000Z',
  level: 'info',
  topic: 'commit',
  message: 'hello',
  fields: {},
};
export const map: SlotMap = {
  pool: 'web',
  slotCount: 4,
  backends: [
    { id: 700, name: 'a', state: 'active' },
    { id: 9, name: 'b', state: 'leaving' },
  ],
  owners: Uint16Array.of(700, 700, 9, 0),
  bases: Uint16Array.of(700, 9, 9, 0),
  marks: Uint8Array.of(0, 1, 0, 0),
};

export const drifted: DriftReport = {
  switch: 's1',
  lookedMsAgo: 5,
  tookMs: 5,
  rowsRead: 9,
  problem: undefined,
  counts: { missing: 0, changed: 0, foreign: 2 },
  rows: [
    { kind: 'foreign', table: 'pin', wanted: undefined, found: 'pin pool=1 sourceAddress=10.0.1.7' },
    { kind: 'foreign', table: 'route', wanted: undefined, found: 'route prefix=10.9.0.0' },
  ],
  tolerated: 0,
  adopted: [],
};

export function createAdmin(result: ChangeResult = done) {
  const asked: { edits: Edit[]; flows: FlowQuestion[]; after: number[]; reloads: number } = {
    edits: [],
    flows: [],
    after: [],
    reloads: 0,
  };
  const lines = [line];
  const listeners = new Set<() => void>();
  const admin: Admin = {
    status: () =>
      ({
        uptimeMs: 5,
        leadership: { role: 'leader' },
        switch: { connection: 'ready' },
        engine: { state: 'running', pools: [{ name: 'web' }] },
      }) as ControllerStatus,
    explain: (flow) => {
      asked.flows.push(flow);
      return {
        pool: undefined,
        hash: undefined,
        slot: undefined,
        stable: undefined,
        pin: undefined,
        base: undefined,
        columns: [],
        activeFilter: 0,
        afterChange: undefined,
        outcomes: [],
        why: 'no vip',
      };
    },
    slots: (pool) => (pool === 'web' ? map : undefined),
    history: () => [],
    events: (after) => {
      asked.after.push(after);
      return lines.filter(({ number }) => number > after);
    },
    onEvent: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    edit: async (edit) => {
      asked.edits.push(edit);
      return result;
    },
    why: (vip, backend) => ({
      ...{ vip, backend, gets: 'nothing', slots: 0, slotCount: 8, share: 0, shareWanted: 0.5, packets: 0 },
      reasons: [{ gravity: 'nothing', text: 'It is drained.', remedy: 'evenkeel restore' }],
    }),
    plan: () => Promise.reject(new Error('nobody plans here')),
    apply: () => Promise.reject(new Error('nobody applies here')),
    drift: async () => [drifted],
    reload: async () => {
      asked.reloads++;
      return result;
    },
  };
  let now = 0;
  const options: AdminServerOptions = {
    ...serverOptions,
    clock: { now: () => now },
    metrics: async () => ({ type: 'text/plain', text: 'up 1\n' }),
    pageFiles: new Map([['index.html', { type: 'text/html', body: new Uint8Array([60]) }]]),
  };
  const say = (more: LogLine): void => {
    lines.push(more);
    for (const listener of listeners) listener();
  };
  const pass = (ms: number): void => void (now += ms);
  return { asked, app: adminApp(admin, options), admin, options, say, listeners, pass };
}

export const allowed = { authorization: `Bearer ${token}` };
export const post = (body: unknown, headers: Record<string, string> = allowed) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
export const removal: Edit = { kind: 'remove', vip: 'web', backend: 'a' };
