// SPDX-License-Identifier: Apache-2.0
/** Parts of a program and of its tables, as a trace tells them. */

import type { Memory } from '../memory.ts';
import type { KeyPart } from '../pipeline.ts';
import type { Header, KeyField, ParserState, Table } from '../program.ts';
import type { FieldNames } from './field-names.ts';
import type { Change, NamedValue, TraceEntry } from './trace.ts';

export function extractedHeader(op: ParserState['ops'][number], { F }: Memory): Header | undefined {
  switch (op.op) {
    case 'extract':
    case 'extract_varbit':
      return op.header;
    case 'extract_next':
    case 'extract_varbit_next':
      return op.stack.headers[F[op.stack.next]! - 1];
    default:
      return undefined;
  }
}

/** A change of the header or of one of its fields. */
export function concerns(change: Change, header: Header, names: FieldNames): boolean {
  if (change.kind !== 'field') return change.header === header.name;
  return header.type.fields.some((field) => names.of(header, field) === change.field);
}

export function caseText(state: ParserState, taken: number | undefined): string {
  const transition = taken === undefined ? undefined : state.transitions[taken];
  if (!transition) return state.transitions.length > 0 ? 'default' : '';
  if (transition.kind === 'value_set') return transition.set.name;
  const parts = transition.parts.map(({ value, mask }, index) => {
    const component = state.key[index]!;
    const ones = component.op === 'field' ? (1n << BigInt(component.ref.field.width)) - 1n : mask;
    return (mask & ones) === ones ? hexOf(value) : `${hexOf(value)} &&& ${hexOf(mask)}`;
  });
  return parts.join(', ');
}

/** A table without keys whose action never changes: p4c's way to write a statement. */
export function isStatement(table: Table): boolean {
  const { key, default: entry } = table;
  return key.length === 0 && entry !== undefined && entry.isActionConstant && entry.isDataConstant;
}

export function entryOf({ id, key }: Table, row: number, { tables }: Memory): TraceEntry {
  const state = tables.get(id)!;
  const hasPriority = key.some(({ kind }) => kind === 'ternary' || kind === 'range');
  return {
    handle: row - 1,
    priority: hasPriority ? state.priority[row]! : undefined,
    match: state.keyOf(row).map((part, index) => matchText(part, key[index]!)),
  };
}

function matchText(part: KeyPart, { width }: KeyField): string {
  switch (part.kind) {
    case 'exact':
      return hexOf(part.value);
    case 'lpm':
      return `${hexOf(part.value)}/${part.prefixLength}`;
    case 'ternary': {
      const ones = (1n << BigInt(width)) - 1n;
      if (part.mask === ones) return hexOf(part.value);
      return part.mask === 0n ? 'any' : `${hexOf(part.value)} &&& ${hexOf(part.mask)}`;
    }
    case 'range':
      return `${hexOf(part.low)}..${hexOf(part.high)}`;
  }
}

export function namedValue(name: string, width: number, value: bigint): NamedValue {
  return { name, width, value: hexOf(width > 0 ? BigInt.asUintN(width, value) : value) };
}

export function hexOf(value: bigint): string {
  return `0x${value.toString(16)}`;
}

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
