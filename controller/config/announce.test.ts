// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { parseConfig } from './parse.ts';
import { formatProblem } from './problem.ts';

function parse(announce: string) {
  const parsed = parseConfig(`network: { interfaces: [] }\nvips: []\n${announce}`);
  if ('config' in parsed) return parsed.config.announce;
  return parsed.problems.map((problem) => formatProblem(problem, 'f'));
}

describe('announce', () => {
  it('is nobody unless the file says so', () => expect(parse('')).toBeUndefined());

  it("finds BIRD where Debian's package has it", () => {
    expect(parse('announce: { speaker: bird }')).toEqual({
      speaker: { kind: 'bird', file: '/etc/bird/evenkeel.conf', control: '/run/bird/bird.ctl' },
      isDraining: false,
      withdrawBelow: 0,
    });
  });

  it('takes one FRR of several, and a balancer that drains', () => {
    expect(
      parse('announce: { speaker: frr, pathspace: blue, tag: 7, drain: true, withdraw_below: 25% }'),
    ).toEqual({
      speaker: { kind: 'frr', vtysh: 'vtysh', pathspace: 'blue', tag: 7 },
      isDraining: true,
      withdrawBelow: 0.25,
    });
  });

  it.each([
    ['announce: {}', 'announce.speaker: is missing; expected one of bird, frr'],
    ['announce: { speaker: quagga }', "'quagga' is not known here; expected one of bird, frr"],
    [
      'announce: { speaker: bird, tag: 3 }',
      'announce.tag: is of no use to bird; expected one of file, control',
    ],
    ['announce: { speaker: bird, file: a.conf }', "'a.conf' is not a path from the root"],
    ['announce: { speaker: bird, drain: maybe }', "'maybe' is not known here; expected one of true, false"],
    ['announce: { speaker: bird, withdraw_below: 0.5 }', '0.5 is not a percentage'],
    ['announce: { speaker: frr, pathspace: ../x }', "'../x' is not a pathspace"],
    ['announce: { speaker: frr, pathspaces: x }', "expected 'pathspace'"],
  ])('%s is a problem', (text, words) => {
    expect(parse(text)).toEqual([expect.stringContaining(words)]);
  });
});
