// SPDX-License-Identifier: Apache-2.0
/**
 * Runs the pipeline in a worker thread that owns the packet sockets, so that neither packets wait for gRPC nor gRPC for
 * packets. Linux only.
 *
 * The worker is started from compiled JavaScript: when this file itself runs as TypeScript (vitest), from `dist/`,
 * because Node 20 cannot run TypeScript and a worker does not share vitest's loader.
 */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { CounterCell } from '../engine/pipeline.ts';
import { ProgramError } from '../engine/pipeline.ts';
import type { Program } from '../engine/program.ts';
import type { FilterProblem } from '../engine/trace/filter.ts';
import type { WatchRequest } from '../engine/trace/watching.ts';
import { createDoorbell, type Doorbell } from '../ports/doorbell.ts';
import type { PacketPortBinding } from '../ports/packet-socket.ts';
import type { PortCounters } from '../ports/port.ts';
import {
  type CarryOver,
  type HostListener,
  type HostOperation,
  type PipelineHost,
  type PipelineSettings,
  settingsOf,
} from './host.ts';
import { LinkWatch } from './link-watch.ts';
import {
  requestsInFlightMax,
  requestsPosted,
  requestsTaken,
  type WorkerAnswer,
  type WorkerMessage,
  type WorkerRequest,
  type WorkerSetup,
} from './worker-messages.ts';

export interface WorkerHostOptions extends PipelineSettings {
  interfaces: readonly PacketPortBinding[];
  captureDirectory?: string | undefined;
  listener: HostListener;
}

interface Pending {
  resolve: (answer: WorkerAnswer) => void;
  reject: (cause: Error) => void;
}

/** @returns when the ports are open. @throws the error of the worker, a SystemError's text for one */
export async function startWorkerHost(options: WorkerHostOptions): Promise<WorkerHost> {
  const doorbell = createDoorbell();
  const { port1: channel, port2 } = new MessageChannel();
  const outputsTaken = new Int32Array(new SharedArrayBuffer(4));
  const requests = new Int32Array(new SharedArrayBuffer(8));
  const setup: WorkerSetup = {
    channel: port2,
    interfaces: options.interfaces,
    captureDirectory: options.captureDirectory,
    ...settingsOf(options),
    doorbell: doorbell.fd,
    outputsTaken,
    requests,
  };
  const worker = new Worker(workerUrl(), { workerData: setup, transferList: [port2] });
  const host = new WorkerHost(worker, channel, doorbell, { outputsTaken, requests }, options);
  await host.ready;
  return host;
}

function workerUrl(): URL {
  const isSource = import.meta.url.endsWith('.ts');
  const url = new URL(
    isSource ? '../../dist/switch/server/pipeline-worker.js' : './pipeline-worker.js',
    import.meta.url,
  );
  if (!existsSync(url)) throw new Error(`${fileURLToPath(url)} does not exist: run 'npm run build' first`);
  return url;
}

export class WorkerHost implements PipelineHost {
  readonly ready: Promise<void>;
  readonly #channel: MessagePort;
  readonly #doorbell: Doorbell;
  readonly #outputsTaken: Int32Array;
  readonly #requests: Int32Array;
  readonly #listener: HostListener;
  readonly #pending = new Map<number, Pending>();
  readonly #links: LinkWatch;
  readonly #gone: Promise<void>;
  #lastId = 0;
  #isRinging = false;
  #isClosing = false;
  #failure: Error | undefined;

