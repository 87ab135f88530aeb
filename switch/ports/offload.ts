// SPDX-License-Identifier: Apache-2.0
/**
 * Switches the offloads of an interface on or off, as `ethtool -K` would, which is often not installed.
 *
 * A host behind a veth leaves TCP checksums and segmentation to a network card that does not exist. Our own switch does
 * that work; BMv2 does not, so the lab switches the offloads of its hosts off.
 */

import { addressOf, SystemError, systemCalls, systemError } from './linux.ts';
import { inNetworkNamespace } from './network-namespace.ts';

/** ETHTOOL_G... and ETHTOOL_S... of linux/ethtool.h. */
const features = {
  'tcp-segmentation': { get: 0x1e, set: 0x1f },
  'generic-segmentation': { get: 0x23, set: 0x24 },
  'generic-receive': { get: 0x2b, set: 0x2c },
  'transmit-checksum': { get: 0x16, set: 0x17 },
  'receive-checksum': { get: 0x14, set: 0x15 },
  'scatter-gather': { get: 0x18, set: 0x19 },
} as const;

export type Feature = keyof typeof features;

const allFeatures = Object.keys(features) as Feature[];
const SIOCETHTOOL = 0x8946;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const interfaceNameBytesMax = 15;

/**
 * Sets every offload that the driver lets us set. What it does not support, or has fixed, stays as it is.
 *
 * @param namespace  a named network namespace; undefined for the one we are in
 * @returns the offloads as they are now
 * @throws SystemError 'not-found', 'not-permitted'
 */
export function setOffloads(
  interfaceName: string,
  isEnabled: boolean,
  namespace?: string,
): Record<Feature, boolean> {
  return withEthtool(interfaceName, namespace, (request) => {
    // Checksums first when switching on, last when switching off, because segmentation depends on them.
    for (const feature of isEnabled ? [...allFeatures].reverse() : allFeatures) {
      request(features[feature].set, isEnabled ? 1 : 0);
    }
    return readAll(request);
  });
}

/** @throws SystemError 'not-found' */
export function getOffloads(interfaceName: string, namespace?: string): Record<Feature, boolean> {
  return withEthtool(interfaceName, namespace, readAll);
}

type Request = (command: number, value: number) => number;

function readAll(request: Request): Record<Feature, boolean> {
  const values = allFeatures.map((feature) => [feature, request(features[feature].get, 0) !== 0]);
  return Object.fromEntries(values) as Record<Feature, boolean>;
}

function withEthtool<Result>(
  interfaceName: string,
  namespace: string | undefined,
  work: (request: Request) => Result,
): Result {
  const name = Buffer.from(interfaceName);
  if (name.length === 0 || name.length > interfaceNameBytesMax) {
    throw new SystemError('not-found', `'${interfaceName}' cannot be the name of an interface`);
  }
  const calls = systemCalls();
  const fd = inNetworkNamespace(namespace, () => calls.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0));
  if (fd < 0) throw systemError('open a socket for interface settings');
  try {
    return work((command, value) => ethtool(fd, name, command, value));
  } finally {
    calls.close(fd);
  }
}

function ethtool(fd: number, interfaceName: Buffer, command: number, value: number): number {
  // struct ethtool_value, then struct ifreq whose data points at it: one buffer, so that both stay where they are.
  const memory = Buffer.alloc(128);
  memory.writeUInt32LE(command, 0);
  memory.writeUInt32LE(value, 4);
  const request = memory.subarray(64, 104);
  interfaceName.copy(request);
  request.writeBigUInt64LE(addressOf(memory), 16);
  if (systemCalls().ioctl(fd, SIOCETHTOOL, request) === 0) return memory.readUInt32LE(4);
  const error = systemError(`change the offloads of '${interfaceName}'`);
  const isUnsupported = error.errno === 'EOPNOTSUPP' || error.errno === 'ENOTSUP' || error.errno === 'EINVAL';
  if (isUnsupported) return 0;
  throw error;
}
