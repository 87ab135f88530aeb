// SPDX-License-Identifier: Apache-2.0
/** The processes of a run: where their programs are, how they start, and how they end with us. */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** The compiled program, also when we run from source. */
export function programPath(name: string): string {
  const isCompiled = import.meta.filename.endsWith('.js');
  const path = join(import.meta.dirname, isCompiled ? '..' : '../dist', name);
  if (!existsSync(path)) throw new Error(`${path} is missing: run 'npm run build' first`);
  return path;
}

export interface Watched {
  child: ChildProcess;
  /** The last lines of both outputs, for when something goes wrong. */
  lines: string[];
  /** How it ended; undefined while it runs. */
  ending(): string | undefined;
  /** Resolves when it has ended. */
  ended: Promise<void>;
}

const linesMax = 200;

/** Starts a process whose output is kept, and which does not outlive us. */
export function startProgram(argv: readonly string[], onLine: (line: string) => void = () => {}): Watched {
  const [program, ...parameters] = argv as [string, ...string[]];
  return watch(spawn(program, parameters, { stdio: ['pipe', 'pipe', 'pipe'] }), onLine);
}

/** @param onLine  for each line of its standard output */
export function watch(child: ChildProcess, onLine: (line: string) => void = () => {}): Watched {
  const lines: string[] = [];
  let ending: string | undefined;
  const keep = (line: string) => {
    lines.push(line);
    if (lines.length > linesMax) lines.shift();
  };
  readLines(child.stdout, (line) => {
    keep(line);
    onLine(line);
  });
  readLines(child.stderr, keep);
  // It may be gone when we write; its exit tells.
  child.stdin?.on('error', () => {});
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  const ended = new Promise<void>((resolve) => {
    child.on('error', (error) => {
      ending ??= error.message;
      resolve();
    });
    child.on('close', (code, signal) => {
      ending ??= signal === null ? `exit code ${code}` : `signal ${signal}`;
      process.off('exit', kill);
      resolve();
    });
  });
  return { child, lines, ending: () => ending, ended };
}

function readLines(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  let rest = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) onLine(line);
  });
}

/** A switch that waits for its program: the options of simple_switch_grpc, which ours takes as well. */
export async function switchOptions({
  deviceId,
  address,
  cpuPort,
  ports = [],
}: {
  deviceId: number;
  /** Of its P4Runtime server. */
  address: string;
  cpuPort: number;
  ports?: readonly { port: number; interfaceName: string }[];
}): Promise<string[]> {
  return [
    '--no-p4',
    '--device-id',
    String(deviceId),
    // BMv2 takes 9090 by default, and stops when another switch has it.
    '--thrift-port',
    String(await freePort()),
    ...ports.flatMap(({ port, interfaceName }) => ['-i', `${port}@${interfaceName}`]),
    '--',
    '--grpc-server-addr',
    address,
    '--cpu-port',
    String(cpuPort),
  ];
}

/** Below those that the kernel gives to whoever asks for any: else it may give one away before its program listens. */
const chosenPorts = { least: 12_000, most: 32_000 } as const;
const portTriesMax = 50;

/**
 * A TCP port of loopback that nobody listens on now.
 *
 * @throws Error when there seems to be none
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < portTriesMax; tries++) {
    const port = randomInt(chosenPorts.least, chosenPorts.most);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free TCP port from ${chosenPorts.least} to ${chosenPorts.most} was found`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** @throws Error `what` did not happen within `timeoutMs` */
export async function until(what: string, timeoutMs: number, happened: () => boolean | Promise<boolean>) {
  for (const end = Date.now() + timeoutMs; !(await happened()); ) {
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs / 1_000} s`);
    await pause(50);
  }
}
