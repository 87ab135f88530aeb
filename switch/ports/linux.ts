// SPDX-License-Identifier: Apache-2.0
/**
 * The few Linux system calls that Node does not offer, through koffi. 64-bit little-endian Linux only.
 *
 * Every call is synchronous and works on the calling thread, which matters to setns(2).
 */

import { endianness } from 'node:os';
import koffi from 'koffi';

export type SystemErrorCode =
  /** Not 64-bit little-endian Linux. */
  | 'unsupported-platform'
  /** A capability is missing. */
  | 'not-permitted'
  /** No such interface, file or namespace. */
  | 'not-found'
  /** Anything else the kernel refused. */
  | 'refused';

/** A system call failed. The message says what was tried, on what, and what would help. */
export class SystemError extends Error {
  readonly code: SystemErrorCode;
  /** The symbolic errno, `EPERM` for one; '' when no system call was involved. */
  readonly errno: string;

  constructor(code: SystemErrorCode, message: string, errno = '') {
    super(message);
    this.name = 'SystemError';
    this.code = code;
    this.errno = errno;
  }
}

/** Memory for a system call: bytes that JavaScript owns, or the address of memory it does not. */
type Memory = ArrayBufferView | bigint | null;

export interface SystemCalls {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Memory, length: number): number;
  setsockopt(fd: number, level: number, option: number, value: Memory, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: Memory, length: Memory): number;
  ioctl(fd: number, request: number, argument: Memory): number;
  mmap(address: null, length: number, protection: number, flags: number, fd: number, offset: number): bigint;
  munmap(address: bigint, length: number): number;
  poll(fds: Memory, count: number, timeoutMs: number): number;
  recvmsg(fd: number, message: Memory, flags: number): number;
  sendmmsg(fd: number, messages: Memory, count: number, flags: number): number;
  sendto(
    fd: number,
    bytes: Memory,
    length: number,
    flags: number,
    address: Memory,
    addressLength: number,
  ): number;
  eventfd(initial: number, flags: number): number;
  read(fd: number, buffer: Memory, length: number): number;
  write(fd: number, buffer: Memory, length: number): number;
  setns(fd: number, kind: number): number;
  close(fd: number): number;
}

let loaded: SystemCalls | undefined;

/** @throws SystemError 'unsupported-platform' */
export function systemCalls(): SystemCalls {
  return (loaded ??= load());
}

function load(): SystemCalls {
  const isSupported =
    process.platform === 'linux' &&
    endianness() === 'LE' &&
    ['x64', 'arm64', 'riscv64'].includes(process.arch);
  if (!isSupported) {
    throw new SystemError(
      'unsupported-platform',
      `packet sockets need 64-bit little-endian Linux, this is ${process.platform} ${process.arch}`,
    );
  }
  // null is the running process: its C library is whichever Node was linked with, glibc or musl.
  const library = koffi.load(null);
  const call = (name: string, result: string, ...parameters: string[]) =>
    library.func(name, result, parameters) as unknown;
  return {
    socket: call('socket', 'int', 'int', 'int', 'int'),
    bind: call('bind', 'int', 'int', 'void *', 'uint'),
    setsockopt: call('setsockopt', 'int', 'int', 'int', 'int', 'void *', 'uint'),
    getsockopt: call('getsockopt', 'int', 'int', 'int', 'int', 'void *', 'void *'),
    ioctl: call('ioctl', 'int', 'int', 'ulong', 'void *'),
    mmap: call('mmap', 'void *', 'void *', 'size_t', 'int', 'int', 'int', 'long'),
    munmap: call('munmap', 'int', 'void *', 'size_t'),
    poll: call('poll', 'int', 'void *', 'ulong', 'int'),
    recvmsg: call('recvmsg', 'long', 'int', 'void *', 'int'),
    sendmmsg: call('sendmmsg', 'int', 'int', 'void *', 'uint', 'int'),
    sendto: call('sendto', 'long', 'int', 'void *', 'size_t', 'int', 'void *', 'uint'),
    eventfd: call('eventfd', 'int', 'uint', 'int'),
    read: call('read', 'long', 'int', 'void *', 'size_t'),
    write: call('write', 'long', 'int', 'void *', 'size_t'),
    setns: call('setns', 'int', 'int', 'int'),
    close: call('close', 'int', 'int'),
  } as SystemCalls;
}

/** Names by number. A full queue asks for one with every call. */
const errnoNames = new Map<number, string>();

/** The symbolic name of the errno that the last call on this thread left behind. */
export function lastErrno(): string {
  const value = koffi.errno();
  if (errnoNames.size === 0) {
    // The first of two names, EAGAIN and not EWOULDBLOCK.
    for (const [name, number] of Object.entries(koffi.os.errno)) {
      if (!errnoNames.has(number)) errnoNames.set(number, name);
    }
  }
  return errnoNames.get(value) ?? `errno ${value}`;
}

/** @returns the error to throw when a call has just failed; `attempt` completes "cannot ..." */
export function systemError(attempt: string): SystemError {
  const errno = lastErrno();
  switch (errno) {
    case 'EPERM':
    case 'EACCES':
      return new SystemError(
        'not-permitted',
        `cannot ${attempt}: not permitted (${errno}). Run as root, or give node CAP_NET_RAW and CAP_NET_ADMIN, ` +
          'or work in a user namespace (unshare -Urn)',
        errno,
      );
    case 'ENODEV':
    case 'ENXIO':
    case 'ENOENT':
      return new SystemError('not-found', `cannot ${attempt}: it does not exist (${errno})`, errno);
    default:
      return new SystemError('refused', `cannot ${attempt}: ${errno}`, errno);
  }
}

/** The address of bytes that JavaScript owns. Keep the bytes reachable for as long as the address is in use. */
export function addressOf(bytes: ArrayBufferView): bigint {
  return koffi.address(bytes) as bigint;
}

/** Memory that JavaScript does not own, as an ArrayBuffer. Touching it after munmap crashes the process. */
export function viewMemory(address: bigint, length: number): ArrayBuffer {
  return koffi.view(address, length) as ArrayBuffer;
}

/** What poll(2) is told about one file descriptor, and what it answers: an array of struct pollfd. */
export class PollSet {
  readonly #records: Int32Array;
  readonly #count: number;

  constructor(fds: readonly number[]) {
    this.#count = fds.length;
    this.#records = new Int32Array(fds.length * 2);
    for (const [index, fd] of fds.entries()) {
      this.#records[index * 2] = fd;
      this.#records[index * 2 + 1] = POLLIN;
    }
  }

  /** @returns how many descriptors have something to say; 0 after `timeoutMs`, or when a signal came in between */
  wait(timeoutMs: number): number {
    const ready = systemCalls().poll(this.#records, this.#count, timeoutMs);
    if (ready >= 0) return ready;
    if (lastErrno() === 'EINTR') return 0;
    throw systemError('wait for packets');
  }

  /** POLLERR, POLLHUP or POLLNVAL: an error is waiting to be read from the descriptor. */
  hasError(index: number): boolean {
    return ((this.#records[index * 2 + 1]! >> 16) & (POLLERR | POLLHUP | POLLNVAL)) !== 0;
  }
}

const POLLIN = 0x1;
const POLLERR = 0x8;
const POLLHUP = 0x10;
const POLLNVAL = 0x20;
