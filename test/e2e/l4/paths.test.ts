// SPDX-License-Identifier: Apache-2.0
/** What ICMP is for: ping, traceroute, and path MTU discovery in both directions, through tunnels and past them. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type L4Lab, l4Targets, startL4Lab, whyNoProgram } from './l4-lab.ts';
import { client, forwardingVips, hostOf, isIpv6, servers, type Vip } from './layout.ts';

const startTimeoutMs = 120_000;
const testTimeoutMs = 180_000;
const fileBytes = 10_000_000;
const file = createHash('shake256', { outputLength: fileBytes }).update('evenkeel').digest();
const digestOfFile = createHash('sha256').update(file).digest('hex');
const pathMtu = 1400;
const linkMtu = 1500;

/** Octets that a tunnel puts before an IP packet. */
const tunnelBytes = { ipip: 0, gre: 4, gue: 8 + 4 } as const;
const outerBytes = { ipv4: 20, ipv6: 40 } as const;

const tunnelVips = forwardingVips.filter(({ forwarding }) => forwarding in tunnelBytes);
const named = (vips: readonly Vip[]) => vips.map((vip): [string, Vip] => [vip.name, vip]);

describe.each(l4Targets())('%s', (_name, { program, skipped: noTarget }) => {
  const skipped = noTarget ?? whyNoProgram('traceroute', '--version') ?? whyNoProgram('ping', '-V');
  const title = (words: string) => (skipped === undefined ? words : `${words} (skipped: ${skipped})`);
  const it = test.skipIf(skipped !== undefined);
  let lab: L4Lab;
  let directory: string;

  beforeAll(async () => {
    if (skipped !== undefined) return;
    directory = mkdtempSync(join(tmpdir(), 'evenkeel-paths-'));
    writeFileSync(join(directory, 'file'), file);
    lab = await startL4Lab(program!, { vips: forwardingVips }, 'paths');
  }, startTimeoutMs);
  afterAll(async () => {
    await lab?.close();
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });

  it.each(['10.0.1.1', 'fd00:1::1', '10.0.1.100', 'fd00:1::100', '10.0.1.140', 'fd00:1::1:50'])(
    title('%s answers a ping, a big one too'),
    async (address) => {
      for (const size of ['56', '1400'])
        expect(
          await lab.client.run(['ping', '-c', '3', '-i', '0.02', '-W', '15', '-s', size, address]),
        ).toContain(' 0% packet loss');
    },
    testTimeoutMs,
  );

  const hops = { 4: [client.gateway, '10.0.1.1'], 6: [client.gateway6, 'fd00:1::1'] };
  it.each(named(forwardingVips.filter(({ forwarding }) => forwarding === 'nat' || forwarding === 'l2_dsr')))(
    title('traceroute to %s shows the router, the switch, and the vip'),
    async (_name, { address, port }) => {
      const argv = ['traceroute', '-n', '-T', '-p', String(port), '-q', '1', '-w', '15', '-m', '5', address];
      const lines = (await lab.client.run(argv)).trim().split('\n').slice(1);
      const seen = lines.map((line) => line.trim().split(/\s+/)[1]);
      expect(seen).toEqual([...hops[isIpv6(address) ? 6 : 4], address]);
    },
    testTimeoutMs,
  );

  it.each(named(tunnelVips))(
    title('a client of %s finds out what fits the tunnel, and what it sends arrives whole'),
    async (_name, { address, forwarding, via }) => {
      const url = `http://${hostOf(address)}/`;
      expect(await lab.client.run([...curl, '-T', join(directory, 'file'), url])).toBe(digestOfFile);
      const mtu = linkMtu - outerBytes[via] - tunnelBytes[forwarding as keyof typeof tunnelBytes];
      expect(await lab.client.run(['ip', 'route', 'get', address])).toContain(`mtu ${mtu}`);
    },
    testTimeoutMs,
  );

  it.each(named(forwardingVips))(
    title('the server of %s finds out what fits the path to the client, and what it sends arrives whole'),
    async (_name, { address, forwarding }) => {
      lab.setPathMtu(pathMtu);
      const out = join(directory, 'received');
      const name = (
        await lab.client.run([
          ...curl,
          '-o',
          out,
          '-w',
          '%header{server-name}',
          `http://${hostOf(address)}/file`,
        ])
      ).trim();
      expect((await lab.client.run(['sha256sum', out])).slice(0, 64)).toBe(digestOfFile);
      const target = client[isIpv6(address) ? 'addresses6' : 'addresses'][0];
      const server = servers.find((one) => one.name === name)!;
      const own = isIpv6(address) ? server.address6 : server.address;
      const from = forwarding === 'nat' ? own : address;
      expect(await lab.server(name).run(['ip', 'route', 'get', target, 'from', from])).toContain(
        `mtu ${pathMtu}`,
      );
    },
    testTimeoutMs,
  );
});

const curl = ['curl', '-sS', '--noproxy', '*', '--max-time', '60'];
