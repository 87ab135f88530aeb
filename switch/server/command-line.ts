// SPDX-License-Identifier: Apache-2.0
/** The command line of simple_switch_grpc, so that scripts which start the one can start the other. */

import type { PacketPortBinding } from '../ports/packet-socket.ts';
import { commandOptions, type OptionName, targetOptions } from './command-options.ts';
import { type Compat, compatModes } from './compat.ts';
import { parseOptions } from './option-parser.ts';
import { replicationLimits } from './replication.ts';

export interface CommandLine {
  deviceId: bigint;
  grpcAddress: string;
  interfaces: PacketPortBinding[];
  cpuPort: number | undefined;
  dropPort: number;
  /** Queues of each port. */
  priorityQueues: number;
  /** Bytes of each packet that are logged. */
  packetDumpBytes: number;
  compat: Compat;
  captureDirectory: string | undefined;
  /** Where p4.bm.DataplaneInterface listens. */
  dataplaneAddress: string | undefined;
  /** Seconds until captures are replayed in place of real interfaces. */
  replayAfterSeconds: number | undefined;
  tls: TlsFiles | undefined;
  /** Undefined: only what needs attention is told, on stderr. */
  log: LogTarget | undefined;
  logLevel: CommandLogLevel;
  /** A BMv2 JSON file to start with; undefined: wait for a controller to push one. */
  program: string | undefined;
  /** What was accepted, but does nothing here. */
  ignored: string[];
}

/** Paths of PEM files. */
export interface TlsFiles {
  certificate: string;
  key: string;
  clientRoots: string | undefined;
  requireClientCertificate: boolean;
}

export type LogTarget =
  | { kind: 'console' }
  /** `name` is without `.txt`. */
  | { kind: 'file'; name: string; bytesMax: number; filesMax: number };

/** `off` logs nothing. */
export type CommandLogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'off';

const logLevels: readonly CommandLogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'off'];

export type CommandLineResult =
  | { command: CommandLine }
  | { print: 'help' | 'version' | 'json-version' }
  | { problems: string[] };

export const commandLineDefaults = {
  grpcAddress: '0.0.0.0:9559',
  dropPort: 511,
  logLevel: 'trace',
  logBytesMax: 5 * 1024 * 1024,
  logFilesMax: 3,
  interfacesMax: 512,
} as const;

const portMax = 511;
/** The priority of a packet has 3 bits: more than 8 queues are never used. */
const priorityQueuesMax = 256;
/** As much as a packet can have. */
const packetDumpMax = 65_535;

/** @param args  without the interpreter and the script */
export function parseCommandLine(args: readonly string[]): CommandLineResult {
  const end = args.indexOf('--');
  // Target options are taken before the separator too: there is no other option they could be mistaken for.
  const before = parseOptions(commandOptions, end < 0 ? args : args.slice(0, end));
  const behind = parseOptions(targetOptions, end < 0 ? [] : args.slice(end + 1));
  const given = new Given(before.given, behind.given);
  for (const print of ['help', 'version', 'json-version'] as const) if (given.has(print)) return { print };
  const problems = [...before.problems, ...behind.problems];
  if (behind.words.length > 0) problems.push(`${behind.words[0]} stands behind --, where only options do`);
  return problems.length > 0 ? { problems } : commandOf(given, before.words);
}

type GivenOptions = ReadonlyMap<string, readonly string[]>;

/** What was given before and behind the separator; the latter wins. */
class Given {
  readonly #options: GivenOptions;

  constructor(before: GivenOptions, behind: GivenOptions) {
    this.#options = new Map([...before, ...behind]);
  }

  has(name: OptionName): boolean {
    return this.#options.has(name);
  }

  one(name: OptionName): string | undefined {
    return this.#options.get(name)?.[0];
  }

  all(name: OptionName): readonly string[] {
    return this.#options.get(name) ?? [];
  }
}

