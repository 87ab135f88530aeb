// SPDX-License-Identifier: Apache-2.0
/** What must not become worse of a frame on its way through the balancer, as another decoder reads it. */
import { ethernetHeaderBytes, etherTypes } from '../../wire/ethernet.ts';
import { ipv6HeaderBytes } from '../../wire/ipv6.ts';
import type { Forwarding } from '../packets/mutants.ts';
import { checksumProtocols, type Reading } from './tshark.ts';

export interface Passage {
  arrived: Uint8Array;
  left: Uint8Array;
  /** Made by the balancer itself, to where the frame came from. */
  isAnswer: boolean;
  forwarding: Forwarding;
}

export interface Fault {
  what: string;
  forwarding: string;
  arrived: string;
  left: string;
}

export function nameOf(forwarding: Forwarding): string {
  return 'outer' in forwarding ? `${forwarding.kind} over ${forwarding.outer}` : forwarding.kind;
}

type Read = (frames: readonly Uint8Array[]) => Promise<Reading[]>;

const [wrong, right] = [0, 1];
const ipv4HeaderBytes = 20;
const udpHeaderBytes = 8;
const gueHeaderBytes = 4;
const tunnelBytes = { ipip: 0, gre: 4, gue: udpHeaderBytes + gueHeaderBytes };
/** Of the tunnel sources of the lab: 10.9.0.0/16 and 2001:db8:9::/112. */
const tunnelSources = { ipv4: [10, 9], ipv6: [0x20, 1, 0x0d, 0xb8, 0, 9] };
const echoReplies = [0, 129];

export async function faultsOf(passages: readonly Passage[], read: Read): Promise<Fault[]> {
  const arrived = await read(passages.map((passage) => passage.arrived));
  const left = await read(passages.map((passage) => passage.left));
  // tshark knows no GUE: what is inside is shown to it as a frame of its own.
  const insides = passages.flatMap((passage, index) => {
    const inside = insideOfGue(passage);
    return inside === undefined ? [] : [{ index, inside }];
  });
  const readings = await read(insides.map(({ inside }) => inside));
  const inGue = new Map(insides.map(({ index }, i) => [index, readings[i]!]));
  return passages.flatMap((passage, i) =>
    wordsOf(passage, arrived[i]!, left[i]!, inGue.get(i)).map((what) => ({
      what,
      forwarding: nameOf(passage.forwarding),
      arrived: Buffer.from(passage.arrived).toString('hex'),
      left: Buffer.from(passage.left).toString('hex'),
    })),
  );
}

function wordsOf(passage: Passage, arrived: Reading, outside: Reading, inGue: Reading | undefined): string[] {
  const faults: string[] = [];
  const left = inGue === undefined ? outside : joined(outside, inGue);
  // A quotation is no better than what it quotes.
  const isQuotation = left.icmpTypes.length > 0 || !passage.isAnswer;
  const unsound = isUnsound(passage.arrived, arrived);
  if (left.isMalformed && !(isQuotation && unsound)) faults.push('malformed');
  // An echo reply takes over what is wrong about the request.
  const isNew = passage.isAnswer && !left.icmpTypes.some((type) => echoReplies.includes(type));
  for (const protocol of checksumProtocols) {
    const count = (reading: Reading, status: number) =>
      reading.checksums[protocol].filter((one) => one === status).length;
    // tshark verifies a quoted UDP checksum where UDP says that the quotation is all there is.
    if (protocol === 'udp' && isQuotation && passage.isAnswer && unsound) continue;
    if (count(left, wrong) > (isNew ? 0 : count(arrived, wrong))) faults.push(`wrong ${protocol} checksum`);
    if (!passage.isAnswer && count(left, right) < count(arrived, right))
      faults.push(`${protocol} checksum no longer right`);
  }
  return unsound ? faults : [...faults, ...lengthFaults(passage, outside, inGue)];
}

/**
 * Less is there than the IP header says, or UDP says another length; tshark calls that malformed only where something else is
 * missing, too.
 */
