// SPDX-License-Identifier: Apache-2.0
/**
 * P4RuntimeClient: one controller's connection to one switch. It keeps the stream open, asks to be primary,
 * reconnects, and turns every trouble into a P4RuntimeError.
 *
 * Works with servers that follow the specification and with simple_switch_grpc, which promotes backups by
 * itself, answers a repeated election id with silence, and sends any read as one message.
 */
import { createHash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type {
  CallOptions,
  ChannelCredentials,
  ClientDuplexStream,
  MethodDefinition,
  ServiceError,
} from '@grpc/grpc-js';
import { Client, status as Code, credentials, Metadata } from '@grpc/grpc-js';
import { StatusSchema } from './generated/google/rpc/status_pb.ts';
import type { P4Info } from './generated/p4/config/v1/p4info_pb.ts';
import { P4InfoSchema } from './generated/p4/config/v1/p4info_pb.ts';
import { ServerConfig, StreamConfig_ErrorReportingLevel } from './generated/p4/server/v1/config_pb.ts';
import type {
  DigestList,
  Entity,
  ForwardingPipelineConfig,
  IdleTimeoutNotification,
  MasterArbitrationUpdate,
  PacketIn,
  PacketMetadata,
  StreamError,
  StreamMessageRequest,
  StreamMessageResponse,
  Uint128,
  Update,
} from './generated/p4/v1/p4runtime_pb.ts';
import {
  ErrorSchema,
  GetForwardingPipelineConfigRequest_ResponseType,
  P4Runtime,
  SetForwardingPipelineConfigRequest_Action,
  SetForwardingPipelineConfigRequestSchema,
  StreamMessageRequestSchema,
  WriteRequestSchema,
} from './generated/p4/v1/p4runtime_pb.ts';
import type { P4RuntimeErrorCode } from './p4runtime-error.ts';
import { codeOfRpc, codeOfUpdate, P4RuntimeError } from './p4runtime-error.ts';
import { serviceDefinition } from './service-definition.ts';
import type { SessionEffect, SessionEvent, SessionOptions, SessionState } from './session.ts';
import { step } from './session.ts';

export interface ClientOptions extends Partial<ClientTuning> {
  /** host:port */
  readonly address: string;
  readonly deviceId: bigint;
  /** 128 bits, above 0. The controller with the highest is primary. */
  readonly electionId: bigint;
  /** Left out for the default role, which may do everything. */
  readonly role?: string;
  /** Plain text unless given. */
  readonly credentials?: ChannelCredentials;
}

export interface ClientTuning extends Omit<SessionOptions, 'electionId'> {
  readonly rpcTimeoutMs: number;
  /** For pushing a program, and for a read of everything. */
  readonly longRpcTimeoutMs: number;
  /**
   * Pause between two questions whether the switch still answers; 0 asks never. They are RPCs, because gRPC
   * servers of the C++ library cut off clients that send HTTP/2 pings more often than every five minutes.
   */
  readonly heartbeatMs: number;
  readonly timers: Timers;
  /** In [0, 1). */
  readonly random: () => number;
}

/** The clock, as far as the client needs one; tests bring their own. */
export interface Timers {
  /** Calls back once after the delay, unless the function it returns is called first. */
  after(delayMs: number, callback: () => void): () => void;
}

export const clientDefaults: Readonly<ClientTuning> = {
  backoffMs: 100,
  backoffMsMax: 5_000,
  backoffJitter: 0.5,
  takesOver: true,
  rpcTimeoutMs: 10_000,
  longRpcTimeoutMs: 60_000,
  heartbeatMs: 5_000,
  timers: {
    after(delayMs, callback) {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  },
  random: Math.random,
};

export type ClientEvent =
  /** Comes after every connect, and whenever another controller comes or goes. */
  | { readonly kind: 'mastership'; readonly isPrimary: boolean; readonly primaryElectionId: bigint }
  | { readonly kind: 'disconnected'; readonly retryInMs: number; readonly error: P4RuntimeError }
  /** To be acknowledged with `ack`. */
  | { readonly kind: 'digest'; readonly list: DigestList }
  | { readonly kind: 'packet-in'; readonly packet: PacketIn }
  | { readonly kind: 'idle-timeout'; readonly notification: IdleTimeoutNotification }
  | { readonly kind: 'stream-error'; readonly error: StreamError };

/** The fate of one update. */
export type UpdateResult =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly code: P4RuntimeErrorCode;
      /** The canonical gRPC code. */
      readonly status: number;
      readonly message: string;
    };

export interface PipelineInput {
  readonly p4info: P4Info;
  /** For BMv2 the JSON file. */
  readonly deviceConfig: Uint8Array;
  /** Tells this program from others; by default made of both. */
  readonly cookie?: bigint;
  /** Push even when the switch has a program with this cookie already. All its state is lost. */
  readonly force?: boolean;
}

const methods = serviceDefinition(P4Runtime);
const configMethods = serviceDefinition(ServerConfig);

const channelOptions = {
  // simple_switch_grpc answers any read in one message.
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  // Reconnecting is our business: no pauses of the channel's own, and no write is ever sent twice.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  // A switch is a neighbour, whatever the environment says about proxies.
  'grpc.enable_http_proxy': 0,
} as const;

export class P4RuntimeClient {
  readonly address: string;
  readonly deviceId: bigint;
  private readonly role: string;
  private readonly credentials: ChannelCredentials;
  private readonly tuning: ClientTuning & SessionOptions;
  private readonly listeners = new Set<(event: ClientEvent) => void>();
  private readonly primaryWaiters = new Set<{ resolve(): void; reject(error: P4RuntimeError): void }>();
  private state: SessionState = { kind: 'idle' };
  private channel: Client | undefined;
  private stream: ClientDuplexStream<StreamMessageRequest, StreamMessageResponse> | undefined;
  private cancelPause = () => {};
  private cancelHeartbeat = () => {};

  constructor(options: ClientOptions) {
    if (options.electionId <= 0n || options.electionId >> 128n !== 0n) {
      const message = `election id ${options.electionId} is not between 1 and 2^128 - 1`;
      throw new P4RuntimeError('bad-value', { message });
    }
    this.address = options.address;
    this.deviceId = options.deviceId;
    this.role = options.role ?? '';
    this.credentials = options.credentials ?? credentials.createInsecure();
    this.tuning = { ...clientDefaults, ...options };
  }

  /** Starts to connect, and goes on trying until `close`. Progress is told by events. */
  connect(): void {
    this.feed({ kind: 'connect' });
  }

  /** Ends the stream, hence being primary. The switch forwards as before. */
  close(): void {
    this.feed({ kind: 'close' });
    this.cancelPause();
    this.dropChannel();
    for (const waiter of this.primaryWaiters) waiter.reject(this.closedError());
    this.primaryWaiters.clear();
  }

  get isPrimary(): boolean {
    return this.state.kind === 'primary';
  }

  /** @returns the function that ends the subscription */
  onEvent(listener: (event: ClientEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** @throws P4RuntimeError 'closed'; the reason of `signal` when that is aborted first */
  whenPrimary(signal?: AbortSignal): Promise<void> {
    if (this.isPrimary) return Promise.resolve();
    if (this.state.kind === 'closed') return Promise.reject(this.closedError());
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const forget = () => {
        this.primaryWaiters.delete(waiter);
        signal?.removeEventListener('abort', abort);
      };
      const waiter = {
        resolve() {
          forget();
          resolve();
        },
        reject(error: P4RuntimeError) {
          forget();
          reject(error);
        },
      };
      const abort = () => {
        forget();
        reject(signal?.reason);
      };
      this.primaryWaiters.add(waiter);
      signal?.addEventListener('abort', abort);
    });
  }

  /**
   * Pushes a program, unless the switch says by its cookie that it runs it already.
   *
   * @throws P4RuntimeError 'not-primary', 'rejected', 'invalid', ...
   */
  async setPipeline(input: PipelineInput): Promise<'unchanged' | 'pushed'> {
    const cookie = input.cookie ?? cookieOf(input.p4info, input.deviceConfig);
    if (!input.force && (await this.readCookie()) === cookie) return 'unchanged';
    const request = create(SetForwardingPipelineConfigRequestSchema, {
      deviceId: this.deviceId,
      role: this.role,
      electionId: this.electionIdMessage(),
      action: SetForwardingPipelineConfigRequest_Action.VERIFY_AND_COMMIT,
      config: { p4info: input.p4info, p4DeviceConfig: input.deviceConfig, cookie: { cookie } },
    });
    await this.unary(methods.setForwardingPipelineConfig, request, this.tuning.longRpcTimeoutMs);
    return 'pushed';
  }

  /** The program as pushed, undefined when there is none. */
  async getPipeline(): Promise<ForwardingPipelineConfig | undefined> {
    return this.readPipeline(GetForwardingPipelineConfigRequest_ResponseType.ALL);
  }

  /** The cookie of the program, undefined when there is no program or it came without a cookie. */
  async readCookie(): Promise<bigint | undefined> {
    const config = await this.readPipeline(GetForwardingPipelineConfigRequest_ResponseType.COOKIE_ONLY);
    return config?.cookie?.cookie;
  }

  /**
   * Reads entities that match any of the patterns. When the switch fails half-way, what it sent before is
   * yielded first.
   *
   * @throws P4RuntimeError
   */
  async *read(patterns: readonly Entity[]): AsyncGenerator<Entity, void, undefined> {
    const { path, requestSerialize, responseDeserialize } = methods.read;
    const call = this.openChannel().makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      {
        $typeName: 'p4.v1.ReadRequest',
        deviceId: this.deviceId,
        role: this.role,
        entities: [...patterns],
      },
      this.callOptions(this.tuning.longRpcTimeoutMs),
    );
    try {
      for await (const response of call) yield* response.entities;
    } catch (error) {
      throw this.rpcError(error as ServiceError);
    } finally {
      call.cancel();
    }
  }

  /**
   * Writes updates in order; each stands for itself. One that fails does not stop the rest.
   *
   * @returns one result for each update, in order
   * @throws P4RuntimeError when the switch refuses the request as a whole, or nobody knows what became of it
   */
  write(updates: readonly Update[]): Promise<UpdateResult[]> {
    const request = create(WriteRequestSchema, {
      deviceId: this.deviceId,
      role: this.role,
      electionId: this.electionIdMessage(),
    });
    // Not through create, which would look at each of them.
    request.updates = updates as Update[];
    return this.unary(methods.write, request).then(
      () => updates.map(() => okResult),
      (error: P4RuntimeError) => {
        const results = updateResults(error, updates.length);
        if (results === undefined) throw error;
        return results;
      },
    );
  }

  /** The version of P4Runtime the switch implements, such as '1.3.0'. */
  async capabilities(): Promise<string> {
    const request = { $typeName: 'p4.v1.CapabilitiesRequest', deviceId: this.deviceId } as const;
    return (await this.unary(methods.capabilities, request)).p4runtimeApiVersion;
  }

  /**
   * Asks a BMv2 switch to send stream errors, which it keeps to itself by default.
   *
   * @returns false when the switch does not know the request, as others do not; they send them anyway
   */
  async enableStreamErrors(): Promise<boolean> {
    const request = {
      $typeName: 'p4.server.v1.SetRequest',
      deviceId: this.deviceId,
      config: {
        $typeName: 'p4.server.v1.Config',
        stream: {
          $typeName: 'p4.server.v1.StreamConfig',
          errorReporting: StreamConfig_ErrorReportingLevel.ENABLED,
        },
      },
    } as const;
    try {
      await this.unary(configMethods.set, request);
      return true;
    } catch (error) {
      if (error instanceof P4RuntimeError && error.code === 'unimplemented') return false;
      throw error;
    }
  }

  /**
   * Sends a packet into the switch.
   *
   * @throws P4RuntimeError 'not-primary', because a switch would drop it without a word
   */
  sendPacket(payload: Uint8Array, metadata: PacketMetadata[] = []): void {
    const value = { $typeName: 'p4.v1.PacketOut', payload, metadata } as const;
    this.sendAsPrimary({ case: 'packet', value });
  }

  /** Acknowledges a digest list, so that equal samples may come again. Too late an ack is not an error. */
  ack(list: DigestList): void {
    if (!this.isPrimary) return;
    const { digestId, listId } = list;
    this.sendAsPrimary({ case: 'digestAck', value: { $typeName: 'p4.v1.DigestListAck', digestId, listId } });
  }

  private feed(event: SessionEvent): readonly SessionEffect[] {
    const { state, effects } = step(this.state, event, this.tuning);
    this.state = state;
    for (const effect of effects) this.carryOut(effect);
    return effects;
  }

  private carryOut(effect: SessionEffect): void {
    switch (effect.kind) {
      case 'open-stream':
        this.openStream(effect.electionId);
        break;
      case 'arbitrate':
        this.arbitrate(effect.electionId);
        break;
      case 'close-stream':
        this.stream?.end();
        break;
      case 'pause':
        this.cancelPause = this.tuning.timers.after(effect.delayMs, () => this.feed({ kind: 'pause-over' }));
        break;
      case 'tell-mastership': {
        const { isPrimary, primaryElectionId } = effect;
        if (isPrimary) for (const waiter of this.primaryWaiters) waiter.resolve();
        this.emit({ kind: 'mastership', isPrimary, primaryElectionId });
      }
    }
  }

  private openStream(electionId: bigint): void {
    this.dropChannel();
    const channel = new Client(this.address, this.credentials, channelOptions);
    const { path, requestSerialize, responseDeserialize } = methods.streamChannel;
    const stream = channel.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.channel = channel;
    this.stream = stream;
    const lost = (error: P4RuntimeError) => {
      if (this.stream === stream) this.loseStream(error);
    };
    stream.on('data', (message) => {
      if (this.stream === stream) this.receive(message);
    });
    stream.on('error', (error) => lost(this.rpcError(error as ServiceError)));
    stream.on('end', () => lost(this.error('unavailable', 'the switch has ended the stream')));
    this.arbitrate(electionId);
    this.scheduleHeartbeat();
  }

  private arbitrate(electionId: bigint): void {
    const value: MasterArbitrationUpdate = {
      $typeName: 'p4.v1.MasterArbitrationUpdate',
      deviceId: this.deviceId,
      electionId: uint128(electionId),
    };
    if (this.role !== '') value.role = { $typeName: 'p4.v1.Role', id: 0n, name: this.role };
    this.stream?.write(streamRequest({ case: 'arbitration', value }));
  }

  private receive({ update }: StreamMessageResponse): void {
    switch (update.case) {
      case 'arbitration': {
        const { status, electionId } = update.value;
        this.feed({ kind: 'arbitrated', status: status?.code ?? Code.OK, electionId: bigintOf(electionId) });
        break;
      }
      case 'digest':
        this.emit({ kind: 'digest', list: update.value });
        break;
      case 'packet':
        this.emit({ kind: 'packet-in', packet: update.value });
        break;
      case 'idleTimeoutNotification':
        this.emit({ kind: 'idle-timeout', notification: update.value });
        break;
      case 'error':
        this.emit({ kind: 'stream-error', error: update.value });
    }
  }

  private loseStream(error: P4RuntimeError): void {
    this.dropChannel();
    const dice = this.tuning.random();
    const effects = this.feed({ kind: 'lost', status: error.status ?? Code.UNAVAILABLE, dice });
    const pause = effects.find((effect) => effect.kind === 'pause');
    if (pause !== undefined) this.emit({ kind: 'disconnected', retryInMs: pause.delayMs, error });
  }

  /** Whoever still writes to the old stream is not heard, so it must not be kept. */
  private dropChannel(): void {
    this.cancelHeartbeat();
    const { stream, channel } = this;
    this.stream = undefined;
    this.channel = undefined;
    stream?.cancel();
    channel?.close();
  }

  private scheduleHeartbeat(): void {
    const { heartbeatMs, timers } = this.tuning;
    if (heartbeatMs === 0) return;
    const { stream } = this;
    this.cancelHeartbeat = timers.after(heartbeatMs, () => {
      this.capabilities().then(
        () => this.stream === stream && this.scheduleHeartbeat(),
        (error: P4RuntimeError) => {
          if (this.stream !== stream) return;
          // Any answer is a sign of life, a refusal too.
          if (error.code === 'timeout' || error.code === 'unavailable') this.loseStream(error);
          else this.scheduleHeartbeat();
        },
      );
    });
  }

  private sendAsPrimary(update: StreamMessageRequest['update']): void {
    if (!this.isPrimary) throw this.error('not-primary', 'only the primary may send packets');
    this.stream?.write(streamRequest(update));
  }

  private async readPipeline(
    responseType: GetForwardingPipelineConfigRequest_ResponseType,
  ): Promise<ForwardingPipelineConfig | undefined> {
    const request = {
      $typeName: 'p4.v1.GetForwardingPipelineConfigRequest',
      deviceId: this.deviceId,
      responseType,
    } as const;
    try {
      const response = await this.unary(
        methods.getForwardingPipelineConfig,
        request,
        this.tuning.longRpcTimeoutMs,
      );
      return response.config;
    } catch (error) {
      if (error instanceof P4RuntimeError && error.code === 'no-pipeline') return undefined;
      throw error;
    }
  }

  private async unary<I, O>(
    method: MethodDefinition<I, O>,
    request: I,
    timeoutMs = this.tuning.rpcTimeoutMs,
  ): Promise<O> {
    const channel = this.openChannel();
    const { path, requestSerialize, responseDeserialize } = method;
    return new Promise<O>((resolve, reject) => {
      channel.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        this.callOptions(timeoutMs),
        (error, response) => {
          if (error !== null) reject(this.rpcError(error));
          else resolve(response!);
        },
      );
    });
  }

  private openChannel(): Client {
    if (this.state.kind === 'closed') throw this.closedError();
    if (this.channel === undefined) throw this.error('unavailable', 'there is no connection');
    return this.channel;
  }

  private callOptions(timeoutMs: number): CallOptions {
    return { deadline: Date.now() + timeoutMs };
  }

  private electionIdMessage(): Uint128 {
    return uint128('electionId' in this.state ? this.state.electionId : this.tuning.electionId);
  }

  private rpcError(cause: ServiceError): P4RuntimeError {
    const status = cause.code ?? Code.UNKNOWN;
    const message = cause.details || Code[status] || 'no reason given';
    return new P4RuntimeError(codeOfRpc(status), { message, target: this.address, status, cause });
  }

  private error(code: P4RuntimeErrorCode, message: string): P4RuntimeError {
    return new P4RuntimeError(code, { message, target: this.address });
  }

  private closedError(): P4RuntimeError {
    return this.error('closed', 'the client has been closed');
  }

  private emit(event: ClientEvent): void {
    for (const listener of this.listeners) listener(event);
  }
}

