// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PLAIN_POOL } from '../core/desired.ts';
import { configLimits } from './config.ts';
import { parseConfig } from './parse.ts';
import { formatProblem } from './problem.ts';
import { parseAddress } from './scalar.ts';

const example = readFileSync(new URL('../../docs/example.yaml', import.meta.url), 'utf8');

/** A correct file, in which a test spoils one thing. */
const sound = `network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24 }
    - { port: 2, address: 10.0.2.1/24 }
  routes:
    - { prefix: 10.9.0.0/16, next_hop: 10.0.2.254 }
  neighbours:
    - { address: 10.0.2.11, mac: 02:00:00:00:02:0b, port: 2 }
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    slots: 256
    backends:
      - { name: a, address: 10.0.2.11, port: 8080 }
      - { name: b, address: 10.0.2.12, port: 8080, weight: 3 }
`;

const address = (text: string) => {
  const parsed = parseAddress(text);
  return 'value' in parsed ? parsed.value : undefined;
};

describe('parseConfig', () => {
  it('reads the example of the documentation without a complaint', () => {
    const parsed = parseConfig(example);
    expect(parsed).not.toHaveProperty('problems');
    if ('problems' in parsed) return;
    expect(parsed.warnings).toEqual([]);
    expect(parsed.config.switch).toEqual({
      address: { host: '127.0.0.1', port: 9559 },
      deviceId: 1n,
      interfaces: [
        { port: 1, device: 'eth1' },
        { port: 2, device: 'eth2' },
      ],
    });
    expect(
      parsed.config.desired.pools.map((pool) => [pool.name, pool.slotCount, pool.backends.length]),
    ).toEqual([
      ['web', 4096, 4],
      ['dns', 1024, 2],
      ['files', 4096, 2],
      ['web3', 4096, 2],
    ]);
  });

  it('says in the comments of the example what the defaults are', () => {
    const spelled = example.replace(
      /# (max_pins|timers|digest_rate|protocol|forwarding|affinity|hint|fragments|when_dead|slots|session_timeout|placement):/g,
      '$1:',
    );
    const withoutHints = spelled.replace(/^( {4}(?!name|address)[a-z_]+: [a-z0-9]+) +[a-z].*$/gm, '$1');
    expect(withoutHints).not.toBe(example);
    expect(parseConfig(withoutHints)).toEqual(parseConfig(example));
  });

  it('makes values of the text', () => {
    const parsed = parseConfig(sound);
    if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
    expect(parsed.config.desired).toEqual({
      pools: [
        {
          name: 'web',
          vip: { address: address('10.0.1.100'), protocol: 'tcp', port: 80 },
          ...PLAIN_POOL,
          whenDead: 'reset',
          slotCount: 256,
          sessionTimeoutMs: 900_000,
          placement: 'sticky',
          table: 'maglev',
          backends: [
            { name: 'a', address: address('10.0.2.11'), port: 8080, weight: 1, state: 'active' },
            { name: 'b', address: address('10.0.2.12'), port: 8080, weight: 3, state: 'active' },
          ],
        },
      ],
      interfaces: [
        { port: 1, address: address('10.0.1.1'), prefixLength: 24, mac: 0x020000000001, mtu: 1500 },
        { port: 2, address: address('10.0.2.1'), prefixLength: 24, mac: 0x020000000002, mtu: 1500 },
      ],
      routes: [{ prefix: address('10.9.0.0'), prefixLength: 16, nextHop: address('10.0.2.254') }],
      neighbours: [{ address: address('10.0.2.11'), mac: 0x02000000020b, port: 2 }],
    });
  });

  it('knows where the book is kept', () => {
    const storeOf = (controller: string) => {
      const parsed = parseConfig(`controller: ${controller}\n${sound}`);
      return 'config' in parsed ? parsed.config.controller : parsed.problems;
    };
    expect(storeOf('{ election_id: 7 }')).toMatchObject({
      store: { kind: 'file', path: undefined },
      electionId: 7n,
    });
    expect(storeOf('{ store: { kind: etcd, endpoints: [e1:2379, https://e2:2379/] } }')).toMatchObject({
      store: {
        kind: 'etcd',
        endpoints: ['http://e1:2379', 'https://e2:2379'],
        prefix: '/evenkeel/',
        leaseMs: 5_000,
      },
      electionId: undefined,
    });
    expect(storeOf('{ store: { kind: etcd, endpoints: [e:1], prefix: lb/one, lease: 2s } }')).toMatchObject({
      store: { prefix: 'lb/one/', leaseMs: 2_000 },
    });
  });

  it.each<[what: string, from: string | RegExp, to: string]>([
    ['an unknown key', 'slots: 256', 'slot: 256'],
    ['an unknown section', 'vips:', 'pools: []\nvips:'],
    ['an unknown key of a backend', 'weight: 3', 'wieght: 3'],
    ['a key that is like no other', 'weight: 3', 'colour: red'],
    ['a missing value', 'name: a, address: 10.0.2.11, ', 'name: a, '],
    ['a missing section', /network:[\s\S]*(?=vips)/, ''],
    ['a section without content', /(vips:)[\s\S]*/, '$1'],
    ['a list that is a mapping', /backends:[\s\S]*/, 'backends: { a: 1 }'],
    ['a number of slots that is no power of two', 'slots: 256', 'slots: 250'],
    ['a weight that is too large', 'weight: 3', 'weight: 70000'],
    ['a port that is a name', 'port: 80\n', 'port: http\n'],
    ['a duration without a unit', 'slots: 256', 'session_timeout: 900'],
    ['a duration that is too long', 'slots: 256', 'session_timeout: 25h'],
    ['an address that is none', '10.0.1.100', '10.0.1.256'],
    ['an interface without a prefix length', '10.0.1.1/24', '10.0.1.1'],
    ['a group MAC address', '02:00:00:00:02:0b', '03:00:00:00:02:0b'],
    ['a state that is none', 'weight: 3', 'state: drain'],
    ['a duplicate key', 'slots: 256', 'port: 81'],
    ['a broken line', 'slots: 256', 'slots: [256'],
    ['a tab', '    slots: 256', '\tslots: 256'],
    ['interfaces that overlap', '10.0.2.1/24', '10.0.1.200/25'],
    ['an interface with the address of its network', '10.0.2.1/24', '10.0.2.0/24'],
    ['a next hop that is not on link', '10.0.2.254', '10.0.3.254'],
    ['a next hop that is the switch', '10.0.2.254', '10.0.2.1'],
    ['a route with stray bits', '10.9.0.0/16', '10.9.1.0/16'],
    ['a route to a network of our own', '10.9.0.0/16', '10.0.2.0/24'],
    ['a neighbour on another port', 'port: 2 }\nvips', 'port: 1 }\nvips'],
    ['a neighbour given twice', /( +- \{ address: 10.0.2.11, mac.*\n)/, '$1$1'],
    ['a backend name used twice', 'name: b', 'name: a'],
    ['a backend given twice', '10.0.2.12', '10.0.2.11'],
    ['a backend that is the switch', '10.0.2.12', '10.0.2.1'],
    ['a backend that is a vip', '10.0.2.12', '10.0.1.100'],
    ['a backend nobody can reach', '10.0.2.12', '10.0.3.12'],
    ['fewer slots than backends need', 'slots: 256', 'slots: 128'],
    [
      'fewer slots than backends',
      /slots: 256([\s\S]*)$/,
      'slots: 2$1      - { name: c, address: 10.0.2.13, port: 1 }\n',
    ],
    ['a vip without backends', /backends:[\s\S]*/, 'backends: []'],
    [
      'a vip name used twice',
      /(vips:\n)([\s\S]*)/,
      '$1$2  - { name: web, address: 10.0.1.101, port: 80, backends: [] }\n',
    ],
    [
      'a vip given twice',
      /(vips:\n)([\s\S]*)/,
      '$1$2  - { name: www, address: 10.0.1.100, port: 80, backends: [] }\n',
    ],
    [
      'a backend of two vips',
      /(vips:\n)([\s\S]*)/,
      '$1$2  - name: www\n    address: 10.0.1.101\n    port: 80\n    backends: [{ name: a, address: 10.0.2.11, port: 8080 }]\n',
    ],
    ['an etcd without endpoints', 'vips:', 'controller: { store: { kind: etcd } }\nvips:'],
    ['a store of another kind', 'vips:', 'controller: { store: { kind: redis } }\nvips:'],
    [
      'an endpoint without a port',
      'vips:',
      'controller: { store: { kind: etcd, endpoints: [10.0.0.5] } }\nvips:',
    ],
    [
      'a lease that is too short',
      'vips:',
      'controller: { store: { kind: etcd, endpoints: [e:2379], lease: 1s } }\nvips:',
    ],
    [
      'an etcd with a path, and with an election id',
      'vips:',
      'controller:\n  election_id: 7\n  store: { kind: etcd, endpoints: [e:2379], path: /tmp/x }\nvips:',
    ],
    ['a file with endpoints', 'vips:', 'controller: { store: { endpoints: [e:2379] } }\nvips:'],
    ['nothing at all', /[\s\S]*/, ''],
    ['something else', /[\s\S]*/, '#!/bin/sh\necho hello\n'],
  ])('points at %s', (what, from, to) => {
    const text = sound.replace(from, to);
    expect(text).not.toBe(sound);
    const parsed = parseConfig(text);
    const problems = 'problems' in parsed ? parsed.problems : parsed.warnings;
    expect(problems).not.toEqual([]);
    expect(problems.map((problem) => formatProblem(problem, 'f')).join('\n')).toMatchSnapshot(what);
  });

  it('tells all that is wrong at once, in the order of the file', () => {
    const parsed = parseConfig(
      sound.replace('port: 80\n', 'port: 0\n').replace('slots: 256', 'slot: 7').replace('10.0.2.12', 'b'),
    );
    const problems = 'problems' in parsed ? parsed.problems : [];
    expect(problems.map(({ line, column, path }) => `${line}:${column} ${path}`)).toEqual([
      '12:11 vips[0].port',
      '13:5 vips[0]',
      '16:29 vips[0].backends[1].address',
    ]);
  });

  it('reads no more than a configuration can be, and reports no more than one can read', () => {
    const huge = parseConfig('#'.repeat(configLimits.textBytes + 1));
    expect('problems' in huge && huge.problems[0]!.wrong).toBe(`${configLimits.textBytes + 1} characters`);
    const many = parseConfig(`${sound}${'      - { name: b }\n'.repeat(500)}`);
    expect('problems' in many && many.problems.length).toBe(configLimits.problems);
  });
});
