// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runStf } from './runner.ts';

const read = (name: string) => readFileSync(new URL(`testdata/${name}`, import.meta.url), 'utf8');
const json: unknown = JSON.parse(read('forward.json'));
const stf = read('forward.stf');

/** forward.stf with one line changed. */
function changed(from: string, to: string): string {
  const text = stf.replace(from, to);
  if (text === stf) throw new Error(`forward.stf has no '${from}'`);
  return text;
}

describe('forward.stf', () => {
  it('passes', () => {
    const expected = stf.split('\n').filter((line) => line.startsWith('expect')).length;
    const packets = stf.split('\n').filter((line) => line.startsWith('packet')).length;
    expect(runStf(json, stf)).toEqual({ outcome: 'passed', packets, expected, diagnostics: [] });
  });

  it.each([
    ['a byte differs', 'expect 2 00 0A000001 00 0000 $', 'expect 2 00 0A000002 00 0000 $', 'byte 4 differs'],
    [
      'a packet goes on',
      'expect 3 00 0a01**** 00',
      'expect 3 00 0a01**** 00 $',
      'the packet goes on after 6 bytes',
    ],
    ['a packet ends', 'expect 9 02', `expect 9 02${'*'.repeat(16)}`, 'the packet ends after 8 bytes'],
    ['a packet is missing', 'expect 4', 'expect 4\nexpect 4', 'expects packet 2, but 1 left'],
    ['a packet is not expected', 'expect 4', '', 'port 4: 1 packets left, 0 are expected'],
    [
      'order differs',
      'expect 6 01 0a000001 00 0077\nexpect 6 01 0a000001 00 0088',
      'expect 6 01 0a000001 00 0088\nexpect 6 01 0a000001 00 0077',
      'port 6: line',
    ],
    ['silence is broken', 'expect 4', 'expect 4\nno_packet', 'made 1 leave, not none'],
    ['a direct counter', 'TEN) bytes == 8', 'TEN) bytes > 8', 'route_hits(TEN) has 8 bytes, not > 8'],
    [
      'a counter',
      'arrivals(1) packets >= 4',
      'arrivals(1) packets != 4',
      'arrivals(1) has 4 packets, not != 4',
    ],
    ['a priority', 'add labels 10', 'add labels 30', 'byte 6 differs'],
    ['a prefix length', '0x0a000000/8', '0x0a000000/32', 'port 2: line'],
    ['a register', 'register_write traces 2 0xabcd', 'register_write traces 2 0xabce', 'byte 7 differs'],
    ['a node', 'mc_node_update 1 8', 'mc_node_update 1 7', 'port 7: line'],
  ])('fails when %s', (_words, from, to, difference) => {
    const result = runStf(json, changed(from, to));
    expect(result).toMatchObject({
      outcome: 'failed',
      differences: expect.arrayContaining([expect.stringContaining(difference)]),
    });
  });
});

describe('meters', () => {
  const path = new URL('../engine/testdata/meters.json', import.meta.url);
  const metered: unknown = JSON.parse(readFileSync(path, 'utf8'));
  const frame = '000000000001 000000000002 0001';
  const send = (colour: string) => `packet 1 ${frame} ff 00 00 00\nexpect 510 ${frame} ${colour}`;

  it.each([
    ['one cell', 'meter_set_rates frames 1 0.000001:2 0.000001:3\nmeter_get_rates frames 1'],
    ['every cell', 'meter_array_set_rates frames 0.000001:2 0.000001:3'],
  ])('have two rates: %s', (_words, setting) => {
    // One a second; the bursts let two pass green, and one more yellow.
    const colours = [send('00'), send('00'), send('01'), send('02'), 'wait', send('00'), send('02')];
    expect(runStf(metered, [setting, ...colours].join('\n'))).toMatchObject({ outcome: 'passed' });
  });

  it.each([
    ['meter_set_rates frames 4 1:1 2:2', 'has 4 cells'],
    ['meter_set_rates frames 0 2:1 1:2', 'the peak rate, the second, is below the committed rate'],
    ['meter_get_rates entry_frames 0', 'meters entries; it has no indexes'],
    ['meter_set_rates frames 0 1:1', 'expected a rate per microsecond'],
    ['meter_set_rates frames 0 1 2', "expected ':' and the burst"],
  ])('%s', (text, problem) => {
    expect(runStf(metered, text)).toEqual({
      outcome: 'invalid',
      problems: [expect.stringContaining(problem)],
    });
  });
});

