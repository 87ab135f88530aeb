// SPDX-License-Identifier: Apache-2.0
/**
 * What goes no further is counted by its reason, and what comes back about a flow reaches who serves it. Frames are laid on
 * the router's link to the switch as they are.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pause } from '../../../demo/programs.ts';
import { parseIpv4, parseIpv6, parseMac } from '../../../wire/address.ts';
import { encodeEthernet, etherTypes } from '../../../wire/ethernet.ts';
import { encodeIcmp, encodeIcmpv6, fragmentationNeeded, packetTooBig } from '../../../wire/icmp.ts';
import { encodeIpv4, type Ipv4Packet, ipv4Defaults, protocols } from '../../../wire/ipv4.ts';
import {
  encodeIpv6,
  extensionKinds,
  type Ipv6Packet,
  ipv6Defaults,
  paddingExtension,
} from '../../../wire/ipv6.ts';
import { encodeOptions, ipv4OptionKinds } from '../../../wire/options.ts';
import { encodeTcp, tcpDefaults, tcpFlags } from '../../../wire/tcp.ts';
import { encodeUdp } from '../../../wire/udp.ts';
import { type L4Lab, l4Targets, startL4Lab } from './l4-lab.ts';
import { client, isIpv6, servers, udpPort, type Vip } from './layout.ts';

const startTimeoutMs = 120_000;
const testTimeoutMs = 180_000;
const readsMax = 100;
const readPauseMs = 30;
const patience = { timeout: 60_000, interval: 500 };

const udp = { protocol: 'udp', port: udpPort } as const;
const vips: readonly Vip[] = [
  { ...udp, name: 'nat-4', address: '10.0.1.101', forwarding: 'nat', via: 'ipv4' },
  { ...udp, name: 'nat-6', address: 'fd00:1::101', forwarding: 'nat', via: 'ipv6' },
  { ...udp, name: 'dsr-4', address: '10.0.1.161', forwarding: 'l2_dsr', via: 'ipv4' },
  { ...udp, name: 'gue-6', address: 'fd00:1::1:61', forwarding: 'gue', via: 'ipv4' },
];

const around = { source: parseIpv4(client.addresses[0]), target: parseIpv4('10.0.1.101') };
const around6 = { source: parseIpv6(client.addresses6[0]), target: parseIpv6('fd00:1::101') };
const query = { sourcePort: 5000, targetPort: udpPort, isChecksummed: true, payload: new Uint8Array(20) };
const syn = {
  ...tcpDefaults,
  sourcePort: 5000,
  targetPort: 999,
  sequence: 1,
  acknowledgement: 0,
  flags: tcpFlags.syn,
};

const frame = (etherType: number, payload: Uint8Array) =>
  encodeEthernet({
    sourceMac: 0x02_00_00_00_00_99,
    targetMac: parseMac('02:00:00:00:00:01'),
    etherType,
    payload,
  });
function frame4(change: Partial<Ipv4Packet>): Uint8Array {
  const addresses = { ...around, ...change };
  const packet = {
    ...ipv4Defaults,
    ...around,
    protocol: protocols.udp,
    payload: encodeUdp(query, addresses),
  };
  return frame(etherTypes.ipv4, encodeIpv4({ ...packet, ...change }));
}
function frame6(change: Partial<Ipv6Packet>): Uint8Array {
  const addresses = { ...around6, ...change };
  const packet = {
    ...ipv6Defaults,
    ...around6,
    protocol: protocols.udp,
    payload: encodeUdp(query, addresses),
  };
  return frame(etherTypes.ipv6, encodeIpv6({ ...packet, ...change }));
}
/** The beginning of a packet that no vip has sent. */
const quoted = encodeIpv4({
  ...ipv4Defaults,
  source: around.target,
  target: around.source,
  protocol: protocols.udp,
  payload: encodeUdp({ ...query, sourcePort: 7777 }, around),
}).subarray(0, 28);
const quoted6 = encodeIpv6({
  ...ipv6Defaults,
  source: around6.target,
  target: around6.source,
  protocol: protocols.udp,
  payload: encodeUdp({ ...query, sourcePort: 7777 }, around6),
}).subarray(0, 48);
const damaged = frame4({});
damaged[14 + 8]! ^= 1;
const routerAlert = encodeOptions([{ kind: ipv4OptionKinds.routerAlert, data: new Uint8Array(2) }]);

