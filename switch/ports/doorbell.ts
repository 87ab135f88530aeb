// SPDX-License-Identifier: Apache-2.0
/**
 * Wakes a thread that is blocked in poll(2): an eventfd.
 *
 * File descriptors belong to the process, so the number alone can be handed to a worker:
 * `workerData: { doorbell: doorbell.fd }`, and there `openDoorbell(workerData.doorbell)`.
 */

import { lastErrno, systemCalls, systemError } from './linux.ts';

export interface Doorbell {
  readonly fd: number;
  /** Makes the descriptor readable. Never blocks; ringing twice before a clear is ringing once. */
  ring(): void;
  /** @returns whether it has been rung since the last clear */
  clear(): boolean;
  /** Only the thread that created it closes it, after the others are done. */
  close(): void;
}

const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;

/** @throws SystemError */
export function createDoorbell(): Doorbell {
  const fd = systemCalls().eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw systemError('create an eventfd');
  return openDoorbell(fd);
}

/** The same doorbell, in another thread. */
export function openDoorbell(fd: number): Doorbell {
  const calls = systemCalls();
  const value = new BigUint64Array(1);
  return {
    fd,
    ring() {
      value[0] = 1n;
      // EAGAIN: the counter is at its end, so the bell has been ringing all along.
      if (calls.write(fd, value, 8) !== 8 && lastErrno() !== 'EAGAIN') throw systemError('ring a doorbell');
    },
    clear() {
      return calls.read(fd, value, 8) === 8;
    },
    close() {
      calls.close(fd);
    },
  };
}
