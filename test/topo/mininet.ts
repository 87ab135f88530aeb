// SPDX-License-Identifier: Apache-2.0
/** Mininet for tests: whether there is one, and runs with nobody else around, after which nothing may be left. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findBmv2 } from '../../demo/targets.ts';

export interface Outcome {
  readonly code: number;
  /** What it wrote to both of its outputs. */
  readonly output: string;
  /** Processes, links and temporary files that are still there, in words. */
  readonly left: readonly string[];
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const cage = ['--pid', '--fork', '--kill-child', '--mount', '--mount-proc', '--net'];
export const runTimeoutMs = 120_000;

/** Mininet of a Linux distribution is in the system's own Python, which need not be the first in PATH. */
export const python = ['python3', '/usr/bin/python3'].find((candidate) =>
  works(candidate, '-c', 'import mininet.net'),
);

export function whyNoMininet(): string | undefined {
  if (process.getuid?.() !== 0) return 'Mininet needs root';
  if (python === undefined) return 'there is no Python with Mininet: apt-get install mininet';
  if (!works('unshare', ...cage, 'true')) return 'there are no namespaces to be had';
  if (!existsSync(`${root}/dist/cli/evenkeel-switch-grpc.js`)) return 'nothing has been built: npm run build';
  return undefined;
}

/** What takes too long for every run of the whole suite says so when it is skipped. */
export function whyNotAll(): string | undefined {
  return process.env.EVENKEEL_TEST_MININET === 'all' ? undefined : 'EVENKEEL_TEST_MININET=all runs it';
}

export function whyNoBmv2(): string | undefined {
  const bmv2 = findBmv2();
  return 'unavailable' in bmv2 ? bmv2.unavailable : undefined;
}

/** @param what  of `input`: its standard input; of `send`: a signal, once it has written the words `when` */
export async function runAlone(
  command: readonly string[],
  what: { input?: string; send?: { signal: 'INT' | 'TERM' | 'KILL'; when: string } } = {},
): Promise<Outcome> {
  const { input = '', send } = what;
  const options = send === undefined ? [] : ['--signal', send.signal, '--when', send.when];
  const bmv2 = findBmv2();
  const running = promisify(execFile)(
    'unshare',
    [...cage, python!, `${root}/test/topo/cage.py`, ...options, '--', ...command],
    {
      cwd: root,
      env: { ...process.env, ...('command' in bmv2 && { BMV2_SWITCH_EXE: bmv2.command[0] }) },
      timeout: runTimeoutMs,
    },
  );
  running.child.stdin!.end(input);
  const { stdout } = await running;
  return JSON.parse(stdout);
}

function works(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
