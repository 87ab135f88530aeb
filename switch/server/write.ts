// SPDX-License-Identifier: Apache-2.0
/** Carries out one update of a Write on the state of record; what the pipeline must be told goes into the batch. */

import type { Entity, Update } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { Update_Type } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { type Batch, put } from './batch.ts';
import { cellOf } from './counters.ts';
import type { DigestDesk } from './digest-desk.ts';
import { type Loaded, profileOf, tableOf } from './loaded.ts';
import { readKey } from './match-key.ts';
import { cellIndex, ratesOf } from './meters.ts';
import { plainPort } from './profile-parts.ts';
import { invalid, unimplemented } from './refusal.ts';
import { registerIndex, registerValue } from './registers.ts';
import type { Entry } from './table-entry.ts';
import type { TableState } from './table-state.ts';
import { writeValueSet } from './value-sets.ts';

/** @throws Refusal; then nothing has changed */
export function writeUpdate(
  loaded: Loaded,
  { type, entity }: Update,
  batch: Batch,
  digests: DigestDesk,
): void {
  if (type === Update_Type.UNSPECIFIED) throw invalid('the update has no type');
  const { entity: given } = entity ?? { entity: { case: undefined } };
  switch (given.case) {
    case 'tableEntry':
      noteEntryTraps(loaded, type, given.value);
      tableOf(loaded, given.value.tableId).write(type, given.value, batch);
      break;
    case 'counterEntry':
      writeCounter(loaded, type, given.value, batch);
      break;
    case 'directCounterEntry':
      writeDirectCounter(loaded, type, given.value, batch);
      break;
    case 'digestEntry':
      digests.write(loaded, type, given.value, batch);
      break;
    case 'packetReplicationEngineEntry':
      loaded.replication.write(type, given.value, batch);
      break;
    case 'meterEntry':
      writeMeter(loaded, type, given.value, batch);
      break;
    case 'directMeterEntry':
      writeDirectMeter(loaded, type, given.value, batch);
      break;
    case 'registerEntry':
      writeRegister(loaded, type, given.value, batch);
      break;
    case 'actionProfileMember':
      profileOf(loaded, given.value.actionProfileId).writeMember(type, given.value, batch);
      break;
    case 'actionProfileGroup':
      noteWatches(loaded, given.value.members);
      profileOf(loaded, given.value.actionProfileId).writeGroup(type, given.value, batch);
      break;
    case 'valueSetEntry':
      writeValueSet(loaded, type, given.value, batch);
      break;
    case undefined:
      throw loaded.rules.refusal('no-entity', 'Incorrect entity type');
    default:
      throw unimplemented(`this switch does not have ${given.case}`);
  }
}

type ValueOf<Case extends Entity['entity']['case']> =
  Extract<Entity['entity'], { case: Case }> extends {
    value: infer Value;
  }
    ? Value
    : never;

function noteEntryTraps(
  loaded: Loaded,
  type: Update_Type,
  { tableId, action, meterConfig }: ValueOf<'tableEntry'>,
): void {
  const { traps, tables } = loaded;
  if (action?.type.case === 'actionProfileActionSet') {
    noteWatches(loaded, action.type.value.actionProfileActions);
  }
  if (type !== Update_Type.MODIFY || meterConfig !== undefined) return;
  const bound = tables.get(tableId)?.bound;
  if (bound?.hasMeter) traps.note('modify-without-meter', `MODIFY of an entry of table '${bound.name}'`);
}

function noteWatches(
  { traps, isPortUp }: Loaded,
  parts: readonly Pick<ValueOf<'actionProfileGroup'>['members'][number], 'watchKind'>[],
): void {
  for (const { watchKind } of parts) {
    const port = plainPort(watchKind);
    if (port !== undefined && !isPortUp(port)) traps.note('watch-port', `port ${port} is watched and down`);
  }
}

function writeCounter(
  { binding, rules }: Loaded,
  type: Update_Type,
  { counterId, index, data }: ValueOf<'counterEntry'>,
  batch: Batch,
): void {
  const bound = binding.counters.get(counterId);
  if (bound === undefined) throw invalid(`Invalid P4 id: there is no counter ${counterId}`);
  const { id: counter, size } = bound.counter;
  const isReset = type === Update_Type.DELETE;
  if (type === Update_Type.INSERT) throw invalid('a counter is always there: it can only be modified');
  if (isReset) rules.allow('counter-delete', 'a counter is always there: it can only be modified');
  if (index === undefined) rules.allow('all-cells-written', 'writing all cells of a counter at once');
  if (data === undefined && !isReset) rules.allow('counter-without-data', 'the counter entry has no data');
  if (data === undefined && !isReset && rules.answer('counter-without-data') !== 'zero') return;
  const cell = data === undefined || isReset ? noCounts : cellOf(data);
  const [first, count] =
    index === undefined ? [0, size] : [cellIndex(rules, index.index, size, `counter '${bound.name}'`), 1];
  for (let at = first; at < first + count; at++) {
    batch.push({ kind: 'write-counter', counter, index: at, cell });
  }
}

