// SPDX-License-Identifier: Apache-2.0
/**
 * An owner of a pipeline that asks for anything a pipeline may be asked for, and keeps its promises: handles exist,
 * keys do not repeat, values fit. What it asks for is plain data, so two pipelines can be told the same.
 */

import type { KeyPart, MeterRates, ProfileOperation, Replica, TableOperation } from '../pipeline.ts';
import { throughGroup, throughMember } from '../pipeline.ts';
import type { Action, ActionProfile, KeyField, Program, Table } from '../program.ts';
import type { Dice } from './dice.ts';

export type OwnerStep =
  | { kind: 'apply'; operations: readonly (TableOperation | ProfileOperation)[] }
  | { kind: 'multicast' | 'clone'; id: number; replicas: readonly Replica[] }
  | { kind: 'meter'; meter: number; index: number; rates: MeterRates | undefined }
  | { kind: 'direct-meter'; table: number; handle: number; rates: MeterRates | undefined }
  | { kind: 'value-set'; set: number; members: readonly bigint[] }
  | { kind: 'register'; register: number; index: number; value: bigint };

/** Enough for entries to meet. */
const entriesMax = 24;
const handlesMax = 64;
const membersMax = 6;
const groupsMax = 3;
/** Keys remembered. */
const missedMax = 8;

interface Book {
  /** Keys by handle. */
  entries: Map<number, string>;
}

export class RandomOwner {
  private readonly program: Program;
  private readonly ports: readonly number[];
  private readonly books = new Map<number, Book>();
  private readonly members = new Map<number, Set<number>>();
  private readonly groups = new Map<number, Set<number>>();
  /** What packets were looked up by in vain, newest last. */
  private missed: { table: number; key: readonly bigint[] }[] = [];

  constructor(program: Program, ports: readonly number[]) {
    this.program = program;
    this.ports = ports;
    for (const { id } of program.tables) this.books.set(id, { entries: new Map() });
    for (const { id } of program.profiles) {
      this.members.set(id, new Set());
      this.groups.set(id, new Set());
    }
  }

  /** A packet was looked up by this key in vain: sooner or later there will be an entry for it. */
  noteMiss(table: number, key: readonly bigint[]): void {
    this.missed = [...this.missed.slice(1 - missedMax), { table, key }];
  }

  /** @returns undefined when the dice chose what the program does not have */
  step(dice: Dice): OwnerStep | undefined {
    const chosen = dice.below(20);
    if (chosen < 9) return this.tableStep(dice);
    if (chosen < 13) return this.profileStep(dice);
    if (chosen === 13) return { kind: 'multicast', id: 1 + dice.below(3), replicas: this.replicas(dice) };
    if (chosen === 14) return { kind: 'clone', id: dice.below(4), replicas: this.replicas(dice) };
    if (chosen < 17) return this.meterStep(dice);
    if (chosen === 17) return this.registerStep(dice);
    if (chosen === 18 && this.program.valueSets.length > 0) {
      const { id, width } = dice.pick(this.program.valueSets);
      const members = Array.from({ length: dice.below(4) }, () => dice.value(width));
      return { kind: 'value-set', set: id, members };
    }
    return this.tableStep(dice);
  }

  private tableStep(dice: Dice): OwnerStep | undefined {
    const tables = this.program.tables.filter(({ key, entries, default: given }) => {
      return (key.length > 0 && !entries) || !given?.isActionConstant;
    });
    if (tables.length === 0) return undefined;
    const wanted = this.missed.length > 0 && !dice.once(4) ? dice.pick(this.missed) : undefined;
    const table = tables.find(({ id }) => id === wanted?.table) ?? dice.pick(tables);
    const operation = this.tableOperation(table, wanted?.key, dice);
    return operation && { kind: 'apply', operations: [operation] };
  }

  /** @param wanted  what an entry is to match, if anything */
  private tableOperation(
    table: Table,
    wanted: readonly bigint[] | undefined,
    dice: Dice,
  ): TableOperation | undefined {
    const { entries } = this.books.get(table.id)!;
    const handles = [...entries.keys()];
    const chosen = dice.below(12);
    if (chosen === 0 && !table.profile) return this.defaultOperation(table, dice);
    if (table.key.length === 0 || table.entries) return undefined;
    if (chosen === 1 && handles.length > 0) {
      const handle = dice.pick(handles);
      entries.delete(handle);
      return { kind: 'delete', table: table.id, handle };
    }
    const call = this.call(table, dice);
    if (!call) return undefined;
    if (chosen === 2 && handles.length > 0) {
      return { kind: 'modify', table: table.id, handle: dice.pick(handles), ...call, idleTimeoutMs: 0 };
    }
    if (handles.length >= entriesMax) return undefined;
    const key = table.key.map((field, index) => keyPart(field, wanted?.[index], dice));
    const hasPriorities = table.key.some(({ kind }) => kind === 'ternary' || kind === 'range');
    const text = canonicalKey(key, table.key);
    if (!hasPriorities && [...entries.values()].includes(text)) return undefined;
    let handle = dice.below(handlesMax);
    while (entries.has(handle)) handle = (handle + 1) % handlesMax;
    entries.set(handle, text);
    const priority = hasPriorities ? 1 + dice.below(4) : 0;
    return { kind: 'insert', table: table.id, handle, key, priority, ...call, idleTimeoutMs: 0 };
  }

