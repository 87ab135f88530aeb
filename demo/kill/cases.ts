// SPDX-License-Identifier: Apache-2.0
/** Ways for a server to go, and the checks that notice. */

export interface KillCase {
  label: string;
  /** process: kill -9. host: its links go down, and nothing comes back. hang: SIGSTOP. */
  deed: 'process' | 'host' | 'hang';
  health: { check: string; interval: string; port?: number; path?: string };
  /** How long it stays away. */
  watchMs: number;
}

export const healthPort = 9_100;
const tcp = (interval: string) => ({ check: 'tcp', interval });
const http = (interval: string) => ({ check: 'http', interval, port: healthPort, path: '/healthz' });

export const killCases: Readonly<Record<string, KillCase>> = {
  process: { label: '`kill -9`', deed: 'process', health: tcp('1s'), watchMs: 6_000 },
  'process-fast': { label: '`kill -9`', deed: 'process', health: tcp('200ms'), watchMs: 4_000 },
  // Ten seconds until it is dead, and the pause of the quiet ones after that.
  host: { label: 'host gone', deed: 'host', health: tcp('1s'), watchMs: 24_000 },
  'host-fast': { label: 'host gone', deed: 'host', health: tcp('200ms'), watchMs: 24_000 },
  hang: { label: 'SIGSTOP', deed: 'hang', health: http('1s'), watchMs: 9_000 },
  'hang-fast': { label: 'SIGSTOP', deed: 'hang', health: http('200ms'), watchMs: 5_000 },
  'hang-unseen': { label: 'SIGSTOP', deed: 'hang', health: tcp('1s'), watchMs: 6_000 },
};
