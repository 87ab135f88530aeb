// SPDX-License-Identifier: Apache-2.0
/**
 * The scalars of the configuration file and of the command line, from text to value and back: addresses, networks,
 * endpoints, durations. Nothing throws; what is wrong comes back with what would be right.
 */
import {
  ADDRESS_BITS,
  familyOf,
  formatAddress,
  isInside,
  networkOf,
  parseAddressText,
} from '../core/address.ts';
import type { Address, MacAddress } from '../core/desired.ts';

/** `wrong` completes "this ...", `right` completes "expected ...". */
export type Parsed<T> = { value: T } | { wrong: string; right: string };

export interface Network {
  address: Address;
  prefixLength: number;
}

export interface Endpoint {
  address: Address;
  port: number;
}

/** A TCP address to listen on or connect to. The host is left to the resolver. */
export interface HostPort {
  host: string;
  port: number;
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** '10.0.0.1', '2001:db8::1'. */
export function parseAddress(input: unknown): Parsed<Address> {
  const right = 'an address such as 10.0.0.1 or 2001:db8::1';
  if (typeof input !== 'string') return { wrong: `${show(input)} is not an address`, right };
  const value = parseAddressText(input);
  return value === undefined ? { wrong: `'${input}' is not an address`, right } : { value };
}

/** '10.0.0.1/24', '2001:db8::1/64': an address and the length of its network's prefix. */
export function parseNetwork(input: unknown): Parsed<Network> {
  const right = 'an address with a prefix length, such as 10.0.0.1/24 or 2001:db8::1/64';
  if (typeof input !== 'string') return { wrong: `${show(input)} is not a network`, right };
  const [addressText, lengthText, rest] = input.split('/');
  const address = parseAddressText(addressText!);
  if (lengthText === undefined && address !== undefined)
    return { wrong: `'${input}' lacks its prefix length`, right };
  const prefixLength = integerOf(lengthText ?? '');
  const isNetwork =
    address !== undefined && prefixLength !== undefined && prefixLength <= ADDRESS_BITS[familyOf(address)];
  if (!isNetwork || rest !== undefined) return { wrong: `'${input}' is not a network`, right };
  return { value: { address, prefixLength } };
}

/** '02:00:00:00:00:01', unicast. */
export function parseMac(input: unknown): Parsed<MacAddress> {
  const right = 'a unicast MAC address such as 02:00:00:00:00:01, in quotes if it has digits only';
  if (typeof input !== 'string') return { wrong: `${show(input)} is not a MAC address`, right };
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(input))
    return { wrong: `'${input}' is not a MAC address`, right };
  const value = Number.parseInt(input.replaceAll(/[:-]/g, ''), 16);
  if (Number.parseInt(input.slice(0, 2), 16) & 1)
    return { wrong: `'${input}' is a group address, not one of a host`, right };
  if (value === 0) return { wrong: `'${input}' is nobody's address`, right };
  return { value };
}

/** The octets of a server id, in network order. */
export interface ServerIdText {
  value: bigint;
  octets: number;
}

/** '0a01': hexadecimal digits, two an octet, as they stand on the wire. */
export function parseServerId(input: unknown): Parsed<ServerIdText> {
  const right = `two hexadecimal digits an octet, such as '0a01', in quotes if it has digits only`;
  if (typeof input !== 'string') return { wrong: `${show(input)} is not a server id`, right };
  if (!/^([0-9a-f]{2}){1,8}$/i.test(input)) return { wrong: `'${input}' is not a server id`, right };
  return { value: { value: BigInt(`0x${input}`), octets: input.length / 2 } };
}

