// SPDX-License-Identifier: Apache-2.0
/** The switches that are compared: ours, simple_switch_grpc, and frames passed on without a pipeline, as a yardstick. */

import {
  freePort,
  pause,
  programPath,
  startProgram,
  switchOptions,
  until,
  type Watched,
} from '../../demo/programs.ts';
import { embeddedSwitch, findBmv2 } from '../../demo/targets.ts';
import type { LabPort } from '../../lab/topology.ts';
import { P4RuntimeClient } from '../../p4runtime/client.ts';
import { Writer } from '../../p4runtime/writer.ts';
import type { BenchProgram } from '../programs/program.ts';

export type SwitchKind = 'embedded' | 'bmv2' | 'pass-through';

export interface RunningBenchSwitch {
  /** Connected and primary; undefined for the pass-through, which is no switch. */
  client: P4RuntimeClient | undefined;
  /** Process id. */
  pid: number;
  close(): Promise<void>;
}

const deviceId = 1;
const startTimeoutMs = 60_000;
const pushTimeoutMs = 60_000;

/** @returns why this switch cannot be had here, or undefined */
export function whyNot(kind: SwitchKind): string | undefined {
  if (kind !== 'bmv2') return undefined;
  const bmv2 = findBmv2();
  return 'unavailable' in bmv2 ? bmv2.unavailable : undefined;
}

/** Starts a switch between the ports, with the program pushed and its tables filled. */
export async function startBenchSwitch(
  kind: SwitchKind,
  ports: readonly LabPort[],
  program: BenchProgram,
): Promise<RunningBenchSwitch> {
  if (kind === 'pass-through') return startPassThrough(ports);
  const running = await startP4RuntimeSwitch(kind, ports);
  try {
    const { client } = running;
    await client.setPipeline(program);
    await fill(client, program);
    return running;
  } catch (error) {
    await running.close();
    throw error;
  }
}

/** Starts a switch without a program. */
export async function startP4RuntimeSwitch(
  kind: Exclude<SwitchKind, 'pass-through'>,
  ports: readonly LabPort[] = [],
): Promise<RunningBenchSwitch & { client: P4RuntimeClient }> {
  const found = kind === 'bmv2' ? findBmv2() : embeddedSwitch();
  if ('unavailable' in found) throw new Error(found.unavailable);
  const [executable, ...parameters] = found.command as [string, ...string[]];
  const address = `127.0.0.1:${await freePort()}`;
  const watched = startProgram([
    executable,
    // As its first line has it, for who starts it by name.
    ...(kind === 'embedded' ? ['--max-semi-space-size=64'] : []),
    ...parameters,
    ...(await switchOptions({ deviceId, address, cpuPort: 510, ports })),
  ]);
  const client = new P4RuntimeClient({
    address,
    deviceId: BigInt(deviceId),
    electionId: 1n,
    rpcTimeoutMs: pushTimeoutMs,
    // Asking whether it is still there would be a load of its own.
    heartbeatMs: 0,
  });
  client.connect();
  const close = async () => {
    client.close();
    await stop(watched);
  };
  try {
    await until(`${found.name} is ours`, startTimeoutMs, () => {
      checkAlive(watched);
      return client.isPrimary;
    });
  } catch (error) {
    await close();
    throw error;
  }
  return { client, pid: watched.child.pid!, close };
}

/** @throws Error when an update fails */
export async function fill(client: P4RuntimeClient, { updates }: BenchProgram): Promise<void> {
  const writer = new Writer((batch) => client.write(batch));
  const failures: string[] = [];
  await writer.submit(updates, (result) => {
    if (!result.ok) failures.push(result.message);
  });
  await writer.idle();
  if (failures.length > 0) throw new Error(`${failures.length} updates failed: ${failures[0]}`);
}

async function startPassThrough(ports: readonly LabPort[]): Promise<RunningBenchSwitch> {
  const watched = startProgram([
    process.execPath,
    programPath('bench/traffic/pass-through.js'),
    ...ports.map(({ interfaceName }) => interfaceName),
  ]);
  await until('the pass-through is ready', startTimeoutMs, () => {
    checkAlive(watched);
    return watched.lines.includes('ready');
  });
  return { client: undefined, pid: watched.child.pid!, close: () => stop(watched) };
}

function checkAlive(watched: Watched): void {
  const ending = watched.ending();
  if (ending !== undefined) throw new Error(`${ending}\n${watched.lines.slice(-10).join('\n')}`);
}

async function stop(watched: Watched): Promise<void> {
  watched.child.kill('SIGTERM');
  await Promise.race([watched.ended, pause(2_000)]);
  watched.child.kill('SIGKILL');
  await watched.ended;
}