function commandOf(given: Given, words: readonly string[]): CommandLineResult {
  const problems: string[] = [];
  const ignored: string[] = [];
  for (const { name, ignored: why, refused } of commandOptions) {
    if (!given.has(name as OptionName)) continue;
    if (refused !== undefined) problems.push(`--${name}: ${refused}`);
    if (why !== undefined) ignored.push(`--${name}: ${why}`);
  }
  const command: CommandLine = {
    deviceId: readDeviceId(given.one('device-id'), problems),
    grpcAddress: readAddress(given, 'grpc-server-addr', problems) ?? commandLineDefaults.grpcAddress,
    interfaces: readInterfaces(given, problems),
    cpuPort: readNumber(given, 'cpu-port', { min: 1, max: portMax }, problems),
    dropPort:
      readNumber(given, 'drop-port', { min: 0, max: portMax }, problems) ?? commandLineDefaults.dropPort,
    priorityQueues: readNumber(given, 'priority-queues', { min: 1, max: priorityQueuesMax }, problems) ?? 1,
    packetDumpBytes: readNumber(given, 'dump-packet-data', { min: 0, max: packetDumpMax }, problems) ?? 0,
    compat: readCompat(given.one('compat'), problems),
    captureDirectory: given.one('pcap'),
    dataplaneAddress: readAddress(given, 'dp-grpc-server-addr', problems),
    replayAfterSeconds: readSeconds(given, problems),
    tls: readTls(given, problems, ignored),
    log: readLog(given, problems, ignored),
    logLevel: readLogLevel(given.one('log-level'), problems),
    program: readProgram(given, words, problems, ignored),
    ignored,
  };
  checkPorts(command, problems);
  checkReplication(given, problems, ignored);
  chooseFrames(command, ignored);
  return problems.length > 0 ? { problems } : { command };
}

/** Where frames come from: gRPC, else captures, else interfaces; as in simple_switch_grpc, the first one given wins. */
function chooseFrames(command: CommandLine, ignored: string[]): void {
  if (command.dataplaneAddress !== undefined) {
    if (command.interfaces.length > 0)
      ignored.push('-i: --dp-grpc-server-addr takes the place of interfaces');
    command.interfaces = [];
    if (command.replayAfterSeconds !== undefined) ignored.push('--use-files: packets come over gRPC');
    command.replayAfterSeconds = undefined;
  }
  if (command.captureDirectory === undefined) return;
  if (command.interfaces.length === 0) ignored.push('--pcap: there are no interfaces to capture on');
  else if (command.replayAfterSeconds !== undefined) ignored.push('--pcap: --use-files writes captures');
  else return;
  command.captureDirectory = undefined;
}

function checkPorts({ cpuPort, dropPort, interfaces }: CommandLine, problems: string[]): void {
  if (cpuPort === undefined) return;
  const taken = interfaces.find(({ port }) => port === cpuPort);
  if (taken) problems.push(`--cpu-port ${cpuPort}: the port has interface ${taken.interfaceName}`);
  if (cpuPort === dropPort) {
    problems.push(`--cpu-port and --drop-port are both ${cpuPort}; give --drop-port another number`);
  }
}

/** There is always as much room as simple_switch_grpc has unless told otherwise, and no way to have more. */
function checkReplication(given: Given, problems: string[], ignored: string[]): void {
  const { entriesMax, replicasMax } = replicationLimits;
  const rooms = {
    'max-mc-groups': entriesMax,
    'max-l1-entries': entriesMax * replicasMax,
    'max-l2-entries': entriesMax * replicasMax,
  } as const;
  for (const [name, room] of Object.entries(rooms) as [keyof typeof rooms, number][]) {
    const wanted = readNumber(given, name, { min: 1, max: room }, problems);
    if (wanted !== undefined && wanted < room) ignored.push(`--${name}: there is always room for ${room}`);
  }
}

function readProgram(
  given: Given,
  words: readonly string[],
  problems: string[],
  ignored: string[],
): string | undefined {
  const [program] = words;
  if (words.length > 1) problems.push(`one program file is enough, got ${words.join(', ')}`);
  if (program === undefined && !given.has('no-p4')) {
    problems.push('give a program file, or --no-p4 to wait for a controller to push one');
  }
  if (program === undefined || !given.has('no-p4')) return program;
  ignored.push(`${program}: --no-p4 is given`);
  return undefined;
}

function readAddress(
  given: Given,
  name: 'grpc-server-addr' | 'dp-grpc-server-addr',
  problems: string[],
): string | undefined {
  const text = given.one(name);
  if (text !== undefined && !/^unix:.+|.+:\d{1,5}$/.test(text)) {
    problems.push(`--${name} ${text}: write it as ${commandLineDefaults.grpcAddress}`);
  }
  return text;
}

/** Below zero means at once. */
function readSeconds(given: Given, problems: string[]): number | undefined {
  const text = given.one('use-files');
  if (text === undefined) return undefined;
  if (!/^-?\d{1,6}$/.test(text)) problems.push(`--use-files ${text}: a number of seconds`);
  return Math.max(0, Number(text));
}

