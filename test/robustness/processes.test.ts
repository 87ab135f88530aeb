// SPDX-License-Identifier: Apache-2.0
/**
 * The process itself, as users start it: signals, full disks, too few file descriptors, clients that are killed.
 * It runs the JavaScript of `npm run build`, so without that there is nothing to test.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, describe, expect, test } from 'vitest';
import { WriteRequestSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { Code } from '../../switch/server/refusal.ts';
import { index, TestClient } from '../../switch/server/testdata/harness.ts';
import { codec, entityOf, grpcFrame, RawClient, route, until } from './support.ts';

const script = fileURLToPath(new URL('../../dist/cli/evenkeel-switch-grpc.js', import.meta.url));
const reason = existsSync(script) ? undefined : 'nothing has been built: npm run build';

interface SwitchProcess {
  child: ChildProcess;
  address: string;
  dataplaneAddress: string;
  errors: () => string;
  /** Resolves with the exit code, or the signal. */
  exited: Promise<number | string>;
}

const started: SwitchProcess[] = [];
afterEach(async () => {
  for (const { child, exited } of started.splice(0)) {
    child.kill('SIGKILL');
    await exited;
  }
});

interface Start {
  /** Shell text before the command, such as `ulimit -n 40;`. */
  before?: string;
  /** And after it, such as `2>/dev/full`. */
  after?: string;
  grpcAddress?: string;
}

/** @returns when it listens, or has ended */
async function start({
  before = '',
  after = '',
  grpcAddress = '127.0.0.1:0',
}: Start = {}): Promise<SwitchProcess> {
  const targetOptions = `--grpc-server-addr ${grpcAddress} --dp-grpc-server-addr 127.0.0.1:0 --cpu-port 510`;
  const command = `${before} exec "${process.execPath}" "${script}" --no-p4 -- ${targetOptions} ${after}`;
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  let hasExited = false;
  const exited = new Promise<number | string>((resolve) => {
    child.on('exit', (code, signal) => {
      hasExited = true;
      resolve(code ?? signal!);
    });
  });
  const found = (what: string) => new RegExp(`${what} listening on (\\S+)`).exec(output)?.[1];
  await until(() => hasExited || found('Dataplane') !== undefined);
  const process_ = {
    child,
    address: found('Server') ?? '',
    dataplaneAddress: found('Dataplane') ?? '',
    errors: () => errors,
    exited,
  };
  started.push(process_);
  return process_;
}

/** A controller loads a program, writes and reads. */
async function expectServing({ address }: SwitchProcess, electionId: bigint): Promise<void> {
  const client = new TestClient(address);
  const stream = client.openStream();
  expect(await stream.arbitrate(electionId)).toMatch(/^0 Is primary/);
  await client.push(undefined, { electionId: { low: electionId } });
  expect(await client.write([codec.insert(route(7, 2))], electionId)).toMatchObject({ code: 0 });
  const { id: tableId } = index.tables.get('routes');
  expect(await client.read(entityOf({ case: 'tableEntry', value: { tableId } }))).toHaveLength(1);
  stream.close();
  await stream.ended;
  client.close();
}

function openSocket(address: string): Promise<Socket> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host, () => resolve(socket));
    socket.on('error', reject);
  });
}

describe.skipIf(reason !== undefined)(`the process${reason ? ` (skipped: ${reason})` : ''}`, () => {
  test('garbage, lies and too much of everything: it goes on', async () => {
    const running = await start();
    const raw = new RawClient(running.address);
    const path = '/p4.v1.P4Runtime/Write';
    const garbage = new Uint8Array(32).fill(0xff);
    expect((await raw.call({ path, body: grpcFrame(garbage) })).code).toBe(Code.INTERNAL);
    const lie = grpcFrame(garbage, 0, 2 ** 32 - 1);
    expect((await raw.call({ path, body: lie, isOpenEnded: true })).code).toBe(Code.RESOURCE_EXHAUSTED);
    // 64 MiB of empty updates, which would be gigabytes of objects.
    const updates = Buffer.alloc(64 * 2 ** 20);
    for (let at = 0; at < updates.length; at += 2) updates[at] = 0x22;
    expect((await raw.call({ path, body: grpcFrame(updates) })).code).toBe(Code.RESOURCE_EXHAUSTED);
    const status = readFileSync(`/proc/${running.child.pid}/status`, 'utf8');
    const peakMib = Number(/VmHWM:\s+(\d+)/.exec(status)![1]) / 1024;
    expect(peakMib).toBeLessThan(600);
    raw.close();
    await expectServing(running, 1n);
  });

  test('a client that is killed in the middle of a giant write', async () => {
    const running = await start();
    await expectServing(running, 1n);
    const updates = Array.from({ length: 60_000 }, (_, target) => codec.insert(route(target, 2)));
    const request = create(WriteRequestSchema, { electionId: { low: 1n }, updates });
    const body = grpcFrame(toBinary(WriteRequestSchema, request));
    const raw = new RawClient(running.address);
    const call = raw.call({
      path: '/p4.v1.P4Runtime/Write',
      body: body.subarray(0, body.length / 2),
      isOpenEnded: true,
    });
    setTimeout(() => raw.session.socket.resetAndDestroy(), 20);
    expect((await call).code).toBeUndefined();
    await expectServing(running, 2n);
  });

  test('SIGTERM during traffic: exit code 0, and the ports are free', async () => {
    const running = await start();
    const client = new TestClient(running.address);
    const stream = client.openStream();
    await stream.arbitrate(1n);
    await client.push();
    const updates = Array.from({ length: 5000 }, (_, target) => codec.insert(route(target + 1, 2)));
    const writes = [client.write(updates), client.write(updates), client.write(updates)];
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
    await Promise.all(writes);
    client.close();
    await expect(openSocket(running.address)).rejects.toThrow(/ECONNREFUSED/);
    await expect(openSocket(running.dataplaneAddress)).rejects.toThrow(/ECONNREFUSED/);
  });

  test('an address that is in use: exit code 1, and the reason', async () => {
    const first = await start();
    const second = await start({ grpcAddress: first.address });
    expect(await second.exited).toBe(1);
    expect(second.errors()).toContain(`cannot listen on ${first.address}`);
    await expectServing(first, 1n);
  });

  test('too few file descriptors: who comes later waits or is refused, and then is served', async () => {
    // Node itself needs some hundred to load its modules.
    const running = await start({ before: 'ulimit -n 200;' });
    const sockets = await Promise.all(Array.from({ length: 400 }, () => openSocket(running.address)));
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.destroy();
    }
    await expectServing(running, 1n);
  });

  test('a log on a full disk', async () => {
    const running = await start({ after: '2>/dev/full' });
    await expectServing(running, 1n);
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
  });

  test('nobody reads the log any more', async () => {
    const running = await start();
    running.child.stderr!.destroy();
    running.child.stdout!.destroy();
    await expectServing(running, 1n);
    await expectServing(running, 2n);
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
  });
});
