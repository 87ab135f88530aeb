// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { switchOptionsOf } from './command-files.ts';
import { parseCommandLine } from './command-line.ts';

const read = (path: string) => `text of ${path}`;

function optionsOf(text: string) {
  const parsed = parseCommandLine(text.split(' '));
  if (!('command' in parsed)) throw new Error(JSON.stringify(parsed));
  return switchOptionsOf(parsed.command, read);
}

test('what a command line says reaches the switch', () => {
  expect(
    optionsOf(
      '-i 3@veth3 --device-id 4 --log-console --dump-packet-data 9 --pcap there x.json --compat bmv2 -- --cpu-port 255 --drop-port 500 --priority-queues 8 --grpc-server-addr 127.0.0.1:1 --grpc-server-ssl --grpc-server-cert c --grpc-server-key k',
    ),
  ).toMatchObject({
    compat: 'bmv2',
    deviceId: 4n,
    grpcAddress: '127.0.0.1:1',
    interfaces: [{ port: 3, interfaceName: 'veth3' }],
    captureDirectory: 'there',
    program: 'text of x.json',
    cpuPort: 255,
    dropPort: 500,
    priorityQueues: 8,
    packetDumpBytes: 9,
    tls: { certificate: Buffer.from('text of c'), key: Buffer.from('text of k') },
  });
});

test('captures are replayed where the switch is started', () => {
  expect(optionsOf('-i 3@left --use-files 2 --no-p4').replay).toEqual({ directory: '.', waitMs: 2000 });
});

test.each([
  ['--log-console', 9],
  ['--log-file s1', 9],
  ['--log-console -L warn', 0],
  // Nobody would see it.
  ['-L info', 0],
])('with %s, %i bytes of a packet are dumped', (text, bytes) => {
  expect(optionsOf(`--no-p4 --dump-packet-data 9 ${text}`).packetDumpBytes).toBe(bytes);
});
