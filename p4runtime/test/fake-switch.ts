// SPDX-License-Identifier: Apache-2.0
/**
 * FakeSwitch: as much of a P4Runtime server as the tests of the client need, in this process. It stores
 * entries, arbitrates as the specification says or as simple_switch_grpc does, and fails on demand.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { status as Code, Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { entityKey } from '../entity-key.ts';
import { StatusSchema } from '../generated/google/rpc/status_pb.ts';
import type {
  Entity,
  ForwardingPipelineConfig,
  PacketOut,
  StreamMessageRequest,
  StreamMessageResponse,
  Uint128,
  Update,
  WriteRequest,
  WriteResponse,
} from '../generated/p4/v1/p4runtime_pb.ts';
import {
  ErrorSchema,
  MasterArbitrationUpdateSchema,
  P4Runtime,
  StreamMessageResponseSchema,
  Update_Type,
} from '../generated/p4/v1/p4runtime_pb.ts';
import type { ServiceHandlers } from '../service-definition.ts';
import { serviceDefinition } from '../service-definition.ts';

type Stream = ServerDuplexStream<StreamMessageRequest, StreamMessageResponse>;

export interface FakeSwitchOptions {
  /** bmv2: promotes the next backup itself and does not answer a repeated id. */
  readonly arbitration?: 'specification' | 'bmv2';
  readonly entitiesPerResponse?: number;
}

export class FakeSwitch {
  readonly options: FakeSwitchOptions;
  readonly entities = new Map<string, Entity>();
  readonly writes: WriteRequest[] = [];
  readonly packets: PacketOut[] = [];
  readonly acks: bigint[] = [];
  pipeline: ForwardingPipelineConfig | undefined;
  pushes = 0;
  address = '';
  /** Answers heartbeats and all other unary requests but Write; tests turn it off to play dead. */
  isAlive = true;
  /** When set, a Write waits for it. */
  beforeWrite: ((request: WriteRequest) => Promise<void>) | undefined;
  /** When set, a Write fails as a whole with this status and no details. */
  failWrites: number | undefined;
  private server = new Server();
  private readonly streams = new Map<Stream, bigint>();
  private highestElectionId = 0n;
  /** Nobody is primary: the last one has left, and nobody has asked since with an id high enough. */
  private vacant = true;
  private port = 0;

  constructor(options: FakeSwitchOptions = {}) {
    this.options = options;
  }

