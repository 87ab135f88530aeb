// SPDX-License-Identifier: Apache-2.0
/**
 * The receiving half of a port on a real interface: an AF_PACKET socket whose frames the kernel writes into memory that
 * we share with it (TPACKET_V2; see packet(7) and Documentation/networking/packet_mmap.rst).
 *
 * TPACKET_V2 and not V3, because V3 hands over blocks of frames on a timer of at least a millisecond: V2 wakes us
 * with the first frame. Super-frames do not fit a slot; the kernel queues them on the socket (PACKET_COPY_THRESH).
 *
 * What leaves here looks as it would on a wire: checksums that the sender left to the hardware are finished, super-frames
 * are cut into segments, VLAN tags are back in their place, and what we ourselves sent is not seen.
 */

import { completeChecksum } from './checksum.ts';
import { addressOf, lastErrno, SystemError, systemCalls, systemError, viewMemory } from './linux.ts';
import { countDrop, type PortCounters } from './port.ts';
import { type Offload, segmentFrame } from './segment.ts';

export interface PacketRingOptions {
  /** Memory of the ring, shared with the kernel and never swapped. */
  ringBytes: number;
  /** Frames handed over by one `drain`. */
  batchFramesMax: number;
  /** What super-frames may occupy in the kernel before they are dropped. */
  superFrameQueueBytes: number;
}

export const packetRingDefaults: Readonly<PacketRingOptions> = {
  ringBytes: 4 * 1024 * 1024,
  batchFramesMax: 256,
  superFrameQueueBytes: 8 * 1024 * 1024,
};

/** The longest frame of Linux without "big TCP", with room for two VLAN tags. */
export const superFrameBytesMax = 65_536 + 32;

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0o2000000 | 0o4000;
const ETH_P_ALL = 0x0003;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_RX_RING = 5;
const PACKET_STATISTICS = 6;
const PACKET_COPY_THRESH = 7;
const PACKET_AUXDATA = 8;
const PACKET_VERSION = 10;
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_MR_PROMISC = 1;
const PACKET_OUTGOING = 4;
const TPACKET_V2 = 1;
const TP_STATUS_KERNEL = 0;
const TP_STATUS_USER = 1 << 0;
const TP_STATUS_COPY = 1 << 1;
const TP_STATUS_VLAN_VALID = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID = 1 << 6;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffffffffffffffffn;
const SIOCGIFINDEX = 0x8933;
const SIOCGIFMTU = 0x8921;
const MSG_DONTWAIT = 0x40;

/** struct virtio_net_hdr: stands before the frame, in the ring and in what recvmsg(2) gives. */
const vnet = { bytes: 10, needsChecksum: 1, gsoNone: 0, gsoTcp4: 1, gsoTcp6: 4, gsoUdp: 5, gsoEcn: 0x80 };
/** struct tpacket2_hdr and the sockaddr_ll behind it, as indexes of 32-bit words. */
const slotWord = { status: 0, length: 1, captured: 2, offsets: 3, vlan: 6, packetType: 10 };
/** struct sockaddr_ll: the kernel writes the type of packet into byte 10, the third byte of word 10 of the slot. */
const packetTypeShift = 16;
/** Kernel headers before the frame in a slot, rounded up, and two VLAN tags. */
const slotOverheadBytes = 128;
const ethernetHeaderBytes = 14;
const vlanTagBytes = 4;
const blockBytesMin = 65_536;

export interface Interface {
  index: number;
  mtu: number;
}

