// SPDX-License-Identifier: Apache-2.0
/**
 * Connection ids that name a server, in plain text. A server issues them, its clients send them back, and whoever
 * forwards the packets finds the server without having seen the connection begin.
 *
 *   quic-lb     | 3 config | 5 length - 1 | server id, 1..15 octets | nonce, at least 4 octets
 *   katran-v1   | 01 | 16 server id | anything
 *   katran-v2   | 10 | 6 anything | 24 server id | anything
 *   katran-v3   | 11 | 6 anything | 32 server id | anything
 *
 * Sources: draft-ietf-quic-load-balancers-21, sections 3 and 5.2; Katran's way of reading (katran/lib/bpf, parse_quic).
 */

import { connectionIdBytesMax } from './quic.ts';
import { requireBigBits, requireBits, WireError } from './wire-error.ts';

export type ConnectionIdLayout =
  | {
      kind: 'quic-lb';
      /** 0..6; 7 says "not routable". */
      configId: number;
      serverIdBytes: number;
      /** Of the whole id. */
      bytes: number;
    }
  | { kind: 'katran-v1' | 'katran-v2' | 'katran-v3'; bytes: number };

/** Katran reads no connection id that is shorter. */
export const katranBytesMin = 8;
const configIdUnroutable = 7;
const nonceBytesMin = 4;

/** Where the id's bits stand that say whose it is: `value` in the bits of `mask` of its first 64 bits. */
export interface ConnectionIdPattern {
  value: bigint;
  mask: bigint;
}

interface Field {
  /** What the first bits must be. */
  tag: bigint;
  tagBits: number;
  /** Bits before the server id, the tag included. */
  offset: number;
  bits: number;
}

/**
 * @param noise  fills what names nobody, from its end; a server takes random bytes
 * @throws WireError out-of-range, bad-length (a layout that contradicts itself)
 */
export function encodeConnectionId(layout: ConnectionIdLayout, serverId: bigint, noise: bigint): Uint8Array {
  const { tag, tagBits, offset, bits } = fieldOf(layout);
  requireBigBits(serverId, bits, 'the server id');
  const total = layout.bytes * 8;
  const server = ones(bits, total - offset);
  const free = ones(total, total) & ~(ones(tagBits, total) | server);
  const number =
    (tag << BigInt(total - tagBits)) | (serverId << BigInt(total - offset - bits)) | (noise & free);
  const id = Uint8Array.from({ length: layout.bytes }, (_, i) =>
    Number((number >> BigInt(total - 8 - 8 * i)) & 0xffn),
  );
  // The draft leaves it to the server whether an id tells its length; ours do.
  if (layout.kind === 'quic-lb') id[0] = (id[0]! & 0xe0) | (layout.bytes - 1);
  return id;
}

/** @returns the server; undefined when the id is too short or belongs to another layout @throws WireError bad-length */
export function serverIdOfConnection(layout: ConnectionIdLayout, id: Uint8Array): bigint | undefined {
  const { tag, tagBits, offset, bits } = fieldOf(layout);
  if (id.length * 8 < offset + bits || id.length < (layout.kind === 'quic-lb' ? 1 : katranBytesMin))
    return undefined;
  const number = id.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const total = id.length * 8;
  if (number >> BigInt(total - tagBits) !== tag) return undefined;
  return (number >> BigInt(total - offset - bits)) & ones(bits, bits);
}

/**
 * What the first 8 octets of a connection id of this server look like; a match-action table asks no more.
 * The length in the first octet of QUIC-LB is left open: an id names its server whether or not it describes its length.
 *
 * @throws WireError out-of-range, bad-length (also: the server id lies beyond the 64 bits)
 */
export function patternOf(layout: ConnectionIdLayout, serverId: bigint): ConnectionIdPattern {
  const { tag, tagBits, offset, bits } = fieldOf(layout);
  requireBigBits(serverId, bits, 'the server id');
  if (offset + bits > 64) {
    throw new WireError('bad-length', `a server id of ${bits} bits ends beyond the first 8 octets`);
  }
  return {
    value: (tag << BigInt(64 - tagBits)) | (serverId << BigInt(64 - offset - bits)),
    mask: ones(tagBits, 64) | ones(bits, 64 - offset),
  };
}

/** `count` ones, of which the highest is bit `end` - 1. */
function ones(count: number, end: number): bigint {
  return ((1n << BigInt(count)) - 1n) << BigInt(end - count);
}

function fieldOf(layout: ConnectionIdLayout): Field {
  requireBits(layout.bytes, 8, 'the length of a connection id');
  const least = layout.kind === 'quic-lb' ? 1 + layout.serverIdBytes + nonceBytesMin : katranBytesMin;
  if (layout.bytes < least || layout.bytes > connectionIdBytesMax) {
    throw new WireError(
      'bad-length',
      `${layout.kind}: ${layout.bytes} bytes, not ${least}..${connectionIdBytesMax}`,
    );
  }
  switch (layout.kind) {
    case 'quic-lb': {
      if (layout.configId < 0 || layout.configId >= configIdUnroutable) {
        throw new WireError('out-of-range', `the config id is 0..6, it is ${layout.configId}`);
      }
      if (layout.serverIdBytes < 1 || layout.serverIdBytes > 15) {
        throw new WireError('out-of-range', `a server id has 1..15 octets, not ${layout.serverIdBytes}`);
      }
      return { tag: BigInt(layout.configId), tagBits: 3, offset: 8, bits: layout.serverIdBytes * 8 };
    }
    case 'katran-v1':
      return { tag: 1n, tagBits: 2, offset: 2, bits: 16 };
    case 'katran-v2':
      return { tag: 2n, tagBits: 2, offset: 8, bits: 24 };
    case 'katran-v3':
      return { tag: 3n, tagBits: 2, offset: 8, bits: 32 };
  }
}
