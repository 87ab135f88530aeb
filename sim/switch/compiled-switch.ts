// SPDX-License-Identifier: Apache-2.0
/**
 * The compiled P4 program as a simulated switch: rows become entries of the embedded engine's tables, packets become
 * frames. The verdict is what the program itself says: by the frame that leaves, by its counters, by its digests.
 *
 * Routes and neighbours matter to a frame, not to the verdict: a packet that a backend was chosen for has that backend,
 * whether the router knows the way or not.
 */

import { requireIpv4 } from '../../controller/core/address.ts';
import type { Millis, WriteFailureCode } from '../../controller/core/event.ts';
import { INITIAL_VERSION } from '../../controller/core/model.ts';
import type { BackendRow, Column, PinRow, Row, RowUpdate, VersionRow } from '../../controller/core/row.ts';
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
const noBackendCell = 2;
/** By DIGEST_*. */
const reasonNames: readonly (Digest['reason'] | undefined)[] = [
  undefined,
  'old',
  'learn',
  'closing',
  'opening',
];

interface HeldRow {
  row: Exclude<Row, VersionRow>;
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
  private readonly held = new Map<Row['table'], HeldRows>();
  /** Backends by where they listen. Several may share a place. */
  private readonly listeners = new Map<string, number[]>();

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
    const isDropped = this.readDropped();
    if (decision === 'not ours') return { decision, backend: 0, digest: undefined };
    return { decision, backend: isDropped ? 0 : this.readBackend(), digest: this.readDigest() };
  }

  private readDecision(): Decision {
    const counts = decisionNames.map((_, index) => this.count32(this.counters.decisions, index));
    const taken = counts.flatMap((count, index) => (count > this.decisionsSeen[index]! ? [index] : []));
    this.decisionsSeen = counts;
    if (taken.length !== 1) throw new Error(`the program counts ${taken.length} decisions for one packet`);
    return decisionNames[taken[0]!]!;
  }

  /** Whether there was no backend to send it to. */
  private readDropped(): boolean {
    const dropped = this.count32(this.counters.drops, noBackendCell);
    const isDropped = dropped > this.droppedSeen;
    this.droppedSeen = dropped;
    return isDropped;
  }

  /** The backend that counts one more packet; a frame that has left must be for it. */
  private readBackend(): number {
    const [frame] = this.frames;
    let candidates: readonly number[];
    if (frame === undefined) {
      candidates = this.rowsOf('backend').map((row) => (row as BackendRow).backend);
    } else {
      const { address, port } = targetOf(frame);
      candidates = this.listeners.get(placeKey(address, port)) ?? [];
    }
    for (const backend of candidates) {
      const served = this.count32(this.counters.backends, backend);
      if (served === (this.servedSeen.get(backend) ?? 0)) continue;
      this.servedSeen.set(backend, served);
      return backend;
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

  apply({ operation, row }: RowUpdate, now: Millis): WriteFailureCode | undefined {
    if (!fitsProgram(row)) return 'rejected';
    const { table, key, action, data, idleTimeoutMs } = this.programRows.entryOf(row);
    const nowMicros = now * microsPerMilli;
    if (row.table === 'version') {
      this.version = row;
      this.pipeline.apply([{ kind: 'default', table, action, data }], nowMicros);
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
      const handle = rows.add(name, row);
      const entry = { table, handle, key, priority: 0, action, data, idleTimeoutMs };
      this.pipeline.apply([{ kind: 'insert', ...entry }], nowMicros);
    } else if (before === undefined) {
      return 'missing';
    } else if (operation === 'modify') {
      rows.replace(name, row);
      const entry = { table, handle: before.handle, action, data, idleTimeoutMs };
      this.pipeline.apply([{ kind: 'modify', ...entry }], nowMicros);
    } else {
      rows.remove(name);
      this.pipeline.apply([{ kind: 'delete', table, handle: before.handle }], nowMicros);
    }
    if (row.table === 'backend') this.listen(was, operation === 'delete' ? undefined : row);
    return undefined;
  }

  count(table: Row['table']): number {
    return table === 'version' ? 1 : (this.held.get(table)?.byName.size ?? 0);
  }

  read(): Row[] {
    return [this.version, ...[...this.held.keys()].flatMap((table) => this.rowsOf(table))];
  }

  idlePins(now: Millis): PinRow[] {
    const pins = this.programRows.tableId('pin');
    return this.pipeline.idleEntries(now * microsPerMilli).flatMap(([table, handle]) => {
      const row = table === pins ? this.held.get('pin')?.byHandle[handle] : undefined;
      return row?.table === 'pin' ? [row] : [];
    });
  }

  private rowsOf(table: Row['table']): Row[] {
    return [...(this.held.get(table)?.byName.values() ?? [])].map(({ row }) => row);
  }

  private listen(before: Row | undefined, after: BackendRow | undefined): void {
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
