// SPDX-License-Identifier: Apache-2.0
/**
 * The direct way out of an interface: an AF_XDP socket that only sends, in copy mode, without any XDP program. It costs
 * the kernel about two thirds of what sendmmsg(2) costs, because a frame is one descriptor and not one message.
 *
 * Frames leave behind the back of traffic control and of packet taps: `PathWatch` says when nobody would miss them.
 *
 * Source: Documentation/networking/af_xdp.rst, include/uapi/linux/if_xdp.h.
 */

import { type FrameQueue, linkHeaderBytes } from './frame-queue.ts';
import { lastErrno, type SystemCalls, systemCalls, viewMemory } from './linux.ts';
import { countDrop, type PortCounters } from './port.ts';

const AF_XDP = 44;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_XDP = 283;
const XDP_MMAP_OFFSETS = 1;
const XDP_TX_RING = 3;
const XDP_UMEM_REG = 4;
const XDP_UMEM_FILL_RING = 5;
const XDP_UMEM_COMPLETION_RING = 6;
const XDP_COPY = 2;
const XDP_PGOFF_TX_RING = 0x8000_0000;
const XDP_UMEM_PGOFF_COMPLETION_RING = 0x1_8000_0000;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const MSG_DONTWAIT = 0x40;
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 1 | 0x8000;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FAILED = 0xffffffffffffffffn;

/** Chunks of the shared memory, entries of both rings: neither ring can ever be fuller than it is long. */
const entryCount = 1024;
/** In aligned mode a chunk is a power of two, and no longer than a page. */
const chunkSizes = [2048, 4096];
/** struct xdp_desc and the u64 of a completion, as 32-bit words. */
const descriptorWord = { address: 0, length: 2, options: 3, count: 4 };
const completionWords = 2;
const socketBufferBytes = 8 * 1024 * 1024;
const ethernetHeaderBytes = 14;

/** One ring as it is mapped: where its counters and entries are, as indexes of 32-bit words. */
interface Ring {
  words: Int32Array;
  producer: number;
  consumer: number;
  entries: number;
}

/**
 * @returns 'not-now' when the interface is down or another such socket has it, ours of a moment ago for one; 'unavailable' when the kernel has no such sockets or does not let us have
 *   one, and for an MTU of more than a page
 */
export function openXdpQueue(
  interfaceIndex: number,
  mtu: number,
  counters: PortCounters,
): XdpQueue | 'not-now' | 'unavailable' {
  const chunkBytes = chunkSizes.find((size) => size >= mtu + linkHeaderBytes);
  if (chunkBytes === undefined) return 'unavailable';
  const calls = systemCalls();
  const fd = calls.socket(AF_XDP, SOCK_RAW_CLOEXEC, 0);
  if (fd < 0) return 'unavailable';
  const mappings = new Mappings(calls);
  const memory = mappings.map(entryCount * chunkBytes, MAP_PRIVATE_ANONYMOUS, -1, 0);
  const rings = memory && configure(calls, mappings, fd, memory.address, chunkBytes);
  const errno = rings === undefined ? 'EINVAL' : bindTo(calls, fd, interfaceIndex);
  if (rings === undefined || errno !== '') {
    calls.close(fd);
    mappings.release();
    return isDown(errno) || errno === 'EBUSY' ? 'not-now' : 'unavailable';
  }
  return new XdpQueue(fd, new Uint8Array(memory!.buffer), chunkBytes, mtu, rings, mappings, counters);
}

export class XdpQueue implements FrameQueue {
  readonly #calls = systemCalls();
  readonly #fd: number;
  readonly #counters: PortCounters;
  readonly #mappings: Mappings;
  readonly #memory: Uint8Array;
  readonly #transmit: Ring;
  readonly #completion: Ring;
  readonly #frameBytesMax: number;
  /** Chunks that nobody uses, as addresses. */
  readonly #free = new Int32Array(entryCount);
  #freeCount = entryCount;
  /** Counters of the rings, which wrap as 32-bit numbers. */
  #produced = 0;
  #sent = 0;
  #completed = 0;
  #isBroken = false;
  #isClosed = false;

