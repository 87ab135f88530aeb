// SPDX-License-Identifier: Apache-2.0
/** `evenkeel trace`: what a program does to a packet, step by step. */
import { existsSync, readFileSync } from 'node:fs';
import { status as Code, type ServiceError } from '@grpc/grpc-js';
import type { WatchResponse } from '../p4runtime/generated/evenkeel/switch/v1/trace_pb.ts';
import { P4InfoIndex, parseP4Info } from '../p4runtime/p4info.ts';
import { P4RuntimeError } from '../p4runtime/p4runtime-error.ts';
import { traceText } from '../switch/engine/trace/text.ts';
import { PcapError } from '../switch/ports/pcap.ts';
import type { Compat } from '../switch/server/compat.ts';
import { Refusal } from '../switch/server/refusal.ts';
import { parseEntries } from '../switch/trace/entries-file.ts';
import { watchLive } from '../switch/trace/live.ts';
import { OfflineSwitch } from '../switch/trace/offline.ts';
import { PacketFileError, parsePackets } from '../switch/trace/packet-file.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

export interface LiveOptions {
  live: string;
  filter: string;
  /** 0: as many as the switch thinks right. */
  count: number;
  json?: true | undefined;
}

/** Shows packets as they pass through a running switch, until it has shown enough or is told to stop. @throws CommandError */
export async function traceLive(
  { live, filter, count, json }: LiveOptions,
  terminal: Terminal,
): Promise<void> {
  const say = ({ text, json: data, skipped, ended }: WatchResponse): void => {
    if (skipped > 0n) terminal.err(`${skipped} packets that fit were not traced\n`);
    if (text !== '') terminal.out(json ? `${data}\n` : `${text}\n`);
    if (ended !== '' && count === 0) terminal.err(`${ended}\n`);
  };
  try {
    await watchLive(live, { filter, perSecond: 0, total: count }, say, terminal.stop);
  } catch (cause) {
    const { code, details } = cause as Partial<ServiceError>;
    if (code === undefined) throw cause;
    if (code === Code.UNAVAILABLE) {
      throw new CommandError(exitCodes.unreachable, `no switch answers at ${live}: ${details}`);
    }
    if (code === Code.UNIMPLEMENTED) {
      throw new CommandError(exitCodes.failed, `the switch at ${live} cannot trace: it is not evenkeel's`);
    }
    throw new CommandError(exitCodes.failed, pointedAt(filter, details ?? ''));
  }
}

/** "column 3: ..." with the filter and a mark under the column. */
function pointedAt(filter: string, message: string): string {
  const column = Number(/^column (\d+): /.exec(message)?.[1] ?? 0);
  return column === 0 ? message : `${message}\n  ${filter}\n  ${' '.repeat(column - 1)}^`;
}

export interface TraceOptions {
  p4info?: string | undefined;
  entries: readonly string[];
  /** Of packets whose file does not name one. */
  port: number;
  json?: true | undefined;
  cpuPort: number;
  dropPort: number;
  compat: Compat;
}

/** @throws CommandError */
export async function traceFiles(
  programPath: string,
  packetPaths: readonly string[],
  options: TraceOptions,
  terminal: Terminal,
): Promise<void> {
  try {
    await trace(programPath, packetPaths, options, terminal);
  } catch (cause) {
    const isExpected = [P4RuntimeError, Refusal, PacketFileError, PcapError].some(
      (kind) => cause instanceof kind,
    );
    if (!isExpected) throw cause;
    throw new CommandError(exitCodes.failed, (cause as Error).message);
  }
}

async function trace(
  programPath: string,
  packetPaths: readonly string[],
  options: TraceOptions,
  terminal: Terminal,
): Promise<void> {
  const json = new TextDecoder().decode(read(programPath));
  const p4infoPath = options.p4info ?? siblingP4Info(programPath);
  const p4info = parseP4Info(read(p4infoPath), p4infoPath);
  const index = new P4InfoIndex(p4info);
  const updates = options.entries.flatMap((path) =>
    parseEntries(new TextDecoder().decode(read(path)), path, index),
  );
  const packets = packetPaths.flatMap((path) => parsePackets(read(path), path));
  const { cpuPort, dropPort, compat } = options;
  const offline = await OfflineSwitch.open({ json, p4info, cpuPort, dropPort, compat });
  try {
    const refused = await offline.write(updates);
    if (refused.length > 0) throw new CommandError(exitCodes.failed, refused.join('\n'));
    for (const [number, { port, frame, micros, place }] of packets.entries()) {
      const traced = offline.trace(port ?? options.port, frame, micros);
      if (options.json) terminal.out(`${JSON.stringify({ place, ...traced })}\n`);
      else terminal.out(`${number === 0 ? '' : '\n'}${place}: ${traceText(traced)}`);
    }
  } finally {
    await offline.close();
  }
}

/** Where p4c's users put it: beside the JSON, under the same name. */
function siblingP4Info(programPath: string): string {
  const base = programPath.replace(/\.json$/, '');
  const names = ['.p4info.txtpb', '.p4.p4info.txtpb', '.p4info.txt', '.p4.p4info.txt'];
  const found = names.map((name) => `${base}${name}`).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new CommandError(exitCodes.usage, `there is no ${base}.p4info.txtpb: name the P4Info with --p4info`);
}

function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CommandError(exitCodes.failed, `${path} cannot be read: ${(error as Error).message}`);
  }
}
