// SPDX-License-Identifier: Apache-2.0
/** What the controller needs of whoever asks backends how they are. */
import type { Check } from '../core/check.ts';
import type { ProbeOutcome } from '../core/health.ts';

export interface ProbeTarget {
  pool: string;
  backend: string;
  /** As text: what sockets take. */
  address: string;
  port: number;
}

export interface Probe {
  target: ProbeTarget;
  check: Check;
  /** From when it begins, without what we were absent; one that waits for its turn waits as long as it must. */
  timeoutMs: number;
}

/** Each call of `probe` is answered once, never during the call, and not at all once it was cancelled. */
export interface Prober {
  /** @returns the function that cancels it */
  probe(probe: Probe, answer: (outcome: ProbeOutcome) => void): () => void;
  /** Cancels everything. */
  close(): Promise<void>;
}
