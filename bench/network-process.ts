// SPDX-License-Identifier: Apache-2.0
/** A switch with its clients and servers, as a process of its own; see takeover-network.ts. */
import { emptySummary } from '../demo/network.ts';
import { programPath, startProgram, until, type Watched } from '../demo/programs.ts';
import type { TrafficOptions, TrafficSummary } from '../demo/traffic.ts';
import type { NetworkReport } from './takeover-network.ts';

const startMs = 60_000;

export class NetworkProcess {
  switchAddress = '';
  deviceId = 0;
  summary: TrafficSummary = emptySummary;
  /** Of broken connections, and how many. */
  reasons: Readonly<Record<string, number>> = {};
  /** The longest that it got no processor. */
  standstillMs = 0;
  private isStopped = false;
  private readonly process: Watched;

  /** @throws Error when it does not start */
  static async start(options: TrafficOptions): Promise<NetworkProcess> {
    const network = new NetworkProcess(options);
    await until('a switch listens', startMs, () => {
      const ending = network.process.ending();
      if (ending !== undefined)
        throw new Error(`a switch has ended (${ending}):\n${network.process.lines.join('\n')}`);
      return network.switchAddress !== '';
    });
    return network;
  }

  private constructor(options: TrafficOptions) {
    const program = programPath('bench/takeover-network.js');
    this.process = startProgram([process.execPath, program, JSON.stringify(options)], (line) => {
      const { kind, ...said } = JSON.parse(line) as NetworkReport;
      Object.assign(this, said);
      if (kind === 'stopped') this.isStopped = true;
    });
  }

  startTraffic(): void {
    this.command('start');
  }

  /** Every connection has ended then, or its answers are overdue. */
  async stopTraffic(): Promise<void> {
    this.command('stop');
    await until('the traffic has ended', startMs, () => this.isStopped);
  }

  async kill(): Promise<void> {
    this.process.child.kill('SIGKILL');
    await this.process.ended;
  }

  private command(line: string): void {
    this.process.child.stdin?.write(`${line}\n`);
  }
}
