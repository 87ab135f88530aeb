// SPDX-License-Identifier: Apache-2.0
/**
 * How many packets per second the simulated switches decide on one core: the model in its hot way (`decide`, hashes
 * computed once per flow) and with packets as objects (`process`), and the compiled program with frames.
 */

import { requireIpv4 } from '../controller/core/address.ts';
import { type Flow, flowHash } from '../controller/core/flow-hash.ts';
import { type FilterVersion, PLAIN_VIP, type Row } from '../controller/core/row.ts';
import { CompiledSwitch } from '../sim/switch/compiled-switch.ts';
import { FastSwitch, kindOf } from '../sim/switch/fast-switch.ts';
import type { Decision, PacketFlags, SimSwitch } from '../sim/switch/sim-switch.ts';
import { type Distribution, distributionOf } from './distribution.ts';
import { readProgram } from './programs/program.ts';

export interface SimBenchOptions {
  rounds: number;
  /** Each sends one packet a round. */
  flows: number;
  /** Of the compiled program. */
  compiledFlows: number;
  /** A power of two. */
  slots: number;
}

export const simBenchDefaults: Readonly<SimBenchOptions> = {
  rounds: 7,
  flows: 1_000_000,
  compiledFlows: 20_000,
  slots: 65_536,
};

export interface SimBenchResult {
  situation: string;
  way: string;
  perSecond: Distribution;
}

/** What all flows find, and what becomes of their packets. */
interface Situation {
  name: string;
  isUnstable: boolean;
  pinned: 'nobody' | 'they' | 'others';
  flags: PacketFlags;
  /** After the first round, which opens or not. */
  expected: Decision;
}

const situations: readonly Situation[] = [
  { name: 'stable slot', isUnstable: false, pinned: 'nobody', flags: 'ack', expected: 'stable' },
  { name: 'unstable slot, unknown flow', isUnstable: true, pinned: 'nobody', flags: 'ack', expected: 'base' },
  { name: 'unstable slot, SYN', isUnstable: true, pinned: 'nobody', flags: 'syn', expected: 'filter' },
  { name: 'pinned flow', isUnstable: true, pinned: 'they', flags: 'ack', expected: 'pinned' },
  {
    name: 'unstable slot, as many pins of others',
    isUnstable: true,
    pinned: 'others',
    flags: 'ack',
    expected: 'base',
  },
];

const pool = 1;
const backends = 1_000;
const vip = { targetAddress: 0x0a010064, protocol: 6, targetPort: 80 };
const backendNetwork = 0x0a020000;
const dead: FilterVersion = { epoch: 0, column: 0, learn: false };

/** @throws Error when packets are not decided as they should be */
export function benchSim(options: SimBenchOptions): SimBenchResult[] {
  const program = new TextDecoder().decode(readProgram('p4/build/evenkeel').deviceConfig);
  return situations.flatMap((situation) => [
    measureDecide(situation, options),
    measureProcess('process', new FastSwitch(), situation, options),
    measureProcess('compiled', new CompiledSwitch(program), situation, {
      ...options,
      flows: options.compiledFlows,
    }),
  ]);
}

function measureDecide(
  situation: Situation,
  { flows: count, rounds, slots: slotCount }: SimBenchOptions,
): SimBenchResult {
  const model = new FastSwitch();
  const flows = flowsOf(count);
  prepare(model, situation, slotCount, flows);
  const hashes = flows.map((flow) => flowHash(flow, slotCount - 1));
  const slots = Uint16Array.from(hashes, ({ slot }) => slot);
  const rowsA = Uint16Array.from(hashes, ({ rowA }) => rowA);
  const rowsB = Uint16Array.from(hashes, ({ rowB }) => rowB);
  const addresses = Uint32Array.from(flows, ({ sourceAddress }) => requireIpv4(sourceAddress));
  const ports = Uint16Array.from(flows, ({ sourcePort }) => sourcePort);
  const kind = kindOf({ flow: flows[0]!, flags: situation.flags });
  return measure('decide', situation, rounds, count, (now) => {
    for (let n = 0; n < count; n++) {
      model.decide(pool, slots[n]!, rowsA[n]!, rowsB[n]!, addresses[n]!, ports[n]!, kind, now);
    }
    return model.process({ flow: flows[0]!, flags: situation.flags }, now).decision;
  });
}

