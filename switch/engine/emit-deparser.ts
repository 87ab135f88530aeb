// SPDX-License-Identifier: Apache-2.0
/**
 * Generated checksums and deparser. The deparser writes the valid headers in front of the payload, where it lies in
 * the packet buffer, so the payload is never copied.
 */

import { type BitItem, chunksOf, storeChunk } from './bits.ts';
import { type EmitOptions, emitPrimitive } from './emit-action.ts';
import { emitCalculation } from './emit-calculation.ts';
import { headerLength } from './emit-header.ts';
import type { Emitter } from './emitter.ts';
import type { Value } from './expression.ts';
import { slots } from './layout.ts';
import type { Field, Header, Program } from './program.ts';
import { conditionCode, emitAssign, fieldWords, type Scope, slotWord, validWord } from './words.ts';

/** Defines `verify()`: whether every checksum is right, as `standard_metadata.checksum_error`. */
export function emitVerify(program: Program, options: EmitOptions, out: Emitter): void {
  out.block('function verify()', () => {
    const checksums = program.checksums.filter((checksum) => checksum.verify);
    const { checksumError } = program.standard;
    if (checksums.length === 0) return;
    out.line('let wrong = 0;');
    for (const { name, target, calculation, condition } of checksums) {
      const scope = scopeOf(`checksum ${name}`, options, out);
      const valid = target.header.metadata ? 'true' : `${validWord(target.header)} !== 0`;
      out.block(`if (${valid} && ${conditionCode(condition, scope)})`, () => {
        const same = conditionCode(
          {
            op: 'compare',
            operator: '==',
            left: { op: 'field', ref: target },
            right: truncated(emitCalculation(calculation, scope), target.field.width),
          },
          scope,
        );
        out.line(`if (!${same}) wrong = 1; // ${name}`);
      });
    }
    if (!checksumError) return;
    const wrong: Value = { op: 'words', words: ['wrong'], range: { min: 0n, max: 1n } };
    emitAssign({ kind: 'field', ref: checksumError }, wrong, scopeOf('verify', options, out));
  });
}

/** Defines `update()`: computes the checksums of a packet that leaves. */
export function emitUpdate(program: Program, options: EmitOptions, out: Emitter): void {
  out.block('function update()', () => {
    for (const { name, target, calculation, condition } of program.checksums.filter(
      (checksum) => checksum.update,
    )) {
      const scope = scopeOf(`checksum ${name}`, options, out);
      out.block(`if (${conditionCode(condition, scope)})`, () => {
        emitAssign({ kind: 'field', ref: target }, emitCalculation(calculation, scope), scope);
      });
    }
  });
}

/** Defines `deparse()`: writes the headers and returns where the packet now starts in `A`. */
export function emitDeparser(program: Program, options: EmitOptions, out: Emitter): void {
  const order = program.deparserOrder.filter((header) => !header.metadata);
  const lengths = order.map((header) => `${validWord(header)} * ${headerLength(header)}`);
  out.block('function deparse()', () => {
    for (const primitive of program.deparserPrimitives)
      emitPrimitive(primitive, scopeOf('deparser', options, out), options);
    out.line(`const start = ${[slotWord(slots.payload, 'payload'), ...lengths].join('\n      - ')};`);
    out.line('let p = start;');
    for (const header of order) {
      out.block(`if (${validWord(header)} !== 0)`, () => emitHeader(header, out));
    }
    out.line('return start;');
  });
}

function emitHeader(header: Header, out: Emitter): void {
  const { fields } = header.type;
  const varbitAt = fields.findIndex((field) => field.varbit);
  const before = varbitAt < 0 ? fields : fields.slice(0, varbitAt);
  const after = varbitAt < 0 ? [] : fields.slice(varbitAt + 1);
  emitFields(header, before, out);
  const varbit = fields[varbitAt];
  if (!varbit) return;
  const length = slotWord(header.base + varbit.slot, `${header.name}.${varbit.name} bytes`);
  out.line(`for (let i = 0; i < ${length}; i++) A[p + i] = V[${header.varbitBase} + i];`);
  out.line(`p += ${length};`);
  emitFields(header, after, out);
}

function emitFields(header: Header, fields: readonly Field[], out: Emitter): void {
  const items: BitItem[] = fields.map((field) => ({
    words: fieldWords({ header, field }),
    width: field.width,
  }));
  const bits = items.reduce((sum, item) => sum + item.width, 0);
  if (bits === 0) return;
  for (const chunk of chunksOf(items, 32)) {
    for (const store of storeChunk(chunk, 'A', 'D', 'p')) out.line(store);
  }
  out.line(`p += ${bits / 8};`);
}

/** What a field of this width would hold. */
function truncated(value: Value, width: number): Value {
  return {
    op: 'binary',
    operator: '&',
    left: value,
    right: { op: 'constant', value: (1n << BigInt(width)) - 1n },
  };
}

function scopeOf(place: string, options: EmitOptions, out: Emitter): Scope {
  return { out, position: undefined, place, parameter: () => [], problem: options.problem };
}
