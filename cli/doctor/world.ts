// SPDX-License-Identifier: Apache-2.0
/** The machine as `evenkeel doctor` sees it. Nothing here changes anything: files are read, programs asked, sockets opened and closed. */
import { execFile } from 'node:child_process';
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { endianness } from 'node:os';

export interface World {
  env: Readonly<Record<string, string | undefined>>;
  platform: { os: string; arch: string; isLittleEndian: boolean };
  nodeVersion: string;
  /** The folder of package.json. */
  installation: string;
  now(): number;
  /** Undefined when it cannot be read. */
  read(path: string): string | undefined;
  /** Names in a folder; [] when there is none. */
  list(path: string): string[];
  isExecutable(path: string): boolean;
  /** Undefined when there is no such program. */
  run(program: string, args: readonly string[]): Promise<{ status: number; output: string } | undefined>;
  /** Undefined: it worked. Else the name of the errno, or '' where such sockets cannot be opened at all. */
  openSocket(kind: 'packet' | 'xdp'): Promise<string | undefined>;
  /** Whether transmit checksums are left to a network card; undefined when nobody can tell. */
  leavesChecksums(device: string): Promise<boolean | undefined>;
  /** Undefined when nobody answers. */
  get(url: string): Promise<{ status: number; body: string; date: string | undefined } | undefined>;
  /** Whether somebody takes connections at this local socket: undefined, or the errno. */
  knock(socketPath: string): Promise<string | undefined>;
}

const timeoutMs = 3_000;
const outputBytesMax = 1024 * 1024;

export function systemWorld(env: Readonly<Record<string, string | undefined>>, installation: string): World {
  return {
    env,
    platform: { os: process.platform, arch: process.arch, isLittleEndian: endianness() === 'LE' },
    nodeVersion: process.versions.node,
    installation,
    now: () => Date.now(),
    read: (path) => attempt(() => readFileSync(path, 'utf8')),
    list: (path) => attempt(() => readdirSync(path)) ?? [],
    isExecutable: (path) => attempt(() => accessSync(path, constants.X_OK) ?? true) === true,
    run: (program, args) =>
      new Promise((resolve) => {
        execFile(
          program,
          [...args],
          { timeout: timeoutMs, maxBuffer: outputBytesMax },
          (error, stdout, stderr) => {
            const { code } = (error ?? {}) as { code?: number | string };
            if (code === 'ENOENT' || code === 'EACCES') resolve(undefined);
            else
              resolve({
                status: error === null ? 0 : typeof code === 'number' ? code : 1,
                output: stdout + stderr,
              });
          },
        );
      }),
    openSocket,
    async leavesChecksums(device) {
      try {
        const { getOffloads } = await import('../../switch/ports/offload.ts');
        return getOffloads(device)['transmit-checksum'];
      } catch {
        return undefined;
      }
    },
    async get(url) {
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
        const date = response.headers.get('date') ?? undefined;
        return { status: response.status, body: await response.text(), date };
      } catch {
        return undefined;
      }
    },
    knock: (path) =>
      new Promise((resolve) => {
        const socket = connect(path);
        socket.setTimeout(timeoutMs, () => socket.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })));
        socket.on('connect', () => {
          socket.destroy();
          resolve(undefined);
        });
        socket.on('error', (error: { code?: string }) => resolve(error.code ?? 'EUNKNOWN'));
      }),
  };
}

const families = { packet: 17, xdp: 44 } as const;
const SOCK_RAW_CLOEXEC = 0o2000003;

async function openSocket(kind: 'packet' | 'xdp'): Promise<string | undefined> {
  try {
    const { systemCalls, systemError } = await import('../../switch/ports/linux.ts');
    const calls = systemCalls();
    // Of no protocol: it hears nothing.
    const fd = calls.socket(families[kind], SOCK_RAW_CLOEXEC, 0);
    if (fd < 0) return systemError('open a socket').errno;
    calls.close(fd);
    return undefined;
  } catch {
    return '';
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
