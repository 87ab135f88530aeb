// SPDX-License-Identifier: Apache-2.0
/**
 * EntryCodec: table entries by name, to and from p4.v1.TableEntry. What a table needs is looked up once, so
 * that a table of 65,536 entries costs a fraction of a second.
 */
import type {
  Action,
  Action_Param,
  CounterData,
  Entity,
  FieldMatch,
  TableEntry,
  Update,
} from './generated/p4/v1/p4runtime_pb.ts';
import { Update_Type } from './generated/p4/v1/p4runtime_pb.ts';
import type { ActionInfo, FieldInfo, MatchFieldInfo, P4InfoIndex, TableInfo } from './p4info.ts';
import { P4RuntimeError } from './p4runtime-error.ts';
import type { FieldValue } from './values.ts';
import { canonicalBytes, decodeBigint, decodeValue, encodeValue, paddedBytes } from './values.ts';

/** How a field is matched, by its kind: exact and optional, lpm, ternary, range. */
export type MatchValue<V = FieldValue> =
  | V
  | { readonly value: V; readonly prefixLength: number }
  | { readonly value: V; readonly mask: V }
  | { readonly low: V; readonly high: V };

export interface ActionCall<V = FieldValue> {
  readonly name: string;
  readonly params?: Readonly<Record<string, V>>;
}

export interface EntryOptions {
  /** Higher wins. Required iff the table has a ternary, range or optional field. */
  readonly priority?: number;
  /** 0 means the entry never ages. */
  readonly idleTimeoutNs?: bigint;
  /** Opaque to the switch, which returns it in reads. */
  readonly metadata?: Uint8Array;
}

/** An entry to be written. A field that is left out matches anything, which exact fields cannot. */
export interface EntryInput extends EntryOptions {
  readonly table: string;
  readonly match?: Readonly<Record<string, MatchValue>>;
  /** Not needed to delete an entry. */
  readonly action?: ActionCall;
}

/** A value as read: a number up to 32 bits, a bigint beyond, and the bytes of a field without width. */
export type ReadValue = number | bigint | Uint8Array;

/** An entry as read from a switch, with names as in the P4Info and aliases for table and action. */
export interface Entry {
  readonly table: string;
  readonly match: Readonly<Record<string, MatchValue<ReadValue>>>;
  readonly priority: number;
  /** Undefined for the default entry of a table without one, and for entries that refer to an action profile. */
  readonly action:
    | { readonly name: string; readonly params: Readonly<Record<string, ReadValue>> }
    | undefined;
  readonly isDefault: boolean;
  readonly isConst: boolean;
  readonly idleTimeoutNs: bigint;
  /** Only when the read asked for it. */
  readonly counter: { readonly packets: bigint; readonly bytes: bigint } | undefined;
  readonly sinceLastHitNs: bigint | undefined;
  readonly metadata: Uint8Array;
}

/** What a read of a whole table is to bring besides the entries. */
export interface ReadOptions {
  readonly counters?: boolean;
  readonly sinceLastHit?: boolean;
  /** Read the default entry instead of the others. */
  readonly isDefault?: boolean;
}

export class EntryCodec {
  private readonly index: P4InfoIndex;
  private readonly codecs = new Map<string, TableCodec>();

  constructor(index: P4InfoIndex) {
    this.index = index;
  }

  /** @throws P4RuntimeError 'unknown-name', 'ambiguous-name', 'bad-value' or 'bad-entry' */
  encode(input: EntryInput): TableEntry {
    return this.codecOf(input.table).encode(input);
  }

  /** @throws P4RuntimeError 'unknown-name' when the entry is of another program */
  decode(entry: TableEntry): Entry {
    const table = this.index.tables.byId(entry.tableId);
    if (table === undefined) throw badId('table', entry.tableId);
    return this.codecOf(table.name).decode(entry);
  }

  insert(input: EntryInput): Update {
    return this.codecOf(input.table).updateOf(Update_Type.INSERT, input);
  }

  modify(input: EntryInput): Update {
    return this.codecOf(input.table).updateOf(Update_Type.MODIFY, input);
  }

  /** Only what identifies the entry is looked at: match and priority. */
  remove(input: EntryInput): Update {
    const { action: _, ...identity } = input;
    return this.codecOf(input.table).updateOf(Update_Type.DELETE, identity);
  }

  /** Sets the default action; without an action, resets it to that of the program. */
  setDefault(table: string, action?: ActionCall): Update {
    return update(Update_Type.MODIFY, this.codecOf(table).encodeDefault(action));
  }

  /** The pattern that reads all entries of a table. */
  all(table: string, options: ReadOptions = {}): Entity {
    return entityOf(this.codecOf(table).pattern(options));
  }

  /** The pattern that reads one entry. */
  one(input: EntryInput, options: ReadOptions = {}): Entity {
    return entityOf({ ...this.encode(input), ...askFor(options) });
  }

