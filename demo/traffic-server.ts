// SPDX-License-Identifier: Apache-2.0
/**
 * One server host's process: `traffic-server.js NAME=PORT...`, one service a port. Lines on stdin command, JSON lines on
 * stdout report (host-process.ts has both).
 */

import { reportToParent, takeCommands } from './host-process.ts';
import { createService } from './service.ts';
import { listenSocket } from './socket-stream.ts';

const services = new Map(
  await Promise.all(
    process.argv.slice(2).map(async (argument) => {
      const [name, port] = argument.split('=') as [string, string];
      const service = createService(name, (peer) => {
        reportToParent({ kind: 'accepted', accepted: { server: name, peer, at: Date.now() } });
      });
      await listenSocket(Number(port), service.accept);
      return [name, service] as const;
    }),
  ),
);

takeCommands((command) => {
  if (command.kind === 'goodbye') services.get(command.server)?.sayGoodbye();
  if (command.kind === 'stop') process.exit(0);
});
reportToParent({ kind: 'ready' });
