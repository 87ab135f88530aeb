// SPDX-License-Identifier: Apache-2.0
/**
 * A whole controller in a process of nothing else, which tells what it costs: `health-controller.js CONFIG`. Each line on stdin begins a new
 * measurement and ends the one before, of which a line of JSON tells. The backend 10.x.y.z is 127.x.y.z to its probes.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { Probes } from '../controller/adapters/probe/probes.ts';
import { startController } from '../controller/main.ts';

/** Since the line before. */
export interface ControllerCost {
  /** Of one core, user and system. */
  share: number;
  /** By how much turns of the event loop came late, milliseconds. */
  delayMs: { p50: number; p99: number; most: number };
  /** The pool serves, and every row is as wanted. */
  isSettled: boolean;
  /** Backends whose last probe passed. */
  up: number;
}

const resolutionMs = 10;

const probes = new Probes();
const controller = await startController({
  prober: {
    probe: (probe, answer) => {
      const address = probe.target.address.replace(/^10\./, '127.');
      return probes.probe({ ...probe, target: { ...probe.target, address } }, answer);
    },
    close: () => probes.close(),
  },
  configPath: process.argv[2]!,
  listen: { host: '127.0.0.1', port: 0 },
});
const delay = monitorEventLoopDelay({ resolution: resolutionMs });
delay.enable();
let startedAt = performance.now();
let before = process.cpuUsage();
const lines = createInterface({ input: process.stdin });
lines.on('line', () => {
  const { user, system } = process.cpuUsage(before);
  // The histogram counts from timer to timer: what is beyond its own period is delay.
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolutionMs);
  const { engine, health } = controller.status();
  const backends = health?.[0]?.backends ?? [];
  const cost: ControllerCost = {
    share: (user + system) / 1_000 / (performance.now() - startedAt),
    delayMs: { p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), most: late(delay.max) },
    isSettled: engine.pools[0]?.phase === 'serving' && engine.writes.unsettledRows === 0,
    up: backends.filter(({ state }) => state === 'up').length,
  };
  process.stdout.write(`${JSON.stringify(cost)}\n`);
  startedAt = performance.now();
  before = process.cpuUsage();
  delay.reset();
});
lines.on('close', () => process.exit(0));
