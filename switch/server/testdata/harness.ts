// SPDX-License-Identifier: Apache-2.0
/**
 * For tests of the server: a switch with the program of features.p4 in memory, and a client that may misbehave.
 *
 * With EVENKEEL_TEST_SWITCH=host:port the client talks to that switch instead (device 0, no election under way), to
 * find where ours differs from simple_switch_grpc: `EVENKEEL_TEST_SWITCH=... npx vitest run switch/server/write.test.ts`.
 */

import { readFileSync } from 'node:fs';
import { create, fromBinary } from '@bufbuild/protobuf';
import {
  Client,
  type ClientDuplexStream,
  credentials,
  type Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { StatusSchema } from '../../../p4runtime/generated/google/rpc/status_pb.ts';
import type { P4Info } from '../../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import type {
  Entity,
  GetForwardingPipelineConfigRequest_ResponseType,
  Error as P4Error,
  StreamMessageRequest,
  StreamMessageResponse,
  Update,
} from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  ErrorSchema,
  ForwardingPipelineConfigSchema,
  GetForwardingPipelineConfigRequestSchema,
  P4Runtime,
  ReadRequestSchema,
  SetForwardingPipelineConfigRequest_Action,
  SetForwardingPipelineConfigRequestSchema,
  StreamMessageRequestSchema,
  WriteRequestSchema,
} from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex, parseP4Info } from '../../../p4runtime/p4info.ts';
import { serviceDefinition } from '../../../p4runtime/service-definition.ts';
import { ManualClock } from '../clock.ts';
import { type RunningSwitch, type SwitchOptions, startSwitch } from '../switch.ts';

const otherAddress = process.env.EVENKEEL_TEST_SWITCH;
export const isOtherSwitch = otherAddress !== undefined;

export interface TestProgram {
  json: Uint8Array;
  p4info: P4Info;
}

export const features = testProgram('.', 'features');
export const compat = testProgram('.', 'compat');
export const trapped = testProgram('.', 'traps');
export const selectors = testProgram('../../engine/testdata', 'selectors');
export const meters = testProgram('../../engine/testdata', 'meters');

function testProgram(directory: string, name: string): TestProgram {
  const read = (file: string) => readFileSync(new URL(`${directory}/${file}`, import.meta.url));
  return {
    json: read(`${name}.json`),
    p4info: parseP4Info(read(`${name}.p4info.txtpb`), `${name}.p4info.txtpb`),
  };
}

export const index = new P4InfoIndex(features.p4info);

export interface Bench {
  running: RunningSwitch;
  clock: ManualClock;
  sent: { port: number; frame: Uint8Array }[];
  logs: string[];
  client: TestClient;
  close(): Promise<void>;
}

/** A switch on loopback and a connected client, neither primary nor with a program. */
export async function startBench(
  program: TestProgram = features,
  options: Partial<SwitchOptions> = {},
): Promise<Bench> {
  const clock = new ManualClock();
  const sent: Bench['sent'] = [];
  const logs: string[] = [];
  const running = otherAddress === undefined ? await startMemorySwitch() : otherSwitch(otherAddress);
  const client = new TestClient(running.address, program);
  return {
    running,
    clock,
    sent,
    logs,
    client,
    async close() {
      client.close();
      await running.close();
    },
  };

  function startMemorySwitch(): Promise<RunningSwitch> {
    return startSwitch({
      grpcAddress: '127.0.0.1:0',
      cpuPort: 510,
      clock,
      log: (level, line) => logs.push(`${level}: ${line}`),
      onTransmit: (port, frame) => sent.push({ port, frame: frame.slice() }),
      ...options,
    });
  }
}

function otherSwitch(address: string): RunningSwitch {
  return {
    address,
    inject() {
      throw new Error('only a switch in memory takes frames from a test');
    },
    setPortUp() {
      throw new Error('only a switch in memory has ports that a test can unplug');
    },
    watch() {
      throw new Error('only our own switch can be watched');
    },
    dataplaneAddress: undefined,
    portCounters: async () => new Map(),
    close: async () => {},
  };
}

/** A bench with the program loaded, and a primary with election id 1. */
export async function startLoadedBench(
  program: TestProgram = features,
  options: Partial<SwitchOptions> = {},
): Promise<Bench & { stream: TestStream }> {
  const bench = await startBench(program, options);
  const stream = bench.client.openStream();
  await stream.arbitrate(1n);
  await bench.client.push();
  return { ...bench, stream };
}

export interface Outcome {
  /** Of the RPC. */
  code: number;
  message: string;
  /** Per update; empty when the RPC succeeded. */
  errors: P4Error[];
}

const methods = serviceDefinition(P4Runtime);

export class TestClient {
  readonly #client: Client;
  readonly #program: TestProgram;

