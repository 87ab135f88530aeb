// SPDX-License-Identifier: Apache-2.0
/** Table entries by name as operations of the engine, for benchmarks without a server. */

import type { EntryInput, MatchValue } from '../../p4runtime/entries.ts';
import type { KeyPart, TableOperation } from '../../switch/engine/pipeline.ts';
import type { KeyField, Program, Table } from '../../switch/engine/program.ts';

/** Handles are given out in order, from 0 in each table. */
export function operationsOf(program: Program, entries: readonly EntryInput[]): TableOperation[] {
  const tables = new Map(program.tables.map((table) => [lastName(table.name), table]));
  const nextHandles = new Map<Table, number>();
  return entries.map(({ table: tableName, match, action: call }) => {
    const table = found(tables.get(tableName), `table ${tableName}`);
    const action = found(
      table.actions.find(({ name }) => lastName(name) === call?.name),
      `action ${call?.name} of ${tableName}`,
    );
    const handle = nextHandles.get(table) ?? 0;
    nextHandles.set(table, handle + 1);
    return {
      kind: 'insert',
      table: table.id,
      handle,
      key: table.key.map((field) => keyPart(field, match?.[lastName(field.name)])),
      priority: 0,
      action: action.id,
      data: Object.values(call?.params ?? {}).map((value) => BigInt(value as number)),
      idleTimeoutMs: 0,
    };
  });
}

/** The default action of a table. */
export function defaultOf(program: Program, tableName: string, data: readonly number[]): TableOperation {
  const table = found(
    program.tables.find(({ name }) => lastName(name) === tableName),
    `table ${tableName}`,
  );
  return { kind: 'default', table: table.id, action: table.actions[0]!.id, data: data.map(BigInt) };
}

function keyPart({ kind, name }: KeyField, value: MatchValue | undefined): KeyPart {
  if (kind === 'exact' && typeof value === 'number') return { kind, value: BigInt(value) };
  if (kind === 'lpm' && typeof value === 'object' && 'prefixLength' in value) {
    return { kind, value: BigInt(value.value as number), prefixLength: value.prefixLength };
  }
  throw new Error(`${name} is ${kind}, which the benchmarks do not use`);
}

function lastName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`there is no ${what}`);
  return value;
}
