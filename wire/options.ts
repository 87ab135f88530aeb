// SPDX-License-Identifier: Apache-2.0
/** The options of IPv4 (RFC 791, section 3.1) and of TCP (RFC 9293, section 3.2), which are built alike. */

import { requireBits, WireError } from './wire-error.ts';

export const tcpOptionKinds = {
  end: 0,
  noOperation: 1,
  maximumSegmentSize: 2,
  windowScale: 3,
  sackPermitted: 4,
  timestamps: 8,
  /** Which server the connection belongs to, four octets: Katran's, from the range that nobody has assigned. */
  serverId: 0xb7,
} as const;

export const ipv4OptionKinds = {
  end: 0,
  noOperation: 1,
  recordRoute: 7,
  timestamp: 68,
  looseSourceRoute: 131,
  strictSourceRoute: 137,
  routerAlert: 148,
} as const;

export const serverIdBytes = 4;
const optionsBytesMax = 40;

export interface HeaderOption {
  kind: number;
  /** What follows kind and length; empty for `noOperation`, which has neither. */
  data: Uint8Array;
}

/**
 * Reads up to the option "end", or to the last byte.
 *
 * @returns options whose data share memory with `bytes`
 * @throws WireError bad-length, with the place
 */
export function decodeOptions(bytes: Uint8Array): HeaderOption[] {
  const options: HeaderOption[] = [];
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes[at]!;
    if (kind === tcpOptionKinds.end) break;
    if (kind === tcpOptionKinds.noOperation) {
      options.push({ kind, data: bytes.subarray(at, at) });
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > bytes.length) {
      throw new WireError(
        'bad-length',
        `option ${kind} at byte ${at} of ${bytes.length} says ${length} bytes`,
      );
    }
    options.push({ kind, data: bytes.subarray(at + 2, at + length) });
    at += length;
  }
  return options;
}

/** @returns the options, filled up with "end" to a multiple of 4 bytes @throws WireError out-of-range, bad-length */
export function encodeOptions(options: readonly HeaderOption[]): Uint8Array {
  const bytes: number[] = [];
  for (const { kind, data } of options) {
    requireBits(kind, 8, 'the kind of an option');
    if (kind === tcpOptionKinds.noOperation) bytes.push(kind);
    else bytes.push(kind, data.length + 2, ...data);
  }
  while (bytes.length % 4 !== 0) bytes.push(tcpOptionKinds.end);
  if (bytes.length > optionsBytesMax) {
    throw new WireError(
      'bad-length',
      `${bytes.length} bytes of options, a header has room for ${optionsBytesMax}`,
    );
  }
  return Uint8Array.from(bytes);
}

/** The TCP option by which a client names its server. @throws WireError out-of-range */
export function serverIdOption(serverId: number): HeaderOption {
  requireBits(serverId, 32, 'the server id');
  const data = new Uint8Array(serverIdBytes);
  new DataView(data.buffer).setUint32(0, serverId);
  return { kind: tcpOptionKinds.serverId, data };
}

/** @returns the server that TCP options name; undefined when none, or when the option has another length */
export function serverIdOf(options: readonly HeaderOption[]): number | undefined {
  const data = options.find(({ kind }) => kind === tcpOptionKinds.serverId)?.data;
  if (data?.length !== serverIdBytes) return undefined;
  return new DataView(data.buffer, data.byteOffset).getUint32(0);
}
