// SPDX-License-Identifier: Apache-2.0
/** The deparser: the valid headers, one behind the other, in front of the payload. */

import { slots } from '../layout.ts';
import type { Memory } from '../memory.ts';
import type { Header } from '../program.ts';
import { runPrimitive } from './actions.ts';
import { BitString } from './bit-string.ts';
import { isValid, readFieldAt, varbitOf } from './fields.ts';
import { type Machine, plainly } from './machine.ts';

/** @returns where the packet now starts in `A` */
export function runDeparser(machine: Machine): number {
  const { program, memory, observer } = machine;
  for (const primitive of program.deparserPrimitives)
    runPrimitive(primitive, { ...plainly(machine), name: 'deparser' }, machine);
  const emitted = program.deparserOrder
    .filter((header) => !header.metadata && isValid(memory, header))
    .map((header) => ({ header, bytes: bytesOf(header, memory) }));
  const payload = memory.F[slots.payload]!;
  const start = payload - emitted.reduce((sum, { bytes }) => sum + bytes.length, 0);
  let at = start;
  for (const { header, bytes } of emitted) {
    memory.A.set(bytes, at);
    at += bytes.length;
    observer?.observe({ kind: 'emit', header, bytes });
  }
  return start;
}

function bytesOf(header: Header, memory: Memory): Uint8Array {
  const bits = new BitString();
  for (const field of header.type.fields) {
    if (field.varbit) bits.appendBytes(varbitOf(memory, header, field));
    else bits.append(readFieldAt(memory, header.base, field), field.width);
  }
  return bits.toBytes();
}
