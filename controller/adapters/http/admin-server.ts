// SPDX-License-Identifier: Apache-2.0
/**
 * The admin server: the API (operations.ts; described at /openapi.json), /healthz, /readyz, /metrics, and the dashboard.
 *
 *   request ──> no strange page (access.ts) ──> not too many (limits.ts) ──> allowed, if it changes state ──> checked ──> done
 */
import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { hostname } from 'node:os';
import { serve } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { etag } from 'hono/etag';
import { secureHeaders } from 'hono/secure-headers';
import { formatHostPort, type HostPort } from '../../config/scalar.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Access, machineNamesOf, noStrangePages, onlyAllowed } from './access.ts';
import type { Admin } from './admin.ts';
import { refuse } from './answers.ts';
import { checkedInput } from './checked-input.ts';
import { EventStreams } from './event-stream.ts';
import { adminLimits } from './limits.ts';
import { openApi } from './openapi.ts';
import type { Operation } from './operation.ts';
import { operations } from './operations.ts';
import { type PageFiles, pages } from './pages.ts';
import { isLoopback } from './token.ts';
import { TokenBucket } from './token-bucket.ts';

export interface AdminServer {
  /** http://127.0.0.1:9580 */
  readonly url: string;
  close(): Promise<void>;
}

/** PEM. */
export interface Tls {
  certificate: string;
  key: string;
  /** Whoever shows a certificate of this authority may change state. */
  clientCa: string | undefined;
}

export interface AdminServerOptions {
  listen: HostPort;
  /** Of who may change state. */
  token: string | undefined;
  /** The token was chosen by the operator, and is known where he is: not made up for this machine. */
  isTokenShared: boolean;
  tls: Tls | undefined;
  clock: Pick<Clock, 'now'>;
  metrics: () => Promise<{ type: string; text: string }>;
  pageFiles: PageFiles;
  /** Instead of that of limits.ts. */
  headersMs?: number;
}

/** @throws Error when the address is in use, or not ours; or when anybody there could change state */
export async function startAdminServer(admin: Admin, options: AdminServerOptions): Promise<AdminServer> {
  const { listen, tls, headersMs = adminLimits.headersMs } = options;
  const where = formatHostPort(listen);
  if (!isLoopback(listen.host) && tls === undefined && !options.isTokenShared)
    throw new Error(
      `controller.listen: ${where} can be reached from elsewhere, and knows nobody; ` +
        'expected controller.token_file, EVENKEEL_TOKEN or controller.tls, or an address of loopback such as 127.0.0.1:9580',
    );
  const app = adminApp(admin, options);
  return new Promise((resolve, reject) => {
    const timeouts = {
      headersTimeout: headersMs,
      requestTimeout: adminLimits.requestMs,
      // Node looks at its connections every 30 s, unless it is told otherwise.
      connectionsCheckingInterval: Math.min(headersMs, checkEveryMs),
    };
    const server = serve(
      {
        fetch: app.fetch,
        hostname: listen.host,
        port: listen.port,
        ...(tls === undefined
          ? { createServer, serverOptions: timeouts }
          : {
              createServer: createTlsServer,
              serverOptions: { ...timeouts, handshakeTimeout: headersMs, ...tlsOptions(tls) },
            }),
      },
      ({ port }) => {
        server.off('error', reject);
        resolve({
          url: `${tls ? 'https' : 'http'}://${formatHostPort({ host: listen.host, port })}`,
          close: () =>
            new Promise((closed) => {
              server.close(() => closed());
              if ('closeAllConnections' in server) server.closeAllConnections();
            }),
        });
      },
    );
    if ('maxConnections' in server) server.maxConnections = adminLimits.connections;
    server.once('error', (cause) =>
      reject(new Error(`the admin API cannot listen on ${where}: ${cause.message}`, { cause })),
    );
  });
}

const checkEveryMs = 1_000;