  private codecOf(name: string): TableCodec {
    let codec = this.codecs.get(name);
    if (codec === undefined) {
      const table = this.index.tables.get(name);
      codec = this.codecs.get(table.name) ?? new TableCodec(table);
      this.codecs.set(table.name, codec).set(name, codec);
    }
    return codec;
  }
}

interface FieldSlot {
  readonly field: MatchFieldInfo;
  readonly position: number;
  /** For errors. */
  readonly what: string;
}

interface ParamSlot {
  readonly param: FieldInfo;
  readonly position: number;
  readonly what: string;
}

interface ActionSlot {
  readonly action: ActionInfo;
  readonly inEntries: boolean;
  readonly asDefault: boolean;
  readonly params: Map<string, ParamSlot>;
}

/** One table, with its names resolved the first time they are used. */
class TableCodec {
  private readonly table: TableInfo;
  private readonly fields = new Map<string, FieldSlot>();
  private readonly actions = new Map<string, ActionSlot>();
  private readonly exactCount: number;

  constructor(table: TableInfo) {
    this.table = table;
    this.exactCount = table.fields.filter((field) => field.kind === 'exact').length;
  }

  updateOf(type: Update_Type, input: EntryInput): Update {
    if (this.table.isConst)
      throw this.badEntry('cannot be written, because the program declares all entries const');
    return update(type, this.encode(input));
  }

  encode(input: EntryInput): TableEntry {
    if (this.table.fields.length === 0) {
      throw this.badEntry('has no key, hence only a default entry; use setDefault');
    }
    const priority = input.priority ?? 0;
    if (this.table.hasPriority !== priority > 0 || !Number.isInteger(priority)) {
      const rule = this.table.hasPriority ? 'a whole number above 0' : 'left out';
      throw this.badEntry(`has priority ${priority}, but must be ${rule}`);
    }
    if (input.idleTimeoutNs && !this.table.hasIdleTimeout) {
      throw this.badEntry('has an idle timeout, but the program does not declare support_timeout');
    }
    const entry = this.emptyEntry();
    entry.match = this.encodeMatch(input.match ?? {});
    entry.priority = priority;
    entry.idleTimeoutNs = input.idleTimeoutNs ?? 0n;
    if (input.metadata !== undefined) entry.metadata = input.metadata;
    if (input.action !== undefined) {
      const slot = this.actionSlot(input.action.name);
      if (!slot.inEntries)
        throw this.badEntry(`has action ${slot.action.name}, which may only be its default`);
      entry.action = { $typeName: 'p4.v1.TableAction', type: this.encodeAction(slot, input.action) };
    }
    return entry;
  }

  encodeDefault(action: ActionCall | undefined): TableEntry {
    const entry = this.emptyEntry();
    entry.isDefaultAction = true;
    if (action !== undefined) {
      const slot = this.actionSlot(action.name);
      if (!slot.asDefault) throw this.badEntry(`cannot have ${slot.action.name} as its default action`);
      entry.action = { $typeName: 'p4.v1.TableAction', type: this.encodeAction(slot, action) };
    }
    return entry;
  }

  pattern(options: ReadOptions): TableEntry {
    return { ...this.emptyEntry(), ...askFor(options), isDefaultAction: options.isDefault ?? false };
  }

  decode(entry: TableEntry): Entry {
    const match: Record<string, MatchValue<ReadValue>> = {};
    for (const fieldMatch of entry.match) {
      const field = this.table.fieldsByName.byId(fieldMatch.fieldId);
      if (field === undefined) throw badId(`match field of table ${this.table.name}`, fieldMatch.fieldId);
      match[field.name] = decodeMatch(fieldMatch, field.bitwidth);
    }
    const call = entry.action?.type;
    return {
      table: this.table.alias,
      match,
      priority: entry.priority,
      action: call?.case === 'action' ? this.decodeAction(call.value) : undefined,
      isDefault: entry.isDefaultAction,
      isConst: entry.isConst,
      idleTimeoutNs: entry.idleTimeoutNs,
      counter: entry.counterData && counterOf(entry.counterData),
      sinceLastHitNs: entry.timeSinceLastHit?.elapsedNs,
      metadata: entry.metadata,
    };
  }

  private emptyEntry(): TableEntry {
    return {
      $typeName: 'p4.v1.TableEntry',
      tableId: this.table.id,
      match: [],
      priority: 0,
      controllerMetadata: 0n,
      isDefaultAction: false,
      idleTimeoutNs: 0n,
      metadata: noBytes,
      isConst: false,
    };
  }

