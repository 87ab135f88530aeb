// SPDX-License-Identifier: Apache-2.0
/** Packets over gRPC, and a switch that replays captures: what the outside sees, over loopback. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  DataplaneInterface,
  type PacketStreamRequest,
  PacketStreamRequestSchema,
  type PacketStreamResponse,
  PortOperStatus,
  SetPortOperStatusRequestSchema,
} from '../../p4runtime/generated/p4/bm/dataplane_interface_pb.ts';
import { serviceDefinition } from '../../p4runtime/service-definition.ts';
import { PcapWriter, readPcapFile } from '../ports/pcap.ts';
import { Code } from './refusal.ts';
import { type RunningSwitch, type SwitchOptions, startSwitch } from './switch.ts';

// Port 1 is wired to port 2, and every other port to itself.
const program = readFileSync(new URL('testdata/wire.json', import.meta.url), 'utf8');
const methods = serviceDefinition(DataplaneInterface);

class DataplaneClient {
  readonly #client: Client;
  readonly #opened: ClientDuplexStream<PacketStreamRequest, PacketStreamResponse>[] = [];

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  }

  open() {
    const { path, requestSerialize, responseDeserialize } = methods.packetStream;
    const call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#opened.push(call);
    const arrived: PacketStreamResponse[] = [];
    const waiting: ((response: PacketStreamResponse) => void)[] = [];
    call.on('data', (response: PacketStreamResponse) => {
      const waiter = waiting.shift();
      if (waiter === undefined) arrived.push(response);
      else waiter(response);
    });
    call.on('error', () => {});
    return {
      arrived,
      ended: new Promise<number>((resolve) => call.on('status', ({ code }) => resolve(code))),
      send: (port: number, packet: number[], id = 0n, deviceId = 3n) =>
        call.write(
          create(PacketStreamRequestSchema, { id, deviceId, port, packet: Uint8Array.from(packet) }),
        ),
      next: async () =>
        arrived.shift() ?? (await new Promise<PacketStreamResponse>((resolve) => waiting.push(resolve))),
      end: () => call.end(),
    };
  }

  /** @returns the code and text of the refusal, '' when there was none */
  setStatus(port: number, operStatus: PortOperStatus, deviceId = 3n): Promise<string> {
    const { path, requestSerialize, responseDeserialize } = methods.setPortOperStatus;
    const request = create(SetPortOperStatusRequestSchema, { deviceId, port, operStatus });
    return new Promise((resolve) => {
      const done = (error: ServiceError | null) =>
        resolve(error === null ? '' : `${error.code} ${error.details}`);
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, done);
    });
  }

  close(): void {
    for (const call of this.#opened) call.cancel();
    this.#client.close();
  }
}

