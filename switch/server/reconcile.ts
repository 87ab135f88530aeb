// SPDX-License-Identifier: Apache-2.0
/**
 * RECONCILE_AND_COMMIT: what the program in force hands on to the one that takes its place.
 *
 * Objects are the same when their P4Info ids and names are. Everything a controller has written, and every count, is
 * handed on; if only one piece cannot be, nothing happens and the controller is told all such pieces. What a meter has
 * let pass and when an entry was last hit is not handed on: meters start with full buckets, idle times at zero.
 */

import type { Binding, BoundRegister } from './bound.ts';
import type { CarryOver } from './host.ts';
import { type Loaded, operationsOf } from './loaded.ts';

/** Cells asked for at once while looking for such as are not zero. */
const cellsPerLook = 4096;

export interface ReconcileOptions {
  /** Hand on default actions and digest configs too. */
  keepsDefaults: boolean;
}

/** @param after  fresh; it then has what `before` had. @returns what cannot be handed on, or what must be carried over */
export async function reconcile(
  before: Loaded,
  after: Loaded,
  options: ReconcileOptions,
): Promise<{ problems: string[] } | { carry: CarryOver }> {
  const problems: string[] = [];
  for (const [id, profile] of before.profiles) {
    const heir = after.profiles.get(id);
    if (heir?.bound.name === profile.bound.name) problems.push(...heir.adopt(profile));
    else if (profile.isUsed) problems.push(`action profile '${profile.bound.name}' is gone`);
  }
  for (const [id, table] of before.tables) {
    const heir = after.tables.get(id);
    if (heir?.bound.name === table.bound.name) problems.push(...heir.adopt(table, options.keepsDefaults));
    else if (table.isChanged) problems.push(`table '${table.bound.name}' is gone`);
  }
  adoptMeters(before, after, problems);
  adoptValueSets(before, after, problems);
  if (options.keepsDefaults) adoptDigests(before, after, problems);
  after.replication.adopt(before.replication);
  const counters = await carriedCounters(before, after, problems);
  const registers = await carriedRegisters(before, after, problems);
  const directCounters = carriedDirectCounters(before, after, problems);
  if (problems.length > 0) return { problems };
  return { carry: { operations: operationsOf(after), counters, registers, directCounters } };
}

function adoptMeters(before: Loaded, after: Loaded, problems: string[]): void {
  for (const [id, configs] of before.meters) {
    if (configs.size === 0) continue;
    const { name, meter } = before.binding.meters.get(id)!;
    const heir = after.binding.meters.get(id);
    if (heir?.name !== name) problems.push(`meter '${name}' is gone`);
    else if (heir.meter.unit !== meter.unit) problems.push(`meter '${name}' counts ${heir.meter.unit} now`);
    else if (Math.max(...configs.keys()) >= heir.meter.size) {
      problems.push(`meter '${name}' has only ${heir.meter.size} cells now`);
    } else {
      for (const [index, config] of configs) after.meters.get(id)!.set(index, config);
    }
  }
}

function adoptValueSets(before: Loaded, after: Loaded, problems: string[]): void {
  for (const [id, members] of before.valueSets) {
    if (members.length === 0) continue;
    const { name, fields } = before.binding.valueSets.get(id)!;
    const heir = after.binding.valueSets.get(id);
    const isSame = heir?.name === name && JSON.stringify(heir.fields) === JSON.stringify(fields);
    if (!isSame) problems.push(`value set '${name}' is gone, or has other fields`);
    else if (members.length > heir.sizeMax) {
      problems.push(`value set '${name}' has room for only ${heir.sizeMax} members now`);
    } else after.valueSets.set(id, members);
  }
}

function adoptDigests(before: Loaded, after: Loaded, problems: string[]): void {
  const layout = (binding: Binding, id: number) => {
    const digest = binding.digests.get(id);
    return digest && `${digest.name} ${digest.shape} ${digest.list.elements.map(({ field }) => field.width)}`;
  };
  for (const [id, queue] of before.digests) {
    const { name } = before.binding.digests.get(id)!;
    if (layout(before.binding, id) === layout(after.binding, id)) after.digests.set(id, queue);
    else problems.push(`digest '${name}' is gone, or has other members`);
  }
}

async function carriedCounters(
  before: Loaded,
  after: Loaded,
  problems: string[],
): Promise<CarryOver['counters']> {
  const carried: { from: number; to: number; size: number }[] = [];
  for (const [id, { name, counter }] of before.binding.counters) {
    const heir = after.binding.counters.get(id);
    const size = heir?.name === name ? Math.min(counter.size, heir.counter.size) : 0;
    if (size > 0) carried.push({ from: counter.id, to: heir!.counter.id, size });
    const isRestZero = await isZero(counter.size - size, async (first, count) => {
      const cells = await before.access.readCounters(counter.id, size + first, count);
      return cells.every(({ packets, bytes }) => packets === 0n && bytes === 0n);
    });
    if (!isRestZero) problems.push(`counter '${name}' is gone or smaller, and has counted`);
  }
  return carried;
}

async function carriedRegisters(
  before: Loaded,
  after: Loaded,
  problems: string[],
): Promise<CarryOver['registers']> {
  const carried: { from: number; to: number; size: number }[] = [];
  for (const [id, bound] of before.binding.registers) {
    const { name, register } = bound;
    const heir = after.binding.registers.get(id);
    const size = heir && isSameCell(bound, heir) ? Math.min(register.size, heir.register.size) : 0;
    if (size > 0) carried.push({ from: register.id, to: heir!.register.id, size });
    const isRestZero = await isZero(register.size - size, async (first, count) => {
      const cells = await before.access.readRegisters(register.id, size + first, count);
      return cells.every((cell) => cell === 0n);
    });
    if (!isRestZero) problems.push(`register '${name}' is gone, smaller or of another type, and is in use`);
  }
  return carried;
}

function isSameCell(before: BoundRegister, after: BoundRegister): boolean {
  return (
    before.name === after.name &&
    before.shape === after.shape &&
    before.register.width === after.register.width
  );
}

async function isZero(
  size: number,
  look: (first: number, count: number) => Promise<boolean>,
): Promise<boolean> {
  for (let first = 0; first < size; first += cellsPerLook) {
    if (!(await look(first, Math.min(cellsPerLook, size - first)))) return false;
  }
  return true;
}

function carriedDirectCounters(
  before: Loaded,
  after: Loaded,
  problems: string[],
): CarryOver['directCounters'] {
  const carried: { from: number; to: number; handles: readonly number[] }[] = [];
  for (const [id, table] of before.tables) {
    const heir = after.tables.get(id);
    if (heir === undefined || table.bound.counterUnit === undefined) continue;
    const handles = heir.handlesSharedWith(table);
    if (handles.length === 0) continue;
    if (heir.bound.counterUnit === undefined) {
      problems.push(`table '${table.bound.name}' has no direct counter any more`);
    } else carried.push({ from: table.bound.table.id, to: heir.bound.table.id, handles });
  }
  return carried;
}
