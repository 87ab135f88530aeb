// SPDX-License-Identifier: Apache-2.0
/** Workload W: the Hadoop replay of JET and Cheetah. A function of the rate of updates and the seed. */

import type { Ipv4Address } from '../../controller/core/desired.ts';
import type { Dice } from '../kernel/dice.ts';
import type { Vip } from './flow-hasher.ts';
import { downtimeSeconds, flowKilobytes, flowSeconds } from './hadoop.ts';
import { KilledServers, type Servers } from './servers.ts';
import { Traffic } from './traffic.ts';

export interface WorkloadOptions {
  seed: number;
  servers: number;
  slotCount: number;
  concurrentFlows: number;
  durationMs: number;
  updatesPerMinute: number;
  /** See traffic.ts. */
  packetGapMs: number;
  /** Within a data centre. */
  roundTripMs: number;
}

export const workloadW: Readonly<WorkloadOptions> = {
  seed: 1,
  servers: 468,
  slotCount: 65_536,
  concurrentFlows: 100_000,
  durationMs: 1_000_000,
  updatesPerMinute: 10,
  packetGapMs: 5_000,
  roundTripMs: 0.5,
};

/** 10.0.0.1, TCP, 80. */
export const vip: Vip = { address: 0x0a000001, protocol: 6, port: 80 };
export const SERVER_PORT = 8080;

/** 10.1.0.0 and up. */
export function addressOf(server: number): Ipv4Address {
  return 0x0a010000 + server;
}

export function createWorkload(options: WorkloadOptions): { traffic: Traffic; servers: Servers } {
  const { seed, slotCount, concurrentFlows, packetGapMs, roundTripMs, updatesPerMinute } = options;
  return {
    traffic: new Traffic({
      seed,
      vip,
      slotCount,
      concurrentFlows,
      flowSeconds,
      packets: packetsOf,
      packetGapMs,
      roundTripMs,
    }),
    servers: new KilledServers({ seed, servers: options.servers, updatesPerMinute, downtimeSeconds }),
  };
}

/** About 100 bytes in a packet, as JET's replay has it. */
function packetsOf(dice: Dice): number {
  return Math.floor(10 * flowKilobytes.draw(dice)) + 1;
}
