// SPDX-License-Identifier: Apache-2.0
/** Values as people write them: addresses with dots and colons, small numbers in decimal, the rest in hexadecimal. */

/** Wider numbers are bit patterns to most people. */
const decimalBitsMax = 16;
const decimalMax = 100_000n;

/** @param value  "0x1f", or plain bytes of a varbit field */
export function valueText(name: string, width: number, value: string): string {
  if (!value.startsWith('0x')) return value === '' ? '(empty)' : value;
  const number = BigInt(value);
  if (width === 48 && !/time/i.test(name)) return colons(number);
  if (width === 32 && /addr|prefix|hop|(^|[._])(ip|ipv4)($|_)/i.test(lastPart(name))) return dots(number);
  if (width === 128) return groups(number);
  if (/type|flags|mask|checksum|proto_?type|crc|hash|digest/i.test(name) && number > 9n) return hex(number);
  if (width <= decimalBitsMax || number < decimalMax || /time/i.test(name)) return String(number);
  return hex(number);
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function colons(value: bigint): string {
  return value
    .toString(16)
    .padStart(12, '0')
    .replace(/..(?=.)/g, '$&:');
}

function dots(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
}

/** IPv6, its longest run of zero groups left out. */
function groups(value: bigint): string {
  const text = Array.from({ length: 8 }, (_, index) =>
    ((value >> BigInt(16 * (7 - index))) & 0xffffn).toString(16),
  );
  const runs = [...` ${text.join(' ')} `.matchAll(/(?: 0)(?: 0)+(?= )/g)].sort(
    (a, b) => b[0].length - a[0].length,
  );
  const longest = runs[0];
  if (!longest) return text.join(':');
  const before = ` ${text.join(' ')}`.slice(0, longest.index).trim().replaceAll(' ', ':');
  const after = ` ${text.join(' ')}`
    .slice(longest.index + longest[0].length)
    .trim()
    .replaceAll(' ', ':');
  return `${before}::${after}`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
