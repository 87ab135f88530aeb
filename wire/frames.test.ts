// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { broadcastMac, parseIpv4 } from './address.ts';
import { arpOperations, decodeArp, encodeArp } from './arp.ts';
import { decodeEthernet, encodeEthernet, etherTypes } from './ethernet.ts';
import { answerArp, encodeTcpFrame } from './frames.ts';
import { decodeIpv4 } from './ipv4.ts';
import { decodeIpv6 } from './ipv6.ts';
import { decodeTcp, tcpFlags } from './tcp.ts';

const macs = { sourceMac: 0x0200_0000_0001, targetMac: 0x0200_0000_0002 };
const syn = { sourcePort: 1234, targetPort: 80, flags: tcpFlags.syn };

it('a TCP frame has the family of its addresses', () => {
  const way = { source: parseIpv4('10.0.0.1'), target: parseIpv4('10.0.0.2'), ...macs };
  const frame = decodeEthernet(encodeTcpFrame(syn, way));
  expect(frame).toMatchObject({ ...macs, etherType: etherTypes.ipv4 });
  const packet = decodeIpv4(frame.payload);
  expect(packet).toMatchObject({ source: way.source, target: way.target });
  expect(decodeTcp(packet.payload, packet)).toMatchObject(syn);

  const way6 = { source: 1n, target: 2n, ...macs };
  const frame6 = decodeEthernet(encodeTcpFrame({ ...syn, payload: Uint8Array.of(7) }, way6));
  expect(frame6.etherType).toBe(etherTypes.ipv6);
  const packet6 = decodeIpv6(frame6.payload);
  expect(packet6).toMatchObject({ source: 1n, target: 2n });
  expect(decodeTcp(packet6.payload, packet6).payload).toEqual(Uint8Array.of(7));
});

it('who is asked for by ARP answers to who asked', () => {
  const [asker, asked] = [parseIpv4('10.0.0.1'), parseIpv4('10.0.0.9')];
  const question = encodeEthernet({
    targetMac: broadcastMac,
    sourceMac: macs.sourceMac,
    etherType: etherTypes.arp,
    payload: encodeArp({
      operation: arpOperations.request,
      senderMac: macs.sourceMac,
      senderAddress: asker,
      targetMac: 0,
      targetAddress: asked,
    }),
  });
  const answer = decodeEthernet(answerArp(question, (address) => 0x0200_0000_0000 + (address & 0xff))!);
  expect(answer).toMatchObject({ targetMac: macs.sourceMac, sourceMac: 0x0200_0000_0009 });
  expect(decodeArp(answer.payload)).toEqual({
    operation: arpOperations.reply,
    senderMac: 0x0200_0000_0009,
    senderAddress: asked,
    targetMac: macs.sourceMac,
    targetAddress: asker,
  });
  const other = encodeTcpFrame(syn, { source: asker, target: asked, ...macs });
  expect(answerArp(other, () => 0)).toBeUndefined();
});
