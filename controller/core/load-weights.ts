// SPDX-License-Identifier: Apache-2.0
/**
 * Weights that follow load: whoever carries more, for what it can, than the others gets fewer new connections.
 *
 *   reading ──smoothed──> error: ln(load / mean load) ──+──> dead band, gain, bound of a step ──> ln(factor) ──> weight
 *                                                       └── what earlier changes have not shown yet (a Smith predictor)
 *
 * A weight changes new connections alone, so its effect comes as slowly as old ones end. Who forgets that corrects again what is
 * corrected already, and oscillates. docs/load-aware.md has the analysis.
 */

import type { Millis } from './event.ts';

export interface LoadOptions {
  /** How often load is read. */
  intervalMs: number;
  /** A reading counts for 1 - 1/e after so long. */
  smoothingMs: number;
  /** A backend whose load is within this share of the mean is left alone. */
  deadBand: number;
  /** The share of an error that is corrected at a time, on the logarithm. */
  gain: number;
  /** A weight changes by this share at a time at most. */
  stepMax: number;
  /** Weights are changed no more often than this. */
  minIntervalMs: number;
  /** How long a change takes to show: about the mean life of a connection, and the delay of the readings. */
  lagMs: number;
  /** A weight is no more than so many times what is configured, and no less than that part of it. */
  range: number;
  /** Nothing is concluded while the mean load is below this: noise, and nobody is in need. */
  idleBelow: number;
  /** A reading that is older is none. With fewer than half of the backends read, nothing changes. */
  staleMs: number;
}

export const loadDefaults: Readonly<LoadOptions> = {
  intervalMs: 5_000,
  smoothingMs: 10_000,
  deadBand: 0.1,
  gain: 0.3,
  stepMax: 0.3,
  minIntervalMs: 15_000,
  lagMs: 45_000,
  range: 16,
  idleBelow: 0.02,
  staleMs: 20_000,
};

/** Weight units for one of the configuration: so finely are factors told apart. */
export const WEIGHT_UNITS = 256;
const WEIGHT_MAX = 65_535;
/** Beside what is measured, so that a backend without any load has a logarithm: this share of the mean. */
const LEAST_SHARE = 0.05;

export interface LoadMember {
  name: string;
  /** As configured. 0: it gets none, whatever its load is. */
  weight: number;
  /** It gets new connections now; the others are not compared, and keep their factor. */
  isInUse: boolean;
}

interface Tracked {
  smoothed: number;
  readAt: Millis;
  /** ln(factor): as wanted; and as far as it shows in the readings. */
  wanted: number;
  shown: number;
}

export interface LoadWeights {
  options: LoadOptions;
  backends: Map<string, Tracked>;
  changedAt: Millis;
  advancedAt: Millis;
  /** Weight changes since the start. */
  changes: number;
}

export function createLoadWeights(options: LoadOptions, now: Millis): LoadWeights {
  // A first conclusion needs readings for a while.
  const changedAt = now + options.smoothingMs - options.minIntervalMs;
  return { options, backends: new Map(), changedAt, advancedAt: now, changes: 0 };
}

/** @param loads  by backend, load for what it can carry: any unit, the same for all; 0 or more */
export function noteLoads(state: LoadWeights, loads: ReadonlyMap<string, number>, now: Millis): void {
  for (const [name, load] of loads) {
    if (!Number.isFinite(load) || load < 0) continue;
    const known = state.backends.get(name);
    if (known === undefined || Number.isNaN(known.smoothed)) {
      state.backends.set(name, { ...(known ?? fresh()), smoothed: load, readAt: now });
      continue;
    }
    const weight = 1 - Math.exp(-(now - known.readAt) / state.options.smoothingMs);
    known.smoothed += weight * (load - known.smoothed);
    known.readAt = now;
  }
}

/**
 * Corrects the factors if it is time and there is reason.
 *
 * @returns whether it did
 */
