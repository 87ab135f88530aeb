// SPDX-License-Identifier: Apache-2.0
/** What the demo and its processes on the hosts say to each other: JSON lines, commands on stdin, reports on stdout. */

import { createInterface } from 'node:readline';
import type { Acceptance } from './judge.ts';
import type { BrokenConnection, TrafficSummary } from './traffic.ts';

export type Command = { kind: 'goodbye'; server: string } | { kind: 'calm' } | { kind: 'stop' };

export type HostReport =
  | { kind: 'ready' }
  | { kind: 'summary'; summary: TrafficSummary }
  | { kind: 'broken'; broken: BrokenConnection }
  | { kind: 'accepted'; accepted: Acceptance };

/** In the host's process. Without its parent it has nothing to do: the end of stdin ends it. */
export function takeCommands<C = Command>(onCommand: (command: C) => void): void {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => onCommand(JSON.parse(line) as C));
  lines.on('close', () => process.exit(0));
}

/** In the host's process. */
export function reportToParent<R extends object = HostReport>(report: R): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
