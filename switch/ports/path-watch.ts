// SPDX-License-Identifier: Apache-2.0
/**
 * Who would miss a frame that leaves an interface directly (xdp-queue.ts)? Traffic control, when somebody has set it up
 * (Mininet's TCLink does, for bandwidth and delay), and packet taps, when somebody runs tcpdump on the port.
 *
 * What it cannot see, because the kernel does not tell: BPF programs attached with tcx, and nftables' egress hooks.
 */

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { systemCalls, systemError } from './linux.ts';
import { inNetworkNamespace } from './network-namespace.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const NLM_F_REQUEST_DUMP = 0x301;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM_NEWQDISC = 36;
const RTM_GETQDISC = 38;
const TCA_KIND = 1;
/** struct nlmsghdr and struct tcmsg. */
const messageHeaderBytes = 16;
const trafficMessageBytes = 20;
/** What the kernel fills at once when it is asked for a list. */
const netlinkBufferBytes = 32_768;
/** A list that is longer than this is not read to its end; then nothing goes directly. */
const netlinkReadsMax = 256;
const tapListBytesMax = 1024 * 1024;

/** Does nothing: what a veth has when nobody has given it another. */
const idleDiscipline = 'noqueue';
/** ETH_P_ALL as /proc/net/packet shows it: other taps see no outgoing frames. */
const everyProtocol = '0003';

/** Watches the interfaces of one network namespace. */
export class PathWatch {
  readonly #netlink: number;
  readonly #tapList: number;
  readonly #buffer = Buffer.alloc(netlinkBufferBytes);
  /** Inodes of packet sockets of ours. */
  readonly #ownSockets: ReadonlySet<string>;

  /**
   * @param namespace  a named network namespace; undefined for the one we are in
   * @param ownSockets  descriptors of packet sockets that are no taps
   * @throws SystemError, or the error of the file system when /proc is not there
   */
  constructor(namespace: string | undefined, ownSockets: readonly number[]) {
    this.#ownSockets = new Set(ownSockets.map((fd) => String(fstatSync(fd).ino)));
    const calls = systemCalls();
    this.#netlink = inNetworkNamespace(namespace, () =>
      calls.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE),
    );
    if (this.#netlink < 0) throw systemError('open a netlink socket');
    try {
      // The open file stays with the namespace in which it was opened.
      this.#tapList = inNetworkNamespace(namespace, () =>
        openSync('/proc/thread-self/net/packet', constants.O_RDONLY),
      );
    } catch (error) {
      calls.close(this.#netlink);
      throw error;
    }
  }

  /** @returns a test by interface index; when anything cannot be read, nothing may go directly */
  look(): (interfaceIndex: number) => boolean {
    const disciplines = this.#disciplines();
    const taps = this.#taps();
    if (disciplines === undefined || taps === undefined || taps.has(0)) return () => false;
    return (interfaceIndex) => {
      const kinds = disciplines.get(interfaceIndex) ?? [];
      return !taps.has(interfaceIndex) && kinds.every((kind) => kind === idleDiscipline);
    };
  }

  close(): void {
    systemCalls().close(this.#netlink);
    closeSync(this.#tapList);
  }

  /** @returns interfaces with a tap that is not ours; 0 stands for all */
  #taps(): Set<number> | undefined {
    const bytes = Buffer.alloc(16_384);
    let text = '';
    for (let at = 0; at < tapListBytesMax; ) {
      const read = readSync(this.#tapList, bytes, 0, bytes.length, at);
      if (read === 0) return this.#parseTaps(text);
      text += bytes.toString('latin1', 0, read);
      at += read;
    }
    return undefined;
  }

  #parseTaps(text: string): Set<number> {
    const taps = new Set<number>();
    for (const line of text.split('\n').slice(1)) {
      // Address, references, type, protocol, interface, running, memory, user, inode.
      const [, , , protocol, interfaceIndex, , , , inode] = line.trim().split(/\s+/);
      if (protocol === everyProtocol && !this.#ownSockets.has(inode!)) taps.add(Number(interfaceIndex));
    }
    return taps;
  }

  /** @returns the kinds of queueing disciplines by interface */
  #disciplines(): Map<number, string[]> | undefined {
    const calls = systemCalls();
    const request = Buffer.alloc(messageHeaderBytes + trafficMessageBytes);
    request.writeUInt32LE(request.length, 0);
    request.writeUInt16LE(RTM_GETQDISC, 4);
    request.writeUInt16LE(NLM_F_REQUEST_DUMP, 6);
    if (calls.write(this.#netlink, request, request.length) !== request.length) return undefined;
    const kinds = new Map<number, string[]>();
    for (let reads = 0; reads < netlinkReadsMax; reads += 1) {
      const bytes = calls.read(this.#netlink, this.#buffer, this.#buffer.length);
      if (bytes <= 0) return undefined;
      const state = parseMessages(this.#buffer.subarray(0, bytes), kinds);
      if (state === 'done') return kinds;
      if (state === 'failed') return undefined;
    }
    return undefined;
  }
}

/** Adds to `kinds` what a part of a list of disciplines says. */
function parseMessages(bytes: Buffer, kinds: Map<number, string[]>): 'more' | 'done' | 'failed' {
  for (let at = 0; at + messageHeaderBytes <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    const type = bytes.readUInt16LE(at + 4);
    if (type === NLMSG_DONE) return 'done';
    if (type === NLMSG_ERROR || length < messageHeaderBytes || at + length > bytes.length) return 'failed';
    if (type === RTM_NEWQDISC) {
      // struct tcmsg: family, then the interface.
      const interfaceIndex = bytes.readInt32LE(at + messageHeaderBytes + 4);
      const attributes = bytes.subarray(at + messageHeaderBytes + trafficMessageBytes, at + length);
      const list = kinds.get(interfaceIndex) ?? [];
      list.push(kindOf(attributes) ?? 'unknown');
      kinds.set(interfaceIndex, list);
    }
    at += aligned(length);
  }
  return 'more';
}

function kindOf(attributes: Buffer): string | undefined {
  for (let at = 0; at + 4 <= attributes.length; ) {
    const length = attributes.readUInt16LE(at);
    if (length < 4) return undefined;
    if (attributes.readUInt16LE(at + 2) === TCA_KIND) {
      // A string with its zero byte.
      return attributes.toString('latin1', at + 4, at + length - 1);
    }
    at += aligned(length);
  }
  return undefined;
}

/** Netlink pads to four bytes. */
function aligned(length: number): number {
  return (length + 3) & ~3;
}
