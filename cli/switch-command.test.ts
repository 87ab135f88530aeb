// SPDX-License-Identifier: Apache-2.0
/** A switch by simple_switch_grpc's command line: what it prints, and how it ends. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandError, exitCodes } from './exit-code.ts';
import { runSwitch } from './switch-command.ts';
import type { Terminal } from './terminal.ts';

let out: string;
let err: string;
let stop: AbortController;
let onListening: () => void;
let folder: string;

beforeEach(() => {
  [out, err] = ['', ''];
  stop = new AbortController();
  onListening = () => stop.abort();
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-switch-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function run(line: string): Promise<void> {
  const terminal: Terminal = {
    out: (text) => {
      out += text;
      if (text.startsWith('Server listening')) onListening();
    },
    err: (text) => (err += text),
    isScreen: false,
    env: {},
    stop: stop.signal,
    onHangup: () => {},
  };
  return runSwitch(line.split(' '), terminal);
}

async function failureOf(line: string): Promise<CommandError> {
  const failure = await run(line).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(failure instanceof CommandError)) throw new Error(`${line}: ${failure}`);
  return failure;
}

describe('evenkeel-switch-grpc', () => {
  it('serves until it is told to stop, and says what it ignores', async () => {
    await run('--no-p4 --thrift-port 9090 -- --grpc-server-addr 127.0.0.1:0 --cpu-port 510');
    expect(out).toMatch(/^Server listening on 127\.0\.0\.1:\d+\n$/);
    expect(err).toBe('ignored --thrift-port: there is no Thrift server\n');
  });

  it('says where the dataplane listens', async () => {
    await run('--no-p4 -- --grpc-server-addr 127.0.0.1:0 --dp-grpc-server-addr 127.0.0.1:0');
    expect(out).toMatch(/\nDataplane listening on 127\.0\.0\.1:\d+\n$/);
  });

  it('names its interfaces, and logs to a file', async () => {
    const log = join(folder, 's1');
    const wire = new URL('../switch/server/testdata/wire.json', import.meta.url).pathname;
    const done = /every capture has been replayed/;
    onListening = () => {
      const timer = setInterval(() => {
        if (!done.test(readFileSync(`${log}.txt`, 'utf8'))) return;
        clearInterval(timer);
        stop.abort();
      }, 10);
    };
    await run(`-i 1@${folder}/a --use-files 0 --log-file ${log} ${wire} -- --grpc-server-addr 127.0.0.1:0`);
    expect(out).toMatch(/^Adding interface .*\/a as port 1 \(files\)\nServer listening/);
    expect(readFileSync(`${log}.txt`, 'utf8')).toMatch(
      /^\[[\d:.]+\] \[bmv2\] \[I\] \[thread \d+\] .*replayed\n$/m,
    );
  });

  it('answers questions', async () => {
    await run('--json-version');
    expect(out).toMatch(/^2\.\d+\n$/);
    await run('--version');
    await run('--help');
    expect(out).toMatch(/--grpc-server-addr/);
  });

  it.each([
    ['--no-p4 --what', exitCodes.usage, /unknown option --what/],
    ['nowhere.json', exitCodes.failed, /nowhere\.json cannot be read/],
    ['--no-p4 --log-file /nowhere/x', exitCodes.failed, /ENOENT/],
    ['package.json -- --grpc-server-addr 127.0.0.1:0', exitCodes.failed, /the program cannot be loaded/],
    ['--no-p4 -- --grpc-server-addr 203.0.113.1:1', exitCodes.failed, /cannot listen on 203\.0\.113\.1:1/],
  ])('ends with an error: %s', async (line, code, message) => {
    const failure = await failureOf(line);
    expect(failure.exitCode).toBe(code);
    expect(failure.message).toMatch(message);
  });
});
