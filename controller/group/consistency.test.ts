// SPDX-License-Identifier: Apache-2.0
/**
 * I1 across a group: the controller's core, switches that decide as p4/core does, clients behind ECMP. Switches are cut
 * off from the controller while they go on carrying traffic, withdrawn, restarted; flows move from one to another. A
 * connection stays with its server all the same.
 */
import { expect, it } from 'vitest';
import { createState, step } from '../core/controller.ts';
import type { DesiredBackend } from '../core/desired.ts';
import type { Event } from '../core/event.ts';
import type { Flow } from '../core/flow-hash.ts';
import { engineDefaults } from '../core/options.ts';
import { Dice } from '../core/testing/dice.ts';
import type { Packet } from '../core/testing/model-switch.ts';
import { backend, desired, pool, VIP } from '../core/testing/rig.ts';
import { Bench } from './testing/bench.ts';
import type { FakeSwitch } from './testing/fake-switch.ts';

const tickMs = 100;
const sessionTimeoutMs = 60_000;
const options = { ...engineDefaults };

/** cut: without a controller, but with traffic. withdrawn: without traffic. */
type Carriage = 'carrying' | 'cut' | 'withdrawn';

interface Connection {
  flow: Flow;
  through: FakeSwitch;
  server: number;
  openedAt: number;
  isEstablished: boolean;
  sendsAt: number;
}

class World {
  readonly bench: Bench;
  readonly dice: Dice;
  readonly carriage = new Map<FakeSwitch, Carriage>();
  connections: Connection[] = [];
  broken = 0;
  moved = 0;
  pinned = 0;
  private state = createState();
  private wakeAt = Number.POSITIVE_INFINITY;
  private nextPort = 1_024;
  private backends: DesiredBackend[] = [1, 2, 3, 4].map((number) => backend(number));

  constructor(seed: number, switches: number) {
    this.dice = new Dice(seed);
    this.bench = new Bench(
      Array.from({ length: switches }, () => ({})),
      { joinBatch: 16, joinUpdatesInFlight: 32, joinTailRows: 16 },
    );
    for (const target of this.bench.switches) this.carriage.set(target, 'carrying');
    this.want();
    this.bench.connectAll();
    for (let turn = 0; turn < 50; turn++) this.tick(false);
    expect(this.bench.switches[0]!.model.count('vip')).toBe(1);
  }

  get now(): number {
    return this.bench.clock.now();
  }

  /** One server more or less; those that leave are drained. */
  change(): void {
    const number = this.dice.integer(1, 8);
    const others = this.backends.filter(({ name }) => name !== `b${number}`);
    const isThere = others.length < this.backends.length;
    if (isThere && others.length >= 3) this.backends = others;
    else if (!isThere) this.backends = [...others, backend(number)];
    this.want();
  }

  cut(target: FakeSwitch): void {
    if (!target.isConnected) return;
    target.disconnect(this.dice.integer(0, 2));
    this.carriage.set(target, 'cut');
  }

  withdraw(target: FakeSwitch): void {
    const others = this.carrying().filter((other) => other !== target);
    if (others.length === 0) return;
    this.carriage.set(target, 'withdrawn');
    // A handshake under way may start over elsewhere; that is no connection yet.
    this.connections = this.connections.filter(
      ({ through, isEstablished }) => through !== target || isEstablished,
    );
    for (const connection of this.connections)
      if (connection.through === target) connection.through = this.dice.pick(others);
  }

  restart(target: FakeSwitch): void {
    this.withdraw(target);
    if (this.carriage.get(target) === 'withdrawn') target.restart();
  }

  carrying(): FakeSwitch[] {
    return this.bench.switches.filter((target) => this.carriage.get(target) === 'carrying');
  }

  tick(hasTraffic = true): void {
    const { bench, dice } = this;
    bench.clock.pass(tickMs);
    for (const target of bench.switches) for (let write = 0; write < 3; write++) target.answer();
    bench.switches.forEach((target, i) => {
      if (bench.states()[i] === 'participating') this.carriage.set(target, 'carrying');
    });
    if (hasTraffic) this.traffic();
    if (this.now % 1_000 === 0)
      for (const target of bench.switches) {
        if (!target.isConnected) continue;
        for (const { pool: id, sourceAddress, sourcePort } of target.model.idlePins(this.now))
          target.tell({ kind: 'pin-idle', pool: id, sourceAddress, sourcePort });
      }
    if (hasTraffic && dice.chance(0.02)) this.move();
    this.control();
  }

  private traffic(): void {
    const { dice } = this;
    const entries = this.bench.switches.filter((target) => this.carriage.get(target) !== 'withdrawn');
    if (dice.chance(0.2)) this.open(dice.pick(entries));
    for (const connection of this.connections) {
      if (connection.sendsAt > this.now) continue;
      connection.isEstablished = true;
      if (this.send(connection, 'ack') !== connection.server) this.broken++;
      connection.sendsAt = this.now + dice.between(200, dice.chance(0.05) ? 40_000 : 4_000);
    }
    this.connections = this.connections.filter(() => !dice.chance(0.0005));
  }

