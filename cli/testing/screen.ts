// SPDX-License-Identifier: Apache-2.0
/** A terminal that remembers, and a controller's status made up for tests of how it is shown. */
import type { ControllerStatus } from '../../controller/adapters/http/admin.ts';
import { run } from '../commands.ts';
import type { Terminal } from '../terminal.ts';

export class Screen implements Terminal {
  stdout = '';
  stderr = '';
  readonly isScreen = false;
  readonly env: Record<string, string>;
  readonly ending = new AbortController();
  readonly stop = this.ending.signal;
  hangUp: () => void = () => {};
  /** Is told each piece of output. */
  onOutput: (text: string) => void = () => {};

  constructor(env: Record<string, string> = {}) {
    this.env = env;
  }

  out(text: string): void {
    this.stdout += text;
    this.onOutput(text);
  }

  err(text: string): void {
    this.stderr += text;
  }

  onHangup(callback: () => void): void {
    this.hangUp = callback;
  }
}

/** Runs a command line, split at spaces. */
export async function evenkeel(commandLine: string, env: Record<string, string> = {}) {
  const screen = new Screen(env);
  const exitCode = await run(commandLine.split(' ').filter(Boolean), screen);
  return { exitCode, stdout: screen.stdout, stderr: screen.stderr };
}

const now = 3_725_000;

export const busyStatus: ControllerStatus = {
  date: '2026-01-01T12:00:00.000Z',
  uptimeMs: 90_061_000,
  config: {
    file: '/etc/evenkeel.yaml',
    problems: [],
    warnings: [
      { severity: 'warning', line: 12, column: 5, path: 'vips[0].slots', wrong: '128 slots', right: '512' },
    ],
    needsRestart: ['switch.address'],
  },
  switch: {
    target: '127.0.0.1:9559',
    connection: 'ready',
    problem: undefined,
    notices: { received: 4_211, unreadable: 0 },
    traffic: {
      decisions: {
        stable: { packets: 12_345_678, bytes: 9_876_543_210 },
        pinned: { packets: 3_210, bytes: 1_000_000 },
        base: { packets: 0, bytes: 0 },
      },
      drops: { no_neighbour: { packets: 7, bytes: 420 }, ttl: { packets: 0, bytes: 0 } },
      hints: { used: { packets: 12, bytes: 15_000 } },
      limited: { flows: { packets: 0, bytes: 0 }, answers: { packets: 4, bytes: 400 } },
      pools: { 1: { packets: 12_400_000, bytes: 9_900_000_000 } },
      backends: { 1: { packets: 6_000_000, bytes: 5_000_000_000 }, 2: { packets: 999, bytes: 64_000 } },
    },
  },
  leadership: {
    role: 'leader',
    isShared: false,
    term: '1767268800000',
    leader: undefined,
    problem: undefined,
    book: { store: '/etc/evenkeel.yaml.book', written: 3, problem: undefined },
  },
  lifecycle: [
    {
      pool: 'web',
      backends: [
        {
          backend: 'web-1',
          wish: 'active',
          weight: 1,
          deadlineMs: undefined,
          share: 0.4,
          fillMs: 20_000,
          replaces: 'web-2',
        },
        {
          backend: 'web-2',
          wish: 'draining',
          weight: 1,
          deadlineMs: 480_000,
          share: 1,
          fillMs: 0,
          replaces: undefined,
        },
      ],
    },
  ],
  queue: { waiting: 0, dropped: 12 },
  engine: {
    now,
    totals: { commits: 1, movedSlots: 1_024, mergedSlots: 0, rotations: 3 },
    state: 'running',
    pools: [
      {
        name: 'web',
        id: 1,
        address: '10.0.1.100',
        protocol: 'tcp',
        port: 80,
        phase: 'serving',
        isDead: false,
        forwarding: 'nat',
        affinity: 'none',
        placement: 'pure',
        table: 'maglev',
        sessionTimeoutMs: 900_000,
        slotCount: 4_096,
        slotRows: 4_096,
        stableSlots: 3_072,
        unstableSlots: 1_024,
        pins: 42,
        backends: [
          {
            name: 'web-1',
            id: 1,
            address: '10.0.2.11',
            port: 8080,
            weight: 1,
            state: 'active',
            slots: 3_072,
            wantedSlots: 4_096,
            share: 0.75,
            pins: 2,
          },
          {
            name: 'web-2',
            id: 2,
            address: '10.0.2.12',
            port: 8080,
            weight: 1,
            state: 'draining',
            slots: 1_024,
            wantedSlots: 0,
            share: 0.25,
            pins: 40,
            drain: {
              baseSlots: 1_024,
              namedSlots: 1_024,
              promisedUntil: now + 720_000,
              hasServerId: false,
              isDrained: false,
            },
          },
        ],
      },
    ],
    version: {
      active: 1,
      column: 2,
      filters: [
        { filterSlot: 0, state: 'quarantine', epoch: 7, column: 1, learn: true, reusableAt: now + 12_000 },
        { filterSlot: 1, state: 'active', epoch: 8, column: 2, learn: true, reusableAt: undefined },
        { filterSlot: 2, state: 'free', epoch: 0, column: 0, learn: false, reusableAt: undefined },
        { filterSlot: 3, state: 'free', epoch: 0, column: 0, learn: false, reusableAt: undefined },
      ],
    },
    change: { phase: 'slots', waitingFor: undefined, startedAt: now - 250, rows: 1_500 },
    pins: { installed: 40, outstanding: 2, refused: 0 },
    writes: { writesInFlight: 2, updatesInFlight: 500, unsettledRows: 700, failures: 1 },
    neighbours: { known: 3, missing: ['10.0.2.13'] },
    commits: [
      {
        pools: ['web'],
        movedSlots: 980,
        takenSlots: 0,
        rows: 1_960,
        startedAt: now - 61_000,
        committedAt: now - 60_900,
        durationMs: 100,
      },
      {
        pools: ['web', 'dns'],
        movedSlots: 12,
        takenSlots: 0,
        rows: 24,
        startedAt: now - 5_000,
        committedAt: now - 4_988,
        durationMs: 12,
      },
    ],
    problems: [{ at: now - 30_000, message: 'the switch refuses a row table=pin code=full' }],
  },
};
