// SPDX-License-Identifier: Apache-2.0
/**
 * The controllers that are connected: their streams, who is primary in which role, and what each is told.
 */

import { create } from '@bufbuild/protobuf';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { StatusSchema } from '../../p4runtime/generated/google/rpc/status_pb.ts';
import type {
  MasterArbitrationUpdate,
  Role,
  StreamMessageRequest,
  StreamMessageResponse,
  Uint128,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import {
  MasterArbitrationUpdateSchema,
  StreamErrorSchema,
  StreamMessageResponseSchema,
  Uint128Schema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { type Election, type ElectionEvent, isPrimaryId, noElection, step } from './arbitration.ts';
import { Backlog, type Sink } from './backlog.ts';
import type { Rules } from './compat.ts';
import { Code, invalid, Refusal } from './refusal.ts';
import type { TrapLog } from './trap-log.ts';

export type Stream = ServerDuplexStream<StreamMessageRequest, StreamMessageResponse>;

export const controllerLimits = {
  /** As simple_switch_grpc. A stream counts until all that was sent to it has been read, or its connection is gone. */
  streamsMax: 16,
  /** Roles are remembered for ever, because the highest election id must be. */
  rolesMax: 64,
  /** UTF-16 units, for the same reason. */
  roleNameMax: 1024,
  /** What a slow controller may fall behind; beyond it packets, digests and notices to it are dropped. */
  backlog: { messagesMax: 16_384, bytesMax: 32 * 2 ** 20 },
} as const;

export interface ControllersOptions {
  deviceId: bigint;
  rules: Rules;
  traps: TrapLog;
  log: (level: 'info' | 'warn' | 'error', line: string) => void;
}

interface Controller {
  id: number;
  stream: Stream;
  /** Set by the first arbitration, and fixed from then on. */
  role: { key: string; deviceId: bigint; message: Role | undefined } | undefined;
  isClosed: boolean;
  backlog: Backlog<StreamMessageResponse>;
  /** The outcome of the last election, when there was no room for it: older ones are of no use to anybody. */
  owed: StreamMessageResponse | undefined;
  /** Messages dropped since it last kept up. */
  dropped: number;
}

export class Controllers {
  readonly #options: ControllersOptions;
  readonly #byId = new Map<number, Controller>();
  /** By role. */
  readonly #elections = new Map<string, Election>();
  /** Streams that still hold messages, those that are no controller's any more included. */
  readonly #open = new Set<Stream>();
  #lastId = 0;

  constructor(options: ControllersOptions) {
    this.#options = options;
  }

  /** @returns the name of the stream from now on; undefined when it had to be turned away */
  join(stream: Stream): number | undefined {
    if (this.#open.size >= controllerLimits.streamsMax) {
      endStream(stream, new Refusal(Code.RESOURCE_EXHAUSTED, 'Too many connections'));
      return undefined;
    }
    this.#open.add(stream);
    // grpc-js says so whatever the end is, when the last message has left or never will; 'finish' and 'close' may come before.
    stream.on('cancelled', () => this.#open.delete(stream));
    this.#lastId += 1;
    const id = this.#lastId;
    const backlog = new Backlog(sinkOf(stream), controllerLimits.backlog, () => this.#onRoom(controller));
    const controller: Controller = {
      id,
      stream,
      role: undefined,
      isClosed: false,
      backlog,
      owed: undefined,
      dropped: 0,
    };
    this.#byId.set(id, controller);
    return id;
  }

  leave(id: number): void {
    const controller = this.#byId.get(id);
    if (controller === undefined) return;
    controller.isClosed = true;
    this.#byId.delete(id);
    if (controller.role !== undefined) this.#elect(controller.role.key, { kind: 'leave', stream: id });
  }

  /** Takes part in the election. What is wrong with the message ends the stream. */
  arbitrate(id: number, update: MasterArbitrationUpdate): void {
    const controller = this.#byId.get(id);
    if (controller === undefined) return;
    try {
      this.#checkArbitration(controller, update);
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause;
      this.#close(controller, cause);
      return;
    }
    const { key } = controller.role!;
    this.#elect(key, { kind: 'arbitrate', stream: id, electionId: electionIdOf(update.electionId) });
  }

  /** Whether the stream is that of its role's primary. */
  isPrimary(id: number): boolean {
    const role = this.#byId.get(id)?.role;
    return role?.deviceId === this.#options.deviceId && this.#elections.get(role.key)?.primary === id;
  }

  /** @throws Refusal PERMISSION_DENIED when this election id is not the primary's in this role */
  checkPrimary(request: {
    deviceId: bigint;
    role: string;
    roleId: bigint;
    electionId?: Uint128 | undefined;
  }): void {
    const key = this.#electionKey(request.deviceId, request.role, request.roleId);
    const election = this.#elections.get(key) ?? noElection;
    if (!isPrimaryId(this.#options.rules, election, electionIdOf(request.electionId))) {
      throw new Refusal(Code.PERMISSION_DENIED, 'Not primary');
    }
  }

  /** Sends to the primary of every role; without one the message is lost. */
  broadcast(message: StreamMessageResponse): void {
    for (const { primary } of this.#elections.values()) {
      const controller = primary === undefined ? undefined : this.#byId.get(primary);
      if (controller?.role?.deviceId === this.#options.deviceId) this.#send(controller, message);
    }
  }

  /** Tells one controller what was wrong with a message of its own. */
  sendError(id: number, refusal: Refusal, details: StreamErrorDetails): void {
    const controller = this.#byId.get(id);
    if (controller === undefined) return;
    const value = create(StreamErrorSchema, {
      canonicalCode: refusal.code,
      message: refusal.message,
      details,
    });
    this.#send(controller, create(StreamMessageResponseSchema, { update: { case: 'error', value } }));
  }

  /** Ends the stream with a status. */
  close(id: number, refusal: Refusal): void {
    const controller = this.#byId.get(id);
    if (controller !== undefined) this.#close(controller, refusal);
  }

  closeAll(refusal: Refusal): void {
    for (const controller of [...this.#byId.values()]) this.#close(controller, refusal);
  }

  #checkArbitration(controller: Controller, update: MasterArbitrationUpdate): void {
    const { deviceId, rules, traps } = this.#options;
    if (controller.role !== undefined && update.deviceId !== controller.role.deviceId) {
      throw new Refusal(Code.FAILED_PRECONDITION, 'Invalid device id');
    }
    if (update.deviceId !== deviceId) {
      rules.allow('other-device', `this is device ${deviceId}, not ${update.deviceId}`);
    }
    if (update.role?.config !== undefined) rules.allow('role-config', 'this switch knows no role.config');
    const { roleNameMax } = controllerLimits;
    if ((update.role?.name.length ?? 0) > roleNameMax)
      throw invalid(`the name of a role is longer than ${roleNameMax}`);
    const key = this.#electionKey(update.deviceId, update.role?.name ?? '', update.role?.id ?? 0n);
    if (update.role !== undefined) traps.note('roles-ignored', `role '${update.role.name}'`);
    if (controller.role !== undefined && controller.role.key !== key) {
      rules.allow('role-change', 'a stream keeps its role; open another for another role');
    }
    if (!this.#elections.has(key) && this.#elections.size >= controllerLimits.rolesMax) {
      throw new Refusal(Code.RESOURCE_EXHAUSTED, `there are ${controllerLimits.rolesMax} roles already`);
    }
    controller.role = { key, deviceId: update.deviceId, message: update.role };
  }

  /** Names an election. Where other devices are not turned away, each has its own. */
  #electionKey(deviceId: bigint, name: string, id: bigint): string {
    const device = deviceId === this.#options.deviceId ? '' : `${deviceId}/`;
    const hasRoles = this.#options.rules.answer('roles') === 'an election for each role';
    return hasRoles ? device + roleKey(name, id) : device;
  }

  #elect(key: string, event: ElectionEvent): void {
    const { election, effects } = step(this.#options.rules, this.#elections.get(key) ?? noElection, event);
    this.#elections.set(key, election);
    const tellsRole = this.#options.rules.answer('role-in-answer') === 'with the role';
    for (const effect of effects) {
      const controller = this.#byId.get(effect.stream);
      if (controller === undefined) continue;
      if (effect.kind === 'close') {
        controller.role = undefined;
        this.#close(controller, new Refusal(effect.code, effect.message));
        continue;
      }
      const value = create(MasterArbitrationUpdateSchema, {
        deviceId: controller.role?.deviceId ?? this.#options.deviceId,
        role: tellsRole ? controller.role?.message : undefined,
        electionId: effect.electionId === undefined ? undefined : uint128(effect.electionId),
        status: create(StatusSchema, { code: effect.code, message: effect.message }),
      });
      const message = create(StreamMessageResponseSchema, { update: { case: 'arbitration', value } });
      controller.owed = controller.backlog.offer(message, heldBytes(message)) ? undefined : message;
      if (effect.code === Code.OK) this.#options.log('info', `controller ${effect.stream} is primary`);
    }
  }

  #send(controller: Controller, message: StreamMessageResponse): void {
    if (controller.owed === undefined && controller.backlog.offer(message, heldBytes(message))) {
      if (controller.dropped > 0) {
        this.#options.log('warn', `controller ${controller.id} missed ${controller.dropped} messages`);
        controller.dropped = 0;
      }
      return;
    }
    controller.dropped += 1;
    if (controller.dropped === 1) {
      this.#options.log('warn', `controller ${controller.id} is too slow: messages to it are dropped`);
    }
  }

  #onRoom(controller: Controller): void {
    const { owed } = controller;
    if (owed === undefined || controller.isClosed) return;
    if (controller.backlog.offer(owed, heldBytes(owed))) controller.owed = undefined;
  }

  #close(controller: Controller, refusal: Refusal): void {
    if (controller.isClosed) return;
    this.leave(controller.id);
    endStream(controller.stream, refusal);
  }
}

export type StreamErrorDetails = NonNullable<
  NonNullable<Parameters<typeof create<typeof StreamErrorSchema>>[1]>['details']
>;

/**
 * `stream.write` would hand over a message only when the one before has left: one or two in a turn of the event loop. Turns
 * of a busy machine last a tenth of a second, packets raise dozens of digests in each, and the controller would hear of a
 * flow when it is too late to pin it. What is handed over here leaves with the next turn, however much it is; how much that
 * may be, the backlog knows.
 */
function sinkOf(stream: Stream): Sink<StreamMessageResponse> {
  return {
    write(message, onSent) {
      if (stream.writable) stream._write(message, 'utf8', onSent);
    },
  };
}

function endStream(stream: Stream, { code, message }: Refusal): void {
  // This is how grpc-js ends a server stream with a status.
  stream.emit('error', { code, details: message });
}

/** About what a message holds while it waits: payloads are counted, the rest is guessed from the number of parts. */
function heldBytes({ update }: StreamMessageResponse): number {
  const overhead = 512;
  switch (update.case) {
    case 'packet':
      return overhead + update.value.payload.length;
    case 'digest':
      return overhead + update.value.data.length * 512;
    case 'idleTimeoutNotification':
      return overhead + update.value.tableEntry.length * 1024;
    case 'error': {
      const { message, details } = update.value;
      const echoed = details.case === 'packetOut' ? (details.value.packetOut?.payload.length ?? 0) : 0;
      return overhead + message.length + echoed;
    }
    default:
      return overhead;
  }
}

/** The role without a name is the default role. Numbers are the older way to name one. */
function roleKey(name: string, id: bigint): string {
  if (name !== '') return name;
  return id === 0n ? '' : `#${id}`;
}

function electionIdOf(id: Uint128 | undefined): bigint | undefined {
  return id && (id.high << 64n) | id.low;
}

function uint128(value: bigint): Uint128 {
  return create(Uint128Schema, { high: value >> 64n, low: BigInt.asUintN(64, value) });
}
