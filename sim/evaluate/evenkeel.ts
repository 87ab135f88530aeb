// SPDX-License-Identifier: Apache-2.0
/**
 * Ourselves in the race: the shipping engine on a model of the switch, with the delays of a real one between them. The engine
 * is told of a server's death and return when they happen, like everybody else; digests, writes and their answers take time.
 */

import { requireIpv4 } from '../../controller/core/address.ts';
import { type Address, type Desired, PLAIN_POOL, type Placement } from '../../controller/core/desired.ts';
import type { DigestReason, Millis, WriteFailure } from '../../controller/core/event.ts';
import { type EngineOptions, engineDefaults } from '../../controller/core/options.ts';
import type { Column, PinRow, RowUpdate, SwitchRow } from '../../controller/core/row.ts';
import { Engine } from '../../controller/engine.ts';
import type { SwitchEvent, SwitchPort, SwitchStatus } from '../../controller/ports/switch.ts';
import { PrefixPort } from '../../controller/prefix/prefix-port.ts';
import { SimClock } from '../kernel/sim-clock.ts';
import { NO_SERVER, type System, type SystemState } from '../rivals/system.ts';
import { decisions, digestReasons, FastSwitch, packetKinds } from '../switch/fast-switch.ts';
import { type Capacity, programCapacity } from '../switch/sim-switch.ts';
import type { FlowTable } from '../workload/flow-table.ts';
import type { Servers } from '../workload/servers.ts';
import { FIN, type PacketKind, SYN } from '../workload/traffic.ts';
import { addressOf, SERVER_PORT } from '../workload/workload.ts';

export interface EvenkeelOptions {
  name: string;
  engine: Partial<EngineOptions>;
  placement: Placement;
  slotCount: number;
  sessionTimeoutMs: number;
  /** From a packet to the engine's hearing of it. */
  digestMs: number;
  /** From a write to its effect, of which the engine hears at once. */
  writeMs: number;
  /** ... and longer when there is so much to write; simple_switch_grpc takes about so many rows a second in batches. */
  rowsPerSecond: number;
  /** Another balancer of the group has a pin so long after the one that failed had it. */
  pinLagMs: number;
  capacity: Capacity;
  /** So that `isMisled` is known; it takes time and memory. */
  countFalsePositives: boolean;
}

export const evenkeelDefaults: Readonly<EvenkeelOptions> = {
  name: 'evenkeel',
  engine: {},
  placement: 'sticky',
  slotCount: 65_536,
  sessionTimeoutMs: 900_000,
  digestMs: 1,
  writeMs: 5,
  rowsPerSecond: 50_000,
  pinLagMs: 1_000,
  capacity: programCapacity,
  countFalsePositives: true,
};

/** The first tables are written before the race begins. */
const SET_UP_MS = 60_000;
const PIN_SWEEP_MS = 1_000;
/** As often as the port of a real switch reads the counters (pollMs of p4runtime-switch.ts). */
const POLL_MS = 200;
const POOL = 'w';
const BACKEND_IDS = 8_192;

export class Evenkeel implements System {
  readonly name: string;
  /** From a flow's last digest before its pin to the pin's effect; how many pins there were. */
  readonly pinWindow = { longestMs: 0, sumMs: 0, count: 0 };
  /** Of the moments at which `state` was asked for, those when a change was wanted and could not begin. */
  waiting = 0;
  samples = 0;
  /** Packets of flows that were in an unstable slot without a pin, and those that a filter claimed to know wrongly. */
  readonly filtered = { packets: 0, falsePositives: 0 };
  readonly #flows: FlowTable;
  readonly #servers: Servers;
  readonly #options: EvenkeelOptions;
  readonly #clock = new SimClock();
  readonly #engine: Engine;
  readonly #serverOf = new Int16Array(BACKEND_IDS).fill(NO_SERVER);
  readonly #drained = new Set<number>();
  #switch: FastSwitch;
  #pool = 0;
  #listener: (event: SwitchEvent<SwitchRow>) => void = () => {};
  #writtenUntil: Millis = 0;
  #updates = 0;
  #admittedBefore = 0;
  /** Flows that a digest has told of, by `keyOf`, while they are alive. */
  readonly #told = new Map<number, { toldAt: Millis; isPinned: boolean }>();
  #live = 0;
  /** Those of `strangerSyn` who have raised a digest, and how often a pin was written for one of them. */
  readonly #strangers = new Set<number>();
  strangersPinned = 0;
  /** Pins of late, which another balancer may lack yet. */
  #recentPins: { at: Millis; row: PinRow }[] = [];

