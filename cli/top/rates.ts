// SPDX-License-Identifier: Apache-2.0
/** What counters of two looks at the controller make in a second, and how that went lately. */
import type { ControllerStatus } from '../../controller/adapters/http/admin.ts';
import type { Count, Traffic } from '../../controller/ports/switch.ts';

/** Of each curve; the oldest is forgotten. */
export const curveMax = 60;

export interface PerSecond {
  /** Undefined: nothing to compare with, or the switch counts anew. */
  packets: number | undefined;
  bytes: number | undefined;
  /** Bytes a second, oldest first; undefined where nothing was known. */
  curve: readonly (number | undefined)[];
}

export interface Rates {
  /** When the switch was asked for its counters: milliseconds since 1970. */
  readAt: number;
  /** When the controller told us. */
  toldAt: number;
  /** By `poolKey` and `backendKey`. */
  counts: ReadonlyMap<string, Count>;
  perSecond: ReadonlyMap<string, PerSecond>;
  notices: number;
  /** Digests and idle notifications a second. */
  noticesPerSecond: number | undefined;
  noticesCurve: readonly (number | undefined)[];
  /** Flows that opened in unstable slots; in stable ones the switch does not tell new flows from old. */
  admitted: number | undefined;
  admittedPerSecond: number | undefined;
}

export const poolKey = (id: number): string => `pool ${id}`;
export const backendKey = (id: number): string => `backend ${id}`;

/** The counters are read about once a second: two looks between which they were not give the rates of the last time. */
const sameReadingMs = 100;

/** @param before  undefined at the first look */
export function nextRates(before: Rates | undefined, { date, switch: target }: ControllerStatus): Rates {
  const toldAt = Date.parse(date);
  const { traffic, trafficAgeMs = 0, notices } = target;
  const readAt = toldAt - trafficAgeMs;
  const isFresh = before === undefined || readAt - before.readAt > sameReadingMs || readAt < before.readAt;
  const counts = isFresh ? countsOf(traffic) : before.counts;
  const seconds = before === undefined ? 0 : (toldAt - before.toldAt) / 1_000;
  const noticesPerSecond = perSecond(notices.received, before?.notices, seconds);
  const admitted = traffic?.decisions.new?.packets;
  return {
    readAt: isFresh ? readAt : before.readAt,
    toldAt,
    counts,
    perSecond: isFresh ? ratesOf(counts, readAt, before) : before.perSecond,
    notices: notices.received,
    noticesPerSecond,
    noticesCurve: extended(before?.noticesCurve, noticesPerSecond),
    admitted,
    admittedPerSecond: perSecond(admitted, before?.admitted, seconds),
  };
}

function ratesOf(
  counts: ReadonlyMap<string, Count>,
  readAt: number,
  before: Rates | undefined,
): Map<string, PerSecond> {
  const seconds = before === undefined ? 0 : (readAt - before.readAt) / 1_000;
  return new Map(
    [...counts].map(([key, count]) => {
      const was = before?.counts.get(key);
      const packets = perSecond(count.packets, was?.packets, seconds);
      const bytes = perSecond(count.bytes, was?.bytes, seconds);
      return [key, { packets, bytes, curve: extended(before?.perSecond.get(key)?.curve, bytes) }];
    }),
  );
}

function countsOf(traffic: Traffic | undefined): Map<string, Count> {
  const pools = Object.entries(traffic?.pools ?? {});
  const backends = Object.entries(traffic?.backends ?? {});
  return new Map([
    ...pools.map(([id, count]) => [poolKey(Number(id)), count] as const),
    ...backends.map(([id, count]) => [backendKey(Number(id)), count] as const),
  ]);
}

function perSecond(now: number | undefined, before: number | undefined, seconds: number): number | undefined {
  // A switch that was restarted counts anew.
  if (now === undefined || before === undefined || seconds <= 0 || now < before) return undefined;
  return (now - before) / seconds;
}

function extended(
  curve: readonly (number | undefined)[] = [],
  value: number | undefined,
): (number | undefined)[] {
  return [...curve, value].slice(-curveMax);
}
