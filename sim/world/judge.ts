// SPDX-License-Identifier: Apache-2.0
/**
 * What must always hold. Looked at
 *
 * - with every packet: I1 consistency, I5 that traffic flows
 * - with every row: I3 that a SYN alone makes no pin, I4 atomicity, I5 that rows do not change by themselves, I7 disruption
 * - every half second: I2 statelessness, I3 all other limits
 * - at the end: I6 balance, convergence
 *
 * I8 holds by construction, an engine is given a `SwitchPort` and nothing else; world.test.ts compares a switch with a group
 * of one.
 */
import type { Address } from '../../controller/core/desired.ts';
import type { Millis, WriteFailureCode } from '../../controller/core/event.ts';
import type { Flow } from '../../controller/core/flow-hash.ts';
import type { EngineOptions } from '../../controller/core/options.ts';
import type { PinRow, RowUpdate, SwitchRow, VersionRow } from '../../controller/core/row.ts';
import type { SimClock } from '../kernel/sim-clock.ts';
import { type PrefixRow, slotsOf } from '../switch/prefix-rows.ts';
import type { Verdict } from '../switch/sim-switch.ts';
import type { Chronicle } from './chronicle.ts';
import type { Client } from './client.ts';
import type { Device, RowWitness } from './device.ts';
import type { Endpoint, Fleet } from './fleet.ts';

export type Invariant =
  | 'I1 consistency'
  | 'I2 statelessness'
  | 'I3 bounded state'
  | 'I4 atomicity'
  | 'I5 fail static'
  | 'I6 balance'
  | 'I7 disruption'
  | 'convergence';

export interface Violation {
  invariant: Invariant;
  at: Millis;
  message: string;
  /** Of the flow concerned, if the world was told to keep traces. */
  trace?: readonly string[];
}

/** What is kept of them; the rest of a story that went wrong tells nothing new. */
const VIOLATION_LIMIT = 10;

export class Judge implements RowWitness {
  readonly violations: Violation[] = [];
  /** Sources of SYNs that never answered. */
  readonly floodSources = new Set<Address>();
  /** Slots moved between two backends that both stayed. */
  collateralMoves = 0;
  /** No controller is connected to this device, so nothing may change. */
  readonly unattended = new Set<Device>();
  /** A filter slot was emptied; perhaps before its quarantine was over, and perhaps while one had as many members as it should. */
  onFilterEmptied: (isEarly: boolean, isCrowded: boolean, restMs: number) => void = () => {};
  /** A filter slot may take more members than it should for so long, until another is free; and for so long after a gap. */
  overfull = { limitMs: Number.POSITIVE_INFINITY, afterGapMs: 0 };
  isInService: (device: Device) => boolean = () => true;
  devices: readonly Device[] = [];
  onPinDeleted: (row: PinRow) => void = () => {};
  readonly #fleet: Fleet;
  readonly #clock: SimClock;
  readonly #engine: EngineOptions;
  readonly #chronicle: Chronicle;

  constructor(fleet: Fleet, clock: SimClock, engine: EngineOptions, chronicle: Chronicle) {
    this.#chronicle = chronicle;
    this.#fleet = fleet;
    this.#clock = clock;
    this.#engine = engine;
  }

