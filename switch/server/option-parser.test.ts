// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { type OptionSpec, parseOptions } from './option-parser.ts';

const specs: readonly OptionSpec[] = [
  { name: 'interface', short: 'i', value: 'NAME', repeats: true },
  { name: 'help', short: 'h' },
  { name: 'log-file', value: 'NAME' },
  { name: 'log-file-max-size', value: 'BYTES' },
  { name: 'pcap', value: 'DIRECTORY', impliedValue: '.' },
];

const parse = (text: string) => {
  const { given, words, problems } = parseOptions(specs, text.split(' '));
  return { ...Object.fromEntries(given), words: words.join(' '), problems };
};

test.each([
  ['--interface a -i b -ic --interface=d', { interface: ['a', 'b', 'c', 'd'] }],
  ['--log-file-max=5 --inter a', { 'log-file-max-size': ['5'], interface: ['a'] }],
  // A name that is whole is not the beginning of another.
  ['--log-file x', { 'log-file': ['x'] }],
  ['-hi a', { help: [''], interface: ['a'] }],
  ['--log-file=', { 'log-file': [''] }],
  ['--pcap', { pcap: ['.'] }],
  ['--pcap -h', { pcap: ['.'], help: [''] }],
  ['--pcap here there', { pcap: ['here'], words: 'there' }],
  ['one -h two', { help: [''], words: 'one two' }],
])('%s', (text, expected) => {
  expect(parse(text)).toEqual({ words: '', problems: [], ...expected });
});

test.each([
  ['--what', 'unknown option --what'],
  ['-x', 'unknown option -x'],
  ['-hx', 'unknown option -x'],
  ['--log x', '--log may mean --log-file or --log-file-max-size'],
  ['--log-file', '--log-file needs a value: NAME'],
  ['-i -h', '-i needs a value: NAME'],
  ['--help=yes', '--help takes no value'],
  ['--log-file a --log-file b', '--log-file is given twice'],
])('%s is wrong: %s', (text, problem) => {
  expect(parse(text).problems).toEqual([problem]);
});
