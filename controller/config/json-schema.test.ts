// SPDX-License-Identifier: Apache-2.0
/** What an editor accepts, and what the parser does. The schema may accept more, and never less. */
import { readFileSync } from 'node:fs';
import { Ajv, type AnySchema } from 'ajv';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { configJsonSchema, describedSchema, type Entry } from './json-schema.ts';
import { parseConfig } from './parse.ts';
import { configSchema } from './schema.ts';

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictRequired: false });
const validate = ajv.compile(configJsonSchema() as AnySchema);
const inEditor = (document: unknown): boolean => validate(document) === true;
const inParser = (document: unknown): boolean => 'config' in parseConfig(stringify(document));

const example = readFileSync(new URL('../../docs/example.yaml', import.meta.url), 'utf8');

/** Every key of the schema, as far as they can stand in one file. */
const full = `
switch: { address: 127.0.0.1:9559, device_id: 1, interfaces: { 1: veth1, 2: veth2 } }
controller:
  listen: 127.0.0.1:9580
  token_file: token
  tls: { certificate: a.crt, key: a.key, client_ca: ca.crt }
  max_pins: 1000
  digest_rate: { flows: 1, neighbours: 2, answers: 3 }
  timers: { rotation: 20s, quarantine: 30s, merge_margin: 2s, stale_digest: 2s, closing_timeout: 1m }
  health:
    { interval: 2s, timeout: 1s, rise: 2, fall: 3, jitter: 10%, dead_after: 10s, floor: 50%, flapping: { hold: true } }
  store: { kind: etcd, endpoints: ['10.0.0.5:2379', 'http://10.0.0.6:2379'], prefix: /lb/, lease: 5s }
network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24, ipv6_address: '2001:db8:1::1/64', mac: '02:00:00:00:01:01', mtu: 9000 }
    - { port: 2, address: 10.0.2.1/24 }
  tunnel: { ipv4: 10.0.9.0/24, ipv6: '2001:db8:9::/112' }
  routes: [{ prefix: 0.0.0.0/0, next_hop: 10.0.1.254 }]
  neighbours: [{ address: 10.0.2.11, mac: '02:00:00:00:02:0b', port: 2 }]
announce: { speaker: frr, drain: false, vtysh: vtysh, pathspace: blue, tag: 7 }
vips:
  - name: web
    address: 10.0.1.100
    protocol: tcp
    port: 80
    forwarding: gue
    gue_port: 6080
    affinity: none
    fragments: drop
    when_dead: reset
    slots: 256
    session_timeout: 15m
    placement: pure
    health: { check: https, port: 8443, path: /healthz, host: shop.example, status: [200, 204-299], body: ok, verify: true }
    slow_start: { window: 30s, from: 20% }
    load: { source: http, url: 'http://{address}:{port}/', field: load, interval: 5s, dead_band: 10%, range: 4, idle_below: 0.1 }
    backends: [{ name: a, address: 10.0.2.11, weight: 2, state: active }, { name: b, address: '2001:db8:1::7' }]
  - name: quic
    address: 10.0.1.101
    protocol: udp
    port: 443
    hint: quic
    quic: { layout: quic-lb, config_id: 2 }
    slots: 256
    health: { check: udp, send: PING, expect: 'hex:50 4f', interval: 2s }
    load: { source: switch, count: packets }
    slow_start: 1m
    backends: [{ name: a, address: 10.0.2.11, port: 4433, server_id: 0a01, state: draining, drain_deadline: '2026-05-01T12:00:00Z' }, { name: b, address: 10.0.2.12, server_id: '1020', replaces: a }]
`;

type Path = (string | number)[];

/** All places of a document, its own included. */
function placesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Object.entries(value).flatMap(([key, inner]) =>
    placesOf(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
  return [path, ...below];
}

/** A copy with another value at the place; undefined takes the place away. */
function changed(document: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (Array.isArray(document))
    return document.map((each, i) => (i === step ? changed(each, rest, value) : each));
  const { [step]: inner, ...others } = document as Record<string | number, unknown>;
  if (rest.length === 0 && value === undefined) return others;
  return { ...others, [step]: changed(inner, rest, value) };
}

const at = (path: string): Path => path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step));

