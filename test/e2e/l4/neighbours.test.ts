// SPDX-License-Identifier: Apache-2.0
/** Servers get other network cards, fall silent, and come back; the controller asks, by ARP and by NDP, and notices. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ip } from '../../../lab/namespace.ts';
import { type L4Lab, l4Targets, startL4Lab } from './l4-lab.ts';
import { forwardingVips, hostOf, servers } from './layout.ts';

const startTimeoutMs = 120_000;
const testTimeoutMs = 240_000;
const patience = { timeout: 90_000, interval: 500 };
/** As the default is, a minute, nobody would wait for the test. */
const engine = { neighbourReachableMs: 2_000 };
const names = servers.map(({ name }) => name);
const vips = forwardingVips.filter(({ name }) => ['nat-4', 'nat-6', 'ipip-4-in-6'].includes(name));
const [, silent] = servers;

describe.each(l4Targets())('%s', (_name, { program, skipped }) => {
  const title = (words: string) => (skipped === undefined ? words : `${words} (skipped: ${skipped})`);
  const it = test.skipIf(skipped !== undefined);
  let lab: L4Lab;

  beforeAll(async () => {
    if (skipped === undefined) lab = await startL4Lab(program!, { vips }, 'neighbours', engine);
  }, startTimeoutMs);
  afterAll(() => lab?.close());

  /** Whom twenty clients of each vip reach; `nobody` where one reaches none. */
  async function reached(): Promise<string[]> {
    // One program, but a connection of its own for each: the server is asked to close it.
    const curl = ['curl', '-sS', '--noproxy', '*', '--fail-early', '--max-time', '5', '-w', '\n'];
    const all = vips.flatMap(({ address }) => Array.from({ length: 20 }, () => `http://${hostOf(address)}/`));
    const answers = await lab.client.run([...curl, '-H', 'Connection: close', ...all]).catch(() => 'nobody');
    return [...new Set(answers.trim().split('\n'))].sort();
  }

  it(
    title('a server with another network card is found again, though it says nothing of it'),
    async () => {
      await expect.poll(reached, patience).toEqual(names);
      await lab.server('s1').run(['ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:aa:01']);
      await expect.poll(reached, patience).toEqual(names);
      expect(lab.status().engine.neighbours.missing).toEqual([]);
    },
    testTimeoutMs,
  );

  it(
    title('a server that answers no more is missed, by both of its addresses, and welcome again'),
    async () => {
      const missing = () => [...lab.status().engine.neighbours.missing].sort();
      const { address, address6, gateway, gateway6, name } = silent!;
      const home = lab.server(name).name;
      ip([`address del ${address}/24 dev eth0`, `address del ${address6}/64 dev eth0`], home);
      await expect.poll(missing, patience).toEqual([address, address6].sort());
      ip(
        [
          `address add ${address}/24 dev eth0`,
          `address add ${address6}/64 dev eth0 nodad`,
          `route replace default via ${gateway} dev eth0`,
          `route replace ::/0 via ${gateway6} dev eth0`,
        ],
        home,
      );
      await expect.poll(missing, patience).toEqual([]);
      await expect.poll(reached, patience).toEqual(names);
    },
    testTimeoutMs,
  );
});
