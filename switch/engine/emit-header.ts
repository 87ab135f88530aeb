// SPDX-License-Identifier: Apache-2.0
/** Generated copying, clearing and moving of whole headers: alone, in unions, in stacks. */

import type { Emitter } from './emitter.ts';
import type { Header, HeaderPlace, HeaderStack, HeaderUnionStack } from './program.ts';
import { orderAfterShift } from './union-shift.ts';
import { elementBase, named, type Scope, slotWord, validWord } from './words.ts';

/** Making a member of a union valid makes the others invalid. */
export function emitClearSiblings(header: Header, out: Emitter): void {
  for (const member of header.union?.members ?? []) {
    if (member === header) continue;
    out.block(`if (${validWord(member)} !== 0)`, () => emitClear(member, member.type.stride, out));
  }
}

/** Makes invalid what shares its union with the element at `base`: members stand side by side. */
export function emitClearElementSiblings(stack: HeaderStack, base: string, out: Emitter): void {
  const first = stack.headers[0]!;
  if (!first.union) return;
  const from = `${base} - ${first.base - first.union.members[0]!.base}`;
  out.line(`F.fill(0, ${from}, ${from} + ${stack.stride});`);
}

export function emitAssignElement(target: HeaderPlace, source: HeaderPlace, scope: Scope): void {
  const { out } = scope;
  const baseOf = (place: HeaderPlace) =>
    place.kind === 'header'
      ? String(place.header.base)
      : named(elementBase(place.stack, place.index, scope), scope);
  const varbitsOf = (place: HeaderPlace, base: string) => {
    if (place.kind === 'header') return String(place.header.varbitBase);
    const { stride, varbitStride, headers } = place.stack;
    return `${headers[0]!.varbitBase} + (${base} - ${headers[0]!.base}) / ${stride} * ${varbitStride}`;
  };
  const [to, from] = [baseOf(target), baseOf(source)];
  const { stride, varbitBytes } = target.kind === 'header' ? target.header.type : target.stack.type;
  out.block(`if (${to} !== 0 && ${from} !== 0)`, () => {
    // Only a union has something to lose, and only when its member becomes valid; a member may be its own source.
    out.block(`if (F[${from}] !== 0 && F[${to}] === 0)`, () => {
      if (target.kind === 'header') emitClearSiblings(target.header, out);
      else emitClearElementSiblings(target.stack, to, out);
    });
    out.line(`F.copyWithin(${to}, ${from}, ${from} + ${stride});`);
    if (varbitBytes === 0) return;
    const bytes = out.name('bytes');
    out.line(`const ${bytes} = ${varbitsOf(source, from)};`);
    out.line(`V.copyWithin(${varbitsOf(target, to)}, ${bytes}, ${bytes} + ${varbitBytes});`);
  });
}

/** Bytes the header takes on the wire when it is valid. */
export function headerLength(header: Header): string {
  const varbit = header.type.fields.find((field) => field.varbit);
  if (!varbit) return String(header.type.bytes);
  return `(${header.type.bytes} + ${slotWord(header.base + varbit.slot, `${header.name}.${varbit.name} bytes`)})`;
}

/** Up to this many words are copied or cleared one by one: the built-in functions have a price per call. */
const unrolledWordsMax = 12;

export function emitClear(header: Header, words: number, out: Emitter): void {
  if (words <= unrolledWordsMax) {
    for (let word = 0; word < words; word++) out.line(`F[${header.base + word} /* ${header.name} */] = 0;`);
    return;
  }
  out.line(`F.fill(0, ${header.base}, ${header.base + words}); // ${header.name}`);
}

export function emitCopy(target: Header, source: Header, words: number, out: Emitter): void {
  if (words <= unrolledWordsMax) {
    for (let word = 0; word < words; word++) {
      out.line(
        `F[${target.base + word} /* ${target.name} */] = F[${source.base + word} /* ${source.name} */];`,
      );
    }
  } else {
    out.line(
      `F.copyWithin(${target.base}, ${source.base}, ${source.base + words}); // ${target.name} = ${source.name}`,
    );
  }
  const elements = words / target.type.stride;
  const bytes = target.type.varbitBytes * elements;
  if (bytes > 0) {
    out.line(`V.copyWithin(${target.varbitBase}, ${source.varbitBase}, ${source.varbitBase + bytes});`);
  }
}

