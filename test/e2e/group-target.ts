// SPDX-License-Identifier: Apache-2.0
/** Switches of a group for tests: they can be restarted without anything in their tables, and read by a third party. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import { programSchema } from '../../controller/adapters/p4runtime/generated/evenkeel.ts';
import { RowCodec } from '../../controller/adapters/p4runtime/row-codec.ts';
import type { RowUpdate, SwitchRow } from '../../controller/core/row.ts';
import { loadProgram } from '../../controller/program.ts';
import { freePort } from '../../demo/programs.ts';
import { P4RuntimeClient } from '../../p4runtime/client.ts';
import { WriteRequestSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex, parseP4Info } from '../../p4runtime/p4info.ts';
import { TypedEntries } from '../../p4runtime/typed-entries.ts';

const codec = new RowCodec(
  new TypedEntries(
    new P4InfoIndex(parseP4Info(loadProgram().p4info, 'evenkeel.p4info.txtpb')),
    programSchema,
  ),
);

/** A switch that keeps its address when it is started anew. */
export interface GroupTarget {
  readonly address: string;
  readonly deviceId: bigint;
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** simple_switch_grpc without interfaces. */
export class Bmv2Target implements GroupTarget {
  readonly address: string;
  readonly deviceId: bigint;
  private readonly executable: string;
  private readonly thriftPort: number;
  private child: ChildProcess | undefined;

  private constructor(executable: string, grpcPort: number, thriftPort: number) {
    this.executable = executable;
    this.address = `127.0.0.1:${grpcPort}`;
    this.thriftPort = thriftPort;
    // It names its sockets in the file system, so two of one id would meet there.
    this.deviceId = BigInt(1 + (process.pid % 30_000) * 1000 + (grpcPort % 1000));
  }

  static async create(executable: string): Promise<Bmv2Target> {
    return new Bmv2Target(executable, await freePort(), await freePort());
  }

  async start(): Promise<void> {
    const log = openSync(join(mkdtempSync(join(tmpdir(), 'evenkeel-bmv2-')), 'log'), 'w');
    const child = spawn(
      this.executable,
      [
        ...['--no-p4', '--device-id', String(this.deviceId), '--thrift-port', String(this.thriftPort), '--'],
        ...['--grpc-server-addr', this.address, '--cpu-port', '510'],
      ],
      { stdio: ['ignore', log, log] },
    );
    this.child = child;
    // However this process ends, it leaves no switch behind.
    process.once('exit', () => child.kill('SIGKILL'));
    const died = new Promise<never>((_, reject) =>
      child.once('exit', () => reject(new Error('simple_switch_grpc does not start'))),
    );
    // It may also die later, when nobody is waiting any more.
    died.catch(() => {});
    await Promise.race([died, asThirdParty(this, async () => {})]);
  }

  async stop(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
}

/** Every row, as text, in a fixed order. */
export function rowsOf(target: GroupTarget): Promise<string[]> {
  return asThirdParty(target, async (client) => {
    const rows: SwitchRow[] = [];
    for await (const { entity } of client.read(codec.everything())) {
      const row = entity.case === 'tableEntry' ? codec.decode(entity.value) : undefined;
      if (row !== undefined) rows.push(row);
    }
    return rows.map((row) => JSON.stringify(row, bigintsAsText)).sort();
  });
}

/** JSON has no bigint, and an IPv6 address is one. */
function bigintsAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}

let lastElectionId = 0n;

/** As a controller that is not primary, because its election id is far too low. */
async function asThirdParty<T>(
  { address, deviceId }: GroupTarget,
  work: (client: P4RuntimeClient) => Promise<T>,
): Promise<T> {
  const client = new P4RuntimeClient({ address, deviceId, electionId: ++lastElectionId, takesOver: false });
  const isConnected = new Promise((resolve) =>
    client.onEvent(({ kind }) => kind === 'mastership' && resolve(kind)),
  );
  client.connect();
  try {
    await isConnected;
    return await work(client);
  } finally {
    client.close();
  }
}

/** Another controller, for as long as it takes to write these. */
export async function writeAsAnother(target: GroupTarget, updates: readonly RowUpdate[]): Promise<void> {
  const { address, deviceId } = target;
  const client = new P4RuntimeClient({ address, deviceId, electionId: 1n << 100n });
  client.connect();
  try {
    await client.whenPrimary();
    const results = await client.write(updates.map((update) => codec.encode(update)));
    const failure = results.find(({ ok }) => !ok);
    if (failure) throw new Error(JSON.stringify(failure));
  } finally {
    client.close();
  }
}

/** Behind the back of the controller whose election id this is: nobody is elected for it. */
export async function writeWithItsId(
  { address, deviceId }: GroupTarget,
  electionId: bigint,
  updates: readonly RowUpdate<SwitchRow>[],
): Promise<void> {
  const client = new Client(address, credentials.createInsecure());
  const request = create(WriteRequestSchema, {
    deviceId,
    electionId: { high: electionId >> 64n, low: BigInt.asUintN(64, electionId) },
    updates: updates.map((update) => codec.encode(update)),
  });
  try {
    await new Promise<void>((resolve, reject) =>
      client.makeUnaryRequest(
        '/p4.v1.P4Runtime/Write',
        (message: typeof request) => Buffer.from(toBinary(WriteRequestSchema, message)),
        (bytes: Buffer) => bytes,
        request,
        (error) => (error ? reject(error) : resolve()),
      ),
    );
  } finally {
    client.close();
  }
}