const frames: [what: string, reason: string, frame: Uint8Array][] = [
  ['a damaged IPv4 header', 'bad_checksum', damaged],
  ['a packet from a multicast address', 'martian', frame4({ source: parseIpv4('224.0.0.5') })],
  ['a packet from loopback', 'martian', frame4({ source: parseIpv4('127.0.0.1') })],
  ['a packet from a multicast address of IPv6', 'martian', frame6({ source: parseIpv6('ff02::5') })],
  ['a packet to a vip from another vip', 'own_source', frame4({ source: parseIpv4('10.0.1.161') })],
  ['a packet to a vip from another vip of IPv6', 'own_source', frame6({ source: parseIpv6('fd00:1::1:61') })],
  ['IPv4 options to a vip', 'options', frame4({ options: routerAlert })],
  [
    'an extension header to a vip',
    'options',
    frame6({ extensions: [paddingExtension(extensionKinds.destinationOptions, 8)] }),
  ],
  [
    'a fragment that is not the first',
    'fragment',
    frame4({ fragmentOffset: 100, dontFragment: false, payload: new Uint8Array(40) }),
  ],
  ['a UDP header of 4 octets', 'malformed', frame4({ payload: new Uint8Array(4) })],
  [
    'an ICMP error about no flow',
    'icmp_of_no_flow',
    frame4({ protocol: protocols.icmp, payload: encodeIcmp(fragmentationNeeded(1400, quoted)) }),
  ],
  [
    'an ICMPv6 error about no flow',
    'icmp_of_no_flow',
    frame6({ protocol: protocols.icmpv6, payload: encodeIcmpv6(packetTooBig(1400, quoted6), around6) }),
  ],
  [
    'a SYN to a port that no vip has',
    'not_served',
    frame4({ protocol: protocols.tcp, payload: encodeTcp(syn, around) }),
  ],
  ['the same over IPv6', 'not_served', frame6({ protocol: protocols.tcp, payload: encodeTcp(syn, around6) })],
  ['a packet to a network without route', 'no_route', frame4({ target: parseIpv4('203.0.113.1') })],
  ['a frame that is neither', 'not_ip', frame(0x88cc, new Uint8Array(46))],
];

const frameSender = `
import socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(('eth0', 0))
sock.send(bytes.fromhex(sys.argv[1]))
`;
/** Asks and is gone before the answer comes: its kernel says so. */
const rudeClient = `
import socket, sys, time
for _ in range(4):
    with socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b'who?', (sys.argv[1], int(sys.argv[2])))
    time.sleep(0.1)
`;

describe.each(l4Targets())('%s', (_name, { program, skipped }) => {
  const title = (words: string) => (skipped === undefined ? words : `${words} (skipped: ${skipped})`);
  const it = test.skipIf(skipped !== undefined);
  let lab: L4Lab;

  beforeAll(async () => {
    if (skipped === undefined) lab = await startL4Lab(program!, { vips }, 'drops');
  }, startTimeoutMs);
  afterAll(() => lab?.close());

  const drops = () => {
    const entries = Object.entries(lab.status().switch.traffic?.drops ?? {});
    return Object.fromEntries(entries.map(([reason, { packets }]) => [reason, packets]));
  };
  const reasons = [...new Set(frames.map(([, reason]) => reason))];

  it.each(frames)(
    title('%s: %s'),
    async (_what, reason, bytes) => {
      await expect.poll(() => drops()[reason], patience).toBeDefined();
      const before = drops();
      const hex = Buffer.from(bytes).toString('hex');
      const counted = () => drops()[reason]! - before[reason]!;
      let sent = 0;
      // A switch may lose a frame where the machine has much to do: it is sent again until one is counted.
      const send = async () => {
        await lab.router.run(['python3', '-c', frameSender, hex]);
        sent++;
        // Counters are read every now and then: the last copy is not to be taken for the next frame.
        for (let i = 0; i < readsMax && counted() < sent; i++) await pause(readPauseMs);
        return counted();
      };
      await expect.poll(send, patience).toBeGreaterThan(0);
      // Hosts report their multicast groups now and then, which are martians here.
      const others = reasons.filter((other) => other !== reason && other !== 'martian');
      const after = drops();
      expect(others.filter((other) => after[other] !== before[other])).toEqual([]);
    },
    testTimeoutMs,
  );

  it.each(vips.map((vip): [string, Vip] => [vip.name, vip]))(
    title("%s: a client's port unreachable reaches the server whose answer it is about"),
    async (_name, { address, port }) => {
      const heard = async () => {
        let sum = 0;
        for (const { name } of servers) sum += await unreachablesOf(lab, name, isIpv6(address));
        return sum;
      };
      const before = await heard();
      await lab.client.run(['python3', '-c', rudeClient, address, String(port)]);
      await expect.poll(heard, patience).toBeGreaterThan(before);
    },
    testTimeoutMs,
  );
});

/** As the server's kernel counts those that it took. */
async function unreachablesOf(lab: L4Lab, server: string, ipv6: boolean): Promise<number> {
  if (ipv6) {
    const text = await lab.server(server).run(['cat', '/proc/net/snmp6']);
    return Number(/^Icmp6InDestUnreachs\s+(\d+)/m.exec(text)![1]);
  }
  const [names, values] = (await lab.server(server).run(['cat', '/proc/net/snmp']))
    .split('\n')
    .filter((line) => line.startsWith('Icmp:'))
    .map((line) => line.split(' '));
  return Number(values![names!.indexOf('InDestUnreachs')]);
}
