// SPDX-License-Identifier: Apache-2.0
/** Frames as tshark reads them: IP and what is directly in it, nothing of applications, nothing put together again. */
import { execFile, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodePcap } from './pcap.ts';

/** Lists go from the outside of a frame to its inside. */
export interface Reading {
  isMalformed: boolean;
  /** By protocol: 0 wrong, 1 right, 2 not verified, 3 absent, 4 absent where it must not be. */
  checksums: Readonly<Record<ChecksumProtocol, readonly number[]>>;
  /** Total length of each IP packet, as its header says. */
  ipv4Bytes: readonly number[];
  ipv6PayloadBytes: readonly number[];
  udpBytes: readonly number[];
  protocols: readonly string[];
  /** Of the ICMP messages, of either IP. */
  icmpTypes: readonly number[];
}

export const checksumProtocols = ['ip', 'tcp', 'udp', 'icmp', 'icmpv6'] as const;
export type ChecksumProtocol = (typeof checksumProtocols)[number];

const known = [
  'eth',
  'ethertype',
  'frame',
  'arp',
  'ip',
  'ipv6',
  'tcp',
  'udp',
  'icmp',
  'icmpv6',
  'gre',
  'data',
];
const preferences = [
  ...['ip', 'tcp', 'udp'].map((protocol) => `${protocol}.check_checksum:TRUE`),
  ...['ip.defragment', 'ipv6.defragment', 'tcp.desegment_tcp_streams', 'tcp.analyze_sequence_numbers'].map(
    (name) => `${name}:FALSE`,
  ),
];
const fields = [
  '_ws.malformed',
  ...checksumProtocols.map((protocol) => `${protocol}.checksum.status`),
  ...['ip.len', 'ipv6.plen', 'udp.length', 'frame.protocols', 'icmp.type', 'icmpv6.type'],
];
const outputBytesMax = 1 << 28;

export function whyNoTshark(): string | undefined {
  const { error } = spawnSync('tshark', ['--version']);
  return error === undefined ? undefined : "tshark was not found; install Debian's tshark";
}

/** @param directory  for its files, and its configuration */
export async function readWithTshark(frames: readonly Uint8Array[], directory: string): Promise<Reading[]> {
  const run = promisify(execFile);
  const env = { ...process.env, WIRESHARK_CONFIG_DIR: directory };
  const { stdout: all } = await run('tshark', ['-G', 'protocols'], { env, maxBuffer: outputBytesMax });
  const names = all.split('\n').map((line) => line.split('\t')[2] ?? '');
  const others = names.filter((name) => name !== '' && !known.includes(name));
  writeFileSync(join(directory, 'disabled_protos'), `${others.join('\n')}\n`);
  const file = join(directory, 'frames.pcap');
  writeFileSync(file, encodePcap(frames));
  const argv = [
    ...['-n', '-r', file],
    ...preferences.flatMap((preference) => ['-o', preference]),
    ...['-T', 'fields', '-E', 'separator=|', '-E', 'occurrence=a', '-E', 'aggregator=;'],
    ...fields.flatMap((name) => ['-e', name]),
  ];
  const { stdout } = await run('tshark', argv, { env, maxBuffer: outputBytesMax });
  const lines = stdout.split('\n').slice(0, -1);
  if (lines.length !== frames.length)
    throw new Error(`tshark read ${lines.length} of ${frames.length} frames`);
  return lines.map(readingOf);
}

function readingOf(line: string): Reading {
  const values = line.split('|');
  const of = (name: string) =>
    (values[fields.indexOf(name)] ?? '').split(';').filter((value) => value !== '');
  const numbers = (name: string) => of(name).map(Number);
  const checksums = checksumProtocols.map((protocol) => [protocol, numbers(`${protocol}.checksum.status`)]);
  return {
    isMalformed: of('_ws.malformed').length > 0,
    checksums: Object.fromEntries(checksums),
    ipv4Bytes: numbers('ip.len'),
    ipv6PayloadBytes: numbers('ipv6.plen'),
    udpBytes: numbers('udp.length'),
    protocols: (of('frame.protocols')[0] ?? '').split(':'),
    icmpTypes: [...numbers('icmp.type'), ...numbers('icmpv6.type')],
  };
}
