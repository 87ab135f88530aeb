// SPDX-License-Identifier: Apache-2.0
/**
 * A switch under test, driven through P4Runtime and a wire for its frames: the embedded one in this process
 * (embedded.ts), or simple_switch_grpc (bmv2.ts).
 *
 * BMv2 is asynchronous and drops what does not fit into its queues, so packets travel in bursts: the next is sent when
 * all that the other switch made of this one has arrived, or nothing has for a while.
 */
import { create } from '@bufbuild/protobuf';
import { type ClientEvent, P4RuntimeClient } from '../../p4runtime/client.ts';
import type { P4Data } from '../../p4runtime/generated/p4/v1/p4data_pb.ts';
import {
  type Entity,
  EntitySchema,
  Update_Type,
  UpdateSchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { TestProgram } from './programs.ts';
import { readBack } from './readings.ts';
import { type BurstResult, hexOf, type Packet, type Step, type StepResult } from './script.ts';

/** Frames in and out. */
export interface Wire {
  /** Resolves when frames can be sent; there is a program by then. */
  ready(): Promise<void>;
  send(port: number, frame: Uint8Array): void;
  setPort(port: number, isUp: boolean): Promise<void>;
  onFrame(listener: (port: number, frame: Uint8Array) => void): void;
  /** Whether all that a frame causes has happened when `send` returns, messages to the controller apart. */
  readonly isSynchronous: boolean;
  close(): Promise<void>;
}

export interface Pace {
  /** How long nothing more may arrive before a phase of packets counts as over. */
  readonly quietMs: number;
  /** How long to wait for something the other switch has sent. */
  readonly stallMs: number;
}

export const hasty: Pace = { quietMs: 25, stallMs: 400 };
/** To confirm a difference: the machine may have been busy. */
export const patient: Pace = { quietMs: 400, stallMs: 3000 };

/**
 * Packets in flight together. BMv2 drops beyond 64 at one port, and each may become several. One at a time where packets
 * may overtake others, and where there are digests: BMv2 merges equal samples until the first has been acknowledged.
 */
const burstSize = 12;

export class Target {
  readonly name: string;
  pace: Pace = hasty;
  readonly #client: P4RuntimeClient;
  readonly #wire: Wire;
  #frames: string[] = [];
  #packetIns: string[] = [];
  #digests: string[] = [];
  #downPorts = new Set<number>();
  /** Tells the one who waits that something has arrived. */
  #wake: () => void = () => {};

  private constructor(name: string, client: P4RuntimeClient, wire: Wire) {
    this.name = name;
    this.#client = client;
    this.#wire = wire;
    wire.onFrame((port, frame) => this.#arrived(this.#frames, `${port}:${hexOf(frame)}`));
    client.onEvent((event) => this.#receive(event));
  }

  /** @param address  of its P4Runtime server, which is up */
  static async connect(name: string, address: string, deviceId: bigint, wire: Wire): Promise<Target> {
    const client = new P4RuntimeClient({ address, deviceId, electionId: 1n, heartbeatMs: 0 });
    const target = new Target(name, client, wire);
    client.connect();
    await client.whenPrimary(AbortSignal.timeout(20_000));
    return target;
  }

  /** Makes it a new switch with this program. */
  async reset(program: TestProgram): Promise<void> {
    for (const port of this.#downPorts) await this.#wire.setPort(port, true);
    this.#downPorts.clear();
    await this.#forgetReplication();
    const deviceConfig = new TextEncoder().encode(program.json);
    await this.#client.setPipeline({ p4info: program.p4info, deviceConfig, force: true });
    await this.#wire.ready();
    this.#take(0);
  }

  /**
   * @param expected  what another switch did in this step, to know what to wait for
   * @throws P4RuntimeError when the switch is gone
   */
  async run(program: TestProgram, step: Step, expected: StepResult | undefined): Promise<StepResult> {
    switch (step.kind) {
      case 'write': {
        const results = await this.#client.write(step.updates);
        return { kind: 'write', codes: results.map((result) => (result.ok ? 0 : result.status)) };
      }
      case 'packets': {
        const wanted = expected?.kind === 'packets' ? expected.bursts : undefined;
        return { kind: 'packets', bursts: await this.#sendAll(program, step.packets, wanted) };
      }
      case 'read':
        return { kind: 'read', readings: await readBack(this.#client, program.index) };
      case 'port':
        if (step.isUp) this.#downPorts.delete(step.port);
        else this.#downPorts.add(step.port);
        await this.#wire.setPort(step.port, step.isUp);
        return { kind: 'port' };
    }
  }

  async read(wanted: readonly Entity[]): Promise<Entity[]> {
    const entities: Entity[] = [];
    for await (const entity of this.#client.read([...wanted])) entities.push(entity);
    return entities;
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#wire.close();
  }

  async #sendAll(
    program: TestProgram,
    packets: readonly Packet[],
    wanted: readonly BurstResult[] | undefined,
  ): Promise<BurstResult[]> {
    const size = wanders(program) || program.p4info.digests.length > 0 ? 1 : burstSize;
    const bursts = inBursts(packets, size);
    const results: BurstResult[] = [];
    for (const burst of bursts) {
      for (const packet of burst) this.#send(packet);
      await this.#settle(wanted?.[results.length], burst === bursts.at(-1));
      results.push(this.#take(burst.length));
    }
    return results;
  }

  #send(packet: Packet): void {
    if (packet.kind === 'frame') this.#wire.send(packet.port, packet.frame);
    else this.#client.sendPacket(packet.payload, [...packet.metadata]);
  }

  async #settle(wanted: BurstResult | undefined, isLast: boolean): Promise<void> {
    if (this.#wire.isSynchronous) {
      // Messages on one connection keep their order, so what the controller is told has come before the second answer.
      await this.#client.capabilities();
      await this.#client.capabilities();
      return;
    }
    const { quietMs, stallMs } = this.pace;
    const isComplete = () =>
      wanted !== undefined &&
      this.#frames.length >= wanted.frames.length &&
      this.#packetIns.length >= wanted.packetIns.length &&
      this.#digests.length >= wanted.digests.length;
    while (wanted !== undefined && !isComplete()) {
      if (!(await this.#anythingWithin(stallMs))) return;
    }
    if (wanted !== undefined && !isLast) return;
    while (await this.#anythingWithin(quietMs));
  }

  /** @returns false when the time has passed */
  #anythingWithin(milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  #take(count: number): BurstResult {
    const result = {
      count,
      frames: this.#frames,
      packetIns: this.#packetIns,
      digests: this.#digests,
    };
    this.#frames = [];
    this.#packetIns = [];
    this.#digests = [];
    return result;
  }

  #receive(event: ClientEvent): void {
    if (event.kind === 'packet-in') {
      const { payload, metadata } = event.packet;
      const fields = metadata.map(({ metadataId, value }) => `${metadataId}=${hexOf(value)}`);
      this.#arrived(this.#packetIns, `${fields.join(' ')}|${hexOf(payload)}`);
    }
    if (event.kind === 'digest') {
      const { digestId, data } = event.list;
      for (const each of data) this.#arrived(this.#digests, `${digestId}:${textOf(each)}`);
    }
  }

  #arrived(list: string[], text: string): void {
    list.push(text);
    this.#wake();
  }

  /** BMv2 keeps groups and sessions when the program is replaced. */
  async #forgetReplication(): Promise<void> {
    const updates = [];
    for (const kind of ['multicastGroupEntry', 'cloneSessionEntry'] as const) {
      const wanted = create(EntitySchema, {
        entity: { case: 'packetReplicationEngineEntry', value: { type: { case: kind, value: {} } } },
      });
      try {
        for await (const entity of this.#client.read([wanted])) {
          updates.push(create(UpdateSchema, { type: Update_Type.DELETE, entity }));
        }
      } catch {
        // Before the first program there is nothing to read.
      }
    }
    if (updates.length > 0) await this.#client.write(updates);
  }
}

function textOf({ data }: P4Data): string {
  switch (data.case) {
    case 'bitstring':
      return hexOf(data.value);
    case 'struct':
    case 'tuple':
      return data.value.members.map(textOf).join(',');
    default:
      return `${data.case}`;
  }
}

/** Frames and packet-outs go different ways, so they never share a burst. */
function inBursts(packets: readonly Packet[], size: number): Packet[][] {
  const bursts: Packet[][] = [];
  for (const packet of packets) {
    const last = bursts.at(-1);
    if (last && last.length < size && last[0]!.kind === packet.kind) last.push(packet);
    else bursts.push([packet]);
  }
  return bursts;
}

/** Whether packets of the program may come again, and so overtake others. */
export function wanders({ json }: TestProgram): boolean {
  return /"op":\s*"(resubmit|recirculate|clone_egress_pkt_to_egress)"/.test(json);
}