function isUnsound(frame: Uint8Array, reading: Reading): boolean {
  const { isMalformed, ipv4Bytes, ipv6PayloadBytes, udpBytes } = reading;
  const isIpv4 = isIpv4Frame(frame);
  const payloadBytes = isIpv4 ? (ipv4Bytes[0] ?? 0) - ipv4HeaderBytes : (ipv6PayloadBytes[0] ?? 0);
  const headerBytes = isIpv4 ? ipv4HeaderBytes : ipv6HeaderBytes;
  const isCut = ethernetHeaderBytes + headerBytes + payloadBytes > frame.length;
  return isMalformed || isCut || (udpBytes[0] ?? payloadBytes) !== payloadBytes;
}

function isIpv4Frame(frame: Uint8Array): boolean {
  return ((frame[12]! << 8) | frame[13]!) === etherTypes.ipv4;
}

function joined(outside: Reading, inside: Reading): Reading {
  const checksums = checksumProtocols.map((protocol) => [
    protocol,
    [...outside.checksums[protocol], ...inside.checksums[protocol]],
  ]);
  return {
    ...outside,
    isMalformed: outside.isMalformed || inside.isMalformed,
    checksums: Object.fromEntries(checksums),
  };
}

/** What the outer headers say must be what the inner ones say, and what they themselves add. */
function lengthFaults(passage: Passage, outside: Reading, inGue: Reading | undefined): string[] {
  const { forwarding } = passage;
  if (!('outer' in forwarding) || !isTunnelled(passage)) return [];
  const [outerBytes, inner] =
    forwarding.outer === 'ipv4'
      ? [outside.ipv4Bytes[0]!, { ...outside, ipv4Bytes: outside.ipv4Bytes.slice(1) }]
      : [
          ipv6HeaderBytes + outside.ipv6PayloadBytes[0]!,
          { ...outside, ipv6PayloadBytes: outside.ipv6PayloadBytes.slice(1) },
        ];
  const { ipv4Bytes, ipv6PayloadBytes } = inGue ?? inner;
  const innerBytes = isIpv4Frame(passage.arrived) ? ipv4Bytes[0]! : ipv6HeaderBytes + ipv6PayloadBytes[0]!;
  const headerBytes = forwarding.outer === 'ipv4' ? ipv4HeaderBytes : ipv6HeaderBytes;
  const added = headerBytes + tunnelBytes[forwarding.kind];
  const faults: string[] = [];
  if (outerBytes !== innerBytes + added)
    faults.push(`${outerBytes} octets around ${innerBytes}, not ${added} more`);
  if (forwarding.kind === 'gue' && outside.udpBytes[0] !== outerBytes - headerBytes)
    faults.push(`UDP says ${outside.udpBytes[0]} octets in ${outerBytes}`);
  if (passage.left.length !== passage.arrived.length + added)
    faults.push(`the frame has ${passage.left.length - passage.arrived.length} octets more, not ${added}`);
  return faults;
}

function isTunnelled({ left, isAnswer, forwarding }: Passage): boolean {
  if (isAnswer || !('outer' in forwarding)) return false;
  const at = ethernetHeaderBytes + (forwarding.outer === 'ipv4' ? 12 : 8);
  const version = left[ethernetHeaderBytes]! >>> 4;
  if (version !== (forwarding.outer === 'ipv4' ? 4 : 6)) return false;
  return tunnelSources[forwarding.outer].every((octet, i) => left[at + i] === octet);
}

function insideOfGue(passage: Passage): Uint8Array | undefined {
  const { left, arrived, forwarding } = passage;
  if (forwarding.kind !== 'gue' || !isTunnelled(passage)) return undefined;
  const headerBytes = forwarding.outer === 'ipv4' ? ipv4HeaderBytes : ipv6HeaderBytes;
  const at = ethernetHeaderBytes + headerBytes + tunnelBytes.gue;
  return Buffer.concat([left.subarray(0, 12), arrived.subarray(12, 14), left.subarray(at)]);
}
