// SPDX-License-Identifier: Apache-2.0
/** What a vip may ask of the data plane: families, forwarding, hints, affinity, fragments, answers. */
import { describe, expect, it } from 'vitest';
import { formatAddress } from '../core/address.ts';
import { parseConfig } from './parse.ts';
import { formatProblem } from './problem.ts';

/** A correct file, in which a test spoils one thing. */
const sound = `network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24, ipv6_address: 2001:db8:1::1/64, mtu: 9000 }
    - { port: 2, address: 10.0.2.1/24 }
    - { port: 3, address: 2001:db8:3::1/64 }
  routes:
    - { prefix: 2001:db8:9::/48, next_hop: 2001:db8:3::fe }
  neighbours:
    - { address: 2001:db8:3::11, mac: 02:00:00:00:03:11, port: 3 }
  tunnel: { ipv4: 10.0.9.0/24, ipv6: 2001:db8:99::/112 }
vips:
  - name: web
    address: 2001:db8:1::100
    port: 80
    slots: 256
    backends:
      - { name: a, address: 2001:db8:3::11, port: 8080 }
      - { name: b, address: 2001:db8:9::12 }
  - name: far
    address: 10.0.1.100
    port: 80
    forwarding: gue
    affinity: source
    slots: 256
    backends:
      - { name: a, address: 2001:db8:3::11 }
      - { name: b, address: 10.0.2.12, port: 80 }
  - name: quic
    address: 10.0.1.100
    protocol: udp
    port: 443
    hint: quic
    quic: { layout: quic-lb, config_id: 5 }
    slots: 256
    when_dead: unreachable
    backends:
      - { name: a, address: 10.0.2.11, server_id: 0a01 }
      - { name: b, address: 10.0.2.12, server_id: 0a02, state: down }
  - name: option
    address: 10.0.1.101
    port: 443
    forwarding: l2_dsr
    hint: tcp_option
    slots: 256
    backends:
      - { name: a, address: 10.0.2.11, server_id: '01020304' }
`;

function desiredOf(text: string) {
  const parsed = parseConfig(text);
  if ('problems' in parsed)
    throw new Error(parsed.problems.map((problem) => formatProblem(problem, 'f')).join('\n'));
  expect(parsed.warnings).toEqual([]);
  return parsed.config.desired;
}

