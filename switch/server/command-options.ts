// SPDX-License-Identifier: Apache-2.0
/**
 * The options of simple_switch_grpc, and what becomes of each here: most are done, some do nothing and say so, and some
 * are refused because without them the switch would be another.
 */

import type { OptionSpec } from './option-parser.ts';

export interface CommandOption extends OptionSpec {
  help: string;
  /** Accepted without effect, because of this. */
  ignored?: string;
  /** Not to be had here: what to do instead. */
  refused?: string;
}

const generalOptions = [
  {
    name: 'interface',
    short: 'i',
    value: 'PORT@INTERFACE',
    repeats: true,
    help: 'attach an interface to a port; repeat for more',
  },
  { name: 'device-id', value: 'NUMBER', help: 'P4Runtime device id (0)' },
  { name: 'no-p4', help: 'start without a program; a controller will push one' },
  {
    name: 'pcap',
    value: 'DIRECTORY',
    impliedValue: '.',
    help: 'capture into INTERFACE_in.pcap and INTERFACE_out.pcap (.)',
  },
  {
    name: 'use-files',
    value: 'SECONDS',
    help: 'replay INTERFACE_in.pcap into INTERFACE_out.pcap after so long',
  },
  { name: 'log-console', help: 'log to stdout' },
  { name: 'log-file', value: 'NAME', help: 'log to NAME.txt, and when it is full to NAME.1.txt, ...' },
  { name: 'log-file-max-size', value: 'BYTES', help: 'when a log file is full (5242880)' },
  { name: 'log-file-max-files', value: 'COUNT', help: 'full log files that are kept (3)' },
  { name: 'log-flush', help: 'every line is on disk at once, as it always is here' },
  {
    name: 'log-level',
    short: 'L',
    value: 'LEVEL',
    help: 'trace, debug, info, warn, error or off (trace)',
  },
  { name: 'dump-packet-data', value: 'BYTES', help: 'log the first bytes of each packet, level info (0)' },
  { name: 'max-port-count', value: 'COUNT', help: 'most interfaces (512)' },
  { name: 'help', short: 'h', help: 'this' },
  { name: 'version', short: 'v', help: 'the version of this switch' },
  { name: 'json-version', help: "the newest version of p4c's JSON that it reads" },
  { name: 'thrift-port', value: 'PORT', help: '', ignored: 'there is no Thrift server' },
  { name: 'nanolog', value: 'SOCKET', help: '', ignored: 'there is no nanomsg event log' },
  { name: 'notifications-addr', value: 'SOCKET', help: '', ignored: 'notifications go over P4Runtime' },
  { name: 'debugger', help: '', ignored: 'there is no debugger' },
  { name: 'debugger-addr', value: 'SOCKET', help: '', ignored: 'there is no debugger' },
  {
    name: 'restore-state',
    value: 'FILE',
    help: '',
    refused: 'the state of a Thrift client cannot be read; let a controller write it over P4Runtime',
  },
  {
    name: 'packet-in',
    value: 'SOCKET',
    help: '',
    refused: 'packets come over gRPC, not nanomsg; use --dp-grpc-server-addr behind --',
  },
] as const satisfies readonly CommandOption[];

/** Behind `--`, or before it. */
export const targetOptions = [
  {
    name: 'grpc-server-addr',
    value: 'ADDRESS',
    help: 'where to listen, such as 127.0.0.1:9559 or unix:/run/s1 (0.0.0.0:9559)',
  },
  { name: 'grpc-server-ssl', help: 'speak TLS' },
  { name: 'grpc-server-cert', value: 'FILE', help: "the server's certificate, PEM" },
  { name: 'grpc-server-key', value: 'FILE', help: 'its key, PEM' },
  { name: 'grpc-server-cacert', value: 'FILE', help: 'whose signatures client certificates may bear' },
  { name: 'grpc-server-with-client-auth', help: 'turn away clients without a certificate' },
  {
    name: 'dp-grpc-server-addr',
    value: 'ADDRESS',
    help: 'packets in and out over gRPC, in place of interfaces',
  },
  { name: 'cpu-port', value: 'PORT', help: 'packet-in and packet-out (none)' },
  { name: 'drop-port', value: 'PORT', help: 'egress_spec of a dropped packet (511)' },
  { name: 'priority-queues', value: 'COUNT', help: 'queues of each port (1)' },
  { name: 'max-mc-groups', value: 'COUNT', help: 'multicast groups there is room for (4096)' },
  { name: 'max-l1-entries', value: 'COUNT', help: 'copies in all of them (2097152)' },
  { name: 'max-l2-entries', value: 'COUNT', help: 'likewise (2097152)' },
  {
    name: 'disable-swap',
    help: '',
    refused: 'a controller pushes its program; leave this out, or let none connect',
  },
  {
    name: 'load-modules',
    value: 'FILES',
    help: '',
    refused: 'modules of BMv2 are machine code for it; extern types of your own cannot be had here',
  },
] as const satisfies readonly CommandOption[];

/** simple_switch_grpc does not have these. */
const ownOptions = [
  {
    name: 'compat',
    value: 'MODE',
    help: 'where bmv2 and the P4Runtime spec differ: strict, bmv2 or spec (strict)',
  },
] as const satisfies readonly CommandOption[];

export type OptionName = (typeof generalOptions | typeof targetOptions | typeof ownOptions)[number]['name'];

export const commandOptions: readonly CommandOption[] = [...generalOptions, ...targetOptions, ...ownOptions];

const helpColumn = 38;

export const optionsHelp = `Options of simple_switch_grpc:
${helpOf(generalOptions)}

Its target options, behind -- or before it:
${helpOf(targetOptions)}

Beyond simple_switch_grpc:
${helpOf(ownOptions)}

Accepted, with nothing to do for them here:
  ${namesOf(({ ignored }) => ignored !== undefined)}
Refused, with a word on what to do instead:
  ${namesOf(({ refused }) => refused !== undefined)}
`;

export const usage = `Usage: evenkeel-switch-grpc [options] [program.json] [-- target options]

A P4Runtime switch that runs p4c's BMv2 JSON, in place of simple_switch_grpc.

${optionsHelp}`;

function helpOf(options: readonly CommandOption[]): string {
  const done = options.filter(({ ignored, refused }) => ignored === undefined && refused === undefined);
  return done.map((option) => `${leftOf(option).padEnd(helpColumn)}${option.help}`).join('\n');
}

function leftOf({ name, short, value, impliedValue }: CommandOption): string {
  const letter = short === undefined ? '      ' : `  -${short}, `;
  if (value === undefined) return `${letter}--${name}`;
  return `${letter}--${name} ${impliedValue === undefined ? value : `[${value}]`}`;
}

function namesOf(isMeant: (option: CommandOption) => boolean): string {
  return commandOptions
    .filter(isMeant)
    .map(({ name }) => `--${name}`)
    .join(' ');
}