  constructor(flows: FlowTable, servers: Servers, given: Partial<EvenkeelOptions> = {}) {
    this.#options = { ...evenkeelDefaults, ...given };
    this.name = this.#options.name;
    this.#flows = flows;
    this.#servers = servers;
    this.#switch = this.#newSwitch();
    this.#engine = new Engine(
      { ...engineDefaults, ...this.#options.engine },
      { clock: this.#clock, switchPort: new PrefixPort(this.#port(), this.#clock), log: () => {} },
      { later: this.#clock.later },
    );
    this.#want();
    this.#engine.start();
    this.#clock.runUntil(SET_UP_MS);
    const vip = this.#switch.vipOf({
      sourceAddress: 0,
      sourcePort: 0,
      targetAddress: flows.vip.address,
      targetPort: flows.vip.port,
      protocol: flows.vip.protocol,
    });
    if (vip === undefined) throw new Error('the engine has announced no vip within a minute');
    this.#pool = vip.pool;
    this.#updates = 0;
  }

  packet(flow: number, kind: PacketKind, now: Millis): number {
    const at = now + SET_UP_MS;
    this.#clock.runUntil(at);
    const flows = this.#flows;
    const crc32 = flows.crc32[flow]!;
    const backend = this.#switch.decide(
      this.#pool,
      flows.slot[flow]!,
      crc32 >>> 16,
      flows.crc16[flow]!,
      flows.sourceAddress[flow]!,
      flows.sourcePort[flow]!,
      kind === SYN ? packetKinds.opening : kind === FIN ? packetKinds.closing : 0,
      at,
    );
    if (this.#switch.decision >= decisions.filter) {
      this.filtered.packets++;
      if (this.#switch.isFalsePositive) this.filtered.falsePositives++;
    }
    if (this.#switch.digestReason !== digestReasons.none) this.#raise(flow);
    if (kind === FIN) this.#end(flow);
    return this.#serverOf[backend]!;
  }

  get isMisled(): boolean {
    return this.#switch.isFalsePositive;
  }

  serverDown(_server: number, now: Millis): void {
    this.#clock.runUntil(now + SET_UP_MS);
    this.#want();
  }

  serverUp(_server: number, now: Millis): void {
    this.#clock.runUntil(now + SET_UP_MS);
    this.#want();
  }

  /** The operator takes these servers out of service, for good: they keep the flows they have. */
  drain(servers: readonly number[], now: Millis): void {
    this.#clock.runUntil(now + SET_UP_MS);
    for (const server of servers) this.#drained.add(server);
    this.#want();
  }

  /** The server's reset passes a switch that translates addresses; a pin hears of its flow's end only from the client. */
  reset(flow: number): void {
    this.#end(flow);
  }

  failOver(now: Millis): void {
    this.#clock.runUntil(now + SET_UP_MS);
    const { pinLagMs } = this.#options;
    const since = now + SET_UP_MS - pinLagMs;
    const late = this.#recentPins.filter(({ at }) => at > since);
    const lateKeys = new Set(late.map(({ row }) => keyOf(row.sourceAddress, row.sourcePort)));
    const failed = this.#switch;
    const other = this.#newSwitch();
    for (const row of failed.read()) {
      if (row.table === 'pin' && lateKeys.has(keyOf(row.sourceAddress, row.sourcePort))) continue;
      other.apply({ operation: row.table === 'version' ? 'modify' : 'insert', row }, this.#clock.now());
    }
    for (const { at, row } of late) {
      this.#clock.at(at + pinLagMs, () => other.apply({ operation: 'insert', row }, this.#clock.now()));
    }
    this.#admittedBefore += failed.admitted;
    this.#switch = other;
  }

  state(now: Millis): SystemState {
    this.#clock.runUntil(now + SET_UP_MS);
    const { pools, change } = this.#engine.status();
    this.samples++;
    if (change.waitingFor !== undefined) this.waiting++;
    return {
      held: this.#switch.count('pin'),
      live: this.#live,
      unstableSlots: pools[0]!.unstableSlots,
      filterMembers: this.#switch.inserts.reduce((sum, inserts) => sum + inserts, 0),
      writes: this.#updates,
    };
  }

  // For those who attack.

  /** A SYN of somebody who is not in the flow table, and never answers. @returns whether it raised a digest */
  strangerSyn(
    hash: { crc32: number; crc16: number },
    sourceAddress: number,
    sourcePort: number,
    now: Millis,
  ): boolean {
    const at = now + SET_UP_MS;
    this.#clock.runUntil(at);
    const { crc32, crc16 } = hash;
    const slot = crc32 & (this.#options.slotCount - 1);
    const { opening } = packetKinds;
    this.#switch.decide(this.#pool, slot, crc32 >>> 16, crc16, sourceAddress, sourcePort, opening, at);
    if (this.#switch.digestReason === digestReasons.none) return false;
    this.#strangers.add(keyOf(sourceAddress, sourcePort));
    this.#tell(slot, sourceAddress, sourcePort);
    return true;
  }

  unstableSlots(): number[] {
    return this.#switch.read().flatMap((row) => (row.table === 'slot' && row.unstable ? [row.slot] : []));
  }

  // For those who judge.

  /** Digests that the engine refused for want of room. */
  get pinsRefused(): number {
    return this.#engine.status().pins.refused;
  }

  get problems(): string[] {
    return this.#engine.status().problems.map(({ message }) => message);
  }

  #newSwitch(): FastSwitch {
    const { capacity, countFalsePositives } = this.#options;
    return new FastSwitch({ capacity, countFalsePositives });
  }

  #want(): void {
    const { vip } = this.#flows;
    const { placement, slotCount, sessionTimeoutMs, engine } = this.#options;
    const desired: Desired = {
      pools: [
        {
          name: POOL,
          vip: { address: vip.address, protocol: 'tcp', port: vip.port },
          ...PLAIN_POOL,
          slotCount,
          sessionTimeoutMs,
          placement,
          backends: Array.from(this.#servers.isUp, (isUp, server) => ({
            name: `s${server}`,
            address: addressOf(server),
            port: SERVER_PORT,
            weight: 1,
            state: !isUp ? 'down' : this.#drained.has(server) ? 'draining' : 'active',
          })),
        },
      ],
      interfaces: [],
      routes: [],
      neighbours: [],
    };
    this.#engine.want(desired, { ...engineDefaults, ...engine });
  }

