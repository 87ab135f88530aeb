// SPDX-License-Identifier: Apache-2.0
/**
 * A source, a sink, and between them the two ports of the switch under test: veth pairs, each host in a network namespace
 * of its own, the ports where the switch and P4Runtime's loopback are.
 *
 * The sink reads no frames: they are addressed to nobody there, so its kernel drops them early, and the interface counts
 * them. That is the cheapest way to be counted, which matters where two cores are shared.
 */

import { readFileSync } from 'node:fs';
import { pause, programPath, until, type Watched, watch } from '../../demo/programs.ts';
import { buildLab, type LabPort } from '../../lab/topology.ts';
import { inNetworkNamespace } from '../../switch/ports/network-namespace.ts';
import { openPacketPorts } from '../../switch/ports/packet-socket.ts';
import { type Flows, framesOf } from './flows.ts';
import { PacketGenerator } from './generator.ts';
import type { GeneratorCommand, GeneratorReport } from './generator-process.ts';
import { sinkPort, sourcePort } from './ports.ts';

export interface Trial {
  offered: number;
  delivered: number;
  /** Frames per second that the source has really sent. */
  offeredPerSecond: number;
  deliveredPerSecond: number;
  /** 0..1 */
  loss: number;
}

/** A frame that came out, by what a switch has done to it. */
export type Check = (frame: Uint8Array) => boolean;

const readyTimeoutMs = 60_000;
/** What a switch may still have in its queues when the source has ended, at the slowest rate of interest. */
const drainMs = 150;
const drainMsMax = 3_000;

export class Testbed {
  readonly ports: readonly LabPort[];
  readonly #lab: ReturnType<typeof buildLab>;
  readonly #generator: Watched;
  #reports: GeneratorReport[] = [];

  /** @throws LabError; call `enterLab` first */
  constructor(label: string) {
    this.#lab = buildLab(
      {
        hosts: [
          { name: 'source', port: sourcePort, address: '10.0.1.1/24' },
          { name: 'sink', port: sinkPort, address: '10.0.2.254/24' },
        ],
        // Nothing here is sent by TCP; and BMv2 would not finish what a host leaves to the network card.
        offloads: false,
        switchPlace: 'here',
      },
      label,
    );
    this.ports = this.#lab.ports;
    const { namespace, interfaceName } = this.#lab.host('source');
    const argv = [process.execPath, programPath('bench/traffic/generator-process.js'), interfaceName];
    this.#generator = watch(namespace.spawn(argv, { stdio: 'pipe' }), (line) => {
      this.#reports.push(JSON.parse(line) as GeneratorReport);
    });
  }

  async setFlows(flows: Flows): Promise<void> {
    await this.#ask({ kind: 'flows', flows }, readyTimeoutMs);
  }

  /** Another source, in this process: for who wants to know when a frame left. @throws SystemError */
  openSender(flows: Flows): PacketGenerator {
    const { namespace, interfaceName } = this.#lab.host('source');
    return new PacketGenerator(interfaceName, namespace.name, framesOf(flows));
  }

  /** Offers frames at a rate. Returns when the last of them have had time to come out. */
  async run(framesPerSecond: number, durationMs: number): Promise<Trial> {
    const before = this.#delivered();
    const offered = await this.#ask(
      { kind: 'run', framesPerSecond, durationMs },
      durationMs + readyTimeoutMs,
    );
    if (offered.kind !== 'offered') throw new Error('the generator answers another question');
    const delivered = (await this.#deliveredAtLast()) - before;
    const seconds = offered.durationMs / 1000;
    return {
      offered: offered.frames,
      delivered,
      offeredPerSecond: offered.frames / seconds,
      deliveredPerSecond: delivered / seconds,
      loss: offered.frames === 0 ? 0 : 1 - delivered / offered.frames,
    };
  }

  /**
   * Sends each flow a few times, slowly, and looks at what comes out.
   *
   * @param lossMax  0..1, of what a switch may lose even at this rate
   * @throws Error when more is missing or a frame is not as it should be
   */
  async prove(frames: number, check: Check, lossMax: number): Promise<void> {
    const { namespace, interfaceName } = this.#lab.host('sink');
    const sink = openPacketPorts([{ port: 0, interfaceName, namespace: namespace.name }]);
    try {
      const running = this.run(2_000, (frames / 2_000) * 1000);
      let trial: Trial | undefined;
      let good = 0;
      let bad: Uint8Array | undefined;
      const receive = (_port: number, frame: Uint8Array) => {
        if (check(frame)) good += 1;
        else bad ??= frame.slice();
      };
      const end = running.then((result) => {
        trial = result;
      });
      while (trial === undefined) {
        sink.poll(0, receive);
        await pause(2);
      }
      await end;
      while (sink.poll(0, receive) > 0) {}
      if (bad !== undefined) throw new Error(`the switch sent ${Buffer.from(bad).toString('hex')}`);
      if (good < trial.offered * (1 - lossMax))
        throw new Error(`the switch forwarded ${good} of ${trial.offered} frames`);
    } finally {
      sink.close();
    }
  }

  close(): void {
    this.#generator.child.kill('SIGKILL');
    this.#lab.close();
  }

  async #ask(command: GeneratorCommand, timeoutMs: number): Promise<GeneratorReport> {
    this.#reports = [];
    this.#generator.child.stdin?.write(`${JSON.stringify(command)}\n`);
    await until('the generator answers', timeoutMs, () => {
      const ending = this.#generator.ending();
      if (ending !== undefined)
        throw new Error(`the generator: ${ending}\n${this.#generator.lines.join('\n')}`);
      return this.#reports.length > 0;
    });
    return this.#reports[0]!;
  }

  /** Waits until nothing more comes. */
  async #deliveredAtLast(): Promise<number> {
    let last = this.#delivered();
    for (let waitedMs = 0; waitedMs < drainMsMax; waitedMs += drainMs) {
      await pause(drainMs);
      const now = this.#delivered();
      if (now === last) break;
      last = now;
    }
    return last;
  }

  /** Frames that have come in at the sink since it exists. */
  #delivered(): number {
    const { namespace, interfaceName } = this.#lab.host('sink');
    const text = inNetworkNamespace(namespace.name, () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
    const line = text.split('\n').find((candidate) => candidate.trim().startsWith(`${interfaceName}:`));
    // Received bytes, then received packets.
    return Number(line?.split(':')[1]?.trim().split(/\s+/)[1]);
  }
}
