// SPDX-License-Identifier: Apache-2.0
/** What came with a request, as its operation wants it; or what is wrong with it, where, and what would be right. */
import type { Context } from 'hono';
import { z } from 'zod';
import { refuse } from './answers.ts';
import type { Operation } from './operation.ts';

export interface Input {
  query: unknown;
  body: unknown;
}

export async function checkedInput(operation: Operation, context: Context): Promise<Input | Response> {
  const query = operation.query && check(operation.query, context.req.query(), 'query', context);
  if (query instanceof Response) return query;
  if (operation.body === undefined) return { query, body: undefined };
  const json = await jsonBody(context);
  if (json instanceof Response) return json;
  const body = check(operation.body, json, 'body', context);
  return body instanceof Response ? body : { query, body };
}

/** A web page can send text anywhere, but JSON only where it is allowed to; nobody allows it. */
async function jsonBody(context: Context): Promise<unknown> {
  if (!/^application\/json\b/.test(context.req.header('content-type') ?? ''))
    return refuse(context, {
      code: 'not-json',
      where: 'header.content-type',
      wrong: 'the body is not said to be JSON',
      right: 'content-type: application/json',
    });
  try {
    return await context.req.json();
  } catch {
    return refuse(context, {
      code: 'bad-request',
      where: 'body',
      wrong: 'the body is not JSON',
      right: 'a JSON object',
    });
  }
}

function check(schema: z.ZodType, input: unknown, part: 'query' | 'body', context: Context): unknown {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues as [z.core.$ZodIssue];
  const value = path.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown>)?.[step], input);
  const shown = value === undefined || typeof value === 'object' ? '' : `'${String(value)}': `;
  return refuse(context, {
    code: 'bad-request',
    where: [part, ...path.map(String)].join('.'),
    wrong: value === undefined && path.length > 0 ? 'it is missing' : `${shown}${lower(message)}`,
    right: rightAt(schema, path, input) ?? 'what /openapi.json describes',
  });
}

/** The description of the field in question. */
function rightAt(schema: z.ZodType, path: readonly PropertyKey[], input: unknown): string | undefined {
  const [step] = path;
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const options = schema.options as z.ZodObject[];
    const kindOf = (option: z.ZodObject): unknown => (option.shape.kind as z.ZodLiteral).value;
    const option = options.find((one) => kindOf(one) === (input as { kind?: unknown } | null)?.kind);
    return option === undefined
      ? `a kind: ${options.map(kindOf).join(', ')}`
      : (rightAt(option, path, input) ?? `the fields ${Object.keys(option.shape).join(', ')}`);
  }
  if (!(schema instanceof z.ZodObject) || step === undefined) return schema.description;
  return (schema.shape[String(step)] as z.ZodType | undefined)?.description;
}

const lower = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