  /** @param program  what `push` pushes */
  constructor(address: string, program: TestProgram = features) {
    this.#program = program;
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  close(): void {
    this.#client.close();
  }

  push(
    action: SetForwardingPipelineConfigRequest_Action = SetForwardingPipelineConfigRequest_Action.VERIFY_AND_COMMIT,
    init: object = {},
  ) {
    // COMMIT is of what was saved, so it has none.
    const isCommit = action === SetForwardingPipelineConfigRequest_Action.COMMIT;
    const config = create(ForwardingPipelineConfigSchema, {
      p4info: this.#program.p4info,
      p4DeviceConfig: this.#program.json,
      cookie: { cookie: 0xfedcba9876543210n },
    });
    return this.call(
      'setForwardingPipelineConfig',
      create(SetForwardingPipelineConfigRequestSchema, {
        electionId: { low: 1n },
        action,
        ...(!isCommit && { config }),
        ...init,
      }),
    );
  }

  getConfig(responseType = 0, deviceId = 0n) {
    return this.call(
      'getForwardingPipelineConfig',
      create(GetForwardingPipelineConfigRequestSchema, {
        deviceId,
        // Any number may be on the wire.
        responseType: responseType as GetForwardingPipelineConfigRequest_ResponseType,
      }),
    );
  }

  /** Never rejects. */
  async write(updates: Update[], electionId = 1n, init: object = {}): Promise<Outcome> {
    const request = create(WriteRequestSchema, { electionId: { low: electionId }, updates, ...init });
    try {
      await this.call('write', request);
      return { code: 0, message: '', errors: [] };
    } catch (cause) {
      const { code, details, metadata } = cause as ServiceError;
      return { code, message: details, errors: detailsOf(metadata) };
    }
  }

  /** @returns the entities of each message */
  readPieces(entities: Entity[], deviceId = 0n): Promise<Entity[][]> {
    const { path, requestSerialize, responseDeserialize } = methods.read;
    const request = create(ReadRequestSchema, { deviceId, entities });
    const call = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
    const pieces: Entity[][] = [];
    return new Promise((resolve, reject) => {
      call.on('data', (response) => pieces.push(response.entities));
      call.on('end', () => resolve(pieces));
      call.on('error', reject);
    });
  }

  async read(...entities: Entity[]): Promise<Entity[]> {
    return (await this.readPieces(entities)).flat();
  }

  openStream(): TestStream {
    const { path, requestSerialize, responseDeserialize } = methods.streamChannel;
    return new TestStream(this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize));
  }

  call<Name extends 'write' | 'setForwardingPipelineConfig' | 'getForwardingPipelineConfig' | 'capabilities'>(
    name: Name,
    request: Parameters<(typeof methods)[Name]['requestSerialize']>[0],
  ): Promise<ReturnType<(typeof methods)[Name]['responseDeserialize']>> {
    const { path, requestSerialize, responseDeserialize } = methods[name];
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize as (value: unknown) => Buffer,
        responseDeserialize as (bytes: Buffer) => ReturnType<(typeof methods)[Name]['responseDeserialize']>,
        request,
        (error, response) => (error ? reject(error) : resolve(response!)),
      );
    });
  }
}

export function detailsOf(metadata: Metadata | undefined): P4Error[] {
  const [bytes] = metadata?.get('grpc-status-details-bin') ?? [];
  if (!Buffer.isBuffer(bytes)) return [];
  return fromBinary(StatusSchema, bytes).details.map(({ typeUrl, value }) => {
    if (typeUrl !== 'type.googleapis.com/p4.v1.Error') throw new Error(`unexpected detail ${typeUrl}`);
    return fromBinary(ErrorSchema, value);
  });
}

export class TestStream {
  readonly #call: ClientDuplexStream<StreamMessageRequest, StreamMessageResponse>;
  readonly #arrived: StreamMessageResponse['update'][] = [];
  readonly #waiting: ((update: StreamMessageResponse['update']) => void)[] = [];
  /** Resolves with the status the server ended the stream with. */
  readonly ended: Promise<{ code: number; message: string }>;

  constructor(call: ClientDuplexStream<StreamMessageRequest, StreamMessageResponse>) {
    this.#call = call;
    call.on('data', ({ update }: StreamMessageResponse) => {
      const waiter = this.#waiting.shift();
      if (waiter === undefined) this.#arrived.push(update);
      else waiter(update);
    });
    this.ended = new Promise((resolve) => {
      call.on('status', ({ code, details }) => resolve({ code, message: details }));
    });
    call.on('error', () => {});
  }

  send(update: NonNullable<Parameters<typeof create<typeof StreamMessageRequestSchema>>[1]>['update']): void {
    this.#call.write(create(StreamMessageRequestSchema, { update }));
  }

  /** @returns the answer as text: `OK Is primary 10` */
  async arbitrate(electionId: bigint | undefined, init: object = {}): Promise<string> {
    this.sendArbitration(electionId, init);
    return this.nextArbitration();
  }

  sendArbitration(electionId: bigint | undefined, init: object = {}): void {
    const id = electionId === undefined ? undefined : { high: 0n, low: electionId };
    this.send({ case: 'arbitration', value: { electionId: id, ...init } });
  }

  async nextArbitration(): Promise<string> {
    const update = await this.next('arbitration');
    const { status, electionId } = update;
    return `${status?.code} ${status?.message} ${electionId?.low ?? 'unset'}`;
  }

  /** Takes an election id above all others. @returns what had arrived before the answer */
  async collect(electionId: bigint): Promise<StreamMessageResponse['update'][]> {
    this.sendArbitration(electionId);
    const before: StreamMessageResponse['update'][] = [];
    for (;;) {
      const update = await this.#take();
      if (update.case === 'arbitration' && update.value.electionId?.low === electionId) return before;
      before.push(update);
    }
  }

  #take(): Promise<StreamMessageResponse['update']> {
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next message, which must be of this kind. */
  async next<Case extends NonNullable<StreamMessageResponse['update']['case']>>(
    kind: Case,
  ): Promise<Payload<Case>> {
    const update = await this.#take();
    if (update.case !== kind) throw new Error(`expected ${kind}, got ${JSON.stringify(update, replacer)}`);
    return update.value as Payload<Case>;
  }

  /** What has arrived and was not taken. */
  get pending(): number {
    return this.#arrived.length;
  }

  close(): void {
    this.#call.end();
  }
}

type Payload<Case> = Extract<StreamMessageResponse['update'], { case: Case }>['value'];

const replacer = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
