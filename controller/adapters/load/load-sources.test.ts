// SPDX-License-Identifier: Apache-2.0
/** Loads read over HTTP from servers of this process. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { HttpLoad, numberAt } from './http-load.ts';
import { PrometheusLoad } from './prometheus-load.ts';

/** Whoever answers does so long before. */
const patienceMs = 30_000;

async function serve(listener: RequestListener, address = '127.0.0.1'): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const targets = (port: number) => ['a', 'b'].map((name) => ({ name, address: '127.0.0.1', port, weight: 1 }));

describe('load that backends tell', () => {
  const url = 'http://{address}:{port}/status/{name}';

  it('is the number at its field', async () => {
    const port = await serve(({ url: path }, response) =>
      response.end(JSON.stringify({ load: { cpu: path === '/status/a' ? 0.5 : '0.75' } })),
    );
    const reading = await new HttpLoad({ kind: 'http', url, field: 'load.cpu' }).read(
      targets(port),
      patienceMs,
    );
    expect(reading).toEqual({
      loads: new Map([
        ['b', 0.75],
        ['a', 0.5],
      ]),
      problem: undefined,
    });
  });

  it('comes from IPv6 addresses, too', async () => {
    const port = await serve((_request, response) => response.end('{"load":0.5}'), '::1');
    const target = { name: 'a', address: '::1', port, weight: 1 };
    const reading = await new HttpLoad({ kind: 'http', url, field: 'load' }).read([target], patienceMs);
    expect(reading).toEqual({ loads: new Map([['a', 0.5]]), problem: undefined });
  });

  it.each([
    ['another status', 500, '{}', 'status 500'],
    ['no JSON', 200, 'well', 'the answer is not JSON'],
    ['no number', 200, '{"load":"high"}', 'there is no number at load'],
  ])('is not known with %s', async (_words, status, body, problem) => {
    const port = await serve((_request, response) => {
      response.statusCode = status;
      response.end(body);
    });
    const reading = await new HttpLoad({ kind: 'http', url, field: 'load' }).read(targets(port), patienceMs);
    expect(reading.loads.size).toBe(0);
    expect(reading.problem).toContain(problem);
  });

  it.each<[string, RequestListener]>([
    ['is no answer', () => {}],
    ['is only half of one', (_request, response) => response.write('{"load":')],
  ])('is not waited for without end where there %s', async (_words, listener) => {
    const port = await serve(listener);
    const reading = await new HttpLoad({ kind: 'http', url, field: 'load' }).read(targets(port), 100);
    expect(reading.problem).toMatch(/^[ab]: no answer in time$/);
  });

  it.each([
    ['cpus.1.busy', { cpus: [{ busy: 1 }, { busy: 2 }] }, 2],
    ['load', { load: -1 }, undefined],
    ['load', { load: '' }, undefined],
    ['load', null, undefined],
    ['toString', {}, undefined],
  ])('%s of %j is %s', (field, value, expected) => {
    expect(numberAt(value, field)).toBe(expected);
  });
});

describe('load that a Prometheus knows', () => {
  const vector = (result: object[]) =>
    JSON.stringify({ status: 'success', data: { resultType: 'vector', result } });
  const source = (port: number) =>
    new PrometheusLoad({
      kind: 'prometheus',
      url: `http://127.0.0.1:${port}`,
      query: 'avg by (instance) (load)',
      label: 'instance',
    });

  it('is that of the instance, by name, endpoint or address', async () => {
    const asked: string[] = [];
    const port = await serve(({ url }, response) => {
      asked.push(decodeURIComponent(url ?? '').replaceAll('+', ' '));
      response.end(
        vector([
          { metric: { instance: '127.0.0.1:9' }, value: [1, '0.5'] },
          { metric: { instance: 'b' }, value: [1, '0.25'] },
          { metric: { instance: 'c' }, value: [1, 'NaN'] },
          { metric: { instance: '[2001:db8::5]:9' }, value: [1, '0.75'] },
        ]),
      );
    });
    const addresses = { a: '127.0.0.1', b: '127.0.0.2', c: '127.0.0.2', d: '127.0.0.2', e: '2001:db8::5' };
    const reading = await source(port).read(
      Object.entries(addresses).map(([name, address]) => ({ name, address, port: 9, weight: 1 })),
      2_000,
    );
    expect(asked).toEqual(['/api/v1/query?query=avg by (instance) (load)']);
    expect(reading).toEqual({
      loads: new Map([
        ['a', 0.5],
        ['b', 0.25],
        ['e', 0.75],
      ]),
      problem: 'no value of c among 4 by instance',
    });
  });

  it('is that of an exporter at another port of the host, if there is only one', async () => {
    const series = (instance: string, load: string) => ({ metric: { instance }, value: [1, load] });
    const port = await serve((_request, response) =>
      response.end(
        vector([
          series('10.0.0.1:9100', '0.1'),
          series('[2001:db8::1]:9100', '0.2'),
          series('10.0.0.2:9100', '0.3'),
          series('10.0.0.2:9', '0.4'),
          series('10.0.0.3:9100', '0.5'),
          series('10.0.0.3:9101', '0.6'),
        ]),
      ),
    );
    const addresses = { a: '10.0.0.1', b: '2001:db8::1', c: '10.0.0.2', d: '10.0.0.3' };
    const reading = await source(port).read(
      Object.entries(addresses).map(([name, address]) => ({ name, address, port: 9, weight: 1 })),
      2_000,
    );
    expect(reading).toEqual({
      loads: new Map([
        ['a', 0.1],
        ['b', 0.2],
        ['c', 0.4],
      ]),
      problem: 'no value of d among 6 by instance',
    });
  });

  it('is not known of whom there are several values', async () => {
    const series = (instance: string, mode: string) => ({ metric: { instance, mode }, value: [1, '0.5'] });
    const port = await serve((_request, response) =>
      response.end(vector([series('a', 'user'), series('a', 'system'), series('b', 'user')])),
    );
    const reading = await source(port).read(targets(1), patienceMs);
    expect(reading).toEqual({
      loads: new Map([['b', 0.5]]),
      problem: "no value of a among 2 by instance, and several for 'a'",
    });
  });

  it('is not known where the answer is something else', async () => {
    const port = await serve((_request, response) => response.end('{"status":"error"}'));
    const reading = await source(port).read(targets(1), patienceMs);
    expect(reading).toEqual({ loads: new Map(), problem: 'the answer to the query is not a vector' });
  });
});
