// SPDX-License-Identifier: Apache-2.0
/** The topologies of topo/, as scripts and as `mn --custom`, with the embedded switch, and with BMv2 where there is one. */
import { describe, expect, test } from 'vitest';
import { python, runAlone, runTimeoutMs, whyNoBmv2, whyNoMininet, whyNotAll } from './mininet.ts';

const requests = 30;

interface Topology {
  readonly name: string;
  /** The servers of each pool; all clients together ask each pool so often. */
  readonly pools: readonly (readonly string[])[];
  /** What the script says besides. */
  readonly shows: readonly RegExp[];
}

const topologies: readonly Topology[] = [
  { name: 'load_balancer', pools: [['web1', 'web2', 'web3']], shows: [] },
  {
    name: 'two_pools',
    pools: [
      ['web1', 'web2', 'web3'],
      ['dns1', 'dns2'],
    ],
    shows: [/^web, 10\.0\.100\.1:80 over TCP:$/m, /^dns, 10\.0\.100\.2:53 over UDP:$/m],
  },
  {
    name: 'ecmp',
    pools: [['web1', 'web2', 'web3', 'web4']],
    shows: [
      /^30 connections are open; both balancers carry packets of theirs$/m,
      /^web4 has come; [1-9]\d* connections live elsewhere than their slot, and are pinned$/m,
      /^balancer1 was killed; [\d.]+ s later every connection was answered through balancer2$/m,
      /^balancer1 was started, given tables and pins, and carries packets again$/m,
      /^0 connections broke, 0 answers came from another server than before$/m,
    ],
  },
  {
    name: 'leaf_spine',
    pools: [['web1', 'web2', 'web3', 'web4']],
    shows: [
      /^replies came by spine1 \([1-9]\d* packets\) and spine2 \([1-9]\d* packets\)$/m,
      /^spine2 is off, the balancer was given another route: 20 connections go on$/m,
      /^0 connections broke, 0 answers came from another server than before$/m,
    ],
  },
];

const missing = whyNoMininet();
const kinds = [
  { kind: 'embedded', reason: missing },
  { kind: 'bmv2', reason: missing ?? whyNoBmv2() },
];

for (const { kind, reason } of kinds) {
  const skipped = reason === undefined ? '' : ` (skipped: ${reason})`;
  describe.skipIf(reason !== undefined)(`in Mininet, with ${kind}${skipped}`, () => {
    test.each(topologies)(
      '$name shows what it says, and leaves nothing behind',
      async (topology) => {
        const command = [python!, `topo/${topology.name}.py`, '--switch', kind, '--requests', `${requests}`];
        const { code, output, left } = await runAlone(command);
        expect(code, output).toBe(0);
        for (const servers of topology.pools) {
          const shares = [...output.matchAll(/^(\S+) answered (\d+) of 60$/gm)].filter(([, name]) =>
            servers.includes(name!),
          );
          expect(shares.map(([, name]) => name)).toEqual(servers);
          expect(shares.reduce((sum, [, , count]) => sum + Number(count), 0)).toBe(2 * requests);
        }
        for (const words of topology.shows) expect(output).toMatch(words);
        expect(left).toEqual([]);
      },
      runTimeoutMs,
    );
  });

  const mnReason = reason ?? whyNotAll();
  const mnSkipped = mnReason === undefined ? '' : ` (skipped: ${mnReason})`;
  describe.skipIf(mnReason !== undefined)(`under mn, with ${kind}${mnSkipped}`, () => {
    const mn = ({ name }: Topology) => [
      'mn',
      '--custom',
      `topo/${name}.py`,
      '--topo',
      name,
      '--switch',
      kind,
    ];

    test.each(topologies)(
      'everybody in $name reaches everybody',
      async (topology) => {
        const { output, left } = await runAlone([...mn(topology), '--test', 'pingall']);
        expect(output).toMatch(/^\*\*\* Results: 0% dropped \((\d+)\/\1 received\)$/m);
        expect(left).toEqual([]);
      },
      runTimeoutMs,
    );

    test(
      'the command line knows the controller',
      async () => {
        const asked = `client1 ${python} topo/evenkeel/traffic.py ask http 10.0.100.1 80 12`;
        const input = `evenkeel drain web web1\nwait\nevenkeel status\n${asked}\n`;
        const { output, left } = await runAlone(mn(topologies[0]!), { input });
        expect(output).toMatch(/web1 +10\.0\.11\.2:8080 +draining/);
        expect(
          output
            .match(/web\d\r?$/gm)
            ?.map((name) => name.trim())
            .sort()
            .join(' '),
        ).toMatch(/^(web2 )+(web3 ?)+$/);
        expect(output.match(/web\d\r?$/gm)).toHaveLength(12);
        expect(left).toEqual([]);
      },
      runTimeoutMs,
    );
  });
}
