// SPDX-License-Identifier: Apache-2.0
/** A real etcd for tests and benchmarks: one member, on loopback, with a folder of its own that is deleted at the end. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface EtcdProcess {
  /** http://127.0.0.1:port */
  endpoint: string;
  /** Stops it in mid-air, and lets it go on. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

const startTimeoutMs = 60_000;
/** Somebody else may take a port before etcd does. */
const startsMax = 3;

/** Why there is none; undefined: there is one. */
export function whyNoEtcd(): string | undefined {
  try {
    execFileSync('etcd', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'there is no etcd in PATH (Debian: etcd-server)';
  }
}

/**
 * It ends with this process at the latest, and its folder goes.
 *
 * @throws Error when it does not start
 */
export async function startEtcd(): Promise<EtcdProcess> {
  for (let start = 1; ; start++) {
    const started = await tryToStart();
    if ('endpoint' in started) return started;
    const isTaken = started.lines.join('').includes('address already in use');
    if (!isTaken || start === startsMax) throw new Error(`etcd does not start:\n${started.lines.join('')}`);
  }
}

/** @returns what it has said last, when it does not start */
async function tryToStart(): Promise<EtcdProcess | { lines: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-etcd-'));
  const [client, peer] = (await freePorts(2)).map((port) => `http://127.0.0.1:${port}`);
  const lines: string[] = [];
  const child = spawn(
    'etcd',
    [
      ['--name', 'lab', '--data-dir', folder],
      ['--listen-client-urls', client!, '--advertise-client-urls', client!],
      ['--listen-peer-urls', peer!, '--initial-advertise-peer-urls', peer!],
      ['--initial-cluster', `lab=${peer}`],
    ].flat(),
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    lines.push(text);
    if (lines.length > 20) lines.shift();
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const kill = (): void => {
    child.kill('SIGKILL');
    // What it was writing just now may be in the way of the first attempt.
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  };
  process.on('exit', kill);
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    kill();
    process.off('exit', kill);
  };
  const deadline = Date.now() + startTimeoutMs;
  while (!(await isHealthy(client!))) {
    if (hasEnded(child) || Date.now() > deadline) {
      await close();
      return { lines };
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    endpoint: client!,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    close,
  };
}

async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(`${endpoint}/health`, { signal: AbortSignal.timeout(1_000) });
    return ((await response.json()) as { health?: unknown }).health === 'true';
  } catch {
    return false;
  }
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/** Of loopback; all held until all are found, so they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
