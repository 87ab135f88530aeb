// SPDX-License-Identifier: Apache-2.0
/**
 * The compiled P4 program as a simulated switch: rows become entries of the embedded engine's tables, packets become
 * frames. The verdict is what the program itself says: by the frame that leaves, by its counters, by its digests.
 *
 * The program counts a decision for packets that leave, and a reason for those that do not. The verdict wants both, so
 * every packet leaves here: by one route to one neighbour, whatever routes and neighbours the rows say; and those for a
 * backend that has no row to a place where nobody is.
 */

import { requireIpv4 } from '../../controller/core/address.ts';
import type { Address } from '../../controller/core/desired.ts';
import type { Millis, WriteFailureCode } from '../../controller/core/event.ts';
import { BACKEND_IDS, INITIAL_VERSION, NO_BACKEND } from '../../controller/core/model.ts';
import type {
  BackendRow,
  Column,
  PinRow,
  RowUpdate,
  SwitchRow,
  VersionRow,
} from '../../controller/core/row.ts';
import { compile } from '../../switch/engine/compile.ts';
import type { DigestSample, KeyPart, Pipeline } from '../../switch/engine/pipeline.ts';
import type { Program } from '../../switch/engine/program.ts';
import { frameOf, targetOf } from './frames.ts';
import { found, ProgramRows } from './program-rows.ts';
import { fitsProgram } from './row-limits.ts';
import type { Capacity, Decision, Digest, Packet, SimSwitch, Verdict } from './sim-switch.ts';

export interface CompiledSwitchOptions {
  capacity: Capacity;
}

/** v1model's drop port, and a port that clients are behind. */
const dropPort = 511;
const clientPort = 1;
const microsPerMilli = 1000;

/** By DECISION_* of p4/core/types.p4. The last two are packets that no vip claims. */
const decisionNames: readonly Decision[] = [
  'stable',
  'pinned',
  'filter',
  'base',
  'new',
  'not ours',
  'not ours',
];
const admittedCell = 4;
const deadPoolCell = 14;
/** Rows that are held, and that the program is not given. */
const unasked: ReadonlySet<SwitchRow['table']> = new Set(['route', 'neighbour']);
/** Where packets for nobody go; and by which id, where rows name no backend at all. */
const nowhere = { address: 0x0afffffe, port: 1 };
const nobody = BACKEND_IDS - 1;
const namers: ReadonlySet<SwitchRow['table']> = new Set([
  ...['slot', 'slot_version', 'slot_prefix', 'slot_version_prefix', 'pin'],
] as const);
const wayOut: readonly SwitchRow[] = [
  { table: 'route', prefix: 0, prefixLength: 0, nextHop: 1 },
  { table: 'neighbour', address: 1, port: 2, sourceMac: 1, targetMac: 2, mtu: 0 },
];
/** By DIGEST_*. */
const reasonNames: readonly (Digest['reason'] | undefined)[] = [
  undefined,
  'old',
  'learn',
  'closing',
  'opening',
];

interface HeldRow {
  row: Exclude<SwitchRow, VersionRow>;
  handle: number;
}

export class CompiledSwitch implements SimSwitch {
  private readonly json: unknown;
  private readonly options: CompiledSwitchOptions;
  private pipeline!: Pipeline;
  private program!: Program;
  private programRows!: ProgramRows;
  private counters!: { decisions: number; drops: number; backends: number };
  private flowDigests!: number;

  private version: VersionRow = INITIAL_VERSION;
  private readonly held = new Map<SwitchRow['table'], HeldRows>();
  /** Backends by where they listen. Several may share a place. */
  private readonly listeners = new Map<string, number[]>();
  /** Backends that the program has a row for: those that have one, and those that rows name; with their handles. */
  private readonly places = new Map<number, number>();

  // What the program has told of the packet at hand, and what its counters told before.
  private frames: Uint8Array[] = [];
  private samples: DigestSample[] = [];
  private decisionsSeen: number[] = [];
  private droppedSeen = 0;
  private readonly servedSeen = new Map<number, number>();

  /**
   * @param json  p4/build/evenkeel.json, as text
   * @throws ProgramError when the engine cannot run it
   */
  constructor(json: string, options: Partial<CompiledSwitchOptions> = {}) {
    this.json = JSON.parse(json);
    this.options = { capacity: {}, ...options };
    this.restart();
  }

  get admitted(): number {
    return this.decisionsSeen[admittedCell]!;
  }

