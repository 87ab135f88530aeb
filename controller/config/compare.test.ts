// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { compareConfigs, formatChange } from './compare.ts';
import { parseConfig } from './parse.ts';

const before = `network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24 }
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    session_timeout: 15m
    backends:
      - { name: a, address: 10.0.1.11, port: 8080 }
      - { name: b, address: 10.0.1.12 }
`;

function changes(after: string): string[] {
  expect(parseConfig(before)).toHaveProperty('config');
  expect(parseConfig(after)).toHaveProperty('config');
  return compareConfigs(before, after).map(formatChange);
}

it('finds nothing in what means the same', () => {
  expect(changes(before)).toEqual([]);
  const other = before
    .replace('15m', '900s # a quarter of an hour')
    .replace('address: 10.0.1.12 }', 'address: 10.0.1.12, port: 80, weight: 1, state: active }');
  expect(changes(`controller: { timers: { rotation: 20s } }\n${other}    slots: 4096\n`)).toEqual([]);
});

it('names what has come, gone and changed', () => {
  const after = before
    .replace('    - { port: 1', '    - { port: 2, address: 10.0.2.1/24 }\n    - { port: 1')
    .replace('15m', '5m')
    .replace('address: 10.0.1.11, port: 8080', 'address: 10.0.1.11, port: 8080, weight: 3')
    .replace('name: b,', 'name: c,');
  expect(changes(after)).toEqual([
    '+ network, interface 2 10.0.2.1/24: { port: 2, address: 10.0.2.1/24 }',
    '~ vip web, session_timeout: 15m -> 5m',
    '~ vip web, backend a, weight: 1 -> 3',
    '- vip web, backend b: { name: b, address: 10.0.1.12 }',
    '+ vip web, backend c: { name: c, address: 10.0.1.12 }',
  ]);
});

it('does not mind the order of things', () => {
  const lines = before.trimEnd().split('\n');
  const [a, b] = lines.splice(-2);
  expect(changes(`${[...lines, b, a].join('\n')}\n`)).toEqual([]);
});

it('tells of a vip as a whole, and of settings that were not there', () => {
  const mail = `  - { name: mail, address: 10.0.1.101, port: 25, backends: [{ name: m, address: 10.0.1.13 }] }\n`;
  const [vip, health] = changes(`controller: { health: { interval: 2s } }\n${before}${mail}`);
  expect(health).toBe('+ controller, health: { interval: 2s }');
  expect(vip).toBe(
    '+ vip mail: { name: mail, address: 10.0.1.101, port: 25, backends: [{ name: m, address: 10.0.1.13 }] }',
  );
});
