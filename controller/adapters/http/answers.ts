// SPDX-License-Identifier: Apache-2.0
/** What the admin API answers when it does not do what it was asked. */
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Failure } from './admin.ts';

const statuses = {
  'bad-request': 400,
  'not-json': 415,
  'too-large': 413,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  'too-many': 429,
  internal: 500,
  'no-such-vip': 404,
  'no-such-backend': 404,
  exists: 409,
  changed: 409,
  invalid: 422,
  unreadable: 500,
  unwritable: 500,
  busy: 503,
} as const satisfies Record<AdminErrorCode, ContentfulStatusCode>;

export type AdminErrorCode =
  | 'bad-request'
  | 'not-json'
  | 'too-large'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'too-many'
  | 'internal'
  | Failure['code'];

/** The body of every answer of the API that is not 2xx or 304. */
export interface AdminError {
  error: Omit<Failure, 'code'> & {
    code: AdminErrorCode;
    /** The part of the request that is wrong: 'query.after', 'body.weight', 'header.authorization'. */
    where?: string | undefined;
  };
}

export interface Refusal {
  code: AdminErrorCode;
  where?: string;
  /** A sentence without its full stop; and what would be right, to follow 'expected'. */
  wrong: string;
  right: string;
}

export function refuse(context: Context, { code, where, wrong, right }: Refusal): Response {
  if (code === 'unauthorized') context.header('www-authenticate', 'Bearer realm="evenkeel"');
  if (code === 'too-many') context.header('retry-after', '1');
  const error = { code, ...(where !== undefined && { where }), wrong, right, problems: [] };
  return context.json({ error } satisfies AdminError, statuses[code]);
}

export function answerChange(context: Context, result: object | { failure: Failure }): Response {
  if (!('failure' in result)) return context.json(result);
  return context.json({ error: result.failure } satisfies AdminError, statuses[result.failure.code]);
}
