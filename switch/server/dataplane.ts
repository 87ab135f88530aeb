// SPDX-License-Identifier: Apache-2.0
/**
 * p4.bm.DataplaneInterface: the ports of the switch as a gRPC stream, so that a test needs neither interfaces nor
 * privileges. Frames from the client arrive at a port; frames that leave go to the client.
 *
 * As in simple_switch_grpc there is one client at a time, a message for another device is ignored, and what leaves bears
 * the id of the message that caused it (0 for what nothing of the client caused, as a packet-out). A port that was set
 * down passes no frames either way here; there it only leaves the groups that watch it.
 *
 * Source: behavioral-model, targets/simple_switch_grpc/switch_runner.cpp, DataplaneInterfaceServiceImpl.
 */

import { create } from '@bufbuild/protobuf';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import {
  type DataplaneInterface,
  type PacketStreamRequest,
  type PacketStreamResponse,
  PacketStreamResponseSchema,
  PortOperStatus,
  type SetPortOperStatusRequest,
  SetPortOperStatusResponseSchema,
} from '../../p4runtime/generated/p4/bm/dataplane_interface_pb.ts';
import type { ServiceHandlers } from '../../p4runtime/service-definition.ts';
import { Backlog } from './backlog.ts';
import { checkDecoded } from './decoding.ts';
import { Code, invalid, Refusal } from './refusal.ts';

export const dataplaneLimits = {
  /** Of v1model: ports have 9 bits. */
  portMax: 511,
  /** Frames a slow client may fall behind; beyond it they are dropped. */
  backlog: { messagesMax: 16_384, bytesMax: 32 * 2 ** 20 },
  /** Lines about messages that were ignored, of one client; the others are counted. */
  complaintsMax: 16,
} as const;

export interface DataplaneOptions {
  deviceId: bigint;
  /** Lets a frame arrive; what it causes has been given to `transmit` when this returns. */
  inject: (port: number, frame: Uint8Array) => void;
  onPortStatus: (port: number, isUp: boolean) => void;
  log: (level: 'info' | 'warn' | 'error', line: string) => void;
}

type Stream = ServerDuplexStream<PacketStreamRequest, PacketStreamResponse>;

export class Dataplane {
  readonly #options: DataplaneOptions;
  readonly #downPorts = new Set<number>();
  #client: { stream: Stream; backlog: Backlog<PacketStreamResponse>; hasEnded: boolean } | undefined;
  /** Of the message that is being worked on. */
  #currentId = 0n;
  #dropped = 0;
  #ignored = 0;

  constructor(options: DataplaneOptions) {
    this.#options = options;
  }

  get handlers(): ServiceHandlers<typeof DataplaneInterface> {
    return {
      packetStream: (stream) => this.#join(stream),
      setPortOperStatus: (call, callback) => {
        const refusal = this.#setStatus(call.request);
        if (refusal === undefined) callback(null, create(SetPortOperStatusResponseSchema));
        else callback({ code: refusal.code, details: refusal.message });
      },
    };
  }

  /** A frame leaves. @param frame  is copied */
  transmit(port: number, frame: Uint8Array): void {
    const client = this.#client;
    if (client === undefined || client.hasEnded || this.#downPorts.has(port)) return;
    const { deviceId } = this.#options;
    const response = create(PacketStreamResponseSchema, {
      id: this.#currentId,
      deviceId,
      port,
      packet: new Uint8Array(frame),
    });
    if (client.backlog.offer(response, frame.length)) return;
    if (this.#dropped === 0) {
      this.#options.log('warn', 'the dataplane client is too slow: frames are dropped');
    }
    this.#dropped += 1;
  }

  #join(stream: Stream): void {
    if (this.#client !== undefined) {
      endStream(stream, new Refusal(Code.RESOURCE_EXHAUSTED, 'only one client authorized at a time'));
      return;
    }
    const client = { stream, backlog: new Backlog(stream, dataplaneLimits.backlog), hasEnded: false };
    this.#client = client;
    this.#dropped = 0;
    this.#ignored = 0;
    stream.on('data', (request: PacketStreamRequest) => {
      try {
        checkDecoded(request);
      } catch (cause) {
        client.hasEnded = true;
        endStream(stream, cause as Refusal);
        return;
      }
      if (!client.hasEnded) this.#receive(request);
    });
    // It leaves only when all that was sent to it has been read: until then that takes room.
    stream.on('end', () => {
      client.hasEnded = true;
      stream.end();
    });
    for (const event of ['finish', 'cancelled', 'close', 'error'])
      stream.on(event, () => this.#leave(stream));
  }

  #leave(stream: Stream): void {
    if (this.#client?.stream !== stream) return;
    this.#client = undefined;
    const { complaintsMax } = dataplaneLimits;
    if (this.#ignored > complaintsMax) {
      this.#options.log('warn', `${this.#ignored - complaintsMax} more dataplane packets were ignored`);
    }
    if (this.#dropped > 0) {
      this.#options.log('warn', `the dataplane client missed ${this.#dropped} frames`);
    }
  }

  #receive({ id, deviceId, port, packet }: PacketStreamRequest): void {
    const { deviceId: ownId, inject } = this.#options;
    if (deviceId !== ownId) {
      this.#ignore(`for device ${deviceId} is ignored: this is ${ownId}`);
      return;
    }
    if (port > dataplaneLimits.portMax) {
      this.#ignore(`for port ${port} is ignored: ports are 0 to ${dataplaneLimits.portMax}`);
      return;
    }
    if (packet.length === 0 || this.#downPorts.has(port)) return;
    this.#currentId = id;
    try {
      inject(port, packet);
    } finally {
      this.#currentId = 0n;
    }
  }

  #ignore(why: string): void {
    this.#ignored += 1;
    if (this.#ignored <= dataplaneLimits.complaintsMax) {
      this.#options.log('warn', `a dataplane packet ${why}`);
    }
  }

  #setStatus({ deviceId, port, operStatus }: SetPortOperStatusRequest): Refusal | undefined {
    if (deviceId !== this.#options.deviceId) return invalid('Invalid device id');
    if (port > dataplaneLimits.portMax) return invalid(`ports are 0 to ${dataplaneLimits.portMax}`);
    switch (operStatus) {
      case PortOperStatus.OPER_STATUS_UP:
        this.#downPorts.delete(port);
        break;
      case PortOperStatus.OPER_STATUS_DOWN:
        this.#downPorts.add(port);
        break;
      default:
        return invalid('Invalid oper status');
    }
    this.#options.onPortStatus(port, operStatus === PortOperStatus.OPER_STATUS_UP);
    return undefined;
  }
}

function endStream(stream: Stream, { code, message }: Refusal): void {
  // This is how grpc-js ends a server stream with a status.
  stream.emit('error', { code, details: message });
}
