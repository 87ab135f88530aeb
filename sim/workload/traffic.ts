// SPDX-License-Identifier: Apache-2.0
/**
 * Packets of flows that come and go: Poisson arrivals, measured lengths and sizes. Packets come in batches of columns, in
 * exact order of time; all systems that are compared are given the same batches.
 *
 * A flow sends its SYN, the ACK of the handshake one round trip later, the rest of its packets spread evenly at random over
 * its life, and a FIN as the last. Of the rest a packet is left out if it comes less than `packetGapMs` after the one before:
 * a flow that was seen just now has just been remembered, or served as its table says, and what is left out is what would
 * have told a system of the flow sooner. So whoever must see a flow in order to remember it finds it harder. Who remembers
 * nothing gets away with a table that errs for less than the gap and then returns; servers are away for a minute and more.
 */

import { type Dice, diceOf } from '../kernel/dice.ts';
import type { Vip } from './flow-hasher.ts';
import { FlowTable } from './flow-table.ts';
import type { StepCdf } from './step-cdf.ts';
import { TimingWheel } from './timing-wheel.ts';

export const SYN = 0;
export const ACK = 1;
export const FIN = 2;
export type PacketKind = typeof SYN | typeof ACK | typeof FIN;

export interface TrafficOptions {
  seed: number;
  vip: Vip;
  slotCount: number;
  /** Flows alive at a time, on average. */
  concurrentFlows: number;
  /** Seconds of a flow; packets of a flow, SYN and FIN included. */
  flowSeconds: Pick<StepCdf, 'mean' | 'draw' | 'drawBiased'>;
  packets: (dice: Dice) => number;
  packetGapMs: number;
  roundTripMs: number;
}

/** Columns of packets: when, of which flow, what. The first `count` count. */
export interface Batch {
  count: number;
  readonly at: Float64Array;
  readonly flow: Int32Array;
  readonly kind: Uint8Array;
}

const BATCH_PACKETS = 32_768;
/** Room for more flows than there are on average, and for those that a batch closes. */
const SPARE_SHARE = 0.1;

export class Traffic {
  readonly flows: FlowTable;
  /** Flows opened so far, those of the start included. */
  opened = 0;
  packets = 0;
  readonly batch: Batch = {
    count: 0,
    at: new Float64Array(BATCH_PACKETS),
    flow: new Int32Array(BATCH_PACKETS),
    kind: new Uint8Array(BATCH_PACKETS),
  };
  /** Flows per millisecond. */
  readonly arrivalRate: number;
  readonly #options: TrafficOptions;
  readonly #wheel: TimingWheel;
  readonly #arrivals: Dice;
  readonly #lives: Dice;
  readonly #endsAt: Float64Array;
  /** Packets between the handshake and the FIN still to come; ~ of it before the handshake's ACK. */
  readonly #left: Int32Array;
  #nextArrivalAt: number;
  #initial = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
    const capacity = Math.ceil(options.concurrentFlows * (1 + SPARE_SHARE)) + BATCH_PACKETS / 2;
    this.flows = new FlowTable(capacity, options.vip, options.slotCount);
    this.#wheel = new TimingWheel(capacity);
    this.#endsAt = new Float64Array(capacity);
    this.#left = new Int32Array(capacity);
    this.#arrivals = diceOf(options.seed, 'arrivals');
    this.#lives = diceOf(options.seed, 'lives');
    this.arrivalRate = options.concurrentFlows / (options.flowSeconds.mean * 1000);
    this.#nextArrivalAt = this.#arrivals.exponential(1 / this.arrivalRate);
  }

  /**
   * Fills the batch with SYNs, at time 0, of flows that are in the midst of their lives: what a system has seen that has run
   * for long. To be called until it returns false, before the first `fill`.
   */
  fillInitial(): boolean {
    const { concurrentFlows, flowSeconds, packets, packetGapMs } = this.#options;
    const { batch, flows } = this;
    batch.count = 0;
    const dice = this.#lives;
    while (this.#initial < concurrentFlows && batch.count < BATCH_PACKETS) {
      this.#initial++;
      const flow = flows.open(dice, 0);
      this.opened++;
      const lengthMs = 1000 * flowSeconds.drawBiased(dice);
      const endsAt = lengthMs * dice.next();
      this.#endsAt[flow] = endsAt;
      this.#left[flow] = Math.floor(Math.max(0, packets(dice) - 3) * (endsAt / lengthMs) + dice.next());
      // Its last packet was up to a gap ago.
      this.#planNext(flow, -packetGapMs * dice.next());
      this.#add(0, flow, SYN);
    }
    this.packets += batch.count;
    return batch.count > 0;
  }

  /** Fills the batch with the packets before `end`. @returns whether there may be more of them */
  fill(end: number): boolean {
    const { batch, flows } = this;
    flows.recycle();
    batch.count = 0;
    while (batch.count < BATCH_PACKETS) {
      const flow = this.#wheel.take(Math.min(end, this.#nextArrivalAt));
      if (flow >= 0) this.#send(flow, this.#wheel.dueAt(flow));
      else if (this.#nextArrivalAt < end) this.#arrive(this.#nextArrivalAt);
      else break;
    }
    this.packets += batch.count;
    return batch.count === BATCH_PACKETS;
  }

  #arrive(now: number): void {
    const { flowSeconds, packets, roundTripMs } = this.#options;
    const dice = this.#lives;
    const flow = this.flows.open(dice, now);
    this.opened++;
    const lengthMs = 1000 * flowSeconds.draw(dice);
    this.#endsAt[flow] = now + lengthMs;
    this.#left[flow] = ~Math.max(0, packets(dice) - 3);
    this.#wheel.plan(flow, now + Math.min(roundTripMs, lengthMs / 2));
    this.#add(now, flow, SYN);
    this.#nextArrivalAt = now + this.#arrivals.exponential(1 / this.arrivalRate);
  }

  #send(flow: number, now: number): void {
    if (now >= this.#endsAt[flow]!) {
      this.#add(now, flow, FIN);
      this.flows.close(flow);
      return;
    }
    this.#add(now, flow, ACK);
    if (this.#left[flow]! < 0) this.#left[flow] = ~this.#left[flow]!;
    this.#planNext(flow, now);
  }

  /** Of `left` times spread over the rest of the flow's life, the first one that is not within the gap; else its end. */
  #planNext(flow: number, now: number): void {
    const { packetGapMs } = this.#options;
    const endsAt = this.#endsAt[flow]!;
    const restMs = endsAt - now;
    const left = this.#left[flow]!;
    if (left === 0 || restMs <= packetGapMs) {
      this.#wheel.plan(flow, endsAt);
      return;
    }
    const dice = this.#lives;
    // Where a hundred are due within the gap, the first one is for certain.
    const isDense = left * packetGapMs > 100 * restMs;
    let waitMs = isDense ? 0 : restMs * (1 - (1 - dice.next()) ** (1 / left));
    if (waitMs >= packetGapMs) {
      this.#left[flow] = left - 1;
    } else {
      waitMs = packetGapMs;
      const later = Math.floor(left * (1 - packetGapMs / restMs) + dice.next());
      this.#left[flow] = Math.min(left - 1, later);
    }
    this.#wheel.plan(flow, Math.max(0, now + waitMs));
  }

  #add(at: number, flow: number, kind: PacketKind): void {
    const { batch } = this;
    const i = batch.count++;
    batch.at[i] = at;
    batch.flow[i] = flow;
    batch.kind[i] = kind;
  }
}
