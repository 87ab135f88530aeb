// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Emitter } from '../emitter.ts';
import type { KeyPart } from '../pipeline.ts';
import type { Field, Header, KeyField, MatchKind, Table } from '../program.ts';
import { planKey } from './key.ts';
import { emitFind, keyArguments } from './lookup.ts';
import { search } from './search.ts';
import { TableState } from './table-state.ts';

type Shape = readonly { kind: MatchKind; width: number; mask?: bigint }[];

interface Entry {
  handle: number;
  key: KeyPart[];
  priority: number;
}

/** A table with one action and no data, its generated lookup, and the words it reads its key from. */
function tableOf(shape: Shape) {
  const fields: Field[] = [];
  let slot = 1;
  for (const [index, { width }] of shape.entries()) {
    const words = Math.ceil(width / 32);
    fields.push({
      name: `f${index}`,
      width,
      signed: false,
      bitOffset: 0,
      slot,
      words,
      varbit: false,
      saturating: false,
    });
    slot += words;
  }
  const type = { name: 't', id: 0, fields, bytes: 0, varbitBytes: 0, varbitLength: undefined, stride: slot };
  const header: Header = { name: 'h', id: 0, type, metadata: true, base: 0, varbitBase: 0, union: undefined };
  const key: KeyField[] = shape.map(({ kind, width, mask }, index) => ({
    name: `f${index}`,
    kind,
    width,
    mask,
    ref: { header, field: fields[index]! },
  }));
  const plan = planKey(key);
  const state = new TableState('t', plan, 0, new Map([[7, []]]));
  const out = new Emitter();
  emitFind(0, plan, out);
  const F = new Uint32Array(slot);
  const source = `${out}\nreturn () => find_0(${keyArguments({ key } as unknown as Table, plan).join(', ')});`;
  const find = new Function('F', 'table_0', source)(F, state) as () => number;
  return {
    state,
    insert: ({ handle, key: parts, priority }: Entry) => state.insert(handle, parts, priority, 7, [], 0, 0),
    /** @returns the handle found, or undefined */
    lookup: (values: readonly bigint[]): number | undefined => {
      for (const [index, field] of fields.entries()) {
        for (let word = 0; word < field.words; word++) {
          F[field.slot + word] = Number(BigInt.asUintN(32, values[index]! >> BigInt(32 * word)));
        }
      }
      const row = find();
      // Without generated code, through the same index.
      const masked = values.map((value, index) => value & (shape[index]!.mask ?? -1n));
      expect(search(state, masked)).toBe(row);
      return row === 0 ? undefined : row - 1;
    },
  };
}

function matches(shape: Shape, entry: Entry, values: readonly bigint[]): boolean {
  return entry.key.every((part, index) => partMatches(shape[index]!, part, values[index]!));
}

function partMatches({ width, mask: keep = -1n }: Shape[number], part: KeyPart, whole: bigint): boolean {
  const value = whole & keep;
  switch (part.kind) {
    case 'exact':
      return value === (part.value & keep);
    case 'ternary':
      return (value & part.mask) === (part.value & part.mask & keep);
    case 'lpm': {
      const shift = BigInt(width - part.prefixLength);
      return value >> shift === (part.value & keep) >> shift;
    }
    case 'range':
      return value >= part.low && value <= part.high;
  }
}

/** By the book: the longest prefix, or the highest priority and then the lowest handle. */
function expected(shape: Shape, entries: readonly Entry[], values: readonly bigint[]): number | undefined {
  const ordered = shape.some(({ kind }) => kind === 'ternary' || kind === 'range');
  const rank = (entry: Entry) => {
    if (ordered) return entry.priority;
    const prefix = entry.key.find((part) => part.kind === 'lpm');
    return prefix ? prefix.prefixLength : 0;
  };
  const hits = entries.filter((entry) => matches(shape, entry, values));
  hits.sort((first, second) => rank(second) - rank(first) || first.handle - second.handle);
  return hits[0]?.handle;
}

/** Values from a small pool, so that entries meet each other and the packets. */
function keyValue(width: number) {
  const max = (1n << BigInt(width)) - 1n;
  return fc.oneof(
    fc.bigInt({ min: 0n, max: max < 7n ? max : 7n }),
    fc.constantFrom(max, max >> 1n, max - (max >> 3n), max >> 32n, (max >> 32n) + 1n),
  );
}

function partOf({ kind, width }: Shape[number]): fc.Arbitrary<KeyPart> {
  const value = keyValue(width);
  switch (kind) {
    case 'exact':
      return value.map((chosen) => ({ kind, value: chosen }));
    case 'lpm':
      return fc.tuple(value, fc.integer({ min: 0, max: width })).map(([chosen, prefixLength]) => {
        const shift = BigInt(width - prefixLength);
        return { kind, value: (chosen >> shift) << shift, prefixLength };
      });
    case 'ternary':
      return fc.tuple(value, value).map(([chosen, mask]) => ({ kind, value: chosen & mask, mask }));
    case 'range':
      return fc.tuple(value, value).map(([one, other]) => ({
        kind,
        low: one < other ? one : other,
        high: one < other ? other : one,
      }));
  }
}

