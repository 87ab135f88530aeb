// SPDX-License-Identifier: Apache-2.0
/** A controller that is not ours: p4runtime-shell, of p4lang, drives the embedded switch. */
import { describe, expect, test } from 'vitest';
import { driveSwitch, preparePython, scriptTimeoutMs } from './python-client.ts';

const prepared = await preparePython({
  name: 'p4runtime-shell',
  // p4runtime-shell does not say that newer ones do not work with it.
  packages: ['p4runtime-shell==0.0.6', 'p4runtime==1.4.1', 'protobuf==3.20.3', 'setuptools<81'],
  module: 'p4runtime_sh.shell',
  variable: 'EVENKEEL_P4RUNTIME_SHELL_PYTHON',
});
const reason = 'missing' in prepared ? ` (skipped: ${prepared.missing})` : '';

describe.skipIf('missing' in prepared)(`p4runtime-shell${reason}`, () => {
  test('drives the embedded switch', { timeout: scriptTimeoutMs + 10_000 }, async () => {
    if (!('python' in prepared)) throw new Error('this test is skipped');
    const { lines, errors } = await driveSwitch(prepared.python, 'p4runtime_shell_client.py');
    expect(lines, errors).toEqual([
      'ok arbitration, pipeline config and capabilities',
      'ok exact, lpm, ternary, range, optional and default entries',
      'ok indirect and direct counters',
      'ok multicast groups and clone sessions',
      'ok packet-out and packet-in',
      'ok digests',
      'ok teardown',
    ]);
  });
});
