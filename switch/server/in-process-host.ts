// SPDX-License-Identifier: Apache-2.0
/**
 * Runs the pipeline in this thread: every call has happened when it returns, and time is whatever the clock says.
 * For tests, the simulator, and switches whose ports are memory.
 */

import type { Program } from '../engine/program.ts';
import type { FilterProblem } from '../engine/trace/filter.ts';
import type { PacketTrace } from '../engine/trace/trace.ts';
import type { WatchRequest } from '../engine/trace/watching.ts';
import type { PortCounters } from '../ports/port.ts';
import { CounterTable } from '../ports/port.ts';
import type { Clock } from './clock.ts';
import {
  type CarryOver,
  type HostListener,
  type HostOperation,
  idleSweepMs,
  type PipelineHost,
  type PipelineSettings,
  settingsOf,
} from './host.ts';
import { Runner } from './runner.ts';

export interface InProcessHostOptions extends PipelineSettings {
  clock: Clock;
  listener: HostListener;
  /** Called for each frame that leaves; the frame is valid only during the call. */
  onTransmit: (port: number, frame: Uint8Array) => void;
}

export class InProcessHost implements PipelineHost {
  readonly #runner: Runner;
  readonly #listener: HostListener;
  readonly #clock: Clock;
  readonly #counters = new CounterTable([]);
  readonly #downPorts = new Set<number>();
  #cancelSweep: () => void = () => {};

  constructor(options: InProcessHostOptions) {
    const { clock, listener, onTransmit } = options;
    this.#runner = new Runner({
      ...settingsOf(options),
      nowMicros: () => clock.nowMicros(),
      send: onTransmit,
    });
    this.#listener = listener;
    this.#clock = clock;
    this.#sweepLater();
  }

  async stage(json: string): Promise<Program> {
    return this.#runner.stage(json);
  }

  async commit(carry?: CarryOver): Promise<number> {
    const generation = this.#runner.commit(carry);
    this.#tellOutput();
    return generation;
  }

  async apply(operations: readonly HostOperation[]): Promise<void> {
    this.#runner.apply(operations);
  }

  /** Every port is up, there being no cables, until somebody says otherwise. */
  isPortUp(port: number): boolean {
    return !this.#downPorts.has(port);
  }

  setPortUp(port: number, isUp: boolean): void {
    if (this.isPortUp(port) === isUp) return;
    if (isUp) this.#downPorts.delete(port);
    else this.#downPorts.add(port);
    this.#listener.portChanged(port);
  }

  inject(port: number, frame: Uint8Array): void {
    this.#runner.process(port, frame);
    this.#tellOutput();
  }

  /** As `inject`, told step by step. */
  trace(port: number, frame: Uint8Array): PacketTrace {
    const trace = this.#runner.trace(port, frame);
    this.#tellOutput();
    return trace;
  }

  async watch(id: number, request: WatchRequest): Promise<FilterProblem | undefined> {
    return this.#runner.watch(id, request);
  }

  async unwatch(id: number): Promise<void> {
    this.#runner.unwatch(id);
  }

  async readCounters(counter: number, firstIndex: number, count: number) {
    return this.#runner.readCounters(counter, firstIndex, count);
  }

  async readDirectCounters(table: number, handles: readonly number[]) {
    return this.#runner.readDirectCounters(table, handles);
  }

  async readRegisters(register: number, firstIndex: number, count: number) {
    return this.#runner.readRegisters(register, firstIndex, count);
  }

  async readIdleMicros(table: number, handles: readonly number[]) {
    return this.#runner.readIdleMicros(table, handles);
  }

  async portCounters(): Promise<ReadonlyMap<number, PortCounters>> {
    return this.#counters.snapshot();
  }

  async close(): Promise<void> {
    this.#cancelSweep();
  }

  #tellOutput(): void {
    if (this.#runner.hasOutput) this.#listener.output(this.#runner.takeOutput());
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#clock.after(idleSweepMs, () => {
      this.#listener.idle(this.#runner.generation, this.#runner.idleEntries(), this.#runner.applied);
      this.#sweepLater();
    });
  }
}
