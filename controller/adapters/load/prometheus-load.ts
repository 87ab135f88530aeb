// SPDX-License-Identifier: Apache-2.0
/**
 * Load as a Prometheus knows it: one instant query for all backends.
 *
 * Source: Prometheus' HTTP API, GET /api/v1/query; a vector is [{ metric: { label: value }, value: [time, "number"] }].
 */

import { z } from 'zod';
import type { LoadQuery } from '../../core/load-query.ts';
import type { LoadReading, LoadSource, LoadTarget } from '../../ports/load-source.ts';
import { fetchJson } from './fetch-json.ts';

const answerSchema = z.object({
  status: z.literal('success'),
  data: z.object({
    resultType: z.literal('vector'),
    result: z.array(
      z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) }),
    ),
  }),
});

export class PrometheusLoad implements LoadSource {
  private readonly query: Extract<LoadQuery, { kind: 'prometheus' }>;

  constructor(query: Extract<LoadQuery, { kind: 'prometheus' }>) {
    this.query = query;
  }

  async read(backends: readonly LoadTarget[], timeoutMs: number): Promise<LoadReading> {
    const { url, query, label } = this.query;
    const loads = new Map<string, number>();
    const address = new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`);
    address.searchParams.set('query', query);
    let answer: z.output<typeof answerSchema>;
    try {
      const parsed = answerSchema.safeParse(await fetchJson(address.href, AbortSignal.timeout(timeoutMs)));
      if (!parsed.success) return { loads, problem: 'the answer to the query is not a vector' };
      answer = parsed.data;
    } catch (error) {
      return { loads, problem: (error as Error).message };
    }
    const values = new Map<string, number>();
    let ambiguous: string | undefined;
    for (const { metric, value } of answer.data.result) {
      const key = metric[label] ?? '';
      // Which of them is meant nobody knows.
      if (values.has(key)) ambiguous ??= key;
      values.set(key, values.has(key) ? Number.NaN : Number(value[1]));
    }
    const ofHosts = byHost(values);
    for (const { name, address: host, port } of backends) {
      const found = [name, `${host}:${port}`, `[${host}]:${port}`, host].map((key) => values.get(key));
      const load = found.find((value) => value !== undefined) ?? ofHosts.get(host);
      if (load !== undefined && Number.isFinite(load) && load >= 0) loads.set(name, load);
    }
    const missing = backends.find(({ name }) => !loads.has(name));
    if (missing === undefined) return { loads, problem: undefined };
    const several = ambiguous === undefined ? '' : `, and several for '${ambiguous}'`;
    return { loads, problem: `no value of ${missing.name} among ${values.size} by ${label}${several}` };
  }
}

/** What is told under another port of a host, as an exporter beside the service does; NaN where several ports tell something. */
function byHost(values: ReadonlyMap<string, number>): Map<string, number> {
  const ofHosts = new Map<string, number>();
  for (const [key, value] of values) {
    const [, bracketed, plain] = /^(?:\[(.+)\]|([^:]+)):\d+$/.exec(key) ?? [];
    const host = bracketed ?? plain;
    if (host !== undefined) ofHosts.set(host, ofHosts.has(host) ? Number.NaN : value);
  }
  return ofHosts;
}
