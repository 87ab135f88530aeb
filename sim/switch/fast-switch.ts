// SPDX-License-Identifier: Apache-2.0
/**
 * p4/core as a model for millions of flows: vip, pin, slot, version, filters, slot_version, digest (load_balancer.p4).
 * Rows lie in typed arrays. `decide` takes numbers and a hash that was computed once per flow, allocates nothing and
 * leaves the verdict in fields; `process` is the same for packets as objects.
 *
 *   pool, slot ──> slots[place of pool][4 * slot + column] ──> backend
 */

import { requireIpv4 } from '../../controller/core/address.ts';
import type { Millis, WriteFailureCode } from '../../controller/core/event.ts';
import { type Flow, flowHash } from '../../controller/core/flow-hash.ts';
import { BACKEND_IDS, INITIAL_VERSION, NO_BACKEND, POOL_IDS } from '../../controller/core/model.ts';
import type {
  Column,
  PinRow,
  RowUpdate,
  SlotRow,
  SwitchRow,
  VersionRow,
  VipRow,
} from '../../controller/core/row.ts';
import { type SmallRow, smallRowKey } from '../../controller/core/rows.ts';
import {
  CellFilters,
  cellsOfSwitch,
  ExactFilters,
  type Filters,
  NoFilters,
  noFilterSlot,
} from './epoch-filters.ts';
import { noRow } from './flow-table.ts';
import { PinTable } from './pin-table.ts';
import { columnOf, type PrefixRow, PrefixRows, slotsOf } from './prefix-rows.ts';
import { fitsProgram } from './row-limits.ts';
import type { Capacity, Decision, Digest, Packet, SimSwitch, Verdict } from './sim-switch.ts';

export interface FastSwitchOptions {
  /** cells: as the switch, false positives included. perfect: nobody is mistaken. off: nobody is ever known. */
  filters: 'cells' | 'perfect' | 'off';
  /** Of each of the two rows of a filter slot: a power of two; with `cells` only. */
  cells: number;
  /** Keeps sets beside the cells, to count their mistakes. */
  countFalsePositives: boolean;
  capacity: Capacity;
}

export const fastSwitchDefaults: Readonly<FastSwitchOptions> = {
  filters: 'cells',
  cells: cellsOfSwitch,
  countFalsePositives: false,
  capacity: {},
};

/** What the parser sees in a packet, as bits. Without any: a TCP packet in the midst of its connection. */
export const packetKinds = { opening: 1, closing: 2, reset: 4, udp: 8 } as const;

/** DECISION_* of p4/core/types.p4. */
export const decisions = { stable: 0, pinned: 1, filter: 2, base: 3, new: 4 } as const;
const decisionNames: readonly Decision[] = ['stable', 'pinned', 'filter', 'base', 'new'];

/** DIGEST_* of p4/core/types.p4. */
export const digestReasons = { none: 0, old: 1, learn: 2, closing: 3, opening: 4 } as const;
const reasonNames: readonly Digest['reason'][] = ['old', 'learn', 'closing', 'opening'];

const { opening, closing, reset, udp } = packetKinds;
const tcpProtocol = 6;
const udpProtocol = 17;

/** Words of a slot: its row, then columns 1..3 as backend + 1, 0 without a row. */
const slotWords = 4;
const firstSlots = 16;
/** Bits of a slot row's word beside the backend. */
const backendMask = 0x1fff;
const unstableBit = 0x2000;
const pinsBaseBit = 0x4000;
const presentBit = 0x8000;

export class FastSwitch implements SimSwitch {
  /** Of the last `decide`: one of `decisions`. */
  decision = 0;
  /** One of `digestReasons`; with it come the column and the backend, which may have no row. */
  digestReason = 0;
  digestColumn = 0;
  digestBackend = 0;
  /** Counting false positives: the decision was `filter`, by a filter slot that has not admitted the flow. */
  isFalsePositive = false;

  /** Packets with the decision `new`. */
  admitted = 0;
  /** Of each filter slot: opening packets that left their mark there since its epoch was changed. */
  readonly inserts = new Float64Array(4);
  /** Packets, and the opening ones among them, since the restart. Stay 0 unless they are counted. */
  falsePositives = 0;
  falsePositiveOpenings = 0;

  private readonly options: FastSwitchOptions;
  /** By pool, what is in slot and slot_version; behind them, what prefix tables make of each slot. */
  private slots: Uint16Array<ArrayBuffer>[] = [];
  private readonly prefixRows = new PrefixRows();
  /** By pool: which of the two its vip has it asked for. */
  private readonly places = Uint16Array.from({ length: POOL_IDS }, (_, pool) => pool);
  private pins = new PinTable();
  private filters: Filters = new NoFilters();
  private admitters: ExactFilters | undefined;
  private readonly hasBackend = new Uint8Array(BACKEND_IDS);
  private readonly smallRows = new Map<string, SmallRow>();
  /** Those among them that packets ask for, by `endpointKey`. */
  private readonly vips = new Map<number, VipRow>();
  private readonly counts = new Map<SwitchRow['table'], number>();

