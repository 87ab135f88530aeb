// SPDX-License-Identifier: Apache-2.0
/**
 * Writer: many updates, few RPCs. Updates that are submitted together travel together; a few RPCs are in
 * flight at a time; each update gets its own result.
 *
 * Updates of the same entity keep their order: they are never in two RPCs in flight at once, because a switch
 * may execute RPCs in parallel. Updates of different entities have no order between them: who needs one waits
 * for the results of the first.
 */
import type { UpdateResult } from './client.ts';
import { entityKey } from './entity-key.ts';
import type { Update } from './generated/p4/v1/p4runtime_pb.ts';
import { P4RuntimeError } from './p4runtime-error.ts';

export interface WriterOptions {
  /** Updates in an RPC at most. Larger ones are not faster, and their error details outgrow a trailer. */
  readonly batchSize: number;
  readonly rpcsInFlight: number;
  /** Updates that wait or are in flight, at most; who submits more has to wait. */
  readonly updatesMax: number;
}

export const writerDefaults: Readonly<WriterOptions> = {
  batchSize: 256,
  rpcsInFlight: 2,
  updatesMax: 16_384,
};

/** Sends one Write, as P4RuntimeClient.write does. */
export type SendWrite = (updates: readonly Update[]) => Promise<UpdateResult[]>;

/** Is told the fate of each update, by its index in what was submitted. Must not throw. */
export type OnResult = (result: UpdateResult, index: number) => void;

interface Job {
  readonly update: Update;
  readonly key: string;
  readonly index: number;
  readonly onResult: OnResult;
}

/** A caller whose updates are not all taken on yet. */
interface Submission {
  readonly updates: readonly Update[];
  readonly onResult: OnResult;
  takenOn: number;
  resolve(): void;
  reject(error: P4RuntimeError): void;
}

export class Writer {
  private readonly send: SendWrite;
  private readonly options: WriterOptions;
  private readonly line = new Queue<Submission>();
  private readonly waiting = new Queue<Job>();
  /** Jobs that had stepped aside: older than any that waits for the same key, so they go first. */
  private readonly back = new Queue<Job>();
  /** Keys in flight, with the jobs that must wait until they have landed. */
  private readonly keysInFlight = new Map<string, Job[]>();
  private rpcCount = 0;
  private updateCount = 0;
  private isScheduled = false;
  private idleWaiters: (() => void)[] = [];
  private closedBy: P4RuntimeError | undefined;

  constructor(send: SendWrite, options: Partial<WriterOptions> = {}) {
    this.send = send;
    this.options = { ...writerDefaults, ...options };
    for (const [name, value] of Object.entries(this.options)) {
      if (Number.isInteger(value) && value >= 1) continue;
      throw new P4RuntimeError('bad-value', {
        message: `writer option ${name} is ${value}, but must be a whole number above 0`,
      });
    }
  }

  /** Waiting or in flight. */
  get pendingCount(): number {
    return this.updateCount;
  }

  /** Writes one update. */
  write(update: Update): Promise<UpdateResult> {
    return new Promise((resolve, reject) => {
      this.submit([update], resolve).catch(reject);
    });
  }

  /** Writes updates, and waits for all of them. */
  async writeAll(updates: readonly Update[]): Promise<UpdateResult[]> {
    const results = new Array<UpdateResult>(updates.length);
    let open = updates.length;
    if (open === 0) return results;
    await new Promise<void>((resolve, reject) => {
      const onResult: OnResult = (result, index) => {
        results[index] = result;
        if (--open === 0) resolve();
      };
      this.submit(updates, onResult).catch(reject);
    });
    return results;
  }

  /**
   * Takes updates on, waiting for room where there is none.
   *
   * @returns resolves when all are taken on, not when they are written
   * @throws P4RuntimeError 'closed'; updates that were taken on before are reported all the same
   */
  submit(updates: readonly Update[], onResult: OnResult): Promise<void> {
    if (this.closedBy !== undefined) return Promise.reject(this.closedBy);
    return new Promise((resolve, reject) => {
      this.line.push({ updates, onResult, takenOn: 0, resolve, reject });
      // Who came first is served first, or an entity's updates could overtake each other.
      this.serveLine();
    });
  }

