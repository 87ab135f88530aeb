// SPDX-License-Identifier: Apache-2.0
/**
 * Answers Read requests, entity by entity, in pieces small enough for a client's message limit. A piece is read from a
 * snapshot, so that writes may go on meanwhile.
 */

import { create } from '@bufbuild/protobuf';
import type {
  CounterEntry,
  DigestEntry,
  DirectCounterEntry,
  DirectMeterEntry,
  Entity,
  MeterEntry,
  RegisterEntry,
  TableEntry,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  CounterEntrySchema,
  DigestEntrySchema,
  DirectCounterEntrySchema,
  DirectMeterEntrySchema,
  MeterEntrySchema,
  RegisterEntrySchema,
  TableEntry_IdleTimeoutSchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { BoundCounter } from './bound.ts';
import { counterData } from './counters.ts';
import { type Loaded, profileOf, tableOf } from './loaded.ts';
import { priorityOf, readKey } from './match-key.ts';
import { cellIndex } from './meters.ts';
import { Code, invalid, Refusal, unimplemented } from './refusal.ts';
import { registerData, registerIndex } from './registers.ts';
import type { Entry } from './table-entry.ts';
import type { TableState } from './table-state.ts';
import { readValueSets } from './value-sets.ts';

/** Entities in one message: some 100 bytes each, where gRPC clients take 4 MiB. */
export const entitiesPerMessage = 4096;

/** @throws Refusal */
export async function* readEntity(loaded: Loaded, { entity }: Entity): AsyncGenerator<Entity[]> {
  switch (entity.case) {
    case 'tableEntry':
      yield* readTableEntries(loaded, entity.value);
      return;
    case 'counterEntry':
      yield* readCounters(loaded, entity.value);
      return;
    case 'directCounterEntry':
      yield* readDirectCounters(loaded, entity.value);
      return;
    case 'digestEntry':
      yield readDigests(loaded, entity.value);
      return;
    case 'actionProfileMember': {
      const { actionProfileId, memberId } = entity.value;
      const members = chosenProfiles(loaded, actionProfileId).flatMap((each) => each.readMembers(memberId));
      yield* pieces(members.map((value) => entityOf({ case: 'actionProfileMember', value })));
      return;
    }
    case 'actionProfileGroup': {
      const { actionProfileId, groupId } = entity.value;
      const groups = chosenProfiles(loaded, actionProfileId).flatMap((each) => each.readGroups(groupId));
      yield* pieces(groups.map((value) => entityOf({ case: 'actionProfileGroup', value })));
      return;
    }
    case 'meterEntry':
      yield* readMeters(loaded, entity.value);
      return;
    case 'directMeterEntry':
      yield* readDirectMeters(loaded, entity.value);
      return;
    case 'packetReplicationEngineEntry': {
      const entries = loaded.replication.read(entity.value);
      yield entries.map((value) => entityOf({ case: 'packetReplicationEngineEntry', value }));
      return;
    }
    case 'registerEntry':
      yield* readRegisters(loaded, entity.value);
      return;
    case 'valueSetEntry':
      yield readValueSets(loaded, entity.value.valueSetId).map((value) =>
        entityOf({ case: 'valueSetEntry', value }),
      );
      return;
    case undefined:
      throw loaded.rules.refusal('no-entity', 'Incorrect entity type');
    default:
      throw unimplemented(`this switch does not have ${entity.case}`);
  }
}

/** Id 0 stands for all. */
function chosenProfiles(loaded: Loaded, id: number) {
  return id === 0 ? [...loaded.profiles.values()] : [profileOf(loaded, id)];
}

async function* readTableEntries(loaded: Loaded, wanted: TableEntry): AsyncGenerator<Entity[]> {
  const isWildcard = wanted.tableId === 0;
  if (isWildcard && wanted.match.length > 0) throw invalid('a match needs a table id');
  for (const table of isWildcard ? loaded.tables.values() : [tableOf(loaded, wanted.tableId)]) {
    if (!isWildcard) checkWanted(table, wanted);
    if (wanted.isDefaultAction) {
      const value = table.defaultMessage();
      if (value !== undefined) yield [entityOf({ case: 'tableEntry', value })];
      continue;
    }
    checkInitialEntries(loaded, table);
    for (const entries of pieces(select(loaded, table, wanted))) {
      yield await tableEntryMessages(loaded, table, entries, wanted);
    }
  }
}

function checkWanted({ bound }: TableState, wanted: TableEntry): void {
  if (wanted.counterData !== undefined && bound.counterUnit === undefined) {
    throw invalid(`table '${bound.name}' has no direct counter`);
  }
  if (wanted.meterConfig !== undefined && !bound.hasMeter)
    throw invalid(`table '${bound.name}' has no direct meter`);
  if (wanted.timeSinceLastHit !== undefined && !bound.supportsTimeout) {
    throw invalid(`table '${bound.name}' has no idle timeouts`);
  }
}

function checkInitialEntries({ rules }: Loaded, { bound }: TableState): void {
  if (!bound.hasInitialEntries) return;
  const message = `Table state out-of-sync with target: the entries of table '${bound.name}' are not const in P4`;
  rules.allow('initial-entries-read', message);
}

/** What is left out of the request, or is zero there, matches everything. */
function select({ rules, traps }: Loaded, table: TableState, wanted: TableEntry): Entry[] {
  if (wanted.match.length > 0) {
    const entry = table.find(readKey(rules, table.bound, wanted.match, wanted.priority));
    return entry === undefined ? [] : [entry];
  }
  const entries = table.entries();
  const { priority, controllerMetadata, metadata, action } = wanted;
  const actionId = action?.type.case === 'action' ? action.type.value.actionId : 0;
  if (priority === 0 && controllerMetadata === 0n && metadata.length === 0 && actionId === 0) return entries;
  traps.note('read-filters', `a Read of table '${table.bound.name}'`);
  if (rules.answer('read-filters') === 'everything') return entries;
  return entries.filter(
    (entry) =>
      (priority === 0 || priorityOf(entry.key) === priority) &&
      (controllerMetadata === 0n || entry.controllerMetadata === controllerMetadata) &&
      (metadata.length === 0 || Buffer.compare(entry.metadata, metadata) === 0) &&
      (actionId === 0 || (entry.call.kind === 'action' && entry.call.action.id === actionId)),
  );
}

async function tableEntryMessages(
  { access, rules }: Loaded,
  table: TableState,
  piece: readonly Entry[],
  wanted: TableEntry,
): Promise<Entity[]> {
  const entries = stillThere(table, piece);
  const { counterUnit, supportsTimeout, table: program } = table.bound;
  const handles = entries.map((entry) => entry.handle);
  const [cells, idleMicros] = await Promise.all([
    wanted.counterData !== undefined && counterUnit !== undefined
      ? access.readDirectCounters(program.id, handles)
      : undefined,
    wanted.timeSinceLastHit !== undefined && supportsTimeout
      ? access.readIdleMicros(program.id, handles)
      : undefined,
  ]);
  return entries.map((entry, index) => {
    const value = table.message(entry);
    if (wanted.meterConfig !== undefined) value.meterConfig = table.meterConfig(entry.handle);
    if (cells !== undefined) value.counterData = counterData(rules, counterUnit!, cells[index]!);
    if (idleMicros !== undefined) {
      // Without a timeout the target does not keep the time.
      const elapsedNs = entry.idleTimeoutNs === 0n ? 0n : BigInt(Math.floor(idleMicros[index]!)) * 1000n;
      value.timeSinceLastHit = create(TableEntry_IdleTimeoutSchema, { elapsedNs });
    }
    return entityOf({ case: 'tableEntry', value });
  });
}

async function* readCounters(loaded: Loaded, { counterId, index }: CounterEntry): AsyncGenerator<Entity[]> {
  const { binding, rules } = loaded;
  const wanted = counterId === 0 ? [...binding.counters.values()] : [binding.counters.get(counterId)];
  for (const bound of wanted) {
    if (bound === undefined) throw invalid(`Invalid P4 id: there is no counter ${counterId}`);
    const { size } = bound.counter;
    if (index === undefined) {
      for (let start = 0; start < size; start += entitiesPerMessage) {
        yield await counterMessages(loaded, bound, start, Math.min(entitiesPerMessage, size - start));
      }
      continue;
    }
    const cell = cellIndex(rules, index.index, size, `counter '${bound.name}'`);
    yield await counterMessages(loaded, bound, cell, 1);
  }
}

async function counterMessages(
  { access, rules }: Loaded,
  { id, unit, counter }: BoundCounter,
  start: number,
  count: number,
): Promise<Entity[]> {
  const cells = await access.readCounters(counter.id, start, count);
  return cells.map((cell, offset) => {
    const value = create(CounterEntrySchema, {
      counterId: id,
      index: { index: BigInt(start + offset) },
      data: counterData(rules, unit, cell),
    });
    return entityOf({ case: 'counterEntry', value });
  });
}

async function* readDirectCounters(
  loaded: Loaded,
  { tableEntry: wanted }: DirectCounterEntry,
): AsyncGenerator<Entity[]> {
  const { rules, access } = loaded;
  if (wanted === undefined) throw invalid('the direct counter entry has no table entry');
  if (wanted.tableId === 0) {
    rules.allow('direct-of-all-tables', 'direct counters of all tables at once');
    for (const { bound } of loaded.tables.values()) {
      if (bound.counterUnit === undefined) continue;
      const tableEntry = { ...wanted, tableId: bound.id };
      yield* readDirectCounters(loaded, create(DirectCounterEntrySchema, { tableEntry }));
    }
    return;
  }
  const table = tableOf(loaded, wanted.tableId);
  const { bound } = table;
  if (bound.counterUnit === undefined) throw invalid(`table '${bound.name}' has no direct counter`);
  if (wanted.isDefaultAction) {
    throw rules.refusal('direct-of-default', 'a default action has no counter on this switch');
  }
  checkInitialEntries(loaded, table);
  const entries = select(loaded, table, wanted);
  if (entries.length === 0 && wanted.match.length > 0) {
    throw rules.refusal('direct-of-missing-entry', `Cannot find match entry in table '${bound.name}'`);
  }
  for (const piece of pieces(entries)) {
    const present = stillThere(table, piece);
    const handles = present.map((entry) => entry.handle);
    const cells = await access.readDirectCounters(bound.table.id, handles);
    yield present.map((entry, index) => {
      const tableEntry = table.message(entry);
      tableEntry.action = undefined;
      const data = counterData(rules, bound.counterUnit!, cells[index]!);
      const value = create(DirectCounterEntrySchema, { tableEntry, data });
      return entityOf({ case: 'directCounterEntry', value });
    });
  }
}

function* readMeters(
  { binding, meters, rules }: Loaded,
  { meterId, index }: MeterEntry,
): Generator<Entity[]> {
  const wanted = meterId === 0 ? [...binding.meters.values()] : [binding.meters.get(meterId)];
  for (const bound of wanted) {
    if (bound === undefined) throw invalid(`Invalid P4 id: there is no meter ${meterId}`);
    const configs = meters.get(bound.id)!;
    const { size } = bound.meter;
    const message = (cell: number): Entity => {
      const config = configs.get(cell);
      const value = create(MeterEntrySchema, { meterId: bound.id, index: { index: BigInt(cell) }, config });
      return entityOf({ case: 'meterEntry', value });
    };
    if (index === undefined) {
      for (let start = 0; start < size; start += entitiesPerMessage) {
        const count = Math.min(entitiesPerMessage, size - start);
        yield Array.from({ length: count }, (_, offset) => message(start + offset));
      }
      continue;
    }
    yield [message(cellIndex(rules, index.index, size, `meter '${bound.name}'`))];
  }
}

function* readDirectMeters(loaded: Loaded, { tableEntry: wanted }: DirectMeterEntry): Generator<Entity[]> {
  const { rules } = loaded;
  if (wanted === undefined) throw invalid('the direct meter entry has no table entry');
  if (wanted.tableId === 0) {
    rules.allow('direct-of-all-tables', 'direct meters of all tables at once');
    for (const { bound } of loaded.tables.values()) {
      if (!bound.hasMeter) continue;
      const tableEntry = { ...wanted, tableId: bound.id };
      yield* readDirectMeters(loaded, create(DirectMeterEntrySchema, { tableEntry }));
    }
    return;
  }
  const table = tableOf(loaded, wanted.tableId);
  const { bound } = table;
  if (!bound.hasMeter) throw invalid(`table '${bound.name}' has no direct meter`);
  if (wanted.isDefaultAction) {
    throw rules.refusal('direct-of-default', 'a default action has no meter on this switch');
  }
  checkInitialEntries(loaded, table);
  const entries = select(loaded, table, wanted);
  if (entries.length === 0 && wanted.match.length > 0) {
    throw rules.refusal('direct-of-missing-entry', `Cannot find match entry in table '${bound.name}'`);
  }
  for (const piece of pieces(entries)) {
    yield stillThere(table, piece).map((entry) => {
      const tableEntry = table.message(entry);
      tableEntry.action = undefined;
      const config = table.meterConfig(entry.handle);
      const value = create(DirectMeterEntrySchema, { tableEntry, config });
      return entityOf({ case: 'directMeterEntry', value });
    });
  }
}

/** Entries deleted since the snapshot are unknown to the pipeline. */
function stillThere(table: TableState, piece: readonly Entry[]): Entry[] {
  return piece.filter((entry) => table.find(entry.key)?.handle === entry.handle);
}

async function* readRegisters(
  { binding, rules, traps, access }: Loaded,
  { registerId, index }: RegisterEntry,
): AsyncGenerator<Entity[]> {
  rules.allow('register', 'Register reads/writes are not supported yet');
  const wanted = registerId === 0 ? [...binding.registers.values()] : [binding.registers.get(registerId)];
  for (const bound of wanted) {
    if (bound === undefined) throw invalid(`Invalid P4 id: there is no register ${registerId}`);
    traps.note('register-access', `a Read of register '${bound.name}'`);
    const { id: register, size } = bound.register;
    const [first, count] = index === undefined ? [0, size] : [registerIndex(bound, index.index), 1];
    for (let start = first; start < first + count; start += entitiesPerMessage) {
      const values = await access.readRegisters(
        register,
        start,
        Math.min(entitiesPerMessage, first + count - start),
      );
      yield values.map((bits, offset) => {
        const value = create(RegisterEntrySchema, {
          registerId: bound.id,
          index: { index: BigInt(start + offset) },
          data: registerData(bound, bits),
        });
        return entityOf({ case: 'registerEntry', value });
      });
    }
  }
}

function readDigests(loaded: Loaded, { digestId }: DigestEntry): Entity[] {
  if (digestId !== 0) return [readDigest(loaded, digestId)];
  loaded.rules.allow('all-digests', 'reading all digests at once');
  return [...loaded.digests.keys()].map((id) => readDigest(loaded, id));
}

function readDigest({ binding, digests }: Loaded, digestId: number): Entity {
  const bound = binding.digests.get(digestId);
  const queue = digests.get(digestId);
  if (bound === undefined) throw new Refusal(Code.NOT_FOUND, `there is no digest ${digestId}`);
  if (queue === undefined) throw new Refusal(Code.NOT_FOUND, `digest '${bound.name}' is not configured`);
  return entityOf({
    case: 'digestEntry',
    value: create(DigestEntrySchema, { digestId, config: queue.config }),
  });
}

function* pieces<Item>(items: readonly Item[]): Generator<Item[]> {
  for (let start = 0; start < items.length; start += entitiesPerMessage) {
    yield items.slice(start, start + entitiesPerMessage);
  }
}

function entityOf(entity: Entity['entity']): Entity {
  return { $typeName: 'p4.v1.Entity', entity };
}
