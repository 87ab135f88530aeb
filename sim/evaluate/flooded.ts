// SPDX-License-Identifier: Apache-2.0
/** A system that is flooded with SYNs between the packets of its flows. */

import type { Millis } from '../../controller/core/event.ts';
import { type Dice, diceOf } from '../kernel/dice.ts';
import type { System, SystemState } from '../rivals/system.ts';
import { FlowHasher, type Vip } from '../workload/flow-hasher.ts';
import type { PacketKind } from '../workload/traffic.ts';
import type { Evenkeel } from './evenkeel.ts';

export interface FloodOptions {
  seed: number;
  vip: Vip;
  /** Into unstable slots only, as long as there are any. */
  isAimed: boolean;
  packetsPerSecond: number;
  fromMs: Millis;
  untilMs: Millis;
  /** The operator drains these servers then: their slots are about to change hands when the flood comes. */
  drained: readonly number[];
  drainAt: Millis;
}

/** One who aims looks this often which slots are unstable. */
const LOOK_MS = 1_000;

export class Flooded implements System {
  readonly name: string;
  /** Sent so far; digests they raised; pins there are for their addresses at the end. */
  packets = 0;
  digests = 0;
  readonly #system: Evenkeel;
  readonly #options: FloodOptions;
  readonly #dice: Dice;
  readonly #hasher: FlowHasher;
  readonly #aim: Aim;
  #sentUntil: Millis;
  #hasDrained = false;
  #targets: readonly number[] = [];
  #lookAt: Millis = 0;

  constructor(system: Evenkeel, options: FloodOptions) {
    this.name = system.name;
    this.#system = system;
    this.#options = options;
    this.#dice = diceOf(options.seed, 'flood');
    this.#hasher = new FlowHasher(options.vip);
    this.#aim = new Aim(options.vip);
    this.#sentUntil = options.fromMs;
  }

  packet(flow: number, kind: PacketKind, now: Millis): number {
    if (!this.#hasDrained && now >= this.#options.drainAt) {
      this.#hasDrained = true;
      this.#system.drain(this.#options.drained, now);
    }
    if (now > this.#options.fromMs) this.#floodUntil(Math.min(now, this.#options.untilMs));
    return this.#system.packet(flow, kind, now);
  }

  get isMisled(): boolean {
    return this.#system.isMisled;
  }

  serverDown(server: number, now: Millis): void {
    this.#system.serverDown(server, now);
  }

  serverUp(server: number, now: Millis): void {
    this.#system.serverUp(server, now);
  }

  reset(flow: number): void {
    this.#system.reset(flow);
  }

  failOver(now: Millis): void {
    this.#system.failOver(now);
  }

  state(now: Millis): SystemState {
    return this.#system.state(now);
  }

  get pinsTaken(): number {
    return this.#system.strangersPinned;
  }

  /** Packets of flows that asked the filters, and how many of them were mistaken for others. */
  get victims(): { packets: number; falsePositives: number } {
    return this.#system.filtered;
  }

  #floodUntil(end: Millis): void {
    const gapMs = 1000 / this.#options.packetsPerSecond;
    while (this.#sentUntil + gapMs <= end) {
      this.#sentUntil += gapMs;
      this.#send(this.#sentUntil);
    }
  }

  #send(now: Millis): void {
    const sourceAddress = this.#dice.integer(0, 0xffffffff);
    let sourcePort = this.#dice.integer(0, 0xffff);
    if (this.#options.isAimed) {
      if (now >= this.#lookAt) {
        this.#targets = this.#system.unstableSlots();
        this.#lookAt = now + LOOK_MS;
      }
      if (this.#targets.length > 0)
        sourcePort = this.#aim.portFor(sourceAddress, this.#dice.pick(this.#targets));
    }
    this.#hasher.hash(sourceAddress, sourcePort);
    this.packets++;
    if (this.#system.strangerSyn(this.#hasher, sourceAddress, sourcePort, now)) this.digests++;
  }
}

/**
 * Finds the port that brings an address into a slot. The CRC is linear: what the port adds to the slot is the same for every
 * address, and each of the 65,536 additions comes from one port.
 */
export class Aim {
  readonly #hasher: FlowHasher;
  readonly #portOf = new Uint16Array(65_536);

  constructor(vip: Vip) {
    this.#hasher = new FlowHasher(vip);
    const none = this.#slotOf(0, 0);
    for (let port = 0; port < 65_536; port++) this.#portOf[this.#slotOf(0, port) ^ none] = port;
  }

  portFor(sourceAddress: number, slot: number): number {
    return this.#portOf[this.#slotOf(sourceAddress, 0) ^ slot]!;
  }

  #slotOf(sourceAddress: number, sourcePort: number): number {
    this.#hasher.hash(sourceAddress, sourcePort);
    return this.#hasher.crc32 & 0xffff;
  }
}
