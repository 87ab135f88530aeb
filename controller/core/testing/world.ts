// SPDX-License-Identifier: Apache-2.0
/**
 * A controller, a model switch, clients and an operator under one seed and one simulated clock. Writes are delayed,
 * reordered where they touch different rows, failed and half applied; digests are lost, delayed and doubled; the
 * controller crashes and the stream breaks. What must always hold is checked at every packet and at every row.
 */

import { createState, step } from '../controller.ts';
import type { BackendState, Desired, DesiredBackend, DesiredPool, Placement } from '../desired.ts';
import type { Event, WriteFailure, WriteFailureCode } from '../event.ts';
import { type Flow, flowHash } from '../flow-hash.ts';
import type { State } from '../model.ts';
import { type EngineOptions, engineDefaults } from '../options.ts';
import type { RowUpdate } from '../row.ts';
import { Dice } from './dice.ts';
import { type Digest, keyOf, ModelSwitch, type ModelSwitchOptions, type Packet } from './model-switch.ts';

export interface WorldOptions {
  seed: number;
  placement: Placement;
  durationMs: number;
  sessionTimeoutMs: number;
  /** What the controller believes it to be; another number is a lie that must be found out. */
  toldSessionTimeoutMs: number | undefined;
  engine: Partial<EngineOptions>;
  model: ModelSwitchOptions;
  /** Per update. */
  writeDelayMs: readonly [number, number];
  writeFailureRate: number;
  /** The controller is told that a write has happened long before it has. */
  liesAboutWrites: boolean;
  digestDelayMs: readonly [number, number];
  digestLossRate: number;
  /** No digest ever arrives, however often the flow sends. */
  isDeafToDigests: boolean;
  digestDoubleRate: number;
  flowsPerSecond: number;
  floodPerSecond: number;
  operationEveryMs: readonly [number, number];
  operations: readonly Operation[];
}

export type Operation =
  | 'add'
  | 'remove'
  | 'drain'
  | 'kill'
  | 'revive'
  | 'reweigh'
  | 'flap'
  | 'burst'
  | 'crash'
  | 'disconnect'
  | 'remove pool';

export interface Violation {
  invariant: 'I1 consistency' | 'I2 statelessness' | 'I3 bounded state' | 'I4 atomicity' | 'convergence';
  at: number;
  message: string;
}

export const worldDefaults: WorldOptions = {
  seed: 1,
  placement: 'sticky',
  durationMs: 90_000,
  sessionTimeoutMs: 10_000,
  toldSessionTimeoutMs: undefined,
  engine: {
    rotationMs: 3_000,
    quarantineMs: 5_000,
    fillLimit: 60,
    tcpSettleMs: 1_000,
    udpSettleMs: 1_000,
    closingTimeoutMs: 3_000,
    mergeBatch: 7,
    writeBatch: 5,
    maxUpdatesInFlight: 40,
    changeRetryMs: 1_000,
    retryMaxMs: 1_000,
  },
  model: { filters: 'perfect', capacity: {} },
  writeDelayMs: [1, 60],
  writeFailureRate: 0.02,
  liesAboutWrites: false,
  digestDelayMs: [1, 300],
  digestLossRate: 0.1,
  isDeafToDigests: false,
  digestDoubleRate: 0.1,
  flowsPerSecond: 6,
  floodPerSecond: 1,
  operationEveryMs: [200, 6_000],
  operations: ['add', 'remove', 'drain', 'kill', 'revive', 'reweigh', 'flap', 'burst', 'crash', 'disconnect'],
};

interface Client {
  flow: Flow;
  isUdp: boolean;
  /** Where its first packet went, address:port; undefined: nowhere yet. */
  endpoint: string | undefined;
  /** The pool that served its vip then. */
  pool: number | undefined;
  /** Its server died, or its vip was taken away: nobody can save it. */
  isLost: boolean;
  packetsLeft: number;
  /** No packet is promised to be remembered after a longer silence than this. */
  maxGapMs: number;
  digestsLost: number;
}