  /** Resolves when nothing waits and nothing is in flight. */
  idle(): Promise<void> {
    return this.updateCount === 0
      ? Promise.resolve()
      : new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** What waits is reported as 'closed'; what is in flight still gets its result. */
  close(message = 'the writer has been closed'): void {
    if (this.closedBy !== undefined) return;
    const error = new P4RuntimeError('closed', { message });
    this.closedBy = error;
    const dropped = [
      ...this.back.drain(),
      ...this.waiting.drain(),
      ...[...this.keysInFlight.values()].flat(),
    ];
    for (const key of this.keysInFlight.keys()) this.keysInFlight.set(key, []);
    for (const submission of this.line.drain()) submission.reject(error);
    this.settle(dropped, () => resultOf(error));
  }

  private serveLine(): void {
    for (let first = this.line.peek(); first !== undefined; first = this.line.peek()) {
      const { updates, onResult } = first;
      while (first.takenOn < updates.length && this.updateCount < this.options.updatesMax) {
        const index = first.takenOn++;
        const update = updates[index]!;
        this.waiting.push({ update, key: entityKey(update.entity), index, onResult });
        this.updateCount++;
        this.schedule();
      }
      if (first.takenOn < updates.length) return;
      this.line.shift();
      first.resolve();
    }
  }

  /** One microtask later, so that updates submitted in a row share an RPC and a single one still goes at once. */
  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      this.fill();
    });
  }

  private fill(): void {
    while (this.rpcCount < this.options.rpcsInFlight) {
      const batch = this.nextBatch();
      if (batch.length === 0) return;
      void this.sendBatch(batch);
    }
  }

  /** From the front of the queues; a job whose key is in flight steps aside until it has landed. */
  private nextBatch(): Job[] {
    const batch: Job[] = [];
    const batchKeys = new Set<string>();
    while (batch.length < this.options.batchSize) {
      const job = this.back.shift() ?? this.waiting.shift();
      if (job === undefined) break;
      const aside = this.keysInFlight.get(job.key);
      if (aside !== undefined) {
        aside.push(job);
      } else {
        // Twice in one batch is fine: an RPC is executed in order.
        batch.push(job);
        batchKeys.add(job.key);
      }
    }
    for (const key of batchKeys) this.keysInFlight.set(key, []);
    return batch;
  }

  private async sendBatch(batch: readonly Job[]): Promise<void> {
    this.rpcCount++;
    let resultAt: (i: number) => UpdateResult;
    try {
      const results = await this.send(batch.map((job) => job.update));
      resultAt = (i) => results[i]!;
    } catch (error) {
      const result = resultOf(error);
      resultAt = () => result;
    }
    this.rpcCount--;
    this.land(batch);
    this.settle(batch, resultAt);
    this.fill();
  }

  /** Lets those go on that stepped aside for this batch, in the order in which they came. */
  private land(batch: readonly Job[]): void {
    for (const { key } of batch) {
      for (const job of this.keysInFlight.get(key) ?? []) this.back.push(job);
      this.keysInFlight.delete(key);
    }
  }

  private settle(jobs: readonly Job[], resultAt: (i: number) => UpdateResult): void {
    this.updateCount -= jobs.length;
    jobs.forEach((job, i) => {
      job.onResult(resultAt(i), job.index);
    });
    this.serveLine();
    if (this.updateCount === 0) for (const wake of this.idleWaiters.splice(0)) wake();
  }
}

/** The result of each update of an RPC that failed as a whole. */
function resultOf(error: unknown): UpdateResult {
  if (!(error instanceof P4RuntimeError)) throw error;
  return { ok: false, code: error.code, status: error.status ?? 0, message: error.message };
}

/** First in, first out, without moving what is left. */
class Queue<T> {
  private items: T[] = [];
  private head = 0;

  push(item: T): void {
    this.items.push(item);
  }

  peek(): T | undefined {
    return this.items[this.head];
  }

  shift(): T | undefined {
    if (this.head === this.items.length) return undefined;
    const item = this.items[this.head++];
    // Half of the array is used up: moving the rest costs no more than filling it did.
    if (this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  drain(): T[] {
    const rest = this.items.slice(this.head);
    this.items = [];
    this.head = 0;
    return rest;
  }
}
