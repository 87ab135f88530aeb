// SPDX-License-Identifier: Apache-2.0
/** A controller on a model switch that does at once what it is told: for tests of one rule at a time. */

import { createState, step } from '../controller.ts';
import { type Desired, type DesiredBackend, type DesiredPool, PLAIN_POOL } from '../desired.ts';
import type { Effect, Event, WriteFailureCode } from '../event.ts';
import { type Flow, flowHash } from '../flow-hash.ts';
import type { State } from '../model.ts';
import { type EngineOptions, engineDefaults } from '../options.ts';
import type { Row, RowUpdate } from '../row.ts';
import { ModelSwitch, type Packet, type Verdict } from './model-switch.ts';

export type EventBody = Event extends infer E ? (E extends Event ? Omit<E, 'now'> : never) : never;

export class Rig {
  readonly switch = new ModelSwitch({ filters: 'perfect', capacity: {} });
  state: State = createState();
  now = 0;
  /** Since last taken by `takeUpdates`. */
  updates: RowUpdate[] = [];
  effects: Effect[] = [];
  /** Writes are kept here unanswered while true. */
  isHolding = false;
  /** What the switch answers to an update instead of doing it. */
  refuse: (update: RowUpdate) => WriteFailureCode | undefined = () => undefined;
  readonly #options: EngineOptions;
  #held: Extract<Effect, { kind: 'write' }>[] = [];
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(options: Partial<EngineOptions> = {}) {
    this.#options = { ...engineDefaults, tcpSettleMs: 0, ...options };
  }

  /** A controller that wants this, connected to the switch as it is. */
  start(desired: Desired): this {
    this.state = createState();
    this.want(desired);
    this.connect();
    return this;
  }

  want(desired: Desired): void {
    this.send({ kind: 'desired', desired: structuredClone(desired) });
  }

  connect(): void {
    this.send({ kind: 'connected', rows: this.switch.read() });
  }

  send(event: EventBody): void {
    const { state, effects } = step(this.state, { ...event, now: this.now } as Event, this.#options);
    this.state = state;
    this.effects.push(...effects);
    for (const effect of effects) {
      if (effect.kind === 'wake') this.#wakeAt = effect.at;
      else if (effect.kind === 'write') this.#held.push(effect);
    }
    if (!this.isHolding) this.answerAll();
  }

  answerAll(): void {
    for (let held = this.#held.shift(); held; held = this.#held.shift()) {
      const failures = held.updates.flatMap((update, index) => {
        this.updates.push(update);
        const code = this.refuse(update) ?? this.switch.apply(update, this.now);
        return code ? [{ index, code, message: `made up: ${code}` }] : [];
      });
      this.send({ kind: 'written', write: held.write, failures });
    }
  }

  /** Lets time pass, with every tick that was asked for. */
  pass(ms: number): void {
    const end = this.now + ms;
    while (this.#wakeAt <= end) {
      this.now = Math.max(this.now, this.#wakeAt);
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.send({ kind: 'tick' });
    }
    this.now = end;
  }

  /** Forwards a packet; its digest reaches the controller at once. */
  packet(flow: Flow, flags: Packet['flags']): Verdict {
    const verdict = this.switch.process({ flow, flags }, this.now);
    if (verdict.digest) this.send({ kind: 'flow-digest', ...verdict.digest });
    return verdict;
  }

  takeUpdates(): RowUpdate[] {
    return this.updates.splice(0);
  }

  rows<T extends Row['table']>(table: T): Extract<Row, { table: T }>[] {
    return this.switch.read().filter((row): row is Extract<Row, { table: T }> => row.table === table);
  }

  unstableSlots(): number {
    return this.rows('slot').filter((row) => row.unstable).length;
  }

  logged(level: 'info' | 'warn'): string[] {
    return this.effects.flatMap((effect) =>
      effect.kind === 'log' && effect.level === level ? [effect.message] : [],
    );
  }
}

/** Of `pool`. */
export const SESSION_TIMEOUT_MS = 60_000;

export const VIP = { address: 0x0a630001, protocol: 'tcp', port: 80 } as const;

export function backend(number: number, changes: Partial<DesiredBackend> = {}): DesiredBackend {
  const name = `b${number}`;
  return { name, address: 0x0a000000 + number, port: 8080, weight: 100, state: 'active', ...changes };
}

export function pool(backends: readonly DesiredBackend[], changes: Partial<DesiredPool> = {}): DesiredPool {
  return {
    name: 'web',
    vip: VIP,
    ...PLAIN_POOL,
    slotCount: 16,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    placement: 'sticky',
    backends: [...backends],
    ...changes,
  };
}

export function desired(...pools: DesiredPool[]): Desired {
  return { pools, interfaces: [], routes: [], neighbours: [] };
}

export const three: readonly DesiredBackend[] = [backend(1), backend(2), backend(3)];
export const four: readonly DesiredBackend[] = [...three, backend(4)];

/** A switch that serves a pool of three, and what was written for that forgotten. */
export function filled(options: Partial<EngineOptions> = {}): Rig {
  const rig = new Rig(options).start(desired(pool(three)));
  rig.takeUpdates();
  return rig;
}

/** A flow to the VIP that falls into this slot. */
export function flowInSlot(slot: number, slotCount = 16, skip = 0): Flow {
  let left = skip;
  for (let port = 1_024; ; port++) {
    const flow = {
      sourceAddress: 0x0b000001,
      sourcePort: port,
      targetAddress: VIP.address,
      targetPort: 80,
      protocol: 6,
    };
    if (flowHash(flow, slotCount - 1).slot === slot && left-- === 0) return flow;
  }
}
