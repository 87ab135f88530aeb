// SPDX-License-Identifier: Apache-2.0
/** One thing that the API can be asked. */
import type { Context } from 'hono';
import type { z } from 'zod';
import type { Admin } from './admin.ts';
import type { EventStreams } from './event-stream.ts';

export interface Call<Query, Body> {
  admin: Admin;
  streams: EventStreams;
  context: Context;
  query: Query;
  body: Body;
}

export interface Operation {
  method: 'get' | 'post';
  /** With {names} of what stands there. */
  path: string;
  id: string;
  summary: string;
  description?: string;
  query?: z.ZodObject;
  /** What has one changes state, or is as confidential as if it did. */
  body?: z.ZodType;
  /** Instead of what bodies may have. */
  bodyBytes?: number;
  /** 429 when so many of them are under way. */
  atOnce?: number;
  answer: z.ZodType;
  /** Statuses other than 200 that are no errors of the request. */
  otherAnswers?: Readonly<Record<number, string>>;
  handle: (call: Call<never, never>) => Response | Promise<Response>;
}

export function operation<Query extends z.ZodObject, Body extends z.ZodType>(
  of: Omit<Operation, 'query' | 'body' | 'handle'> & {
    query?: Query;
    body?: Body;
    handle: (call: Call<z.output<Query>, z.output<Body>>) => Response | Promise<Response>;
  },
): Operation {
  return of as Operation;
}
