// SPDX-License-Identifier: Apache-2.0
/** What a vip may be asked for beyond forwarding: UDP, fragments, affinity, and words for clients of a dead pool. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseIpv4, parseIpv6 } from '../../../wire/address.ts';
import { encodeOptions, serverIdOption } from '../../../wire/options.ts';
import { encodeTcp, tcpDefaults, tcpFlags } from '../../../wire/tcp.ts';
import { type L4Lab, l4Targets, startL4Lab } from './l4-lab.ts';
import { client, hostOf, isIpv6, servers, udpPort, type Vip, webPort } from './layout.ts';

const startTimeoutMs = 120_000;
const testTimeoutMs = 180_000;
const udpClient = fileURLToPath(new URL('udp_client.py', import.meta.url));
const tcpClient = fileURLToPath(new URL('tcp_client.py', import.meta.url));
const names = servers.map(({ name }) => name);
/** Who answers does so long before, who does not is not waited for. */
const patienceS = { forAnswer: 30, forNone: 2 };

const web = { protocol: 'tcp', port: webPort, forwarding: 'nat' } as const;
const udp = { protocol: 'udp', port: udpPort } as const;
const vips: readonly Vip[] = [
  { ...udp, name: 'udp-nat-4', address: '10.0.1.101', forwarding: 'nat', via: 'ipv4' },
  { ...udp, name: 'udp-nat-6', address: 'fd00:1::101', forwarding: 'nat', via: 'ipv6' },
  { ...udp, name: 'udp-ipip-4', address: '10.0.1.161', forwarding: 'ipip', via: 'ipv4' },
  { ...udp, name: 'udp-ipip-6', address: 'fd00:1::1:61', forwarding: 'ipip', via: 'ipv6' },
  ...(['hash', 'drop'] as const).flatMap((fragments, i): Vip[] => [
    {
      ...udp,
      name: `${fragments}-4`,
      address: `10.0.1.17${i}`,
      forwarding: 'l2_dsr',
      via: 'ipv4',
      more: { fragments },
    },
    {
      ...udp,
      name: `${fragments}-6`,
      address: `fd00:1::1:7${i}`,
      forwarding: 'l2_dsr',
      via: 'ipv6',
      more: { fragments },
    },
  ]),
  {
    ...web,
    name: 'sticky-4',
    address: '10.0.1.120',
    via: 'ipv4',
    backendPort: 8081,
    more: { affinity: 'source' },
  },
  {
    ...web,
    name: 'sticky-6',
    address: 'fd00:1::120',
    via: 'ipv6',
    backendPort: 8081,
    more: { affinity: 'source' },
  },
  {
    ...web,
    name: 'named-4',
    address: '10.0.1.121',
    via: 'ipv4',
    backendPort: 8085,
    more: { hint: 'tcp_option' },
  },
  {
    ...web,
    name: 'named-6',
    address: 'fd00:1::121',
    via: 'ipv6',
    backendPort: 8085,
    more: { hint: 'tcp_option' },
  },
  ...(['drop', 'reset', 'unreachable'] as const).flatMap((when_dead, i): Vip[] => [
    {
      ...web,
      name: `${when_dead}-dead-4`,
      address: `10.0.1.11${i}`,
      via: 'ipv4',
      backendPort: 8082 + i,
      more: { when_dead },
    },
    {
      ...web,
      name: `${when_dead}-dead-6`,
      address: `fd00:1::11${i}`,
      via: 'ipv6',
      backendPort: 8082 + i,
      more: { when_dead },
    },
  ]),
];
const named = (pattern: RegExp) =>
  vips.filter(({ name }) => pattern.test(name)).map((vip): [string, Vip] => [vip.name, vip]);

/** Sends TCP segments, in hex, that its kernel knows nothing of. */
const rawSender = `
import socket, sys
sock = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
for segment in sys.argv[2:]:
    sock.sendto(bytes.fromhex(segment), (sys.argv[1], 0))
`;

