// SPDX-License-Identifier: Apache-2.0
/**
 * Controllers that are not ours, in Python. Each is installed from PyPI once, into node_modules/.cache, and drives an
 * embedded switch by a script that stands beside its test.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startSwitch } from '../../switch/server/switch.ts';

export interface PythonClient {
  /** Of its folder in the cache. */
  name: string;
  /** What pip is to install, in versions that work with each other. */
  packages: readonly string[];
  /** A module that is there when all is. */
  module: string;
  /** Names a Python that has it already. */
  variable: string;
}

const installTimeoutMs = 120_000;
export const scriptTimeoutMs = 60_000;

const run = promisify(execFile);
const pathOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const testdata = '../../switch/server/testdata';

/** @returns a Python with the client, or why there is none */
export async function preparePython(client: PythonClient): Promise<{ python: string } | { missing: string }> {
  const given = process.env[client.variable];
  if (given !== undefined) return { python: given };
  const folder = pathOf(`../../node_modules/.cache/evenkeel/${client.name}`);
  const python = `${folder}/bin/python`;
  try {
    if (existsSync(python)) await run(python, ['-c', `import ${client.module}`]);
    else {
      await run('python3', ['-m', 'venv', folder]);
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1'];
      await run(python, [...pip, '--timeout', '10', ...client.packages], { timeout: installTimeoutMs });
    }
    return { python };
  } catch (cause) {
    // The next run tries again.
    rmSync(folder, { recursive: true, force: true });
    const lines = (cause as Error).message.trim().split('\n');
    return { missing: lines.findLast((line) => line.trim() !== '') ?? 'python3 cannot be run' };
  }
}

/**
 * Lets a script drive a fresh switch: `SCRIPT ADDRESS P4INFO JSON`, device 1, CPU port 510, features.p4. The script asks
 * for packets by printing `inject PORT HEX`.
 *
 * @returns its lines that begin with `ok`, and what it wrote to stderr
 */
export async function driveSwitch(
  python: string,
  script: string,
): Promise<{ lines: string[]; errors: string }> {
  const running = await startSwitch({ deviceId: 1n, grpcAddress: '127.0.0.1:0', cpuPort: 510 });
  try {
    const files = [`${testdata}/features.p4info.txtpb`, `${testdata}/features.json`].map(pathOf);
    const child = spawn(python, [pathOf(script), running.address, ...files], { timeout: scriptTimeoutMs });
    const exited = new Promise<void>((resolve) => child.on('close', () => resolve()));
    let errors = '';
    child.stderr.on('data', (piece: Buffer) => {
      errors += piece.toString();
    });
    const lines: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      const [, port, frame] = /^inject (\d+) ([0-9a-f]+)$/.exec(line) ?? [];
      if (line.startsWith('ok ')) lines.push(line);
      else if (frame !== undefined) running.inject(Number(port), Buffer.from(frame, 'hex'));
    }
    await exited;
    return { lines, errors };
  } finally {
    await running.close();
  }
}
