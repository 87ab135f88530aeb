// SPDX-License-Identifier: Apache-2.0
/** How backends come and go, for people: how far a drain is, what fills. */
import type { ControllerStatus } from '../controller/adapters/http/admin.ts';
import type { BackendLifecycleStatus } from '../controller/core/lifecycle-status.ts';
import type { BackendStatus } from '../controller/core/status.ts';
import { formatCount, formatShare, formatSpan } from './table.ts';

/** What is known about one backend; either may be missing: not configured any more, not on the switch yet. */
export interface Sight {
  wished: BackendLifecycleStatus | undefined;
  served: BackendStatus | undefined;
}

export function sightOf({ lifecycle, engine }: ControllerStatus, vip: string, backend: string): Sight {
  const named = <T>(list: readonly T[] | undefined, nameOf: (item: T) => string, name: string) =>
    list?.find((item) => nameOf(item) === name);
  const wishes = named(lifecycle, ({ pool }) => pool, vip)?.backends;
  const pool = engine.pools.find(({ name, phase }) => name === vip && phase !== 'leaving');
  return {
    wished: named(wishes, (one) => one.backend, backend),
    served: named(pool?.backends, ({ name }) => name, backend),
  };
}

/** For a column: 'draining', 'drained', 'filling 40 %'. */
export function stateWord(served: BackendStatus, wished: BackendLifecycleStatus | undefined): string {
  if (served.drain?.isDrained) return served.state === 'draining' ? 'drained' : served.state;
  const isFilling = served.state === 'active' && wished !== undefined && wished.share < 1;
  return isFilling ? `filling ${formatShare(wished.share)}` : served.state;
}

/** A line for each backend that drains, fills, or has been given up. */
export function lifecycleLines(status: ControllerStatus): string[] {
  const lines: string[] = [];
  for (const { name: vip, backends } of status.engine.pools)
    for (const served of backends) {
      const { wished } = sightOf(status, vip, served.name);
      const words =
        wished?.wish === 'active' ? fillWords(wished) : drainWords({ served, wished }, status.engine.now);
      if (words !== undefined) lines.push(`${vip} ${served.name}: ${words}`);
    }
  return lines.map((line, i) => `${i === 0 ? 'lifecycle   ' : '            '}${line}`);
}

/** '3 slots, 12 pins left, slots let go in 12 min, deadline in 8 min'; undefined: it does not drain. */
export function drainWords({ served, wished }: Sight, now: number): string | undefined {
  const deadline = deadlineWords(wished);
  if (served?.state === 'active' && wished?.wish === 'draining')
    return `${formatCount(served.slots)} slots still get new connections${deadline}`;
  if (served?.state === 'disabled' && wished?.deadlineMs === 0)
    return 'its deadline has passed, what was left has been given up: it may be stopped';
  if (served?.drain === undefined) return undefined;
  const { drain, slots, pins } = served;
  const { namedSlots, promisedUntil, hasServerId, isDrained } = drain;
  const byName = hasServerId ? ', but packets may name it by its server id until it is disabled' : '';
  if (isDrained) return `drained${hasServerId ? byName : ', may be stopped'}`;
  const commit = slots === 0 ? '' : `${formatCount(slots)} slots not moved yet, `;
  const base = namedSlots === 0 ? '' : `older connections of ${formatCount(namedSlots)} slots`;
  const until =
    promisedUntil === undefined ? '' : ` for ${formatSpan(Math.max(0, promisedUntil - now))} at most`;
  const slotWords = base === '' ? '' : `${base}${until}, `;
  return `${commit}${slotWords}${formatCount(pins)} pins left${byName}${deadline}`;
}

function fillWords({ share, fillMs, replaces }: BackendLifecycleStatus): string | undefined {
  if (share === 1) return undefined;
  const seat = replaces === undefined ? '' : ` in the seat of ${replaces}`;
  return `fills: ${formatShare(share)} of its weight${seat}, the whole in ${formatSpan(fillMs)}`;
}

function deadlineWords(wished: BackendLifecycleStatus | undefined): string {
  if (wished?.deadlineMs === undefined) return '';
  return wished.deadlineMs === 0
    ? '; its deadline has passed'
    : `; deadline in ${formatSpan(wished.deadlineMs)}`;
}
