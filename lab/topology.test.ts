// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { getOffloads } from '../switch/ports/offload.ts';
import { openPacketPorts } from '../switch/ports/packet-socket.ts';
import { labCapability, unshareCommand, whyNoLab } from './capability.ts';
import { ip, namespacePrefix, sweepLeftovers } from './namespace.ts';
import { buildLab, findTopologyProblems, type HostSpec, type Topology } from './topology.ts';

const client: HostSpec = { name: 'client', port: 1, address: '10.88.1.2/24', gateway: '10.88.1.1' };
const server: HostSpec = { name: 'server', port: 300, address: '10.88.2.2/24', gateway: '10.88.2.1' };
const twoHosts: Topology = { hosts: [client, server] };

describe('a topology', () => {
  it('that can be built has no problems', () => {
    expect(findTopologyProblems(twoHosts)).toEqual([]);
  });

  it.each<[string, Topology, string[]]>([
    ['without hosts', { hosts: [] }, ['a topology needs at least one host']],
    ['with an absurd MTU', { hosts: [client], mtu: 100 }, ['an MTU of 100 is not between 576 and 65535']],
    [
      'with a host twice',
      { hosts: [client, client] },
      [
        'two hosts have the same name: client',
        'two hosts have the same port: 1',
        'two hosts have the same MAC address: 02:00:00:00:00:01',
        'two hosts have the same address: 10.88.1.2',
      ],
    ],
    [
      'with nonsense in every field',
      {
        hosts: [
          {
            name: 'A b',
            port: 511,
            address: '10.0.0.1',
            mac: 'x',
            gateway: 'y',
            loopbackAddresses: ['::1/129'],
          },
        ],
      },
      [
        'host A b: a name is lower case letters, digits and dashes',
        'host A b: port 511 is not 0..510',
        "host A b: 'x' is not a MAC address",
        "host A b: '10.0.0.1' is not an address with prefix, like 10.0.0.1/24",
        "host A b: '::1/129' is not an address with prefix, like 10.0.0.1/24",
        "host A b: 'y' is not a gateway address",
      ],
    ],
  ])('%s has every problem told', (_what, topology, problems) => {
    expect(findTopologyProblems(topology)).toEqual(problems);
    expect(() => buildLab(topology)).toThrow(problems.join('\n'));
  });
});

describe('the capability', () => {
  it('says which program is missing', () => {
    const path = process.env.PATH;
    process.env.PATH = '/nonexistent';
    try {
      expect(labCapability()).toEqual({ unavailable: "'ip' was not found; install iproute2" });
    } finally {
      process.env.PATH = path;
    }
  });

  it.skipIf(labCapability() !== 'root' && labCapability() !== 'unshare')('holds in a user namespace', () => {
    const [program, ...parameters] = unshareCommand(['sh', '-c', 'id -u && ip netns add x && ip netns list']);
    const result = spawnSync(program!, parameters, { encoding: 'utf8' });
    // Where root may do everything, user namespaces may still be switched off.
    if (result.status !== 0) expect(result.stderr).toMatch(/unshare|mount/);
    else expect(result.stdout).toBe('0\nx\n');
  });
});

const reason = whyNoLab();

describe.skipIf(reason !== undefined)(`a lab${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const ownNamespaces = () =>
    readdirSync('/var/run/netns').filter((name) => name.startsWith(namespacePrefix()));

  it('gives its hosts what the topology says, and keeps them silent until they speak', async () => {
    const lab = buildLab(twoHosts, 'silent');
    const ports = openPacketPorts(lab.ports);
    try {
      const host = lab.host('server').namespace;
      expect(await host.run(['ip', '-4', '-o', 'address', 'show', 'eth0'])).toContain('10.88.2.2/24');
      expect(await host.run(['ip', 'route', 'show', 'default'])).toContain('default via 10.88.2.1 dev eth0');
      expect(await host.run(['cat', '/proc/net/arp'])).not.toContain('10.88.2.1');
      let frames = 0;
      for (let round = 0; round < 3; round += 1) ports.poll(100, () => void (frames += 1));
      expect(frames).toBe(0);

      // Its first word is the question who the gateway is, which nobody has answered for it.
      const speaking = host.run(['node', '-e', udpHello]);
      let first: Uint8Array | undefined;
      for (let round = 0; round < 50 && first === undefined; round += 1) {
        ports.poll(100, (port, frame) => void (first ??= port === 300 ? frame.slice() : undefined));
      }
      expect([...first!.subarray(6, 14)]).toEqual([2, 0, 0, 0, 1, 44, 0x08, 0x06]);
      await speaking;
    } finally {
      ports.close();
      lab.close();
    }
    expect(ownNamespaces()).toEqual([]);
  });

  it('switches the offloads of its hosts off for a switch that does not do the work of a network card', () => {
    const lab = buildLab({ hosts: [client], offloads: false, switchPlace: 'here' }, 'plain');
    try {
      expect(lab.ports).toEqual([{ port: 1, interfaceName: `ek${process.pid}p1` }]);
      expect(lab.switchCommand(['true'])).toEqual(['true']);
      const offloads = getOffloads('eth0', lab.host('client').namespace.name);
      expect(new Set(Object.values(offloads))).toEqual(new Set([false]));
    } finally {
      lab.close();
    }
    expect(readdirSync('/sys/class/net')).not.toContain(`ek${process.pid}p1`);
  });

  it('is removed whole when it cannot be built whole, and says which command failed', () => {
    const unreachable: HostSpec = { ...client, gateway: '192.0.2.1' };
    expect(() => buildLab({ hosts: [unreachable, server] }, 'broken')).toThrow(
      /route add default via 192\.0\.2\.1 dev eth0: .*gateway/,
    );
    expect(ownNamespaces()).toEqual([]);
  });

  it('takes the processes inside with it', async () => {
    const lab = buildLab({ hosts: [client] }, 'processes');
    const child = lab.host('client').namespace.spawn(['sleep', '600'], { stdio: 'ignore' });
    const gone = once(child, 'exit');
    lab.close();
    expect(await gone).toEqual([null, 'SIGKILL']);
  });

  it('clears away what a program that was killed has left, and nothing of one that lives', () => {
    const dead = spawnSync('true').pid;
    const living = process.ppid;
    ip([`netns add ek-${dead}-x`, `netns add ek-${living}-x`]);
    try {
      const removed = sweepLeftovers();
      expect(removed).toContain(`ek-${dead}-x`);
      expect(removed).not.toContain(`ek-${living}-x`);
    } finally {
      ip([`netns del ek-${living}-x`]);
    }
  });
});

const udpHello = `
const socket = require('node:dgram').createSocket('udp4');
socket.send('hello', 9, '10.88.1.2', () => socket.close());`;
