// SPDX-License-Identifier: Apache-2.0
/** What happened between two looks at the engine that it does not tell by itself, in words for the event log. */
import type { LogTopic } from './core/event.ts';
import type { BackendStatus, PoolStatus, Status } from './core/status.ts';

export interface Happening {
  topic: LogTopic;
  message: string;
  fields: Readonly<Record<string, string | number>>;
}

/** Of one comparison; of more than these only the number is told. */
export const happeningsMax = 20;

/** @returns [] unless both are of a running engine: one that has just begun knows nothing yet */
export function happenings(before: Status, after: Status): Happening[] {
  if (before.state !== 'running' || after.state !== 'running') return [];
  const poolsBefore = new Map(before.pools.map((pool) => [pool.id, pool]));
  const found = after.pools.flatMap((pool) => {
    const was = poolsBefore.get(pool.id);
    // The backends of a pool that is being filled come all at once; that it serves is told.
    return was?.phase === 'serving' ? [...merges(was, pool), ...backends(was, pool)] : [];
  });
  if (found.length <= happeningsMax) return found;
  const more = found.length - happeningsMax;
  return [
    ...found.slice(0, happeningsMax),
    { topic: 'backend', message: 'and more of the same', fields: { more } },
  ];
}

function merges(was: PoolStatus, { name: pool, unstableSlots }: PoolStatus): Happening[] {
  const slots = was.unstableSlots - unstableSlots;
  if (slots <= 0) return [];
  const message = unstableSlots === 0 ? 'merged: every slot is stable again' : 'slots are stable again';
  return [{ topic: 'merge', message, fields: { pool, slots, unstableSlots } }];
}

function backends(was: PoolStatus, pool: PoolStatus): Happening[] {
  const before = new Map(was.backends.map((backend) => [backend.id, backend]));
  const ids = new Set(pool.backends.map(({ id }) => id));
  const tell = (message: string, { name, weight }: BackendStatus): Happening => ({
    topic: 'backend',
    message,
    fields: { pool: pool.name, backend: name, weight },
  });
  const found = pool.backends.flatMap((backend) => {
    const known = before.get(backend.id);
    if (known === undefined) return [tell('backend added', backend)];
    if (known.state !== backend.state) return [tell(stateMessages[backend.state], backend)];
    const isEmpty = backend.state === 'draining' && backend.drain?.isDrained && !known.drain?.isDrained;
    return isEmpty ? [tell('backend has drained: it may be stopped', backend)] : [];
  });
  const gone = was.backends.filter(({ id }) => !ids.has(id));
  return [...found, ...gone.map((backend) => tell('backend forgotten: nothing names it', backend))];
}

const stateMessages = {
  active: 'backend is active',
  draining: 'backend drains: no new connections',
  disabled: 'backend is disabled: it has no connections any more',
  down: 'backend is down: its connections are lost',
  leaving: 'backend leaves: no new connections',
} as const satisfies Record<BackendStatus['state'], string>;
