// SPDX-License-Identifier: Apache-2.0
/**
 * A switch with its clients and servers, as a process: `takeover-network.js OPTIONS`, options as JSON (`TrafficOptions`).
 * JSON lines on stdout report; a line on stdin commands: start, stop. The end of stdin ends it.
 */
import { createInterface } from 'node:readline';
import { serverHosts } from '../demo/layout.ts';
import { openMemoryNetwork } from '../demo/memory-network.ts';
import type { RunningTraffic } from '../demo/network.ts';
import type { TrafficOptions, TrafficSummary } from '../demo/traffic.ts';

export type NetworkReport =
  | { kind: 'ready'; switchAddress: string; deviceId: number }
  | {
      kind: 'summary';
      summary: TrafficSummary;
      /** Of broken connections, and how many. */
      reasons: Record<string, number>;
      /** The longest that this process did not get to its timers: clients and servers stood still as well. */
      standstillMs: number;
    }
  | { kind: 'stopped' };

const reportMs = 200;
const [optionsText] = process.argv.slice(2) as [string];
const options = JSON.parse(optionsText) as TrafficOptions;
const reasons: Record<string, number> = {};
let traffic: RunningTraffic | undefined;
let standstillMs = 0;
let lastAt = performance.now();

const network = await openMemoryNetwork('a process of its own');
await Promise.all(serverHosts.map(({ name }) => network.startServers(name)));
report({ kind: 'ready', switchAddress: network.switchAddress, deviceId: network.deviceId });

setInterval(() => {
  const now = performance.now();
  standstillMs = Math.max(standstillMs, Math.round(now - lastAt - reportMs));
  lastAt = now;
  tell();
}, reportMs);

const lines = createInterface({ input: process.stdin });
lines.on('line', (command) => void (command === 'start' ? start() : stop()));
lines.on('close', () => process.exit(0));

async function start(): Promise<void> {
  traffic = await network.startTraffic(options, ({ reason, detail }) => {
    const why = `${reason}: ${detail.replace(/request \d+/, 'a request')}`;
    reasons[why] = (reasons[why] ?? 0) + 1;
  });
}

async function stop(): Promise<void> {
  traffic?.calm();
  await traffic?.stop();
  tell();
  report({ kind: 'stopped' });
}

function tell(): void {
  if (traffic !== undefined) report({ kind: 'summary', summary: traffic.summary(), reasons, standstillMs });
}

function report(message: NetworkReport): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