interface PendingUpdate {
  update: RowUpdate;
  finish: (applied: boolean) => void;
}

const TCP = 6;
const UDP = 17;
const SETTLE_MS = 120_000;
const MIN_DOWN_MS = 4_000;
const REVIVAL_MS = 3_000;

export class World {
  readonly options: WorldOptions;
  readonly violations: Violation[] = [];
  readonly stats = {
    packets: 0,
    flows: 0,
    digests: 0,
    maxPins: 0,
    crashes: 0,
    commits: 0,
    rewrites: 0,
    pinned: 0,
    unstablePackets: 0,
    admitted: 0,
    udpPackets: 0,
  };
  readonly switch: ModelSwitch;
  state: State = createState();
  now = 0;

  readonly #dice: Dice;
  readonly #engine: EngineOptions;
  #queue: { at: number; order: number; run: () => void }[] = [];
  #order = 0;
  /** Counts crashes and broken streams: what was under way before them reaches nobody. */
  #generation = 0;
  #isConnected = false;
  #pending = new Map<number, PendingUpdate>();
  #lastWriteOfRow = new Map<string, number>();
  #nextPending = 0;
  #pools: DesiredPool[];
  #nextAddress = 1;
  #nextClient = 1;
  #clients = new Set<Client>();
  #downUntil = new Map<DesiredBackend, number>();
  #floodSources = new Set<number>();
  #isQuiet = false;

  constructor(options: Partial<WorldOptions> = {}) {
    this.options = { ...worldDefaults, ...options, engine: { ...worldDefaults.engine, ...options.engine } };
    this.#engine = { ...engineDefaults, ...this.options.engine };
    this.#dice = new Dice(this.options.seed);
    this.switch = new ModelSwitch(this.options.model);
    this.#pools = [this.#pool('web', 'tcp', 16, 80), this.#pool('dns', 'udp', 8, 53)];
  }

  /** Runs the whole story: turmoil, then quiet, then the last checks. */
  run(): this {
    this.#deliver({ kind: 'desired', now: 0, desired: this.#desired() });
    this.#connect();
    this.#after(2_000, () => this.#clientsArrive());
    this.#after(2_500, () => this.#operate());
    this.#every(500, () => this.#look());
    this.#every(1_000, () => this.#reportIdlePins());
    this.#every(1_000, () =>
      this.#hear(this.#generation, { kind: 'admitted', now: this.now, flows: this.stats.admitted }),
    );
    this.#runUntil(this.options.durationMs);
    this.#isQuiet = true;
    if (!this.#isConnected) this.#connect();
    this.#runUntil(this.options.durationMs + SETTLE_MS);
    this.#checkConvergence();
    return this;
  }

  // The controller and its connection.

