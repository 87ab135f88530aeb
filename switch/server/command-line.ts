// SPDX-License-Identifier: Apache-2.0
/** The command line of simple_switch_grpc, so that scripts which start the one can start the other. */

import { parseArgs } from 'node:util';
import type { PacketPortBinding } from '../ports/packet-socket.ts';

export interface CommandLine {
  deviceId: bigint;
  grpcAddress: string;
  interfaces: PacketPortBinding[];
  cpuPort: number | undefined;
  dropPort: number;
  captureDirectory: string | undefined;
  /** Where p4.bm.DataplaneInterface listens. */
  dataplaneAddress: string | undefined;
  /** Seconds until captures are replayed in place of real interfaces. */
  replayAfterSeconds: number | undefined;
  tls: TlsFiles | undefined;
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

/** `off` logs nothing. */
export type CommandLogLevel = 'info' | 'warn' | 'error' | 'off';

export type CommandLineResult =
  | { command: CommandLine }
  | { help: string }
  | { version: true }
  | { problems: string[] };

export const usage = `usage: evenkeel-switch-grpc [options] [program.json] [-- target options]

  -i, --interface PORT@INTERFACE  attach an interface to a port; repeat for more
      --device-id NUMBER          P4Runtime device id (0)
      --no-p4                     start without a program; a controller will push one
      --pcap [DIRECTORY]          write a capture for each interface and direction
      --use-files SECONDS         interfaces are captures: after so long, replay
                                  INTERFACE_in.pcap into INTERFACE_out.pcap
      --log-console               log to the console
  -L, --log-level LEVEL           trace, debug, info, warn, error or off (info)
      --thrift-port PORT          accepted and ignored: there is no Thrift server
  -h, --help
  -v, --version

target options, after --:
      --grpc-server-addr ADDRESS  where to listen (0.0.0.0:9559)
      --grpc-server-ssl           speak TLS
      --grpc-server-cert FILE     the server's certificate, PEM
      --grpc-server-key FILE      its key, PEM
      --grpc-server-cacert FILE   whose signatures client certificates may bear
      --grpc-server-with-client-auth  turn away clients without a certificate
      --dp-grpc-server-addr ADDRESS   packets in and out over gRPC, in place of interfaces
      --cpu-port PORT             packet-in and packet-out (none)
      --drop-port PORT            egress_spec of a dropped packet (511)
`;

const ports = { min: 0, max: 511 };

const generalOptions = {
  interface: { type: 'string', short: 'i', multiple: true },
  'device-id': { type: 'string' },
  'no-p4': { type: 'boolean' },
  pcap: { type: 'string' },
  'use-files': { type: 'string' },
  'log-console': { type: 'boolean' },
  'log-level': { type: 'string', short: 'L' },
  'thrift-port': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

const targetOptions = {
  'grpc-server-addr': { type: 'string' },
  'grpc-server-ssl': { type: 'boolean' },
  'grpc-server-cert': { type: 'string' },
  'grpc-server-key': { type: 'string' },
  'grpc-server-cacert': { type: 'string' },
  'grpc-server-with-client-auth': { type: 'boolean' },
  'dp-grpc-server-addr': { type: 'string' },
  'cpu-port': { type: 'string' },
  'drop-port': { type: 'string' },
} as const;

/** @param args  without the interpreter and the script */
export function parseCommandLine(args: readonly string[]): CommandLineResult {
  const end = args.indexOf('--');
  const general = end < 0 ? args : args.slice(0, end);
  const target = end < 0 ? [] : args.slice(end + 1);
  try {
    // Target options are taken before the separator too: there is no other option they could be mistaken for.
    const parsed = parseArgs({
      args: withPcapDirectory(general),
      options: { ...generalOptions, ...targetOptions },
      allowPositionals: true,
    });
    const behind = parseArgs({ args: [...target], options: targetOptions, allowPositionals: false });
    if (parsed.values.help) return { help: usage };
    if (parsed.values.version) return { version: true };
    return commandOf({ ...parsed.values, ...behind.values }, parsed.positionals);
  } catch (cause) {
    // The first sentence names the argument and what is wrong with it; the rest is advice for another program.
    return { problems: [(cause as Error).message.split('. ')[0]!] };
  }
}

interface Values {
  interface?: string[];
  'device-id'?: string;
  'no-p4'?: boolean;
  pcap?: string;
  'use-files'?: string;
  'log-console'?: boolean;
  'log-level'?: string;
  'thrift-port'?: string;
  'grpc-server-addr'?: string;
  'grpc-server-ssl'?: boolean;
  'grpc-server-cert'?: string;
  'grpc-server-key'?: string;
  'grpc-server-cacert'?: string;
  'grpc-server-with-client-auth'?: boolean;
  'dp-grpc-server-addr'?: string;
  'cpu-port'?: string;
  'drop-port'?: string;
}

function commandOf(values: Values, positionals: readonly string[]): CommandLineResult {
  const problems: string[] = [];
  const ignored: string[] = [];
  if (values['thrift-port'] !== undefined) ignored.push('--thrift-port: there is no Thrift server');
  if (positionals.length > 1) problems.push(`one program file is enough, got ${positionals.join(', ')}`);
  const [program] = positionals;
  if (program !== undefined && values['no-p4'])
    problems.push(`--no-p4 contradicts the program file ${program}`);
  if (program === undefined && !values['no-p4']) {
    problems.push('give a program file, or --no-p4 to wait for a controller to push one');
  }
  const command: CommandLine = {
    deviceId: readDeviceId(values['device-id'], problems),
    grpcAddress: readAddress('--grpc-server-addr', values['grpc-server-addr'] ?? '0.0.0.0:9559', problems),
    interfaces: readInterfaces(values.interface ?? [], problems),
    cpuPort: readCpuPort(values['cpu-port'], problems),
    dropPort: readPort('--drop-port', values['drop-port'], problems) ?? ports.max,
    captureDirectory: values.pcap,
    dataplaneAddress:
      values['dp-grpc-server-addr'] &&
      readAddress('--dp-grpc-server-addr', values['dp-grpc-server-addr'], problems),
    replayAfterSeconds: readSeconds('--use-files', values['use-files'], problems),
    tls: readTls(values, problems, ignored),
    logLevel: readLogLevel(values['log-level'], problems),
    program,
    ignored,
  };
  if (command.cpuPort !== undefined) {
    const taken = command.interfaces.find(({ port }) => port === command.cpuPort);
    if (taken) problems.push(`--cpu-port ${command.cpuPort}: the port has interface ${taken.interfaceName}`);
    if (command.cpuPort === command.dropPort)
      problems.push(`--cpu-port and --drop-port are both ${command.cpuPort}`);
  }
  if (command.dataplaneAddress !== undefined && command.interfaces.length > 0) {
    problems.push('--dp-grpc-server-addr takes the place of interfaces: leave out -i');
  }
  if (command.replayAfterSeconds !== undefined) {
    if (command.interfaces.length === 0) problems.push('--use-files needs interfaces (-i) to name the files');
    if (command.captureDirectory !== undefined)
      problems.push('--use-files writes captures: leave out --pcap');
  } else if (command.captureDirectory !== undefined && command.interfaces.length === 0) {
    ignored.push('--pcap: there are no interfaces to capture on');
  }
  return problems.length > 0 ? { problems } : { command };
}

function readAddress(option: string, text: string, problems: string[]): string {
  if (!/^.+:\d{1,5}$/.test(text)) problems.push(`${option} ${text}: write it as 0.0.0.0:9559`);
  return text;
}

function readSeconds(option: string, text: string | undefined, problems: string[]): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,6}$/.test(text)) problems.push(`${option} ${text}: a number of seconds`);
  return Number(text);
}

