// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { parseStf, type Statement, stfLimits } from './stf.ts';

function statementsOf(text: string): Statement[] {
  const parsed = parseStf(text);
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.statements;
}

function problemsOf(text: string): string[] {
  const parsed = parseStf(text);
  return 'problems' in parsed
    ? parsed.problems.map(({ line, column, message }) => `${line}:${column} ${message}`)
    : [];
}

describe('a statement', () => {
  it('add has a table, a priority, keys and an action', () => {
    expect(statementsOf('add t.x 7 a:0x1*2 b[3].c:10/8 "d e":0b01 f.go(port:0o17, b:2) = L')).toEqual([
      {
        line: 1,
        kind: 'add',
        table: 't.x',
        priority: 7,
        key: [
          { name: 'a', value: { text: '0x1*2', value: 0x102n, mask: 0xf0fn }, prefixLength: undefined },
          { name: 'b[3].c', value: { text: '10', value: 10n, mask: undefined }, prefixLength: 8 },
          { name: 'd e', value: { text: '0b01', value: 1n, mask: 3n }, prefixLength: undefined },
        ],
        action: {
          name: 'f.go',
          arguments: [
            { name: 'port', value: { text: '0o17', value: 15n, mask: 0o77n } },
            { name: 'b', value: { text: '2', value: 2n, mask: undefined } },
          ],
        },
        label: 'L',
      },
    ]);
  });

  it('packet and expect take hex with blanks, and numbers before it are decimal', () => {
    expect(statementsOf('packet 10 0A 0b0C\nexpect 11 0a*b $ # end\nexpect 1\nexpect 2 $')).toEqual([
      { line: 1, kind: 'packet', port: 10, data: '0A0b0C' },
      { line: 2, kind: 'expect', port: 11, data: '0a*b', isExact: true },
      { line: 3, kind: 'expect', port: 1, data: undefined, isExact: false },
      { line: 4, kind: 'expect', port: 2, data: '', isExact: true },
    ]);
  });

  it('may be in capitals, after blanks, and on Windows', () => {
    expect(statementsOf('  WAIT\r\n\r\nNo_Packet\r\nREMOVE ALL\r\n')).toEqual([
      { line: 1, kind: 'wait' },
      { line: 3, kind: 'no-packet' },
      { line: 4, kind: 'remove-all' },
    ]);
  });

  it('check_counter may compare or only look', () => {
    expect(statementsOf('check_counter c($A)\ncheck_counter c(3) bytes <= 0x10')).toEqual([
      { line: 1, kind: 'check-counter', counter: 'c', cell: 'A' },
      {
        line: 2,
        kind: 'check-counter',
        counter: 'c',
        cell: 3,
        check: { unit: 'bytes', comparison: '<=', number: 16n },
      },
    ]);
  });
});

describe('what is wrong is said with its line and column', () => {
  it.each([
    ['ad t k:1 a()', "1:1 there is no command 'ad'"],
    ['constructor x', "1:1 there is no command 'constructor'"],
    ['add t k:1', '1:10 expected the name of a key field or an action (the line ends)'],
    ['add t k:x a()', "1:9 expected a value (found 'x a()')"],
    ['add t k:1 a(p:1', "1:16 expected ')' or ',' (the line ends)"],
    ['add t k:1 a() b', "1:15 the line should end here (found 'b')"],
    ['packet 0x1 00', "1:8 expected a port (found '0x1 00')"],
    ['packet 1 0a0', '1:10 a packet is whole bytes, this is 3 hex digits'],
    ['packet 1 xyz', "1:10 expected the packet in hex (found 'xyz')"],
    ['packet 99999999999 00', '1:8 99999999999 is more than 32 bits'],
    ['expect 1 0a $ 0b', "1:15 the line should end here (found '0b')"],
    ['remove t', "1:8 expected 'all': single entries cannot be removed"],
    ['check_counter c(1) packets = 2', '1:28 expected a comparison'],
    ['mirroring_add 1 0x*', '1:17 0x*: wildcards have no meaning here'],
    ['mc_node_create 1', '1:17 expected a port (the line ends)'],
    ['wait\nwait 5', "2:6 the line should end here (found '5')"],
  ])('%s', (text, problem) => {
    expect(problemsOf(text)).toEqual([expect.stringContaining(problem)]);
  });

  it('all of it, up to a limit', () => {
    expect(problemsOf('x\nwait\ny')).toHaveLength(2);
    expect(problemsOf('x\n'.repeat(100))).toHaveLength(stfLimits.problemsMax);
    expect(problemsOf('\n'.repeat(stfLimits.linesMax))).toEqual([
      `${stfLimits.linesMax + 1}:1 ${stfLimits.linesMax + 1} lines; at most ${stfLimits.linesMax} are read`,
    ]);
    expect(problemsOf(`packet 1 ${'00'.repeat(stfLimits.packetBytesMax + 1)}`)).toEqual([
      expect.stringContaining('at most 10240'),
    ]);
  });
});