  #deliver(event: Event): void {
    const { state, effects } = step(this.state, event, this.#engine);
    this.state = state;
    const generation = this.#generation;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'write':
          this.#write(effect.write, effect.updates);
          break;
        case 'wake':
          this.#at(effect.at, () => this.#hear(generation, { kind: 'tick', now: this.now }));
          break;
        case 'log':
          if (effect.message.startsWith('committed')) this.stats.commits++;
          if (effect.message.startsWith('rows of dead')) this.stats.rewrites++;
          break;
        case 'solicit':
          break;
      }
    }
  }

  #hear(generation: number, event: Event): void {
    if (generation === this.#generation && this.#isConnected) this.#deliver({ ...event, now: this.now });
  }

  #connect(): void {
    this.#isConnected = true;
    this.#deliver({ kind: 'connected', now: this.now, rows: this.switch.read() });
  }

  #disconnect(): void {
    this.#isConnected = false;
    this.#generation++;
    // What was on its way arrives or not; nobody will say.
    for (const { update, finish } of [...this.#pending.values()]) {
      if (this.#dice.chance(0.5)) this.#apply(update);
      finish(false);
    }
    this.#pending.clear();
    this.#lastWriteOfRow.clear();
  }

  #write(write: number, updates: readonly RowUpdate[]): void {
    const generation = this.#generation;
    const failures: WriteFailure[] = [];
    let left = updates.length;
    const inFlight = this.state.ledger.updatesInFlight;
    if (inFlight > this.#engine.maxUpdatesInFlight)
      this.#violate('I3 bounded state', `${inFlight} in flight`);
    const done = (): void => {
      if (--left > 0 || this.options.liesAboutWrites) return;
      this.#after(this.#dice.between(0, 20), () =>
        this.#hear(generation, { kind: 'written', now: this.now, write, failures }),
      );
    };
    updates.forEach((update, index) => {
      const key = keyOf(update.row);
      const soonest = this.now + this.#dice.between(...this.options.writeDelayMs);
      const at = Math.max(soonest, (this.#lastWriteOfRow.get(key) ?? 0) + 0.001);
      this.#lastWriteOfRow.set(key, at);
      const id = this.#nextPending++;
      const finish = (wasAnswered: boolean): void => {
        this.#pending.delete(id);
        if (wasAnswered) done();
      };
      this.#pending.set(id, { update, finish });
      this.#at(at, () => {
        if (!this.#pending.has(id)) return;
        const code = this.#tryApply(update);
        if (code) failures.push({ index, code, message: `made up: ${code}` });
        finish(true);
      });
    });
    if (this.options.liesAboutWrites) {
      this.#after(1, () => this.#hear(generation, { kind: 'written', now: this.now, write, failures: [] }));
    }
  }

  #tryApply(update: RowUpdate): WriteFailureCode | undefined {
    if (!this.#isQuiet && this.#dice.chance(this.options.writeFailureRate)) {
      if (this.#dice.chance(0.3)) return 'rejected';
      if (this.#dice.chance(0.5)) this.#apply(update);
      return 'unavailable';
    }
    return this.#apply(update);
  }

  #apply(update: RowUpdate): WriteFailureCode | undefined {
    const { row } = update;
    if (row.table !== 'slot' && row.table !== 'slot_version') return this.switch.apply(update, this.now);
    const before = this.switch.backendOfNewFlow(row.pool, row.slot);
    const code = this.switch.apply(update, this.now);
    const after = this.switch.backendOfNewFlow(row.pool, row.slot);
    if (before !== after && this.#isServing(row.pool) && this.#isAlive(this.#endpointOf(before))) {
      this.#violate(
        'I4 atomicity',
        `new flows of slot ${row.pool}/${row.slot} moved from ${before} to ${after} without a commit`,
      );
    }
    return code;
  }

  // The clients.

  #clientsArrive(): void {
    const { flowsPerSecond, floodPerSecond } = this.options;
    if (this.#isQuiet) return;
    const perSecond = flowsPerSecond + floodPerSecond;
    if (this.#dice.next() * perSecond < floodPerSecond) this.#flood();
    else this.#open();
    this.#after(this.#dice.between(0, 2_000 / perSecond), () => this.#clientsArrive());
  }

  #open(): void {
    const pool = this.#dice.pick(this.#pools);
    const isUdp = pool.vip.protocol === 'udp';
    const client: Client = {
      flow: this.#newFlow(pool),
      isUdp,
      endpoint: undefined,
      pool: undefined,
      isLost: false,
      packetsLeft: this.#dice.integer(2, 14),
      maxGapMs: isUdp ? this.#engine.udpSettleMs * 0.9 : this.options.sessionTimeoutMs,
      digestsLost: 0,
    };
    if (isUdp) client.packetsLeft *= 3;
    this.#clients.add(client);
    this.stats.flows++;
    this.#send(client, 'syn');
    const handshakeMs = this.#dice.between(1, isUdp ? client.maxGapMs / 2 : 700);
    if (!isUdp && this.#dice.chance(0.2)) this.#after(handshakeMs, () => this.#send(client, 'syn'));
    this.#after(handshakeMs * 2, () => this.#talk(client));
  }

  #flood(): void {
    const flow = this.#newFlow(this.#pools[0]!);
    this.#floodSources.add(flow.sourceAddress);
    this.#process({ flow, flags: 'syn' });
  }

  #talk(client: Client): void {
    if (client.packetsLeft === 0 || client.endpoint === undefined) {
      if (client.endpoint !== undefined && !client.isUdp) this.#send(client, 'fin');
      this.#clients.delete(client);
      return;
    }
    client.packetsLeft--;
    this.#send(client, 'ack');
    const isLong = this.#dice.chance(0.3);
    const gapMs = this.#dice.between(1, isLong ? client.maxGapMs : Math.min(800, client.maxGapMs));
    this.#after(gapMs, () => this.#talk(client));
  }

  #send(client: Client, flags: Packet['flags']): void {
    const { backend, digest } = this.#process({ flow: client.flow, flags });
    const endpoint = this.#endpointOf(backend);
    if (client.endpoint === undefined) {
      // Nobody answers: no connection comes about, and the client gives up.
      if (endpoint === undefined || !this.#isAlive(endpoint)) client.packetsLeft = 0;
      else client.endpoint = endpoint;
      client.pool = this.#poolOf(client.flow);
    } else if (client.pool !== this.#poolOf(client.flow)) {
      // Its pool was removed, though another may serve the same vip now.
      this.#lose(client);
    } else if (endpoint !== client.endpoint && !client.isLost) {
      client.isLost = true;
      const { sourceAddress, sourcePort } = client.flow;
      this.#violate(
        'I1 consistency',
        `${client.isUdp ? 'udp' : 'tcp'} flow ${sourceAddress}:${sourcePort} moved from ${client.endpoint} to ${endpoint}`,
      );
    }
    if (digest) this.#raise(client, digest);
  }

  #raise(client: Client, digest: Digest): void {
    this.stats.digests++;
    const generation = this.#generation;
    const event: Event = { kind: 'flow-digest', now: 0, ...digest };
    const arrive = (): void => this.#hear(generation, event);
    if (this.options.isDeafToDigests) return;
    if (this.#dice.chance(this.options.digestLossRate) && client.digestsLost < 2) {
      // A lost digest is no harm as long as the flow sends again soon.
      client.digestsLost++;
      this.#after(this.#dice.between(1, 400), () => {
        if (this.#clients.has(client)) this.#send(client, 'ack');
      });
      return;
    }
    client.digestsLost = 0;
    this.#after(this.#dice.between(...this.options.digestDelayMs), arrive);
    if (this.#dice.chance(this.options.digestDoubleRate)) this.#after(this.#dice.between(1, 1_500), arrive);
  }

  #process(packet: Packet): { backend: number; digest: Digest | undefined } {
    this.stats.packets++;
    const verdict = this.switch.process(packet, this.now);
    if (packet.flow.protocol === UDP) this.stats.udpPackets++;
    if (verdict.decision === 'new') this.stats.admitted++;
    if (verdict.decision === 'pinned') this.stats.pinned++;
    else if (verdict.decision !== 'stable') this.stats.unstablePackets++;
    return verdict;
  }

  #newFlow(pool: DesiredPool): Flow {
    return {
      sourceAddress: 0x0b000000 + this.#nextClient++,
      sourcePort: this.#dice.integer(1_024, 65_535),
      targetAddress: pool.vip.address,
      targetPort: pool.vip.port,
      protocol: pool.vip.protocol === 'tcp' ? TCP : UDP,
    };
  }

  #reportIdlePins(): void {
    for (const { pool, sourceAddress, sourcePort } of this.switch.idlePins(this.now)) {
      this.#hear(this.#generation, { kind: 'pin-idle', now: this.now, pool, sourceAddress, sourcePort });
    }
  }

  // The operator, and fate.

  #operate(): void {
    if (this.#isQuiet) return;
    const operation = this.#dice.pick(this.options.operations);
    const pool = this.#dice.pick(this.#pools);
    const backend = this.#dice.pick(pool.backends);
    switch (operation) {
      case 'add':
        if (pool.backends.length < 6) this.#setBackends(pool, [...pool.backends, this.#backend()]);
        break;
      case 'remove':
        if (pool.backends.length > 1 && backend.state !== 'down') {
          this.#setBackends(
            pool,
            pool.backends.filter((b) => b !== backend),
          );
        }
        break;
      case 'drain':
        if (backend.state !== 'down')
          this.#setState(pool, backend, backend.state === 'active' ? 'draining' : 'active');
        break;
      case 'kill':
        if (pool.backends.filter((b) => b.state === 'active').length > 1)
          this.#setState(pool, backend, 'down');
        break;
      case 'revive':
        if (backend.state === 'down' && this.now > this.#downUntil.get(backend)!)
          this.#setState(pool, backend, 'active');
        break;
      case 'reweigh':
        this.#reweigh(pool, backend, this.#dice.pick([0, 1, 50, 99, 100, 200]));
        break;
      case 'flap':
        this.#reweigh(pool, backend, 0);
        this.#after(this.#dice.between(1, 3_000), () => this.#reweigh(pool, backend, 100));
        break;
      case 'burst':
        for (let i = 0; i < 5; i++) {
          this.#after(this.#dice.between(0, 300), () =>
            this.#reweigh(pool, this.#dice.pick(pool.backends), this.#dice.pick([50, 100, 150])),
          );
        }
        break;
      case 'crash':
        this.stats.crashes++;
        this.#breakFor(this.#dice.between(1, 5_000), true);
        break;
      case 'disconnect':
        this.#breakFor(this.#dice.between(1, 5_000), false);
        break;
      case 'remove pool':
        this.#replacePool();
        break;
    }
    this.#after(this.#dice.between(...this.options.operationEveryMs), () => this.#operate());
  }

  #breakFor(ms: number, isCrash: boolean): void {
    if (!this.#isConnected) return;
    this.#disconnect();
    if (isCrash) {
      this.state = createState();
      this.#deliver({ kind: 'desired', now: this.now, desired: this.#desired() });
    } else {
      this.#deliver({ kind: 'disconnected', now: this.now });
    }
    const generation = this.#generation;
    this.#after(ms, () => {
      if (generation === this.#generation && !this.#isConnected) this.#connect();
    });
  }

  #reweigh(pool: DesiredPool, backend: DesiredBackend, weight: number): void {
    if (!pool.backends.includes(backend)) return;
    backend.weight = weight;
    this.#tellDesired();
  }

  #setState(pool: DesiredPool, backend: DesiredBackend, state: BackendState): void {
    if (!pool.backends.includes(backend)) return;
    // The last row that still names it may be rewritten only now: who connects meanwhile takes a chance.
    if (backend.state === 'down') this.#downUntil.set(backend, this.now + REVIVAL_MS);
    backend.state = state;
    if (state === 'down') {
      this.#downUntil.set(backend, this.now + MIN_DOWN_MS);
      const endpoint = endpointOf(backend);
      for (const client of this.#clients) if (client.endpoint === endpoint) this.#lose(client);
    }
    this.#tellDesired();
  }

  /** Its client does not know yet, and sends a little more. */
  #lose(client: Client): void {
    client.isLost = true;
    client.packetsLeft = Math.min(client.packetsLeft, 2);
  }

  #setBackends(pool: DesiredPool, backends: DesiredBackend[]): void {
    pool.backends = backends;
    this.#tellDesired();
  }

  #replacePool(): void {
    const old = this.#pools[0]!;
    for (const client of this.#clients) if (client.flow.targetAddress === old.vip.address) this.#lose(client);
    this.#pools[0] = this.#pool(`web ${this.now}`, 'tcp', this.#dice.pick([8, 16, 32]), 80);
    if (this.#dice.chance(0.5)) this.#pools[0].vip = old.vip;
    this.#tellDesired();
  }

  #tellDesired(): void {
    // A controller that is down reads it when it starts.
    this.#deliver({ kind: 'desired', now: this.now, desired: this.#desired() });
  }

  #desired(): Desired {
    return {
      pools: structuredClone(this.#pools),
      interfaces: [{ port: 1, address: 0x0a0000fe, prefixLength: 16, mac: 0x02_00_00_00_00_01 }],
      routes: [{ prefix: 0x0b000000, prefixLength: 8, nextHop: 0x0a00fffd }],
      neighbours: [],
    };
  }

  #pool(name: string, protocol: 'tcp' | 'udp', slotCount: number, port: number): DesiredPool {
    return {
      name,
      vip: { address: 0x0a630000 + this.#nextAddress++, protocol, port },
      forwarding: 'nat',
      slotCount,
      sessionTimeoutMs: this.options.toldSessionTimeoutMs ?? this.options.sessionTimeoutMs,
      placement: this.options.placement,
      backends: [this.#backend(), this.#backend(), this.#backend()],
    };
  }

  #backend(): DesiredBackend {
    const number = this.#nextAddress++;
    return { name: `b${number}`, address: 0x0a000000 + number, port: 8080, weight: 100, state: 'active' };
  }

  // What must hold.

  #look(): void {
    this.stats.maxPins = Math.max(this.stats.maxPins, this.switch.count('pin'));
    if (this.switch.count('pin') > this.#engine.maxPins)
      this.#violate('I3 bounded state', 'more pins than allowed');
    for (const row of this.switch.rows.values()) {
      if (row.table === 'pin' && this.#floodSources.has(row.sourceAddress)) {
        this.#violate('I3 bounded state', `a SYN alone has made a pin: ${row.sourceAddress}`);
      }
    }
    const isSettled = this.state.isReady && this.state.ledger.entries.size === 0;
    if (isSettled && !this.state.hasLeftovers) this.#checkStatelessness();
  }

  /** With everything settled, a stable slot has no columns and no pins that agree with it. */
  #checkStatelessness(): void {
    const rows = this.switch.rows;
    for (const row of rows.values()) {
      if (row.table === 'slot_version') {
        const slot = rows.get(`slot/${row.pool}/${row.slot}`);
        const isUnstable = slot?.table === 'slot' && slot.unstable;
        if (!isUnstable)
          this.#violate('I2 statelessness', `stable slot ${row.pool}/${row.slot} has a column`);
      }
      if (row.table === 'pin') {
        const vip = [...rows.values()].find((r) => r.table === 'vip' && r.pool === row.pool);
        if (vip?.table !== 'vip') {
          this.#violate('I2 statelessness', `pin of pool ${row.pool}, which has no vip`);
          continue;
        }
        const flow = { ...row, targetAddress: vip.address, targetPort: vip.port, protocol: vip.protocol };
        const slot = rows.get(`slot/${row.pool}/${flowHash(flow, vip.slotMask).slot}`);
        if (slot?.table === 'slot' && !slot.unstable && slot.backend === row.backend) {
          this.#violate('I2 statelessness', `pin of ${row.sourceAddress} agrees with its stable slot`);
        }
      }
    }
  }

  #checkConvergence(): void {
    const unsettled = this.state.ledger.entries.size;
    if (unsettled > 0) this.#violate('convergence', `${unsettled} rows are unsettled`);
    for (const row of this.switch.rows.values()) {
      if (row.table === 'slot' && row.unstable)
        this.#violate('convergence', `slot ${row.pool}/${row.slot} is unstable`);
      if (row.table === 'slot_version' || row.table === 'pin')
        this.#violate('convergence', `${row.table} is left`);
      if (row.table === 'backend') {
        const isWanted = this.#pools.some((p) =>
          p.backends.some((b) => b.address === row.address && b.port === row.port),
        );
        if (!isWanted) this.#violate('convergence', `backend ${row.backend} is left`);
      }
    }
    const live = this.switch.version.filters.filter((filter) => filter.epoch !== 0).length;
    if (live !== 1) this.#violate('convergence', `${live} filter slots are live`);
    if (this.switch.count('vip') !== this.#pools.length) this.#violate('convergence', 'vips differ');
    for (const pool of this.#pools) this.#checkShares(pool);
  }

  #checkShares(pool: DesiredPool): void {
    const vip = [...this.switch.rows.values()].find(
      (r) => r.table === 'vip' && r.address === pool.vip.address,
    );
    if (vip?.table !== 'vip') return;
    const total = pool.backends.reduce((sum, b) => sum + (b.state === 'active' ? b.weight : 0), 0);
    for (const backend of pool.backends) {
      const due = total > 0 && backend.state === 'active' ? (pool.slotCount * backend.weight) / total : 0;
      let held = 0;
      for (let slot = 0; slot < pool.slotCount; slot++) {
        if (this.#endpointOf(this.switch.backendOfNewFlow(vip.pool, slot)) === endpointOf(backend)) held++;
      }
      const slack = this.options.placement === 'sticky' ? 1 : 3;
      if (Math.abs(held - due) > slack) {
        this.#violate(
          'convergence',
          `${backend.name} of ${pool.name} holds ${held} slots, due ${due.toFixed(1)}`,
        );
      }
    }
  }

  #poolOf({ targetAddress, protocol, targetPort }: Flow): number | undefined {
    const row = this.switch.rows.get(`vip/${targetAddress}/${protocol}/${targetPort}`);
    return row?.table === 'vip' ? row.pool : undefined;
  }

  #isServing(pool: number): boolean {
    for (const row of this.switch.rows.values()) if (row.table === 'vip' && row.pool === pool) return true;
    return false;
  }

  #isAlive(endpoint: string | undefined): boolean {
    if (endpoint === undefined) return false;
    for (const [backend, until] of this.#downUntil) {
      if (endpointOf(backend) === endpoint && (backend.state === 'down' || this.now < until)) return false;
    }
    return true;
  }

  #endpointOf(backend: number): string | undefined {
    const row = this.switch.rows.get(`backend/${backend}`);
    return row?.table === 'backend' ? `${row.address}:${row.port}` : undefined;
  }

  #violate(invariant: Violation['invariant'], message: string): void {
    if (this.violations.length < 20) this.violations.push({ invariant, at: Math.round(this.now), message });
  }

  // The clock.

  #at(at: number, run: () => void): void {
    const event = { at: Math.max(at, this.now), order: this.#order++, run };
    let child = this.#queue.push(event) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!isBefore(event, this.#queue[parent]!)) break;
      this.#queue[child] = this.#queue[parent]!;
      child = parent;
    }
    this.#queue[child] = event;
  }

  #after(ms: number, run: () => void): void {
    this.#at(this.now + ms, run);
  }

  #every(ms: number, run: () => void): void {
    this.#after(ms, () => {
      run();
      this.#every(ms, run);
    });
  }

  #runUntil(end: number): void {
    while (this.#queue.length > 0 && this.#queue[0]!.at <= end) {
      const event = this.#takeFirst();
      this.now = event.at;
      event.run();
    }
    this.now = end;
  }

  #takeFirst(): { at: number; order: number; run: () => void } {
    const first = this.#queue[0]!;
    const last = this.#queue.pop()!;
    const size = this.#queue.length;
    if (size === 0) return first;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(this.#queue[child + 1]!, this.#queue[child]!)) child++;
      if (!isBefore(this.#queue[child]!, last)) break;
      this.#queue[parent] = this.#queue[child]!;
      parent = child;
    }
    this.#queue[parent] = last;
    return first;
  }
}

function isBefore(a: { at: number; order: number }, b: { at: number; order: number }): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function endpointOf(backend: DesiredBackend): string {
  return `${backend.address}:${backend.port}`;
}