const shapes: Record<string, Shape> = {
  'exact on one small field': [{ kind: 'exact', width: 9 }],
  'exact on an IPv4 flow': [32, 32, 8, 16, 16].map((width) => ({ kind: 'exact', width })),
  'exact on wide and odd fields': [128, 48, 1, 65].map((width) => ({ kind: 'exact', width })),
  'exact under a mask of the program': [{ kind: 'exact', width: 16, mask: 0xfffcn }],
  'longest prefix on IPv4': [{ kind: 'lpm', width: 32 }],
  'longest prefix on IPv6 within a tenant': [
    { kind: 'exact', width: 12 },
    { kind: 'lpm', width: 128 },
  ],
  ternary: [
    { kind: 'ternary', width: 32 },
    { kind: 'ternary', width: 16 },
  ],
  'ternary, prefix and exact together': [
    { kind: 'ternary', width: 8 },
    { kind: 'lpm', width: 16 },
    { kind: 'exact', width: 3 },
  ],
  'range alone': [{ kind: 'range', width: 16 }],
  'two ranges, ternary and exact': [
    { kind: 'range', width: 16 },
    { kind: 'ternary', width: 32 },
    { kind: 'range', width: 32 },
    { kind: 'exact', width: 9 },
  ],
  'ranges of more than one word': [
    { kind: 'range', width: 48 },
    { kind: 'ternary', width: 8 },
    { kind: 'range', width: 128 },
  ],
};

describe('table lookup', () => {
  for (const [name, shape] of Object.entries(shapes)) {
    it(`finds what a search through all entries finds: ${name}`, () => {
      const key = fc.tuple(...shape.map(partOf));
      const packet = fc.tuple(...shape.map(({ width }) => keyValue(width)));
      const change = fc.oneof(
        { weight: 3, arbitrary: fc.record({ insert: key, priority: fc.integer({ min: 1, max: 4 }) }) },
        { weight: 1, arbitrary: fc.record({ deleteAt: fc.nat() }) },
      );
      fc.assert(
        fc.property(
          fc.array(change, { maxLength: 60 }),
          fc.array(packet, { minLength: 20, maxLength: 20 }),
          (changes, packets) => {
            const table = tableOf(shape);
            let entries: Entry[] = [];
            for (const step of changes) {
              if ('insert' in step) {
                const taken = new Set(entries.map((entry) => entry.handle));
                let handle = 0;
                while (taken.has(handle)) handle += 1;
                const entry: Entry = { handle, key: step.insert, priority: step.priority };
                // The owner refuses a second entry for a key, so the engine never sees one.
                if (!shape.some(({ kind }) => kind === 'ternary' || kind === 'range')) {
                  const values = entry.key.map((part) => ('value' in part ? part.value : 0n));
                  const same = entries.some(
                    (other) =>
                      matches(shape, other, values) &&
                      JSON.stringify(prefixes(other)) === JSON.stringify(prefixes(entry)),
                  );
                  if (same) continue;
                }
                table.insert(entry);
                entries.push(entry);
              } else if (entries.length > 0) {
                const gone = entries[step.deleteAt % entries.length]!;
                table.state.delete(gone.handle);
                entries = entries.filter((entry) => entry !== gone);
              }
            }
            for (const values of packets) expect(table.lookup(values)).toBe(expected(shape, entries, values));
            for (const { key: parts } of entries) {
              const values = parts.map((part) => (part.kind === 'range' ? part.low : part.value));
              expect(table.lookup(values)).toBe(expected(shape, entries, values));
            }
          },
        ),
        { numRuns: 300 },
      );
    });
  }

  it('tells the key of an entry as it was given', () => {
    for (const shape of Object.values(shapes)) {
      fc.assert(
        fc.property(fc.tuple(...shape.map(partOf)), (key) => {
          const table = tableOf(shape);
          table.insert({ handle: 3, key, priority: 2 });
          const asked = key.map((part, index): KeyPart => {
            const keep = shape[index]!.mask ?? -1n;
            if (part.kind === 'range') return part;
            return { ...part, value: part.value & keep };
          });
          expect(table.state.keyOf(4)).toEqual(asked);
        }),
        { numRuns: 50 },
      );
    }
  });

  it('keeps 65,536 entries apart while every other one goes and comes back', () => {
    const table = tableOf([
      { kind: 'exact', width: 12 },
      { kind: 'exact', width: 16 },
    ]);
    const size = 65_536;
    const key = (slot: number): KeyPart[] => [
      { kind: 'exact', value: 1n },
      { kind: 'exact', value: BigInt(slot) },
    ];
    for (let slot = 0; slot < size; slot++) table.insert({ handle: slot, key: key(slot), priority: 0 });
    for (let slot = 0; slot < size; slot += 2) table.state.delete(slot);
    for (let slot = 0; slot < size; slot++) {
      expect(table.lookup([1n, BigInt(slot)])).toBe(slot % 2 === 0 ? undefined : slot);
    }
    for (let slot = 0; slot < size; slot += 2) table.insert({ handle: slot, key: key(slot), priority: 0 });
    for (let slot = 0; slot < size; slot++) expect(table.lookup([1n, BigInt(slot)])).toBe(slot);
  });

  it('says which promise was broken when a handle does not exist', () => {
    const table = tableOf([{ kind: 'exact', width: 8 }]);
    expect(() => table.state.delete(3)).toThrow('broken promise: t has an entry 3');
  });
});

function prefixes(entry: Entry): number[] {
  return entry.key.map((part) => (part.kind === 'lpm' ? part.prefixLength : -1));
}
