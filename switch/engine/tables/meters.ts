// SPDX-License-Identifier: Apache-2.0
/**
 * Meters: how much is left in two buckets of tokens, and so which colour a packet gets.
 *
 * The trTCM in its colour-blind mode, as BMv2 does it: a packet the peak bucket cannot pay for is red and costs nothing;
 * otherwise it pays there, and is yellow if the committed bucket cannot pay, green if that pays too. Buckets start full
 * and are refilled by whole tokens, counted from time 0, so that no rounding adds up.
 *
 * Sources: RFC 2698; behavioral-model src/bm_sim/meters.cpp.
 */

import type { MeterRates } from '../pipeline.ts';

export const colours = { green: 0, yellow: 1, red: 2 } as const;

interface Bucket {
  tokensPerMicro: number;
  burst: number;
  tokens: number;
  /** Tokens that had come since time 0 when the bucket was last looked at. */
  seen: number;
}

interface Meter {
  peak: Bucket;
  committed: Bucket;
}

/** The meters of one array, or of the rows of one table. A meter nobody has configured says green. */
export class Meters {
  private readonly configured = new Map<number, Meter>();

  /** Buckets are full again afterwards. */
  set(index: number, rates: MeterRates | undefined): void {
    if (rates === undefined) {
      this.configured.delete(index);
      return;
    }
    this.configured.set(index, {
      peak: fullBucket(rates.peakPerSecond, rates.peakBurst),
      committed: fullBucket(rates.committedPerSecond, rates.committedBurst),
    });
  }

  /** @param cost  1, or bytes */
  execute(index: number, cost: number, nowMicros: number): number {
    const meter = this.configured.get(index);
    if (meter === undefined) return colours.green;
    // The committed bucket is not even refilled by a red packet: what comes is counted from time 0.
    if (!pay(meter.peak, cost, nowMicros)) return colours.red;
    return pay(meter.committed, cost, nowMicros) ? colours.green : colours.yellow;
  }
}

function fullBucket(perSecond: number, burst: number): Bucket {
  return { tokensPerMicro: perSecond / 1e6, burst, tokens: burst, seen: 0 };
}

function pay(bucket: Bucket, cost: number, nowMicros: number): boolean {
  const seen = Math.floor(Math.floor(nowMicros) * bucket.tokensPerMicro);
  bucket.tokens = Math.min(bucket.tokens + Math.max(0, seen - bucket.seen), bucket.burst);
  bucket.seen = seen;
  if (bucket.tokens < cost) return false;
  bucket.tokens -= cost;
  return true;
}
