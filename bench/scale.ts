// SPDX-License-Identifier: Apache-2.0
/**
 * How the controller grows: many pools, a million flows, sixteen switches. Every kind of change is carried out once, and
 * what it takes of the processor is measured; the switches cost nothing (scale-world.ts).
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type Address,
  type Desired,
  type DesiredBackend,
  type DesiredPool,
  PLAIN_POOL,
} from '../controller/core/desired.ts';
import { flowHash } from '../controller/core/flow-hash.ts';
import type { SlotRow } from '../controller/core/row.ts';
import type { Status } from '../controller/core/status.ts';
import { ScaleWorld, type Work } from './scale-world.ts';

export interface ScaleOptions {
  pools: number;
  backendsPerPool: number;
  slotsPerPool: number;
  /** Of the last pool. */
  slotsOfLargest: number;
  switches: number;
  /** Concurrent flows, spread evenly over pools and slots; those of unstable slots speak once and are pinned. */
  flows: number;
}

export const scaleDefaults: Readonly<ScaleOptions> = {
  pools: 100,
  backendsPerPool: 10,
  slotsPerPool: 4_096,
  slotsOfLargest: 65_536,
  switches: 16,
  flows: 1_000_000,
};

export interface ScaleResult {
  slots: number;
  /** Heap of the controller, garbage collected, without what the switches in memory take. */
  heapBytes: { serving: number; pinned: number };
  pins: number;
  unstableSlots: number;
  work: Record<ScaleEvent, Work>;
  /** What the operator's look at everything takes, and the book that is kept for the next controller. */
  statusMs: number;
  bookMs: number;
}

const scaleEvents = [
  'first fill',
  'a backend dies',
  'it returns',
  'a drain',
  'a weight in one pool',
  'a weight in the largest pool',
  'a weight in every pool',
  'digests of their flows',
  'a minute without changes',
  'takeover',
  'merge of all',
] as const;
export type ScaleEvent = (typeof scaleEvents)[number];

const sessionTimeoutMs = 900_000;
const addressBits = 24;
const digestsAtOnce = 1_000;

export function benchScale(options: ScaleOptions): ScaleResult {
  const collectGarbage = garbageCollector();
  const heapBefore = heapBytes(collectGarbage);
  let desired = desiredOf(options);
  let world = new ScaleWorld(options.switches, desired, undefined);
  const work = {} as Record<ScaleEvent, Work>;
  const now = (): Status => world.engine.status();
  const isQuiet = () => {
    const { change, writes } = now();
    return change.phase === 'idle' && change.waitingFor === undefined && writes.unsettledRows === 0;
  };
  const changeOf = (
    event: ScaleEvent,
    pools: readonly number[],
    index: number,
    to: Partial<DesiredBackend>,
  ) => {
    desired = withBackend(desired, pools, index, to);
    work[event] = world.work(() => world.want(desired), isQuiet);
    world.pass(2_000);
  };

  work['first fill'] = world.work(
    () => world.connect(),
    () => isQuiet() && now().pools.every(({ phase }) => phase === 'serving'),
  );
  const serving = heapBytes(collectGarbage) - heapBefore - heapOfCopy(world, collectGarbage);
  changeOf('a backend dies', [0], 1, { state: 'down' });
  changeOf('it returns', [0], 1, { state: 'active' });
  changeOf('a drain', [1], 1, { state: 'draining' });
  world.pass(60_000);
  changeOf('a weight in one pool', [2], 1, { weight: 80 });
  world.pass(60_000);
  changeOf('a weight in the largest pool', [options.pools - 1], 1, { weight: 80 });
  world.pass(60_000);
  const every = Array.from({ length: options.pools }, (_, pool) => pool);
  changeOf('a weight in every pool', every, 2, { weight: 80 });

  work['digests of their flows'] = world.work(() => speak(world, desired, options.flows), isQuiet);
  work['a minute without changes'] = world.work(() => world.pass(60_000), isQuiet, 120_000);
  const { pins, pools } = now();
  const unstableSlots = pools.reduce((sum, pool) => sum + pool.unstableSlots, 0);
  const pinned = heapBytes(collectGarbage) - heapBefore - heapOfCopy(world, collectGarbage);
  const statusMs = timed(() => world.engine.status());
  const bookMs = timed(() => world.engine.book());

  const { rows } = world.switches[0]!;
  world = new ScaleWorld(options.switches, desired, rows);
  work.takeover = world.work(
    () => world.connect(),
    () => now().state === 'running' && isQuiet(),
  );
  work['merge of all'] = world.work(
    () => world.pass(sessionTimeoutMs),
    () => isQuiet() && now().pools.every((pool) => pool.unstableSlots === 0),
    2 * sessionTimeoutMs,
  );
  return {
    slots: desired.pools.reduce((sum, { slotCount }) => sum + slotCount, 0),
    heapBytes: { serving, pinned },
    pins: pins.installed,
    unstableSlots,
    work,
    statusMs,
    bookMs,
  };
}

