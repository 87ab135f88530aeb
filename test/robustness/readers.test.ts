// SPDX-License-Identifier: Apache-2.0
/** Commands whose output nobody reads any more. They run as users start them, from what `npm run build` has made. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { until } from './support.ts';

const script = fileURLToPath(new URL('../../dist/cli/evenkeel.js', import.meta.url));
const reason = existsSync(script) ? undefined : 'nothing has been built: npm run build';

let child: ChildProcessWithoutNullStreams | undefined;
afterEach(() => child?.kill('SIGKILL'));

/** @returns what it complains of, and how it has ended */
function unread(...args: string[]) {
  const started = spawn(process.execPath, [script, ...args]);
  child = started;
  started.stdout.destroy();
  let errors = '';
  started.stderr.on('data', (data) => (errors += data));
  const ended = new Promise<number | string>((resolve) =>
    started.on('exit', (code, signal) => resolve(code ?? signal!)),
  );
  return { errors: () => errors, ended };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await until(() => server.listening);
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

describe.skipIf(reason)(`whose reader has gone${reason ? ` (${reason})` : ''}`, () => {
  test('a command that answers ends without a word', async () => {
    const { errors, ended } = unread('--help');
    expect(await ended).toBe(0);
    expect(errors()).toBe('');
  });

  test('a controller goes on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-unread-'));
    const [admin, nobody] = [await freePort(), await freePort()];
    const file = join(folder, 'evenkeel.yaml');
    const text =
      `controller: { listen: '127.0.0.1:${admin}' }\nswitch: { address: '127.0.0.1:${nobody}' }\n` +
      'network: { interfaces: [{ port: 1, address: 10.0.0.1/24 }] }\n' +
      'vips: [{ name: web, address: 10.0.0.100, port: 80, backends: [{ name: a, address: 10.0.0.11 }] }]\n';
    writeFileSync(file, text);
    const { errors } = unread('controller', '-c', file);
    const log = (): Promise<string> =>
      fetch(`http://127.0.0.1:${admin}/api/v1/events`).then(
        (answer) => answer.text(),
        () => '',
      );
    await until(async () => (await log()).includes('the controller runs'));
    writeFileSync(file, `${text}# changed\n`);
    child!.kill('SIGHUP');
    await until(async () => (await log()).includes('the configuration was read again'));
    expect(await (await fetch(`http://127.0.0.1:${admin}/healthz`)).text()).toBe('alive\n');
    expect(errors()).toBe('');
    rmSync(folder, { recursive: true });
  });
});