export function adminApp(
  admin: Admin,
  { listen, tls, token, clock, metrics, pageFiles }: Omit<AdminServerOptions, 'isTokenShared'>,
): Hono {
  const certificate = tls && new X509Certificate(tls.certificate);
  const machineNames = machineNamesOf(hostname());
  const access: Access = { host: listen.host, machineNames, certificate, token };
  const now = (): number => clock.now();
  const requests = new TokenBucket(adminLimits.requestsPerSecond, adminLimits.requestsAtOnce, now);
  const changes = new TokenBucket(adminLimits.changesPerSecond, adminLimits.changesAtOnce, now);
  const streams = new EventStreams(admin);
  let description: string | undefined;

  const app = new Hono();
  app.use(secureHeaders(headers));
  app.use(noStrangePages(access));
  app.use(async (context, next) => (requests.take() ? next() : tooMany(context, 'requests')));
  app.use('/api/v1/pools/*', etag());

  for (const operation of operations) {
    const path = operation.path.replaceAll(/\{(\w+)\}/g, ':$1');
    if (operation.body !== undefined) {
      app.post(path, onlyAllowed(access));
      app.post(path, async (context, next) => (changes.take() ? next() : tooMany(context, 'changes')));
      // Only now: it may read the body, and nobody else's is kept in memory.
      app.post(path, limited(operation.bodyBytes ?? adminLimits.bodyBytes));
    }
    const handle = fewAtOnce(operation, (context) => carryOut(operation, context));
    app.on(operation.method.toUpperCase(), path, handle);
  }
  app.get('/healthz', (context) => context.text('alive\n'));
  app.get('/metrics', async (context) => {
    const { type, text } = await metrics();
    return context.body(text, 200, { 'content-type': type });
  });
  app.get('/openapi.json', (context) => {
    description ??= JSON.stringify(openApi(), undefined, 2);
    return context.body(description, 200, { 'content-type': 'application/json' });
  });
  app.route('/', pages(pageFiles));

  app.notFound((context) =>
    refuse(context, {
      code: 'not-found',
      where: 'path',
      wrong: `there is no ${context.req.method} ${context.req.path}`,
      right: 'a path of /openapi.json',
    }),
  );
  app.onError((error, context) =>
    refuse(context, { code: 'internal', wrong: error.message, right: 'no such error; please report it' }),
  );
  return app;

  async function carryOut(operation: Operation, context: Context): Promise<Response> {
    const input = await checkedInput(operation, context);
    if (input instanceof Response) return input;
    return operation.handle({ admin, streams, context, ...(input as { query: never; body: never }) });
  }
}

/** The dashboard runs what the controller gives it, and nothing else; no page may hold it in a frame. */
const headers: Parameters<typeof secureHeaders>[0] = {
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    connectSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
  xFrameOptions: 'DENY',
  // Of what is served over HTTPS only; and the controller does not speak for the whole host.
  strictTransportSecurity: false,
};

function limited(maxSize: number) {
  return bodyLimit({
    maxSize,
    onError: (context) =>
      refuse(context, {
        code: 'too-large',
        where: 'body',
        wrong: 'the body is too large',
        right: `at most ${maxSize} bytes`,
      }),
  });
}

type Handler = (context: Context) => Promise<Response>;

function fewAtOnce({ id, atOnce }: Operation, handle: Handler): Handler {
  if (atOnce === undefined) return handle;
  let underWay = 0;
  return async (context) => {
    if (underWay >= atOnce)
      return refuse(context, {
        code: 'too-many',
        wrong: `${underWay} requests of this kind (${id}) are under way already`,
        right: 'one of them to be answered first',
      });
    underWay++;
    try {
      return await handle(context);
    } finally {
      underWay--;
    }
  };
}

function tooMany(context: Context, what: 'requests' | 'changes'): Response {
  const perSecond = what === 'requests' ? adminLimits.requestsPerSecond : adminLimits.changesPerSecond;
  return refuse(context, {
    code: 'too-many',
    wrong: `too many ${what}`,
    right: `at most ${perSecond} a second in the long run`,
  });
}

/** Who shows no certificate may still ask, or have a token. */
function tlsOptions({ certificate, key, clientCa }: Tls) {
  const clients = clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: false };
  return { cert: certificate, key, minVersion: 'TLSv1.2' as const, ...clients };
}
