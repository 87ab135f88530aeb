// SPDX-License-Identifier: Apache-2.0
/** Hashes and checksums: the items as one bit string, items of headers that are not valid left out, then the algorithm. */

import { csum16 } from '../hashes.ts';
import { slots } from '../layout.ts';
import type { Memory } from '../memory.ts';
import type { Calculation, Field, Header } from '../program.ts';
import { BitString } from './bit-string.ts';
import { isValid, readFieldAt, varbitOf } from './fields.ts';

/** An unsigned number of at most 64 bits. */
export function runCalculation(calculation: Calculation, memory: Memory): bigint {
  const bytes = inputOf(calculation, memory);
  // Checksums of P4_14 have a calculation of their own that stands in no list.
  const hash = memory.hashes.get(calculation.name);
  return hash ? hash(bytes, 0, bytes.length) : BigInt(csum16(bytes, 0, bytes.length));
}

function inputOf({ items }: Calculation, memory: Memory): Uint8Array {
  const input = new BitString();
  const addField = (header: Header, field: Field) => {
    if (!isValid(memory, header)) return;
    if (field.varbit) input.appendBytes(varbitOf(memory, header, field));
    else input.append(readFieldAt(memory, header.base, field), field.width);
  };
  for (const item of items) {
    switch (item.kind) {
      case 'field':
        addField(item.ref.header, item.ref.field);
        break;
      case 'header':
        for (const field of item.header.type.fields) addField(item.header, field);
        break;
      case 'constant':
        input.append(item.value, item.width);
        break;
      case 'payload':
        break;
    }
  }
  if (items.some(({ kind }) => kind === 'payload'))
    input.appendBytes(memory.A.subarray(memory.F[slots.payload]!, memory.F[slots.end]!));
  return input.toBytes();
}
