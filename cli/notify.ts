// SPDX-License-Identifier: Apache-2.0
/** Tells systemd that the process is ready (sd_notify(3)), where a unit of Type=notify waits for it. */
import { execFile } from 'node:child_process';

/**
 * Node has no datagram sockets of the local kind, so systemd-notify sends it, which is where systemd is; the unit needs
 * NotifyAccess=all. Where there is no such program nobody waits: resolves all the same.
 */
export function notifyReady(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const { NOTIFY_SOCKET, PATH } = env;
  if (!NOTIFY_SOCKET) return Promise.resolve();
  return new Promise((resolve) => {
    execFile('systemd-notify', ['--ready'], { env: { NOTIFY_SOCKET, PATH }, timeout: 5_000 }, () =>
      resolve(),
    );
  });
}
