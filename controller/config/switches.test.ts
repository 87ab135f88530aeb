// SPDX-License-Identifier: Apache-2.0
/** One switch by `switch`, a group by `switches`. */
import { describe, expect, it } from 'vitest';
import { parseConfig } from './parse.ts';
import { formatProblem } from './problem.ts';

const rest = `network:
  interfaces:
    - { port: 1, address: 10.0.1.1/24 }
vips: []
`;

function switchesOf(text: string): string[] {
  const parsed = parseConfig(`${text}${rest}`);
  if ('problems' in parsed) return parsed.problems.map((problem) => formatProblem(problem, 'f'));
  return parsed.config.switches.map(
    ({ name, address, deviceId }) => `${name}: device ${deviceId} at ${address.host}, port ${address.port}`,
  );
}

describe('the switches of a configuration', () => {
  it.each([
    ['nothing is said', '', ['127.0.0.1:9559: device 1 at 127.0.0.1, port 9559']],
    ['one is named', 'switch: { address: s1:9559, device_id: 7 }\n', ['s1:9559: device 7 at s1, port 9559']],
    [
      'many are named',
      'switches:\n  - { name: left, address: 10.0.9.1:9559 }\n  - { name: right, address: 10.0.9.2:9559, device_id: 2 }\n',
      ['left: device 1 at 10.0.9.1, port 9559', 'right: device 2 at 10.0.9.2, port 9559'],
    ],
  ])('are known when %s', (_, text, switches) => {
    expect(switchesOf(text)).toEqual(switches);
  });

  it.each([
    [
      'both ways at once',
      'switch: { device_id: 7 }\nswitches:\n  - { name: a, address: s1:9559 }\n',
      [
        "f:3:3: error: switches: there is a section 'switch' already; expected 'switch' for one, or 'switches' for many",
      ],
    ],
    [
      'an empty list',
      'switches: []\n',
      ['f:1:11: error: switches: there is no switch; expected at least one'],
    ],
    [
      'a switch that is named twice',
      'switches:\n  - { name: a, address: s1:9559 }\n  - { name: a, address: s1:9559 }\n',
      [
        "f:3:13: error: switches[1].name: 'a' is the name of another switch; expected a name of its own",
        "f:3:25: error: switches[1].address: device 1 at s1:9559 is switch 'a' already; expected another switch",
      ],
    ],
    [
      'a switch without an address',
      'switches:\n  - { name: a }\n',
      ['f:2:5: error: switches[0].address: is missing; expected HOST:PORT, such as 127.0.0.1:9559'],
    ],
    [
      'a key that no switch has',
      'switches:\n  - { name: a, address: s1:9559, interfaces: {} }\n',
      [
        "f:2:34: error: switches[0]: 'interfaces' is not known here; expected one of name, address, device_id",
      ],
    ],
  ])('have %s as a problem', (_, text, problems) => {
    expect(switchesOf(text)).toEqual(problems);
  });
});