  private version: VersionRow = INITIAL_VERSION;
  private active = 0;
  private readonly columns = new Uint8Array(4);
  private readonly learns = new Uint8Array(4);

  constructor(options: Partial<FastSwitchOptions> = {}) {
    this.options = { ...fastSwitchDefaults, ...options };
    this.restart();
  }

  restart(): void {
    const { filters, cells, countFalsePositives } = this.options;
    this.slots = Array.from({ length: 2 * POOL_IDS }, () => noSlots);
    this.prefixRows.clear();
    this.places.forEach((_, pool) => {
      this.places[pool] = pool;
    });
    this.pins = new PinTable();
    this.filters =
      filters === 'cells'
        ? new CellFilters(cells)
        : filters === 'perfect'
          ? new ExactFilters()
          : new NoFilters();
    this.admitters = countFalsePositives ? new ExactFilters() : undefined;
    this.hasBackend.fill(0);
    this.smallRows.clear();
    this.vips.clear();
    this.counts.clear();
    this.version = INITIAL_VERSION;
    this.inserts.fill(0);
    this.useVersion(INITIAL_VERSION);
    this.admitted = 0;
    this.falsePositives = 0;
    this.falsePositiveOpenings = 0;
  }

  // Packets.

  /**
   * One packet of a vip: writes filters, the pin's time, `admitted`, and the fields that tell of the last decision.
   *
   * @param slot  the low 16 bits of the flow's CRC32, under the vip's mask
   * @param rowA  its high 16 bits
   * @param rowB  the flow's CRC16
   * @param kind  bits of `packetKinds`
   * @returns the backend that gets it; 0: dropped
   */
  decide(
    pool: number,
    slot: number,
    rowA: number,
    rowB: number,
    sourceAddress: number,
    sourcePort: number,
    kind: number,
    now: Millis,
  ): number {
    this.digestReason = digestReasons.none;
    this.isFalsePositive = false;
    if (this.pins.size !== 0) {
      const pin = this.pins.find(pool, sourceAddress, sourcePort);
      if (pin !== noRow) return this.decidePinned(this.pins.hit(pin, now), kind);
    }
    const words = this.slots[this.places[pool]!]!;
    const at = slot * slotWords;
    const row = at < words.length ? words[at]! : 0;
    if ((row & unstableBit) === 0) {
      this.decision = decisions.stable;
      return this.served(row & backendMask);
    }
    const isOpening = (kind & opening) !== 0;
    const known = this.filters.ask(rowA, rowB, pool, sourceAddress, sourcePort, isOpening);
    if (this.admitters) this.judge(known, rowA, rowB, pool, sourceAddress, sourcePort, isOpening);
    if (isOpening) this.inserts[this.active]! += 1;

    if (known === noFilterSlot && !isOpening) {
      this.decision = decisions.base;
      const backend = row & backendMask;
      if ((row & pinsBaseBit) !== 0 && (kind & reset) === 0) this.raise(digestReasons.old, 0, backend);
      return this.served(backend);
    }
    const isKnown = known !== noFilterSlot;
    const filterSlot = isKnown ? known : this.active;
    const column = this.columns[filterSlot]!;
    const columnWord = column === 0 ? 0 : words[at + column]!;
    const backend = columnWord === 0 ? row & backendMask : columnWord - 1;
    if (!isKnown) {
      this.decision = decisions.new;
      this.admitted += 1;
      return this.served(backend);
    }
    this.decision = decisions.filter;
    // A SYN raises none: only who has answered the handshake can get a pin.
    const hasAnswered = (kind & reset) === 0 && (!isOpening || (kind & udp) !== 0);
    const wantsPin = columnWord !== 0 || (row & pinsBaseBit) !== 0;
    if (hasAnswered && wantsPin && this.learns[filterSlot] !== 0) {
      this.raise(digestReasons.learn, column, backend);
    }
    return this.served(backend);
  }