  restart(): void {
    const { pipeline, program } = compile(this.json, {
      dropPort,
      sink: {
        transmit: (_port, frame) => this.frames.push(frame.slice()),
        digest: (sample) => this.samples.push(sample),
        diagnostic: (what) => {
          throw new Error(what);
        },
      },
    });
    this.pipeline = pipeline;
    this.program = program;
    this.programRows = new ProgramRows(program);
    this.counters = {
      decisions: this.counter('decisions.cells'),
      drops: this.counter('drops.cells'),
      backends: this.counter('backend_traffic.cells'),
    };
    this.flowDigests = found(
      program.learnLists.find(({ name }) => name === 'flow_digest_t'),
      'digest flow_digest_t',
    ).id;
    this.version = INITIAL_VERSION;
    this.held.clear();
    this.listeners.clear();
    this.places.clear();
    wayOut.forEach((row, handle) => {
      this.give('insert', row, handle, 0);
    });
    this.decisionsSeen = decisionNames.map(() => 0);
    this.droppedSeen = 0;
    this.servedSeen.clear();
  }

  // Packets.

  process(packet: Packet, now: Millis): Verdict {
    this.frames = [];
    this.samples = [];
    this.pipeline.process(clientPort, frameOf(packet), now * microsPerMilli);
    const decision = this.readDecision();
    // Without a row its slot is stable, and nobody's.
    const isDead = this.readDead();
    if (decision === undefined) {
      return { decision: isDead ? 'stable' : 'not ours', backend: NO_BACKEND, digest: undefined };
    }
    if (decision === 'not ours') return { decision, backend: NO_BACKEND, digest: undefined };
    const backend = this.readBackend();
    return { decision, backend, digest: backend === NO_BACKEND ? undefined : this.readDigest() };
  }

  private readDecision(): Decision | undefined {
    const counts = decisionNames.map((_, index) => this.count32(this.counters.decisions, index));
    const taken = counts.flatMap((count, index) => (count > this.decisionsSeen[index]! ? [index] : []));
    this.decisionsSeen = counts;
    if (taken.length > 1) throw new Error(`the program counts ${taken.length} decisions for one packet`);
    return decisionNames[taken[0] ?? -1];
  }

  /** Whether there was no backend to send it to. */
  private readDead(): boolean {
    const dropped = this.count32(this.counters.drops, deadPoolCell);
    const isDropped = dropped > this.droppedSeen;
    this.droppedSeen = dropped;
    return isDropped;
  }

  /** The backend that counts one more packet; a frame that has left must be for it. */
  private readBackend(): number {
    const { address, port } = targetOf(found(this.frames[0], 'frame of a packet that it decided about'));
    const isNobodys = address === nowhere.address && port === nowhere.port;
    const candidates = isNobodys
      ? [...this.places.keys()]
      : (this.listeners.get(placeKey(address, port)) ?? []);
    for (const backend of candidates) {
      const served = this.count32(this.counters.backends, backend);
      if (served === (this.servedSeen.get(backend) ?? 0)) continue;
      this.servedSeen.set(backend, served);
      return isNobodys ? NO_BACKEND : backend;
    }
    throw new Error('a packet was served by a backend that nobody knows');
  }

  private readDigest(): Digest | undefined {
    const sample = this.samples.find(({ list }) => list === this.flowDigests);
    if (sample === undefined) return undefined;
    // As shell p4/v1model/evenkeel.p4 lists them.
    const [sourceAddress, , , sourcePort, , pool, slot, column, backend, reason] = sample.values.map(Number);
    return {
      reason: found(reasonNames[reason!], `digest reason ${reason}`),
      pool: pool!,
      slot: slot!,
      column: column! as Column,
      backend: backend!,
      sourceAddress: sourceAddress!,
      sourcePort: sourcePort!,
    };
  }

  private counter(name: string): number {
    return found(
      this.program.counters.find((counter) => counter.name.endsWith(name)),
      `counter ${name}`,
    ).id;
  }

  private count32(counter: number, index: number): number {
    return Number(this.pipeline.readCounter(counter, index).packets);
  }

  // Rows.

  apply({ operation, row }: RowUpdate<SwitchRow>, now: Millis): WriteFailureCode | undefined {
    if (!fitsProgram(row)) return 'rejected';
    const { table, key, action, data } = this.programRows.entryOf(row);
    if (row.table === 'version') {
      this.version = row;
      this.pipeline.apply([{ kind: 'default', table, action, data }], now * microsPerMilli);
      return undefined;
    }
    const rows = this.held.get(row.table) ?? new HeldRows();
    this.held.set(row.table, rows);
    const name = nameOf(key);
    const before = rows.byName.get(name);
    const was = before?.row;
    if (operation === 'insert') {
      if (before !== undefined) return 'exists';
      if (rows.byName.size >= (this.options.capacity[row.table] ?? Number.POSITIVE_INFINITY)) return 'full';
      this.give('insert', row, rows.add(name, row), now);
    } else if (before === undefined) {
      return 'missing';
    } else if (operation === 'modify') {
      rows.replace(name, row);
      this.give('modify', row, before.handle, now);
    } else {
      rows.remove(name);
      this.give('delete', row, before.handle, now);
    }
    if (row.table === 'backend') this.listen(was, operation === 'delete' ? undefined : row);
    return undefined;
  }

