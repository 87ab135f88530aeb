// SPDX-License-Identifier: Apache-2.0
/** Does it answer GET with the right status, and the right words? Each time over a connection of its own, as clients come. */
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { isIP } from 'node:net';
import { type Ask, failed, lateToAnswer, lateToConnect, outcomeOfError, passed } from './ask.ts';

/** The words looked for must be among the first so many bytes of the body. */
export const bodyBytesMax = 65_536;

export const askHttp: Ask<'http'> = ({ target, check }, answer) => {
  const { host = bracketed(target.address), path, tls, verify, statuses, body } = check;
  let isConnected = false;
  const request = (tls ? tlsRequest : plainRequest)({
    host: target.address,
    port: target.port,
    path,
    agent: false,
    setHost: false,
    headers: { host, 'user-agent': 'evenkeel', connection: 'close' },
    ...(tls && { rejectUnauthorized: verify, servername: serverNameOf(host) }),
  });
  request.on('socket', (socket) => socket.once('connect', () => (isConnected = true)));
  request.on('error', (error) => answer(outcomeOfError(error)));
  request.on('response', (response) => {
    response.on('error', (error) => answer(outcomeOfError(error)));
    const status = response.statusCode ?? 0;
    if (!statuses.some(({ least, most }) => status >= least && status <= most))
      answer(failed('wrong', `status ${status}`));
    else if (body === undefined) answer(passed);
    else readFor(response, Buffer.from(body), answer);
  });
  request.end();
  return {
    cancel: () => void request.destroy(),
    late: () => (isConnected ? lateToAnswer : lateToConnect),
  };
};

function readFor(response: IncomingMessage, words: Buffer, answer: Parameters<typeof askHttp>[1]): void {
  let read = Buffer.alloc(0);
  response.on('data', (chunk: Buffer) => {
    read = Buffer.concat([read, chunk]).subarray(0, bodyBytesMax);
    if (read.includes(words)) answer(passed);
    else if (read.length === bodyBytesMax) answer(absent(words));
  });
  response.on('end', () => answer(absent(words)));
}

const absent = (words: Buffer) => failed('wrong', `the body does not say '${words}'`);

/** 'shop.example' of 'shop.example:8443'; addresses are not sent as names (RFC 6066, section 3). */
function serverNameOf(host: string): string {
  const [, ipv6, other] = /^(?:\[(.*)\]|(.*?))(?::\d+)?$/.exec(host) ?? [];
  const name = isIP(host) ? host : (ipv6 ?? other ?? host);
  return isIP(name) ? '' : name;
}

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);