/** A cookie that changes with the P4Info and with the device config: 64 bits of their SHA-256. */
export function cookieOf(p4info: P4Info, deviceConfig: Uint8Array): bigint {
  const hash = createHash('sha256').update(toBinary(P4InfoSchema, p4info)).update(deviceConfig).digest();
  return hash.readBigUInt64BE(0);
}

const okResult: UpdateResult = { ok: true };

/** The results in the details of a failed Write; undefined when there are none, or not one for each update. */
function updateResults(error: P4RuntimeError, count: number): UpdateResult[] | undefined {
  const [bytes] = (error.cause as ServiceError | undefined)?.metadata?.get('grpc-status-details-bin') ?? [];
  if (!(bytes instanceof Uint8Array)) return undefined;
  const { details } = fromBinary(StatusSchema, bytes);
  if (details.length !== count) return undefined;
  return details.map(({ value }) => {
    const { canonicalCode: status, message } = fromBinary(ErrorSchema, value);
    return status === Code.OK ? okResult : { ok: false, code: codeOfUpdate(status), status, message };
  });
}

function streamRequest(update: StreamMessageRequest['update']): StreamMessageRequest {
  return { $typeName: StreamMessageRequestSchema.typeName, update };
}

function uint128(value: bigint): Uint128 {
  return { $typeName: 'p4.v1.Uint128', high: value >> 64n, low: BigInt.asUintN(64, value) };
}

function bigintOf(value: Uint128 | undefined): bigint {
  return value === undefined ? 0n : (value.high << 64n) | value.low;
}
