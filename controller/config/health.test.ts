// SPDX-License-Identifier: Apache-2.0
/** What `health` of a vip and `controller.health` mean, and what is wrong with them. */
import { describe, expect, it } from 'vitest';
import { healthDefaults } from '../core/health.ts';
import type { VipHealth } from './health.ts';
import { parseConfig } from './parse.ts';
import { formatProblem } from './problem.ts';

function read(health: string, common = ''): VipHealth[] | string[] {
  const parsed = parseConfig(`${common === '' ? '' : `controller: { health: ${common} }\n`}network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24 }
vips:
  - name: web
    address: 10.0.1.100
    port: 80
    health: ${health}
  - { name: unchecked, address: 10.0.1.101, port: 80 }
`);
  if ('problems' in parsed) return parsed.problems.map((problem) => formatProblem(problem, 'f'));
  return [...parsed.config.health];
}

describe('the health of a vip', () => {
  it.each([
    ['{ check: tcp }', { kind: 'tcp' }],
    [
      '{ check: http }',
      {
        kind: 'http',
        tls: false,
        verify: true,
        path: '/',
        host: undefined,
        body: undefined,
        statuses: [{ least: 200, most: 399 }],
      },
    ],
    [
      '{ check: https, path: /up?q=1, host: shop.example, status: [204, 300-302], body: well, verify: false }',
      {
        kind: 'http',
        tls: true,
        verify: false,
        path: '/up?q=1',
        host: 'shop.example',
        body: 'well',
        statuses: [
          { least: 204, most: 204 },
          { least: 300, most: 302 },
        ],
      },
    ],
    ['{ check: udp }', { kind: 'udp', send: new Uint8Array(), expect: undefined }],
    [
      "{ check: udp, send: PING, expect: 'hex:50 4f' }",
      { kind: 'udp', send: Uint8Array.of(80, 73, 78, 71), expect: Uint8Array.of(80, 79) },
    ],
    ['{ check: grpc, service: cart.v1.Cart }', { kind: 'grpc', service: 'cart.v1.Cart' }],
    ['{ check: command, command: [/bin/check, -q] }', { kind: 'command', argv: ['/bin/check', '-q'] }],
  ])('%s says what is asked', (text, check) => {
    expect(read(text)).toEqual([{ vip: 'web', check, port: undefined, options: healthDefaults }]);
  });

  it('wants what it says, else what the controller says, else the defaults', () => {
    const own = '{ check: tcp, port: 8081, interval: 500ms, floor: 30%, flapping: { half_life: 1m } }';
    const common = '{ interval: 5s, rise: 1, flapping: { suppress_above: 3000 } }';
    const [health] = read(own, common) as VipHealth[];
    expect(health?.port).toBe(8081);
    expect(health?.options).toEqual({
      ...healthDefaults,
      intervalMs: 500,
      timeoutMs: 500,
      rise: 1,
      floor: 0.3,
      damping: { ...healthDefaults.damping, suppressAbove: 3_000, halfLifeMs: 60_000 },
    });
  });

  it('need not hold out what flaps', () => {
    const [health] = read('{ check: tcp, flapping: { hold: false } }') as VipHealth[];
    expect(health?.options.damping).toBeUndefined();
  });

  it.each([
    [
      '{ check: ping }',
      "check: 'ping' is not known here; expected one of tcp, http, https, udp, grpc, command",
    ],
    ['{ check: tcp, path: /x }', 'path: is of no use to a check by tcp; expected no such key'],
    ['{ check: udp, verify: true }', 'verify: is of no use to a check by udp; expected one of send, expect'],
    ['{ check: tcp, floor: 0.5 }', 'floor: 0.5 is not a percentage; expected a share from 0% to 100%'],
    ['{ check: tcp, floor: 120% }', 'floor: 120% is out of range; expected a share from 0% to 100%'],
    ['{ check: http, status: 2xx }', "status: '2xx' is not an HTTP status; expected a status, a range"],
    ['{ check: http, path: up }', "path: 'up' is not a path; expected one that begins with a slash"],
    ["{ check: udp, send: 'hex:5' }", "send: 'hex:5' is not hexadecimal; expected text, or hex:"],
    ['{ check: command }', 'command: is missing; expected a list of words'],
    ['{ check: tcp, fal: 2 }', "health: 'fal' is not known here; expected 'fall'"],
    [
      '{ check: tcp, interval: 1s, timeout: 2s }',
      'timeout: a timeout of 2000 ms is longer than the interval of 1000 ms',
    ],
    [
      '{ check: tcp, flapping: { reuse_below: 5000 } }',
      'flapping: reuse_below 5000 is not below suppress_above 2000; expected a lower one',
    ],
  ])('%s is refused', (text, message) => {
    // That there are no backends is another matter.
    const problems = read(text).filter((problem) => String(problem).includes(': error: '));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(message);
  });
});
