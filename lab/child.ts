// SPDX-License-Identifier: Apache-2.0
/** A program that starts itself again, elsewhere: in a user namespace, or a network of its own. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** The command line of this program. */
export function ownCommand(): string[] {
  return [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
}

/**
 * Runs a command that replaces itself by this program, hands signals on to it, and exits as it does.
 *
 * @param insideVariable  is set to 1 in the child's environment: it is inside, and is not to start itself yet again
 */
export async function continueAs(
  [program, ...parameters]: readonly string[],
  insideVariable: string,
): Promise<never> {
  const child = spawn(program!, parameters, {
    stdio: 'inherit',
    env: { ...process.env, [insideVariable]: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  process.on('exit', () => child.kill('SIGTERM'));
  return new Promise<never>((_resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) =>
      process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}
