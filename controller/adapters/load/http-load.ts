// SPDX-License-Identifier: Apache-2.0
/** Load as each backend tells it itself: JSON over HTTP, with a number somewhere in it. */
import type { LoadQuery } from '../../core/load-query.ts';
import type { LoadReading, LoadSource, LoadTarget } from '../../ports/load-source.ts';
import { fetchJson } from './fetch-json.ts';

/** Asked at a time; the others wait for their turn. */
export const readingsAtOnce = 64;

export class HttpLoad implements LoadSource {
  private readonly query: Extract<LoadQuery, { kind: 'http' }>;

  constructor(query: Extract<LoadQuery, { kind: 'http' }>) {
    this.query = query;
  }

  async read(backends: readonly LoadTarget[], timeoutMs: number): Promise<LoadReading> {
    const loads = new Map<string, number>();
    let problem: string | undefined;
    const waiting = [...backends];
    const signal = AbortSignal.timeout(timeoutMs);
    const worker = async (): Promise<void> => {
      for (let target = waiting.pop(); target !== undefined; target = waiting.pop()) {
        try {
          const value = numberAt(await fetchJson(urlFor(this.query.url, target), signal), this.query.field);
          if (value === undefined) problem = `${target.name}: there is no number at ${this.query.field}`;
          else loads.set(target.name, value);
        } catch (error) {
          problem = `${target.name}: ${(error as Error).message}`;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(readingsAtOnce, waiting.length) }, worker));
    return { loads, problem };
  }
}

function urlFor(url: string, { name, address, port }: LoadTarget): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return url
    .replaceAll('{address}', host)
    .replaceAll('{port}', String(port))
    .replaceAll('{name}', encodeURIComponent(name));
}

/** 'cpus.0.busy' of { cpus: [{ busy: 0.5 }] }; numbers as text count, too. */
export function numberAt(value: unknown, field: string): number | undefined {
  let found: unknown = value;
  for (const step of field.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<string, unknown>)[step];
  }
  const number = typeof found === 'string' && found.trim() !== '' ? Number(found) : found;
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : undefined;
}
