// SPDX-License-Identifier: Apache-2.0
/**
 * Decoders that nobody here wrote, on the packets that we write: scapy computes every length and checksum anew and must
 * arrive at the same bytes; tshark must see the same fields, and nothing malformed.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { encodePcap } from './pcap.ts';
import { preparePython } from './python-client.ts';
import { randomFrames } from './random-packets.ts';
import { specimens } from './specimens.ts';

const prepared = await preparePython({
  name: 'scapy',
  packages: ['scapy==2.8.0'],
  module: 'scapy.all',
  variable: 'EVENKEEL_SCAPY_PYTHON',
});
const noScapy = 'missing' in prepared ? prepared.missing : undefined;
const tsharkVersion = spawnSync('tshark', ['--version'], { encoding: 'utf8' });
const noTshark =
  tsharkVersion.error === undefined ? undefined : "tshark was not found; install Debian's tshark";
const because = (reason: string | undefined) => (reason === undefined ? '' : ` (skipped: ${reason})`);
const timeoutMs = 240_000;
const randomCount = 500;
const randomSeed = 7;
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe.skipIf(noScapy !== undefined)(`scapy${because(noScapy)}`, () => {
  test('computes the lengths and checksums that we compute', { timeout: timeoutMs }, () => {
    if (!('python' in prepared)) throw new Error('this test is skipped');
    const answers = askScapy(
      prepared.python,
      specimens.map(({ frame }) => frame),
    );
    const seen = answers.map(({ layers, frame }, i) => ({ what: specimens[i]!.what, layers, frame }));
    expect(seen).toEqual(
      specimens.map(({ what, frame, scapy }) => ({
        what,
        layers: scapy,
        frame: hexOf(frame),
      })),
    );
  });

  test('computes those of packets that nobody thought of', { timeout: timeoutMs }, () => {
    if (!('python' in prepared)) throw new Error('this test is skipped');
    const frames = randomFrames(randomCount, randomSeed);
    const answers = askScapy(prepared.python, frames);
    const wrong = frames.filter((frame, i) => answers[i]!.frame !== hexOf(frame));
    expect(wrong.map((frame) => ({ ours: hexOf(frame), ...answers[frames.indexOf(frame)]! }))).toEqual([]);
    // Every kind is among them.
    const kinds = new Set(answers.flatMap(({ layers }) => layers.split(',')));
    for (const kind of [
      'IP',
      'IPv6',
      'TCP',
      'UDP',
      'ICMP',
      'ICMPv6EchoRequest',
      'GRE',
      'IPv6ExtHdrHopByHop',
      'IPv6ExtHdrDestOpt',
    ])
      expect(kinds).toContain(kind);
  });
});

/** @throws Error when it does not answer for every frame */
function askScapy(python: string, frames: readonly Uint8Array[]): { layers: string; frame: string }[] {
  const script = fileURLToPath(new URL('decoders.py', import.meta.url));
  const input = frames.map(hexOf).join('\n');
  const { stdout, stderr } = spawnSync(python, [script], { input, encoding: 'utf8', timeout: timeoutMs });
  const answers = stdout.trim().split('\n');
  if (answers.length !== frames.length)
    throw new Error(`${answers.length} answers for ${frames.length}: ${stderr}`);
  return answers.map((answer) => {
    const [layers, frame] = answer.split(' ') as [string, string];
    return { layers, frame };
  });
}

describe.skipIf(noTshark !== undefined)(`tshark${because(noTshark)}`, () => {
  test('sees the fields that we wrote', { timeout: timeoutMs }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'evenkeel-decoders-'));
    try {
      const file = join(directory, 'specimens.pcap');
      writeFileSync(file, encodePcap(specimens.map(({ frame }) => frame)));
      const names = [...new Set(specimens.flatMap(({ tshark }) => Object.keys(tshark)))];
      const checks = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
      const fields = ['_ws.malformed', '_ws.expert.severity', ...names].flatMap((name) => ['-e', name]);
      const format = ['-T', 'fields', '-E', 'separator=|', '-E', 'occurrence=a', '-E', 'aggregator=;'];
      const { stdout } = await promisify(execFile)('tshark', [
        '-n',
        '-r',
        file,
        ...checks,
        ...format,
        ...fields,
      ]);
      const lines = stdout.split('\n').slice(0, specimens.length);
      const seen = lines.map((line, i) => {
        const [malformed, severity, ...values] = line.split('|');
        const { what, tshark } = specimens[i]!;
        const wanted = names.flatMap((name, at) => (name in tshark ? [[name, values[at]!]] : []));
        return {
          what,
          malformed,
          isError: severity!.split(';').includes(errorSeverity),
          ...Object.fromEntries(wanted),
        };
      });
      expect(seen).toEqual(
        specimens.map(({ what, tshark }) => ({ what, malformed: '', isError: false, ...tshark })),
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

/** PI_ERROR of Wireshark's expert information: a wrong checksum, for one. */
const errorSeverity = '8388608';
