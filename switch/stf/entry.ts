// SPDX-License-Identifier: Apache-2.0
/** An `add` or `setdefault` statement as the pipeline wants it: ids instead of names, values instead of text. */

import type { KeyPart } from '../engine/pipeline.ts';
import type { Action, KeyField, Table } from '../engine/program.ts';
import { findKeyField, findNamed, StatementError } from './names.ts';
import type { Call, Match, Numeral } from './stf.ts';

/**
 * A field that is not mentioned matches anything, or 0 when it is exact, as in p4c's runner.
 *
 * @throws StatementError
 */
export function keyOf(table: Table, matches: readonly Match[]): KeyPart[] {
  const parts: (KeyPart | undefined)[] = table.key.map(() => undefined);
  for (const match of matches) {
    const index = findKeyField(match.name, table.key);
    if (parts[index] !== undefined) throw new StatementError(`'${match.name}' is given twice`);
    parts[index] = keyPartOf(table.key[index]!, match);
  }
  return table.key.map((field, index) => parts[index] ?? absentPart(field));
}

/** @throws StatementError */
export function actionOf(table: Table, call: Call): { action: Action; data: bigint[] } {
  const action = findNamed(`action of ${table.name}`, call.name, table.actions);
  for (const { name } of call.arguments) {
    if (!action.parameters.some((parameter) => parameter.name === name)) {
      throw new StatementError(`the action ${action.name} has no parameter '${name}'`);
    }
  }
  const data = action.parameters.map(({ name, width }) => {
    const given = call.arguments.filter((argument) => argument.name === name);
    if (given.length !== 1) {
      throw new StatementError(`the action ${action.name} needs its parameter '${name}' once`);
    }
    return plainValue(given[0]!.value, width, name);
  });
  return { action, data };
}

/** Whether entries of the table are chosen by priority. */
export function hasPriorities(table: Table): boolean {
  return table.key.some(({ kind }) => kind === 'ternary' || kind === 'range');
}

function keyPartOf(field: KeyField, { value: numeral, prefixLength }: Match): KeyPart {
  const { kind, width, name } = field;
  if (prefixLength !== undefined && kind !== 'lpm') {
    throw new StatementError(`'${name}' is ${kind}: only LPM keys have a prefix length`);
  }
  switch (kind) {
    case 'exact':
      return { kind, value: plainValue(numeral, width, name) };
    case 'ternary': {
      const value = fittingValue(numeral, width, name);
      // Only the digits that are written are compared, as in p4c's runner: 0x01 leaves all but the last 8 bits open.
      const mask = numeral.mask ?? allOnes(width);
      return { kind, value: value & mask, mask: mask & allOnes(width) };
    }
    case 'lpm': {
      const value = fittingValue(numeral, width, name);
      const length = prefixLength ?? prefixOf(numeral, width, name);
      if (length > width) throw new StatementError(`'${name}' has ${width} bits, no prefix of ${length}`);
      const mask = allOnes(width) ^ allOnes(width - length);
      return { kind, value: value & mask, prefixLength: length };
    }
    case 'range':
      throw new StatementError(
        `'${name}' is a range key, which STF cannot write; left out, it matches anything`,
      );
  }
}

function absentPart({ kind, width }: KeyField): KeyPart {
  switch (kind) {
    case 'exact':
      return { kind, value: 0n };
    case 'ternary':
      return { kind, value: 0n, mask: 0n };
    case 'lpm':
      return { kind, value: 0n, prefixLength: 0 };
    case 'range':
      return { kind, low: 0n, high: allOnes(width) };
  }
}

/** Wildcards at the end make a prefix; without any it is the whole field. */
function prefixOf({ text, mask }: Numeral, width: number, name: string): number {
  if (!text.includes('*')) return width;
  if (!/^0[xob][0-9a-f]*\*+$/i.test(text)) {
    throw new StatementError(`'${name}' is an LPM key: the wildcards of ${text} must stand at its end`);
  }
  let open = 0;
  while (open < width && ((mask! >> BigInt(open)) & 1n) === 0n) open++;
  return width - open;
}

function plainValue(numeral: Numeral, width: number, name: string): bigint {
  if (numeral.text.includes('*')) throw new StatementError(`'${name}' takes no wildcards (${numeral.text})`);
  return fittingValue(numeral, width, name);
}

function fittingValue({ text, value }: Numeral, width: number, name: string): bigint {
  if (value > allOnes(width))
    throw new StatementError(`${text} does not fit into the ${width} bits of '${name}'`);
  return value;
}

function allOnes(bits: number): bigint {
  return (1n << BigInt(bits)) - 1n;
}