  /** The row, as the program is to have it. */
  private give(operation: RowUpdate['operation'], row: SwitchRow, handle: number, now: Millis): void {
    if (row.table === 'backend') {
      this.place(row.backend, operation === 'delete' ? nowhere : row, now);
      return;
    }
    if (unasked.has(row.table) && !wayOut.includes(row)) return;
    const given = this.named(row, now);
    const { table, key, action, data, idleTimeoutMs } = this.programRows.entryOf(given);
    const entry = { table, handle, key, priority: 0, action, data, idleTimeoutMs };
    this.pipeline.apply([{ kind: operation, ...entry }], now * microsPerMilli);
  }

  /** With a backend that has a place. */
  private named(row: SwitchRow, now: Millis): SwitchRow {
    if (!namers.has(row.table) || !('backend' in row)) return row;
    const backend = row.backend === NO_BACKEND ? nobody : row.backend;
    if (!this.places.has(backend)) this.place(backend, nowhere, now);
    return { ...row, backend };
  }

  private place(backend: number, { address, port }: { address: Address; port: number }, now: Millis): void {
    const known = this.places.get(backend);
    const handle = known ?? this.places.size;
    this.places.set(backend, handle);
    const row = { table: 'backend', backend, forwarding: 'nat', address, port } as const;
    const { table, key, action, data, idleTimeoutMs } = this.programRows.entryOf(row);
    const entry = { table, handle, key, priority: 0, action, data, idleTimeoutMs };
    this.pipeline.apply(
      [{ kind: known === undefined ? 'insert' : 'modify', ...entry }],
      now * microsPerMilli,
    );
  }

  count(table: SwitchRow['table']): number {
    return table === 'version' ? 1 : (this.held.get(table)?.byName.size ?? 0);
  }

  read(): SwitchRow[] {
    return [this.version, ...[...this.held.keys()].flatMap((table) => this.rowsOf(table))];
  }

  idlePins(now: Millis): PinRow[] {
    const pins = this.programRows.tableId('pin');
    return this.pipeline.idleEntries(now * microsPerMilli).flatMap(([table, handle]) => {
      const row = table === pins ? this.held.get('pin')?.byHandle[handle] : undefined;
      return row?.table === 'pin' ? [row] : [];
    });
  }

  private rowsOf(table: SwitchRow['table']): SwitchRow[] {
    return [...(this.held.get(table)?.byName.values() ?? [])].map(({ row }) => row);
  }

  private listen(before: SwitchRow | undefined, after: BackendRow | undefined): void {
    if (before?.table === 'backend') {
      const place = placeKey(requireIpv4(before.address), before.port);
      const others = this.listeners.get(place)!.filter((backend) => backend !== before.backend);
      this.listeners.set(place, others);
    }
    if (after !== undefined) {
      const place = placeKey(requireIpv4(after.address), after.port);
      this.listeners.set(place, [...(this.listeners.get(place) ?? []), after.backend]);
    }
  }
}

/** The rows of one table, by key and by the engine's handle; handles are used again. */
class HeldRows {
  readonly byName = new Map<string, HeldRow>();
  readonly byHandle: (HeldRow['row'] | undefined)[] = [];
  private readonly freeHandles: number[] = [];

  /** @returns the row's handle */
  add(name: string, row: HeldRow['row']): number {
    const handle = this.freeHandles.pop() ?? this.byHandle.length;
    this.byName.set(name, { row, handle });
    this.byHandle[handle] = row;
    return handle;
  }

  replace(name: string, row: HeldRow['row']): void {
    const held = this.byName.get(name)!;
    held.row = row;
    this.byHandle[held.handle] = row;
  }

  remove(name: string): void {
    const { handle } = this.byName.get(name)!;
    this.byName.delete(name);
    this.byHandle[handle] = undefined;
    this.freeHandles.push(handle);
  }
}

function nameOf(key: readonly KeyPart[]): string {
  return key
    .map((part) =>
      part.kind === 'lpm' ? `${part.value}/${part.prefixLength}` : String('value' in part && part.value),
    )
    .join();
}

function placeKey(address: number, port: number): string {
  return `${address}:${port}`;
}
