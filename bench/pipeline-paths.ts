// SPDX-License-Identifier: Apache-2.0
/** The ways through our programs that bench/pipeline.ts measures, and one of them made ready to run. */

import type { EntryInput } from '../p4runtime/entries.ts';
import { compile } from '../switch/engine/compile.ts';
import type { Pipeline, PipelineSink } from '../switch/engine/pipeline.ts';
import type { Program } from '../switch/engine/program.ts';
import { tcpFlags } from '../wire/tcp.ts';
import { balancer, balancerDefaults, balancerEntries, madeUnstable, pool } from './programs/balancer.ts';
import { defaultOf, operationsOf } from './programs/operations.ts';
import type { BenchProgram } from './programs/program.ts';
import { router, routerDefaults, routerEntries } from './programs/router.ts';
import { type Flows, framesOf } from './traffic/flows.ts';
import { sourcePort } from './traffic/ports.ts';

/** One way through a program. */
export interface Path {
  name: string;
  program: BenchProgram;
  entries: readonly EntryInput[];
  /** Of the table `version`, whose default says which filter slots are live. */
  version?: readonly number[];
  flows: Flows;
  /** What becomes of each packet. */
  expected: { sent: boolean; digest: boolean };
}

type Build = (json: unknown, sink: PipelineSink) => { pipeline: Pipeline; program: Program };

const dropPort = 511;

export const engines = {
  compiled: (json, sink) => compile(json, { dropPort, sink, tier: 'compiled' }),
  interpreted: (json, sink) => compile(json, { dropPort, sink, tier: 'interpreted' }),
} as const satisfies Readonly<Record<string, Build>>;

export type Engine = keyof typeof engines;

/** Packets between two looks at the clock. */
const burst = 200;

export function preparePath(path: Path, engine: Engine) {
  let sent = 0;
  let digests = 0;
  let processed = 0;
  const json: unknown = JSON.parse(new TextDecoder().decode(path.program.deviceConfig));
  const { pipeline, program } = engines[engine](json, {
    transmit: () => {
      sent += 1;
    },
    digest: () => {
      digests += 1;
    },
    diagnostic: (what) => {
      throw new Error(what);
    },
  });
  pipeline.apply(operationsOf(program, path.entries));
  if (path.version) pipeline.apply([defaultOf(program, 'version', path.version)]);
  const frames = framesOf(path.flows);
  let next = 0;
  return {
    /** @returns packets per second */
    measure(durationMs: number): number {
      const startMs = performance.now();
      let packets = 0;
      for (;;) {
        for (let count = 0; count < burst; count++) {
          pipeline.process(sourcePort, frames[next]!, processed + packets + count);
          next = next + 1 === frames.length ? 0 : next + 1;
        }
        packets += burst;
        const elapsedMs = performance.now() - startMs;
        if (elapsedMs < durationMs) continue;
        processed += packets;
        return (packets / elapsedMs) * 1000;
      }
    },
    /** @throws Error when a packet did not take this path */
    check() {
      const { expected } = path;
      const isRight =
        sent === (expected.sent ? processed : 0) && digests === (expected.digest ? processed : 0);
      if (!isRight) throw new Error(`${path.name}: ${sent} sent, ${digests} digests of ${processed} packets`);
      return { sent, digests };
    },
  };
}

export function pathsOf(frameBytes: number): Path[] {
  const program = balancer();
  const stable = balancerEntries(balancerDefaults);
  const flows = program.flows(frameBytes);
  const forwarded = { sent: true, digest: false };
  // Every slot is unstable, column 1 is prepared; filter slot 0 was base, slot 1 is active.
  const unstable = stable.map(madeUnstable);
  const columns = Array.from({ length: balancerDefaults.slots }, (_, slot) => ({
    table: 'slot_version',
    match: { pool, slot, column: 1 },
    action: { name: 'set_backend', params: { backend: 1 + ((slot + 1) % balancerDefaults.backends) } },
  }));
  const pins = Array.from({ length: flows.count }, (_, flow) => ({
    table: 'pin',
    match: { pool, source_address: flows.sourceAddress + flow, source_port: flows.sourcePort + flow },
    action: { name: 'pin_to', params: { backend: 1 + (flow % balancerDefaults.backends) } },
  }));
  const version = [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0];
  const small = router();
  return [
    { name: 'stable slot', program, entries: stable, flows, expected: forwarded },
    { name: 'pinned flow', program, entries: [...unstable, ...pins], version, flows, expected: forwarded },
    {
      name: 'unstable slot, SYN into the filters',
      program,
      entries: [...unstable, ...columns],
      version,
      flows: { ...flows, flags: tcpFlags.syn },
      expected: forwarded,
    },
    {
      name: 'unstable slot, unknown flow, digest',
      program,
      entries: [...unstable, ...columns],
      version,
      flows,
      expected: { sent: true, digest: true },
    },
    {
      name: 'route only',
      program,
      entries: stable,
      flows: { ...flows, targetPort: 81, targetAddresses: [0x0a000201] },
      expected: forwarded,
    },
    {
      name: `router.p4, ${routerDefaults.routes} routes`,
      program: small,
      entries: routerEntries(routerDefaults.routes),
      flows: small.flows(frameBytes),
      expected: forwarded,
    },
  ];
}