describe.each(l4Targets())('%s', (_name, { program, skipped }) => {
  const title = (words: string) => (skipped === undefined ? words : `${words} (skipped: ${skipped})`);
  const it = test.skipIf(skipped !== undefined);
  let lab: L4Lab;

  beforeAll(async () => {
    if (skipped === undefined) lab = await startL4Lab(program!, { vips }, 'services');
  }, startTimeoutMs);
  afterAll(() => lab?.close());

  const ask = async ({ address, port }: Vip, bytes: number, count: number, seconds = patienceS.forAnswer) => {
    const argv = ['python3', udpClient, address, ...[port, bytes, count, seconds].map(String)];
    return (await lab.client.run(argv)).trim().split('\n');
  };
  const curl = ({ address, port }: Vip, ...more: string[]) =>
    lab.client.run([
      'curl',
      '-sS',
      '--noproxy',
      '*',
      '--max-time',
      '30',
      ...more,
      `http://${hostOf(address)}:${port}/`,
    ]);

  it.each(named(/^udp-/))(
    title('%s: every datagram is answered, and every server answers some'),
    async (_name, vip) => {
      const answers = await ask(vip, 500, 30);
      expect(answers).toHaveLength(30);
      expect([...new Set(answers)].sort()).toEqual(names);
    },
    testTimeoutMs,
  );

  it.each(named(/^hash-[46]$/))(
    title('%s: a datagram in fragments reaches one server whole, the same for every port'),
    async (_name, vip) => {
      const answers = await ask(vip, 4000, 10);
      expect(new Set(answers).size).toBe(1);
      expect(names).toContain(answers[0]);
    },
    testTimeoutMs,
  );

  it.each(named(/^drop-[46]$/))(
    title('%s: of a datagram in fragments the rest is dropped and counted'),
    async (_name, vip) => {
      const dropped = () => lab.status().switch.traffic?.drops.fragment?.packets ?? 0;
      const before = dropped();
      expect(await ask(vip, 4000, 2, patienceS.forNone)).toEqual(['nobody', 'nobody']);
      expect(await ask(vip, 1000, 1)).not.toEqual(['nobody']);
      // Counters are read every now and then. 4,000 bytes are three fragments, of which two are not the first.
      await expect.poll(dropped, { timeout: 60_000 }).toBeGreaterThanOrEqual(before + 4);
    },
    testTimeoutMs,
  );

  it.each(named(/^sticky-/))(
    title('%s: one client has one server, whatever its ports'),
    async (_name, vip) => {
      const seen = new Set<string>();
      for (let i = 0; i < 12; i++) seen.add(await curl(vip));
      expect(seen.size).toBe(1);
    },
    testTimeoutMs,
  );

  it.each(named(/^named-/))(
    title('%s: a segment goes to the server that it names, whatever its ports'),
    async (_name, vip) => {
      const pool = () => lab.status().engine.pools.find(({ name }) => name === vip.name)!;
      const packetsOf = () => {
        const { backends = {} } = lab.status().switch.traffic ?? {};
        return names.map(
          (name) => backends[pool().backends.find((one) => one.name === name)!.id]?.packets ?? 0,
        );
      };
      // No kernel adds such an option by itself. Its reset for what it does not know comes back, and is not counted here.
      const around = isIpv6(vip.address)
        ? { source: parseIpv6(client.addresses6[0]), target: parseIpv6(vip.address) }
        : { source: parseIpv4(client.addresses[0]), target: parseIpv4(vip.address) };
      const segments = [5, 10, 15].flatMap((count, server) =>
        Array.from({ length: count }, (_, i) => {
          const options = encodeOptions([serverIdOption(server + 1)]);
          const ports = { sourcePort: 50_000 + 100 * server + i, targetPort: vip.port };
          const flags = tcpFlags.ack;
          return encodeTcp(
            { ...tcpDefaults, ...ports, sequence: 1, acknowledgement: 1, flags, options },
            around,
          );
        }),
      );
      const before = packetsOf();
      const lines = segments.map((segment) => Buffer.from(segment).toString('hex'));
      await lab.client.run(['python3', '-c', rawSender, vip.address, ...lines]);
      // Counters are read every now and then.
      const wanted = before.map((packets, server) => packets + [5, 10, 15][server]!);
      await expect.poll(packetsOf, { timeout: 60_000 }).toEqual(wanted);
    },
    testTimeoutMs,
  );

  const dead = { s1: 'down', s2: 'down', s3: 'down' } as const;
  it(
    title('clients of a dead pool are told what the pool is to say, and served again when it lives'),
    async () => {
      const connect = async ({ address, port }: Vip, seconds = patienceS.forAnswer) =>
        (await lab.client.run(['python3', tcpClient, address, ...[port, seconds].map(String)])).trim();
      const patienceOf = ({ more }: Vip) => patienceS[more?.when_dead === 'drop' ? 'forNone' : 'forAnswer'];
      const pools = named(/-dead-/);
      await lab.want({ vips, states: dead });
      const told = await Promise.all(
        pools.map(async ([name, vip]) => [name, await connect(vip, patienceOf(vip))]),
      );
      expect(Object.fromEntries(told)).toEqual({
        'drop-dead-4': 'nobody',
        'drop-dead-6': 'nobody',
        'reset-dead-4': 'ECONNREFUSED',
        'reset-dead-6': 'ECONNREFUSED',
        'unreachable-dead-4': 'EHOSTUNREACH',
        'unreachable-dead-6': 'EHOSTUNREACH',
      });
      await lab.want({ vips });
      expect(await Promise.all(pools.map(([, vip]) => connect(vip)))).toEqual(pools.map(() => 'connected'));
    },
    testTimeoutMs,
  );
});
