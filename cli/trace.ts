// SPDX-License-Identifier: Apache-2.0
/** `evenkeel trace`: what a program does to a packet, step by step. */
import { existsSync, readFileSync } from 'node:fs';
import { P4InfoIndex, parseP4Info } from '../p4runtime/p4info.ts';
import { P4RuntimeError } from '../p4runtime/p4runtime-error.ts';
import { traceText } from '../switch/engine/trace/text.ts';
import { PcapError } from '../switch/ports/pcap.ts';
import type { Compat } from '../switch/server/compat.ts';
import { Refusal } from '../switch/server/refusal.ts';
import { parseEntries } from '../switch/trace/entries-file.ts';
import { OfflineSwitch } from '../switch/trace/offline.ts';
import { PacketFileError, parsePackets } from '../switch/trace/packet-file.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

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
