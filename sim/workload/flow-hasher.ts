// SPDX-License-Identifier: Apache-2.0
/** controller/core/flow-hash.ts for millions of flows to one vip: the same two checksums, and nothing allocated. */

import type { Ipv4Address } from '../../controller/core/desired.ts';

export interface Vip {
  address: Ipv4Address;
  /** IP protocol number. */
  protocol: number;
  port: number;
}

const CRC32_TABLE = crcTable(0xedb88320);
const CRC16_TABLE = crcTable(0xa001);

export class FlowHasher {
  /** Of the flow last hashed. */
  crc32 = 0;
  crc16 = 0;
  /** {source address, vip address, protocol, source port, vip port} in network order. */
  readonly #bytes = new Uint8Array(13);

  constructor(vip: Vip) {
    this.#set32(4, vip.address);
    this.#bytes[8] = vip.protocol;
    this.#set16(11, vip.port);
  }

  hash(sourceAddress: Ipv4Address, sourcePort: number): void {
    this.#set32(0, sourceAddress);
    this.#set16(9, sourcePort);
    let crc32 = 0xffffffff;
    let crc16 = 0;
    for (let i = 0; i < 13; i++) {
      const byte = this.#bytes[i]!;
      crc32 = CRC32_TABLE[(crc32 ^ byte) & 0xff]! ^ (crc32 >>> 8);
      crc16 = CRC16_TABLE[(crc16 ^ byte) & 0xff]! ^ (crc16 >>> 8);
    }
    this.crc32 = ~crc32 >>> 0;
    this.crc16 = crc16;
  }

  #set32(at: number, value: number): void {
    this.#set16(at, value >>> 16);
    this.#set16(at + 2, value & 0xffff);
  }

  #set16(at: number, value: number): void {
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value & 0xff;
  }
}

/** Reflected, one byte at a time. */
function crcTable(reflectedPolynomial: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ reflectedPolynomial : crc >>> 1;
    return crc | 0;
  });
}