  violate(invariant: Invariant, message: string, flow?: Flow, device?: Device): void {
    if (this.violations.length >= VIOLATION_LIMIT) return;
    const violation: Violation = { invariant, at: Math.round(this.#clock.now()), message };
    if (flow && device && this.#chronicle.isKept) violation.trace = this.#chronicle.excerpt(flow, device);
    this.violations.push(violation);
  }

  /** A packet of a flow that is promised to stay has been forwarded to this endpoint. */
  moved(client: Client, device: Device, verdict: Verdict, endpoint: Endpoint | undefined): void {
    const { sourceAddress, sourcePort } = client.flow;
    const protocol = client.isUdp ? 'udp' : 'tcp';
    const where = `${client.endpoint} to ${endpoint ?? 'nobody'} (${verdict.decision}, switch ${device.index})`;
    this.violate(
      'I1 consistency',
      `${protocol} flow ${sourceAddress}:${sourcePort} moved from ${where}`,
      client.flow,
      device,
    );
  }

  changing(
    device: Device,
    update: RowUpdate<SwitchRow>,
  ): ((code: WriteFailureCode | undefined) => void) | undefined {
    const { row } = update;
    if (this.unattended.has(device))
      this.violate('I5 fail static', `${row.table} changes without a controller`);
    switch (row.table) {
      case 'slot':
      case 'slot_version':
        return this.#changingSlots(device, row.pool, [row.slot]);
      case 'slot_prefix':
      case 'slot_version_prefix':
        return this.#changingSlots(device, row.pool, slotsIn(row));
      case 'version':
        return this.#changingVersion(device, row);
      case 'pin':
        if (update.operation === 'insert' && this.floodSources.has(row.sourceAddress)) {
          this.violate('I3 bounded state', `a SYN alone has made a pin: ${row.sourceAddress}`);
        }
        if (update.operation === 'delete') this.onPinDeleted(row);
        return undefined;
      default:
        return undefined;
    }
  }

  #changingSlots(device: Device, pool: number, slots: readonly number[]): (() => void) | undefined {
    const { mirror } = device;
    const vip = mirror.vipOfPool(pool);
    // A switch that joins is given rows in place: it carries no traffic.
    if (vip === undefined || !this.isInService(device)) return undefined;
    const before = slots.map((slot) => mirror.backendOfNewFlow(pool, slot));
    return () => {
      slots.forEach((slot, index) => {
        const owner = before[index]!;
        const after = mirror.backendOfNewFlow(pool, slot);
        if (owner === after || !this.#fleet.isAlive(mirror.endpointOf(owner))) return;
        this.violate(
          'I4 atomicity',
          `new flows of slot ${pool}/${slot} moved from ${owner} to ${after} without a commit (switch ${device.index})`,
        );
      });
    };
  }

  /** Away from a backend that stays move no more slots than its share has shrunk by since the last commit. */
  #changingVersion(
    device: Device,
    row: VersionRow,
  ): ((code: WriteFailureCode | undefined) => void) | undefined {
    const { mirror } = device;
    const before = mirror.version;
    const owners = new Map<number, number>();
    for (const row of mirror.slots.values()) {
      if (row.unstable) owners.set(slotKeyOf(row), mirror.backendOfNewFlow(row.pool, row.slot));
    }
    this.#noteEmptied(device, row);
    return (code) => {
      if (code !== undefined || activeColumn(before) === activeColumn(mirror.version)) return;
      const moved = new Map<string, number>();
      for (const row of mirror.slots.values()) {
        if (!row.unstable) continue;
        const owner = mirror.backendOfNewFlow(row.pool, row.slot);
        if (owner !== 0 && mirror.endpointOf(owner) === undefined) {
          this.violate('I4 atomicity', `slot ${row.pool}/${row.slot} leads to ${owner}, which has no row`);
        }
        const from = owners.get(slotKeyOf(row));
        if (from === undefined || from === owner) continue;
        const endpoint = mirror.endpointOf(from);
        if (endpoint !== undefined) moved.set(endpoint, (moved.get(endpoint) ?? 0) + 1);
      }
      // In a flood a commit is taken back: what left its owner by it returns, and what was given is taken.
      if (this.floodSources.size > 0 && meansBase(mirror)) return;
      for (const [endpoint, count] of moved) this.#checkDisruption(device, endpoint, count);
    };
  }

  #noteEmptied({ mirror, filters }: Device, row: VersionRow): void {
    const { quarantineMs, floodQuarantineMs, fillLimit, floodLimit } = this.#engine;
    // The controller counts the members of all switches.
    const largest = Math.max(
      ...filters.map((_, index) =>
        this.devices.reduce((total, device) => total + device.membersOf(index), 0),
      ),
    );
    const isOverrun = largest >= floodLimit;
    // It goes by counts that it has read now and then.
    const isSaturated = isOverrun || meansBase({ version: row, columns: mirror.columns });
    for (const [index, { epoch }] of mirror.version.filters.entries()) {
      const { members, deactivatedAt } = filters[index]!;
      const isEmptied = epoch !== 0 && epoch !== row.filters[index]!.epoch;
      const isEarly = this.#clock.now() < deactivatedAt + quarantineMs;
      const restMs = isSaturated ? 0 : floodQuarantineMs;
      if (isEmptied && members > 0) this.onFilterEmptied(isEarly, largest >= fillLimit, restMs);
    }
  }

  #checkDisruption(device: Device, endpoint: string, moved: number): void {
    const bound = this.#fleet.leastShareOf(endpoint);
    if (bound === undefined || !this.isInService(device)) return;
    this.collateralMoves += moved;
    if (this.#fleet.placement === 'pure') return;
    const left = this.#slotsHeld(device, endpoint);
    if (left >= Math.floor(bound) - 1) return;
    this.violate(
      'I7 disruption',
      `${moved} slots left ${endpoint}, which keeps ${left} and was due ${bound.toFixed(1)} at least`,
    );
  }

  /** Slots whose new flows it gets. */
  #slotsHeld(device: Device, endpoint: string): number {
    const { mirror } = device;
    let held = 0;
    for (const row of mirror.slots.values()) {
      if (mirror.endpointOf(mirror.backendOfNewFlow(row.pool, row.slot)) === endpoint) held++;
    }
    return held;
  }

