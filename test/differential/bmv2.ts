// SPDX-License-Identifier: Apache-2.0
/** simple_switch_grpc as a child process without interfaces: frames go through p4.bm.DataplaneInterface. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import type {
  PacketStreamRequest,
  PacketStreamResponse,
} from '../../p4runtime/generated/p4/bm/dataplane_interface_pb.ts';
import {
  DataplaneInterface,
  PacketStreamRequestSchema,
  PortOperStatus,
  SetPortOperStatusRequestSchema,
} from '../../p4runtime/generated/p4/bm/dataplane_interface_pb.ts';
import { serviceDefinition } from '../../p4runtime/service-definition.ts';
import { cpuPort } from './embedded.ts';
import { Target, type Wire } from './target.ts';

const methods = serviceDefinition(DataplaneInterface);
const startMsMax = 20_000;
/** A stream that is not refused by then has been accepted. */
const refusalMs = 200;

export interface Bmv2 {
  readonly target: Target;
  /** Why it ended by itself, undefined while it runs. */
  death(): string | undefined;
  /** Where it wrote what it had to say. */
  readonly logFile: string;
}

/**
 * @param executable  simple_switch_grpc
 * @throws Error when it does not come up
 */
export async function startBmv2(executable: string): Promise<Bmv2> {
  const [grpcPort, dataplanePort, thriftPort] = await freePorts(3);
  // Names its sockets in the file system, so two of one id would meet there.
  const deviceId = BigInt(1 + (process.pid % 30_000) * 1000 + (grpcPort! % 1000));
  const logFile = join(mkdtempSync(join(tmpdir(), 'bmv2-')), 'log');
  const log = openSync(logFile, 'w');
  const grpcAddress = `127.0.0.1:${grpcPort}`;
  const dataplaneAddress = `127.0.0.1:${dataplanePort}`;
  const child = spawn(
    executable,
    [
      ...['--no-p4', '--device-id', String(deviceId), '--thrift-port', String(thriftPort), '--'],
      ...['--grpc-server-addr', grpcAddress, '--dp-grpc-server-addr', dataplaneAddress],
      ...['--cpu-port', String(cpuPort), '--drop-port', '511'],
    ],
    { stdio: ['ignore', log, log] },
  );
  // However this process ends, it leaves no switch behind.
  process.once('exit', () => child.kill('SIGKILL'));
  let death: string | undefined;
  child.on('error', (cause) => {
    death = cause.message;
  });
  child.on('exit', (code, signal) => {
    death ??= `it ended with ${signal ?? `code ${code}`}, see ${logFile}`;
  });
  try {
    const wire = await connectWire(dataplaneAddress, deviceId, child, () => death);
    const target = await Target.connect('simple_switch_grpc', grpcAddress, deviceId, wire);
    return { target, death: () => death, logFile };
  } catch (cause) {
    child.kill('SIGKILL');
    throw death === undefined ? cause : new Error(`simple_switch_grpc does not start: ${death}`);
  }
}

async function connectWire(
  address: string,
  deviceId: bigint,
  child: ChildProcess,
  death: () => string | undefined,
): Promise<Wire> {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 100,
  });
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + startMsMax, (error) => (error ? reject(error) : resolve()));
  });
  if (death() !== undefined) throw new Error(death());
  let deliver: (port: number, frame: Uint8Array) => void = () => {};
  let stream: Stream | undefined;
  return {
    isSynchronous: false,
    onFrame: (listener) => {
      deliver = listener;
    },
    async ready() {
      stream ??= await openStream(client, deviceId, (port, frame) => deliver(port, frame));
    },
    send(port, frame) {
      stream?.write(create(PacketStreamRequestSchema, { deviceId, port, packet: frame }));
    },
    setPort(port, isUp) {
      const operStatus = isUp ? PortOperStatus.OPER_STATUS_UP : PortOperStatus.OPER_STATUS_DOWN;
      const request = create(SetPortOperStatusRequestSchema, { deviceId, port, operStatus });
      const { path, requestSerialize, responseDeserialize } = methods.setPortOperStatus;
      return new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error) =>
          error ? reject(error) : resolve(),
        );
      });
    },
    async close() {
      stream?.cancel();
      client.close();
      child.kill('SIGKILL');
    },
  };
}

type Stream = ClientDuplexStream<PacketStreamRequest, PacketStreamResponse>;

/** Refuses streams until the switch has its first program. */
async function openStream(
  client: Client,
  deviceId: bigint,
  onFrame: (port: number, frame: Uint8Array) => void,
): Promise<Stream> {
  const { path, requestSerialize, responseDeserialize } = methods.packetStream;
  for (const end = Date.now() + startMsMax; Date.now() < end; ) {
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    stream.on('data', ({ port, packet }: PacketStreamResponse) => onFrame(port, packet));
    const isRefused = new Promise<boolean>((resolve) => {
      stream.on('error', () => resolve(true));
      setTimeout(() => resolve(false), refusalMs);
    });
    // It sends nothing before it has received something; an empty packet is ignored.
    stream.write(create(PacketStreamRequestSchema, { deviceId }));
    if (!(await isRefused)) return stream;
  }
  throw new Error('the dataplane of simple_switch_grpc does not come up');
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.on('error', reject);
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            if (address === null || typeof address === 'string') reject(new Error('no port'));
            else resolve(address.port);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
