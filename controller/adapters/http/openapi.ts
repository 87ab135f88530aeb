// SPDX-License-Identifier: Apache-2.0
/** The description of the API (OpenAPI 3.1), made of the table that its routes are made of. */
import { z } from 'zod';
import type { Operation } from './operation.ts';
import { operations } from './operations.ts';
import { errorSchema } from './schemas.ts';

type Json = Record<string, unknown>;

/** Takes a moment, and is the same every time. */
export function openApi(): Json {
  const components: Record<string, Json> = {};
  /** As JSON schema; what has a name of its own is told once, among the components. */
  const schemaOf = (schema: z.ZodType): Json => {
    const {
      $defs = {},
      $schema: _,
      ...json
    } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Json & {
      $defs?: Record<string, Json>;
    };
    for (const [name, part] of Object.entries($defs)) components[name] = relocated(withoutId(part));
    const { id } = schema.meta() ?? {};
    if (id === undefined) return relocated(json);
    components[id] = relocated(withoutId(json));
    return { $ref: `#/components/schemas/${id}` };
  };
  const error = { description: 'What is wrong, and what would be right.', content: content(errorSchema) };

  function content(schema: z.ZodType): Json {
    return { 'application/json': { schema: schemaOf(schema) } };
  }

  function describe({ id, summary, description, query, path, body, answer, otherAnswers = {} }: Operation) {
    return {
      operationId: id,
      summary,
      ...(description !== undefined && { description }),
      parameters: [...pathParameters(path), ...queryParameters(query, schemaOf)],
      ...(body !== undefined && {
        requestBody: { required: true, content: content(body) },
        security: [{ token: [] }, { clientCertificate: [] }],
      }),
      responses: {
        200: { description: 'It is so.', content: content(answer) },
        ...Object.fromEntries(
          Object.entries(otherAnswers).map(([status, of]) => [
            status,
            { description: of, ...(status >= '400' && { content: content(answer) }) },
          ]),
        ),
        default: error,
      },
    };
  }

  const paths: Record<string, Json> = {};
  for (const operation of operations)
    paths[operation.path] = { ...paths[operation.path], [operation.method]: describe(operation) };
  return {
    openapi: '3.1.0',
    info: {
      title: 'evenkeel',
      version: '1',
      description:
        'The controller of a nearly stateless load balancer. Questions are free; changes take a token or a client certificate.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths: { ...paths, ...plainPaths },
    components: {
      schemas: components,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        clientCertificate: { type: 'mutualTLS' },
      },
    },
  };
}

const plainPaths = {
  '/healthz': { get: plain('alive', 'Whether the controller answers at all') },
  '/metrics': { get: plain('metrics', 'Its numbers, in the text format of Prometheus') },
};

function plain(operationId: string, summary: string): Json {
  return {
    operationId,
    summary,
    responses: {
      200: { description: 'It is so.', content: { 'text/plain': { schema: { type: 'string' } } } },
    },
  };
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(query: z.ZodObject | undefined, schemaOf: (schema: z.ZodType) => Json): Json[] {
  return Object.entries(query?.shape ?? {}).map(([name, field]) => {
    const { description, ...schema } = schemaOf(field as z.ZodType);
    const required = !(field as z.ZodType).safeParse(undefined).success;
    return { name, in: 'query', required, description, schema };
  });
}

const withoutId = ({ id: _, ...rest }: Json): Json => rest;

/** References point into the components. */
function relocated(json: Json): Json {
  return JSON.parse(JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json;
}
