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
import { Code, invalid, Refusal } from './refusal.ts';

export const dataplaneLimits = {
  /** Of v1model: ports have 9 bits. */
  portMax: 511,
  /** Frames a slow client may fall behind; beyond it they are dropped. */
  backlogMax: 16_384,
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
  #client: Stream | undefined;
  /** Of the message that is being worked on. */
  #currentId = 0n;
  #dropped = 0;

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
    if (client === undefined || this.#downPorts.has(port)) return;
    if (client.writableLength >= dataplaneLimits.backlogMax) {
      if (this.#dropped === 0)
        this.#options.log('warn', 'the dataplane client is too slow: frames are dropped');
      this.#dropped += 1;
      return;
    }
    const { deviceId } = this.#options;
    client.write(
      create(PacketStreamResponseSchema, {
        id: this.#currentId,
        deviceId,
        port,
        packet: new Uint8Array(frame),
      }),
    );
  }

  #join(stream: Stream): void {
    if (this.#client !== undefined) {
      const refusal = new Refusal(Code.RESOURCE_EXHAUSTED, 'only one client authorized at a time');
      stream.emit('error', { code: refusal.code, details: refusal.message });
      return;
    }
    this.#client = stream;
    this.#dropped = 0;
    stream.on('data', (request: PacketStreamRequest) => this.#receive(request));
    stream.on('end', () => {
      this.#leave(stream);
      stream.end();
    });
    for (const event of ['cancelled', 'close', 'error']) stream.on(event, () => this.#leave(stream));
  }

  #leave(stream: Stream): void {
    if (this.#client !== stream) return;
    this.#client = undefined;
    if (this.#dropped > 0) {
      this.#options.log('warn', `the dataplane client missed ${this.#dropped} frames`);
    }
  }

  #receive({ id, deviceId, port, packet }: PacketStreamRequest): void {
    const { log, inject } = this.#options;
    if (deviceId !== this.#options.deviceId) {
      log('warn', `a dataplane packet for device ${deviceId} is ignored: this is ${this.#options.deviceId}`);
      return;
    }
    if (port > dataplaneLimits.portMax) {
      log(
        'warn',
        `a dataplane packet for port ${port} is ignored: ports are 0 to ${dataplaneLimits.portMax}`,
      );
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
