// SPDX-License-Identifier: Apache-2.0
/**
 * The book as entries of a store:
 *
 *   version       the version row and what is known of its filter slots
 *   pool/<id>     a pool's table: owners as base64 of 16-bit little-endian backend ids, one a slot
 *
 * An entry stands for itself: one that cannot be read is left out, and the rest is of use all the same.
 */
import { z } from 'zod';
import { formatAddress, parseAddressText } from '../core/address.ts';
import type { Book, BookPool } from '../core/book.ts';
import type { Address } from '../core/desired.ts';
import { BACKEND_IDS, NO_BACKEND, POOL_IDS } from '../core/model.ts';

/** Another number is another format, which is not read. */
const format = 1;

const versionName = 'version';
const poolName = (id: number): string => `pool/${id}`;

export interface BookEntry {
  name: string;
  /** Two entries of the same content say the same, but for the time that has passed. */
  content: string;
  text: string;
}

const id = (end: number) =>
  z
    .int()
    .min(1)
    .max(end - 1);
const filterSlot = z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3)]);
const port = z.int().min(0).max(65_535);
/** IPv4 as its number, IPv6 as its text: JSON has no bigints. */
const address = z.union([z.int().min(0).max(0xffff_ffff), z.string().max(39).transform(parsedIpv6)]);
const filterVersion = z.object({
  epoch: z.int().min(0).max(65_535),
  column: filterSlot,
  learn: z.boolean(),
});
const bookFilter = z.object({ couldAdmit: z.boolean(), restingMs: z.number().min(0).optional() });

const versionSchema = z.object({
  format: z.literal(format),
  active: filterSlot,
  versions: z.tuple([filterVersion, filterVersion, filterVersion, filterVersion]),
  filters: z.tuple([bookFilter, bookFilter, bookFilter, bookFilter]),
});

const poolSchema = z.object({
  format: z.literal(format),
  id: id(POOL_IDS),
  vip: z.object({ address, protocol: z.enum(['tcp', 'udp']), port }),
  affinity: z.enum(['none', 'source']).default('none'),
  backends: z.array(z.object({ id: id(BACKEND_IDS), address, port })).max(BACKEND_IDS),
  owners: z.base64(),
});

export function encodeBook(book: Book): BookEntry[] {
  const { active, filters: versions } = book.version;
  const filters = book.filters;
  const isKnown = filters.map(({ couldAdmit, restingMs }) => [couldAdmit, restingMs === undefined]);
  return [
    {
      name: versionName,
      content: JSON.stringify({ active, versions, isKnown }),
      text: JSON.stringify({ format, active, versions, filters }),
    },
    ...book.pools.map((pool) => {
      const { id, affinity } = pool;
      const vip = written(pool.vip);
      const backends = pool.backends.map(written);
      const text = JSON.stringify({ format, id, vip, affinity, backends, owners: encodeOwners(pool.owners) });
      return { name: poolName(id), content: text, text };
    }),
  ];
}

/** @returns the book as far as its entries can be read; undefined: there is none */
export function decodeBook(entries: ReadonlyMap<string, string>): {
  book: Book | undefined;
  /** Entries that make no sense, and why. */
  unreadable: { name: string; reason: string }[];
} {
  const unreadable: { name: string; reason: string }[] = [];
  const pools: BookPool[] = [];
  let head: Omit<Book, 'pools'> | undefined;
  for (const [name, text] of entries) {
    try {
      if (name === versionName) head = decodeVersion(text);
      else pools.push(decodePool(text));
    } catch (error) {
      unreadable.push({ name, reason: (error as Error).message.slice(0, 200) });
    }
  }
  return { book: head && { ...head, pools }, unreadable };
}

function decodeVersion(text: string): Omit<Book, 'pools'> {
  const { active, versions, filters } = versionSchema.parse(JSON.parse(text));
  return {
    version: { table: 'version', active, filters: versions },
    filters: filters.map(({ couldAdmit, restingMs }) => ({ couldAdmit, restingMs })),
  };
}

function decodePool(text: string): BookPool {
  const { id, vip, affinity, backends, owners: encoded } = poolSchema.parse(JSON.parse(text));
  const bytes = Buffer.from(encoded, 'base64');
  const slotCount = bytes.length / 2;
  if (slotCount < 2 || slotCount > 65_536 || (slotCount & (slotCount - 1)) !== 0)
    throw new Error(`${bytes.length} bytes are no table`);
  const owners = Uint16Array.from({ length: slotCount }, (_, slot) => bytes.readUInt16LE(2 * slot));
  const known = new Set([NO_BACKEND, ...backends.map((backend) => backend.id)]);
  const stranger = owners.find((owner) => !known.has(owner));
  if (stranger !== undefined) throw new Error(`a slot belongs to ${stranger}, who is not there`);
  return { id, vip, affinity, backends, owners };
}

function written<P extends { address: Address }>(place: P) {
  const { address } = place;
  return { ...place, address: typeof address === 'bigint' ? formatAddress(address) : address };
}

function parsedIpv6(text: string): bigint {
  const address = parseAddressText(text);
  if (typeof address !== 'bigint') throw new Error(`'${text}' is no IPv6 address`);
  return address;
}

function encodeOwners(owners: Uint16Array): string {
  const bytes = Buffer.alloc(2 * owners.length);
  for (const [slot, owner] of owners.entries()) bytes.writeUInt16LE(owner, 2 * slot);
  return bytes.toString('base64');
}
