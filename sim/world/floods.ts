// SPDX-License-Identifier: Apache-2.0
/** SYNs that nobody means: their senders never answer. They come from addresses that no client has. */
import { flowHash } from '../../controller/core/flow-hash.ts';
import type { SlotRow } from '../../controller/core/row.ts';
import type { Dice } from '../kernel/dice.ts';
import type { SimClock } from '../kernel/sim-clock.ts';
import { tcpProtocol } from './client.ts';
import type { Device } from './device.ts';
import type { Faults } from './faults.ts';
import type { Fleet } from './fleet.ts';
import type { Judge } from './judge.ts';

export interface FloodsWorld {
  clock: SimClock;
  faults(): Faults;
  fleet: Fleet;
  judge: Judge;
  devices: readonly Device[];
  dice: Dice;
}

const firstSource = 0x0c000000;
/** Who aims tries so many source ports; that hits one of 65,536 slots rarely, and one of 32 nearly always. */
const aimLimit = 100;

export class Floods {
  packets = 0;
  readonly #world: FloodsWorld;

  constructor(world: FloodsWorld) {
    this.#world = world;
  }

  start(): void {
    this.#flood('floodPerSecond', () => this.#send(undefined));
    this.#flood('aimedFloodPerSecond', () => {
      const device = this.#world.dice.pick(this.#world.devices);
      const unstable = [...device.mirror.slots.values()].filter((slot) => slot.unstable);
      if (unstable.length > 0) this.#send(this.#world.dice.pick(unstable));
    });
  }

  #flood(name: 'floodPerSecond' | 'aimedFloodPerSecond', send: () => void): void {
    const { clock, dice, faults } = this.#world;
    const perSecond = faults()[name];
    if (perSecond === 0) return;
    clock.after(dice.exponential(1_000 / perSecond), () => {
      if (faults()[name] === 0) return;
      send();
      this.#flood(name, send);
    });
  }

  #send(aim: SlotRow | undefined): void {
    const { clock, dice, fleet, judge, devices } = this.#world;
    const device = dice.pick(devices);
    const vip = aim === undefined ? undefined : device.mirror.vipOfPool(aim.pool);
    const tcp = fleet.pools.find((pool) => pool.vip.protocol === 'tcp')!;
    if (vip && vip.protocol !== tcpProtocol) return;
    const flow = {
      sourceAddress: firstSource + this.packets++,
      sourcePort: dice.integer(1_024, 60_000),
      targetAddress: vip?.address ?? tcp.vip.address,
      targetPort: vip?.port ?? tcp.vip.port,
      protocol: tcpProtocol,
    };
    for (let tries = 0; aim && vip && tries < aimLimit; tries++) {
      if (flowHash(flow, vip.slotMask).slot === aim.slot) break;
      flow.sourcePort++;
    }
    judge.floodSources.add(flow.sourceAddress);
    device.process({ flow, flags: 'syn' }, clock.now());
  }
}