  /** Use `openXdpQueue`. */
  constructor(
    fd: number,
    memory: Uint8Array,
    chunkBytes: number,
    mtu: number,
    rings: { transmit: Ring; completion: Ring },
    mappings: Mappings,
    counters: PortCounters,
  ) {
    this.#fd = fd;
    this.#memory = memory;
    this.#transmit = rings.transmit;
    this.#completion = rings.completion;
    this.#mappings = mappings;
    this.#counters = counters;
    this.#frameBytesMax = mtu + ethernetHeaderBytes;
    for (let chunk = 0; chunk < entryCount; chunk += 1) this.#free[chunk] = chunk * chunkBytes;
  }

  /** The interface was down or has gone. Nothing more can be sent; close it. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** What does not fit belongs on the usual way, where the kernel decides about it. */
  fits(length: number): boolean {
    return length >= ethernetHeaderBytes && length <= this.#frameBytesMax;
  }

  push(frame: Uint8Array): boolean {
    if (this.#freeCount === 0 && !this.#makeRoom()) {
      countDrop(this.#counters, this.#isBroken ? 'transmit-down' : 'transmit-queue-full');
      return false;
    }
    this.#freeCount -= 1;
    const address = this.#free[this.#freeCount]!;
    this.#memory.set(frame, address);
    const { words, entries } = this.#transmit;
    const at = entries + (this.#produced & (entryCount - 1)) * descriptorWord.count;
    words[at + descriptorWord.address] = address;
    words[at + descriptorWord.length] = frame.length;
    const wasEmpty = this.isEmpty;
    this.#produced = (this.#produced + 1) | 0;
    return wasEmpty;
  }

  get isEmpty(): boolean {
    return this.#produced === this.#sent;
  }

  flush(): void {
    if (this.isEmpty || this.#isBroken) return;
    const { words, producer, consumer } = this.#transmit;
    Atomics.store(words, producer, this.#produced);
    while (!this.isEmpty) {
      // The kernel takes a batch of 32 per call, and says EAGAIN when there is more.
      const result = this.#calls.sendto(this.#fd, null, 0, MSG_DONTWAIT, null, 0);
      const errno = result < 0 ? lastErrno() : '';
      const isStuck = !this.#countSent(Atomics.load(words, consumer));
      if (isDown(errno)) this.#giveUp();
      // The rest stays where it is until the next flush: whoever sends too much meets a full queue.
      if (isStuck) break;
    }
    this.#reap();
  }

  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    this.#calls.close(this.#fd);
    this.#mappings.release();
  }

  /** @returns whether a chunk is free now */
  #makeRoom(): boolean {
    this.#reap();
    if (this.#freeCount === 0) this.flush();
    return this.#freeCount > 0;
  }

  /** Takes back the chunks of frames that have arrived or were dropped on their way. */
  #reap(): void {
    const { words, producer, consumer, entries } = this.#completion;
    const end = Atomics.load(words, producer);
    if (end === this.#completed) return;
    for (; this.#completed !== end; this.#completed = (this.#completed + 1) | 0) {
      this.#free[this.#freeCount] = words[entries + (this.#completed & (entryCount - 1)) * completionWords]!;
      this.#freeCount += 1;
    }
    Atomics.store(words, consumer, end);
  }

  /** @returns whether the kernel has taken any */
  #countSent(consumed: number): boolean {
    if (consumed === this.#sent) return false;
    const { words, entries } = this.#transmit;
    const counters = this.#counters;
    for (; this.#sent !== consumed; this.#sent = (this.#sent + 1) | 0) {
      const at = entries + (this.#sent & (entryCount - 1)) * descriptorWord.count;
      counters.sentPackets += 1;
      counters.sentBytes += words[at + descriptorWord.length]!;
    }
    return true;
  }

  /** What waits must not come out when the interface is back; but the kernel has it. So this queue has had its time. */
  #giveUp(): void {
    countDrop(this.#counters, 'transmit-down', (this.#produced - this.#sent) | 0);
    this.#sent = this.#produced;
    this.#isBroken = true;
  }
}

function isDown(errno: string): boolean {
  return errno === 'ENETDOWN' || errno === 'ENXIO' || errno === 'ENODEV';
}

function configure(
  calls: SystemCalls,
  mappings: Mappings,
  fd: number,
  memoryAddress: bigint,
  chunkBytes: number,
): { transmit: Ring; completion: Ring } | undefined {
  const set = (option: number, value: ArrayBufferView) =>
    calls.setsockopt(fd, SOL_XDP, option, value, value.byteLength) === 0;
  // struct xdp_umem_reg: address, length, chunk size and headroom, flags.
  const region = BigUint64Array.of(memoryAddress, BigInt(entryCount * chunkBytes), BigInt(chunkBytes), 0n);
  const size = Uint32Array.of(entryCount);
  const isSet =
    set(XDP_UMEM_REG, region) &&
    // Never filled, because we never receive; but without it there is no binding.
    set(XDP_UMEM_FILL_RING, size) &&
    set(XDP_UMEM_COMPLETION_RING, size) &&
    set(XDP_TX_RING, size);
  if (!isSet) return undefined;
  // Best effort: without the capability the default holds some 200 frames.
  calls.setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, Int32Array.of(socketBufferBytes), 4);
  // struct xdp_mmap_offsets: producer, consumer, entries and flags of rx, tx, fill and completion.
  const offsets = new BigUint64Array(16);
  if (calls.getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, offsets, Uint32Array.of(128)) !== 0) return undefined;
  const ringAt = (first: number, entryWords: number, page: number): Ring | undefined => {
    const [producer, consumer, entries] = [0, 1, 2].map((index) => Number(offsets[first + index]) / 4);
    const bytes = entries! * 4 + entryCount * entryWords * 4;
    const mapping = mappings.map(bytes, MAP_SHARED_POPULATE, fd, page);
    if (mapping === undefined) return undefined;
    return {
      words: new Int32Array(mapping.buffer),
      producer: producer!,
      consumer: consumer!,
      entries: entries!,
    };
  };
  const transmit = ringAt(4, descriptorWord.count, XDP_PGOFF_TX_RING);
  const completion = ringAt(12, completionWords, XDP_UMEM_PGOFF_COMPLETION_RING);
  return transmit && completion && { transmit, completion };
}

/** @returns '' or the name of the error */
function bindTo(calls: SystemCalls, fd: number, interfaceIndex: number): string {
  // struct sockaddr_xdp: family, flags, interface, queue, shared socket.
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_XDP, 0);
  address.writeUInt16LE(XDP_COPY, 2);
  address.writeInt32LE(interfaceIndex, 4);
  return calls.bind(fd, address, address.length) === 0 ? '' : lastErrno();
}

/** Memory to be given back together. */
class Mappings {
  readonly #calls: SystemCalls;
  readonly #mapped: { address: bigint; length: number }[] = [];

  constructor(calls: SystemCalls) {
    this.#calls = calls;
  }

  map(
    length: number,
    flags: number,
    fd: number,
    offset: number,
  ): { address: bigint; buffer: ArrayBuffer } | undefined {
    const address = BigInt.asUintN(64, this.#calls.mmap(null, length, PROT_READ_WRITE, flags, fd, offset));
    if (address === MAP_FAILED) return undefined;
    this.#mapped.push({ address, length });
    return { address, buffer: viewMemory(address, length) };
  }

  release(): void {
    for (const { address, length } of this.#mapped) this.#calls.munmap(address, length);
    this.#mapped.length = 0;
  }
}