/** A stack as a range of words: elements at equal distances. */
interface StackBlock {
  name: string;
  next: string;
  size: number;
  base: number;
  stride: number;
  varbitBase: number;
  varbitStride: number;
}

export function blockOf(stack: HeaderStack | HeaderUnionStack): StackBlock {
  const { name, stride, varbitStride } = stack;
  const first = 'unions' in stack ? stack.unions[0]!.members[0]! : stack.headers[0]!;
  const size = 'unions' in stack ? stack.unions.length : stack.headers.length;
  const { base, varbitBase } = first;
  return { name, next: nextSlot(stack), size, base, stride, varbitBase, varbitStride };
}

/** What is not valid is all zeroes, so copying words is copying element by element. */
export function emitCopyStack(target: StackBlock, source: StackBlock, out: Emitter): void {
  const { size, stride, varbitStride } = target;
  out.line(
    `F.copyWithin(${target.base}, ${source.base}, ${source.base + size * stride}); // ${target.name} = ${source.name}`,
  );
  if (varbitStride > 0)
    out.line(
      `V.copyWithin(${target.varbitBase}, ${source.varbitBase}, ${source.varbitBase + size * varbitStride});`,
    );
  out.line(`${target.next} = ${source.next};`);
}

export function emitShiftUnions(
  stack: HeaderUnionStack,
  op: 'push' | 'pop',
  count: number,
  out: Emitter,
): void {
  const { name, next, size, base, stride, varbitBase, varbitStride } = blockOf(stack);
  const move = (array: string, from: number, distance: number) => {
    if (distance === 0) return;
    const before = out.name('before');
    out.line(
      `const ${before} = ${array}.slice(${from}, ${from + size * distance}); // ${name}.${op}(${count})`,
    );
    for (const [place, former] of orderAfterShift(op === 'push' ? count : -count, size).entries()) {
      if (place === former) continue;
      const source = `${before}.subarray(${former * distance}, ${(former + 1) * distance})`;
      out.line(`${array}.set(${source}, ${from + place * distance});`);
    }
  };
  move('F', base, stride);
  move('V', varbitBase, varbitStride);
  out.line(
    `${next} = ${op === 'push' ? `Math.min(${next} + ${count}, ${size})` : `Math.max(${next} - ${count}, 0)`};`,
  );
}

export function emitShift(stack: StackBlock, op: 'push' | 'pop', count: number, out: Emitter): void {
  const { name, next, size, base, stride, varbitBase, varbitStride } = stack;
  const kept = size - count;
  if (op === 'push') {
    out.line(
      `F.copyWithin(${base + count * stride}, ${base}, ${base + kept * stride}); // ${name}.push(${count})`,
    );
    out.line(`F.fill(0, ${base}, ${base + count * stride});`);
    if (varbitStride > 0) {
      out.line(
        `V.copyWithin(${varbitBase + count * varbitStride}, ${varbitBase}, ${varbitBase + kept * varbitStride});`,
      );
    }
    out.line(`${next} = Math.min(${next} + ${count}, ${size});`);
  } else {
    out.line(
      `F.copyWithin(${base}, ${base + count * stride}, ${base + size * stride}); // ${name}.pop(${count})`,
    );
    out.line(`F.fill(0, ${base + kept * stride}, ${base + size * stride});`);
    if (varbitStride > 0) {
      out.line(
        `V.copyWithin(${varbitBase}, ${varbitBase + count * varbitStride}, ${varbitBase + size * varbitStride});`,
      );
    }
    out.line(`${next} = Math.max(${next} - ${count}, 0);`);
  }
}

export function nextSlot(stack: { name: string; next: number }): string {
  return slotWord(stack.next, `${stack.name}.next`);
}
