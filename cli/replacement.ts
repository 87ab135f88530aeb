// SPDX-License-Identifier: Apache-2.0
/**
 * `evenkeel replace`: one backend after the other is replaced. What has been done is in the configuration and nowhere else, so whoever
 * runs the command again goes on:
 *
 *   nothing ──add, weight 0──> prepared ──well──> one edit: the new one has the weight, the old one drains
 *                                 └──not well──> removed again            └──drained, or past its deadline──> old one removed
 */
import type { ControllerStatus } from '../controller/adapters/http/admin.ts';
import type { AdminClient } from './admin-client.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import { healthOf } from './health-text.ts';
import { drainWords, sightOf } from './lifecycle-text.ts';
import type { Pair, ReplaceOptions } from './replacement-pair.ts';
import type { Terminal } from './terminal.ts';
import { drainEnd, isRunning, Progress, pollUntil } from './wait-for-drain.ts';

const goOn = 'run the same command again to go on';

export async function replaceAll(
  client: AdminClient,
  terminal: Terminal,
  vip: string,
  pairs: readonly Pair[],
  options: ReplaceOptions,
): Promise<void> {
  const say = (words: string): void => terminal.out(`${words}\n`);
  const swapped: Pair[] = [];
  for (const pair of pairs) {
    const { old, by } = pair;
    if (isReplaced(await client.status(), vip, pair)) {
      say(`${old} has been replaced by ${by} already`);
      continue;
    }
    if (swapped.length > 0) await calm(client, terminal, vip, options.maxUnstable);
    await prepare(client, terminal, vip, pair, options);
    const { deadline: deadlineMs, serverId } = options;
    const { address, port } = pair;
    await client.edit({ kind: 'replace', vip, backend: old, by, address, port, serverId, deadlineMs });
    await pollUntil(client, terminal, `${by} takes the seat of ${old}; ${goOn}`, (status) => {
      const { served } = sightOf(status, vip, old);
      const isOut = served === undefined || (served.slots === 0 && served.state !== 'active');
      return (isRunning(status) && isOut) || undefined;
    });
    say(`${by} has taken the seat of ${old}`);
    swapped.push(pair);
  }
  if (!options.wait) return;
  await Promise.all(
    swapped.map(async ({ old }) => {
      const end = await drained(client, terminal, vip, old);
      await client.edit({ kind: 'remove', vip, backend: old });
      say(`${old} is ${end === 'drained' ? 'drained' : 'out'}, and removed`);
    }),
  );
}

/** The new one is there and well, without a connection. Nothing to do where nobody checks. */
async function prepare(
  client: AdminClient,
  terminal: Terminal,
  vip: string,
  pair: Pair,
  options: ReplaceOptions,
): Promise<void> {
  const { old, by, address, port } = pair;
  const status = await client.status();
  const there = sightOf(status, vip, by).wished;
  if (there?.replaces === old) return;
  if (there !== undefined && there.weight > 0)
    throw new CommandError(
      exitCodes.failed,
      `${by} is in use already; expected the name of a new backend, or of one with weight 0`,
    );
  if (!status.health?.some(({ pool }) => pool === vip)) return;
  // Without a predecessor the controller says what is wrong.
  const isKnown = sightOf(status, vip, old).wished !== undefined;
  if (there === undefined && isKnown)
    await client.edit({
      kind: 'add',
      vip,
      backend: by,
      address,
      port,
      weight: 0,
      serverId: options.serverId,
    });
  const until = performance.now() + options.healthTimeout;
  const progress = new Progress(terminal);
  let failure: string | undefined;
  const isWell = await pollUntil(client, terminal, `${old} goes on, ${by} waits; ${goOn}`, (now) => {
    if (!isKnown) return true;
    const health = healthOf(now.health, vip, by);
    if (health?.state === 'up' && health.verdict === 'trusted') return true;
    failure = health?.failure ?? health?.problem;
    progress.tell(`${by} is not well yet${failure === undefined ? '' : ` (${failure})`}`);
    return performance.now() < until ? undefined : false;
  });
  if (isWell) return;
  await client.edit({ kind: 'remove', vip, backend: by });
  throw new CommandError(
    exitCodes.failed,
    `${by} does not become well${failure === undefined ? '' : ` (${failure})`}: it is removed again, and ${old} goes on as before`,
  );
}

/** Done before: the old one is gone, and the new one is there. */
function isReplaced(status: ControllerStatus, vip: string, { old, by }: Pair): boolean {
  return sightOf(status, vip, old).wished === undefined && sightOf(status, vip, by).wished !== undefined;
}

/** Few slots are unstable: the changes before have nearly come to rest. */
function calm(client: AdminClient, terminal: Terminal, vip: string, percent: number): Promise<true> {
  const progress = new Progress(terminal);
  return pollUntil(client, terminal, goOn, ({ engine }) => {
    const pool = engine.pools.find(({ name }) => name === vip);
    if (pool === undefined || pool.unstableSlots * 100 <= pool.slotCount * percent) return true;
    progress.tell(`${pool.unstableSlots} of ${pool.slotCount} slots are unstable: the next one waits`);
    return undefined;
  });
}

async function drained(client: AdminClient, terminal: Terminal, vip: string, old: string) {
  const progress = new Progress(terminal);
  const end = await pollUntil(client, terminal, `${old} goes on draining; ${goOn}`, (status) => {
    const sight = sightOf(status, vip, old);
    // Whoever is dead has nothing that could be waited for.
    const found = sight.wished?.wish === 'down' ? 'given-up' : drainEnd(status, vip, old);
    const words = drainWords(sight, status.engine.now);
    if (found === undefined && words !== undefined) progress.tell(`${old}: ${words}`);
    return found;
  });
  if (end === 'undone')
    throw new CommandError(
      exitCodes.failed,
      `${old} does not drain any more: another command has come between`,
    );
  return end;
}
