// SPDX-License-Identifier: Apache-2.0
/**
 * Collects the samples of one digest into lists, and holds back what the controller has been told but has not
 * acknowledged.
 *
 * A list is sent when it is full or its timer fires. Without a timer a list that is not full waits on simple_switch_grpc,
 * however long, while the specification wants each sample sent at once; the portable configurations are a list size of
 * 1, or a timeout of at least 1 ms.
 */

import type { Clock } from './clock.ts';
import type { Rules } from './compat.ts';

export interface DigestConfig {
  maxTimeoutNs: bigint;
  /** 0: `listSizeDefault`. */
  maxListSize: number;
  ackTimeoutNs: bigint;
}

/** What simple_switch_grpc makes of a list size of 0, and the most it takes. */
export const listSizeDefault = 1024;

/** A longer list than that is sent in parts; or what waits for it without a timeout could be anything. */
export const listSizeMax = 65_536;

/** Samples that wait for their acknowledgement; beyond it the oldest count as acknowledged. */
export const unacknowledgedMax = 65_536;

export type Sample = readonly bigint[];

export class DigestQueue {
  readonly config: DigestConfig;
  readonly #clock: Clock;
  readonly #deliver: (listId: bigint, samples: readonly Sample[]) => void;
  readonly #listSize: number;
  readonly #timeoutMs: number;
  readonly #ackTimeoutMicros: number;
  readonly #mergesEqual: boolean;
  /** Tells equal samples apart that are not merged. */
  #samples = 0;
  /** The list being filled, by the sample's text. */
  #waiting = new Map<string, Sample>();
  #cancelTimer: (() => void) | undefined;
  #lastListId = 0n;
  /** Lists that wait for their acknowledgement, oldest first. */
  readonly #lists = new Map<bigint, { untilMicros: number; texts: readonly string[] }>();
  /** Which of those lists holds a sample back. */
  readonly #holder = new Map<string, bigint>();

  constructor(
    config: DigestConfig,
    clock: Clock,
    rules: Rules,
    deliver: (listId: bigint, samples: readonly Sample[]) => void,
  ) {
    this.config = config;
    this.#clock = clock;
    this.#deliver = deliver;
    const sendsAtOnce = rules.answer('digest-without-timer') === 'sent at once';
    const isStalling = DigestQueue.canStall(config);
    this.#listSize =
      isStalling && sendsAtOnce ? 1 : Math.min(config.maxListSize || listSizeDefault, listSizeMax);
    this.#timeoutMs = Number(config.maxTimeoutNs / 1_000_000n);
    this.#ackTimeoutMicros = Number(config.ackTimeoutNs / 1000n);
    this.#mergesEqual = config.ackTimeoutNs > 0n || rules.answer('digest-equal-samples') === 'sent once';
  }

  /** Whether a list can wait for ever: no timer, and more than one sample to wait for. */
  static canStall(config: DigestConfig): boolean {
    return config.maxListSize !== 1 && config.maxTimeoutNs < 1_000_000n;
  }

  add(sample: Sample): void {
    const text = this.#mergesEqual ? sample.join() : String(++this.#samples);
    if (this.#waiting.has(text) || this.#isHeldBack(text)) return;
    this.#waiting.set(text, sample);
    if (this.#waiting.size >= this.#listSize) this.#flush();
    else if (this.#timeoutMs > 0) {
      this.#cancelTimer ??= this.#clock.after(this.#timeoutMs, () => this.#flush());
    }
  }

  /** An unknown list is ignored: its acknowledgement may have crossed its timeout. */
  acknowledge(listId: bigint): void {
    for (const text of this.#lists.get(listId)?.texts ?? []) {
      if (this.#holder.get(text) === listId) this.#holder.delete(text);
    }
    this.#lists.delete(listId);
  }

  /** What has been collected is dropped. */
  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#waiting.clear();
  }

  #flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const samples = this.#waiting;
    this.#waiting = new Map();
    this.#lastListId += 1n;
    if (this.#ackTimeoutMicros > 0) this.#holdBack([...samples.keys()], this.#lastListId);
    this.#deliver(this.#lastListId, [...samples.values()]);
  }

  #holdBack(texts: readonly string[], listId: bigint): void {
    const untilMicros = this.#clock.nowMicros() + this.#ackTimeoutMicros;
    this.#lists.set(listId, { untilMicros, texts });
    for (const text of texts) this.#holder.set(text, listId);
    for (const oldest of this.#lists.keys()) {
      if (this.#holder.size <= unacknowledgedMax) break;
      this.acknowledge(oldest);
    }
  }

  #isHeldBack(text: string): boolean {
    const nowMicros = this.#clock.nowMicros();
    for (const [listId, { untilMicros }] of this.#lists) {
      if (nowMicros < untilMicros) break;
      this.acknowledge(listId);
    }
    return this.#holder.has(text);
  }
}