it('an entry with an action profile cannot be written', () => {
  const path = new URL('../engine/testdata/selectors.json', import.meta.url);
  const selecting: unknown = JSON.parse(readFileSync(path, 'utf8'));
  expect(runStf(selecting, 'add by_hop target:1 drop()')).toEqual({
    outcome: 'invalid',
    problems: [expect.stringContaining('whose members STF cannot write')],
  });
});

describe('what does not fit the program is refused with its line', () => {
  it.each([
    ['add rout target:1 drop()', "line 1: there is no table 'rout'; there are tbl_forward"],
    ['add s target:1 drop()', "line 1: table 's' may be SwitchIngress.routes, SwitchIngress.labels"],
    ['wait\nadd routes tar:1 drop()', "line 2: there is no key field 'tar'; there are hdr.frame.target"],
    ['add routes target:1 target:2 drop()', "'target' is given twice"],
    ['add routes target:0x1ffffffff drop()', '0x1ffffffff does not fit into the 32 bits'],
    ['add routes target:1/33 drop()', 'no prefix of 33'],
    ['add routes target:0x*1 drop()', 'must stand at its end'],
    ['add kinds kind:0x* drop()', "'kind' takes no wildcards"],
    ['add kinds kind:1/8 drop()', 'only LPM keys have a prefix length'],
    ['add kinds kind:1 forward(port:1)', "there is no action of SwitchIngress.kinds 'forward'"],
    ['add routes target:1 forward()', "needs its parameter 'port' once"],
    ['add routes target:1 forward(port:1, port:2)', "needs its parameter 'port' once"],
    ['add routes target:1 forward(port:1, to:2)', "has no parameter 'to'"],
    ['add routes target:1 forward(port:512)', '512 does not fit into the 9 bits'],
    ['add labels label:1 NoAction()', 'needs a priority'],
    ['add constant kind:1 NoAction()', 'the entries of SwitchIngress.constant are constant'],
    [
      'add kinds kind:1 drop()\nadd kinds kind:1 drop()',
      'line 2: SwitchIngress.kinds has an entry with this key',
    ],
    [
      [1, 2, 3, 4, 5].map((target) => `add routes target:${target} drop()`).join('\n'),
      'line 5: SwitchIngress.routes has room for 4',
    ],
    ['no_packet', 'follows the packet'],
    ['mc_node_associate 1 0', 'there is no node 0'],
    ['mc_node_create 1 1\nmc_node_associate 1 0', 'there is no multicast group 1'],
    ['mc_mgrp_create 1\nmc_mgrp_create 1', 'there is a group 1'],
    ['mirroring_add_mc 1 2', 'there is no multicast group 2'],
    ['mirroring_get 1', 'there is no clone session 1'],
    ['check_counter route_hits(0)', 'should be the label of one'],
    ['check_counter arrivals(X)', "has indexes, not 'X'"],
    ['check_counter arrivals(4)', 'has 4 cells'],
    ['counter_read route_hits 0', 'it has no indexes'],
    ['register_read traces 4', 'has 4 cells'],
    ['register_write traces 1 0x10000', '65536 does not fit into the 16 bits'],
    ['x', "line 1:1: there is no command 'x'"],
  ])('%s', (text, problem) => {
    expect(runStf(json, text)).toEqual({
      outcome: 'invalid',
      problems: [expect.stringContaining(problem)],
    });
  });

  it('a program that does not run here is refused with every reason', () => {
    expect(runStf({}, 'wait')).toEqual({ outcome: 'refused', problems: expect.any(Array) });
  });
});
