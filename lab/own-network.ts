// SPDX-License-Identifier: Apache-2.0
/**
 * A network of its own for a program and all that it starts: it may lay routes to its hosts without the machine's knowing, and all of it is
 * gone with the program.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { enterLab } from './capability.ts';

const isInsideVariable = 'EVENKEEL_OWN_NETWORK';

/** As `enterLab`, but never in the network that this program was started in. Call it first thing in a program. */
export async function enterOwnNetwork(): Promise<void> {
  await enterLab();
  if (process.env[isInsideVariable] !== undefined || process.env.EVENKEEL_IN_LAB !== undefined) return;
  const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...program], {
    stdio: 'inherit',
    env: { ...process.env, [isInsideVariable]: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  process.on('exit', () => child.kill('SIGTERM'));
  await new Promise<never>((_resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) =>
      process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}
