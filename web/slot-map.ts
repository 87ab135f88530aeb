// SPDX-License-Identifier: Apache-2.0
/** The slot map as it is told, made legible; and where each slot stands in the picture. Pure. */
import type { SlotMapView } from './api.ts';

export const marks = { stable: 0, unstable: 1, seat: 2 } as const;

export interface SlotMap {
  pool: string;
  slotCount: number;
  backends: SlotMapView['backends'];
  /** Per slot: 1 + index into backends; 0: nobody. */
  owners: Uint8Array | Uint16Array;
  bases: Uint8Array | Uint16Array;
  /** Per slot, one of `marks`. */
  marks: Uint8Array;
}

/** @throws RangeError when a part is not as long as the map */
export function decode({ owners, bases, marks: told, bytesPerSlot, ...rest }: SlotMapView): SlotMap {
  const numbers = (text: string, width: number): Uint8Array | Uint16Array => {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    if (bytes.length !== rest.slotCount * width)
      throw new RangeError(`${bytes.length} bytes for ${rest.slotCount} slots`);
    if (width === 1) return bytes;
    // Little endian, whatever the machine.
    return Uint16Array.from(
      { length: rest.slotCount },
      (_, slot) => bytes[2 * slot]! + 256 * bytes[2 * slot + 1]!,
    );
  };
  return {
    ...rest,
    owners: numbers(owners, bytesPerSlot),
    bases: numbers(bases, bytesPerSlot),
    marks: numbers(told, 1) as Uint8Array,
  };
}

export interface Layout {
  columns: number;
  rows: number;
  /** Side of a slot's square. */
  cell: number;
}

/** Cells are whole units wide, so that no two look different; a row is a power of two, as the table is. */
export function layoutOf(slotCount: number, width: number): Layout {
  const wanted = Math.sqrt(slotCount * 4);
  let columns = 2 ** Math.ceil(Math.log2(Math.max(2, wanted)));
  while (columns > 2 && Math.floor(width / columns) < 3) columns /= 2;
  columns = Math.min(columns, slotCount);
  const cell = Math.max(2, Math.min(24, Math.floor(width / columns)));
  return { columns, rows: Math.ceil(slotCount / columns), cell };
}

export function slotAt(x: number, y: number, { columns, rows, cell }: Layout): number | undefined {
  const column = Math.floor(x / cell);
  const row = Math.floor(y / cell);
  return column >= 0 && column < columns && row >= 0 && row < rows ? row * columns + column : undefined;
}

/** One slot in words. */
export function describeSlot(map: SlotMap, slot: number): string {
  const name = (number: number): string =>
    number === 0 ? 'nobody' : (map.backends[number - 1]?.name ?? '?');
  const owner = name(map.owners[slot]!);
  const base = name(map.bases[slot]!);
  if (map.marks[slot] === marks.stable) return `Slot ${slot}: stable on ${owner}`;
  if (map.marks[slot] === marks.seat)
    return `Slot ${slot}: the seat of a dead backend, served by ${owner} until another takes it`;
  if (owner === base) return `Slot ${slot}: unstable on ${owner}`;
  return `Slot ${slot}: unstable, new connections to ${owner}, old ones to ${base} or where they are pinned`;
}

/** Per backend, in their order: slots it owns, and how many of those are unstable. */
export function countSlots(map: SlotMap): { owned: number; unstable: number }[] {
  const counts = map.backends.map(() => ({ owned: 0, unstable: 0 }));
  for (let slot = 0; slot < map.slotCount; slot++) {
    const count = counts[map.owners[slot]! - 1];
    if (count === undefined) continue;
    count.owned++;
    if (map.marks[slot] !== marks.stable) count.unstable++;
  }
  return counts;
}
