// SPDX-License-Identifier: Apache-2.0
/** Does it accept a connection? */
import { connect } from 'node:net';
import { type Ask, lateToConnect, outcomeOfError, passed } from './ask.ts';

export const askTcp: Ask<'tcp'> = ({ target }, answer) => {
  const socket = connect({ host: target.address, port: target.port });
  socket.on('connect', () => answer(passed));
  socket.on('error', (error) => answer(outcomeOfError(error)));
  return {
    // A reset: a thousand probes a second would leave sixty thousand connections in TIME_WAIT.
    cancel: () => void (socket.connecting ? socket.destroy() : socket.resetAndDestroy()),
    late: () => lateToConnect,
  };
};