/** Rows for docs/evaluation.md. */
export function formatScale(options: ScaleOptions, result: ScaleResult): string[] {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  const count = (value: number) => value.toLocaleString('en');
  return [
    `${options.pools} pools of ${options.backendsPerPool} backends, ${count(result.slots)} slots, ${options.switches} switches,`,
    `${count(options.flows)} flows, of which ${count(result.pins)} are pinned; ${count(result.unstableSlots)} slots unstable.`,
    `Heap: ${megabytes(result.heapBytes.serving)} serving, ${megabytes(result.heapBytes.pinned)} with pins and unstable slots.`,
    `status: ${result.statusMs.toFixed(0)} ms; book: ${result.bookMs.toFixed(0)} ms.`,
    '',
    '| what happens | processor, ms | longest turn, ms | rows to each switch | rows/s of processor time |',
    '|---|---|---|---|---|',
    ...scaleEvents.map((event) => {
      const { cpuMs, longestMs, updates } = result.work[event];
      const all = updates * options.switches;
      const rate = updates < 100 ? '' : count(Math.round((all * 1000) / Math.max(cpuMs, 1)));
      return `| ${event} | ${cpuMs.toFixed(0)} | ${longestMs.toFixed(0)} | ${count(updates)} | ${rate} |`;
    }),
  ];
}

function desiredOf({ pools, backendsPerPool, slotsPerPool, slotsOfLargest }: ScaleOptions): Desired {
  return {
    pools: Array.from({ length: pools }, (_, pool): DesiredPool => {
      const backends = Array.from({ length: backendsPerPool }, (_, i): DesiredBackend => {
        const address = 0x0b000000 + pool * 256 + i + 1;
        return { name: `b${i}`, address, port: 8080, weight: 100, state: 'active' };
      });
      return {
        name: `pool ${pool}`,
        vip: { address: 0x0a010000 + pool, protocol: 'tcp', port: 80 },
        ...PLAIN_POOL,
        slotCount: pool === pools - 1 ? slotsOfLargest : slotsPerPool,
        sessionTimeoutMs,
        placement: 'sticky',
        backends,
      };
    }),
    interfaces: [{ port: 1, address: 0x0afffffe, prefixLength: 8, mac: 0x020000000101, mtu: 0 }],
    routes: [],
    neighbours: [],
  };
}

function withBackend(
  desired: Desired,
  pools: readonly number[],
  index: number,
  to: Partial<DesiredBackend>,
): Desired {
  const changed = new Set(pools);
  return {
    ...desired,
    pools: desired.pools.map((pool, at) => {
      if (!changed.has(at)) return pool;
      return { ...pool, backends: pool.backends.map((old, i) => (i === index ? { ...old, ...to } : old)) };
    }),
  };
}

/** Of all the flows, those of unstable slots are told of, by one switch each. */
function speak(world: ScaleWorld, desired: Desired, flows: number): void {
  const unstable = new Map<number, SlotRow>();
  const poolIds = new Map<Address, number>();
  for (const row of world.switches[0]!.rows.values()) {
    if (row.table === 'vip') poolIds.set(row.address, row.pool);
    if (row.table === 'slot' && row.unstable) unstable.set(row.pool * 65_536 + row.slot, row);
  }
  let told = 0;
  for (let n = 0; n < flows; n++) {
    const { vip, slotCount } = desired.pools[n % desired.pools.length]!;
    const sourceAddress = 0xc0000000 + (Math.imul(n, 0x9e3779b1) >>> (32 - addressBits));
    const sourcePort = 1024 + (n % 60_000);
    const flow = { sourceAddress, sourcePort, targetAddress: vip.address, protocol: 6, targetPort: vip.port };
    const pool = poolIds.get(vip.address)!;
    const row = unstable.get(pool * 65_536 + flowHash(flow, slotCount - 1).slot);
    if (row === undefined) continue;
    const { slot, backend } = row;
    // At most noticeLimit of them may wait.
    if (++told % digestsAtOnce === 0) world.pass(10);
    const from = world.switches[n % world.switches.length]!;
    from.tell({
      kind: 'flow-digest',
      reason: 'old',
      pool,
      slot,
      column: 0,
      backend,
      sourceAddress,
      sourcePort,
    });
  }
}

/** What the switch in memory takes, by what a copy of it takes. */
function heapOfCopy(world: ScaleWorld, collectGarbage: () => void): number {
  const before = heapBytes(collectGarbage);
  const copy = new Map(world.switches[0]!.rows);
  const bytes = heapBytes(collectGarbage) - before;
  // It has to live until here.
  return copy.size > 0 ? bytes : 0;
}

/** Typed arrays are not on the heap, but are as much the controller's. */
function heapBytes(collectGarbage: () => void): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

function timed(act: () => unknown): number {
  const startMs = performance.now();
  act();
  return performance.now() - startMs;
}
