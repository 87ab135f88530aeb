// SPDX-License-Identifier: Apache-2.0
/** AF_PACKET sockets on one interface: opening, options, binding. See packet(7). */

import { SystemError, systemCalls, systemError } from './linux.ts';

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0o2000000 | 0o4000;
const SOL_PACKET = 263;
const SIOCGIFINDEX = 0x8933;
const SIOCGIFMTU = 0x8921;
const interfaceNameBytesMax = 15;

/** What `bindPacketSocket` is asked for: everything, or nothing because the socket only sends. */
export const packetProtocol = { all: 0x0003, none: 0 } as const;

export interface PacketLink {
  fd: number;
  interfaceIndex: number;
  mtu: number;
}

/**
 * Opens a socket that receives nothing until it is bound.
 *
 * @throws SystemError 'not-permitted', 'not-found'
 */
export function openPacketSocket(interfaceName: string): PacketLink {
  const name = Buffer.from(interfaceName);
  if (name.length === 0 || name.length > interfaceNameBytesMax) {
    const message = `'${interfaceName}' cannot be the name of an interface: 1 to ${interfaceNameBytesMax} bytes`;
    throw new SystemError('not-found', message);
  }
  const calls = systemCalls();
  const fd = calls.socket(AF_PACKET, SOCK_RAW_CLOEXEC_NONBLOCK, 0);
  if (fd < 0) throw systemError(`open a packet socket for '${interfaceName}'`);
  // struct ifreq: the name, and the answer behind it.
  const ask = (request: number) => {
    const answer = Buffer.alloc(64);
    name.copy(answer);
    if (calls.ioctl(fd, request, answer) !== 0) throw systemError(`find interface '${interfaceName}'`);
    return answer.readInt32LE(16);
  };
  try {
    return { fd, interfaceIndex: ask(SIOCGIFINDEX), mtu: ask(SIOCGIFMTU) };
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}

/** @throws SystemError */
export function bindPacketSocket({ fd, interfaceIndex }: PacketLink, protocol: number): void {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(protocol, 2);
  address.writeInt32LE(interfaceIndex, 4);
  if (systemCalls().bind(fd, address, address.length) !== 0) {
    throw systemError(`bind a packet socket to interface ${interfaceIndex}`);
  }
}

/** @param what  completes "cannot ..." */
export function setPacketOption(fd: number, option: number, value: ArrayBufferView, what: string): void {
  if (systemCalls().setsockopt(fd, SOL_PACKET, option, value, value.byteLength) !== 0)
    throw systemError(what);
}

/** @returns false when the kernel does not answer; `value` is then as it was */
export function readPacketOption(fd: number, option: number, value: ArrayBufferView): boolean {
  return systemCalls().getsockopt(fd, SOL_PACKET, option, value, Uint32Array.of(value.byteLength)) === 0;
}
