// SPDX-License-Identifier: Apache-2.0
/**
 * Slow start: a backend that joins others gets a part of its weight at first, and in a few steps the whole.
 *
 *   not in use ──in use, beside others──> filling: from, ... ──window over──> whole
 *              ──in use, and nobody was──> whole: who fills a pool together has no part of anything
 *
 * A backend that takes the seat of one that drains (`predecessor`) takes it step by step: what it does not take yet stays with that
 * one, so that nobody else's slots move.
 *
 * Steps are changes, and those are few: they come at common times, so that backends that fill together share them. Times are of day,
 * so they are common to controllers that follow each other, too: nobody has less after a restart than before.
 */
import type { DesiredBackend } from './desired.ts';
import type { Millis } from './event.ts';

export interface SlowStart {
  windowMs: number;
  /** The share of its weight that a backend begins with; above 0, 1 at most. */
  from: number;
}

/** A change needs a free filter slot, and those rest for half a minute: about four changes in 30 s, for all there is to do. */
const STEP_MS = 10_000;
/** More do not make it any smoother for the servers. */
const STEPS_MAX = 8;
/** So finely are weights told apart while one fills, where they are not too large. */
const WEIGHT_UNITS = 256;
const WEIGHT_MAX = 65_535;

export interface FillMember {
  name: string;
  /** It gets new connections, or would with its whole weight. */
  isInUse: boolean;
  /** Who drains, and could as well go on, while this one fills. */
  predecessor: string | undefined;
}

interface Fill {
  since: Millis;
  predecessor: string | undefined;
}

export interface Filling {
  options: SlowStart;
  /** Undefined: not known yet. */
  inUse: ReadonlySet<string> | undefined;
  /** When somebody was in use after nobody had been. */
  begunAt: Millis;
  fills: Map<string, Fill>;
}

export function createFilling(options: SlowStart): Filling {
  return { options, inUse: undefined, begunAt: Number.NEGATIVE_INFINITY, fills: new Map() };
}

/** Who is in use now. Whoever is there at the first look was there before. @returns who begins to fill, and who has the whole */
export function noteUse(
  filling: Filling,
  members: readonly FillMember[],
  now: Millis,
): { begun: string[]; ended: string[] } {
  const { options, fills, inUse: before } = filling;
  const inUse = new Set(members.filter((member) => member.isInUse).map(({ name }) => name));
  const ended: string[] = [];
  for (const name of fills.keys()) {
    const isWhole = shareOf(filling, name, now) === 1;
    if (isWhole) ended.push(name);
    if (isWhole || !inUse.has(name)) fills.delete(name);
  }
  filling.inUse = inUse;
  if (before === undefined) return { begun: [], ended };
  if (![...before].some((name) => inUse.has(name)) && inUse.size > 0) {
    // Of a pool that comes to life every part is as good as the whole; and one a moment later would find the first alone.
    if (before.size === 0) filling.begunAt = now;
    else fills.clear();
  }
  if (now - filling.begunAt < options.windowMs) return { begun: [], ended };
  const hasOthers = [...before].some((name) => inUse.has(name));
  const begun: string[] = [];
  for (const { name, predecessor } of members) {
    const isHandedOver = predecessor !== undefined && before.has(predecessor);
    if (!inUse.has(name) || before.has(name) || !(hasOthers || isHandedOver)) continue;
    fills.set(name, { since: now, predecessor: isHandedOver ? predecessor : undefined });
    begun.push(name);
  }
  return { begun, ended };
}

/** What the next controller should know of it, in the same time: all that `noteUse` goes by. */
export interface FillingNote {
  options: SlowStart;
  begunAt: Millis | undefined;
  /** Who was in use, and since when it fills; 0: it has the whole. */
  inUse: ReadonlyMap<string, Millis>;
  /** Whose seat one takes that fills. */
  predecessors: ReadonlyMap<string, string>;
}

/** Undefined: nobody has looked yet. */
export function noteOf({ options, inUse, begunAt, fills }: Filling): FillingNote | undefined {
  if (inUse === undefined) return undefined;
  const predecessors = new Map<string, string>();
  for (const [name, { predecessor }] of fills)
    if (predecessor !== undefined) predecessors.set(name, predecessor);
  return {
    options,
    begunAt: begunAt === Number.NEGATIVE_INFINITY ? undefined : begunAt,
    inUse: new Map([...inUse].map((name) => [name, fills.get(name)?.since ?? 0])),
    predecessors,
  };
}

/** Goes on where another has stopped, in place of what was known here. @returns who fills; undefined: by other rules, so it does not */
export function restoreFilling(filling: Filling, note: FillingNote, now: Millis): string[] | undefined {
  const { windowMs, from } = filling.options;
  if (note.options.windowMs !== windowMs || note.options.from !== from) return undefined;
  filling.inUse = new Set(note.inUse.keys());
  // A clock that was set back in between makes nobody wait for longer than the window.
  filling.begunAt = Math.min(now, note.begunAt ?? Number.NEGATIVE_INFINITY);
  filling.fills = new Map();
  for (const [name, since] of note.inUse)
    if (since > 0)
      filling.fills.set(name, { since: Math.min(now, since), predecessor: note.predecessors.get(name) });
  return [...filling.fills.keys()].filter((name) => shareOf(filling, name, now) < 1);
}

/** Of its weight: 1 unless it fills. */
export function shareOf({ options, fills }: Filling, name: string, now: Millis): number {
  const fill = fills.get(name);
  if (fill === undefined) return 1;
  const stepMs = stepOf(options);
  const steps = Math.max(0, Math.round((Math.floor(now / stepMs) * stepMs - fill.since) / stepMs));
  return options.from + (1 - options.from) * Math.min(1, (steps * stepMs) / options.windowMs);
}

/** When somebody gets more; infinite when nobody fills. */
export function nextStepAt({ options, fills }: Filling, now: Millis): Millis {
  if (fills.size === 0) return Number.POSITIVE_INFINITY;
  const stepMs = stepOf(options);
  return (Math.floor(now / stepMs) + 1) * stepMs;
}

/**
 * The backends of a pool with the parts of their weights. Ratios between those who do not fill stay the same to the last slot.
 *
 * @param handsOver  whether a backend that drains could go on a while
 */
export function filledBackends(
  filling: Filling,
  backends: readonly DesiredBackend[],
  now: Millis,
  handsOver: (name: string) => boolean,
): readonly DesiredBackend[] {
  if (filling.fills.size === 0) return backends;
  const most = Math.max(1, ...backends.map(({ weight }) => weight));
  const unit = Math.max(1, Math.min(WEIGHT_UNITS, Math.floor(WEIGHT_MAX / most)));
  const left = new Map<string, number>();
  const filled = backends.map((backend) => {
    const whole = backend.weight * unit;
    const share = shareOf(filling, backend.name, now);
    const weight = whole === 0 ? 0 : Math.max(1, Math.round(whole * share));
    const predecessor = filling.fills.get(backend.name)?.predecessor;
    if (predecessor !== undefined) left.set(predecessor, whole - weight);
    return { ...backend, weight };
  });
  return filled.map((backend) => {
    const weight = left.get(backend.name) ?? 0;
    const goesOn = weight > 0 && backend.state === 'draining' && handsOver(backend.name);
    return goesOn ? { ...backend, state: 'active', weight } : backend;
  });
}

/** A multiple of STEP_MS. */
function stepOf({ windowMs }: SlowStart): number {
  return STEP_MS * Math.max(1, Math.ceil(windowMs / STEPS_MAX / STEP_MS));
}
