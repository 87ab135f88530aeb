// SPDX-License-Identifier: Apache-2.0
/**
 * A controller that is not ours: p4runtime-shell, in Python, drives the embedded switch. It is installed from PyPI once
 * and kept under node_modules/.cache; EVENKEEL_P4RUNTIME_SHELL_PYTHON names a Python that has it already.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { startSwitch } from '../../switch/server/switch.ts';

const pathOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const testdata = '../../switch/server/testdata';
// p4runtime-shell does not say that newer ones do not work with it.
const packages = ['p4runtime-shell==0.0.6', 'p4runtime==1.4.1', 'protobuf==3.20.3', 'setuptools<81'];
const installTimeoutMs = 120_000;
const scriptTimeoutMs = 60_000;

const run = promisify(execFile);

/** @returns a Python with p4runtime-shell, or why there is none */
async function preparePython(): Promise<{ python: string } | { missing: string }> {
  const given = process.env.EVENKEEL_P4RUNTIME_SHELL_PYTHON;
  if (given !== undefined) return { python: given };
  const folder = pathOf('../../node_modules/.cache/evenkeel/p4runtime-shell');
  const python = `${folder}/bin/python`;
  try {
    if (existsSync(python)) await run(python, ['-c', 'import p4runtime_sh.shell']);
    else {
      await run('python3', ['-m', 'venv', folder]);
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1'];
      await run(python, [...pip, '--timeout', '10', ...packages], { timeout: installTimeoutMs });
    }
    return { python };
  } catch (cause) {
    // The next run tries again.
    rmSync(folder, { recursive: true, force: true });
    const lines = (cause as Error).message.trim().split('\n');
    return { missing: lines.findLast((line) => line.trim() !== '') ?? 'python3 cannot be run' };
  }
}

const prepared = await preparePython();
const reason = 'missing' in prepared ? ` (skipped: ${prepared.missing})` : '';

describe.skipIf('missing' in prepared)(`p4runtime-shell${reason}`, () => {
  test('drives the embedded switch', { timeout: scriptTimeoutMs + 10_000 }, async () => {
    const p4info = pathOf(`${testdata}/features.p4info.txtpb`);
    const json = pathOf(`${testdata}/features.json`);
    const running = await startSwitch({ deviceId: 1n, grpcAddress: '127.0.0.1:0', cpuPort: 510 });
    try {
      const { lines, errors } = await runScript([running.address, p4info, json], (port, frame) =>
        running.inject(port, frame),
      );
      expect(lines, errors).toEqual([
        'ok arbitration, pipeline config and capabilities',
        'ok exact, lpm, ternary, range, optional and default entries',
        'ok indirect and direct counters',
        'ok multicast groups and clone sessions',
        'ok packet-out and packet-in',
        'ok digests',
        'ok teardown',
      ]);
    } finally {
      await running.close();
    }
  });
});

async function runScript(args: readonly string[], inject: (port: number, frame: Uint8Array) => void) {
  if (!('python' in prepared)) throw new Error('this test is skipped');
  const child = spawn(prepared.python, [pathOf('p4runtime-shell.py'), ...args], { timeout: scriptTimeoutMs });
  const exited = new Promise<void>((resolve) => child.on('close', () => resolve()));
  let errors = '';
  child.stderr.on('data', (piece: Buffer) => {
    errors += piece.toString();
  });
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    const [, port, frame] = /^inject (\d+) ([0-9a-f]+)$/.exec(line) ?? [];
    if (line.startsWith('ok ')) lines.push(line);
    else if (frame !== undefined) inject(Number(port), Buffer.from(frame, 'hex'));
  }
  await exited;
  return { lines, errors };
}