  process(packet: Packet, now: Millis): Verdict {
    const { flow } = packet;
    const vip = this.vipOf(flow);
    if (vip === undefined) return { decision: 'not ours', backend: 0, digest: undefined };
    const { slot, rowA, rowB } = flowHash(flow, vip.slotMask);
    const { sourcePort } = flow;
    const sourceAddress = requireIpv4(flow.sourceAddress);
    const backend = this.decide(vip.pool, slot, rowA, rowB, sourceAddress, sourcePort, kindOf(packet), now);
    return {
      decision: decisionNames[this.decision]!,
      backend,
      digest:
        this.digestReason === digestReasons.none
          ? undefined
          : {
              reason: reasonNames[this.digestReason - 1]!,
              pool: vip.pool,
              slot,
              column: this.digestColumn as Column,
              backend: this.digestBackend,
              sourceAddress,
              sourcePort,
            },
    };
  }

  /** The vip that claims a flow: its pool and slot mask are what `decide` needs. */
  vipOf({ targetAddress, protocol, targetPort }: Flow): VipRow | undefined {
    return this.vips.get(endpointKey(requireIpv4(targetAddress), protocol, targetPort));
  }

  private decidePinned(backend: number, kind: number): number {
    this.decision = decisions.pinned;
    if ((kind & closing) !== 0) this.raise(digestReasons.closing, 0, backend);
    else if ((kind & (opening | udp)) === opening) this.raise(digestReasons.opening, 0, backend);
    return this.served(backend);
  }

  private served(backend: number): number {
    if (backend !== NO_BACKEND && this.hasBackend[backend] !== 0) return backend;
    // Nobody is to be pinned to nobody.
    this.digestReason = digestReasons.none;
    return 0;
  }

  private raise(reason: number, column: number, backend: number): void {
    this.digestReason = reason;
    this.digestColumn = column;
    this.digestBackend = backend;
  }

  private judge(
    known: number,
    rowA: number,
    rowB: number,
    pool: number,
    address: number,
    port: number,
    isOpening: boolean,
  ): void {
    const admitters = this.admitters!;
    if (known !== noFilterSlot && !admitters.hasAdmitted(known, pool, address, port)) {
      this.isFalsePositive = true;
      this.falsePositives += 1;
      if (isOpening) this.falsePositiveOpenings += 1;
    }
    admitters.ask(rowA, rowB, pool, address, port, isOpening);
  }

  // Rows.

  apply({ operation, row }: RowUpdate<SwitchRow>, now: Millis): WriteFailureCode | undefined {
    if (!fitsProgram(row)) return 'rejected';
    if (row.table === 'version') {
      this.useVersion(row);
      return undefined;
    }
    const count = this.count(row.table);
    const exists = this.exists(row);
    if (operation === 'insert') {
      if (exists) return 'exists';
      if (count >= (this.options.capacity[row.table] ?? Number.POSITIVE_INFINITY)) return 'full';
      this.counts.set(row.table, count + 1);
    } else if (!exists) {
      return 'missing';
    }
    if (operation === 'delete') {
      this.remove(row);
      this.counts.set(row.table, count - 1);
    } else {
      this.store(row, now);
    }
    return undefined;
  }

  count(table: SwitchRow['table']): number {
    return table === 'version' ? 1 : (this.counts.get(table) ?? 0);
  }

  read(): SwitchRow[] {
    const rows: SwitchRow[] = [this.version, ...this.smallRows.values()];
    for (const [pool, words] of this.slots.slice(0, POOL_IDS).entries()) {
      for (let at = 0; at < words.length; at += slotWords) {
        const slot = at / slotWords;
        const word = words[at]!;
        if (word !== 0) rows.push(slotRow(pool, slot, word));
        for (const column of [1, 2, 3] as const) {
          const backend = words[at + column]! - 1;
          if (backend >= 0) rows.push({ table: 'slot_version', pool, slot, column, backend });
        }
      }
    }
    for (const row of this.prefixRows.rows()) rows.push(row);
    // One by one: a million arguments are too many for `push`.
    for (const row of this.pins.rows()) rows.push(row);
    return rows;
  }

  idlePins(now: Millis): PinRow[] {
    return this.pins.idle(now);
  }

  private exists(row: Exclude<SwitchRow, VersionRow>): boolean {
    switch (row.table) {
      case 'slot':
        return (this.slots[row.pool]![row.slot * slotWords] ?? 0) !== 0;
      case 'slot_version':
        return (this.slots[row.pool]![row.slot * slotWords + row.column] ?? 0) !== 0;
      case 'pin':
        return this.pins.find(row.pool, requireIpv4(row.sourceAddress), row.sourcePort) !== noRow;
      case 'slot_prefix':
      case 'slot_version_prefix':
        return this.prefixRows.has(row);
      default:
        return this.smallRows.has(smallRowKey(row));
    }
  }

