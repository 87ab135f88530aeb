// SPDX-License-Identifier: Apache-2.0
/**
 * The entries of one table, as the client sees them, and the rules by which they change.
 *
 * Strict: what either the specification or simple_switch_grpc would refuse is refused. Where the two disagree on the
 * code, it is simple_switch_grpc's, because that is what controllers are run against: a full table is UNKNOWN, a value
 * too wide INVALID_ARGUMENT, a write to a const table UNKNOWN or NOT_FOUND.
 */

import { create } from '@bufbuild/protobuf';
import type { MeterConfig, TableAction, TableEntry } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { TableEntrySchema, Update_Type } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { throughGroup, throughMember } from '../engine/pipeline.ts';
import { type ActionCall, actionMessage, readActionCall } from './action-call.ts';
import { type ActionProfileState, actionSetMessage, type Reference } from './action-profile.ts';
import type { BoundTable } from './binding.ts';
import { cellOf } from './counters.ts';
import type { HostOperation } from './host.ts';
import { keyParts, priorityOf, readKey, textOfParts, writeMatch } from './match-key.ts';
import { ratesOf } from './meters.ts';
import { Code, invalid, Refusal } from './refusal.ts';

/** Never changed; a MODIFY puts another in its place. */
export interface Entry {
  /** The pipeline's name for it. */
  readonly handle: number;
  /** Canonical; see match-key.ts. */
  readonly key: string;
  readonly call: ActionCall | Reference;
  readonly idleTimeoutNs: bigint;
  readonly controllerMetadata: bigint;
  readonly metadata: Uint8Array;
  /** Belongs to the program. */
  readonly isConst: boolean;
  /** The `apply` that told the pipeline of it, counted from the start of the program. */
  readonly batch: number;
}

/** What an update wants, checked but not yet carried out: an action set has no members before. */
type PlannedCall = ActionCall | Exclude<Reference, { kind: 'set' }> | SetPlan;

interface SetPlan {
  readonly kind: 'planned-set';
  readonly plan: ReturnType<ActionProfileState['planSet']>;
}

const noBytes = new Uint8Array();

/** BMv2 numbers priorities the other way round. */
const priorityMax = 2 ** 31 - 1;

export class TableState {
  readonly bound: BoundTable;
  /** Of a table whose entries name members and groups. */
  readonly #profile: ActionProfileState | undefined;
  readonly #entries = new Map<string, Entry>();
  readonly #entryByHandle: (Entry | undefined)[] = [];
  readonly #freeHandles: number[] = [];
  /** By handle; without one a meter is always green. */
  readonly #meterConfigs = new Map<number, MeterConfig>();
  readonly #initialDefault: ActionCall | undefined;
  #default: ActionCall | undefined;

  /** @param profile  undefined for a table whose entries have actions of their own */
  constructor(bound: BoundTable, profile: ActionProfileState | undefined = undefined) {
    this.bound = bound;
    this.#profile = profile;
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
    if (entry.meterConfig !== undefined && !this.bound.hasMeter) {
      throw invalid(`table '${this.bound.name}' has no direct meter`);
    }
    if (entry.meterCounterData !== undefined) throw invalid('meters of this switch do not count');
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
    const planned = this.#readCall(entry);
    const rates = entry.meterConfig && ratesOf(entry.meterConfig);
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
    this.#checkReference(planned, undefined);
    const call = this.#carryOut(planned, operations);
    const handle = this.#freeHandles.pop() ?? this.#entryByHandle.length;
    this.#put(this.#entryOf(handle, key, call, entry, batch));
    operations.push({
      kind: 'insert',
      table: bound.table.id,
      handle,
      key: keyParts(bound, key),
      priority: entry.priority,
      ...pipelineCall(call),
      idleTimeoutMs,
    });
    this.#pushCounter(handle, cell, operations);
    if (entry.meterConfig !== undefined) this.#setMeter(handle, entry.meterConfig, rates, operations);
  }

