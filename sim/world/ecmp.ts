// SPDX-License-Identifier: Apache-2.0
/** Which switches of a group carry traffic: those that the primary controller says participate, and a little late. */
import type { Millis } from '../../controller/core/event.ts';
import type { SimClock } from '../kernel/sim-clock.ts';
import type { Device } from './device.ts';
import type { Fate } from './fate.ts';

/** Until the network has heard of a switch that ceased to participate. */
const noticedMs = 100;

export class Ecmp {
  readonly #devices: readonly Device[];
  readonly #clock: SimClock;
  readonly #fate: () => Fate;
  #inService: ReadonlySet<Device>;
  #lookedAt: Millis = Number.NEGATIVE_INFINITY;

  constructor(devices: readonly Device[], clock: SimClock, fate: () => Fate) {
    this.#devices = devices;
    this.#clock = clock;
    this.#fate = fate;
    this.#inService = new Set(devices);
  }

  /** Without a controller, and without any switch that participates, all is left as it was. */
  isInService(device: Device): boolean {
    if (this.#devices.length === 1) return true;
    if (this.#clock.now() >= this.#lookedAt + noticedMs) this.#look();
    return this.#inService.has(device);
  }

  #look(): void {
    this.#lookedAt = this.#clock.now();
    const members = this.#fate().primary?.switchStatus().members;
    if (members === undefined) return;
    const participating = this.#devices.filter(({ index }) => members[index]?.state === 'participating');
    if (participating.length > 0) this.#inService = new Set(participating);
  }
}