function readTls(values: Values, problems: string[], ignored: string[]): TlsFiles | undefined {
  const certificate = values['grpc-server-cert'];
  const key = values['grpc-server-key'];
  const clientRoots = values['grpc-server-cacert'];
  const requireClientCertificate = values['grpc-server-with-client-auth'] ?? false;
  if (!values['grpc-server-ssl']) {
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

function readInterfaces(texts: readonly string[], problems: string[]): PacketPortBinding[] {
  const interfaces: PacketPortBinding[] = [];
  for (const text of texts) {
    const [, number, interfaceName] = /^(\d+)@([^\s/]{1,15})$/.exec(text) ?? [];
    const port = readPort('-i', number, problems);
    if (port === undefined || interfaceName === undefined) {
      if (number === undefined) problems.push(`-i ${text}: write it as 0@veth0`);
      continue;
    }
    const taken = interfaces.find((other) => other.port === port);
    if (taken) problems.push(`-i ${text}: port ${port} has interface ${taken.interfaceName} already`);
    interfaces.push({ port, interfaceName });
  }
  return interfaces;
}

/** 0 is simple_switch_grpc's way to say none. */
function readCpuPort(text: string | undefined, problems: string[]): number | undefined {
  return readPort('--cpu-port', text, problems) || undefined;
}

function readPort(option: string, text: string | undefined, problems: string[]): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= ports.min && port <= ports.max) return port;
  problems.push(`${option} ${text}: ports are ${ports.min} to ${ports.max}`);
  return undefined;
}

function readLogLevel(text: string | undefined, problems: string[]): CommandLogLevel {
  switch (text) {
    case undefined:
    case 'trace':
    case 'debug':
    case 'info':
      return 'info';
    case 'warn':
    case 'error':
    case 'off':
      return text;
    default:
      problems.push(`--log-level ${text}: one of trace, debug, info, warn, error, off`);
      return 'info';
  }
}

/** `--pcap` may stand alone; it then means the current directory. */
function withPcapDirectory(args: readonly string[]): string[] {
  return args.flatMap((arg, index) => {
    const next = args[index + 1];
    const standsAlone =
      arg === '--pcap' && (next === undefined || next.startsWith('-') || next.endsWith('.json'));
    return standsAlone ? ['--pcap=.'] : [arg];
  });
}
