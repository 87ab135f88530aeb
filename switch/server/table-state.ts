// SPDX-License-Identifier: Apache-2.0
/**
 * The entries of one table, as the client sees them, and the rules by which they change.
 *
 * Strict: what either the specification or simple_switch_grpc would refuse is refused. Where the two disagree on the
 * code, it is simple_switch_grpc's, because that is what controllers are run against: a full table is UNKNOWN, a value
 * too wide INVALID_ARGUMENT, a write to a const table UNKNOWN or NOT_FOUND.
 */

import { create } from '@bufbuild/protobuf';
import type {
  Action_Param,
  Action as ActionMessage,
  TableAction,
  TableEntry,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { TableEntrySchema, Update_Type } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { encodeValue } from '../../p4runtime/values.ts';
import type { BoundAction, BoundTable } from './binding.ts';
import { cellOf } from './counters.ts';
import type { HostOperation } from './host.ts';
import { keyParts, priorityOf, readKey, readValue, textOfParts, writeMatch } from './match-key.ts';
import { Code, invalid, Refusal } from './refusal.ts';

/** Never changed; a MODIFY puts another in its place. */
export interface Entry {
  /** The pipeline's name for it. */
  readonly handle: number;
  /** Canonical; see match-key.ts. */
  readonly key: string;
  readonly call: ActionCall;
  readonly idleTimeoutNs: bigint;
  readonly controllerMetadata: bigint;
  readonly metadata: Uint8Array;
  /** Belongs to the program. */
  readonly isConst: boolean;
  /** The `apply` that told the pipeline of it, counted from the start of the program. */
  readonly batch: number;
}

export interface ActionCall {
  readonly action: BoundAction;
  /** In the order of the pipeline's parameters. */
  readonly data: readonly bigint[];
}

const noBytes = new Uint8Array();

/** BMv2 numbers priorities the other way round. */
const priorityMax = 2 ** 31 - 1;

export class TableState {
  readonly bound: BoundTable;
  readonly #entries = new Map<string, Entry>();
  readonly #entryByHandle: (Entry | undefined)[] = [];
  readonly #freeHandles: number[] = [];
  readonly #initialDefault: ActionCall | undefined;
  #default: ActionCall | undefined;

  constructor(bound: BoundTable) {
    this.bound = bound;
    const { table } = bound;
    this.#initialDefault = table.default && this.#programCall(table.default.action.id, table.default.data);
    this.#default = this.#initialDefault;
    for (const [handle, { key, bmv2Priority, action, data }] of (table.entries ?? []).entries()) {
      const call = this.#programCall(action.id, data);
      if (call === undefined) continue;
      this.#put({
        handle,
        key: textOfParts(bound, key, priorityMax - bmv2Priority),
        call,
        idleTimeoutNs: 0n,
        controllerMetadata: 0n,
        metadata: noBytes,
        isConst: true,
        batch: 0,
      });
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  /** A snapshot of the entries, the program's own included. */
  entries(): Entry[] {
    return [...this.#entries.values()];
  }

  find(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  findHandle(handle: number): Entry | undefined {
    return this.#entryByHandle[handle];
  }

  /**
   * Carries out one update.
   *
   * @param batch  the number of the `apply` that `operations` will be part of
   * @param operations  what the pipeline must be told is added here
   * @throws Refusal; then nothing has changed
   */
  write(type: Update_Type, entry: TableEntry, batch: number, operations: HostOperation[]): void {
    if (entry.isConst) throw invalid('is_const is for reading: only the program has const entries');
    if (entry.timeSinceLastHit !== undefined) throw invalid('time_since_last_hit is for reading');
    if (entry.meterConfig !== undefined || entry.meterCounterData !== undefined) {
      throw invalid(`table '${this.bound.name}' has no direct meter`);
    }
    if (entry.counterData !== undefined && this.bound.counterUnit === undefined) {
      throw invalid(`table '${this.bound.name}' has no direct counter`);
    }
    if (entry.isDefaultAction) {
      this.#writeDefault(type, entry, operations);
      return;
    }
    switch (type) {
      case Update_Type.INSERT:
        this.#insert(entry, batch, operations);
        break;
      case Update_Type.MODIFY:
        this.#modify(entry, batch, operations);
        break;
      case Update_Type.DELETE:
        this.#delete(entry, operations);
        break;
      default:
        throw invalid('the update has no type');
    }
  }

  #insert(entry: TableEntry, batch: number, operations: HostOperation[]): void {
    const { bound } = this;
    if (entry.action === undefined) throw invalid('an entry needs an action');
    const key = readKey(bound, entry.match, entry.priority);
    const call = this.#readCall(entry, 'entries');
    const idleTimeoutMs = this.#readIdleTimeout(entry);
    const cell = entry.counterData && cellOf(entry.counterData);
    if (bound.fields.length === 0) throw unknown(`table '${bound.name}' has no key, so it has no entries`);
    if (bound.isConst) throw unknown(`the entries of table '${bound.name}' are const`);
    if (this.#entries.has(key)) {
      throw new Refusal(Code.ALREADY_EXISTS, 'Match entry exists, use MODIFY if you wish to change action');
    }
    if (this.#entries.size >= bound.table.maxSize) {
      throw unknown(`Error when adding match entry to target: table '${bound.name}' is full`);
    }
    const handle = this.#freeHandles.pop() ?? this.#entryByHandle.length;
    this.#put(this.#entryOf(handle, key, call, entry, batch));
    operations.push({
      kind: 'insert',
      table: bound.table.id,
      handle,
      key: keyParts(bound, key),
      priority: entry.priority,
      action: call.action.action.id,
      data: call.data,
      idleTimeoutMs,
    });
    this.#pushCounter(handle, cell, operations);
  }

  #modify(entry: TableEntry, batch: number, operations: HostOperation[]): void {
    if (entry.action === undefined) throw invalid('MODIFY needs an action, even to change something else');
    const key = readKey(this.bound, entry.match, entry.priority);
    const call = this.#readCall(entry, 'entries');
    const idleTimeoutMs = this.#readIdleTimeout(entry);
    const cell = entry.counterData && cellOf(entry.counterData);
    const { handle } = this.#changeable(key);
    this.#put(this.#entryOf(handle, key, call, entry, batch));
    const { id: table } = this.bound.table;
    const action = call.action.action.id;
    operations.push({ kind: 'modify', table, handle, action, data: call.data, idleTimeoutMs });
    this.#pushCounter(handle, cell, operations);
  }

  /** Only the key counts: whatever else the message holds is not looked at. */
  #delete(entry: TableEntry, operations: HostOperation[]): void {
    const key = readKey(this.bound, entry.match, entry.priority);
    const { handle } = this.#changeable(key);
    this.#entries.delete(key);
    this.#entryByHandle[handle] = undefined;
    this.#freeHandles.push(handle);
    operations.push({ kind: 'delete', table: this.bound.table.id, handle });
  }

  #writeDefault(type: Update_Type, entry: TableEntry, operations: HostOperation[]): void {
    const { bound } = this;
    if (type !== Update_Type.MODIFY)
      throw invalid('a default action is always there: it can only be modified');
    if (entry.match.length > 0 || entry.priority !== 0) {
      throw invalid('a default action has no match and no priority');
    }
    if (entry.idleTimeoutNs !== 0n) throw invalid('a default action does not time out');
    if (entry.counterData !== undefined) throw unknown('a default action has no counter on this switch');
    if (bound.isDefaultConst) {
      throw new Refusal(Code.PERMISSION_DENIED, `the default action of table '${bound.name}' is const`);
    }
    const call = entry.action && this.#readCall(entry, 'default');
    this.#default = call ?? this.#initialDefault;
    const action = call?.action.action.id;
    operations.push({ kind: 'default', table: bound.table.id, action, data: call?.data ?? [] });
  }

  #changeable(key: string): Entry {
    const found = this.#entries.get(key);
    // simple_switch_grpc does not know const entries by their keys.
    if (found === undefined || found.isConst) {
      throw new Refusal(Code.NOT_FOUND, `Cannot find match entry in table '${this.bound.name}'`);
    }
    return found;
  }

  #entryOf(handle: number, key: string, call: ActionCall, entry: TableEntry, batch: number): Entry {
    const { idleTimeoutNs, controllerMetadata } = entry;
    // A copy, because the bytes are a view of the whole request, which must not live as long as the entry.
    const metadata = entry.metadata.length === 0 ? noBytes : Uint8Array.from(entry.metadata);
    return { handle, key, call, idleTimeoutNs, controllerMetadata, metadata, isConst: false, batch };
  }

  #put(entry: Entry): void {
    this.#entries.set(entry.key, entry);
    this.#entryByHandle[entry.handle] = entry;
  }

  #pushCounter(
    handle: number,
    cell: ReturnType<typeof cellOf> | undefined,
    operations: HostOperation[],
  ): void {
    if (cell === undefined) return;
    operations.push({ kind: 'write-direct-counter', table: this.bound.table.id, handle, cell });
  }

  #programCall(actionId: number, data: readonly bigint[]): ActionCall | undefined {
    const action = this.bound.actionByProgramId.get(actionId);
    return action && { action, data };
  }

  #readCall(entry: TableEntry, place: 'entries' | 'default'): ActionCall {
    const type = entry.action!.type;
    if (type.case === undefined) throw invalid('the action is empty');
    if (type.case !== 'action') {
      throw invalid(`table '${this.bound.name}' takes an action, not ${type.case}: it has no action profile`);
    }
    const action = this.bound.actionById.get(type.value.actionId);
    if (action === undefined) {
      throw invalid(`table '${this.bound.name}' has no action ${type.value.actionId}`);
    }
    if (action.scope !== 'both' && action.scope !== place) {
      const why = place === 'default' ? 'cannot be a default action' : 'can only be a default action';
      throw new Refusal(
        Code.PERMISSION_DENIED,
        `action '${action.name}' ${why} in table '${this.bound.name}'`,
      );
    }
    return { action, data: readData(action, type.value) };
  }

  #readIdleTimeout({ idleTimeoutNs }: TableEntry): number {
    if (idleTimeoutNs === 0n) return 0;
    if (!this.bound.supportsTimeout) throw invalid(`table '${this.bound.name}' has no idle timeouts`);
    if (idleTimeoutNs < 0n) throw invalid(`an idle timeout of ${idleTimeoutNs} ns is negative`);
    const idleTimeoutMs = idleTimeoutNs / 1_000_000n;
    if (idleTimeoutMs === 0n) {
      throw invalid(`an idle timeout of ${idleTimeoutNs} ns is below the resolution of 1 ms`);
    }
    if (idleTimeoutMs > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid('the idle timeout is too long');
    return Number(idleTimeoutMs);
  }

  /** What the client reads back, without counters. */
  message(entry: Entry): TableEntry {
    // Written out, because create() would take most of the time of reading a large table.
    return {
      $typeName: 'p4.v1.TableEntry',
      tableId: this.bound.id,
      match: writeMatch(this.bound, entry.key),
      action: actionMessage(entry.call),
      priority: priorityOf(entry.key),
      controllerMetadata: entry.controllerMetadata,
      isDefaultAction: false,
      metadata: entry.metadata,
      idleTimeoutNs: entry.idleTimeoutNs,
      isConst: entry.isConst,
    };
  }

  /** @returns undefined when a miss does nothing */
  defaultMessage(): TableEntry | undefined {
    if (this.#default === undefined) return undefined;
    return create(TableEntrySchema, {
      tableId: this.bound.id,
      action: actionMessage(this.#default),
      isDefaultAction: true,
      isConst: this.bound.isDefaultConst,
    });
  }
}

function readData({ name, parameters }: BoundAction, { params }: ActionMessage): bigint[] {
  if (params.length !== parameters.length) {
    throw invalid(`action '${name}' has ${parameters.length} parameters, ${params.length} were given`);
  }
  const data = new Array<bigint | undefined>(parameters.length).fill(undefined);
  for (const { paramId, value } of params) {
    const parameter = parameters.find((candidate) => candidate.id === paramId);
    if (parameter === undefined) throw invalid(`action '${name}' has no parameter ${paramId}`);
    if (data[parameter.position] !== undefined) {
      throw invalid(`parameter '${parameter.name}' of action '${name}' is given twice`);
    }
    data[parameter.position] = BigInt(readValue(value, parameter.width, `${name}.${parameter.name}`));
  }
  return data as bigint[];
}

function actionMessage({ action, data }: ActionCall): TableAction {
  const params = action.parameters.map(({ id, width, position }): Action_Param => {
    const value = encodeValue(data[position]!, width);
    return { $typeName: 'p4.v1.Action.Param', paramId: id, value };
  });
  const value: ActionMessage = { $typeName: 'p4.v1.Action', actionId: action.id, params };
  return { $typeName: 'p4.v1.TableAction', type: { case: 'action', value } };
}

function unknown(message: string): Refusal {
  return new Refusal(Code.UNKNOWN, message);
}
