// SPDX-License-Identifier: Apache-2.0
/**
 * The receiving half of a port on a real interface: an AF_PACKET socket whose frames the kernel writes into memory that
 * we share with it (TPACKET_V2; see packet(7) and Documentation/networking/packet_mmap.rst).
 *
 * TPACKET_V2 and not V3, because V3 hands over blocks of frames on a timer of at least a millisecond: V2 wakes us
 * with the first frame. Super-frames do not fit a slot; the kernel queues them on the socket (PACKET_COPY_THRESH).
 */

import { systemCalls, systemError, viewMemory } from './linux.ts';
import {
  bindPacketSocket,
  openPacketSocket,
  type PacketLink,
  packetProtocol,
  readPacketOption,
  setPacketOption,
} from './packet-link.ts';
import { countDrop, type DropReason, type PortCounters, type ReceiveFrame } from './port.ts';
import { SuperFrameInbox } from './super-frame-inbox.ts';
import { hasWireForm, type KernelFrame, restoreWireForm, superFrameBytesMax } from './wire-form.ts';

export interface PacketRingOptions {
  /** Memory of the ring, shared with the kernel and never swapped. */
  ringBytes: number;
  /** Slots of the ring that one `drain` empties. */
  batchFramesMax: number;
  /** What super-frames may occupy in the kernel before they are dropped. */
  superFrameQueueBytes: number;
  /** Told once about each kind of frame that had to be dropped, with the remedy. */
  diagnostic: (message: string) => void;
}

export const packetRingDefaults: Readonly<Omit<PacketRingOptions, 'diagnostic'>> = {
  ringBytes: 8 * 1024 * 1024,
  batchFramesMax: 256,
  superFrameQueueBytes: 8 * 1024 * 1024,
};

const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
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
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffffffffffffffffn;

/** struct tpacket2_hdr and the sockaddr_ll behind it, as 32-bit words. */
const slotWord = { status: 0, length: 1, captured: 2, offsets: 3, vlan: 6, packetType: 10 };
/** sll_pkttype is the third byte of its word. */
const packetTypeShift = 16;
/** Kernel headers before the frame in a slot, rounded up, and two VLAN tags. */
const slotOverheadBytes = 128;
const slotBytesMin = 2048;
const blockBytesMin = 65_536;
const ethernetHeaderBytes = 14;

export class PacketRing {
  readonly fd: number;

  readonly #name: string;
  readonly #counters: PortCounters;
  readonly #options: PacketRingOptions;
  readonly #slotBytes: number;
  readonly #slotCount: number;
  readonly #address: bigint;
  /** The ring as bytes and as words. Both empty once closed: the memory behind them is then gone. */
  #bytes = new Uint8Array(0);
  #words = new Int32Array(0);
  #next = 0;

  readonly #inbox = new SuperFrameInbox();
  readonly #scratch = new Uint8Array(superFrameBytesMax);
  readonly #slotFrame: KernelFrame;
  readonly #reported = new Set<DropReason>();