/** Opens an AF_PACKET socket that receives nothing yet. */
export function openPacketSocket(interfaceName: string): { fd: number; link: Interface } {
  const calls = systemCalls();
  const fd = calls.socket(AF_PACKET, SOCK_RAW_CLOEXEC_NONBLOCK, 0);
  if (fd < 0) throw systemError(`open a packet socket for '${interfaceName}'`);
  try {
    return { fd, link: interfaceOf(fd, interfaceName) };
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}

/** @param protocol  0 for a socket that only sends */
export function bindPacketSocket(fd: number, link: Interface, protocol: 0 | typeof ETH_P_ALL): void {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(protocol, 2);
  address.writeInt32LE(link.index, 4);
  if (systemCalls().bind(fd, address, address.length) !== 0) {
    throw systemError(`bind a packet socket to interface ${link.index}`);
  }
}

function interfaceOf(fd: number, name: string): Interface {
  const bytes = Buffer.from(name);
  if (bytes.length === 0 || bytes.length > 15) {
    throw new SystemError('not-found', `'${name}' cannot be the name of an interface: 1 to 15 bytes`);
  }
  const ask = (request: number) => {
    const answer = Buffer.alloc(64);
    bytes.copy(answer);
    if (systemCalls().ioctl(fd, request, answer) !== 0) throw systemError(`find interface '${name}'`);
    return answer.readInt32LE(16);
  };
  return { index: ask(SIOCGIFINDEX), mtu: ask(SIOCGIFMTU) };
}

export class PacketRing {
  readonly fd: number;
  readonly mtu: number;

  readonly #name: string;
  readonly #counters: PortCounters;
  readonly #diagnostic: (message: string) => void;
  readonly #batchFramesMax: number;
  readonly #slotBytes: number;
  readonly #slotCount: number;
  readonly #address: bigint;
  /** The ring as bytes and as words. Both empty once closed: the memory behind them is then gone. */
  #bytes: Uint8Array;
  #words: Int32Array;
  #next = 0;

  readonly #inbox = new SuperFrameInbox();
  readonly #scratch = new Uint8Array(superFrameBytesMax);
  readonly #reported = new Set<string>();

  /** @throws SystemError when the interface does not exist or packet sockets are not permitted */
  constructor(
    interfaceName: string,
    counters: PortCounters,
    options: PacketRingOptions,
    diagnostic: (message: string) => void,
  ) {
    this.#name = interfaceName;
    this.#counters = counters;
    this.#diagnostic = diagnostic;
    this.#batchFramesMax = options.batchFramesMax;
    const { fd, link } = openPacketSocket(interfaceName);
    this.fd = fd;
    this.mtu = link.mtu;
    try {
      configure(fd, link, options.superFrameQueueBytes);
      const longest = link.mtu + ethernetHeaderBytes + slotOverheadBytes;
      this.#slotBytes = Math.max(2048, 2 ** Math.ceil(Math.log2(longest)));
      const blockBytes = Math.max(blockBytesMin, this.#slotBytes);
      const blockCount = Math.max(2, Math.floor(options.ringBytes / blockBytes));
      this.#slotCount = (blockBytes / this.#slotBytes) * blockCount;
      const request = Uint32Array.of(blockBytes, blockCount, this.#slotBytes, this.#slotCount);
      setOption(fd, PACKET_RX_RING, request, `allocate a receive ring of ${blockBytes * blockCount} bytes`);
      const length = blockBytes * blockCount;
      this.#address = systemCalls().mmap(null, length, PROT_READ_WRITE, MAP_SHARED, fd, 0);
      if (BigInt.asUintN(64, this.#address) === MAP_FAILED) throw systemError('map the receive ring');
      this.#bytes = new Uint8Array(viewMemory(this.#address, length));
      this.#words = new Int32Array(this.#bytes.buffer);
      // Last, so that the ring never holds a frame of another interface.
      bindPacketSocket(fd, link, ETH_P_ALL);
    } catch (error) {
      systemCalls().close(fd);
      throw error;
    }
  }

  hasFrames(): boolean {
    if (this.#words.length === 0) return false;
    const status = Atomics.load(this.#words, (this.#next * this.#slotBytes) >> 2);
    return (status & TP_STATUS_USER) !== 0;
  }

  /**
   * Hands over the frames that have arrived, at most a batch of slots.
   *
   * @returns how many were handed over; segments of a super-frame count as frames
   */
  drain(port: number, receive: (port: number, frame: Uint8Array) => void): number {
    const before = this.#counters.receivedPackets;
    const deliver = (frame: Uint8Array) => {
      this.#counters.receivedPackets += 1;
      this.#counters.receivedBytes += frame.length;
      receive(port, frame);
    };
    for (let slots = 0; slots < this.#batchFramesMax && this.hasFrames(); slots += 1) {
      const at = this.#next * this.#slotBytes;
      this.#next = this.#next + 1 === this.#slotCount ? 0 : this.#next + 1;
      try {
        this.#takeSlot(at, deliver);
      } finally {
        // A receiver that closed the ports from its callback has unmapped the ring.
        if (this.#words.length > 0) Atomics.store(this.#words, at >> 2, TP_STATUS_KERNEL);
      }
    }
    return this.#counters.receivedPackets - before;
  }

  /**
   * Takes super-frames that have no slot. The socket is readable while one is queued, so whoever polled and found no slot
   * must call this, or poll would return at once for ever.
   */
  drainInbox(port: number, receive: (port: number, frame: Uint8Array) => void): number {
    const before = this.#counters.receivedPackets;
    const deliver = (frame: Uint8Array) => {
      this.#counters.receivedPackets += 1;
      this.#counters.receivedBytes += frame.length;
      receive(port, frame);
    };
    for (let frames = 0; frames < this.#batchFramesMax && this.#takeSuperFrame(deliver); frames += 1);
    return this.#counters.receivedPackets - before;
  }

  /** Reads, and thereby clears, the error that an interface going down leaves on the socket. */
  clearError(): void {
    const value = new Int32Array(1);
    systemCalls().getsockopt(this.fd, SOL_SOCKET, SO_ERROR, value, Uint32Array.of(4));
  }

  /** Adds what the kernel dropped for want of a free slot. The kernel counts from zero after each reading. */
  readKernelDrops(): void {
    const statistics = new Uint32Array(2);
    if (this.#words.length === 0) return;
    systemCalls().getsockopt(this.fd, SOL_PACKET, PACKET_STATISTICS, statistics, Uint32Array.of(8));
    if (statistics[1]! > 0) countDrop(this.#counters, 'receive-ring-full', statistics[1]);
  }

  close(): void {
    if (this.#words.length === 0) return;
    const length = this.#bytes.length;
    this.#bytes = new Uint8Array(0);
    this.#words = new Int32Array(0);
    systemCalls().munmap(this.#address, length);
    systemCalls().close(this.fd);
  }

  #takeSlot(at: number, deliver: (frame: Uint8Array) => void): void {
    const words = this.#words;
    const word = at >> 2;
    const status = words[word + slotWord.status]!;
    if (((words[word + slotWord.packetType]! >> packetTypeShift) & 0xff) === PACKET_OUTGOING) return;
    if ((status & TP_STATUS_COPY) !== 0) {
      // Already taken, if nothing is there: see drainInbox.
      this.#takeSuperFrame(deliver);
      return;
    }
    const captured = words[word + slotWord.captured]!;
    if (captured < words[word + slotWord.length]!) {
      this.#drop('receive-truncated');
      return;
    }
    const start = at + (words[word + slotWord.offsets]! & 0xffff);
    this.#deliver(this.#bytes, start, captured, status, words[word + slotWord.vlan]!, deliver);
  }

  #takeSuperFrame(deliver: (frame: Uint8Array) => void): boolean {
    const inbox = this.#inbox;
    const length = inbox.receive(this.fd);
    if (length < 0) return false;
    if (inbox.isTruncated) this.#drop('receive-truncated');
    else {
      const start = SuperFrameInbox.frameStart;
      this.#deliver(inbox.bytes, start, length, inbox.status, inbox.vlan, deliver);
    }
    return true;
  }

  /**
   * Makes the frame look as on a wire, in place, and hands it over.
   *
   * @param start  of the frame in `memory`; a virtio_net_hdr stands before it
   */
  #deliver(
    memory: Uint8Array,
    start: number,
    length: number,
    status: number,
    vlan: number,
    deliver: (frame: Uint8Array) => void,
  ): void {
    const header = start - vnet.bytes;
    const flags = memory[header]!;
    const gsoType = memory[header + 1]! & ~vnet.gsoEcn;
    if (flags === 0 && gsoType === vnet.gsoNone && (status & TP_STATUS_VLAN_VALID) === 0) {
      deliver(memory.subarray(start, start + length));
      return;
    }

    const segmentBytes = readLittleEndian(memory, header + 4);
    const needsChecksum = (flags & vnet.needsChecksum) !== 0;
    let transportStart = readLittleEndian(memory, header + 6);
    const checksumOffset = readLittleEndian(memory, header + 8);
    if (gsoType === vnet.gsoNone && needsChecksum) {
      const frame = memory.subarray(start, start + length);
      if (!completeChecksum(frame, transportStart, checksumOffset)) {
        this.#drop('receive-checksum');
        return;
      }
    }

    let frameStart = start;
    if ((status & TP_STATUS_VLAN_VALID) !== 0) {
      // Overwrites the virtio_net_hdr, which has been read.
      frameStart -= vlanTagBytes;
      memory.copyWithin(frameStart, start, start + 12);
      const protocol = (status & TP_STATUS_VLAN_TPID_VALID) !== 0 ? vlan >>> 16 : 0x8100;
      memory[start + 8] = protocol >> 8;
      memory[start + 9] = protocol & 0xff;
      memory[start + 10] = (vlan >> 8) & 0xff;
      memory[start + 11] = vlan & 0xff;
      transportStart += vlanTagBytes;
    }
    const frame = memory.subarray(frameStart, start + length);
    if (gsoType === vnet.gsoNone) {
      deliver(frame);
      return;
    }

    const offload = offloadOf(gsoType);
    const isSegmented =
      offload !== undefined &&
      needsChecksum &&
      segmentFrame(frame, { offload, segmentBytes, transportStart }, this.#scratch, deliver);
    if (!isSegmented) this.#drop('receive-offload');
  }

  #drop(reason: 'receive-truncated' | 'receive-offload' | 'receive-checksum'): void {
    countDrop(this.#counters, reason);
    if (this.#reported.has(reason)) return;
    this.#reported.add(reason);
    this.#diagnostic(`${this.#name}: a frame was dropped, ${remedies[reason]} (said once; see the counters)`);
  }
}

const remedies = {
  'receive-truncated':
    'because it was longer than the MTU and no memory was left for it; switch off segmentation offload at the sender ' +
    '(ethtool -K DEV tso off gso off gro off)',
  'receive-offload':
    'because it is a segmentation-offload frame that is neither plain TCP nor plain UDP; switch off segmentation ' +
    'offload at the sender (ethtool -K DEV tso off gso off gro off)',
  'receive-checksum':
    'because the place of its checksum lies outside of it; switch off checksum offload at the sender ' +
    '(ethtool -K DEV tx off)',
} as const;

function offloadOf(gsoType: number): Offload | undefined {
  if (gsoType === vnet.gsoTcp4 || gsoType === vnet.gsoTcp6) return 'tcp';
  return gsoType === vnet.gsoUdp ? 'udp' : undefined;
}

function readLittleEndian(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function configure(fd: number, link: Interface, superFrameQueueBytes: number): void {
  const one = Int32Array.of(1);
  setOption(fd, PACKET_VERSION, Int32Array.of(TPACKET_V2), 'choose TPACKET_V2');
  setOption(fd, PACKET_VNET_HDR, one, 'ask for offload information');
  setOption(fd, PACKET_AUXDATA, one, 'ask for VLAN tags');
  setOption(fd, PACKET_COPY_THRESH, one, 'ask for whole super-frames');
  setOption(fd, PACKET_IGNORE_OUTGOING, one, 'ignore outgoing frames');
  const membership = Buffer.alloc(16);
  membership.writeInt32LE(link.index, 0);
  membership.writeUInt16LE(PACKET_MR_PROMISC, 4);
  setOption(fd, PACKET_ADD_MEMBERSHIP, membership, 'become promiscuous');
  const calls = systemCalls();
  const size = Int32Array.of(superFrameQueueBytes);
  // FORCE passes the system-wide limit, but wants CAP_NET_ADMIN in the first user namespace; less room is no failure.
  if (calls.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size, 4) !== 0) {
    calls.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, size, 4);
  }
}

function setOption(fd: number, option: number, value: ArrayBufferView, what: string): void {
  if (systemCalls().setsockopt(fd, SOL_PACKET, option, value, value.byteLength) !== 0)
    throw systemError(what);
}

/** Receives the frames that are too long for a slot, one recvmsg(2) each, into a buffer of its own. */
class SuperFrameInbox {
  static readonly #headroom = 64;
  static readonly frameStart = SuperFrameInbox.#headroom + vnet.bytes;

  readonly bytes = new Uint8Array(SuperFrameInbox.frameStart + superFrameBytesMax);
  status = 0;
  /** As in a ring slot: the tag in the low half, its protocol in the high half. */
  vlan = 0;
  isTruncated = false;

  readonly #control = new Uint32Array(64);
  readonly #message: BigUint64Array;

  constructor() {
    // struct iovec, then struct msghdr that points at it: the message is words 2 to 8.
    const memory = new BigUint64Array(16);
    memory[0] = addressOf(this.bytes) + BigInt(SuperFrameInbox.#headroom);
    memory[1] = BigInt(this.bytes.length - SuperFrameInbox.#headroom);
    memory[4] = addressOf(memory);
    memory[5] = 1n;
    memory[6] = addressOf(this.#control);
    this.#message = memory.subarray(2, 9);
  }

  /** @returns the length of the frame at `frameStart`, or -1 when there is none */
  receive(fd: number): number {
    this.#message[5] = BigInt(this.#control.byteLength);
    this.#message[6] = 0n;
    this.#control.fill(0);
    const received = systemCalls().recvmsg(fd, this.#message, MSG_DONTWAIT);
    if (received < vnet.bytes) {
      if (received < 0 && !['EAGAIN', 'EINTR', 'ENETDOWN'].includes(lastErrno()))
        throw systemError('receive');
      return -1;
    }
    this.isTruncated = (this.#message[6]! & MSG_TRUNC) !== 0n;
    // One control message: length (8 bytes), level, type, then struct tpacket_auxdata.
    this.status = this.#control[4]!;
    this.vlan = this.#control[8]!;
    return received - vnet.bytes;
  }
}

const MSG_TRUNC = 0x20n;