describe('the dataplane over gRPC', () => {
  let running: RunningSwitch;
  let client: DataplaneClient;
  let logs: string[];

  beforeEach(async () => {
    logs = [];
    running = await startSwitch({
      deviceId: 3n,
      grpcAddress: '127.0.0.1:0',
      dataplaneAddress: '127.0.0.1:0',
      program,
      log: (level, line) => logs.push(`${level}: ${line}`),
    });
    client = new DataplaneClient(running.dataplaneAddress!);
  });

  afterEach(async () => {
    client.close();
    await running.close();
  });

  test('what arrives at a port leaves from another, with the id of its cause', async () => {
    const stream = client.open();
    stream.send(1, [0xaa, 0xbb], 77n);
    expect(await stream.next()).toMatchObject({
      id: 77n,
      deviceId: 3n,
      port: 2,
      packet: Buffer.of(0xaa, 0xbb),
    });
    stream.send(2, [1]);
    expect(await stream.next()).toMatchObject({ id: 0n, port: 1 });
    // What the switch sends of its own accord has no cause.
    running.inject(1, Uint8Array.of(5));
    expect(await stream.next()).toMatchObject({ id: 0n, port: 2, packet: Buffer.of(5) });
  });

  test('there is one client at a time, and the next may come when it has left', async () => {
    const stream = client.open();
    stream.send(1, [1]);
    await stream.next();
    expect(await client.open().ended).toBe(Code.RESOURCE_EXHAUSTED);
    stream.end();
    expect(await stream.ended).toBe(Code.OK);
    const successor = client.open();
    successor.send(2, [2]);
    expect(await successor.next()).toMatchObject({ port: 1 });
  });

  test('what is not for this device, for no port or empty is ignored', async () => {
    const stream = client.open();
    stream.send(1, [1], 1n, 4n);
    stream.send(512, [1], 2n);
    stream.send(1, [], 3n);
    stream.send(1, [9], 4n);
    expect(await stream.next()).toMatchObject({ id: 4n });
    expect(logs).toEqual([
      'warn: a dataplane packet for device 4 is ignored: this is 3',
      'warn: a dataplane packet for port 512 is ignored: ports are 0 to 511',
    ]);
  });

  test('a port that is down passes nothing, either way', async () => {
    const stream = client.open();
    expect(await client.setStatus(2, PortOperStatus.OPER_STATUS_DOWN)).toBe('');
    stream.send(1, [1], 1n);
    stream.send(2, [2], 2n);
    // Port 3 is wired to itself: when its packet is back, the others have been dealt with.
    stream.send(3, [3], 3n);
    expect(await stream.next()).toMatchObject({ id: 3n, port: 3 });
    expect(await client.setStatus(2, PortOperStatus.OPER_STATUS_UP)).toBe('');
    stream.send(1, [4], 4n);
    expect(await stream.next()).toMatchObject({ id: 4n, port: 2 });
  });

  test('a status must be one, of a port of this device', async () => {
    expect(await client.setStatus(1, PortOperStatus.OPER_STATUS_UNKNOWN)).toBe('3 Invalid oper status');
    expect(await client.setStatus(1, PortOperStatus.OPER_STATUS_UP, 4n)).toBe('3 Invalid device id');
    expect(await client.setStatus(512, PortOperStatus.OPER_STATUS_UP)).toBe('3 ports are 0 to 511');
  });
});

test('a switch has either interfaces or a dataplane address', async () => {
  const interfaces = [{ port: 1, interfaceName: 'left' }];
  await expect(startSwitch({ interfaces, dataplaneAddress: '127.0.0.1:0' })).rejects.toThrow(
    'either interfaces or',
  );
});

test('when the dataplane cannot listen, nothing is left running', async () => {
  const first = await startSwitch({ grpcAddress: '127.0.0.1:0', dataplaneAddress: '127.0.0.1:0' });
  const taken = first.dataplaneAddress!;
  await expect(startSwitch({ grpcAddress: '127.0.0.1:0', dataplaneAddress: taken })).rejects.toThrow(
    `cannot listen on ${taken}`,
  );
  await first.close();
});

describe('captures in place of interfaces', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'evenkeel-replay-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const interfaces: SwitchOptions['interfaces'] = [
    { port: 1, interfaceName: 'left' },
    { port: 2, interfaceName: 'right' },
  ];

  test('are replayed in the order of their timestamps, and what leaves is captured', async () => {
    write('left', [1n, 0x11], [3n, 0x13]);
    write('right', [2n, 0x22]);
    const done = deferred();
    const running = await startSwitch({
      grpcAddress: '127.0.0.1:0',
      interfaces,
      program,
      replay: { directory, waitMs: 0 },
      log: (_level, line) => line.includes('replayed') && done.resolve(),
    });
    await done.promise;
    expect((await running.portCounters()).get(1)).toMatchObject({ receivedPackets: 2, sentPackets: 1 });
    await running.close();
    expect(readBack('right')).toEqual([
      [1n, 0x11],
      [3n, 0x13],
    ]);
    expect(readBack('left')).toEqual([[2n, 0x22]]);
  });

  test('that are damaged keep the switch from starting', async () => {
    await expect(
      startSwitch({
        grpcAddress: '127.0.0.1:0',
        interfaces,
        program,
        replay: { directory: '/nowhere', waitMs: 0 },
      }),
    ).rejects.toThrow('/nowhere');
  });

  function write(interfaceName: string, ...frames: [bigint, number][]): void {
    const writer = new PcapWriter(join(directory, `${interfaceName}_in.pcap`));
    for (const [timestampNs, byte] of frames) writer.write(Uint8Array.of(byte), timestampNs);
    writer.close();
  }

  function readBack(interfaceName: string): [bigint, number][] {
    const records = readPcapFile(join(directory, `${interfaceName}_out.pcap`));
    return records.map(({ timestampNs, frame }) => [timestampNs, frame[0]!]);
  }
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
