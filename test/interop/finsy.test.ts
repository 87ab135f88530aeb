// SPDX-License-Identifier: Apache-2.0
/** A controller that is not ours: finsy, by Bill Fisher, drives the embedded switch. */
import { describe, expect, test } from 'vitest';
import { driveSwitch, preparePython, scriptTimeoutMs } from './python-client.ts';

const prepared = await preparePython({
  name: 'finsy',
  packages: ['finsy==0.30.0'],
  module: 'finsy',
  variable: 'EVENKEEL_FINSY_PYTHON',
});
const reason = 'missing' in prepared ? ` (skipped: ${prepared.missing})` : '';

describe.skipIf('missing' in prepared)(`finsy${reason}`, () => {
  test('drives the embedded switch', { timeout: scriptTimeoutMs + 10_000 }, async () => {
    if (!('python' in prepared)) throw new Error('this test is skipped');
    const { lines, errors } = await driveSwitch(prepared.python, 'finsy_client.py');
    expect(lines, errors).toEqual([
      'ok a batch is written, read back with wildcards, and refused the second time',
      'ok counters count',
      'ok packet-out and packet-in',
      'ok a digest list',
      'ok an idle timeout',
      'ok after delete_all only constant entries are left',
      'ok a second controller takes over, and finds the program in place',
    ]);
  });
});
