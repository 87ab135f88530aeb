// SPDX-License-Identifier: Apache-2.0
/**
 * A switch that exists for one trace: the server's state of record and the pipeline, without ports, without gRPC. What
 * is written is refused or taken as over P4Runtime.
 */

import { create } from '@bufbuild/protobuf';
import type { P4Info } from '../../p4runtime/generated/p4/config/v1/p4info_pb.ts';
import {
  ForwardingPipelineConfigSchema,
  SetForwardingPipelineConfigRequest_Action,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { PacketTrace } from '../engine/trace/trace.ts';
import { ManualClock } from '../server/clock.ts';
import { type Compat, Rules } from '../server/compat.ts';
import { Device } from '../server/device.ts';
import { InProcessHost } from '../server/in-process-host.ts';
import { Code } from '../server/refusal.ts';
import type { PlacedUpdate } from './runtime-json.ts';

export interface OfflineOptions {
  /** Text of the BMv2 JSON. */
  json: string;
  p4info: P4Info;
  cpuPort: number;
  dropPort: number;
  compat: Compat;
}

export const offlineDefaults = { cpuPort: 510, dropPort: 511, compat: 'strict' } as const;

export class OfflineSwitch {
  readonly #device: Device;
  readonly #host: InProcessHost;
  readonly #clock: ManualClock;

  private constructor(device: Device, host: InProcessHost, clock: ManualClock) {
    this.#device = device;
    this.#host = host;
    this.#clock = clock;
  }

  /** @throws Refusal when the program or its P4Info is not right */
  static async open({ json, p4info, cpuPort, dropPort, compat }: OfflineOptions): Promise<OfflineSwitch> {
    const clock = new ManualClock();
    const rules = new Rules(compat);
    const device = new Device({ clock, cpuPort, rules, send: () => {}, log: () => {} });
    const host = new InProcessHost({ cpuPort, dropPort, clock, listener: device, onTransmit: () => {} });
    device.attach(host);
    const p4DeviceConfig = new TextEncoder().encode(json);
    const config = create(ForwardingPipelineConfigSchema, { p4info, p4DeviceConfig });
    await device.setConfig(SetForwardingPipelineConfigRequest_Action.VERIFY_AND_COMMIT, config);
    return new OfflineSwitch(device, host, clock);
  }

  /** @returns one line for each update that was refused: its place, the code, the reason */
  async write(updates: readonly PlacedUpdate[]): Promise<string[]> {
    const results = await this.#device.write(updates.map(({ update }) => update));
    return results.flatMap((refusal, index) => {
      if (refusal === undefined) return [];
      const code = Object.entries(Code).find(([, number]) => number === refusal.code)?.[0];
      return [`${updates[index]!.place}: ${code}: ${refusal.message}`];
    });
  }

  /** @param micros  since the switch was opened; time never goes back */
  trace(port: number, frame: Uint8Array, micros: number): PacketTrace {
    this.#clock.advance(Math.max(0, micros - this.#clock.nowMicros()) / 1000);
    return this.#host.trace(port, frame);
  }

  close(): Promise<void> {
    return this.#host.close();
  }
}
