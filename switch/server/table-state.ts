// SPDX-License-Identifier: Apache-2.0
/**
 * The entries of one table, as the client sees them, and the rules by which they change. Where simple_switch_grpc and
 * the specification differ, `Rules` decides.
 */

import { create } from '@bufbuild/protobuf';
import type { MeterConfig, TableAction, TableEntry } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { TableEntrySchema, Update_Type } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { type ActionCall, adoptedCall, readActionCall } from './action-call.ts';
import type { ActionProfileState } from './action-profile.ts';
import { type Batch, put } from './batch.ts';
import type { BoundTable } from './bound.ts';
import type { Rules } from './compat.ts';
import { cellOf } from './counters.ts';
import { HandlePool } from './handle-pool.ts';
import type { HostOperation } from './host.ts';
import { keyParts, priorityOf, readKey, textOfParts, writeMatch } from './match-key.ts';
import { ratesOf } from './meters.ts';
import type { Reference } from './profile-parts.ts';
import { Code, invalid, Refusal } from './refusal.ts';
import { type Entry, nameOfCall, pipelineCall, tableAction } from './table-entry.ts';

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
  readonly #rules: Rules;
  /** Of a table whose entries name members and groups. */
  readonly #profile: ActionProfileState | undefined;
  readonly #entries = new Map<string, Entry>();
  readonly #entryByHandle: (Entry | undefined)[] = [];
  readonly #handles = new HandlePool();
  /** By handle; without one a meter is always green. */
  readonly #meterConfigs = new Map<number, MeterConfig>();
  readonly #initialDefault: ActionCall | undefined;
  #default: ActionCall | undefined;

  /** @param profile  undefined for a table whose entries have actions of their own */
  constructor(bound: BoundTable, rules: Rules, profile: ActionProfileState | undefined = undefined) {
    this.bound = bound;
    this.#rules = rules;
    this.#profile = profile;
    const { table } = bound;
    this.#initialDefault = table.default && this.#programCall(table.default.action.id, table.default.data);
    this.#default = this.#initialDefault;
    for (const [handle, { key, bmv2Priority, action, data }] of (table.entries ?? []).entries()) {
      const call = this.#programCall(action.id, data);
      if (call === undefined) continue;
      const entry: Entry = {
        handle,
        key: textOfParts(bound, key, priorityMax - bmv2Priority),
        call,
        idleTimeoutNs: 0n,
        controllerMetadata: 0n,
        metadata: noBytes,
        isConst: true,
        batch: 0,
      };
      this.#entries.set(entry.key, entry);
      this.#entryByHandle[handle] = entry;
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

  /** Carries out one update. @throws Refusal; then nothing has changed */
  write(type: Update_Type, entry: TableEntry, batch: Batch): void {
    if (entry.isConst) {
      this.#rules.allow('is-const-written', 'is_const is for reading: only the program has const entries');
    }
    if (entry.timeSinceLastHit !== undefined) throw invalid('time_since_last_hit is for reading');
    if (entry.meterConfig !== undefined && !this.bound.hasMeter) {
      throw invalid(`table '${this.bound.name}' has no direct meter`);
    }
    if (entry.meterCounterData !== undefined) {
      this.#rules.allow('meter-counter-data', 'meters of this switch do not count');
    }
    if (entry.counterData !== undefined && this.bound.counterUnit === undefined) {
      throw invalid(`table '${this.bound.name}' has no direct counter`);
    }
    if (entry.isDefaultAction) {
      this.#writeDefault(type, entry, batch);
      return;
    }
    switch (type) {
      case Update_Type.INSERT:
        this.#insert(entry, batch);
        break;
      case Update_Type.MODIFY:
        this.#modify(entry, batch);
        break;
      case Update_Type.DELETE:
        this.#delete(entry, batch);
        break;
      default:
        throw invalid('the update has no type');
    }
  }

  #insert(entry: TableEntry, batch: Batch): void {
    const { bound } = this;
    const rules = this.#rules;
    if (entry.action === undefined) throw invalid('an entry needs an action');
    const key = readKey(rules, bound, entry.match, entry.priority);
    const planned = this.#readCall(entry.action);
    const rates = entry.meterConfig && ratesOf(rules, entry.meterConfig);
    const idleTimeoutMs = this.#readIdleTimeout(entry);
    const cell = entry.counterData && cellOf(entry.counterData);
    if (bound.fields.length === 0) {
      throw rules.refusal('keyless-insert', `table '${bound.name}' has no key, so it has no entries`);
    }
    if (bound.isConst) {
      throw rules.refusal('const-table-insert', `the entries of table '${bound.name}' are const`);
    }
    if (this.#entries.has(key)) {
      throw new Refusal(Code.ALREADY_EXISTS, 'Match entry exists, use MODIFY if you wish to change action');
    }
    if (this.#entries.size >= bound.table.maxSize) {
      throw rules.refusal(
        'table-full',
        `Error when adding match entry to target: table '${bound.name}' is full`,
      );
    }
    this.#checkReference(planned, undefined);
    const call = this.#carryOut(planned, batch);
    const handle = this.#takeHandle(batch);
    this.#put(this.#entryOf(handle, key, call, entry, batch), batch);
    batch.push({
      kind: 'insert',
      table: bound.table.id,
      handle,
      key: keyParts(bound, key),
      priority: entry.priority,
      ...pipelineCall(call),
      idleTimeoutMs,
    });
    this.#pushCounter(handle, cell, batch);
    if (entry.meterConfig !== undefined) this.#setMeter(handle, entry.meterConfig, rates, batch);
  }

  #modify(entry: TableEntry, batch: Batch): void {
    const rules = this.#rules;
    if (entry.action === undefined) {
      rules.allow('modify-without-action', 'MODIFY needs an action, even to change something else');
    }
    const key = readKey(rules, this.bound, entry.match, entry.priority);
    const planned = entry.action && this.#readCall(entry.action);
    const rates = entry.meterConfig && ratesOf(rules, entry.meterConfig);
    const idleTimeoutMs = this.#readIdleTimeout(entry);
    const cell = entry.counterData && cellOf(entry.counterData);
    // Without an action only the counter and the meter may change, which even const entries have.
    const before = this.#changeable(key, planned === undefined);
    const { handle } = before;
    if (!before.isConst) {
      if (planned !== undefined) this.#checkReference(planned, before);
      const call = planned === undefined ? before.call : this.#carryOut(planned, batch);
      this.#put(this.#entryOf(handle, key, call, entry, batch), batch);
      const { id: table } = this.bound.table;
      batch.push({ kind: 'modify', table, handle, ...pipelineCall(call), idleTimeoutMs });
    }
    this.#pushCounter(handle, cell, batch);
    const resetsMeter = this.bound.hasMeter && rules.answer('modify-without-meter') === 'the meter is reset';
    if (entry.meterConfig !== undefined || resetsMeter) {
      this.#setMeter(handle, entry.meterConfig, rates, batch);
    }
    if (planned !== undefined) this.#release(before, batch);
  }

  /** Only the key counts: whatever else the message holds is not looked at. */
  #delete(entry: TableEntry, batch: Batch): void {
    const key = readKey(this.#rules, this.bound, entry.match, entry.priority);
    const before = this.#changeable(key, false);
    const { handle } = before;
    put(batch, this.#entries, key, undefined);
    put(batch, this.#meterConfigs, handle, undefined);
    this.#entryByHandle[handle] = undefined;
    this.#handles.release(handle);
    batch.undo?.push(() => {
      this.#handles.retake(handle);
      this.#entryByHandle[handle] = before;
    });
    batch.push({ kind: 'delete', table: this.bound.table.id, handle });
    this.#release(before, batch);
  }

  #writeDefault(type: Update_Type, entry: TableEntry, batch: Batch): void {
    const { bound } = this;
    const rules = this.#rules;
    if (type !== Update_Type.MODIFY)
      throw invalid('a default action is always there: it can only be modified');
    if (entry.match.length > 0 || entry.priority !== 0) {
      throw invalid('a default action has no match and no priority');
    }
    if (entry.idleTimeoutNs !== 0n) throw invalid('a default action does not time out');
    if (this.#profile !== undefined) {
      const message = `table '${bound.name}' has an action profile, so its default action cannot be set`;
      throw rules.refusal('default-with-profile', message);
    }
    if (entry.counterData !== undefined) {
      rules.allow('default-counter', 'a default action has no counter on this switch');
    }
    if (bound.isDefaultConst) {
      throw new Refusal(Code.PERMISSION_DENIED, `the default action of table '${bound.name}' is const`);
    }
    if (entry.meterConfig !== undefined) {
      rules.allow('default-counter', 'a default action has no meter on this switch');
    }
    const call = entry.action && this.#readAction(entry.action, 'default');
    const before = this.#default;
    batch.undo?.push(() => {
      this.#default = before;
    });
    this.#default = call ?? this.#initialDefault;
    const action = call?.action.action.id;
    batch.push({ kind: 'default', table: bound.table.id, action, data: call?.data ?? [] });
  }

  #changeable(key: string, isResourceOnly: boolean): Entry {
    const found = this.#entries.get(key);
    const message = `Cannot find match entry in table '${this.bound.name}'`;
    // simple_switch_grpc does not know const entries by their keys.
    if (this.bound.isConst && !isResourceOnly) throw this.#rules.refusal('const-table-change', message);
    if (found === undefined) throw new Refusal(Code.NOT_FOUND, message);
    return found;
  }

  #entryOf(
    handle: number,
    key: string,
    call: ActionCall | Reference,
    entry: TableEntry,
    batch: Batch,
  ): Entry {
    const { idleTimeoutNs, controllerMetadata } = entry;
    // A copy, because the bytes are a view of the whole request, which must not live as long as the entry.
    const metadata = entry.metadata.length === 0 ? noBytes : Uint8Array.from(entry.metadata);
    return {
      handle,
      key,
      call,
      idleTimeoutNs,
      controllerMetadata,
      metadata,
      isConst: false,
      batch: batch.number,
    };
  }

  #takeHandle(batch: Batch): number {
    const handle = this.#handles.take();
    batch.undo?.push(() => this.#handles.release(handle));
    return handle;
  }

  #put(entry: Entry, batch: Batch): void {
    const { handle } = entry;
    const before = this.#entryByHandle[handle];
    batch.undo?.push(() => {
      this.#entryByHandle[handle] = before;
    });
    put(batch, this.#entries, entry.key, entry);
    this.#entryByHandle[handle] = entry;
  }

  /** Whether a controller has written to it. */
  get isChanged(): boolean {
    return this.#default !== this.#initialDefault || this.entries().some(({ isConst }) => !isConst);
  }

  /** Adds what a fresh pipeline must be told to have all this. */
  tellAll(operations: HostOperation[]): void {
    const { bound } = this;
    const { id: table } = bound.table;
    if (this.#default !== this.#initialDefault && this.#default !== undefined) {
      const { action, data } = this.#default;
      operations.push({ kind: 'default', table, action: action.action.id, data });
    }
    for (const { handle, key, call, idleTimeoutNs, isConst } of this.#entries.values()) {
      if (isConst) continue;
      operations.push({
        kind: 'insert',
        table,
        handle,
        key: keyParts(bound, key),
        priority: priorityOf(key),
        ...pipelineCall(call),
        idleTimeoutMs: Number(idleTimeoutNs / 1_000_000n),
      });
    }
    for (const [handle, config] of this.#meterConfigs) {
      operations.push({ kind: 'write-direct-meter', table, handle, rates: ratesOf(this.#rules, config) });
    }
  }

  /**
   * Takes over the entries of a table of another program, with their handles. To be called once, when this one is
   * fresh and its profile has taken over its own.
   *
   * @returns what cannot be taken over
   */
  adopt(before: TableState, keepsDefault: boolean): string[] {
    const what = `table '${this.bound.name}'`;
    const problems: string[] = [];
    if (keepsDefault && before.#default !== undefined && before.#default !== before.#initialDefault) {
      const call = adoptedCall(this.bound.actionById.get(before.#default.action.id), before.#default);
      if (call === undefined || call.action.scope === 'entries' || this.bound.isDefaultConst) {
        problems.push(`${what} cannot have its default action '${before.#default.action.name}' any more`);
      } else this.#default = call;
    }
    const entries = before.entries().filter(({ isConst }) => !isConst);
    if (entries.length === 0) return problems;
    const obstacle = this.#obstacleTo(before, entries);
    if (obstacle !== undefined) return [...problems, `${what} ${obstacle}`];
    const lost = new Set<string>();
    for (const entry of entries) {
      const call = this.#adoptedCall(entry.call);
      if (call === undefined) {
        lost.add(nameOfCall(entry.call));
        continue;
      }
      // Its number counts the batches of a program that is gone.
      const adopted = { ...entry, call, batch: 0 };
      this.#entries.set(adopted.key, adopted);
      this.#entryByHandle[adopted.handle] = adopted;
      this.#handles.retake(adopted.handle);
      const config = before.#meterConfigs.get(entry.handle);
      if (config !== undefined) this.#meterConfigs.set(entry.handle, config);
    }
    return [
      ...problems,
      ...[...lost].map((name) => `${what} has entries with ${name}, which it cannot have`),
    ];
  }

  #obstacleTo(before: TableState, entries: readonly Entry[]): string | undefined {
    const { bound } = this;
    const shape = ({ fields }: BoundTable) =>
      fields.map(({ id, name, kind, width }) => `${id} ${name} ${kind} ${width}`).join();
    if (bound.isConst) return 'is const now';
    if (shape(bound) !== shape(before.bound)) return 'has another key';
    if (entries.length > bound.table.maxSize) return `has room for only ${bound.table.maxSize} entries now`;
    if (!bound.supportsTimeout && entries.some(({ idleTimeoutNs }) => idleTimeoutNs > 0n)) {
      return 'has no idle timeouts any more';
    }
    if (!bound.hasMeter && before.#meterConfigs.size > 0) return 'has no direct meter any more';
    return undefined;
  }

  #adoptedCall(call: ActionCall | Reference): ActionCall | Reference | undefined {
    if (call.kind !== 'action') return this.#profile?.adopted(call);
    const action = this.bound.actionById.get(call.action.id);
    if (this.#profile !== undefined || action?.scope === 'default') return undefined;
    return adoptedCall(action, call);
  }

  /** Handles that name the same entry in both. */
  handlesSharedWith(other: TableState): number[] {
    return this.entries()
      .filter(({ key, handle }) => other.#entryByHandle[handle]?.key === key)
      .map(({ handle }) => handle);
  }

  /** How the meter of an entry is configured. */
  meterConfig(handle: number): MeterConfig | undefined {
    return this.#meterConfigs.get(handle);
  }

  /** @param config  undefined for a meter that is always green. @throws Refusal; then nothing has changed */
  writeMeter({ handle }: Entry, config: MeterConfig | undefined, batch: Batch): void {
    this.#setMeter(handle, config, config && ratesOf(this.#rules, config), batch);
  }

  #setMeter(
    handle: number,
    config: MeterConfig | undefined,
    rates: ReturnType<typeof ratesOf> | undefined,
    batch: Batch,
  ): void {
    put(batch, this.#meterConfigs, handle, config);
    batch.push({ kind: 'write-direct-meter', table: this.bound.table.id, handle, rates });
  }

  #pushCounter(handle: number, cell: ReturnType<typeof cellOf> | undefined, batch: Batch): void {
    if (cell === undefined) return;
    batch.push({ kind: 'write-direct-counter', table: this.bound.table.id, handle, cell });
  }

  #programCall(actionId: number, data: readonly bigint[]): ActionCall | undefined {
    const action = this.bound.actionByProgramId.get(actionId);
    return action && { kind: 'action', action, data };
  }

  #readCall(action: TableAction): PlannedCall {
    const profile = this.#profile;
    if (profile === undefined) return this.#readAction(action, 'entries');
    const { type } = action;
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
    if (planned.kind === 'group' && planned.shares.size === 0) {
      this.#rules.allow('entry-of-empty-group', `group ${planned.id} is empty`);
    }
    if (planned.kind === 'planned-set') {
      this.#profile!.checkSetRoom(planned.plan, before?.call.kind === 'set' ? before.call : undefined);
    }
  }

  #carryOut(planned: PlannedCall, batch: Batch): ActionCall | Reference {
    if (planned.kind === 'planned-set') return this.#profile!.addSet(planned.plan, batch);
    if (planned.kind !== 'action') countEntry(planned, 1, batch);
    return planned;
  }

  /** The entry no longer refers to what it referred to; to be called when the pipeline has been told. */
  #release({ call }: Entry, batch: Batch): void {
    if (call.kind === 'set') this.#profile!.removeSet(call, batch);
    else if (call.kind !== 'action') countEntry(call, -1, batch);
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
    return readActionCall(this.#rules, action, type.value);
  }

  #readIdleTimeout({ idleTimeoutNs }: TableEntry): number {
    if (idleTimeoutNs === 0n) return 0;
    if (!this.bound.supportsTimeout) throw invalid(`table '${this.bound.name}' has no idle timeouts`);
    if (idleTimeoutNs < 0n) throw invalid(`an idle timeout of ${idleTimeoutNs} ns is negative`);
    const idleTimeoutMs = idleTimeoutNs / 1_000_000n;
    if (idleTimeoutMs === 0n) {
      const message = `an idle timeout of ${idleTimeoutNs} ns is below the resolution of 1 ms`;
      this.#rules.allow('short-idle-timeout', message);
      return this.#rules.answer('short-idle-timeout') === 'never idle' ? 0 : 1;
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
      isConst: entry.isConst && this.#rules.answer('const-entry-read') === 'with is_const',
    };
  }

  /** @returns undefined when a miss does nothing */
  defaultMessage(): TableEntry | undefined {
    if (this.#default === undefined) return undefined;
    return create(TableEntrySchema, {
      tableId: this.bound.id,
      action: tableAction(this.#default),
      isDefaultAction: true,
      isConst: this.bound.isDefaultConst && this.#rules.answer('const-entry-read') === 'with is_const',
    });
  }
}

function countEntry(reference: Exclude<Reference, { kind: 'set' }>, change: 1 | -1, batch: Batch): void {
  reference.entries += change;
  batch.undo?.push(() => {
    reference.entries -= change;
  });
}