  private store(row: Exclude<SwitchRow, VersionRow>, now: Millis): void {
    switch (row.table) {
      case 'slot':
        this.wordsFor(row.pool, row.slot)[row.slot * slotWords] = slotWord(row);
        return;
      case 'slot_version':
        this.wordsFor(row.pool, row.slot)[row.slot * slotWords + row.column] = row.backend + 1;
        return;
      case 'slot_prefix':
      case 'slot_version_prefix':
        this.prefixRows.set(row);
        this.refresh(row);
        return;
      case 'pin': {
        const pin = this.pins.find(row.pool, requireIpv4(row.sourceAddress), row.sourcePort);
        if (pin === noRow) this.pins.insert(row, now);
        else this.pins.modify(pin, row, now);
        return;
      }
      default:
        if (row.table === 'backend') this.hasBackend[row.backend] = 1;
        if (row.table === 'vip') this.storeVip(row, row);
        this.smallRows.set(smallRowKey(row), row);
    }
  }

  private remove(row: Exclude<SwitchRow, VersionRow>): void {
    switch (row.table) {
      case 'slot':
        this.wordsFor(row.pool, row.slot)[row.slot * slotWords] = 0;
        return;
      case 'slot_version':
        this.wordsFor(row.pool, row.slot)[row.slot * slotWords + row.column] = 0;
        return;
      case 'slot_prefix':
      case 'slot_version_prefix':
        this.prefixRows.delete(row);
        this.refresh(row);
        return;
      case 'pin':
        this.pins.delete(this.pins.find(row.pool, requireIpv4(row.sourceAddress), row.sourcePort));
        return;
      default:
        if (row.table === 'backend') this.hasBackend[row.backend] = 0;
        if (row.table === 'vip') this.storeVip(row, undefined);
        this.smallRows.delete(smallRowKey(row));
    }
  }

  private storeVip({ address, protocol, port }: VipRow, row: VipRow | undefined): void {
    if (row) this.places[row.pool] = row.pool + (row.byPrefix ? POOL_IDS : 0);
    const key = endpointKey(requireIpv4(address), protocol, port);
    if (row === undefined || key < 0) this.vips.delete(key);
    else this.vips.set(key, row);
  }

  /** The words of a place, with room for the slot. */
  private wordsFor(place: number, slot: number): Uint16Array {
    const words = this.slots[place]!;
    if (slot * slotWords < words.length) return words;
    let slots = Math.max(firstSlots, words.length / slotWords);
    while (slots <= slot) slots *= 2;
    const wider = new Uint16Array(slots * slotWords);
    wider.set(words);
    this.slots[place] = wider;
    return wider;
  }

  /** Finds out again by which rows the slots of this one go. */
  private refresh(row: PrefixRow): void {
    const { first, end } = slotsOf(row);
    const column = columnOf(row);
    const words = this.wordsFor(POOL_IDS + row.pool, end - 1);
    for (let slot = first; slot < end; slot++) {
      const found = this.prefixRows.longest(row.pool, column, slot);
      const word =
        found === undefined ? 0 : found.table === 'slot_prefix' ? slotWord(found) : found.backend + 1;
      words[slot * slotWords + column] = word;
    }
  }

  private useVersion(row: VersionRow): void {
    for (const [index, { epoch, column, learn }] of row.filters.entries()) {
      if (epoch !== this.version.filters[index]!.epoch) this.inserts[index] = 0;
      this.columns[index] = column;
      this.learns[index] = learn ? 1 : 0;
    }
    this.version = row;
    this.active = row.active;
    this.filters.use(row);
    this.admitters?.use(row);
  }
}

const noSlots = new Uint16Array(0);

/** Exact as a double. -1 for a protocol without ports: whatever the rows say, its packets are no vip's. */
function endpointKey(address: number, protocol: number, port: number): number {
  if (protocol !== tcpProtocol && protocol !== udpProtocol) return -1;
  return (address * 2 + (protocol === udpProtocol ? 1 : 0)) * 0x10000 + port;
}

/** The bits of `packetKinds` for a packet. */
export function kindOf({ flow, flags }: Packet): number {
  if (flow.protocol === udpProtocol) return opening | udp;
  switch (flags) {
    case 'syn':
      return opening;
    case 'ack':
      return 0;
    case 'fin':
      return closing;
    case 'rst':
      return closing | reset;
  }
}

function slotWord({
  unstable,
  pinsBase,
  backend,
}: Pick<SlotRow, 'unstable' | 'pinsBase' | 'backend'>): number {
  return presentBit | (unstable ? unstableBit : 0) | (pinsBase ? pinsBaseBit : 0) | backend;
}

function slotRow(pool: number, slot: number, word: number): SlotRow {
  return {
    table: 'slot',
    pool,
    slot,
    unstable: (word & unstableBit) !== 0,
    pinsBase: (word & pinsBaseBit) !== 0,
    backend: word & backendMask,
  };
}
