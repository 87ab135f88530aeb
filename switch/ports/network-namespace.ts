// SPDX-License-Identifier: Apache-2.0
/** Runs a piece of synchronous work inside a named Linux network namespace, without another process. */

import { closeSync, openSync } from 'node:fs';
import { SystemError, systemCalls, systemError } from './linux.ts';

const CLONE_NEWNET = 0x40000000;

/**
 * Moves this thread into the namespace, does the work, and moves it back. Sockets made by the work stay in the namespace
 * for life, and so do processes spawned by it; other threads notice nothing.
 *
 * @param name  as in `ip netns list`; undefined does the work where we are
 * @param work  must be synchronous: whatever it leaves for later would run in the wrong namespace
 * @throws SystemError 'not-found' when there is no such namespace, 'not-permitted' without CAP_SYS_ADMIN
 */
export function inNetworkNamespace<Result>(name: string | undefined, work: () => Result): Result {
  if (name === undefined) return work();
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const target = openNamespace(name);
    try {
      enter(target, `enter network namespace '${name}'`);
    } finally {
      closeSync(target);
    }
    try {
      return work();
    } finally {
      enter(home, 'return to the network namespace we came from');
    }
  } finally {
    closeSync(home);
  }
}

function openNamespace(name: string): number {
  const path = `/var/run/netns/${name}`;
  try {
    return openSync(path, 'r');
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code ?? '';
    const code = errno === 'ENOENT' ? 'not-found' : 'refused';
    throw new SystemError(code, `cannot enter network namespace '${name}': ${path}: ${errno}`, errno);
  }
}

function enter(fd: number, attempt: string): void {
  if (systemCalls().setns(fd, CLONE_NEWNET) !== 0) throw systemError(attempt);
}
