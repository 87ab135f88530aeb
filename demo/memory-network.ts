// SPDX-License-Identifier: Apache-2.0
/**
 * The network without network namespaces: the embedded switch and small hosts in this process. The controller is a
 * process of its own all the same and speaks P4Runtime over loopback.
 */

import { startSwitch } from '../switch/server/switch.ts';
import { parseIpv4, parseMac } from '../wire/address.ts';
import { client, hosts, serverPlaces, vip } from './layout.ts';
import { MemoryHost } from './memory-host.ts';
import type { Network } from './network.ts';
import { createService } from './service.ts';
import { startTraffic } from './traffic.ts';

const deviceId = 1;
const cpuPort = 510;
const tickMs = 10;
/** Frames on their way; what does not fit is lost, as in a real queue. */
const framesMax = 16_384;
/** Frames delivered before timers and sockets have their turn. */
const batchFrames = 256;

export async function openMemoryNetwork(why: string): Promise<Network> {
  const wire: (() => void)[] = [];
  let isScheduled = false;
  let problem: string | undefined;

  const deliverLater = (deliver: () => void) => {
    if (wire.length >= framesMax) return;
    wire.push(deliver);
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(drain);
  };
  function drain(): void {
    for (const deliver of wire.splice(0, batchFrames)) deliver();
    isScheduled = wire.length > 0;
    if (isScheduled) setImmediate(drain);
  }

  const byPort = new Map<number, MemoryHost>();
  const lab = await startSwitch({
    deviceId: BigInt(deviceId),
    grpcAddress: '127.0.0.1:0',
    cpuPort,
    onTransmit(port, frame) {
      const copy = frame.slice();
      deliverLater(() => byPort.get(port)?.receive(copy));
    },
    onFailure: (cause) => {
      problem = cause.message;
    },
  });
  const byName = new Map<string, MemoryHost>();
  for (const { name, port, address, gateway, mac } of hosts) {
    const host = new MemoryHost({
      address: parseIpv4(address),
      gateway: parseIpv4(gateway),
      mac: parseMac(mac),
      now: Date.now,
      seed: port,
      send: (frame) => deliverLater(() => lab.inject(port, frame)),
    });
    byName.set(name, host);
    byPort.set(port, host);
  }
  const ticker = setInterval(() => {
    for (const host of byName.values()) host.tick();
  }, tickMs);

  const services = new Map<string, ReturnType<typeof createService>>();
  return {
    description: `hosts and switch in memory (${why})`,
    isInMemory: true,
    switchAddress: lab.address,
    deviceId,
    async startServers(hostName, onAccepted = () => {}) {
      for (const { name, port } of serverPlaces.filter(({ host }) => host === hostName)) {
        const service = createService(name, (peer) => {
          onAccepted({ server: name, peer, at: Date.now() });
        });
        services.set(name, service);
        byName.get(hostName)!.listen(port, service.accept);
      }
    },
    async killServers(hostName) {
      for (const { port } of serverPlaces.filter(({ host }) => host === hostName)) {
        byName.get(hostName)!.unlisten(port);
      }
    },
    sayGoodbye: (server) => services.get(server)?.sayGoodbye(),
    async startTraffic(options, onBroken) {
      const dial = byName.get(client.name)!.dial(parseIpv4(vip.address), vip.port);
      const traffic = startTraffic(options, dial, Date.now, onBroken);
      return {
        summary: traffic.summary,
        calm: traffic.calm,
        async stop() {
          await traffic.stop();
          return traffic.summary();
        },
      };
    },
    sendFromClient(frames) {
      for (const frame of frames) deliverLater(() => lab.inject(client.port, frame));
    },
    failure: () => problem,
    async close() {
      clearInterval(ticker);
      await lab.close();
    },
  };
}
