// SPDX-License-Identifier: Apache-2.0
/** Generated lookup of one table: its key words as arguments, the row of the matching entry or 0 as the result. */

import type { Emitter } from '../emitter.ts';
import type { Table } from '../program.ts';
import { fieldWords, literal, validWord } from '../words.ts';
import type { KeyPlan } from './key.ts';
import { prefixTrieLines } from './prefix-trie.ts';

/**
 * The arguments for `find`: packed words as signed numbers (which V8 passes without allocating), then the range
 * fields.
 */
export function keyArguments(table: Table, plan: KeyPlan): string[] {
  const words: string[][] = Array.from({ length: plan.words }, () => []);
  for (const { field, fieldWord, word, shift } of plan.pieces) {
    const { ref, mask } = table.key[field]!;
    const code = keyWord(ref, fieldWord, mask);
    words[word]!.push(shift === 0 ? code : `${code} << ${shift}`);
  }
  const packed = words.map((parts) => (parts.length === 1 ? `${parts[0]} | 0` : parts.join(' | ')));
  const ranges = plan.ranges.flatMap(({ field, words }) => {
    const { ref, mask } = table.key[field]!;
    return Array.from({ length: words }, (_, word) => keyWord(ref, word, mask));
  });
  return [...packed, ...ranges];
}

function keyWord(ref: Table['key'][number]['ref'], fieldWord: number, mask: bigint | undefined): string {
  const word = fieldWords(ref)[fieldWord]!.code;
  // Where a header is not valid, keys see zeroes, whatever it has kept.
  const code = ref.header.keepsFields ? `(${validWord(ref.header)} === 0 ? 0 : ${word})` : word;
  if (mask === undefined) return code;
  return `(${code} & ${literal(Number(BigInt.asUintN(32, mask >> BigInt(32 * fieldWord))))})`;
}

/** Defines `function find_<id>(...)` over `table_<id>`. */
export function emitFind(id: number, plan: KeyPlan, out: Emitter): void {
  const keys = Array.from({ length: plan.words }, (_, index) => `k${index}`);
  const ranges = plan.ranges.flatMap(({ field, words }) =>
    Array.from({ length: words }, (_, word) => rangeArgument(field, word)),
  );
  out.block(`function find_${id}(${[...keys, ...ranges].join(', ')})`, () => {
    if (plan.search === 'exact') emitExact(id, keys, out);
    else if (plan.isPrefix)
      for (const line of prefixTrieLines(`table_${id}.trie`, plan.fields[0]!.width)) out.line(line);
    else emitMasked(id, keys, plan, out);
  });
}

function emitExact(id: number, keys: readonly string[], out: Emitter): void {
  out.line(`const { slots, slotMask, keys } = table_${id};`);
  emitHash('0', keys, out);
  out.block('for (let slot = hash & slotMask; ; slot = (slot + 1) & slotMask)', () => {
    out.line('const row = slots[slot];');
    out.line(`if (row === 0 || ${sameKeys('row', keys)}) return row;`);
  });
}

function emitMasked(id: number, keys: readonly string[], plan: KeyPlan, out: Emitter): void {
  const { ranges, boundWords } = plan;
  out.line(`const table = table_${id};`);
  out.line(
    'const { slots, slotMask, keys, tuple, priority, tupleCount, tupleIds, tupleTops, tupleMasks } = table;',
  );
  if (ranges.length > 0) out.line('const { next, bounds } = table;');
  out.line('let best = 0;');
  out.line('let bestPriority = 0;');
  out.block('for (let n = 0; n < tupleCount; n++)', () => {
    out.line('if (best !== 0 && tupleTops[n] < bestPriority) break;');
    const masked = keys.map((key, index) => {
      out.line(`const m${index} = ${key} & tupleMasks[n * ${keys.length} + ${index}];`);
      return `m${index}`;
    });
    emitHash('tupleIds[n]', masked, out);
    out.line('let row = 0;');
    out.block('for (let slot = hash & slotMask; ; slot = (slot + 1) & slotMask)', () => {
      out.line('row = slots[slot];');
      out.line(
        `if (row === 0 || tuple[row] === tupleIds[n]${keys.length > 0 ? ` && ${sameKeys('row', masked)}` : ''}) break;`,
      );
    });
    if (ranges.length > 0) {
      const outside = ranges.flatMap(({ field, at, words }) => [
        beyond('<', field, words, boundWords, at),
        beyond('>', field, words, boundWords, at + words),
      ]);
      out.line(`while (row !== 0 && (${outside.join(' || ')})) row = next[row];`);
    }
    out.block(
      'if (row !== 0 && (best === 0 || priority[row] > bestPriority || priority[row] === bestPriority && row < best))',
      () => {
        out.line('best = row;');
        out.line('bestPriority = priority[row];');
      },
    );
  });
  out.line('return best;');
}

function rangeArgument(field: number, word: number): string {
  return `r${field}_${word}`;
}

/** Whether the field is less, or more, than the bound whose words stand at `at`: the highest difference decides. */
function beyond(order: '<' | '>', field: number, words: number, boundWords: number, at: number): string {
  let code = '';
  for (let word = 0; word < words; word++) {
    const value = rangeArgument(field, word);
    const bound = `bounds[row * ${boundWords} + ${at + word}]`;
    const decides = `${value} ${order} ${bound}`;
    code = code === '' ? decides : `(${decides} || ${value} === ${bound} && ${code})`;
  }
  return code;
}

/** The same as `TableState.hash`. */
function emitHash(seed: string, words: readonly string[], out: Emitter): void {
  out.line(`let hash = ${seed};`);
  for (const word of words) {
    out.line(`hash = Math.imul(hash ^ ${word}, ${0x9e3779b1 | 0});`);
    out.line('hash ^= hash >>> 15;');
  }
}

function sameKeys(row: string, words: readonly string[]): string {
  return words
    .map((word, index) => `keys[${row} * ${words.length}${index > 0 ? ` + ${index}` : ''}] === ${word}`)
    .join(' && ');
}