  /** Use `startWorkerHost`. */
  constructor(
    worker: Worker,
    channel: MessagePort,
    doorbell: Doorbell,
    { outputsTaken, requests }: Pick<WorkerSetup, 'outputsTaken' | 'requests'>,
    { interfaces, listener }: WorkerHostOptions,
  ) {
    this.#channel = channel;
    this.#doorbell = doorbell;
    this.#outputsTaken = outputsTaken;
    this.#requests = requests;
    this.#listener = listener;
    this.#links = new LinkWatch({ interfaces, onChange: (port) => listener.portChanged(port) });
    this.#gone = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#end(new Error('the pipeline worker has ended'));
        resolve();
      });
    });
    this.ready = new Promise((resolve, reject) => {
      this.#pending.set(0, { resolve: () => resolve(), reject });
    });
    worker.on('error', (cause) => this.#end(cause as Error));
    channel.on('message', (message: WorkerMessage) => this.#receive(message));
  }

  async stage(json: string): Promise<Program> {
    return (await this.#ask({ kind: 'stage', json })) as Program;
  }

  async commit(carry?: CarryOver): Promise<number> {
    return (await this.#ask({ kind: 'commit', carry })) as number;
  }

  async apply(operations: readonly HostOperation[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#post({ kind: 'apply', operations });
    // Before every frame the worker looks whether something was posted, so there is no need to wait for it.
    const [posted, taken] = [
      Atomics.load(this.#requests, requestsPosted),
      Atomics.load(this.#requests, requestsTaken),
    ];
    if (((posted - taken) | 0) > requestsInFlightMax) await this.#ask({ kind: 'sync' });
  }

  isPortUp(port: number): boolean {
    return this.#links.isUp(port);
  }

  inject(port: number, frame: Uint8Array): void {
    // A view would take the whole buffer behind it along.
    this.#post({ kind: 'inject', port, frame: frame.slice() });
  }

  async readCounters(counter: number, firstIndex: number, count: number): Promise<CounterCell[]> {
    return (await this.#ask({ kind: 'read-counters', counter, firstIndex, count })) as CounterCell[];
  }

  async readDirectCounters(table: number, handles: readonly number[]): Promise<CounterCell[]> {
    return (await this.#ask({ kind: 'read-direct-counters', table, handles })) as CounterCell[];
  }

  async readRegisters(register: number, firstIndex: number, count: number): Promise<bigint[]> {
    return (await this.#ask({ kind: 'read-registers', register, firstIndex, count })) as bigint[];
  }

  async readIdleMicros(table: number, handles: readonly number[]): Promise<number[]> {
    return (await this.#ask({ kind: 'read-idle-micros', table, handles })) as number[];
  }

  async watch(id: number, request: WatchRequest): Promise<FilterProblem | undefined> {
    return (await this.#ask({ kind: 'watch', watch: id, request })) as FilterProblem | undefined;
  }

  async unwatch(id: number): Promise<void> {
    await this.#ask({ kind: 'unwatch', watch: id });
  }

  async portCounters(): Promise<ReadonlyMap<number, PortCounters>> {
    return (await this.#ask({ kind: 'port-counters' })) as ReadonlyMap<number, PortCounters>;
  }

  async close(): Promise<void> {
    if (this.#isClosing) return this.#gone;
    this.#isClosing = true;
    this.#links.close();
    if (this.#failure === undefined) this.#post({ kind: 'stop' });
    await this.#gone;
    this.#channel.close();
    this.#doorbell.close();
  }

  #ask(request: Asked): Promise<WorkerAnswer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#post({ ...request, id } as WorkerRequest);
    });
  }

  #post(request: WorkerRequest): void {
    this.#channel.postMessage(request);
    Atomics.add(this.#requests, requestsPosted, 1);
    // One ring for all that is posted in one turn of the event loop.
    if (this.#isRinging) return;
    this.#isRinging = true;
    queueMicrotask(() => {
      this.#isRinging = false;
      if (this.#failure === undefined) this.#doorbell.ring();
    });
  }

  #receive(message: WorkerMessage): void {
    switch (message.kind) {
      case 'ready':
        this.#settle(0)?.resolve(undefined);
        break;
      case 'answer':
        this.#settle(message.id)?.resolve(message.answer);
        break;
      case 'problems':
        this.#settle(message.id)?.reject(new ProgramError(message.problems));
        break;
      case 'output':
        Atomics.add(this.#outputsTaken, 0, 1);
        this.#listener.output(message.output);
        break;
      case 'idle':
        this.#listener.idle(message.generation, message.entries, message.applied);
        break;
    }
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #end(cause: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = cause;
    const wasReady = !this.#pending.has(0);
    for (const { reject } of this.#pending.values()) reject(cause);
    this.#pending.clear();
    if (wasReady && !this.#isClosing) this.#listener.failed(cause);
  }
}

type Asked = WorkerRequest extends infer Request
  ? Request extends { id: number }
    ? Omit<Request, 'id'>
    : never
  : never;
