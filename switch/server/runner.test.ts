// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { outputLimits, Runner } from './runner.ts';

const wire = readFileSync(new URL('testdata/wire.json', import.meta.url), 'utf8');

function runnerOf(packetDumpBytes: number | undefined): Runner {
  const runner = new Runner({
    cpuPort: 5,
    dropPort: 511,
    packetDumpBytes,
    nowMicros: () => 0,
    send: () => {},
  });
  runner.stage(wire);
  runner.commit();
  return runner;
}

test('packets are dumped as they come and go, in the words of BMv2', () => {
  const runner = runnerOf(3);
  runner.process(1, Uint8Array.of(0xab, 0xcd, 0, 0xff));
  runner.process(5, Uint8Array.of(0x12));
  expect(runner.takeOutput().packetDump).toEqual([
    'Received packet of length 4 on port 1: abcd00',
    'Sending packet of length 4 on port 2: abcd00',
    'Received packet of length 1 on port 5: 12',
    'Sending packet-in of length 1 on port 5: 12',
  ]);
});

test('without being asked for, nothing is dumped', () => {
  const runner = runnerOf(undefined);
  runner.process(1, Uint8Array.of(1));
  expect(runner.hasOutput).toBe(false);
});

test('lines that nobody takes are counted and dropped', () => {
  const runner = runnerOf(1);
  for (let index = 0; index <= outputLimits.packetDumpMax / 2; index++) runner.process(1, Uint8Array.of(1));
  const { packetDump, lost } = runner.takeOutput();
  expect(packetDump.length).toBe(outputLimits.packetDumpMax);
  expect(lost).toBe(2);
});