describe('a vip', () => {
  it('may be of either family, and its packets reach backends in several ways', () => {
    const { pools } = desiredOf(sound);
    expect(
      pools.map(({ name, vip, forwarding, guePort, affinity, fragments, whenDead, backends }) => {
        const places = backends.map(({ address, port }) => `${formatAddress(address)} ${port}`);
        return [
          name,
          formatAddress(vip.address),
          forwarding,
          guePort,
          affinity,
          fragments,
          whenDead,
          ...places,
        ];
      }),
    ).toEqual([
      [
        'web',
        '2001:db8:1::100',
        'nat',
        0,
        'none',
        'drop',
        'reset',
        '2001:db8:3::11 8080',
        '2001:db8:9::12 80',
      ],
      ['far', '10.0.1.100', 'gue', 6080, 'source', 'hash', 'reset', '2001:db8:3::11 80', '10.0.2.12 80'],
      ['quic', '10.0.1.100', 'nat', 0, 'none', 'drop', 'unreachable', '10.0.2.11 443', '10.0.2.12 443'],
      ['option', '10.0.1.101', 'l2_dsr', 0, 'none', 'drop', 'reset', '10.0.2.11 443'],
    ]);
  });

  it('stands in a network of both families, whose tunnels have sources of both', () => {
    const { interfaces, tunnel, routes } = desiredOf(sound);
    expect(interfaces.map(({ port, address, mtu }) => `${port} ${formatAddress(address)} ${mtu}`)).toEqual([
      '1 10.0.1.1 9000',
      '1 2001:db8:1::1 9000',
      '2 10.0.2.1 1500',
      '3 2001:db8:3::1 1500',
    ]);
    expect(new Set(interfaces.slice(0, 2).map(({ mac }) => mac)).size).toBe(1);
    expect(formatAddress(routes[0]!.nextHop)).toBe('2001:db8:3::fe');
    expect(tunnel).toEqual({
      ipv4: { address: 0x0a000900, prefixLength: 24 },
      ipv6: 0x2001_0db8_0099_0000_0000_0000_0000_0000n,
    });
  });

  it.each<[layout: string, id: string, value: bigint, mask: bigint]>([
    ['quic-lb, config_id: 5', '0a01', 0xa00a_0100_0000_0000n, 0xe0ff_ff00_0000_0000n],
    ['quic-lb, config_id: 0', '"01020304050607"', 0x0001_0203_0405_0607n, 0xe0ff_ffff_ffff_ffffn],
    ['katran-v1', 'ffff', 0x7fff_c000_0000_0000n, 0xffff_c000_0000_0000n],
    ['katran-v2', '0a0b0c', 0x800a_0b0c_0000_0000n, 0xc0ff_ffff_0000_0000n],
    ['katran-v3', '0a0b0c0d', 0xc00a_0b0c_0d00_0000n, 0xc0ff_ffff_ff00_0000n],
  ])('with layout %s names the server %s by these bits', (layout, id, value, mask) => {
    const text = sound
      .replace('quic-lb, config_id: 5', layout)
      .replace('0a01', id)
      .replace(/^.*server_id: 0a02.*\n/m, '');
    expect(desiredOf(text).pools[2]!.backends[0]!.serverId).toEqual({ value, mask });
  });

  it('with the TCP option names a server by the four octets behind kind and length', () => {
    expect(desiredOf(sound).pools[3]!.backends[0]!.serverId).toEqual({
      value: 0x0102_0304_0000_0000n,
      mask: 0xffff_ffff_ffff_ffffn,
    });
  });

  it('may share a backend where packets are not translated', () => {
    const shared = sound
      .replace('forwarding: gue', 'forwarding: ipip')
      .replace('10.0.2.12, port: 80', '10.0.2.11');
    expect(desiredOf(shared).pools).toHaveLength(4);
  });

  it.each<[what: string, from: string | RegExp, to: string]>([
    ['NAT to the other family', '2001:db8:9::12', '10.0.2.19'],
    [
      'two vips that NAT to one place',
      /$/,
      '  - { name: h3, address: 10.0.1.9, protocol: udp, port: 8443, backends: [{ name: a, address: 10.0.2.11, port: 443 }] }\n',
    ],
    ['direct return to a far backend', /10.0.2.11, server_id: '0/, "10.0.5.11, server_id: '0"],
    ['a port that no packet is sent to', 'port: 80 }\n  - name: quic', 'port: 81 }\n  - name: quic'],
    ['a GUE port without GUE', 'hint: tcp_option', 'hint: tcp_option\n    gue_port: 6081'],
    ['a tunnel without a source', ', ipv6: 2001:db8:99::/112', ''],
    ['a source with too short a prefix', '10.0.9.0/24', '10.0.0.0/15'],
    ['a source with stray bits', '2001:db8:99::/112', '2001:db8:99::1/112'],
    ['a hint of another protocol', 'protocol: udp', 'protocol: tcp'],
    ['a server id that is too long', "'01020304'", "'0102030405'"],
    ['server ids of two lengths', '0a02', '0a0203'],
    ['one server id for two', '0a02', '0a01'],
    ['a server id that YAML takes for a number', "'01020304'", '1020304'],
    ['a server id without a hint', 'hint: tcp_option', 'hint: none'],
    ['a backend that no packet can name', ', server_id: 0a02', ''],
    ['connection ids without QUIC', 'hint: quic', 'hint: none'],
    ['a config id of Katran', 'layout: quic-lb', 'layout: katran-v1'],
    ['two vips that take the fragments of one address', '10.0.1.101', '10.0.1.100\n    fragments: hash'],
    ['an MTU that IPv6 cannot use', 'mtu: 9000', 'mtu: 1000'],
    ['an interface without an address', '{ port: 2, address: 10.0.2.1/24 }', '{ port: 2 }'],
    ['two IPv6 addresses of an interface', 'address: 10.0.1.1/24', 'address: 2001:db8:7::1/64'],
    ['a router of the other family', 'next_hop: 2001:db8:3::fe', 'next_hop: 10.0.2.254'],
    ['a link-local vip', 'address: 2001:db8:1::100', 'address: fe80::100'],
    ['an interface with the address of all routers', '2001:db8:3::1/64', '2001:db8:3::/64'],
    ['a digest rate of nothing', 'network:', 'controller: { digest_rate: { flows: 0 } }\nnetwork:'],
  ])('points at %s', (what, from, to) => {
    const text = sound.replace(from, to);
    expect(text).not.toBe(sound);
    const parsed = parseConfig(text);
    const problems = 'problems' in parsed ? parsed.problems : parsed.warnings;
    expect(problems).not.toEqual([]);
    expect(problems.map((problem) => formatProblem(problem, 'f')).join('\n')).toMatchSnapshot(what);
  });
});
