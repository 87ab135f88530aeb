// SPDX-License-Identifier: Apache-2.0
/**
 * ProgramSchema: names, kinds and widths of a program as plain data, so that generated types can be compared
 * with the P4Info a controller finds at run time.
 */
import type { FieldInfo, P4InfoIndex, TableInfo } from './p4info.ts';

/** Widths in bits, by name. */
type Widths = Readonly<Record<string, number>>;

export interface ProgramSchema {
  readonly tables: Readonly<Record<string, TableSchema>>;
  readonly actions: Readonly<Record<string, Widths>>;
  readonly digests: Readonly<Record<string, Widths>>;
  /** "packet_in" and "packet_out". */
  readonly headers: Readonly<Record<string, Widths>>;
  /** Names; they have no types that could differ. */
  readonly counters: readonly string[];
  readonly registers: readonly string[];
}

export interface TableSchema {
  /** Kind and width: 'exact 16'. */
  readonly match: Readonly<Record<string, string>>;
  readonly actions: readonly string[];
  readonly defaults: readonly string[];
}

/** What a P4Info says, under the aliases of its objects. */
export function schemaOf(index: P4InfoIndex): ProgramSchema {
  return {
    tables: Object.fromEntries(index.tables.all().map((table) => [table.alias, tableSchema(table)])),
    actions: Object.fromEntries(index.actions.all().map((action) => [action.alias, widthsOf(action.params)])),
    digests: Object.fromEntries(index.digests.all().map((digest) => [digest.alias, widthsOf(digest.fields)])),
    headers: Object.fromEntries(
      index.packetMetadata.all().map((header) => [header.name, widthsOf(header.fields)]),
    ),
    counters: index.counters.all().map((counter) => counter.alias),
    registers: index.registers.all().map((register) => register.alias),
  };
}

/**
 * Where a P4Info does not have what the schema has, one line each. What the P4Info has beyond is no
 * difference: a target may bring tables of its own.
 */
export function schemaDifferences(schema: ProgramSchema, index: P4InfoIndex): string[] {
  return missing(schema, schemaOf(index), '');
}

/** Leaves of `wanted` that `actual` lacks or has otherwise. */
function missing(wanted: unknown, actual: unknown, path: string): string[] {
  if (Array.isArray(wanted)) {
    const present = new Set(Array.isArray(actual) ? actual : []);
    return wanted.filter((name) => !present.has(name)).map((name) => `${path} lacks ${name}`);
  }
  if (typeof wanted === 'object' && wanted !== null) {
    if (typeof actual !== 'object' || actual === null) return [`${path} is missing`];
    const entries = Object.entries(actual);
    const own = new Map(entries);
    // Keys and parameters must be the same on both sides: an entry that lacks one is refused.
    const isComplete = /^tables\.[^/]*\.match$|^actions\.|^headers\.packet_out$/.test(path);
    const extras = isComplete ? entries.filter(([name]) => !(name in wanted)) : [];
    return [
      ...Object.entries(wanted).flatMap(([name, value]) =>
        missing(value, own.get(name), path === '' ? name : `${path}.${name}`),
      ),
      ...extras.map(([name]) => `${path}.${name} is new`),
    ];
  }
  if (wanted === actual) return [];
  return [actual === undefined ? `${path} is missing` : `${path} is ${actual}, not ${wanted}`];
}

function tableSchema(table: TableInfo): TableSchema {
  const match = table.fields.map(({ name, kind, bitwidth }) => [name, `${kind} ${bitwidth}`]);
  return {
    match: Object.fromEntries(match),
    actions: entryActions(table).map((action) => action.alias),
    defaults: defaultActions(table).map((action) => action.alias),
  };
}

/** Actions an entry may have; none in a table without key. Those of const tables can only be read. */
export function entryActions(table: TableInfo): TableInfo['actions'][number]['action'][] {
  if (table.fields.length === 0) return [];
  return table.actions.filter((ref) => ref.inEntries).map((ref) => ref.action);
}

/** Actions a controller may make the default; none when the program declares a const default. */
export function defaultActions(table: TableInfo): TableInfo['actions'][number]['action'][] {
  if (table.hasConstDefault) return [];
  return table.actions.filter((ref) => ref.asDefault).map((ref) => ref.action);
}

function widthsOf(fields: readonly FieldInfo[]): Widths {
  return Object.fromEntries(fields.map(({ name, bitwidth }) => [name, bitwidth]));
}
