// SPDX-License-Identifier: Apache-2.0
/** Where the cases of compat-cases.ts play: a switch in one of our modes, or a real simple_switch_grpc. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import {
  DataplaneInterface,
  type PacketStreamRequest,
  PacketStreamRequestSchema,
  type PacketStreamResponse,
  PortOperStatus,
  SetPortOperStatusRequestSchema,
} from '../../../p4runtime/generated/p4/bm/dataplane_interface_pb.ts';
import type { Entity, Update } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  type SetForwardingPipelineConfigRequest_Action as ConfigAction,
  EntitySchema,
  type Update_Type,
  UpdateSchema,
} from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from '../../../p4runtime/p4info.ts';
import { serviceDefinition } from '../../../p4runtime/service-definition.ts';
import { ManualClock } from '../clock.ts';
import type { Compat } from '../compat.ts';
import { Code } from '../refusal.ts';
import { startSwitch } from '../switch.ts';
import { detailsOf, TestClient, type TestProgram, type TestStream } from './harness.ts';

export type EntityInit = NonNullable<Parameters<typeof create<typeof EntitySchema>>[1]>['entity'];

interface Target {
  address: string;
  /** To be called when there is a program. */
  onProgram(): Promise<void>;
  inject(port: number, frame: Uint8Array): Promise<void>;
  wait(delayMs: number): Promise<void>;
  setPortUp(port: number, isUp: boolean): Promise<void>;
  sent: { port: number; frame: Uint8Array }[];
  close(): Promise<void>;
}

export class Stage {
  readonly index: P4InfoIndex;
  readonly client: TestClient;
  readonly #target: Target;

  constructor(target: Target, program: TestProgram) {
    this.#target = target;
    this.index = new P4InfoIndex(program.p4info);
    this.client = new TestClient(target.address, program);
  }

  /** Frames that have left. */
  get sent() {
    return this.#target.sent;
  }

  inject(port: number, frame: Uint8Array): Promise<void> {
    return this.#target.inject(port, frame);
  }

  /** Lets time pass: the switch's, or real time. */
  wait(delayMs: number): Promise<void> {
    return this.#target.wait(delayMs);
  }

  setPortUp(port: number, isUp: boolean): Promise<void> {
    return this.#target.setPortUp(port, isUp);
  }

  /** A stream that is primary with election id 1, and the program loaded. */
  async ready(): Promise<TestStream> {
    const stream = this.client.openStream();
    await stream.arbitrate(1n);
    await this.client.push();
    await this.#target.onProgram();
    return stream;
  }

  /** @returns 'accepted', or the code of the refusal */
  async push(action: ConfigAction, init: object = {}): Promise<string> {
    return outcome(this.client.push(action, init));
  }

  async write(type: Update_Type, entity: EntityInit, init: object = {}): Promise<string> {
    return this.writeAll([update(type, entity)], init);
  }

  /** @returns 'accepted', or the code of the first refusal */
  async writeAll(updates: Update[], init: object = {}): Promise<string> {
    const { code, errors } = await this.client.write(updates, 1n, init);
    if (code === Code.OK) return 'accepted';
    const failed = errors.find(({ canonicalCode }) => canonicalCode !== Code.OK);
    return Code[failed?.canonicalCode ?? code]!;
  }

  read(...wanted: EntityInit[]): Promise<Entity[]> {
    return this.client.read(...wanted.map((entity) => create(EntitySchema, { entity })));
  }

  /** @returns 'read', or the code of the refusal: the entity's own, where the status has details */
  async readCode(wanted: EntityInit): Promise<string> {
    try {
      await this.read(wanted);
      return 'read';
    } catch (cause) {
      const { code, metadata } = cause as ServiceError;
      return Code[detailsOf(metadata)[0]?.canonicalCode ?? code]!;
    }
  }

  async close(): Promise<void> {
    this.client.close();
    await this.#target.close();
  }
}

export const update = (type: Update_Type, entity: EntityInit): Update =>
  create(UpdateSchema, { type, entity: { entity } });

export async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'accepted';
  } catch (cause) {
    return Code[(cause as { code: number }).code] ?? String(cause);
  }
}

export async function embeddedStage(compat: Compat, program: TestProgram): Promise<Stage> {
  const clock = new ManualClock();
  const sent: Target['sent'] = [];
  const running = await startSwitch({
    compat,
    grpcAddress: '127.0.0.1:0',
    cpuPort: 510,
    clock,
    onTransmit: (port, frame) => sent.push({ port, frame: frame.slice() }),
  });
  return new Stage(
    {
      address: running.address,
      sent,
      onProgram: async () => {},
      inject: async (port, frame) => running.inject(port, frame),
      wait: async (delayMs) => clock.advance(delayMs),
      setPortUp: async (port, isUp) => running.setPortUp(port, isUp),
      close: () => running.close(),
    },
    program,
  );
}

/** Each stage has a switch process of its own, because what a case does to one cannot be undone. */
export async function realStage(executable: string, number: number, program: TestProgram): Promise<Stage> {
  const [address, dataplane, thrift] = await freePorts(3);
  const child = spawn(
    executable,
    [
      ...['--no-p4', '--device-id', '0', '--log-level', 'off', '--thrift-port', String(thrift)],
      ...['--notifications-addr', `ipc:///tmp/evenkeel-compat-${process.pid}-${number}.ipc`],
      ...['--', '--grpc-server-addr', `127.0.0.1:${address}`, '--cpu-port', '510'],
      ...['--dp-grpc-server-addr', `127.0.0.1:${dataplane}`],
    ],
    { stdio: 'ignore' },
  );
  const sent: Target['sent'] = [];
  const client = new Client(`127.0.0.1:${dataplane}`, credentials.createInsecure());
  await new Promise<void>((resolve, reject) =>
    client.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve())),
  );
  const { path, requestSerialize, responseDeserialize } = serviceDefinition(DataplaneInterface).packetStream;
  let stream: ClientDuplexStream<PacketStreamRequest, PacketStreamResponse> | undefined;
  const send = (port: number, packet: Uint8Array) =>
    stream?.write(create(PacketStreamRequestSchema, { port, packet }));
  const wait = (delayMs: number) => new Promise<void>((resolve) => setTimeout(resolve, delayMs));
  return new Stage(
    {
      address: `127.0.0.1:${address}`,
      sent,
      wait,
      // Streams of packets are refused before, and nothing is sent on one that has not brought anything.
      async onProgram() {
        stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
        stream.on('data', ({ port, packet }: PacketStreamResponse) => sent.push({ port, frame: packet }));
        stream.on('error', () => {});
        send(0, new Uint8Array());
        await wait(100);
      },
      async setPortUp(port, isUp) {
        const operStatus = isUp ? PortOperStatus.OPER_STATUS_UP : PortOperStatus.OPER_STATUS_DOWN;
        const method = serviceDefinition(DataplaneInterface).setPortOperStatus;
        const request = create(SetPortOperStatusRequestSchema, { port, operStatus });
        await new Promise<void>((resolve, reject) =>
          client.makeUnaryRequest(
            method.path,
            method.requestSerialize,
            method.responseDeserialize,
            request,
            (error) => (error ? reject(error) : resolve()),
          ),
        );
        await wait(150);
      },
      async inject(port, frame) {
        send(port, frame);
        await wait(150);
      },
      async close() {
        stream?.cancel();
        client.close();
        await stop(child);
      },
    },
    program,
  );
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGKILL');
  return ended;
}
