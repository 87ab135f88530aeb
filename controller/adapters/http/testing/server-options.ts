// SPDX-License-Identifier: Apache-2.0
/** How tests start an admin server: at a free port of loopback, without metrics and pages. */
import type { AdminServerOptions } from '../admin-server.ts';

export const serverOptions = {
  listen: { host: '127.0.0.1', port: 0 },
  token: 'the-token-of-these-tests',
  isTokenShared: true,
  tls: undefined,
  clock: { now: () => performance.now() },
  metrics: async () => ({ type: 'text/plain', text: '' }),
  pageFiles: new Map(),
} satisfies AdminServerOptions;