  private encodeMatch(match: Readonly<Record<string, MatchValue>>): FieldMatch[] {
    const byPosition = new Array<FieldMatch | undefined>(this.table.fields.length).fill(undefined);
    let exactSeen = 0;
    for (const name in match) {
      const slot = this.fieldSlot(name);
      if (byPosition[slot.position] !== undefined) throw this.badEntry(`has field ${slot.field.name} twice`);
      byPosition[slot.position] = encodeFieldMatch(slot, match[name]!);
      if (slot.field.kind === 'exact') exactSeen++;
    }
    if (exactSeen < this.exactCount) {
      const missing = this.table.fields.filter(
        (field, i) => field.kind === 'exact' && byPosition[i] === undefined,
      );
      throw this.badEntry(
        `lacks ${missing.map((field) => field.name).join(', ')}, which must be matched exactly`,
      );
    }
    return byPosition.filter((fieldMatch) => fieldMatch !== undefined);
  }

  private encodeAction(slot: ActionSlot, call: ActionCall): { case: 'action'; value: Action } {
    if (this.table.actionProfileId !== undefined) {
      throw this.badEntry('keeps its actions in an action profile, which entries by name do not cover');
    }
    const params = new Array<Action_Param | undefined>(slot.action.params.length).fill(undefined);
    let seen = 0;
    for (const name in call.params) {
      const { param, position, what } = this.paramSlot(slot, name);
      if (params[position] !== undefined) throw this.badEntry(`has parameter ${param.name} twice`);
      const value = encodeValue(call.params[name]!, param.bitwidth, what);
      params[position] = { $typeName: 'p4.v1.Action.Param', paramId: param.id, value };
      seen++;
    }
    if (seen < params.length) {
      const missing = slot.action.params.filter((_, i) => params[i] === undefined).map((param) => param.name);
      throw this.badEntry(`calls ${slot.action.name} without ${missing.join(', ')}`);
    }
    return {
      case: 'action',
      value: { $typeName: 'p4.v1.Action', actionId: slot.action.id, params: params as Action_Param[] },
    };
  }

  private decodeAction(action: Action): NonNullable<Entry['action']> {
    const info = this.table.actionsByName.byId(action.actionId)?.action;
    if (info === undefined) throw badId(`action of table ${this.table.name}`, action.actionId);
    const params: Record<string, ReadValue> = {};
    for (const { paramId, value } of action.params) {
      const param = info.paramsByName.byId(paramId);
      if (param === undefined) throw badId(`parameter of action ${info.name}`, paramId);
      params[param.name] = readValue(value, param.bitwidth);
    }
    return { name: info.alias, params };
  }

  private fieldSlot(name: string): FieldSlot {
    let slot = this.fields.get(name);
    if (slot === undefined) {
      const field = this.table.fieldsByName.get(name);
      slot = { field, position: this.table.fields.indexOf(field), what: `${this.table.alias}.${field.name}` };
      this.fields.set(name, slot);
    }
    return slot;
  }

  private actionSlot(name: string): ActionSlot {
    let slot = this.actions.get(name);
    if (slot === undefined) {
      const { action, inEntries, asDefault } = this.table.actionsByName.get(name);
      slot = { action, inEntries, asDefault, params: new Map() };
      this.actions.set(name, slot);
    }
    return slot;
  }

  private paramSlot(slot: ActionSlot, name: string): ParamSlot {
    let paramSlot = slot.params.get(name);
    if (paramSlot === undefined) {
      const param = slot.action.paramsByName.get(name);
      const what = `${slot.action.alias}(${param.name})`;
      paramSlot = { param, position: slot.action.params.indexOf(param), what };
      slot.params.set(name, paramSlot);
    }
    return paramSlot;
  }

  private badEntry(message: string): P4RuntimeError {
    return new P4RuntimeError('bad-entry', { message: `table ${this.table.name}: the entry ${message}` });
  }
}

const noBytes = new Uint8Array();

/** The counts of a counter cell; the wire's int64 carries 64 unsigned bits. */
export function counterOf(data: CounterData): { packets: bigint; bytes: bigint } {
  return { packets: BigInt.asUintN(64, data.packetCount), bytes: BigInt.asUintN(64, data.byteCount) };
}

