// SPDX-License-Identifier: Apache-2.0
/** What is looked at from time to time, and what must be so when everything has come to rest. */
import type { Status } from '../../controller/core/status.ts';
import type { SimClock } from '../kernel/sim-clock.ts';
import type { Clients } from './clients.ts';
import type { Device } from './device.ts';
import type { Fate } from './fate.ts';
import type { Fleet } from './fleet.ts';
import type { Judge } from './judge.ts';
import type { WorldPlan } from './plan.ts';

export interface SettledWorld {
  plan: WorldPlan;
  /** To one switch. */
  updatesInFlightMax: number;
  clock: SimClock;
  fleet: Fleet;
  judge: Judge;
  devices: readonly Device[];
  fate: Fate;
  clients: Clients;
}

const lookEveryMs = 1_000;
/** Session timeouts until the last client has gone, its pin is forgotten and every slot is merged, with room to spare. */
const patienceInTimeouts = 40;

export class Settled {
  readonly #world: SettledWorld;

  constructor(world: SettledWorld) {
    this.#world = world;
  }

  look(): void {
    const { fate, judge, devices, updatesInFlightMax } = this.#world;
    const { primary } = fate;
    for (const device of devices) judge.checkLimits(device);
    if (primary === undefined) return;
    for (const port of primary.ports) {
      if (port.updatesInFlight <= updatesInFlightMax) continue;
      judge.violate('I3 bounded state', `${port.updatesInFlight} updates in flight`);
    }
    const status = primary.status();
    if (!isIdle(status)) return;
    // The network hears a little late of a switch that joins, and that has rows of before until it has.
    const { members } = primary.switchStatus();
    for (const device of devices)
      if (members === undefined || members[device.index]?.state === 'participating')
        judge.checkStatelessness(device);
  }

  /** Lets time pass until nothing is left to do; what is left then is a violation. */
  wait(): void {
    const { clock, plan } = this.#world;
    const end = clock.now() + patienceInTimeouts * plan.sessionTimeoutMs;
    while (this.#leftovers().length > 0 && clock.now() < end) clock.runUntil(clock.now() + lookEveryMs);
    for (const leftover of this.#leftovers()) this.#world.judge.violate('convergence', leftover);
    for (const device of this.#world.devices) this.#world.judge.checkShares(device);
  }

  #leftovers(): string[] {
    const { fate, devices, clients } = this.#world;
    const left: string[] = [];
    if (clients.count > 0) left.push(`${clients.count} clients are there`);
    const status = fate.primary?.status();
    if (status === undefined || !isIdle(status)) left.push(`the controller is busy: ${describe(status)}`);
    for (const device of devices) left.push(...this.#leftOn(device));
    return left;
  }

  #leftOn({ mirror, index }: Device): string[] {
    const { fleet } = this.#world;
    const left: string[] = [];
    const unstable = [...mirror.slots.values()].filter((slot) => slot.unstable).length;
    if (unstable > 0) left.push(`${unstable} slots are unstable`);
    if (mirror.columns.size > 0) left.push(`${mirror.columns.size} rows of slot_version are left`);
    if (mirror.pins.size > 0) left.push(`${mirror.pins.size} pins are left`);
    const live = mirror.version.filters.filter((filter) => filter.epoch !== 0).length;
    if (live !== 1) left.push(`${live} filter slots are live`);
    for (const { vip, slotCount } of fleet.pools) {
      const row = [...mirror.vips.values()].find((r) => r.address === vip.address && r.port === vip.port);
      if (row?.slotMask !== slotCount - 1) left.push(`the vip ${vip.address} is not served as wanted`);
    }
    if (mirror.vips.size !== fleet.pools.length) left.push(`${mirror.vips.size} vips are served`);
    for (const { backend, address, port } of mirror.backends.values()) {
      if (!fleet.isKnown(`${address}:${port}`)) left.push(`backend ${backend} is left`);
    }
    return left.map((what) => `${what} (switch ${index})`);
  }
}

/** Nothing is under way, and nothing is known to be left to do. */
function isIdle(status: Status): boolean {
  const { phase, waitingFor } = status.change;
  return status.state === 'running' && phase === 'idle' && !waitingFor && status.writes.unsettledRows === 0;
}

function describe(status: Status | undefined): string {
  if (status === undefined) return 'there is none';
  const { phase, waitingFor } = status.change;
  return `${status.state}, ${phase}, ${waitingFor ?? 'waits for nothing'}, ${status.writes.unsettledRows} rows unsettled`;
}