  private defaultOperation(table: Table, dice: Dice): TableOperation | undefined {
    if (table.default?.isActionConstant) return undefined;
    if (dice.once(3)) return { kind: 'default', table: table.id, action: undefined, data: [] };
    const action = dice.pick(table.actions);
    return { kind: 'default', table: table.id, action: action.id, data: dataOf(action, dice) };
  }

  /** An action with data, or a member or group that exists. */
  private call(table: Table, dice: Dice): { action: number; data: bigint[] } | undefined {
    if (!table.profile) {
      const action = dice.pick(table.actions);
      return { action: action.id, data: dataOf(action, dice) };
    }
    const toGroup = table.profile.selector !== undefined && dice.once(2);
    const among = [...(toGroup ? this.groups : this.members).get(table.profile.id)!];
    if (among.length === 0) return undefined;
    return { action: toGroup ? throughGroup : throughMember, data: [BigInt(dice.pick(among))] };
  }

  private profileStep(dice: Dice): OwnerStep | undefined {
    if (this.program.profiles.length === 0) return undefined;
    const profile = dice.pick(this.program.profiles);
    return { kind: 'apply', operations: [this.profileOperation(profile, dice)] };
  }

  /** Members and groups that entries may name are never deleted: that would break the owner's promise. */
  private profileOperation({ id, selector, actions }: ActionProfile, dice: Dice): ProfileOperation {
    const members = this.members.get(id)!;
    if (selector && members.size > 0 && dice.once(2)) {
      const group = dice.below(groupsMax);
      this.groups.get(id)!.add(group);
      const activeMembers = [...members].filter(() => dice.once(2));
      return { kind: 'group', profile: id, group, activeMembers };
    }
    const member = dice.below(membersMax);
    members.add(member);
    const action = dice.pick(actions);
    return { kind: 'member', profile: id, member, action: action.id, data: dataOf(action, dice) };
  }

  private meterStep(dice: Dice): OwnerStep | undefined {
    const rates = dice.once(4) ? undefined : ratesOf(dice);
    const arrays = this.program.meters.filter(({ isDirect, size }) => !isDirect && size > 0);
    if (arrays.length > 0 && dice.once(2)) {
      const { id, size } = dice.pick(arrays);
      return { kind: 'meter', meter: id, index: dice.below(Math.min(size, 4)), rates };
    }
    const tables = this.program.tables.filter(({ id, directMeter }) => {
      return directMeter && this.books.get(id)!.entries.size > 0;
    });
    if (tables.length === 0) return undefined;
    const { id } = dice.pick(tables);
    const handle = dice.pick([...this.books.get(id)!.entries.keys()]);
    return { kind: 'direct-meter', table: id, handle, rates };
  }

  private registerStep(dice: Dice): OwnerStep | undefined {
    const registers = this.program.registers.filter(({ size }) => size > 0);
    if (registers.length === 0) return undefined;
    const { id, size, width } = dice.pick(registers);
    return { kind: 'register', register: id, index: dice.below(Math.min(size, 4)), value: dice.value(width) };
  }

  private replicas(dice: Dice): Replica[] {
    return Array.from({ length: dice.below(4) }, () => ({
      port: dice.pick(this.ports),
      instance: dice.below(3),
    }));
  }
}

function dataOf({ parameters }: Action, dice: Dice): bigint[] {
  return parameters.map(({ width }) => dice.value(width));
}

/** @param wanted  what the part is to match, if anything */
function keyPart({ kind, width }: KeyField, wanted: bigint | undefined, dice: Dice): KeyPart {
  const value = wanted ?? dice.value(width);
  switch (kind) {
    case 'exact':
      return { kind, value };
    case 'lpm': {
      const prefixLength = dice.once(2) ? width : dice.below(width + 1);
      const shift = BigInt(width - prefixLength);
      return { kind, value: (value >> shift) << shift, prefixLength };
    }
    case 'ternary': {
      const mask = dice.once(3) ? (1n << BigInt(width)) - 1n : dice.value(width);
      return { kind, value: value & mask, mask };
    }
    case 'range': {
      const other = dice.once(3) ? value : dice.value(width);
      return { kind, low: value < other ? value : other, high: value < other ? other : value };
    }
  }
}

/** What makes two keys the same to the program. */
function canonicalKey(key: readonly KeyPart[], fields: readonly KeyField[]): string {
  const parts = key.map((part, index) => {
    const mask = fields[index]!.mask ?? -1n;
    if (part.kind === 'exact') return part.value & mask;
    return part.kind === 'lpm' ? `${part.value & mask}/${part.prefixLength}` : '';
  });
  return parts.join(' ');
}

function ratesOf(dice: Dice): MeterRates {
  const committedPerSecond = dice.below(50);
  return {
    committedPerSecond,
    committedBurst: dice.below(100),
    peakPerSecond: committedPerSecond + dice.below(50),
    peakBurst: dice.below(200),
  };
}
