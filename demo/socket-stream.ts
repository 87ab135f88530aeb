// SPDX-License-Identifier: Apache-2.0
/** Streams over the kernel's TCP. */

import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { Accept, Dial, Stream, StreamEnd, StreamHandlers } from './stream.ts';

/** Half-open connections too; the kernel takes the smaller of this and net.core.somaxconn. */
const listenBacklog = 16_384;
const localPorts = { first: 10_000, last: 60_999 };

/** Local ports are taken in turn: a connection's port is known before its first packet, and reused late. */
export function dialSocket(host: string, port: number): Dial {
  let nextPort = localPorts.first;
  return (handlers) => {
    const localPort = nextPort;
    nextPort = nextPort === localPorts.last ? localPorts.first : nextPort + 1;
    const socket = createConnection({ host, port, localPort, noDelay: true });
    socket.once('connect', () => handlers.opened());
    return wrap(socket, localPort, handlers);
  };
}

/** Listens on `port` of every address. Resolves when connections are accepted. */
export function listenSocket(port: number, accept: Accept): Promise<Server> {
  const server = createServer({ noDelay: true }, (socket) => {
    // The handlers need the stream and the stream the handlers; the socket is silent until this turn is over.
    let inner: ReturnType<Accept> | undefined;
    const stream = wrap(socket, port, {
      opened() {},
      data: (bytes) => inner?.data(bytes),
      closed: (how) => inner?.closed(how),
    });
    // Neither is known of one that has ended already.
    inner = accept(stream, { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '0.0.0.0', backlog: listenBacklog }, () => resolve(server));
  });
}

function wrap(socket: Socket, localPort: number, handlers: StreamHandlers): Stream {
  let isOver = false;
  const close = (how: StreamEnd) => {
    if (isOver) return;
    isOver = true;
    handlers.closed(how);
  };
  socket.on('data', (bytes) => {
    if (!isOver) handlers.data(bytes);
  });
  socket.on('end', () => close('ended'));
  socket.on('error', (error: NodeJS.ErrnoException) => close(endOf(error.code)));
  socket.on('close', () => close('failed'));
  return {
    localPort,
    write: (bytes) => void socket.write(bytes),
    end: () => void socket.end(),
    destroy() {
      isOver = true;
      socket.destroy();
    },
  };
}

function endOf(code: string | undefined): StreamEnd {
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'reset';
  return 'failed';
}
