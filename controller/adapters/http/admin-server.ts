// SPDX-License-Identifier: Apache-2.0
/**
 * The admin API.
 *
 *   GET  /status                                      everything the controller knows about itself
 *   GET  /explain?source=A:P&target=A:P&protocol=tcp  where a flow goes, and why
 *   GET  /events?after=N                              the last lines of the log
 *   POST /edit    { kind, vip, backend, ... }         changes the configuration file
 *   POST /reload  {}                                  reads it again
 *
 * It knows no passwords, so it listens on loopback; and it answers no web page of elsewhere that uses the operator's
 * browser as a way in.
 */
import { serve } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import type { Edit } from '../../config/edit.ts';
import { formatHostPort, type HostPort, parseEndpoint } from '../../config/scalar.ts';
import type { Admin, ChangeResult, Failure } from './admin.ts';

export type AdminErrorCode =
  | 'bad-request'
  | 'forbidden'
  | 'not-found'
  | 'not-json'
  | 'too-large'
  | 'internal'
  | Failure['code'];

/** The body of every answer that is not 200. */
export interface AdminError {
  error: Omit<Failure, 'code'> & { code: AdminErrorCode };
}

export interface AdminServer {
  /** http://127.0.0.1:9580 */
  readonly url: string;
  close(): Promise<void>;
}

const bodyBytes = 64 * 1024;

const target = { vip: z.string().min(1), backend: z.string().min(1) };
const weight = z.int().min(0).max(65_535);
const editSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('add'),
    ...target,
    address: z.string(),
    port: z.int().min(1).max(65_535),
    weight: weight.optional(),
    serverId: z.string().max(16).optional(),
  }),
  z.strictObject({ kind: z.literal('remove'), ...target }),
  z.strictObject({ kind: z.literal('weight'), ...target, weight }),
  z.strictObject({ kind: z.literal('state'), ...target, state: z.enum(['active', 'draining', 'down']) }),
]) satisfies z.ZodType<Edit>;

const statuses = {
  'no-such-vip': 404,
  'no-such-backend': 404,
  exists: 409,
  changed: 409,
  invalid: 422,
  unreadable: 500,
  unwritable: 500,
  busy: 503,
} as const satisfies Record<Failure['code'], number>;

/** @throws Error when the address is in use, or not ours */
export async function startAdminServer(admin: Admin, listen: HostPort): Promise<AdminServer> {
  const app = adminApp(admin, listen.host);
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: listen.host, port: listen.port }, ({ port }) => {
      server.off('error', reject);
      resolve({
        url: `http://${formatHostPort({ host: listen.host, port })}`,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            if ('closeAllConnections' in server) server.closeAllConnections();
          }),
      });
    });
    server.once('error', (cause) => {
      const where = formatHostPort(listen);
      reject(new Error(`the admin API cannot listen on ${where}: ${cause.message}`, { cause }));
    });
  });
}

/** @param host  the name or address it listens on; requests for another host's name are refused */
export function adminApp(admin: Admin, host: string): Hono {
  const app = new Hono();

  app.use(async (context, next) => {
    const asked = hostOf(context.req.header('host') ?? host);
    const isName = !/^[\d.]+$|:/.test(asked);
    if (context.req.header('origin') !== undefined || (isName && asked !== host && asked !== 'localhost'))
      return refuse(
        context,
        403,
        'forbidden',
        'this request comes from a web page',
        'evenkeel, curl or a script',
      );
    await next();
    return undefined;
  });
  app.use(
    bodyLimit({
      maxSize: bodyBytes,
      onError: (context) =>
        refuse(context, 413, 'too-large', 'the body is too large', `at most ${bodyBytes} bytes`),
    }),
  );

  app.get('/status', (context) => context.json(admin.status()));

  app.get('/events', (context) => {
    const after = Number(context.req.query('after') ?? 0);
    if (!Number.isSafeInteger(after))
      return refuse(
        context,
        400,
        'bad-request',
        `after: '${context.req.query('after')}'`,
        'the number of a line',
      );
    return context.json(admin.events(after));
  });

  app.get('/explain', (context) => {
    const { protocol = 'tcp' } = context.req.query();
    if (protocol !== 'tcp' && protocol !== 'udp')
      return refuse(context, 400, 'bad-request', `protocol: '${protocol}' is not known here`, 'tcp or udp');
    const source = parseEndpoint(context.req.query('source') ?? '');
    if (!('value' in source))
      return refuse(context, 400, 'bad-request', `source: ${source.wrong}`, source.right);
    const flowTarget = parseEndpoint(context.req.query('target') ?? '');
    if (!('value' in flowTarget))
      return refuse(context, 400, 'bad-request', `target: ${flowTarget.wrong}`, flowTarget.right);
    return context.json(
      admin.explain({
        sourceAddress: source.value.address,
        sourcePort: source.value.port,
        vipAddress: flowTarget.value.address,
        vipPort: flowTarget.value.port,
        protocol,
      }),
    );
  });

  app.post('/edit', async (context) => {
    const body = await jsonBody(context);
    if (body instanceof Response) return body;
    const edit = editSchema.safeParse(body);
    if (!edit.success) {
      const [issue] = edit.error.issues;
      const wrong = `${issue!.path.join('.') || 'the body'}: ${issue!.message}`;
      return refuse(
        context,
        400,
        'bad-request',
        wrong,
        '{ kind: add | remove | weight | state, vip, backend, ... }',
      );
    }
    return answer(context, await admin.edit(edit.data));
  });

  app.post('/reload', async (context) => {
    const body = await jsonBody(context);
    return body instanceof Response ? body : answer(context, await admin.reload());
  });

  app.notFound((context) =>
    refuse(
      context,
      404,
      'not-found',
      `there is no ${context.req.method} ${context.req.path}`,
      'GET /status, /explain, /events; POST /edit, /reload',
    ),
  );
  app.onError((error, context) =>
    refuse(context, 500, 'internal', error.message, 'no such error; please report it'),
  );
  return app;
}

/** A web page can send text anywhere, but JSON only where it is allowed to; nobody allows it. */
async function jsonBody(context: Context): Promise<unknown> {
  if (!/^application\/json\b/.test(context.req.header('content-type') ?? ''))
    return refuse(
      context,
      415,
      'not-json',
      'the body is not said to be JSON',
      'content-type: application/json',
    );
  try {
    return await context.req.json();
  } catch {
    return refuse(context, 400, 'not-json', 'the body is not JSON', 'a JSON object');
  }
}

function answer(context: Context, result: ChangeResult): Response {
  if (!('failure' in result)) return context.json(result);
  return context.json({ error: result.failure } satisfies AdminError, statuses[result.failure.code]);
}

function refuse(
  context: Context,
  status: 400 | 403 | 404 | 413 | 415 | 500,
  code: AdminErrorCode,
  wrong: string,
  right: string,
): Response {
  return context.json({ error: { code, wrong, right, problems: [] } } satisfies AdminError, status);
}

const hostOf = (header: string): string => header.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