  /** On a port of the system's choice; again on the same port after `stop`. */
  async start(): Promise<void> {
    this.server = new Server({ 'grpc.max_receive_message_length': -1 });
    this.server.addService(serviceDefinition(P4Runtime), { ...this.handlers() });
    this.port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(`127.0.0.1:${this.port}`, ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    this.address = `127.0.0.1:${this.port}`;
  }

  /** As a crash: streams break off. */
  stop(): void {
    this.server.forceShutdown();
    this.streams.clear();
  }

  /** Ends all streams with a status. */
  endStreams(code: number): void {
    for (const stream of [...this.streams.keys()]) this.endStream(stream, code, 'ended by the test');
  }

  /** To the primary. */
  send(update: StreamMessageResponse['update']): void {
    this.primary()?.[0].write(create(StreamMessageResponseSchema, { update }));
  }

  get streamCount(): number {
    return this.streams.size;
  }

  private handlers(): ServiceHandlers<typeof P4Runtime> {
    return {
      write: (call, answer) => void this.write(call, answer),
      read: (call) => {
        const found = [...this.entities.values()];
        const size = this.options.entitiesPerResponse ?? Math.max(found.length, 1);
        for (let i = 0; i < found.length; i += size) {
          call.write({ $typeName: 'p4.v1.ReadResponse', entities: found.slice(i, i + size) });
        }
        if (call.request.entities.length === 0) {
          call.emit('error', { code: Code.UNIMPLEMENTED, details: 'nothing asked' });
        } else {
          call.end();
        }
      },
      setForwardingPipelineConfig: ({ request }, answer) => {
        if (!this.isPrimaryId(request.electionId)) return answer({ code: Code.PERMISSION_DENIED });
        this.pipeline = request.config;
        this.pushes++;
        this.entities.clear();
        answer(null, { $typeName: 'p4.v1.SetForwardingPipelineConfigResponse' });
      },
      getForwardingPipelineConfig: (_, answer) => {
        if (this.pipeline === undefined) {
          return answer({
            code: Code.FAILED_PRECONDITION,
            details: 'No forwarding pipeline config set for this device',
          });
        }
        answer(null, { $typeName: 'p4.v1.GetForwardingPipelineConfigResponse', config: this.pipeline });
      },
      capabilities: (_, answer) => {
        if (this.isAlive)
          answer(null, { $typeName: 'p4.v1.CapabilitiesResponse', p4runtimeApiVersion: '1.5.0' });
      },
      streamChannel: (stream) => {
        stream.on('data', ({ update }: StreamMessageRequest) => {
          if (update.case === 'arbitration') this.arbitrate(stream, bigintOf(update.value.electionId));
          else if (update.case === 'packet') this.packets.push(update.value);
          else if (update.case === 'digestAck') this.acks.push(update.value.listId);
        });
        stream.on('end', () => {
          this.leave(stream);
          stream.end();
        });
        stream.on('cancelled', () => this.leave(stream));
      },
    };
  }

  private arbitrate(stream: Stream, electionId: bigint): void {
    const taken = [...this.streams].some(([other, id]) => other !== stream && id === electionId);
    if (taken) {
      this.endStream(stream, Code.INVALID_ARGUMENT, 'Election id already exists');
      return;
    }
    if (this.options.arbitration === 'bmv2' && this.streams.get(stream) === electionId) return;
    const before = this.primary();
    this.streams.set(stream, electionId);
    const couldWin = electionId >= this.highestElectionId || this.options.arbitration === 'bmv2';
    this.vacant = couldWin ? false : this.vacant;
    if (electionId > this.highestElectionId) this.highestElectionId = electionId;
    const after = this.primary();
    if (before?.[0] !== after?.[0]) for (const member of this.streams.keys()) this.notify(member);
    else this.notify(stream);
  }

  private leave(stream: Stream): void {
    const wasPrimary = this.primary()?.[0] === stream;
    this.streams.delete(stream);
    if (!wasPrimary) return;
    if (this.options.arbitration !== 'bmv2') this.vacant = true;
    for (const member of this.streams.keys()) this.notify(member);
  }

  private primary(): [Stream, bigint] | undefined {
    if (this.vacant) return undefined;
    return [...this.streams].sort(([, a], [, b]) => (a > b ? -1 : 1))[0];
  }

  private notify(stream: Stream): void {
    const primary = this.primary();
    const code =
      primary === undefined ? Code.NOT_FOUND : primary[0] === stream ? Code.OK : Code.ALREADY_EXISTS;
    const highest = this.options.arbitration === 'bmv2' ? (primary?.[1] ?? 0n) : this.highestElectionId;
    const value = create(MasterArbitrationUpdateSchema, {
      deviceId: 1n,
      electionId: { high: highest >> 64n, low: BigInt.asUintN(64, highest) },
      status: { code },
    });
    stream.write(create(StreamMessageResponseSchema, { update: { case: 'arbitration', value } }));
  }

  private endStream(stream: Stream, code: number, details: string): void {
    this.leave(stream);
    stream.emit('error', { code, details });
  }

  private async write(
    { request }: ServerUnaryCall<WriteRequest, WriteResponse>,
    answer: sendUnaryData<WriteResponse>,
  ): Promise<void> {
    this.writes.push(request);
    await this.beforeWrite?.(request);
    if (!this.isPrimaryId(request.electionId)) {
      return answer({ code: Code.PERMISSION_DENIED, details: 'Not primary' });
    }
    if (this.failWrites !== undefined) return answer({ code: this.failWrites, details: 'as the test wants' });
    const codes = request.updates.map((update) => this.apply(update));
    if (codes.every((code) => code === Code.OK)) return answer(null, { $typeName: 'p4.v1.WriteResponse' });
    const errors = codes.map((canonicalCode) =>
      create(ErrorSchema, { canonicalCode, message: Code[canonicalCode]! }),
    );
    const status = create(StatusSchema, {
      code: Code.UNKNOWN,
      details: errors.map((error) => anyPack(ErrorSchema, error)),
    });
    const metadata = new Metadata();
    metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, status)));
    answer({ code: Code.UNKNOWN, details: '', metadata });
  }

  private apply({ type, entity }: Update): number {
    const key = entityKey(entity);
    const exists = this.entities.has(key);
    if (type === Update_Type.INSERT && exists) return Code.ALREADY_EXISTS;
    if (type !== Update_Type.INSERT && !exists) return Code.NOT_FOUND;
    if (type === Update_Type.DELETE) this.entities.delete(key);
    else this.entities.set(key, entity!);
    return Code.OK;
  }

  private isPrimaryId(electionId: Uint128 | undefined): boolean {
    return this.primary()?.[1] === bigintOf(electionId);
  }
}

function bigintOf(value: Uint128 | undefined): bigint {
  return value === undefined ? 0n : (value.high << 64n) | value.low;
}
