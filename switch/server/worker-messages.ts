// SPDX-License-Identifier: Apache-2.0
/** What the main thread and the pipeline's worker say to each other. Plain data: it is copied on the way. */

import type { MessagePort } from 'node:worker_threads';
import type { CounterCell } from '../engine/pipeline.ts';
import type { Program } from '../engine/program.ts';
import type { FilterProblem } from '../engine/trace/filter.ts';
import type { WatchRequest } from '../engine/trace/watching.ts';
import type { PacketPortBinding } from '../ports/packet-socket.ts';
import type { PortCounters } from '../ports/port.ts';
import type { CarryOver, HostOperation, PipelineOutput, PipelineSettings } from './host.ts';

/** Given to the worker at its birth. */
export interface WorkerSetup extends PipelineSettings {
  /** Requests come here; answers, outputs and sweeps go back the same way. */
  channel: MessagePort;
  interfaces: readonly PacketPortBinding[];
  /** Where to write captures, as BMv2's --pcap. */
  captureDirectory: string | undefined;
  /** File descriptor that is rung after requests were posted. */
  doorbell: number;
  /** One counter: outputs the main thread has taken. */
  outputsTaken: Int32Array;
  /** Two counters: requests posted, and of these taken. */
  requests: Int32Array;
}

export type WorkerRequest =
  | { kind: 'stage'; id: number; json: string }
  | { kind: 'commit'; id: number; carry: CarryOver | undefined }
  /** Has no answer: whoever needs to know that it is done asks for something else. */
  | { kind: 'apply'; operations: readonly HostOperation[] }
  | { kind: 'sync'; id: number }
  | { kind: 'inject'; port: number; frame: Uint8Array }
  | { kind: 'read-counters'; id: number; counter: number; firstIndex: number; count: number }
  | { kind: 'read-direct-counters'; id: number; table: number; handles: readonly number[] }
  | { kind: 'read-registers'; id: number; register: number; firstIndex: number; count: number }
  | { kind: 'read-idle-micros'; id: number; table: number; handles: readonly number[] }
  | { kind: 'port-counters'; id: number }
  | { kind: 'watch'; id: number; watch: number; request: WatchRequest }
  | { kind: 'unwatch'; id: number; watch: number }
  | { kind: 'stop' };

export type WorkerAnswer =
  | Program
  | number
  | CounterCell[]
  | number[]
  | bigint[]
  | ReadonlyMap<number, PortCounters>
  | FilterProblem
  | undefined;

export type WorkerMessage =
  | { kind: 'ready' }
  | { kind: 'answer'; id: number; answer: WorkerAnswer }
  /** The program cannot be loaded. */
  | { kind: 'problems'; id: number; problems: readonly string[] }
  | { kind: 'output'; output: PipelineOutput }
  | {
      kind: 'idle';
      generation: number;
      entries: readonly (readonly [table: number, handle: number])[];
      applied: number;
    };

/** Places in `WorkerSetup.requests`. */
export const requestsPosted = 0;
export const requestsTaken = 1;

/** Requests the worker may fall behind; a Write beyond it waits until it has caught up. */
export const requestsInFlightMax = 64;

/** Outputs on their way to the main thread; beyond it the worker collects, and drops when that is full too. */
export const outputsInFlightMax = 64;