function readTls(given: Given, problems: string[], ignored: string[]): TlsFiles | undefined {
  const certificate = given.one('grpc-server-cert');
  const key = given.one('grpc-server-key');
  const clientRoots = given.one('grpc-server-cacert');
  const requireClientCertificate = given.has('grpc-server-with-client-auth');
  if (!given.has('grpc-server-ssl')) {
    if (requireClientCertificate) {
      // Who asked for this would not want to serve everybody.
      problems.push('--grpc-server-with-client-auth needs --grpc-server-ssl');
    }
    if (certificate ?? key ?? clientRoots) ignored.push('the PEM files: --grpc-server-ssl is not given');
    return undefined;
  }
  if (certificate === undefined) problems.push('--grpc-server-ssl needs --grpc-server-cert');
  if (key === undefined) problems.push('--grpc-server-ssl needs --grpc-server-key');
  if (certificate === undefined || key === undefined) return undefined;
  return { certificate, key, clientRoots, requireClientCertificate };
}

function readDeviceId(text: string | undefined, problems: string[]): bigint {
  if (text === undefined) return 0n;
  if (/^\d{1,20}$/.test(text) && BigInt(text) < 2n ** 64n) return BigInt(text);
  problems.push(`--device-id ${text}: not a number of 64 bits`);
  return 0n;
}

function readInterfaces(given: Given, problems: string[]): PacketPortBinding[] {
  const interfaces: PacketPortBinding[] = [];
  // Captures may be anywhere; names of real interfaces are short.
  const form = given.has('use-files') ? /^(\d+)@(\S+)$/ : /^(\d+)@([^\s/]{1,15})$/;
  for (const text of given.all('interface')) {
    const [, number, interfaceName] = form.exec(text) ?? [];
    const port = Number(number);
    if (number === undefined || interfaceName === undefined) {
      problems.push(`-i ${text}: write it as 0@veth0`);
      continue;
    }
    if (port > portMax) problems.push(`-i ${text}: ports are 0 to ${portMax}`);
    const taken = interfaces.find((other) => other.port === port);
    if (taken) problems.push(`-i ${text}: port ${port} has interface ${taken.interfaceName} already`);
    interfaces.push({ port, interfaceName });
  }
  const most =
    readNumber(given, 'max-port-count', { min: 0, max: 2 ** 31 - 1 }, problems) ??
    commandLineDefaults.interfacesMax;
  if (interfaces.length > most)
    problems.push(`--max-port-count ${most}: there are ${interfaces.length} interfaces`);
  return interfaces;
}

function readLog(given: Given, problems: string[], ignored: string[]): LogTarget | undefined {
  const name = given.one('log-file');
  if (name === undefined) {
    for (const option of ['log-flush', 'log-file-max-size', 'log-file-max-files'] as const) {
      if (given.has(option)) ignored.push(`--${option}: --log-file is not given`);
    }
    return given.has('log-console') ? { kind: 'console' } : undefined;
  }
  if (given.has('log-console')) problems.push('--log-console and --log-file: only one of them');
  const bytes = { min: 1, max: Number.MAX_SAFE_INTEGER };
  const { logBytesMax, logFilesMax } = commandLineDefaults;
  return {
    kind: 'file',
    name,
    bytesMax: readNumber(given, 'log-file-max-size', bytes, problems) ?? logBytesMax,
    filesMax: readNumber(given, 'log-file-max-files', { min: 0, max: 1000 }, problems) ?? logFilesMax,
  };
}

function readLogLevel(text: string | undefined, problems: string[]): CommandLogLevel {
  const { logLevel } = commandLineDefaults;
  if (text === undefined) return logLevel;
  const level = logLevels.find((known) => known === text);
  if (level === undefined) problems.push(`--log-level ${text}: one of ${logLevels.join(', ')}`);
  return level ?? logLevel;
}

function readCompat(text: string | undefined, problems: string[]): Compat {
  if (text === undefined) return 'strict';
  const compat = compatModes.find((known) => known === text);
  if (compat === undefined) problems.push(`--compat ${text}: one of ${compatModes.join(', ')}`);
  return compat ?? 'strict';
}

function readNumber(
  given: Given,
  name: OptionName,
  { min, max }: { min: number; max: number },
  problems: string[],
): number | undefined {
  const text = given.one(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,16}$/.test(text) && value >= min && value <= max) return value;
  problems.push(`--${name} ${text}: expected ${min} to ${max}`);
  return undefined;
}
