// SPDX-License-Identifier: Apache-2.0
/**
 * Who may ask, and who may change.
 *
 * Anybody who reaches the address may ask. Changes take a token, or a client certificate. A browser is a way in for pages of
 * elsewhere, and it brings its client certificate along unasked; so what such a page sends is known by what the browser
 * says of it (Origin, Sec-Fetch-Site) and by the name it believes to talk to (Host), and refused.
 */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { Context, MiddlewareHandler } from 'hono';
import { refuse } from './answers.ts';
import { isSameToken } from './token.ts';

/** What serves us: absent where a test calls the app itself. */
export interface Connection {
  incoming?: { socket: Partial<Pick<TLSSocket, 'authorized' | 'encrypted'>> };
}

export interface Access {
  /** Name or address it listens on. */
  host: string;
  /** Of the machine, in lower case: a scraper asks for these. They are nobody else's to bend. */
  machineNames: readonly string[];
  /** Whose names are ours, too. */
  certificate: X509Certificate | undefined;
  token: string | undefined;
}

/** Refuses what a web page of elsewhere has made a browser ask. */
export function noStrangePages(access: Access): MiddlewareHandler {
  return async (context, next) => {
    const host = context.req.header('host') ?? access.host;
    const origin = context.req.header('origin');
    const site = context.req.header('sec-fetch-site');
    const isOurs =
      origin === undefined || origin === `${isEncrypted(context) ? 'https' : 'http'}://${host.toLowerCase()}`;
    // A link to the dashboard may stand anywhere: what is navigated to is not read by the page that has the link.
    const isAsked =
      site === undefined ||
      site === 'same-origin' ||
      site === 'none' ||
      (context.req.header('sec-fetch-mode') === 'navigate' && context.req.method === 'GET');
    if (isOurs && isAsked && isOurName(hostOf(host.toLowerCase()), access)) return next();
    return refuse(context, {
      code: 'forbidden',
      where: !isOurs ? 'header.origin' : isAsked ? 'header.host' : 'header.sec-fetch-site',
      wrong: 'this request comes from a web page of elsewhere',
      right: 'the dashboard, evenkeel, curl or a script, by an address or a name of the controller',
    });
  };
}

/** Refuses changes by those who do not show that they may make them. */
export function onlyAllowed({ token }: Access): MiddlewareHandler {
  return async (context, next) => {
    const [, given] = /^Bearer +(\S+)$/i.exec(context.req.header('authorization') ?? '') ?? [];
    if (given !== undefined && token !== undefined && isSameToken(given, token)) return next();
    if ((context.env as Connection | undefined)?.incoming?.socket.authorized === true) return next();
    return refuse(context, {
      code: 'unauthorized',
      where: 'header.authorization',
      wrong: given === undefined ? 'a change needs a token' : 'this is not the token of this controller',
      right:
        "'Authorization: Bearer TOKEN'; evenkeel takes it from --token, EVENKEEL_TOKEN, " +
        "or from the controller itself when it runs as the controller's user on its machine",
    });
  };
}

function isEncrypted(context: Context): boolean {
  return (context.env as Connection | undefined)?.incoming?.socket.encrypted === true;
}

/** A name that leads to our address need not be ours: it may have been bent to it. */
function isOurName(name: string, { host, machineNames, certificate }: Access): boolean {
  const isAddress = /^[\d.]+$|:/.test(name);
  const isKnown = name === host.toLowerCase() || name === 'localhost' || machineNames.includes(name);
  return isAddress || isKnown || certificate?.checkHost(name) !== undefined;
}

/** 'lb1.example.com' and 'lb1'. */
export function machineNamesOf(hostname: string): string[] {
  const name = hostname.toLowerCase();
  return [...new Set([name, name.split('.')[0]!])];
}

const hostOf = (header: string): string => header.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