const noCounts = { packets: 0n, bytes: 0n };

function writeDirectCounter(
  loaded: Loaded,
  type: Update_Type,
  { tableEntry, data }: ValueOf<'directCounterEntry'>,
  batch: Batch,
): void {
  const { rules } = loaded;
  if (tableEntry === undefined) throw invalid('the direct counter entry has no table entry');
  const table = tableOf(loaded, tableEntry.tableId);
  const { bound } = table;
  const isReset = type === Update_Type.DELETE;
  if (type === Update_Type.INSERT) throw invalid('a counter is always there: it can only be modified');
  if (isReset) rules.allow('counter-delete', 'a counter is always there: it can only be modified');
  if (bound.counterUnit === undefined) throw invalid(`table '${bound.name}' has no direct counter`);
  if (tableEntry.isDefaultAction) {
    throw rules.refusal('direct-of-default', 'a default action has no counter on this switch');
  }
  if (data === undefined && !isReset) rules.allow('counter-without-data', 'the counter entry has no data');
  const entry = entryOf(loaded, table, tableEntry);
  if (data === undefined && !isReset && rules.answer('counter-without-data') !== 'zero') return;
  const cell = data === undefined || isReset ? noCounts : cellOf(data);
  batch.push({ kind: 'write-direct-counter', table: bound.table.id, handle: entry.handle, cell });
}

function writeMeter(
  { binding, meters, rules }: Loaded,
  type: Update_Type,
  { meterId, index, config, counterData }: ValueOf<'meterEntry'>,
  batch: Batch,
): void {
  const bound = binding.meters.get(meterId);
  if (bound === undefined) throw invalid(`Invalid P4 id: there is no meter ${meterId}`);
  const { id: meter, size } = bound.meter;
  if (index === undefined) rules.allow('all-cells-written', 'writing all cells of a meter at once');
  if (counterData !== undefined) rules.allow('meter-counter-data', 'meters of this switch do not count');
  if (type !== Update_Type.MODIFY) throw invalid('a meter is always there: it can only be modified');
  const rates = config && ratesOf(rules, config);
  const [first, count] =
    index === undefined ? [0, size] : [cellIndex(rules, index.index, size, `meter '${bound.name}'`), 1];
  const configs = meters.get(meterId)!;
  for (let at = first; at < first + count; at++) {
    put(batch, configs, at, config);
    batch.push({ kind: 'write-meter', meter, index: at, rates });
  }
}

function writeDirectMeter(
  loaded: Loaded,
  type: Update_Type,
  { tableEntry, config, counterData }: ValueOf<'directMeterEntry'>,
  batch: Batch,
): void {
  if (tableEntry === undefined) throw invalid('the direct meter entry has no table entry');
  const table = tableOf(loaded, tableEntry.tableId);
  const { bound } = table;
  if (type !== Update_Type.MODIFY) throw invalid('a meter is always there: it can only be modified');
  if (!bound.hasMeter) throw invalid(`table '${bound.name}' has no direct meter`);
  if (counterData !== undefined) {
    loaded.rules.allow('meter-counter-data', 'meters of this switch do not count');
  }
  if (tableEntry.isDefaultAction) {
    throw loaded.rules.refusal('direct-of-default', 'a default action has no meter on this switch');
  }
  table.writeMeter(entryOf(loaded, table, tableEntry), config, batch);
}

function entryOf({ rules }: Loaded, table: TableState, wanted: ValueOf<'tableEntry'>): Entry {
  const { bound } = table;
  const entry = table.find(readKey(rules, bound, wanted.match, wanted.priority));
  if (entry !== undefined) return entry;
  throw rules.refusal('direct-of-missing-entry', `Cannot find match entry in table '${bound.name}'`);
}

function writeRegister(
  { binding, rules, traps }: Loaded,
  type: Update_Type,
  { registerId, index, data }: ValueOf<'registerEntry'>,
  batch: Batch,
): void {
  rules.allow('register', 'Register reads/writes are not supported yet');
  const bound = binding.registers.get(registerId);
  if (bound === undefined) throw invalid(`Invalid P4 id: there is no register ${registerId}`);
  traps.note('register-access', `a write to register '${bound.name}'`);
  if (type !== Update_Type.MODIFY) throw invalid('a register is always there: it can only be modified');
  const value = registerValue(rules, bound, data);
  const { id: register, size } = bound.register;
  const [first, count] = index === undefined ? [0, size] : [registerIndex(bound, index.index), 1];
  for (let at = first; at < first + count; at++) {
    batch.push({ kind: 'write-register', register, index: at, value });
  }
}
