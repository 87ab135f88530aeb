// SPDX-License-Identifier: Apache-2.0
/** Remembers the extremes and the events of a run from samples of its state. */

import type { CommitRecord, Status } from '../controller/core/status.ts';
import type { TrafficSummary } from './traffic.ts';

export class Observer {
  /** Of all controllers there were, in order. */
  readonly commits: CommitRecord[] = [];
  pinsMax = 0;
  unstableSlotsMax = 0;
  writesInFlightMax = 0;
  longOpenMax = 0;
  /** Since `expectLoad`. */
  longOpenMin = Number.POSITIVE_INFINITY;
  #isLoaded = false;
  /** The controller's clock at the last commit taken; a new controller may begin anywhere. */
  #seenAt = Number.NEGATIVE_INFINITY;
  #rotations = 0;
  #activeEpoch: string | undefined;
  #commitsAtEpoch = 0;

  see(status: Status): void {
    const unstable = status.pools.reduce((sum, pool) => sum + pool.unstableSlots, 0);
    this.pinsMax = Math.max(this.pinsMax, status.pins.installed);
    this.unstableSlotsMax = Math.max(this.unstableSlotsMax, unstable);
    this.writesInFlightMax = Math.max(this.writesInFlightMax, status.writes.updatesInFlight);
    const news = status.commits.filter(({ committedAt }) => committedAt > this.#seenAt);
    this.commits.push(...news);
    this.#seenAt = news.at(-1)?.committedAt ?? this.#seenAt;
    this.#countRotation(status);
  }

  seeTraffic({ longOpen }: TrafficSummary): void {
    this.longOpenMax = Math.max(this.longOpenMax, longOpen);
    if (this.#isLoaded) this.longOpenMin = Math.min(this.longOpenMin, longOpen);
  }

  /** All connections are open: from now on, too few count. */
  expectLoad(): void {
    this.#isLoaded = true;
  }

  /** The next status comes from another controller. */
  expectRestart(): void {
    this.#seenAt = Number.NEGATIVE_INFINITY;
  }

  /** Times a fresh filter slot was activated without a commit of a new column, as far as samples can tell. */
  get rotations(): number {
    return this.#rotations;
  }

  #countRotation({ version }: Status): void {
    const active = version.filters.find(({ state }) => state === 'active');
    const epoch = active === undefined ? undefined : `${active.filterSlot} ${active.epoch}`;
    if (epoch === this.#activeEpoch) return;
    if (this.#activeEpoch !== undefined && this.commits.length === this.#commitsAtEpoch) this.#rotations += 1;
    this.#activeEpoch = epoch;
    this.#commitsAtEpoch = this.commits.length;
  }
}
