// SPDX-License-Identifier: Apache-2.0
/** A SYN flood: opening packets from addresses that do not exist, so that no handshake is ever answered. */

import { parseIpv4, parseMac } from '../wire/address.ts';
import { encodeEthernet, etherTypes } from '../wire/ethernet.ts';
import { encodeIpv4, ipv4Defaults, protocols } from '../wire/ipv4.ts';
import { encodeTcp, tcpDefaults, tcpFlags } from '../wire/tcp.ts';
import { client, floodNetwork, vip } from './layout.ts';
import { seededRandom } from './random.ts';

const burstMs = 20;

/**
 * Sends evenly, in small bursts: a real switch drops what comes all at once.
 *
 * @returns when it is over: how many frames were sent
 */
export function flood(
  options: { framesPerSecond: number; forMs: number; seed: number; isWanted?: Aim | undefined },
  send: (frames: readonly Uint8Array[]) => void,
): Promise<number> {
  const nextFrame = synFrames(options.seed, options.isWanted);
  const startedAt = Date.now();
  let sent = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const elapsedMs = Math.min(Date.now() - startedAt, options.forMs);
      const due = Math.floor((elapsedMs * options.framesPerSecond) / 1_000) - sent;
      // A late timer catches up slowly.
      const count = Math.min(due, Math.ceil((options.framesPerSecond * burstMs * 3) / 1_000));
      send(Array.from({ length: count }, nextFrame));
      sent += count;
      if (Date.now() - startedAt < options.forMs) return;
      clearInterval(timer);
      resolve(sent);
    }, burstMs);
  });
}

/** Whether a SYN from there is worth sending. */
export type Aim = (sourceAddress: number, sourcePort: number) => boolean;

/** Somebody whose aim is never met sends anything rather than nothing. */
const triesMax = 1_000;

/** @returns a function that makes the next SYN, from an address and port chosen by the dice among those wanted */
export function synFrames(seed: number, isWanted: Aim = () => true): () => Uint8Array {
  const random = seededRandom(seed);
  const network = parseIpv4(floodNetwork.address);
  const target = parseIpv4(vip.address);
  return () => {
    let source = 0;
    let sourcePort = 0;
    for (let tries = 0; tries < triesMax; tries++) {
      source = (network | (random.next() >>> floodNetwork.prefixLength)) >>> 0;
      sourcePort = random.between(1_024, 65_535);
      if (isWanted(source, sourcePort)) break;
    }
    const segment = encodeTcp(
      {
        ...tcpDefaults,
        sourcePort,
        targetPort: vip.port,
        sequence: random.next(),
        acknowledgement: 0,
        flags: tcpFlags.syn,
      },
      { source, target },
    );
    const packet = encodeIpv4({ ...ipv4Defaults, protocol: protocols.tcp, source, target, payload: segment });
    return encodeEthernet({
      targetMac: parseMac(client.gatewayMac),
      sourceMac: parseMac(client.mac),
      etherType: etherTypes.ipv4,
      payload: packet,
    });
  };
}

export function isFloodSource(address: number): boolean {
  const hostBits = 32 - floodNetwork.prefixLength;
  return address >>> hostBits === parseIpv4(floodNetwork.address) >>> hostBits;
}
