// SPDX-License-Identifier: Apache-2.0
/**
 * QUIC clients change their addresses in mid-connection, and stay with their server: its connection ids name it. The switch
 * keeps no state for that. Clients and servers are aioquic.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeQuic, shortHeaderBits } from '../../../wire/quic.ts';
import { encodeConnectionId } from '../../../wire/quic-server-id.ts';
import { preparePython } from '../../interop/python-client.ts';
import { serverIdText } from './config-text.ts';
import { type L4Lab, l4Targets, startL4Lab } from './l4-lab.ts';
import { client, isIpv6, servers, type Vip } from './layout.ts';

const startTimeoutMs = 120_000;
const testTimeoutMs = 180_000;
const names = servers.map(({ name }) => name);
const movesMax = 6;
const clientsEach = 4;
/** Who answers does so long before, who does not is not waited for. */
const patienceS = { forAnswer: 30, forNone: 3 };
const prepared = await preparePython({
  name: 'aioquic',
  packages: ['aioquic==1.7.2'],
  module: 'aioquic',
  variable: 'EVENKEEL_AIOQUIC_PYTHON',
});
const noQuic = 'missing' in prepared ? prepared.missing : undefined;
const scriptOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const quicVip = (name: string, address: string, port: number, more: Vip['more']): Vip => {
  const via = isIpv6(address) ? 'ipv6' : 'ipv4';
  return {
    name,
    address,
    protocol: 'udp',
    port: 443,
    forwarding: 'nat',
    via,
    backendPort: port,
    ...(more && { more }),
  };
};
const hinted = (layout: string, config_id?: number) => {
  return { hint: 'quic', quic: { layout, ...(config_id !== undefined && { config_id }) } };
};
const vips: readonly Vip[] = [
  quicVip('quic-lb', '10.0.1.101', 4431, hinted('quic-lb', 2)),
  quicVip('katran-v1', '10.0.1.102', 4432, hinted('katran-v1')),
  quicVip('katran-v2', 'fd00:1::102', 4433, hinted('katran-v2')),
  quicVip('katran-v3', 'fd00:1::103', 4434, hinted('katran-v3')),
];
/** Their ids name them too, and nobody listens. */
const deaf = quicVip('no-hints', '10.0.1.103', 4435, undefined);

describe.each(l4Targets())('%s', (_name, { program, skipped: noTarget }) => {
  const skipped = noTarget ?? noQuic;
  const title = (words: string) => (skipped === undefined ? words : `${words} (skipped: ${skipped})`);
  const it = test.skipIf(skipped !== undefined);
  let lab: L4Lab;

  beforeAll(async () => {
    if (skipped !== undefined || !('python' in prepared)) return;
    lab = await startL4Lab(program!, { vips: [...vips, deaf] }, 'quic');
    const started = [...vips, { ...deaf, name: 'quic-lb' }].flatMap((vip) =>
      names.map((name) => {
        const id = serverIdText({ ...vip, more: hinted(vip.name) }, name);
        const argv = [
          prepared.python,
          scriptOf('quic_server.py'),
          name,
          String(vip.backendPort),
          vip.name,
          id,
        ];
        return lab.start(name, argv);
      }),
    );
    await Promise.all(started);
  }, startTimeoutMs);
  afterAll(() => lab?.close());

  /** Who answered each client before and after each of its moves. */
  async function move(
    { address, port }: Vip,
    { clients = 1, moves = movesMax, seconds = patienceS.forAnswer } = {},
  ): Promise<string[][]> {
    if (!('python' in prepared)) throw new Error('this test is skipped');
    const homes = isIpv6(address) ? client.addresses6 : client.addresses;
    const sources = Array.from({ length: moves + 1 }, (_, i) => homes[i % homes.length]!);
    const argv = [scriptOf('quic_client.py'), ...[clients, seconds].map(String), address, String(port)];
    const said = await lab.client.run([prepared.python, ...argv, ...sources]);
    return said
      .trim()
      .split('\n\n')
      .map((one) => one.split('\n'));
  }
  const hints = (): Record<string, number> =>
    Object.fromEntries(
      Object.entries(lab.status().switch.traffic?.hints ?? {}).map(([outcome, { packets }]) => [
        outcome,
        packets,
      ]),
    );
  const used = () => hints().used ?? 0;

  it.each(vips.map((vip): [string, Vip] => [vip.name, vip]))(
    title('%s: a client that moves stays with its server'),
    async (_name, vip) => {
      const before = used();
      const all = await move(vip, { clients: clientsEach });
      expect(all).toHaveLength(clientsEach);
      for (const [first, ...later] of all) {
        expect(names).toContain(first);
        expect(later).toEqual(Array.from({ length: movesMax }, () => first));
      }
      await expect.poll(used, { timeout: 60_000 }).toBeGreaterThan(before);
    },
    testTimeoutMs,
  );

  it(
    title('a pool that takes no hints loses a client that moves'),
    async () => {
      const all = await Promise.all(
        Array.from({ length: clientsEach }, () => move(deaf, { seconds: patienceS.forNone })),
      );
      expect(all.flat(2)).toContain('nobody');
    },
    testTimeoutMs,
  );

  it(
    title('hints that name nobody, or a server that is down, are counted, and the hash decides'),
    async () => {
      const [vip] = vips;
      const layout = { kind: 'quic-lb', configId: 2, serverIdBytes: 3, bytes: 10 } as const;
      const send = async (serverId: bigint) => {
        const targetConnectionId = encodeConnectionId(layout, serverId, 0n);
        const rest = new Uint8Array(30);
        const packet = encodeQuic({ form: 'short', firstBits: shortHeaderBits, targetConnectionId, rest });
        const target = `('${vip!.address}', ${vip!.port})`;
        const program = `import socket; socket.socket(type=2).sendto(bytes.fromhex('${Buffer.from(packet).toString('hex')}'), ${target})`;
        await lab.client.run(['python3', '-c', program]);
      };
      await lab.want({ vips: [...vips, deaf], states: { s1: 'down' } });
      const before = hints();
      for (let i = 0; i < 5; i++) await send(1n);
      for (let i = 0; i < 3; i++) await send(77n);
      await expect.poll(hints, { timeout: 60_000 }).toMatchObject({
        dead: before.dead! + 5,
        unknown: before.unknown! + 3,
      });
      for (const [first] of await move(vip!, { clients: clientsEach, moves: 0 }))
        expect(['s2', 's3']).toContain(first);
      await lab.want({ vips: [...vips, deaf] });
    },
    testTimeoutMs,
  );
});
