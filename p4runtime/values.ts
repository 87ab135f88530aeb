// SPDX-License-Identifier: Apache-2.0
/**
 * Values on the wire: P4Runtime's canonical byte strings (network order, no leading zero bytes, zero is one
 * byte 00) to and from numbers and addresses.
 */
import { P4RuntimeError } from './p4runtime-error.ts';

/** A value as a caller may write it. Strings are decimal, 0x..., or an address of the field's width. */
export type FieldValue = number | bigint | string | Uint8Array;

/** Values of up to this many bits are read as number, wider ones as bigint. Bit operators work up to here. */
export const numberBits = 32;

// A table of 65,536 slots repeats the same small numbers all over; allocating each would cost half the time.
const cachedValueCount = 65_536;
const cachedValues: Uint8Array[] = [];

/**
 * Encodes a value canonically. The bytes may be shared with other callers: do not write to them.
 *
 * @param bitwidth  width of the field; 0 means the field is a string (sdn_string) and has no width
 * @param what  names the field in errors, such as `vip.address`
 * @throws P4RuntimeError 'bad-value' when the value does not fit
 */
export function encodeValue(value: FieldValue, bitwidth: number, what = 'value'): Uint8Array {
  if (bitwidth === 0) return encodeString(value, what);
  switch (typeof value) {
    case 'number':
      return encodeNumber(value, bitwidth, what);
    case 'bigint':
      return encodeBigint(value, bitwidth, what);
    case 'string':
      return encodeBigint(parseValue(value, bitwidth, what), bitwidth, what);
    default:
      return encodeBytes(value, bitwidth, what);
  }
}

/** Reads a byte string, canonical or padded: a number up to 32 bits of width, else a bigint. */
export function decodeValue(bytes: Uint8Array, bitwidth: number): number | bigint {
  return bitwidth <= numberBits ? decodeNumber(bytes) : decodeBigint(bytes);
}

/** Reads an unsigned value that must be a safe integer. */
export function decodeNumber(bytes: Uint8Array): number {
  let value = 0;
  for (let i = 0; i < bytes.length; i++) value = value * 256 + bytes[i]!;
  if (value > Number.MAX_SAFE_INTEGER) throw badValue(`0x${hexOf(bytes)} is too large for a number`);
  return value;
}

export function decodeBigint(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${hexOf(bytes)}`);
}

/** Drops leading zero bytes, and makes an empty string the zero it means to lenient servers. */
export function canonicalBytes(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  if (bytes.length === 0) return new Uint8Array(1);
  return start === 0 ? bytes : bytes.subarray(start);
}

/** Fills up with zero bytes on the left, to the byte length of a field. */
export function paddedBytes(bytes: Uint8Array, bitwidth: number): Uint8Array {
  const padded = new Uint8Array(Math.ceil(bitwidth / 8));
  padded.set(bytes, padded.length - bytes.length);
  return padded;
}

/** '10.0.0.1' as a number of 32 bits. */
export function ipv4(text: string): number {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) {
    throw badValue(`'${text}' is not an IPv4 address; write it as 10.0.0.1`);
  }
  return parts.reduce((value, part) => value * 256 + Number(part), 0);
}

/** A number of 32 bits as '10.0.0.1'. */
export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** '00:11:22:33:44:55' as a bigint of 48 bits. */
export function mac(text: string): bigint {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) {
    throw badValue(`'${text}' is not a MAC address; write it as 00:11:22:33:44:55`);
  }
  return BigInt(`0x${text.replaceAll(/[:-]/g, '')}`);
}

/** A bigint of 48 bits as '00:11:22:33:44:55'. */
export function formatMac(address: bigint | number): string {
  return address.toString(16).padStart(12, '0').match(/../g)!.join(':');
}

/** '2001:db8::1' as a bigint of 128 bits. The last 32 bits may be written as an IPv4 address. */
export function ipv6(text: string): bigint {
  const bad = () => badValue(`'${text}' is not an IPv6 address; write it as 2001:db8::1`);
  const halves = text.split('::');
  if (halves.length > 2) throw bad();
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':').flatMap(groupsOf)));
  const missing = 8 - head!.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) throw bad();
  const groups = [...head!, ...Array<string>(missing).fill('0'), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) throw bad();
  return BigInt(`0x${groups.map((group) => group.padStart(4, '0')).join('')}`);

  function groupsOf(group: string): string[] {
    if (!group.includes('.')) return [group];
    const low = ipv4(group);
    return [(low >>> 16).toString(16), (low & 0xffff).toString(16)];
  }
}

/** A bigint of 128 bits in the form of RFC 5952: lower case, the longest run of zero groups as '::'. */
export function formatIpv6(address: bigint): string {
  const groups = address
    .toString(16)
    .padStart(32, '0')
    .match(/..../g)!
    .map((group) => Number.parseInt(group, 16).toString(16));
  let longest = { start: 0, length: 0 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === '0') length++;
    if (length > longest.length) longest = { start, length };
  }
  if (longest.length < 2) return groups.join(':');
  const head = groups.slice(0, longest.start).join(':');
  const tail = groups.slice(longest.start + longest.length).join(':');
  return `${head}::${tail}`;
}

function encodeNumber(value: number, bitwidth: number, what: string): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw badValue(`${what}: ${value} is not an unsigned integer`);
  }
  if (bitwidth < 53 && value >= 2 ** bitwidth) throw tooWide(value, bitwidth, what);
  return value < cachedValueCount ? (cachedValues[value] ??= bytesOfNumber(value)) : bytesOfNumber(value);
}

function bytesOfNumber(value: number): Uint8Array {
  let length = 1;
  for (let rest = value; rest >= 256; rest = Math.floor(rest / 256)) length++;
  const bytes = new Uint8Array(length);
  for (let i = length - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  return bytes;
}

function encodeBigint(value: bigint, bitwidth: number, what: string): Uint8Array {
  if (value < 0n) throw badValue(`${what}: ${value} is not an unsigned integer`);
  if (value >> BigInt(bitwidth) !== 0n) throw tooWide(value, bitwidth, what);
  const digits = value.toString(16);
  return Uint8Array.from(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex'));
}

function encodeBytes(value: Uint8Array, bitwidth: number, what: string): Uint8Array {
  const bytes = canonicalBytes(value);
  const bits = (bytes.length - 1) * 8 + (32 - Math.clz32(bytes[0]!));
  if (bits > bitwidth) throw tooWide(`0x${hexOf(bytes)}`, bitwidth, what);
  return bytes;
}

function encodeString(value: FieldValue, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return new TextEncoder().encode(value);
  throw badValue(`${what}: ${value} is a number, but the field holds a string`);
}

function parseValue(text: string, bitwidth: number, what: string): bigint {
  if (/^(\d+|0x[0-9a-f]+)$/i.test(text)) return BigInt(text);
  if (bitwidth === 32 && text.includes('.')) return BigInt(ipv4(text));
  if (bitwidth === 48 && /[:-]/.test(text)) return mac(text);
  if (bitwidth === 128 && text.includes(':')) return ipv6(text);
  throw badValue(
    `${what}: '${text}' is not a number, nor an address of ${bitwidth} bits ` +
      '(IPv4 has 32, MAC 48, IPv6 128; hexadecimal numbers start with 0x)',
  );
}

const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

function tooWide(value: number | bigint | string, bitwidth: number, what: string): P4RuntimeError {
  const most = 2n ** BigInt(bitwidth) - 1n;
  return badValue(`${what}: ${value} does not fit in ${bitwidth} bits (at most ${most})`);
}

function badValue(message: string): P4RuntimeError {
  return new P4RuntimeError('bad-value', { message });
}
