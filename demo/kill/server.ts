// SPDX-License-Identifier: Apache-2.0
/** A server that answers each line with it and the server's name, and HTTP at /healthz: `server.js NAME PORT HEALTH_PORT`. */
import { createServer } from 'node:http';
import { reportToParent, takeCommands } from '../host-process.ts';
import { LineReader } from '../load/message.ts';
import { listenSocket } from '../socket-stream.ts';
import type { ServerReport } from './message.ts';

const [name, port, healthPort] = process.argv.slice(2) as [string, string, string];
await listenSocket(Number(port), (stream) => {
  const reader = new LineReader();
  return {
    data(bytes) {
      for (const line of reader.read(bytes)) stream.write(Buffer.from(`${line} ${name}\n`));
    },
    closed: () => stream.end(),
  };
});
createServer((_request, response) => response.end('well')).listen(Number(healthPort), '0.0.0.0', () =>
  reportToParent<ServerReport>({ kind: 'ready' }),
);
takeCommands<never>(() => {});
