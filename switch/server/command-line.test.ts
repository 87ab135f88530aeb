// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { parseCommandLine } from './command-line.ts';

const parse = (text: string) => parseCommandLine(text === '' ? [] : text.split(' '));
const commandOf = (text: string) => {
  const result = parse(text);
  if (!('command' in result)) throw new Error(JSON.stringify(result));
  return result.command;
};

test('a command line of simple_switch_grpc', () => {
  expect(
    commandOf(
      '-i 0@veth0 --interface 1@veth2 --device-id 3 --no-p4 --log-console -L debug --thrift-port 9090 -- --cpu-port 510 --drop-port 511 --grpc-server-addr 127.0.0.1:50001',
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
    captureDirectory: undefined,
    dataplaneAddress: undefined,
    replayAfterSeconds: undefined,
    tls: undefined,
    logLevel: 'info',
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
    program: 'x.json',
  });
  expect(commandOf('--no-p4 -- --cpu-port 0').cpuPort).toBeUndefined();
});

test.each([
  ['--pcap --no-p4', '.'],
  ['--pcap /tmp/captures --no-p4', '/tmp/captures'],
  ['--no-p4 --pcap=here', 'here'],
  ['--pcap x.json', '.'],
])('%s captures to %s', (text, directory) => {
  expect(commandOf(text).captureDirectory).toBe(directory);
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
  expect(commandOf('--use-files 2 -i 1@left x.json')).toMatchObject({ replayAfterSeconds: 2 });
});

test.each([
  ['--no-p4 -- --grpc-server-cert c.pem', 'the PEM files: --grpc-server-ssl is not given'],
  ['--no-p4 --pcap', '--pcap: there are no interfaces to capture on'],
])('%s does nothing, and says so', (text, ignored) => {
  expect(commandOf(text).ignored).toEqual([ignored]);
});

test.each([
  ['', 'give a program file'],
  ['--no-p4 x.json', '--no-p4 contradicts'],
  ['a.json b.json', 'one program file is enough'],
  ['--no-p4 --what', "Unknown option '--what'"],
  ['--no-p4 -- --what', "Unknown option '--what'"],
  ['--no-p4 -i veth0', 'write it as 0@veth0'],
  ['--no-p4 -i 512@veth0', 'ports are 0 to 511'],
  ['--no-p4 -i 1@veth0 -i 1@veth1', 'port 1 has interface veth0 already'],
  ['--no-p4 --device-id x', 'not a number'],
  ['--no-p4 --log-level loud', 'one of trace'],
  ['--no-p4 -- --cpu-port 1000', 'ports are 0 to 511'],
  ['--no-p4 -i 5@veth0 -- --cpu-port 5', 'the port has interface veth0'],
  ['--no-p4 -- --cpu-port 511', 'both 511'],
  ['--no-p4 -i 1@veth0 -- --dp-grpc-server-addr 127.0.0.1:1', 'leave out -i'],
  ['--no-p4 -- --dp-grpc-server-addr nowhere', '--dp-grpc-server-addr nowhere: write it as'],
  ['--no-p4 --use-files 1', 'needs interfaces'],
  ['--no-p4 --use-files soon -i 1@a', 'a number of seconds'],
  ['--no-p4 --use-files 1 -i 1@a --pcap', 'leave out --pcap'],
  ['--no-p4 -- --grpc-server-ssl', '--grpc-server-ssl needs --grpc-server-cert'],
  ['--no-p4 -- --grpc-server-ssl --grpc-server-cert c', '--grpc-server-ssl needs --grpc-server-key'],
  ['--no-p4 -- --grpc-server-with-client-auth', 'needs --grpc-server-ssl'],
  ['--no-p4 -- --grpc-server-addr nowhere', 'write it as 0.0.0.0:9559'],
])('%s: %s', (text, problem) => {
  expect(parse(text)).toEqual({ problems: expect.arrayContaining([expect.stringContaining(problem)]) });
});

test('help and version win over everything else', () => {
  expect(parse('--help')).toMatchObject({ help: expect.stringContaining('--cpu-port') });
  expect(parse('-v')).toEqual({ version: true });
});
