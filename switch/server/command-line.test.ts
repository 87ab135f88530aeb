// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { parseCommandLine } from './command-line.ts';
import { commandOptions, usage } from './command-options.ts';

const parse = (text: string) => parseCommandLine(text === '' ? [] : text.split(' '));
const commandOf = (text: string) => {
  const result = parse(text);
  if (!('command' in result)) throw new Error(JSON.stringify(result));
  return result.command;
};

test('a command line of simple_switch_grpc', () => {
  expect(
    commandOf(
      '-i 0@veth0 --interface 1@veth2 --device-id 3 --no-p4 --log-console -L debug --thrift-port 9090 -- --cpu-port 510 --drop-port 511 --grpc-server-addr 127.0.0.1:50001 --priority-queues 8',
    ),
  ).toEqual({
    deviceId: 3n,
    grpcAddress: '127.0.0.1:50001',
    interfaces: [
      { port: 0, interfaceName: 'veth0' },
      { port: 1, interfaceName: 'veth2' },
    ],
    cpuPort: 510,
    dropPort: 511,
    priorityQueues: 8,
    packetDumpBytes: 0,
    compat: 'strict',
    captureDirectory: undefined,
    dataplaneAddress: undefined,
    replayAfterSeconds: undefined,
    tls: undefined,
    log: { kind: 'console' },
    logLevel: 'debug',
    program: undefined,
    ignored: ['--thrift-port: there is no Thrift server'],
  });
});

test('defaults are those of simple_switch_grpc', () => {
  expect(commandOf('x.json')).toMatchObject({
    deviceId: 0n,
    grpcAddress: '0.0.0.0:9559',
    interfaces: [],
    cpuPort: undefined,
    dropPort: 511,
    priorityQueues: 1,
    log: undefined,
    logLevel: 'trace',
    program: 'x.json',
    ignored: [],
  });
});

test("the command line that p4lang's tutorials give in Mininet", () => {
  expect(
    commandOf(
      '-i 1@s1-eth1 -i 2@s1-eth2 --pcap /tmp/pcaps --nanolog ipc:///tmp/bm-0-log.ipc --device-id 0 build/basic.json --log-console --thrift-port 9090 -- --grpc-server-addr 0.0.0.0:50051 --cpu-port 255 --priority-queues 8',
    ),
  ).toMatchObject({
    interfaces: [
      { port: 1, interfaceName: 's1-eth1' },
      { port: 2, interfaceName: 's1-eth2' },
    ],
    captureDirectory: '/tmp/pcaps',
    program: 'build/basic.json',
    log: { kind: 'console' },
    grpcAddress: '0.0.0.0:50051',
    cpuPort: 255,
    priorityQueues: 8,
    ignored: ['--thrift-port: there is no Thrift server', '--nanolog: there is no nanomsg event log'],
  });
});

test('a log file is of five megabytes, and three older ones are kept', () => {
  expect(commandOf('--no-p4 --log-file s1 --log-flush')).toMatchObject({
    log: { kind: 'file', name: 's1', bytesMax: 5_242_880, filesMax: 3 },
    ignored: [],
  });
  expect(commandOf('--no-p4 --log-file s1 --log-file-max-size 100 --log-file-max-files 0').log).toEqual({
    kind: 'file',
    name: 's1',
    bytesMax: 100,
    filesMax: 0,
  });
});

test.each([
  ['--pcap --no-p4', '.'],
  ['--pcap /tmp/captures --no-p4', '/tmp/captures'],
  ['--no-p4 --pcap=here', 'here'],
  ['x.json --pcap', '.'],
])('%s captures to %s', (text, directory) => {
  expect(commandOf(`-i 1@veth1 ${text}`).captureDirectory).toBe(directory);
});

test('packets over gRPC, and TLS', () => {
  expect(
    commandOf(
      '--no-p4 -- --dp-grpc-server-addr 127.0.0.1:50052 --grpc-server-ssl --grpc-server-cert c.pem --grpc-server-key k.pem --grpc-server-cacert ca.pem --grpc-server-with-client-auth',
    ),
  ).toMatchObject({
    dataplaneAddress: '127.0.0.1:50052',
    tls: { certificate: 'c.pem', key: 'k.pem', clientRoots: 'ca.pem', requireClientCertificate: true },
  });
});

test('captures are replayed', () => {
  expect(commandOf('--use-files 2 -i 1@captures/left-side-of-it x.json')).toMatchObject({
    replayAfterSeconds: 2,
    interfaces: [{ port: 1, interfaceName: 'captures/left-side-of-it' }],
  });
  expect(commandOf('--use-files=-1 -i 1@left x.json').replayAfterSeconds).toBe(0);
});