  checkLimits(device: Device): void {
    const { maxPins, fillLimit } = this.#engine;
    const pins = device.mirror.pins.size;
    // A switch that joins is given the pins of the group, round after round, before it loses its own: up to the size of its table.
    const isInService = this.isInService(device);
    if (pins > maxPins && isInService) this.violate('I3 bounded state', `${pins} pins, ${maxPins} allowed`);
    const now = this.#clock.now();
    // A filter slot whose members may not have been heard is kept for a session timeout, and none is free meanwhile.
    const mayBeOver =
      !isInService || this.unattended.has(device) || now < device.gapAt + this.overfull.afterGapMs;
    const isOver = device.activeMembers > fillLimit && device.mirror.hasUnstableSlots();
    if (!isOver || mayBeOver) device.overfullSince = undefined;
    else device.overfullSince ??= now;
    const overMs = now - (device.overfullSince ?? Number.POSITIVE_INFINITY);
    if (overMs > this.overfull.limitMs) {
      const forSeconds = `${device.activeMembers} members, for ${Math.round(overMs / 1_000)} s too many`;
      this.violate('I3 bounded state', `the active filter slot has ${forSeconds}`);
    }
  }

  /** With everything settled, a stable slot has no columns and no pins that agree with it. */
  checkStatelessness(device: Device): void {
    const { mirror, index } = device;
    if (!this.isInService(device)) return;
    for (const { pool, slot } of mirror.columns.values()) {
      if (!mirror.slot(pool, slot)?.unstable) {
        this.violate('I2 statelessness', `stable slot ${pool}/${slot} has a column (switch ${index})`);
      }
    }
    for (const pin of mirror.pins.values()) {
      const vip = mirror.vipOfPool(pin.pool);
      if (vip === undefined) {
        this.violate('I2 statelessness', `pin of pool ${pin.pool}, which has no vip (switch ${index})`);
        continue;
      }
      const flow = {
        sourceAddress: pin.sourceAddress,
        sourcePort: pin.sourcePort,
        targetAddress: vip.address,
        targetPort: vip.port,
        protocol: vip.protocol,
      };
      const slot = mirror.slotOf(flow);
      if (slot === undefined || slot.unstable || slot.backend !== pin.backend) continue;
      const message = `pin of ${pin.sourceAddress} agrees with its stable slot (switch ${index})`;
      this.violate('I2 statelessness', message, flow, device);
    }
  }

  checkShares(device: Device): void {
    for (const { pool, backend, due, endpoint } of this.#fleet.dueShares()) {
      const held = this.#slotsHeld(device, endpoint);
      const slack = this.#fleet.placement === 'sticky' ? 1 : 3;
      if (Math.abs(held - due) <= slack) continue;
      this.violate('I6 balance', `${backend} of ${pool} holds ${held} slots, due ${due.toFixed(1)}`);
    }
  }
}

function slotsIn(row: PrefixRow): number[] {
  const { first, end } = slotsOf(row);
  return Array.from({ length: end - first }, (_, index) => first + index);
}

function activeColumn(version: VersionRow): number {
  return version.filters[version.active].column;
}

function slotKeyOf({ pool, slot }: { pool: number; slot: number }): number {
  return pool * 65_536 + slot;
}

/** New flows of unstable slots go to base. */
function meansBase({ version, columns }: Pick<Device['mirror'], 'version' | 'columns'>): boolean {
  const column = activeColumn(version);
  return column === 0 || [...columns.values()].every((row) => row.column !== column);
}
