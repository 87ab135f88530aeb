// SPDX-License-Identifier: Apache-2.0
/**
 * The whole switch on real interfaces: pipeline in a worker, frames over veth, P4Runtime on loopback.
 * The worker runs the JavaScript of `npm run build`, so without that there is nothing to test.
 */

import { existsSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from '../../lab/capability.ts';
import { buildLab, type Lab } from '../../lab/topology.ts';
import { EntryCodec } from '../../p4runtime/entries.ts';
import {
  EntitySchema,
  SetForwardingPipelineConfigRequest_Action,
  Update_Type,
  UpdateSchema,
} from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { openPacketPorts, type PacketPorts } from '../ports/packet-socket.ts';
import { type RunningSwitch, startSwitch } from './switch.ts';
import { features, index, TestClient, type TestStream } from './testdata/harness.ts';

const worker = new URL('../../dist/switch/server/pipeline-worker.js', import.meta.url);
const reason = existsSync(worker) ? whyNoLab() : 'nothing has been built: npm run build';
const codec = new EntryCodec(index);

describe.skipIf(reason !== undefined)(
  `a switch with a worker${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let lab: Lab;
    let hosts: PacketPorts;
    let running: RunningSwitch;
    let client: TestClient;
    let stream: TestStream;

    beforeAll(async () => {
      const topology = [1, 2].map((port) => ({ name: `h${port}`, port, address: `10.78.0.${port}/24` }));
      lab = buildLab({ hosts: topology, offloads: false }, 'worker');
      hosts = openPacketPorts(
        lab.hosts.map(({ spec, interfaceName, namespace }) => ({
          port: spec.port,
          interfaceName,
          namespace: namespace.name,
        })),
      );
      running = await startSwitch({ grpcAddress: '127.0.0.1:0', cpuPort: 510, interfaces: lab.ports });
      client = new TestClient(running.address);
      stream = client.openStream();
      await stream.arbitrate(1n);
      await client.push();
    });

    afterAll(async () => {
      client?.close();
      await running?.close();
      hosts?.close();
      lab?.close();
    });

    /** An Ethernet frame that nothing but our program understands. */
    function frameOf(target: number, source: number): Uint8Array {
      const frame = new Uint8Array(60);
      frame[5] = target;
      frame[11] = source;
      frame.set([0x12, 0x34], 12);
      return frame;
    }

    /** Frames of ours that a host receives before one with this target arrives, that one included. */
    async function receiveUntil(port: number, target: number): Promise<number[]> {
      const targets: number[] = [];
      await expect
        .poll(() => {
          hosts.poll(1, (at, frame) => {
            if (at === port && frame[12] === 0x12 && frame[13] === 0x34) targets.push(frame[5]!);
          });
          return targets.at(-1);
        })
        .toBe(target);
      return targets;
    }

    const toPort = (target: number, port: number) =>
      codec.insert({
        table: 'routes',
        match: { target: { value: target, prefixLength: 48 } },
        action: { name: 'forward', params: { port } },
      });

    test('when a Write has been answered, the next packet sees it', async () => {
      for (let target = 1; target <= 20; target++) {
        expect((await client.write([toPort(target, 2)])).code).toBe(0);
        hosts.send(1, frameOf(target, 1));
        hosts.flush();
        expect(await receiveUntil(2, target)).toEqual([target]);
      }
    });

    test('... and also in a rush of packets', async () => {
      for (let target = 101; target <= 160; target++) {
        for (let filler = 0; filler < 200; filler++) hosts.send(2, frameOf(200, filler & 255));
        hosts.flush();
        expect((await client.write([toPort(target, 2)])).code).toBe(0);
        hosts.send(1, frameOf(target, 1));
        hosts.flush();
        expect((await receiveUntil(2, target)).filter((each) => each < 200)).toEqual([target]);
      }
    });

    test('digests, packet-ins and counters come back from the worker', async () => {
      const digestId = index.digests.get('seen_t').id;
      const entity = {
        entity: { case: 'digestEntry' as const, value: { digestId, config: { maxListSize: 1 } } },
      };
      const toController = codec.insert({
        table: 'exact_small',
        match: { target: 99, port: 1 },
        action: { name: 'to_controller', params: { reason: 3 } },
      });
      const learn = create(UpdateSchema, { type: Update_Type.INSERT, entity });
      expect((await client.write([learn, toController, toPort(99, 2)])).code).toBe(0);
      hosts.send(1, frameOf(99, 77));
      hosts.flush();
      const updates = [await stream.next('digest'), await stream.next('packet')] as const;
      expect(updates[0].data).toHaveLength(1);
      expect(updates[1].payload).toEqual(Buffer.from(frameOf(99, 77)));
      const counter = create(EntitySchema, {
        entity: {
          case: 'tableEntry',
          value: { tableId: index.tables.get('exact_small').id, counterData: {} },
        },
      });
      const [read] = await client.read(counter);
      expect(read?.entity.value).toMatchObject({ counterData: { packetCount: 1n, byteCount: 60n } });
      expect((await running.portCounters()).get(1)?.receivedPackets).toBeGreaterThanOrEqual(1);
    });

    test('packets are traced in the worker as they pass', async () => {
      const traces: string[] = [];
      const watching = await running.watch({ filter: 'frame.target == 61' }, ({ trace }) => {
        traces.push(`port ${trace?.port} ${trace?.frame.slice(0, 12)}`);
      });
      expect((await client.write([toPort(61, 2), toPort(62, 2)])).code).toBe(0);
      for (const target of [61, 62]) hosts.send(1, frameOf(target, 1));
      hosts.flush();
      await receiveUntil(2, 62);
      await expect.poll(() => traces).toEqual(['port 1 00000000003d']);
      if ('stop' in watching) watching.stop();
      expect(await running.watch({ filter: 'frame.target' }, () => {})).toMatchObject({
        problem: { column: 13 },
      });
    });

    test('a packet-out leaves on its port', async () => {
      const [field] = index.packetMetadata.get('packet_out').fields;
      const metadata = [{ metadataId: field!.id, value: Uint8Array.of(2) }];
      stream.send({ case: 'packet', value: { payload: frameOf(50, 1), metadata } });
      expect(await receiveUntil(2, 50)).toEqual([50]);
    });

    test('registers are reached, and a program that takes over the state of another does so in the worker', async () => {
      const registerId = features.p4info.registers[0]!.preamble!.id;
      const cell = create(EntitySchema, {
        entity: {
          case: 'registerEntry',
          value: {
            registerId,
            index: { index: 3n },
            data: { data: { case: 'bitstring', value: Uint8Array.of(9) } },
          },
        },
      });
      const write = create(UpdateSchema, { type: Update_Type.MODIFY, entity: cell });
      expect((await client.write([write, toPort(60, 2)])).code).toBe(0);
      await client.push(SetForwardingPipelineConfigRequest_Action.RECONCILE_AND_COMMIT);
      expect((await client.read(cell))[0]?.entity.value).toMatchObject({
        data: { data: { case: 'bitstring', value: Buffer.of(9) } },
      });
      hosts.send(1, frameOf(60, 1));
      hosts.flush();
      expect(await receiveUntil(2, 60)).toEqual([60]);
    });

    test('a program that cannot be loaded is told with its reasons', async () => {
      const config = { p4info: features.p4info, p4DeviceConfig: new TextEncoder().encode('{"a":1}') };
      await expect(client.push(undefined, { config })).rejects.toThrow('the program cannot be loaded');
      expect((await client.getConfig(1)).config?.cookie).toBeDefined();
    });
  },
);

test.skipIf(reason !== undefined)(
  'an interface that does not exist is named, and nothing is left running',
  async () => {
    const interfaces = [{ port: 1, interfaceName: 'nowhere0' }];
    await expect(startSwitch({ grpcAddress: '127.0.0.1:0', interfaces })).rejects.toThrow('nowhere0');
  },
);