describe('the schema for editors', () => {
  const sound = parse(full) as unknown;

  it('takes what the parser takes', () => {
    expect(parseConfig(full)).toHaveProperty('config');
    expect(inEditor(sound)).toBe(true);
    expect(inEditor(parse(example))).toBe(true);
  });

  it('takes every default that it names', () => {
    const wrong = (path: string, entry: Entry): string[] => [
      ...(entry.default !== undefined &&
      entry.properties === undefined &&
      !ajv.validate(strip(entry), entry.default)
        ? [`${path}: ${JSON.stringify(entry.default)}`]
        : []),
      ...Object.entries(entry.properties ?? {}).flatMap(([key, each]) => wrong(`${path}.${key}`, each)),
      ...(entry.items ? wrong(`${path}[]`, entry.items) : []),
    ];
    const strip = ({ words, otherwise, items, ...schema }: Entry): AnySchema => schema;
    expect(wrong('', describedSchema())).toEqual([]);
  });

  it.each<[what: string, path: string, value: unknown]>([
    ['an unknown section', 'pools', []],
    ['an unknown key', 'vips.0.slot', 256],
    ['a missing section', 'network', undefined],
    ['a section without content', 'vips', null],
    ['a list that is a mapping', 'vips.0.backends', { a: 1 }],
    ['a missing address', 'vips.0.backends.0.address', undefined],
    ['a number of slots that is no power of two', 'vips.0.slots', 250],
    ['a weight that is too large', 'vips.0.backends.0.weight', 70_000],
    ['a weight that is a fraction', 'vips.0.backends.0.weight', 1.5],
    ['a weight that is text', 'vips.0.backends.0.weight', '1'],
    ['a port that is a name', 'vips.0.port', 'http'],
    ['a duration without a unit', 'vips.0.session_timeout', 900],
    ['a duration in days', 'vips.0.session_timeout', '1d'],
    ['an address that is none', 'vips.0.address', '10.0.1.256'],
    ['an address with a prefix length', 'vips.0.address', '10.0.1.1/24'],
    ['an interface without a prefix length', 'network.interfaces.0.address', '10.0.1.1'],
    ['an interface without an address', 'network.interfaces.1', { port: 2 }],
    ['a group MAC address', 'network.neighbours.0.mac', '03:00:00:00:02:0b'],
    ['a state that is none', 'vips.0.backends.0.state', 'drain'],
    ['a name with a blank', 'vips.0.name', 'my web'],
    ['a server id that YAML takes for a number', 'vips.1.backends.1.server_id', 1020],
    ['a device of a name that Linux refuses', 'switch.interfaces.1', 'a-name-of-more-than-15'],
    ['one switch and many', 'switches', [{ name: 'a', address: 's:1' }]],
    ['an endpoint without a port', 'controller.store.endpoints', ['10.0.0.5']],
    ['a path of the other store', 'controller.store.path', 'x'],
    ['a digest rate of nothing', 'controller.digest_rate.flows', 0],
    ['a share without a sign', 'controller.health.floor', 0.5],
    ['a word for a truth', 'vips.0.health.verify', 'yes'],
    ['a check of another kind', 'vips.0.health.check', 'ping'],
    ['a key of another check', 'vips.0.health.send', 'PING'],
    ['a command without one', 'vips.0.health', { check: 'command' }],
    ['a status that is none', 'vips.0.health.status', 99],
    ['a key of another source', 'vips.0.load.query', 'up'],
    ['a source without its query', 'vips.0.load', { source: 'prometheus', url: 'http://p:9090' }],
    ['a key of the other speaker', 'announce.file', '/etc/bird.conf'],
  ])('refuses %s, as the parser does', (_what, path, value) => {
    const document = changed(sound, at(path), value);
    expect({ inEditor: inEditor(document), inParser: inParser(document) }).toEqual({
      inEditor: false,
      inParser: false,
    });
  });

  it.each<[what: string, path: string, value: unknown]>([
    ['a duration that is too long', 'vips.0.session_timeout', '25h'],
    ['networks that overlap', 'network.interfaces.1.address', '10.0.1.200/25'],
    ['a name used twice', 'vips.1.name', 'web'],
    ['a tunnel without a source', 'network.tunnel', undefined],
  ])('leaves %s to the parser', (_what, path, value) => {
    const document = changed(sound, at(path), value);
    expect({ inEditor: inEditor(document), inParser: inParser(document) }).toEqual({
      inEditor: true,
      inParser: false,
    });
  });

  it('refuses nothing that the parser takes, whatever is changed', () => {
    const value = fc.oneof(
      fc.constantFrom<unknown>(undefined, null, '', 0, 1, 256, 65_536, 1.5, -1, true, false, [], {}),
      fc.constantFrom<unknown>(
        '10.0.1.7',
        '::1',
        '10.0.7.1/24',
        '::ffff:10.0.0.1',
        'fe80::1/10',
        'a',
        'A.b-c_9',
        '0a01',
      ),
      fc.constantFrom<unknown>(
        '1s',
        '1.5 m',
        '900ms',
        '50%',
        '7 %',
        'host:80',
        '[::1]:80',
        '/x',
        'http://a:1/',
        'hex:',
        'etcd',
      ),
      fc.constantFrom<unknown>(
        'file',
        'tcp',
        'udp',
        'nat',
        'gre',
        'hash',
        'drop',
        'none',
        'down',
        'http',
        '200-299',
        ['a', 'b'],
      ),
    );
    const places = placesOf(sound);
    let taken = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...places), value), { minLength: 1, maxLength: 2 }),
        (edits) => {
          let document: unknown = sound;
          for (const [path, wanted] of edits) {
            try {
              document = changed(document, path, wanted);
            } catch {
              // An earlier edit has taken the place away.
            }
          }
          if (!configSchema.safeParse(document).success || !inParser(document)) return;
          taken++;
          expect(inEditor(document), JSON.stringify(validate.errors)).toBe(true);
        },
      ),
      { seed: 6, numRuns: 600 },
    );
    expect(taken).toBeGreaterThan(25);
  });
});
