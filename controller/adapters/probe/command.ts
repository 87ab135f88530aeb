// SPDX-License-Identifier: Apache-2.0
/**
 * Does a command, run for it, exit with 0? The command is the configuration's; no shell reads it. It gets a process group of its
 * own, which is killed when its time is over, and of our environment only PATH, beside:
 *
 *   EVENKEEL_VIP, EVENKEEL_BACKEND, EVENKEEL_ADDRESS, EVENKEEL_PORT, EVENKEEL_TIMEOUT_MS
 */
import { spawn } from 'node:child_process';
import type { FailureReason, ProbeOutcome } from '../../core/health.ts';
import { type Ask, detailLengthMax, failed, passed } from './ask.ts';

export const askCommand: Ask<'command'> = ({ target, check, timeoutMs }, answer) => {
  const [command = '', ...args] = check.argv;
  const child = spawn(command, args, {
    env: {
      PATH: process.env.PATH,
      EVENKEEL_VIP: target.pool,
      EVENKEEL_BACKEND: target.backend,
      EVENKEEL_ADDRESS: target.address,
      EVENKEEL_PORT: String(target.port),
      EVENKEEL_TIMEOUT_MS: String(timeoutMs),
    },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  let said = '';
  child.stdout.setEncoding('utf8');
  // The rest is read and forgotten, so that the command does not wait for us.
  child.stdout.on('data', (text: string) => {
    said = (said + text).slice(0, detailLengthMax);
  });
  child.on('error', (error) => answer({ kind: 'void', detail: `${command}: ${error.message}` }));
  // It has ended, and whatever it has started has let go of stdout.
  let isClosed = false;
  child.on('close', (exitCode, signal) => {
    isClosed = true;
    answer(outcomeOf(exitCode, signal, said));
  });
  return {
    cancel() {
      if (child.pid === undefined || isClosed) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself just now.
      }
    },
    late: () => ({ reason: 'slow' satisfies FailureReason, detail: 'the command did not end in time' }),
  };
};

function outcomeOf(exitCode: number | null, signal: string | null, said: string): ProbeOutcome {
  if (exitCode === 0) return passed;
  const ended = exitCode === null ? `killed by ${signal}` : `exit code ${exitCode}`;
  const [firstLine] = said.split('\n');
  return failed('wrong', firstLine ? `${ended}: ${firstLine}` : ended);
}