test.each([
  ['--no-p4 -- --grpc-server-cert c.pem', 'the PEM files: --grpc-server-ssl is not given'],
  ['--no-p4 --pcap', '--pcap: there are no interfaces to capture on'],
  ['--no-p4 x.json', 'x.json: --no-p4 is given'],
  ['--no-p4 --debugger', '--debugger: there is no debugger'],
  ['--no-p4 --notifications-addr x', '--notifications-addr: notifications go over P4Runtime'],
  ['--no-p4 --log-flush', '--log-flush: --log-file is not given'],
  [
    '--no-p4 -i 1@veth0 -- --dp-grpc-server-addr 127.0.0.1:1',
    '-i: --dp-grpc-server-addr takes the place of interfaces',
  ],
  ['--no-p4 --use-files 1 -i 1@a --pcap', '--pcap: --use-files writes captures'],
  ['--no-p4 -- --max-mc-groups 100', '--max-mc-groups: there is always room for 4096'],
  ['--no-p4 -- --max-l1-entries 65536', '--max-l1-entries: there is always room for 2097152'],
])('%s does nothing, and says so', (text, ignored) => {
  expect(commandOf(text).ignored).toEqual([ignored]);
});

test.each([
  ['', 'give a program file'],
  ['a.json b.json', 'one program file is enough'],
  ['--no-p4 --what', 'unknown option --what'],
  ['--no-p4 -- --what', 'unknown option --what'],
  ['--no-p4 -- --pcap', 'unknown option --pcap'],
  ['--no-p4 -- x.json', 'x.json stands behind --'],
  ['--pcap x.json', 'give a program file'],
  ['--no-p4 -i veth0', 'write it as 0@veth0'],
  ['--no-p4 -i 512@veth0', 'ports are 0 to 511'],
  ['--no-p4 -i 1@veth0 -i 1@veth1', 'port 1 has interface veth0 already'],
  ['--no-p4 --device-id x', 'not a number'],
  ['--no-p4 --log-level loud', 'one of trace'],
  ['--no-p4 --log-file a --log-console', 'only one of them'],
  ['--no-p4 --log-file a --log-file-max-size 0', 'expected 1 to'],
  ['--no-p4 --max-port-count 1 -i 1@a -i 2@b', 'there are 2 interfaces'],
  ['--no-p4 --restore-state x', 'let a controller write it'],
  ['--no-p4 --packet-in x', 'use --dp-grpc-server-addr'],
  ['--no-p4 -- --disable-swap', 'leave this out'],
  ['--no-p4 -- --load-modules x.so', 'extern types of your own'],
  ['--no-p4 -- --max-mc-groups 5000', 'expected 1 to 4096'],
  ['--no-p4 --compat lax', 'one of strict, bmv2, spec'],
  ['--no-p4 --dump-packet-data all', 'expected 0 to'],
  ['--no-p4 -- --priority-queues 0', 'expected 1 to'],
  ['--no-p4 -- --cpu-port 0', 'expected 1 to 511'],
  ['--no-p4 -- --cpu-port 1000', 'expected 1 to 511'],
  ['--no-p4 -i 5@veth0 -- --cpu-port 5', 'the port has interface veth0'],
  ['--no-p4 -- --cpu-port 511', 'both 511'],
  ['--no-p4 -- --dp-grpc-server-addr nowhere', '--dp-grpc-server-addr nowhere: write it as'],
  ['--no-p4 --use-files soon -i 1@a', 'a number of seconds'],
  ['--no-p4 -- --grpc-server-ssl', '--grpc-server-ssl needs --grpc-server-cert'],
  ['--no-p4 -- --grpc-server-ssl --grpc-server-cert c', '--grpc-server-ssl needs --grpc-server-key'],
  ['--no-p4 -- --grpc-server-with-client-auth', 'needs --grpc-server-ssl'],
  ['--no-p4 -- --grpc-server-addr nowhere', 'write it as 0.0.0.0:9559'],
])('%s: %s', (text, problem) => {
  expect(parse(text)).toEqual({ problems: expect.arrayContaining([expect.stringContaining(problem)]) });
});

test('questions win over everything else', () => {
  expect(parse('--help --what')).toEqual({ print: 'help' });
  expect(parse('-v')).toEqual({ print: 'version' });
  expect(parse('--json-version')).toEqual({ print: 'json-version' });
});

test('the help names every option, and what it does', () => {
  for (const { name, help, ignored, refused } of commandOptions) {
    expect(usage).toContain(`--${name}`);
    if (ignored === undefined && refused === undefined) expect(help).not.toBe('');
  }
});
