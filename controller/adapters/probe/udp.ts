// SPDX-License-Identifier: Apache-2.0
/** Does it answer a datagram? That nobody listens is known only from the ICMP error of a host that sends one. */
import { createSocket } from 'node:dgram';
import { type Ask, failed, outcomeOfError, passed } from './ask.ts';

export const askUdp: Ask<'udp'> = ({ target, check: { send, expect } }, answer) => {
  const socket = createSocket(target.address.includes(':') ? 'udp6' : 'udp4');
  let isClosed = false;
  socket.on('error', (error) => answer(outcomeOfError(error)));
  socket.on('message', (datagram) => {
    const isRight = expect === undefined || datagram.includes(Buffer.from(expect));
    answer(isRight ? passed : failed('wrong', `answered ${datagram.toString('hex') || 'nothing'}`));
  });
  // Connected, so that it takes datagrams of the backend alone, and hears of ICMP errors.
  socket.once('connect', () => {
    if (!isClosed) socket.send(send, (error) => error && answer(outcomeOfError(error)));
  });
  socket.connect(target.port, target.address);
  return {
    cancel() {
      if (isClosed) return;
      isClosed = true;
      socket.close();
    },
    late: () => ({ reason: 'silent', detail: 'no answer in time' }),
  };
};