function encodeFieldMatch({ field, what }: FieldSlot, match: MatchValue): FieldMatch | undefined {
  const fieldMatch = (type: FieldMatch['fieldMatchType']): FieldMatch => ({
    $typeName: 'p4.v1.FieldMatch',
    fieldId: field.id,
    fieldMatchType: type,
  });
  const { kind, bitwidth } = field;
  const isPlain = typeof match !== 'object' || match instanceof Uint8Array;
  if (kind === 'exact' || kind === 'optional') {
    if (!isPlain) throw wrongShape(what, kind, 'a value');
    const value = encodeValue(match, bitwidth, what);
    return kind === 'exact'
      ? fieldMatch({ case: 'exact', value: { $typeName: 'p4.v1.FieldMatch.Exact', value } })
      : fieldMatch({ case: 'optional', value: { $typeName: 'p4.v1.FieldMatch.Optional', value } });
  }
  if (kind === 'lpm') {
    if (isPlain || !('prefixLength' in match)) throw wrongShape(what, kind, '{ value, prefixLength }');
    const { prefixLength } = match;
    const value = encodeValue(match.value, bitwidth, what);
    if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > bitwidth) {
      throw badMatch(what, `prefix length ${prefixLength} is not between 0 and ${bitwidth}`);
    }
    const bits = decodeBigint(value);
    const hostBits = BigInt(bitwidth - prefixLength);
    if ((bits >> hostBits) << hostBits !== bits)
      throw badMatch(what, `bits are set after the prefix /${prefixLength}`);
    if (prefixLength === 0) return undefined;
    return fieldMatch({
      case: 'lpm',
      value: { $typeName: 'p4.v1.FieldMatch.LPM', value, prefixLen: prefixLength },
    });
  }
  if (kind === 'ternary') {
    if (isPlain || !('mask' in match)) throw wrongShape(what, kind, '{ value, mask }');
    const value = encodeValue(match.value, bitwidth, what);
    const mask = encodeValue(match.mask, bitwidth, what);
    if ((decodeBigint(value) & ~decodeBigint(mask)) !== 0n)
      throw badMatch(what, 'bits are set outside of the mask');
    if (decodeBigint(mask) === 0n) return undefined;
    return fieldMatch({ case: 'ternary', value: { $typeName: 'p4.v1.FieldMatch.Ternary', value, mask } });
  }
  if (isPlain || !('low' in match)) throw wrongShape(what, kind, '{ low, high }');
  return encodeRange(encodeValue(match.low, bitwidth, what), encodeValue(match.high, bitwidth, what));

  function encodeRange(low: Uint8Array, high: Uint8Array): FieldMatch | undefined {
    const [from, to] = [decodeBigint(low), decodeBigint(high)];
    if (from > to) throw badMatch(what, `low ${from} is above high ${to}`);
    if (from === 0n && to === 2n ** BigInt(bitwidth) - 1n) return undefined;
    // simple_switch_grpc takes 00..ff for "any value" whatever the width; with all its bytes it does not.
    const looksFull = from === 0n && high.every((byte) => byte === 0xff);
    const [lowBytes, highBytes] = looksFull
      ? [paddedBytes(low, bitwidth), paddedBytes(high, bitwidth)]
      : [low, high];
    return fieldMatch({
      case: 'range',
      value: { $typeName: 'p4.v1.FieldMatch.Range', low: lowBytes, high: highBytes },
    });
  }
}

function decodeMatch({ fieldMatchType: match }: FieldMatch, bitwidth: number): MatchValue<ReadValue> {
  switch (match.case) {
    case 'exact':
    case 'optional':
      return readValue(match.value.value, bitwidth);
    case 'lpm':
      return { value: readValue(match.value.value, bitwidth), prefixLength: match.value.prefixLen };
    case 'ternary':
      return { value: readValue(match.value.value, bitwidth), mask: readValue(match.value.mask, bitwidth) };
    case 'range':
      return { low: readValue(match.value.low, bitwidth), high: readValue(match.value.high, bitwidth) };
    default:
      throw new P4RuntimeError('bad-entry', { message: `match kind ${match.case} cannot be read` });
  }
}

function readValue(bytes: Uint8Array, bitwidth: number): ReadValue {
  return bitwidth === 0 ? bytes : decodeValue(canonicalBytes(bytes), bitwidth);
}

function askFor(options: ReadOptions): Partial<TableEntry> {
  return {
    ...(options.counters && {
      counterData: { $typeName: 'p4.v1.CounterData', byteCount: 0n, packetCount: 0n },
    }),
    ...(options.sinceLastHit && {
      timeSinceLastHit: { $typeName: 'p4.v1.TableEntry.IdleTimeout', elapsedNs: 0n },
    }),
  };
}

function update(type: Update_Type, entry: TableEntry): Update {
  return { $typeName: 'p4.v1.Update', type, entity: entityOf(entry) };
}

function entityOf(entry: TableEntry): Entity {
  return { $typeName: 'p4.v1.Entity', entity: { case: 'tableEntry', value: entry } };
}

function badMatch(what: string, message: string): P4RuntimeError {
  return new P4RuntimeError('bad-value', { message: `${what}: ${message}` });
}

function wrongShape(what: string, kind: string, right: string): P4RuntimeError {
  return new P4RuntimeError('bad-entry', {
    message: `${what}: ${kind === 'exact' || kind === 'optional' ? 'an' : 'a'} ${kind} field is matched by ${right}`,
  });
}

function badId(what: string, id: number): P4RuntimeError {
  return new P4RuntimeError('unknown-name', { message: `there is no ${what} with id ${id} in the P4Info` });
}
