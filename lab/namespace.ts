// SPDX-License-Identifier: Apache-2.0
/**
 * Named network namespaces that do not outlive the program: made, used and removed here, and nowhere else.
 *
 * Every name begins with `ek-<pid>-`. They go at `remove`, at exit and on the usual signals; what a killed program
 * left behind goes when the next one begins.
 */

import { type ChildProcess, execFile, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { inNetworkNamespace } from '../switch/ports/network-namespace.ts';
import { LabError } from './error.ts';

const namespaceDirectory = '/var/run/netns';
const commandTimeoutMs = 60_000;
const commandOutputBytesMax = 16 * 1024 * 1024;

const namePattern = /^ek-(\d+)-/;
const rootLinkPattern = /^ek(\d+)p\d+$/;

const namespaces = new Set<Namespace>();
const rootLinks = new Set<string>();
let isWatchingExit = false;

/** @returns the prefix of this program's namespaces */
export function namespacePrefix(): string {
  return `ek-${process.pid}-`;
}

/** The name of an interface in the namespace of the program itself, where names must be unique and short. */
export function rootLinkName(port: number): string {
  return `ek${process.pid}p${port}`;
}

/** One network namespace, with its loopback up and without IPv6 unless asked for. */
export class Namespace {
  /** As in `ip netns list`. */
  readonly name: string;
  readonly #children = new Set<ChildProcess>();

  /** @throws LabError 'command-failed' */
  constructor(label: string) {
    sweepOnce();
    this.name = namespacePrefix() + label;
    ip([`netns add ${this.name}`]);
    namespaces.add(this);
    // Router solicitations and the like would turn up as packets in every test that counts packets.
    this.setSysctls({ 'ipv6/conf/all/disable_ipv6': 1, 'ipv6/conf/default/disable_ipv6': 1 });
    ip(['link set lo up'], this.name);
  }

  /** Runs a command line inside: the argument vector for spawn. */
  command(argv: readonly string[]): string[] {
    // Not `ip netns exec`: that mounts a new /sys, which a user namespace inside a container may not.
    return ['nsenter', `--net=${namespaceDirectory}/${this.name}`, '--', ...argv];
  }

  /** Starts a process inside. It is killed with the namespace, if it still runs. */
  spawn(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const [program, ...parameters] = this.command(argv);
    const child = spawn(program!, parameters, options);
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    return child;
  }

  /**
   * Runs a command inside to its end.
   *
   * @returns its standard output
   * @throws LabError 'command-failed'
   */
  async run(argv: readonly string[]): Promise<string> {
    const [program, ...parameters] = this.command(argv);
    const limits = { timeout: commandTimeoutMs, maxBuffer: commandOutputBytesMax };
    try {
      const { stdout } = await promisify(execFile)(program!, parameters, limits);
      return stdout;
    } catch (error) {
      const { message, stdout } = error as Error & { stdout?: string };
      throw new LabError(
        'command-failed',
        `in ${this.name}: ${message.trim()}${stdout ? `\n${stdout}` : ''}`,
      );
    }
  }

  /** See the function of the same name. */
  setSysctls(values: Readonly<Record<string, number>>): void {
    inNetworkNamespace(this.name, () => setSysctls(values));
  }

  /** Kills what was spawned inside and removes the namespace, with the interfaces in it. Twice is fine. */
  remove(): void {
    if (!namespaces.delete(this)) return;
    for (const child of this.#children) child.kill('SIGKILL');
    spawnSync('ip', ['netns', 'del', this.name]);
  }
}

/** Writes below /proc/sys/net, as seen from where we are. Settings that the kernel does not have are passed over. */
export function setSysctls(values: Readonly<Record<string, number>>): void {
  for (const [path, value] of Object.entries(values)) {
    try {
      writeFileSync(`/proc/sys/net/${path}`, String(value));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** Promises that an interface of `rootLinkName` will not outlive the program. */
export function adoptRootLink(name: string): void {
  rootLinks.add(name);
  watchExit();
}

export function removeRootLink(name: string): void {
  if (rootLinks.delete(name)) spawnSync('ip', ['link', 'del', name]);
}

/**
 * Runs ip(8) commands in one go.
 *
 * @param namespace  its name; left out: where we are
 * @throws LabError 'command-failed', with the line at fault
 */
export function ip(lines: readonly string[], namespace?: string): void {
  const where = namespace === undefined ? [] : ['-n', namespace];
  const options = { input: `${lines.join('\n')}\n`, encoding: 'utf8', timeout: commandTimeoutMs } as const;
  const result = spawnSync('ip', [...where, '-batch', '-'], options);
  if (result.status === 0) return;
  const complaint = (result.stderr ?? '').trim() || result.error?.message || `exit status ${result.status}`;
  const line = /Command failed -:(\d+)/.exec(complaint)?.[1];
  const command = line === undefined ? lines.join('; ') : lines[Number(line) - 1];
  throw new LabError('command-failed', `ip ${[...where, command].join(' ')}: ${complaint}`);
}

let isSwept = false;

function sweepOnce(): void {
  watchExit();
  if (isSwept) return;
  isSwept = true;
  sweepLeftovers();
}

/**
 * Removes the namespaces and interfaces of programs that are no longer there, and the processes left in them.
 *
 * @returns the names of what was removed
 */
export function sweepLeftovers(): string[] {
  const removed: string[] = [];
  for (const name of listNamespaces()) {
    if (!isOrphan(namePattern.exec(name))) continue;
    const pids = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).stdout ?? '';
    for (const pid of pids.split('\n').filter(Boolean)) kill(Number(pid));
    spawnSync('ip', ['netns', 'del', name]);
    removed.push(name);
  }
  const links = spawnSync('ip', ['-o', 'link', 'show', 'type', 'veth'], { encoding: 'utf8' }).stdout ?? '';
  for (const [, name] of links.matchAll(/^\d+: ([^:@]+)/gm)) {
    if (!isOrphan(rootLinkPattern.exec(name!))) continue;
    spawnSync('ip', ['link', 'del', name!]);
    removed.push(name!);
  }
  return removed;
}

function listNamespaces(): string[] {
  try {
    return readdirSync(namespaceDirectory);
  } catch {
    return [];
  }
}

function isOrphan(match: RegExpExecArray | null): boolean {
  if (match === null) return false;
  try {
    process.kill(Number(match[1]), 0);
    return false;
  } catch (error) {
    // EPERM: it lives, and belongs to someone else.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}

function watchExit(): void {
  if (isWatchingExit) return;
  isWatchingExit = true;
  process.on('exit', removeEverything);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const onSignal = () => {
      // A program with a handler of its own decides when it ends; 'exit' comes then.
      if (process.listenerCount(signal) > 1) return;
      removeEverything();
      process.off(signal, onSignal);
      process.kill(process.pid, signal);
    };
    process.on(signal, onSignal);
  }
}

function removeEverything(): void {
  for (const namespace of [...namespaces]) namespace.remove();
  for (const name of [...rootLinks]) removeRootLink(name);
}