/** '15m', '900s', '1500ms', '1h': milliseconds. */
export function parseDuration(input: unknown): Parsed<number> {
  const right = 'a number with a unit (ms, s, m, h), such as 900s or 15m';
  if (typeof input === 'number') return { wrong: `${input} has no unit`, right };
  if (typeof input !== 'string') return { wrong: `${show(input)} is not a duration`, right };
  const [, digits, unit] = /^(\d+(?:\.\d+)?) ?(ms|s|m|h)$/.exec(input) ?? [];
  if (digits === undefined || unit === undefined) return { wrong: `'${input}' is not a duration`, right };
  return { value: Math.round(Number(digits) * unitMs[unit]!) };
}

/** '2026-05-01T12:00:00Z', or with an offset: milliseconds since 1970. Of a time without a zone nobody knows when it is. */
export function parseTime(input: unknown): Parsed<number> {
  const right = 'a time with its zone, such as 2026-05-01T12:00:00Z';
  if (typeof input !== 'string') return { wrong: `${show(input)} is not a time`, right };
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(input);
  const value = isTime ? Date.parse(input) : Number.NaN;
  return Number.isNaN(value) ? { wrong: `'${input}' is not a time`, right } : { value };
}

/** '2026-05-01T12:00:00Z': whole seconds, none too few. */
export function formatTime(time: Date): string {
  return new Date(Math.ceil(time.getTime() / 1_000) * 1_000).toISOString().replace('.000Z', 'Z');
}

/** '10.0.0.1:80', '[2001:db8::1]:80'. */
export function parseEndpoint(input: unknown): Parsed<Endpoint> {
  const right = 'ADDRESS:PORT, such as 10.0.0.1:80 or [2001:db8::1]:80';
  if (typeof input !== 'string') return { wrong: `${show(input)} is not an endpoint`, right };
  const [, ipv6, ipv4, portText] = /^(?:\[([0-9a-f:]+)\]|([\d.]+)):(\d+)$/i.exec(input) ?? [];
  const address = parseAddressText(ipv6 ?? ipv4 ?? '');
  const port = integerOf(portText ?? '');
  if (address === undefined || port === undefined || port < 1 || port > 65_535) {
    return { wrong: `'${input}' is not an endpoint`, right };
  }
  return { value: { address, port } };
}

/** '127.0.0.1:9559', 'switch-1:9559', '[::1]:9559'. */
export function parseHostPort(input: unknown): Parsed<HostPort> {
  const right = 'HOST:PORT, such as 127.0.0.1:9559';
  if (typeof input !== 'string') return { wrong: `${show(input)} is not HOST:PORT`, right };
  const [, bracketed, plain, portText] = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]]+)):(\d+)$/i.exec(input) ?? [];
  const host = bracketed ?? plain;
  const port = integerOf(portText ?? '');
  if (host === undefined || port === undefined || port > 65_535)
    return { wrong: `'${input}' is not HOST:PORT`, right };
  return { value: { host, port } };
}

export function formatNetwork(network: Network): string {
  return `${formatAddress(network.address)}/${network.prefixLength}`;
}

export function formatMac(address: MacAddress): string {
  return address.toString(16).padStart(12, '0').match(/../g)!.join(':');
}

export function formatHostPort({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The largest unit that leaves no fraction: 900_000 is '15m'. */
export function formatDuration(ms: number): string {
  const unit = ['h', 'm', 's'].find((candidate) => ms > 0 && ms % unitMs[candidate]! === 0) ?? 'ms';
  return `${ms / unitMs[unit]!}${unit}`;
}

/** The network without the bits behind its prefix. */
export function wholeNetwork({ address, prefixLength }: Network): Network {
  return { address: networkOf(address, prefixLength), prefixLength };
}

export function contains(network: Network, address: Address): boolean {
  return isInside(address, network.address, network.prefixLength);
}

/** How a wrong value is called in a sentence. */
export function show(input: unknown): string {
  if (input === undefined || input === null) return 'nothing';
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'object') return 'a mapping';
  return typeof input === 'string' ? `'${input}'` : String(input);
}

function integerOf(text: string): number | undefined {
  return /^(0|[1-9]\d{0,8})$/.test(text) ? Number(text) : undefined;
}