function measureProcess(
  way: string,
  asked: SimSwitch,
  situation: Situation,
  { flows: count, rounds, slots }: SimBenchOptions,
): SimBenchResult {
  const flows = flowsOf(count);
  prepare(asked, situation, slots, flows);
  const packets = flows.map((flow) => ({ flow, flags: situation.flags }));
  return measure(way, situation, rounds, count, (now) => {
    for (const packet of packets) asked.process(packet, now);
    return asked.process(packets[0]!, now).decision;
  });
}

/** @param round  sends a packet of every flow, and tells what was decided on one more */
function measure(
  way: string,
  { name, expected }: Situation,
  rounds: number,
  packets: number,
  round: (now: number) => Decision,
): SimBenchResult {
  const rates: number[] = [];
  // The first is for the compiler.
  for (let now = 0; now <= rounds; now++) {
    const startMs = performance.now();
    const decision = round(now);
    const elapsedMs = performance.now() - startMs;
    if (decision !== expected) throw new Error(`${name}, ${way}: ${decision}, not ${expected}`);
    if (now > 0) rates.push((packets / elapsedMs) * 1000);
  }
  return { situation: name, way, perSecond: distributionOf(rates) };
}

function flowsOf(count: number): Flow[] {
  return Array.from({ length: count }, (_, n) => ({
    sourceAddress: 0x0b000000 + n,
    sourcePort: 1024 + (n % 60_000),
    ...vip,
  }));
}

function prepare(
  asked: SimSwitch,
  { isUnstable, pinned }: Situation,
  slotCount: number,
  flows: readonly Flow[],
): void {
  const insert = (row: Row) => {
    const refusal = asked.apply({ operation: 'insert', row }, 0);
    if (refusal !== undefined) throw new Error(`${row.table}: ${refusal}`);
  };
  const { targetAddress: address, protocol, targetPort: port } = vip;
  insert({ table: 'vip', address, protocol, port, pool, slotMask: slotCount - 1, ...PLAIN_VIP });
  insert({ table: 'route', prefix: backendNetwork, prefixLength: 16, nextHop: backendNetwork });
  insert({ table: 'neighbour', address: backendNetwork, port: 2, sourceMac: 1, targetMac: 2, mtu: 0 });
  for (let backend = 1; backend <= backends; backend++) {
    insert({ table: 'backend', backend, forwarding: 'nat', address: backendNetwork + backend, port: 8080 });
  }
  for (let slot = 0; slot < slotCount; slot++) {
    const backend = 1 + (slot % backends);
    insert({ table: 'slot', pool, slot, unstable: isUnstable, pinsBase: true, backend });
    if (isUnstable) insert({ table: 'slot_version', pool, slot, column: 1, backend: backends + 1 - backend });
  }
  const filters = [{ ...dead, epoch: 1 }, { epoch: 1, column: 1, learn: true }, dead, dead] as const;
  asked.apply({ operation: 'modify', row: { table: 'version', active: 1, filters } }, 0);
  if (pinned === 'nobody') return;
  for (const { sourceAddress, sourcePort } of flows) {
    const owner = pinned === 'they' ? sourcePort : sourcePort ^ 1;
    insert({ table: 'pin', pool, sourceAddress, sourcePort: owner, backend: 1, idleTimeoutMs: 900_000 });
  }
}

/** Rows of a table for docs/benchmarks.md. */
export function formatSimBench(results: readonly SimBenchResult[]): string[] {
  const number = (value: number) => Math.round(value).toLocaleString('en');
  return [
    '| situation | switch | packets/s, median | least to most |',
    '|---|---|---|---|',
    ...results.map(
      ({ situation, way, perSecond: { p50, least, most } }) =>
        `| ${situation} | ${way} | ${number(p50)} | ${number(least)} to ${number(most)} |`,
    ),
  ];
}
