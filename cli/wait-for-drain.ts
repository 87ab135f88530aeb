// SPDX-License-Identifier: Apache-2.0
/** Waits until a backend that drains may be stopped. */
import type { ControllerStatus } from '../controller/adapters/http/admin.ts';
import type { AdminClient } from './admin-client.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import { drainWords, sightOf } from './lifecycle-text.ts';
import { pause, type Terminal } from './terminal.ts';

export const pollMs = 500;
/** What has not changed much is said again no sooner. */
const tellMs = 10_000;

/** drained: nothing is left. given-up: the deadline has passed. undone: it is to have connections again, or is dead. */
export type DrainEnd = 'drained' | 'given-up' | 'undone';

/** @returns undefined while it drains, and while nothing is known */
export function drainEnd(status: ControllerStatus, vip: string, backend: string): DrainEnd | undefined {
  const { wished, served } = sightOf(status, vip, backend);
  if (wished === undefined) return served === undefined && isRunning(status) ? 'drained' : undefined;
  if (wished.wish === 'active' || wished.wish === 'down') return 'undone';
  if (served?.state === 'disabled') return 'given-up';
  return served?.state === 'draining' && served.drain?.isDrained ? 'drained' : undefined;
}

/** @throws CommandError when it ends otherwise than drained, or has to stop waiting */
export async function waitForDrain(
  client: AdminClient,
  terminal: Terminal,
  vip: string,
  backend: string,
): Promise<void> {
  const progress = new Progress(terminal);
  const end = await pollUntil(client, terminal, `${backend} goes on draining`, (status) => {
    const found = drainEnd(status, vip, backend);
    const words = drainWords(sightOf(status, vip, backend), status.engine.now);
    if (found === undefined && words !== undefined) progress.tell(`${backend}: ${words}`);
    return found;
  });
  if (end === 'undone')
    throw new CommandError(
      exitCodes.failed,
      `${backend} does not drain any more: another command has come between`,
    );
  if (end === 'given-up')
    throw new CommandError(
      exitCodes.deadline,
      `the deadline of ${backend} has passed: what was left has been given up, and it may be stopped`,
    );
  terminal.out(`${backend} is drained: it may be stopped\n`);
}

/**
 * Asks again and again until there is an answer. A controller that is being started anew comes back.
 *
 * @throws CommandError when interrupted
 */
export async function pollUntil<T>(
  client: AdminClient,
  terminal: Terminal,
  meanwhile: string,
  answer: (status: ControllerStatus) => T | undefined,
): Promise<T> {
  for (let isAway = false; ; ) {
    try {
      const status = await client.status();
      refuseStandby(status);
      const found = answer(status);
      if (found !== undefined) return found;
      isAway = false;
    } catch (error) {
      if (!(error instanceof CommandError) || error.exitCode !== exitCodes.unreachable) throw error;
      if (!isAway) terminal.err(`${error.message}\n`);
      isAway = true;
    }
    await pause(pollMs, terminal.stop);
    if (terminal.stop.aborted) throw new CommandError(exitCodes.interrupted, `interrupted: ${meanwhile}`);
  }
}

function refuseStandby({ leadership: { role, leader } }: ControllerStatus): void {
  if (role !== 'standby') return;
  const who = leader === undefined ? 'it is not known who leads' : `${leader.name} leads (${leader.admin})`;
  throw new CommandError(
    exitCodes.failed,
    `this controller stands by, and ${who}: only that one can be waited for`,
  );
}

/** Lines that say how far something is, not too many of them. */
export class Progress {
  private readonly terminal: Terminal;
  private last = '';
  private toldAt = Number.NEGATIVE_INFINITY;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  tell(line: string): void {
    const now = performance.now();
    if (line === this.last || now - this.toldAt < tellMs) return;
    this.last = line;
    this.toldAt = now;
    this.terminal.out(`${line}\n`);
  }
}

/** What the engine says of slots is so. */
export function isRunning({ engine, leadership }: ControllerStatus): boolean {
  return leadership.role === 'leader' && engine.state === 'running';
}
