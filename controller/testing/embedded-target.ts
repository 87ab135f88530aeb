// SPDX-License-Identifier: Apache-2.0
/** An embedded switch that can be restarted, and hosts around it: clients at port 1, and servers. */
import { type RunningSwitch, startSwitch } from '../../switch/server/switch.ts';
import { decodeEthernet, etherTypes } from '../../wire/ethernet.ts';
import { answerArp, encodeTcpFrame } from '../../wire/frames.ts';
import { decodeIpv4 } from '../../wire/ipv4.ts';
import { decodeTcp } from '../../wire/tcp.ts';

export const vip = { address: 0x0a00_0164, port: 80 };
export const clientAddress = 0x0a00_0107;
const clientPort = 1;
const toVip = {
  source: clientAddress,
  target: vip.address,
  sourceMac: 0x0200_0000_0107,
  targetMac: 0x0200_0000_0001,
};
const macOf = (address: number) => 0x0200_0000_0000 + (address & 0xffff);

/** They answer ARP, and note whose packets they get. Of one switch, or of several that all lead to them. */
export class Hosts {
  /** By the client's port: which server had its last packet. */
  private readonly served = new Map<number, number>();

  /** A packet from a client to the vip. @returns the server that got it */
  send(through: EmbeddedTarget, sourcePort: number, flags: number): number | undefined {
    this.served.delete(sourcePort);
    through.running!.inject(clientPort, encodeTcpFrame({ sourcePort, targetPort: vip.port, flags }, toVip));
    return this.served.get(sourcePort);
  }

  receive(from: EmbeddedTarget, port: number, frame: Uint8Array): void {
    const answer = answerArp(frame, macOf);
    if (answer) {
      // Not within the switch's own call.
      setImmediate(() => from.running?.inject(port, answer));
      return;
    }
    const { etherType, payload } = decodeEthernet(frame);
    if (etherType !== etherTypes.ipv4) return;
    const ip = decodeIpv4(payload);
    this.served.set(decodeTcp(ip.payload, ip).sourcePort, ip.target);
  }
}

/** It keeps its address when it is started anew, and nothing else. */
export class EmbeddedTarget {
  /** As it listens, once it has been started. */
  address = '127.0.0.1:0';
  readonly deviceId = 1n;
  running: RunningSwitch | undefined;
  private readonly hosts: Hosts | undefined;

  /** @param hosts  undefined: nobody answers */
  constructor(hosts?: Hosts) {
    this.hosts = hosts;
  }

  get hostPort(): { host: string; port: number } {
    const [host, port] = this.address.split(':') as [string, string];
    return { host, port: Number(port) };
  }

  async start(): Promise<void> {
    const { address, deviceId, hosts } = this;
    const onTransmit = (port: number, frame: Uint8Array) => hosts?.receive(this, port, frame);
    this.running = await startSwitch({ grpcAddress: address, deviceId, cpuPort: 510, onTransmit });
    this.address = this.running.address;
  }

  async stop(): Promise<void> {
    const { running } = this;
    this.running = undefined;
    await running?.close();
  }
}