export function adjust(state: LoadWeights, members: readonly LoadMember[], now: Millis): boolean {
  advance(state, now);
  const { options } = state;
  forgetOthers(state, members);
  if (now - state.changedAt < options.minIntervalMs) return false;
  const inUse = members.filter(({ isInUse, weight }) => isInUse && weight > 0);
  const compared = inUse.flatMap(({ name, weight }) => {
    const tracked = state.backends.get(name);
    return tracked && now - tracked.readAt <= options.staleMs ? [{ tracked, weight }] : [];
  });
  if (compared.length < 2 || compared.length * 2 < inUse.length) return false;
  const mean = compared.reduce((sum, { tracked }) => sum + tracked.smoothed, 0) / compared.length;
  if (!(mean > 0) || mean < options.idleBelow) return false;

  const logs = compared.map(({ tracked }) => Math.log(tracked.smoothed + LEAST_SHARE * mean));
  const middle = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  const stepMost = Math.log(1 + options.stepMax);
  const band = Math.log(1 + options.deadBand);
  let hasChanged = false;
  compared.forEach(({ tracked }, i) => {
    const error = logs[i]! - middle + (tracked.wanted - tracked.shown);
    if (Math.abs(error) <= band) return;
    const step = clamp(-options.gain * error, stepMost);
    const wanted = clamp(tracked.wanted + step, Math.log(options.range));
    if (wanted !== tracked.wanted) hasChanged = true;
    tracked.wanted = wanted;
  });
  if (!hasChanged) return false;
  center(compared.map(({ tracked }) => tracked));
  state.changedAt = now;
  state.changes++;
  return true;
}

/** @returns by backend, in units of which a configured weight of 1 is WEIGHT_UNITS or, if that would be too many, as many as fit */
export function weightsOf(
  { backends, options }: LoadWeights,
  members: readonly LoadMember[],
): Map<string, number> {
  return inUnits(options, members, (name) => Math.exp(backends.get(name)?.wanted ?? 0));
}

/** The configured weights, in the same units. */
export function configuredWeights(
  { options }: LoadWeights,
  members: readonly Pick<LoadMember, 'name' | 'weight'>[],
): Map<string, number> {
  return inUnits(options, members, () => 1);
}

function inUnits(
  { range }: LoadOptions,
  members: readonly Pick<LoadMember, 'name' | 'weight'>[],
  factorOf: (name: string) => number,
): Map<string, number> {
  const most = Math.max(1, ...members.map(({ weight }) => weight));
  const unit = Math.min(WEIGHT_UNITS, WEIGHT_MAX / (most * range));
  return new Map(
    members.map(({ name, weight }) => {
      const units = Math.round(weight * factorOf(name) * unit);
      return [name, weight === 0 ? 0 : clampBetween(units, 1, WEIGHT_MAX)];
    }),
  );
}

/** ln(factor) by backend: what a controller after us should go on from. */
export function factorsOf({ backends }: LoadWeights): Map<string, number> {
  return new Map([...backends].map(([name, { wanted }]) => [name, wanted]));
}

/** Goes on from what a controller before us had. Its readings are not known, and its changes are believed to show by now. */
export function restoreFactors(state: LoadWeights, factors: ReadonlyMap<string, number>): void {
  const most = Math.log(state.options.range);
  for (const [name, factor] of factors) {
    const wanted = clamp(factor, most);
    state.backends.set(name, { ...fresh(), wanted, shown: wanted });
  }
}

function fresh(): Tracked {
  return { smoothed: Number.NaN, readAt: Number.NEGATIVE_INFINITY, wanted: 0, shown: 0 };
}

/** As connections end, what is wanted comes to show. */
function advance(state: LoadWeights, now: Millis): void {
  const share = 1 - Math.exp(-(now - state.advancedAt) / state.options.lagMs);
  state.advancedAt = now;
  for (const tracked of state.backends.values()) tracked.shown += share * (tracked.wanted - tracked.shown);
}

/** Only ratios matter: the mean of the logarithms stays 0, so that bounds are met only by those who differ. */
function center(tracked: readonly Tracked[]): void {
  const drift = tracked.reduce((sum, { wanted }) => sum + wanted, 0) / tracked.length;
  for (const one of tracked) {
    one.wanted -= drift;
    one.shown -= drift;
  }
}

function forgetOthers({ backends }: LoadWeights, members: readonly LoadMember[]): void {
  const names = new Set(members.map(({ name }) => name));
  for (const name of backends.keys()) if (!names.has(name)) backends.delete(name);
}

function clamp(value: number, most: number): number {
  return clampBetween(value, -most, most);
}

function clampBetween(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