  /** @throws SystemError when the interface does not exist or packet sockets are not permitted */
  constructor(interfaceName: string, counters: PortCounters, options: PacketRingOptions) {
    this.#name = interfaceName;
    this.#counters = counters;
    this.#options = options;
    const link = openPacketSocket(interfaceName);
    this.fd = link.fd;
    const longest = link.mtu + ethernetHeaderBytes + slotOverheadBytes;
    this.#slotBytes = Math.max(slotBytesMin, 2 ** Math.ceil(Math.log2(longest)));
    const blockBytes = Math.max(blockBytesMin, this.#slotBytes);
    const blockCount = Math.max(2, Math.floor(options.ringBytes / blockBytes));
    const ringBytes = blockBytes * blockCount;
    this.#slotCount = ringBytes / this.#slotBytes;
    try {
      configure(link, options.superFrameQueueBytes);
      const request = Uint32Array.of(blockBytes, blockCount, this.#slotBytes, this.#slotCount);
      setPacketOption(link.fd, PACKET_RX_RING, request, `allocate a receive ring of ${ringBytes} bytes`);
      // Last, so that the ring never holds a frame of another interface.
      bindPacketSocket(link, packetProtocol.all);
      this.#address = systemCalls().mmap(null, ringBytes, PROT_READ_WRITE, MAP_SHARED, link.fd, 0);
      if (BigInt.asUintN(64, this.#address) === MAP_FAILED) throw systemError('map the receive ring');
    } catch (error) {
      systemCalls().close(link.fd);
      throw error;
    }
    const memory = viewMemory(this.#address, ringBytes);
    this.#bytes = new Uint8Array(memory);
    this.#words = new Int32Array(memory);
    this.#slotFrame = { memory: this.#bytes, start: 0, length: 0, status: 0, vlan: 0 };
  }

  hasFrames(): boolean {
    if (this.#words.length === 0) return false;
    return (loadStatus(this.#words, (this.#next * this.#slotBytes) >> 2) & TP_STATUS_USER) !== 0;
  }

  /**
   * Hands over the frames that have arrived, at most a batch of slots.
   *
   * @returns how many were handed over; segments of a super-frame count as frames
   */
  drain(port: number, receive: ReceiveFrame): number {
    if (!this.hasFrames()) return 0;
    const words = this.#words;
    const bytes = this.#bytes;
    const counters = this.#counters;
    const before = counters.receivedPackets;
    for (let slots = 0; slots < this.#options.batchFramesMax; slots += 1) {
      const at = this.#next * this.#slotBytes;
      const word = at >> 2;
      const status = loadStatus(words, word);
      if ((status & TP_STATUS_USER) === 0) break;
      this.#next = this.#next + 1 === this.#slotCount ? 0 : this.#next + 1;
      const length = words[word + slotWord.captured]!;
      const start = at + (words[word + slotWord.offsets]! & 0xffff);
      const isWhole = length === words[word + slotWord.length]! && (status & TP_STATUS_COPY) === 0;
      try {
        if (isWhole && isForUs(words, word) && hasWireForm(bytes, start, status)) {
          counters.receivedPackets += 1;
          counters.receivedBytes += length;
          // Half the price of subarray, which asks for the class to make.
          receive(port, new Uint8Array(bytes.buffer, start, length));
        } else {
          this.#takeSlot(at, port, receive);
        }
      } finally {
        // Also when the receiver throws: the slot has had its turn. It may have closed us, too.
        if (this.#words.length > 0) storeStatus(words, word, TP_STATUS_KERNEL);
      }
    }
    return counters.receivedPackets - before;
  }

  /**
   * Takes super-frames that have no slot. The socket is readable while one is queued, so whoever polled and found no slot
   * must call this, or poll would return at once for ever.
   */
  drainInbox(port: number, receive: ReceiveFrame): number {
    if (this.#words.length === 0) return 0;
    const before = this.#counters.receivedPackets;
    const deliver = this.#counting(port, receive);
    for (let frames = 0; frames < this.#options.batchFramesMax; frames += 1) {
      if (!this.#takeSuperFrame(deliver)) break;
    }
    return this.#counters.receivedPackets - before;
  }

  /** Reads, and thereby clears, the error that an interface going down leaves on the socket. */
  clearError(): void {
    systemCalls().getsockopt(this.fd, SOL_SOCKET, SO_ERROR, new Int32Array(1), Uint32Array.of(4));
  }

  /** Adds what the kernel dropped for want of a free slot. The kernel counts from zero after each reading. */
  readKernelDrops(): void {
    if (this.#words.length === 0) return;
    // struct tpacket_stats: packets, drops.
    const statistics = new Uint32Array(2);
    const isRead = readPacketOption(this.fd, PACKET_STATISTICS, statistics);
    if (isRead && statistics[1]! > 0) countDrop(this.#counters, 'receive-ring-full', statistics[1]);
  }

  close(): void {
    if (this.#words.length === 0) return;
    this.readKernelDrops();
    const length = this.#bytes.length;
    this.#bytes = this.#slotFrame.memory = new Uint8Array(0);
    this.#words = new Int32Array(0);
    systemCalls().munmap(this.#address, length);
    systemCalls().close(this.fd);
  }

  #counting(port: number, receive: ReceiveFrame): (frame: Uint8Array) => void {
    return (frame) => {
      this.#counters.receivedPackets += 1;
      this.#counters.receivedBytes += frame.length;
      receive(port, frame);
    };
  }

  /** Whatever is not simply a frame. */
  #takeSlot(at: number, port: number, receive: ReceiveFrame): void {
    const words = this.#words;
    const word = at >> 2;
    if (!isForUs(words, word)) return;
    const deliver = this.#counting(port, receive);
    const frame = this.#slotFrame;
    frame.status = words[word + slotWord.status]!;
    frame.length = words[word + slotWord.captured]!;
    if ((frame.status & TP_STATUS_COPY) !== 0) {
      // Nothing there: drainInbox has been faster.
      this.#takeSuperFrame(deliver);
    } else if (frame.length < words[word + slotWord.length]!) {
      this.#drop('receive-truncated');
    } else {
      frame.start = at + (words[word + slotWord.offsets]! & 0xffff);
      frame.vlan = words[word + slotWord.vlan]!;
      this.#deliver(frame, deliver);
    }
  }

  #takeSuperFrame(deliver: (frame: Uint8Array) => void): boolean {
    if (!this.#inbox.receive(this.fd)) return false;
    if (this.#inbox.isTruncated) this.#drop('receive-truncated');
    else this.#deliver(this.#inbox.frame, deliver);
    return true;
  }

  #deliver(frame: KernelFrame, deliver: (frame: Uint8Array) => void): void {
    const reason = restoreWireForm(frame, this.#scratch, deliver);
    if (reason !== undefined) this.#drop(reason);
  }

  #drop(reason: DropReason): void {
    countDrop(this.#counters, reason);
    if (this.#reported.has(reason)) return;
    this.#reported.add(reason);
    const remedy = remedies[reason] ?? reason;
    this.#options.diagnostic(`${this.#name}: a frame was dropped, ${remedy} (said once; see the counters)`);
  }
}

/** The kernel writes the status last and reads it first, so what it guards must not be reordered around it. */
const keepsOrder = process.arch === 'x64';

function loadStatus(words: Int32Array, word: number): number {
  // x86 keeps the order of loads and the order of stores by itself, and V8 that of typed arrays around calls.
  return keepsOrder ? words[word]! : Atomics.load(words, word);
}

function storeStatus(words: Int32Array, word: number, status: number): void {
  if (keepsOrder) words[word] = status;
  else Atomics.store(words, word, status);
}

/** Frames that the switch itself has sent come by here too, where the kernel cannot be told to keep them. */
function isForUs(words: Int32Array, word: number): boolean {
  return ((words[word + slotWord.packetType]! >> packetTypeShift) & 0xff) !== PACKET_OUTGOING;
}

const remedies: Partial<Record<DropReason, string>> = {
  'receive-truncated':
    'because it was longer than the MTU and no memory was left for it; switch off segmentation offload at the sender ' +
    '(ethtool -K DEV tso off gso off gro off)',
  'receive-offload':
    'because it is a segmentation-offload frame that is neither plain TCP nor plain UDP; switch off segmentation ' +
    'offload at the sender (ethtool -K DEV tso off gso off gro off)',
  'receive-checksum':
    'because the place of its checksum lies outside of it; switch off checksum offload at the sender ' +
    '(ethtool -K DEV tx off)',
};

function configure({ fd, interfaceIndex }: PacketLink, superFrameQueueBytes: number): void {
  const one = Int32Array.of(1);
  setPacketOption(fd, PACKET_VERSION, Int32Array.of(TPACKET_V2), 'choose TPACKET_V2');
  setPacketOption(fd, PACKET_VNET_HDR, one, 'ask for offload information');
  setPacketOption(fd, PACKET_AUXDATA, one, 'ask for VLAN tags');
  setPacketOption(fd, PACKET_COPY_THRESH, one, 'ask for whole super-frames');
  setPacketOption(fd, PACKET_IGNORE_OUTGOING, one, 'ignore outgoing frames');
  // struct packet_mreq.
  const membership = Buffer.alloc(16);
  membership.writeInt32LE(interfaceIndex, 0);
  membership.writeUInt16LE(PACKET_MR_PROMISC, 4);
  setPacketOption(fd, PACKET_ADD_MEMBERSHIP, membership, 'become promiscuous');
  const calls = systemCalls();
  const size = Int32Array.of(superFrameQueueBytes);
  // FORCE passes the system-wide limit, but wants CAP_NET_ADMIN in the first user namespace; less room is no failure.
  if (calls.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size, 4) !== 0) {
    calls.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, size, 4);
  }
}