  #modify(entry: TableEntry, batch: number, operations: HostOperation[]): void {
    if (entry.action === undefined) throw invalid('MODIFY needs an action, even to change something else');
    const key = readKey(this.bound, entry.match, entry.priority);
    const planned = this.#readCall(entry);
    const rates = entry.meterConfig && ratesOf(entry.meterConfig);
    const idleTimeoutMs = this.#readIdleTimeout(entry);
    const cell = entry.counterData && cellOf(entry.counterData);
    const before = this.#changeable(key);
    const { handle } = before;
    this.#checkReference(planned, before);
    const call = this.#carryOut(planned, operations);
    this.#put(this.#entryOf(handle, key, call, entry, batch));
    const { id: table } = this.bound.table;
    operations.push({ kind: 'modify', table, handle, ...pipelineCall(call), idleTimeoutMs });
    this.#pushCounter(handle, cell, operations);
    // Without a config the meter stays as it is, on simple_switch_grpc too; the specification resets it.
    if (entry.meterConfig !== undefined) this.#setMeter(handle, entry.meterConfig, rates, operations);
    this.#release(before, operations);
  }

  /** Only the key counts: whatever else the message holds is not looked at. */
  #delete(entry: TableEntry, operations: HostOperation[]): void {
    const key = readKey(this.bound, entry.match, entry.priority);
    const entryBefore = this.#changeable(key);
    const { handle } = entryBefore;
    this.#entries.delete(key);
    this.#meterConfigs.delete(handle);
    this.#entryByHandle[handle] = undefined;
    this.#freeHandles.push(handle);
    operations.push({ kind: 'delete', table: this.bound.table.id, handle });
    this.#release(entryBefore, operations);
  }

  #writeDefault(type: Update_Type, entry: TableEntry, operations: HostOperation[]): void {
    const { bound } = this;
    if (type !== Update_Type.MODIFY)
      throw invalid('a default action is always there: it can only be modified');
    if (entry.match.length > 0 || entry.priority !== 0) {
      throw invalid('a default action has no match and no priority');
    }
    if (entry.idleTimeoutNs !== 0n) throw invalid('a default action does not time out');
    if (this.#profile !== undefined) {
      throw invalid(`table '${bound.name}' has an action profile, so its default action cannot be set`);
    }
    if (entry.counterData !== undefined) throw unknown('a default action has no counter on this switch');
    if (bound.isDefaultConst) {
      throw new Refusal(Code.PERMISSION_DENIED, `the default action of table '${bound.name}' is const`);
    }
    if (entry.meterConfig !== undefined) throw unknown('a default action has no meter on this switch');
    const call = entry.action && this.#readAction(entry.action, 'default');
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

  #entryOf(
    handle: number,
    key: string,
    call: ActionCall | Reference,
    entry: TableEntry,
    batch: number,
  ): Entry {
    const { idleTimeoutNs, controllerMetadata } = entry;
    // A copy, because the bytes are a view of the whole request, which must not live as long as the entry.
    const metadata = entry.metadata.length === 0 ? noBytes : Uint8Array.from(entry.metadata);
    return { handle, key, call, idleTimeoutNs, controllerMetadata, metadata, isConst: false, batch };
  }

  #put(entry: Entry): void {
    this.#entries.set(entry.key, entry);
    this.#entryByHandle[entry.handle] = entry;
  }

  /** How the meter of an entry is configured. */
  meterConfig(handle: number): MeterConfig | undefined {
    return this.#meterConfigs.get(handle);
  }

  /** @param config  undefined for a meter that is always green. @throws Refusal; then nothing has changed */
  writeMeter({ handle }: Entry, config: MeterConfig | undefined, operations: HostOperation[]): void {
    this.#setMeter(handle, config, config && ratesOf(config), operations);
  }

  #setMeter(
    handle: number,
    config: MeterConfig | undefined,
    rates: ReturnType<typeof ratesOf> | undefined,
    operations: HostOperation[],
  ): void {
    if (config === undefined) this.#meterConfigs.delete(handle);
    else this.#meterConfigs.set(handle, config);
    operations.push({ kind: 'write-direct-meter', table: this.bound.table.id, handle, rates });
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
    return action && { kind: 'action', action, data };
  }

  #readCall({ action }: TableEntry): PlannedCall {
    const profile = this.#profile;
    if (profile === undefined) return this.#readAction(action!, 'entries');
    const { type } = action!;
    switch (type.case) {
      case 'actionProfileMemberId':
        return profile.member(type.value);
      case 'actionProfileGroupId':
        return profile.group(type.value);
      case 'actionProfileActionSet':
        return { kind: 'planned-set', plan: profile.planSet(type.value) };
      default:
        throw invalid(
          `table '${this.bound.name}' takes a member, a group or an action set: it has an action profile`,
        );
    }
  }

  /** What can be checked only when all else is in order. @param before  the entry that is changed */
  #checkReference(planned: PlannedCall, before: Entry | undefined): void {
    // The specification allows it; simple_switch_grpc does not.
    if (planned.kind === 'group' && planned.shares.size === 0) throw unknown(`group ${planned.id} is empty`);
    if (planned.kind === 'planned-set') {
      this.#profile!.checkSetRoom(planned.plan, before?.call.kind === 'set' ? before.call : undefined);
    }
  }

  #carryOut(planned: PlannedCall, operations: HostOperation[]): ActionCall | Reference {
    if (planned.kind === 'planned-set') return this.#profile!.addSet(planned.plan, operations);
    if (planned.kind !== 'action') planned.entries += 1;
    return planned;
  }

  /** The entry no longer refers to what it referred to; to be called when the pipeline has been told. */
  #release({ call }: Entry, operations: HostOperation[]): void {
    if (call.kind === 'set') this.#profile!.removeSet(call, operations);
    else if (call.kind !== 'action') call.entries -= 1;
  }

  #readAction({ type }: TableAction, place: 'entries' | 'default'): ActionCall {
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
    return readActionCall(action, type.value);
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
      action: tableAction(entry.call),
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
      action: tableAction(this.#default),
      isDefaultAction: true,
      isConst: this.bound.isDefaultConst,
    });
  }
}

/** What the pipeline is told to do. */
function pipelineCall(call: ActionCall | Reference): { action: number; data: readonly bigint[] } {
  switch (call.kind) {
    case 'action':
      return { action: call.action.action.id, data: call.data };
    case 'member':
      return { action: throughMember, data: [BigInt(call.handles[0]!)] };
    case 'group':
    case 'set':
      return { action: throughGroup, data: [BigInt(call.handle)] };
  }
}

function tableAction(call: ActionCall | Reference): TableAction {
  return { $typeName: 'p4.v1.TableAction', type: tableActionType(call) };
}

function tableActionType(call: ActionCall | Reference): TableAction['type'] {
  switch (call.kind) {
    case 'action':
      return { case: 'action', value: actionMessage(call) };
    case 'member':
      return { case: 'actionProfileMemberId', value: call.id };
    case 'group':
      return { case: 'actionProfileGroupId', value: call.id };
    case 'set':
      return { case: 'actionProfileActionSet', value: actionSetMessage(call) };
  }
}

function unknown(message: string): Refusal {
  return new Refusal(Code.UNKNOWN, message);
}