  // Between engine and switch.

  #port(): SwitchPort<SwitchRow> {
    return {
      start: (listener) => {
        this.#listener = listener;
        this.#clock.after(0, () => listener({ kind: 'connected', rows: this.#switch.read() }));
        this.#sweepPins();
        this.#pollCounters();
      },
      write: (write, updates) => this.#write(write, updates),
      solicit: () => {},
      status: () => status,
      close: () => Promise.resolve(),
    };
  }

  #write(write: number, updates: readonly RowUpdate<SwitchRow>[]): void {
    const { writeMs, rowsPerSecond } = this.#options;
    const begin = Math.max(this.#clock.now(), this.#writtenUntil);
    this.#writtenUntil = begin + (1000 * updates.length) / rowsPerSecond;
    this.#clock.at(this.#writtenUntil + writeMs, () => {
      const failures: WriteFailure[] = [];
      updates.forEach((update, index) => {
        const code = this.#switch.apply(update, this.#clock.now());
        if (code) failures.push({ index, code, message: code });
        else this.#note(update);
      });
      this.#updates += updates.length;
      this.#listener({ kind: 'written', write, failures });
    });
  }

  #raise(flow: number): void {
    const sourceAddress = this.#flows.sourceAddress[flow]!;
    const sourcePort = this.#flows.sourcePort[flow]!;
    const reason = this.#tell(this.#flows.slot[flow]!, sourceAddress, sourcePort);
    if (reason !== 'old' && reason !== 'learn') return;
    const key = keyOf(sourceAddress, sourcePort);
    const told = this.#told.get(key);
    if (told === undefined) this.#told.set(key, { toldAt: this.#clock.now(), isPinned: false });
    else told.toldAt = this.#clock.now();
  }

  /** Sends the digest that the switch has just raised. */
  #tell(slot: number, sourceAddress: number, sourcePort: number): DigestReason {
    const { digestReason, digestColumn, digestBackend } = this.#switch;
    const reason = reasonNames[digestReason - 1]!;
    const event: SwitchEvent = {
      kind: 'flow-digest',
      reason,
      pool: this.#pool,
      slot,
      column: digestColumn as Column,
      backend: digestBackend,
      sourceAddress,
      sourcePort,
    };
    this.#clock.after(this.#options.digestMs, () => this.#listener(event));
    return reason;
  }

  #sweepPins(): void {
    for (const { pool, sourceAddress, sourcePort } of this.#switch.idlePins(this.#clock.now())) {
      this.#listener({ kind: 'pin-idle', pool, sourceAddress, sourcePort });
    }
    const since = this.#clock.now() - this.#options.pinLagMs;
    this.#recentPins = this.#recentPins.filter(({ at }) => at > since);
    this.#clock.after(PIN_SWEEP_MS, () => this.#sweepPins());
  }

  #pollCounters(): void {
    this.#listener({ kind: 'admitted', flows: this.#admittedBefore + this.#switch.admitted });
    this.#clock.after(POLL_MS, () => this.#pollCounters());
  }

  // What is counted.

  #note({ operation, row }: RowUpdate<SwitchRow>): void {
    if (row.table === 'backend' && operation !== 'delete') {
      this.#serverOf[row.backend] = requireIpv4(row.address) - addressOf(0);
    }
    if (row.table !== 'pin') return;
    const told = this.#told.get(keyOf(row.sourceAddress, row.sourcePort));
    if (operation === 'insert') this.#recentPins.push({ at: this.#clock.now(), row });
    if (operation === 'insert' && this.#strangers.has(keyOf(row.sourceAddress, row.sourcePort)))
      this.strangersPinned++;
    if (told === undefined || operation === 'modify') return;
    const isPinned = operation === 'insert';
    if (isPinned) {
      const tookMs = this.#clock.now() - told.toldAt;
      this.pinWindow.longestMs = Math.max(this.pinWindow.longestMs, tookMs);
      this.pinWindow.sumMs += tookMs;
      this.pinWindow.count++;
    }
    if (isPinned !== told.isPinned) this.#live += isPinned ? 1 : -1;
    told.isPinned = isPinned;
    if (!isPinned) this.#told.delete(keyOf(row.sourceAddress, row.sourcePort));
  }

  /** The flow is over. Its pin stays until the engine takes it away. */
  #end(flow: number): void {
    const key = keyOf(this.#flows.sourceAddress[flow]!, this.#flows.sourcePort[flow]!);
    if (this.#told.size === 0) return;
    const told = this.#told.get(key);
    if (told === undefined) return;
    if (told.isPinned) this.#live--;
    this.#told.delete(key);
  }
}

const reasonNames = ['old', 'learn', 'closing', 'opening'] as const;

const status: SwitchStatus = {
  target: 'a model of the switch',
  connection: 'ready',
  problem: undefined,
  notices: { received: 0, unreadable: 0 },
  traffic: undefined,
};

/** Exact as a double. */
function keyOf(sourceAddress: Address, sourcePort: number): number {
  return requireIpv4(sourceAddress) * 0x10000 + sourcePort;
}