  private open(through: FakeSwitch): void {
    const flow = {
      sourceAddress: 0x0b00_0001,
      sourcePort: this.nextPort++,
      targetAddress: VIP.address,
      targetPort: VIP.port,
      protocol: 6,
    };
    const sendsAt = this.now + tickMs;
    const connection = { flow, through, server: 0, openedAt: this.now, isEstablished: false, sendsAt };
    connection.server = this.send(connection, 'syn');
    // The pool is not there yet, after a restart of everything.
    if (connection.server !== 0) this.connections.push(connection);
  }

  private send({ flow, through }: Connection, flags: Packet['flags']): number {
    const { backend: server, digest } = through.model.process({ flow, flags }, this.now);
    if (digest && through.isConnected) through.tell({ kind: 'flow-digest', ...digest });
    return server;
  }

  /** ECMP sends a connection through another switch. */
  private move(): void {
    const isOld = ({ openedAt, isEstablished, through }: Connection): boolean =>
      isEstablished && this.now - openedAt > 5_000 && this.carriage.get(through) === 'carrying';
    const movable = this.connections.filter(isOld);
    if (movable.length === 0) return;
    this.dice.pick(movable).through = this.dice.pick(this.carrying());
    this.moved++;
  }

  private want(): void {
    this.handle({
      kind: 'desired',
      now: this.now,
      desired: desired(pool(this.backends, { slotCount: 64, sessionTimeoutMs })),
    });
  }

  private control(): void {
    for (const event of this.bench.events()) this.handle({ ...event, now: this.now } as Event);
    if (this.wakeAt > this.now) return;
    this.wakeAt = Number.POSITIVE_INFINITY;
    this.handle({ kind: 'tick', now: this.now });
  }

  private handle(event: Event): void {
    const { state, effects } = step(this.state, event, options);
    this.state = state;
    for (const effect of effects) {
      if (effect.kind === 'write') this.bench.group.write(effect.write, effect.updates);
      if (effect.kind === 'wake') this.wakeAt = effect.at;
    }
    this.pinned = Math.max(this.pinned, this.state.pins.size);
  }

  get commits(): number {
    return this.state.commits.length;
  }
}

/** @param outage  what happens to a switch every now and then, for at most two thirds of the session timeout */
function run(seed: number, switches: number, outage: (world: World, target: FakeSwitch) => void): World {
  const world = new World(seed, switches);
  const { dice, bench } = world;
  let changesAt = world.now + 3_000;
  let failsAt = world.now + 8_000;
  let backAt = Number.POSITIVE_INFINITY;
  for (const end = world.now + 600_000; world.now < end; ) {
    if (world.now >= changesAt) {
      world.change();
      changesAt = world.now + dice.between(3_000, 25_000);
    }
    if (world.now >= failsAt) {
      outage(world, dice.pick(bench.switches));
      backAt = world.now + dice.between(500, 40_000);
      failsAt = backAt + dice.between(20_000, 90_000);
    }
    if (world.now >= backAt) {
      for (const target of bench.switches) if (!target.isConnected) target.connect();
      backAt = Number.POSITIVE_INFINITY;
    }
    world.tick();
  }
  return world;
}

it.each<[what: string, outage: (world: World, target: FakeSwitch) => void]>([
  ['are cut off from the controller and go on carrying traffic', (world, target) => world.cut(target)],
  [
    'are withdrawn when they are cut off',
    (world, target) => {
      world.cut(target);
      world.withdraw(target);
    },
  ],
  ['are restarted blank', (world, target) => world.restart(target)],
])('keeps every connection when switches %s', (_, outage) => {
  const worlds = [1, 2, 3, 4].map((seed) => run(seed, 3, outage));
  expect(worlds.map(({ broken }) => broken)).toEqual([0, 0, 0, 0]);
  const sum = (of: (world: World) => number): number => worlds.reduce((all, world) => all + of(world), 0);
  expect(sum(({ moved }) => moved)).toBeGreaterThan(100);
  expect(sum(({ pinned }) => pinned)).toBeGreaterThan(50);
  expect(sum(({ commits }) => commits)).toBeGreaterThan(20);
});

it('breaks connections when a switch comes back later than promised: the test above would see it', () => {
  const world = run(1, 3, () => {});
  expect(world.broken).toBe(0);
  const [away] = world.bench.switches;
  world.cut(away!);
  for (let turn = 0; turn < 3_000; turn++) {
    if (turn % 200 === 0) world.change();
    world.tick();
  }
  away!.connect();
  for (let turn = 0; turn < 600; turn++) world.tick();
  expect(world.broken).toBeGreaterThan(0);
});
